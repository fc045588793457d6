#include "ecosystem/without_network.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

namespace fs = std::filesystem;

// Daemons listen on sockets that have a name below /run, and a network namespace does not keep anybody from those: an
// empty folder does. What lies there and is no daemon's comes back through a descriptor that was opened before.
// $1: a folder to keep, or nothing. $2: how the client leaves the rights to mount behind, in words that are split.
constexpr std::string_view k_script = R"sh(
set -e
unset DOCKER_HOST CONTAINER_HOST SSH_AUTH_SOCK SSH_AGENT_PID GPG_AGENT_INFO XDG_RUNTIME_DIR NOTIFY_SOCKET
unset DBUS_SESSION_BUS_ADDRESS DBUS_SYSTEM_BUS_ADDRESS DBUS_STARTER_ADDRESS DBUS_STARTER_BUS_TYPE
kept=$1 after=$2
shift 2
media=/run/media
if [ -d "$media" ] && [ -r "$media" ]; then exec 8<"$media"; else media=; fi
if [ -n "$kept" ]; then exec 9<"$kept"; fi
for folder in /run /var/run; do
  if [ -d "$folder" ] && [ ! -L "$folder" ]; then
    mount -t tmpfs -o mode=0755,size=16m,nosuid,nodev liftlock-run "$folder"
  fi
done
if [ -n "$media" ]; then
  mkdir -p "$media"
  mount --no-canonicalize --rbind /proc/self/fd/8 "$media"
  exec 8<&-
fi
if [ -n "$kept" ]; then
  mkdir -p "$kept"
  mount --no-canonicalize --rbind /proc/self/fd/9 "$kept"
  exec 9<&-
  cd "$kept"
fi
exec $after "$@"
)sh";

/// The folder, where it would vanish with /run.
std::string kept_folder(const fs::path& working_folder) {
  std::error_code ignored;
  const auto folder = fs::weakly_canonical(working_folder.empty() ? fs::path(".") : working_folder, ignored).string();
  const bool vanishes = folder.starts_with("/run/") || folder.starts_with("/var/run/");
  return vanishes && !folder.starts_with("/run/media/") ? folder : std::string();
}

}  // namespace

std::vector<std::string> without_network(std::vector<std::string> argv, const fs::path& working_folder) {
  // The rights that mounting takes end with another user namespace, in which one is again who one was.
  const auto back = fmt::format("unshare --user --map-user={} --map-group={} --", ::geteuid(), ::getegid());
  const auto way = [&](std::vector<std::string> begin, const std::string& after) {
    const std::vector<std::string> rest = {
        "--net", "--mount", "--propagation",       "slave",           "--",
        "sh",    "-c",      std::string(k_script), "without-network", kept_folder(working_folder),
        after};
    begin.insert(begin.end(), rest.begin(), rest.end());
    return begin;
  };
  std::vector<std::vector<std::string>> ways = {way({"unshare", "--user", "--map-root-user"}, back)};
  // Without a user namespace files keep their owners; it takes root with all its rights.
  if (::geteuid() == 0) ways.insert(ways.begin(), way({"unshare"}, ""));
  std::string words;
  for (auto& one : ways) {
    ProcessSpec probe;
    probe.argv = one;
    probe.argv.emplace_back("true");
    const auto result = run_process(probe);
    if (result.status == 0) {
      one.insert(one.end(), argv.begin(), argv.end());
      return one;
    }
    words = printable(trim(result.error_output));
  }
  throw Error(ErrorCode::sandbox_unavailable,
              fmt::format("no network namespace with an empty /run can be made for {}: {}", argv.at(0), words));
}

}  // namespace liftlock
