// Users of this machine, and what file modes let them do.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace liftlock {

struct User {
  std::string name;
  uid_t uid = 0;
  std::vector<gid_t> groups;
};

std::optional<User> find_user(const std::string& name);
/// "liftlock"; the number when the user has no name.
std::string user_name(uid_t uid);

/// What keeps somebody from reading a file.
struct Barrier {
  std::filesystem::path path;  ///< the file, or a folder on the way to it
  std::string mode;            ///< "0750 liftlock"
};

/// The first on the absolute path that bars this user, or, with nullopt, users in general; nullopt: they may read it.
/// Judged by modes alone: access control lists and security modules may say otherwise. @throws Error{io_error}
std::optional<Barrier> what_bars(const std::filesystem::path& file, const std::optional<User>& user);

}  // namespace liftlock
