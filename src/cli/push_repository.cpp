#include "cli/push_repository.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/pool_settings.hpp"
#include "cli/remote_server.hpp"
#include "net/origin.hpp"
#include "os/file.hpp"
#include "os/user.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_scheme = "oci://";

/// A secret that others of this machine can read, or replace, is none.
std::string read_secret(const fs::path& path, const std::string& table) {
  const auto shown = printable(path.string());
  const auto fd = open_file_if_exists(path, O_RDONLY | O_NONBLOCK);  // a pipe without a writer
  if (!fd) {
    throw Error(ErrorCode::not_found, fmt::format("'{}' of {} does not exist", shown, table),
                "write the login into it, and let nobody else read it: chmod 600");
  }
  const auto status = stat_of(fd->get(), shown);
  if (!S_ISREG(status.st_mode) || (status.st_mode & 0077u) != 0 ||
      (status.st_uid != ::geteuid() && status.st_uid != 0)) {
    throw Error(ErrorCode::config_invalid,
                fmt::format("'{}' of {} holds a secret, and has mode {:04o} and the owner {}", shown, table,
                            status.st_mode & 07777u, user_name(status.st_uid)),
                fmt::format("chown {0} '{1}' && chmod 600 '{1}'", user_name(::geteuid()), shown));
  }
  return parse_credential(read_all(fd->get(), k_max_credential + 2, shown), path);
}

/// Is this, "HOST" or "HOST:PORT", the server of the address?
bool is_at(const std::string& address, std::string_view text) {
  const auto there = HttpAddress::parse(address);
  if (!there) return false;
  const auto wanted = HttpAddress::parse((there->tls ? "https://" : "http://") + std::string(text));
  return wanted && wanted->path.empty() && same_origin(*wanted, *there);
}

}  // namespace

NamedRepository find_repository(const Site& site, std::string_view wanted) {
  const bool is_registry = wanted.starts_with(k_scheme);
  auto text = wanted.substr(is_registry ? k_scheme.size() : 0);
  if (text.ends_with('/')) text.remove_suffix(1);
  if (text.find("://") != std::string_view::npos) {
    throw Error(ErrorCode::usage, fmt::format("'{}' is no repository of config.toml", printable(wanted)),
                "name the table: `liftlock push NAME` of [repository.NAME]");
  }
  const auto& known = site.config().repositories;
  const auto named = known.find(std::string(text));
  if (named != known.end() && (!is_registry || named->second.kind == "oci")) return {named->first, named->second};
  for (const auto& [name, config] : known) {
    if (is_registry && config.kind == "oci" && is_at(config.address, text)) return {name, config};
  }
  std::string names;
  for (const auto& [name, config] : known) names += (names.empty() ? "" : ", ") + name;
  throw Error(ErrorCode::source_unknown, fmt::format("config.toml has no repository '{}'", printable(wanted)),
              names.empty()
                  ? "what is pushed goes to repositories of config.toml only: [repository.NAME] with kind and "
                    "address"
                  : fmt::format("it has {}", names));
}

PushSettings push_settings(const Site& site, const RepositoryConfig& config) {
  PushSettings out{.table = config.table, .access = {}, .folder = {}, .of_its_kind = config.of_its_kind};
  if (config.folder) {
    out.folder = *config.folder;
    return out;
  }
  RepositoryAccess access{.server = remote_server(site, {.table = config.table,
                                                         .key = "address",
                                                         .address = config.address,
                                                         .ca_file = config.ca_file,
                                                         .allow_http = config.allow_http,
                                                         .sends_secret = config.login_file || config.token_file})};
  if (config.login_file) access.login = read_secret(*config.login_file, config.table);
  if (config.token_file) access.token = read_secret(*config.token_file, config.table);
  if (!access.login.empty() && access.login.find(':') == std::string::npos)
    fail(ErrorCode::config_invalid, "'{}' does not hold USER:PASSWORD", printable(config.login_file->string()));
  out.access = std::move(access);
  return out;
}

}  // namespace liftlock
