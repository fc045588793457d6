// Where admins list, make and revoke keys over HTTP. Each change is in the audit log as that of `liftlock key` is,
// before it is made and after, also where it is refused. Rules: docs/formats/access.md.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "access/gatekeeper.hpp"
#include "access/labels.hpp"
#include "audit/audit_log.hpp"
#include "gateway/desk.hpp"
#include "record/record.hpp"

namespace liftlock {

class KeyDesk {
 public:
  static constexpr std::string_view k_keys_path = "/liftlock/v1/keys";
  static constexpr std::string_view k_key_path = "/liftlock/v1/keys/";  ///< and an id behind it, and then
  static constexpr std::string_view k_revoke = "/revoke";

  /// @param file of the KeyRing
  /// @param site_mode of the record, where a key says none
  /// @param log outlives the desk
  KeyDesk(fs::path file, Labels labels, RecordMode site_mode, AuditLog& log);
  /// As that of a Desk.
  ~KeyDesk();
  KeyDesk(const KeyDesk&) = delete;
  KeyDesk& operator=(const KeyDesk&) = delete;

  /// {"keys": […]}, as keys_json() has them.
  std::shared_ptr<LiveAnswer> list();
  /// Answers the key, and this once its "secret".
  /// @param wanted {"user", "role", "models", "requests_per_minute", "tokens_per_minute", "tokens_per_day", "expires",
  /// "label", "record", "note"}, all but the first optional
  /// @param maker must have Right::keys, and still be valid when it is made; see require_within()
  /// @param actor as the audit log has it
  /// @throws Error{bad_request} for other members or values
  std::shared_ptr<LiveAnswer> make(const Json& wanted, const Caller& maker, const std::string& actor);
  /// @param path behind k_key_path: an id and k_revoke
  /// @param wanted {"reason"}
  /// @throws Error{not_found} for another path; Error{bad_request}
  std::shared_ptr<LiveAnswer> revoke(std::string_view path, const Json& wanted, const Caller& maker,
                                     const std::string& actor);

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
  Desk m_desk;  ///< last: its work looks into what is above
};

}  // namespace liftlock
