// Erasure, legal holds and retention of records. Needs no key. Format: docs/formats/record.md.
//
// Each is an effect that the caller announces in the audit log. Safe beside a server that writes, and beside others.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/error.hpp"
#include "os/file.hpp"
#include "record/record.hpp"

namespace liftlock {

class RecordKeeper {
 public:
  explicit RecordKeeper(fs::path folder);

  struct Hold {
    std::string reason;
    std::string actor;
    Timestamp time;
  };
  /// nullopt: it is not held, or there is no such record.
  std::optional<Hold> hold_of(const std::string& id) const;
  /// A second hold replaces the first one's reason. @throws Error{not_found, record_erased}
  void hold(const std::string& id, const Hold& hold);
  /// @throws Error{not_found} when it is not held
  void release(const std::string& id);

  /// Destroys the record's key; durable when it returns. Erasing twice is fine.
  /// @throws Error{not_found}, Error{immutable} while it is held
  void erase(const std::string& id);

  /// What became of each of several: nothing where it was done, else what the call for it alone would throw. All slots
  /// are read once for all of them. @throws what keeps it from all of them: Error{io_error}, a segment that is none
  using Outcomes = std::map<std::string, std::optional<Error>>;
  Outcomes hold(const std::set<std::string>& ids, const Hold& hold);
  Outcomes release(const std::set<std::string>& ids);
  Outcomes erase(const std::set<std::string>& ids);

  struct Expired {
    std::uint64_t records = 0;   ///< erased, or would be
    std::uint64_t held = 0;      ///< old enough, but held
    std::uint64_t segments = 0;  ///< whose frames were removed
  };
  enum class Do : std::uint8_t { count, erase };
  /// Of all that were begun before.
  Expired expire(Timestamp before, Do what);
  /// Of all of which this is true; it is asked with the moment at which the record was begun.
  Expired expire(const std::function<bool(const std::string& id, Timestamp begun)>& is_over, Do what);

 private:
  fs::path hold_file(const std::string& id) const;
  fs::path m_folder;
};

}  // namespace liftlock
