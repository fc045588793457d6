// Where auditors read over HTTP what was asked and answered. Each look is in the audit log before anything is read;
// looks wait for each other on a thread of the desk's own, for they decrypt what they search.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "audit/audit_log.hpp"
#include "base/json.hpp"
#include "gateway/desk.hpp"
#include "record/record_reader.hpp"

namespace liftlock {

class RecordDesk {
 public:
  static constexpr std::string_view k_search_path = "/liftlock/v1/records/search";
  static constexpr std::string_view k_record_path = "/liftlock/v1/records/";  ///< and an id behind it

  /// @param log outlives the desk
  RecordDesk(RecordReader reader, AuditLog& log);
  /// A look that is under way ends with the record that it is at; who waits gets engine_unavailable.
  ~RecordDesk();
  RecordDesk(const RecordDesk&) = delete;
  RecordDesk& operator=(const RecordDesk&) = delete;

  /// @param wanted {"user", "model", "tag", "text", "from", "to", "count"}, all optional; docs/guides/gateway.md
  /// @param actor as the audit log has it
  /// @throws Error{bad_request} for other members or values; Error{overloaded} when too many wait
  std::shared_ptr<LiveAnswer> search(const Json& wanted, const std::string& actor);
  /// @throws Error{not_found} for what is no id; Error{overloaded}
  std::shared_ptr<LiveAnswer> read(const std::string& id, const std::string& actor);

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
  Desk m_desk;  ///< last: its work looks into what is above
};

}  // namespace liftlock
