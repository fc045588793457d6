#include <fmt/format.h>

#include <array>

#include "dockerfile/lint.hpp"

namespace liftlock::dockerfile {
namespace {

using enum Level;

constexpr std::array k_rules = {
    Rule{"apt-cache-sharing", error, "a cache of apt is mounted without sharing=locked",
         "--mount=type=cache,target=/var/cache/apt,sharing=locked: two builds at once break apt's own lock"},
    Rule{"apt-docker-clean", error,
         "apt's cache is mounted, but /etc/apt/apt.conf.d/docker-clean empties it after each install",
         "RUN rm -f /etc/apt/apt.conf.d/docker-clean, once before, or in the same RUN"},
    Rule{"apt-lists-lost", warning, "/var/cache/apt is mounted, but the lists in /var/lib/apt are not",
         "add --mount=type=cache,target=/var/lib/apt,sharing=locked: lists are downloaded again otherwise"},
    Rule{"apt-lists-removed", warning, "the RUN empties a cache that it mounts",
         "leave out `rm -rf /var/lib/apt/lists/*` and `apt-get clean`: what is mounted is not in the image"},
    Rule{"apt-not-cached", warning, "apt-get installs without a mounted cache",
         "mount /var/cache/apt and /var/lib/apt, sharing=locked"},
    Rule{"apt-goes-out", note, "apt-get update asks its servers in every build; only a layer that is kept hides that",
         "point the sources at the mirror, and prove it with `liftlock offline`"},
    Rule{"pip-no-cache-dir", error, "--no-cache-dir (or PIP_NO_CACHE_DIR) makes the mounted cache of pip useless",
         "leave it out: what is mounted is not in the image"},
    Rule{"pip-cache-place", error, "the mounted cache is not where pip keeps its own",
         "mount ~/.cache/pip of the user who runs it, or set PIP_CACHE_DIR"},
    Rule{"pip-not-cached", warning, "pip installs without a mounted cache",
         "--mount=type=cache,target=/root/.cache/pip"},
    Rule{"pip-index-reachable", error, "--find-links without --no-index asks the index as well",
         "add --no-index, or leave out --find-links and set the mirror as index-url"},
    Rule{"wheelhouse-flat", error, "an archive of a wheelhouse is unpacked flat, and --find-links looks into a folder",
         "tar -x --one-top-level=wheelhouse, or -C wheelhouse; `liftlock doctor wheelhouse` reads both kinds"},
    Rule{"wheels-without-dependencies", error, "--no-deps leaves out what the named packages need",
         "leave out --no-deps, and check the folder with `liftlock doctor wheelhouse`"},
    Rule{"network-open", note, "what installs from local files only still has a network",
         "RUN --network=none: then the build itself proves that nothing was missing"},
    Rule{"moving-tag", error, "the base image has a tag that moves, or none",
         "FROM NAME@sha256:…: the digest that `liftlock lock` pinned"},
    Rule{"tag-not-pinned", warning, "the base image is named by a tag, which somebody may move",
         "FROM NAME:TAG@sha256:…"},
    Rule{"syntax-goes-out", warning, "`# syntax=` makes BuildKit pull another image before it reads the file",
         "leave it out (cache mounts and here-documents are built in since BuildKit 0.10), or name it by digest on the "
         "mirror"},
    Rule{"add-from-network", error, "ADD downloads without a checksum",
         "ADD --checksum=sha256:…, or COPY a file that came in the bundle"},
    Rule{"curl-without-fail", error, "curl saves the server's error page as if it were the file", "curl -f (--fail)"},
    Rule{"download-name", warning, "wget keeps what follows the ? as part of the file's name",
         "wget -O NAME, or leave out ?download=true"},
    Rule{"download-unchecked", note, "a download is not compared with a digest",
         "sha256sum --check, or bring the file in the bundle"},
    Rule{"download-into-shell", error, "what is downloaded is run by a shell before anybody sees it",
         "download it to a file, compare its SHA-256, then run it; or bring it in the bundle"},
    Rule{"packages-go-out", note, "a package manager or git asks its servers in every build",
         "point it at the mirror (`liftlock render clients`), and prove it with `liftlock offline`"},
    Rule{"source-missing", error, "what is copied is not there",
         "correct the path; paths are relative to the build context"},
    Rule{"switch-not-read", warning, "a variable that looks like a switch, and that nothing reads",
         "`liftlock render telemetry --form dockerfile` writes those that are read"},
    Rule{"switch-not-accepted", error, "a switch has a value that its program does not accept",
         "`liftlock render telemetry --form dockerfile` writes those that are read"},
    Rule{"secret-in-image", error, "a secret stands in the image's history", "RUN --mount=type=secret"},
};

}  // namespace

std::string_view name_of(Level level) {
  switch (level) {
    case Level::error:
      return "error";
    case Level::warning:
      return "warning";
    case Level::note:
      return "note";
  }
  return "note";
}

std::span<const Rule> all_rules() {
  return k_rules;
}

std::string rules_markdown() {
  std::string out = "| rule | level | what | instead |\n|---|---|---|---|\n";
  for (const auto& one : k_rules)
    out += fmt::format("| `{}` | {} | {} | {} |\n", one.id, name_of(one.level), one.what, one.remedy);
  return out;
}

}  // namespace liftlock::dockerfile
