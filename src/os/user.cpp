#include "os/user.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_record_bytes = 16 * 1024;

bool may(const struct stat& status, const std::optional<User>& user, mode_t bit_of_others) {
  if (!user) return (status.st_mode & bit_of_others) != 0;
  if (user->uid == 0) return true;
  if (user->uid == status.st_uid) return (status.st_mode & (bit_of_others << 6)) != 0;
  const bool in_group = std::find(user->groups.begin(), user->groups.end(), status.st_gid) != user->groups.end();
  return (status.st_mode & (in_group ? bit_of_others << 3 : bit_of_others)) != 0;
}

}  // namespace

std::optional<User> find_user(const std::string& name) {
  std::vector<char> buffer(k_record_bytes);
  struct passwd record {};
  struct passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &record, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  User user{.name = name, .uid = found->pw_uid, .groups = std::vector<gid_t>(1024)};
  int count = static_cast<int>(user.groups.size());
  if (::getgrouplist(name.c_str(), found->pw_gid, user.groups.data(), &count) < 0) {
    fail(ErrorCode::limit_exceeded, "the user '{}' is in more than {} groups", printable(name), user.groups.size());
  }
  user.groups.resize(static_cast<std::size_t>(count));
  return user;
}

std::string user_name(uid_t uid) {
  std::vector<char> buffer(k_record_bytes);
  struct passwd record {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(uid, &record, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return std::to_string(uid);
  }
  return printable(found->pw_name);
}

std::optional<Barrier> what_bars(const std::filesystem::path& file, const std::optional<User>& user) {
  std::filesystem::path at;
  for (const auto& component : file) {
    at /= component;
    struct stat status {};
    if (::stat(at.c_str(), &status) != 0) fail_errno("look at " + printable(at.string()));
    if (!may(status, user, S_ISDIR(status.st_mode) ? S_IXOTH : S_IROTH)) {
      return Barrier{at, fmt::format("{:04o} {}", status.st_mode & 07777, user_name(status.st_uid))};
    }
  }
  return std::nullopt;
}

}  // namespace liftlock
