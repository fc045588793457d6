// The reading half of the record, also while a server writes. Format: docs/formats/record.md.
//
// Reading content is an event that the caller puts into the audit log first ("record.read").
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_log.hpp"
#include "os/file.hpp"
#include "record/record.hpp"

namespace liftlock {

class RecordReader {
 public:
  RecordReader(fs::path folder, fs::path kek_file);

  /// What is empty or absent does not limit. Times include their second.
  struct Filter {
    std::string user, tag, text, model;
    std::optional<Timestamp> from, to;
    std::stop_token stop;  ///< asked between two records; what was found until then is all
    /// Asked about records that were cut off: those that it has are damaged. Without it they are passed over, as if all
    /// of them had been cut by a crash while they were begun.
    const AuditLog* log = nullptr;
  };
  /// What a search met beside what it found.
  struct Findings {
    std::uint64_t searched = 0;
    std::uint64_t without_content = 0;  ///< erased, or hash-only
    std::vector<std::string> damaged;   ///< ids of records that could not be read
  };
  /// From the newest to the oldest; stops when visit returns false. A text is looked for in tags, prompts and answers,
  /// as text_search.hpp does.
  /// @throws Error{key_missing}
  Findings find(const Filter& filter, const std::function<bool(const RecordHead&)>& visit) const;

  /// @throws Error{not_found, record_erased, key_missing}, Error{blob_corrupt} for what was changed or cut
  Record read(const std::string& id) const;

  /// Compares the ciphertext, and what is not erased with its HMACs and its head, with the newest entry of the log.
  /// What is erased must not be held, and the log must have its "record.erase", or a "record.expire" that reached it.
  /// {"id", "entry", "mode", "erased", "frames", "ciphertext", "outcome"}; "ciphertext" is null where no content is,
  /// "entry" where it is durable and still on its way into the log.
  /// @throws Error{blob_corrupt} where they differ, or only one of the two is there; Error{not_found} where neither is
  Json verify(const std::string& id, const AuditLog& log) const;

 private:
  /// @param cut gets the ids of records that were cut off
  void search(const Filter& filter, const std::function<bool(const RecordHead&)>& visit, Findings& findings,
              std::set<std::string>& cut) const;
  Json compare_with_log(const std::string& id, const AuditLog& log) const;

  fs::path m_folder;
  fs::path m_kek_file;
};

}  // namespace liftlock
