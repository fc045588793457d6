#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <vector>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

std::string describe(uid_t uid) {
  std::vector<char> buffer(16 * 1024);
  struct passwd record {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(uid, &record, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return fmt::format("({})", uid);
  }
  return fmt::format("{}({})", printable(found->pw_name), uid);
}

std::optional<uid_t> parse_uid(std::string_view text) {
  const auto value = parse_uint(trim(text));
  if (!value || *value >= 0xFFFFFFFFu) return std::nullopt;  // 2^32-1 is the kernel's "not set"
  return static_cast<uid_t>(*value);
}

/// Who logged in. The kernel's login uid cannot be changed by an ordinary user; sudo's variable is a root's word.
std::optional<uid_t> uid_behind(uid_t uid) {
  if (uid == 0) {
    if (const char* sudo = std::getenv("SUDO_UID")) {
      if (const auto behind = parse_uid(sudo); behind && *behind != 0) return behind;
    }
  }
  try {
    const auto login = parse_uid(read_file("/proc/self/loginuid", 64));
    if (login && *login != uid) return login;
  } catch (const Error&) {
    // No /proc, or a kernel without auditing: the process's own uid is all there is.
  }
  return std::nullopt;
}

}  // namespace

std::string current_actor() {
  const auto uid = ::geteuid();
  const auto behind = uid_behind(uid);
  return behind ? fmt::format("{} as {}", describe(*behind), describe(uid)) : describe(uid);
}

}  // namespace liftlock
