#include "dockerfile/write.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "quiet/switch_text.hpp"
#include "quiet/switches.hpp"

namespace liftlock::dockerfile {
namespace {

/// Nothing that a shell or a Dockerfile gives a meaning to.
void require_plain(std::string_view what, std::string_view text) {
  const bool plain = !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-+:/@=~[]").find(c) != std::string_view::npos;
  });
  if (!plain)
    fail(ErrorCode::usage, "{} '{}' has characters that a Dockerfile gives a meaning to", what, printable(text));
}

std::string apt_part(std::vector<std::string> packages) {
  std::sort(packages.begin(), packages.end());
  packages.erase(std::unique(packages.begin(), packages.end()), packages.end());
  std::string names;
  for (const auto& one : packages) {
    require_plain("the package", one);
    names += fmt::format(" \\\n      {}", one);
  }
  return fmt::format(R"(
# docker-clean would empty the mounted cache after each install; locked, because apt allows one at a time.
RUN rm -f /etc/apt/apt.conf.d/docker-clean \
 && echo 'Binary::apt::APT::Keep-Downloaded-Packages "true";' > /etc/apt/apt.conf.d/keep-cache
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update \
 && apt-get install -y --no-install-recommends{}
)",
                     names);
}

std::string python_part(const Recipe& recipe) {
  require_plain("the file", recipe.requirements);
  auto out = fmt::format("\nWORKDIR /app\nCOPY {0} /app/requirements.txt\n", recipe.requirements);
  if (!recipe.wheelhouse.empty()) {
    require_plain("the folder", recipe.wheelhouse);
    // Mounted, not copied: the wheels are in no layer. Without a network, so that a missing wheel fails here.
    return out + fmt::format(
                     R"(# The wheels are mounted, so that they are in no layer; without a network, a missing one fails.
RUN --network=none \
    --mount=type=bind,source={},target=/build/wheelhouse \
    pip install --no-index --find-links=/build/wheelhouse -r /app/requirements.txt
)",
                     recipe.wheelhouse);
  }
  std::string index;
  if (!recipe.mirror.empty()) {
    require_plain("the mirror", recipe.mirror);
    index = fmt::format(" \\\n      --index-url {}/simple/", recipe.mirror);
    if (recipe.mirror.starts_with("http://")) {
      const auto host = recipe.mirror.substr(7);
      index += fmt::format(" --trusted-host {}", host.substr(0, host.find('/')));
    }
  }
  return out + fmt::format(R"(# Shared: pip's cache may be used by several builds at once.
RUN --mount=type=cache,target=/root/.cache/pip,sharing=shared \
    --mount=type=cache,target=/build/wheelhouse,sharing=shared \
    pip wheel --wheel-dir /build/wheelhouse{0} -r /app/requirements.txt \
 && pip install --no-index --find-links=/build/wheelhouse -r /app/requirements.txt
)",
                           index);
}

}  // namespace

std::string write_dockerfile(const Recipe& recipe) {
  require_plain("the image", recipe.base);
  std::string out =
      "# Needs BuildKit: Docker 23 or later, or DOCKER_BUILDKIT=1 before docker build; buildah 1.24 or later.\n"
      "# `docker build --progress=plain` shows which steps came from a cache.\n";
  out += fmt::format("FROM {}\n", recipe.base);
  // With a mirror, what keeps clients offline altogether would be in the way; the same for an index of their own.
  const auto mirror = recipe.wheelhouse.empty() ? quiet::Mirror::local : quiet::Mirror::none;
  out += "\n# Telemetry, updates and downloads off: liftlock render telemetry\n" +
         quiet::environment_text(quiet::quiet_environment(mirror), quiet::EnvironmentForm::dockerfile);
  if (!recipe.packages.empty()) out += apt_part(recipe.packages);
  if (!recipe.requirements.empty()) out += python_part(recipe);
  return out;
}

}  // namespace liftlock::dockerfile
