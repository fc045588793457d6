#include "gateway/offline.hpp"

#include <algorithm>
#include <array>

#include "base/encoding.hpp"

namespace liftlock {
namespace {

struct Absent {
  std::string_view path;  ///< itself, and what is below it
  ErrorCode code;
  std::string_view why;
};

// Ollama 0.12: server/routes.go.
constexpr std::string_view k_bundles = "models change with the bundles that bring them";
constexpr std::array k_absent = {
    Absent{"/api/push", ErrorCode::offline, "nothing is sent out from this side"},
    Absent{"/api/me", ErrorCode::offline, "there is no account elsewhere"},
    Absent{"/api/signin", ErrorCode::offline, "there is no account elsewhere"},
    Absent{"/api/signout", ErrorCode::offline, "there is no account elsewhere"},
    Absent{"/api/user", ErrorCode::offline, "there is no account elsewhere"},
    Absent{"/api/web_search", ErrorCode::offline, "there is no web on this side"},
    Absent{"/api/web_fetch", ErrorCode::offline, "there is no web on this side"},
    Absent{"/api/experimental/web_search", ErrorCode::offline, "there is no web on this side"},
    Absent{"/api/experimental/web_fetch", ErrorCode::offline, "there is no web on this side"},
    Absent{"/api/create", ErrorCode::immutable, k_bundles},
    Absent{"/api/copy", ErrorCode::immutable, k_bundles},
    Absent{"/api/delete", ErrorCode::immutable, k_bundles},
    Absent{"/api/blobs", ErrorCode::immutable, k_bundles},
};

}  // namespace

std::optional<Error> not_on_this_side(std::string_view path) {
  const auto is_it = [&](const Absent& absent) {
    return path.starts_with(absent.path) && (path.size() == absent.path.size() || path[absent.path.size()] == '/');
  };
  const auto* found = std::find_if(k_absent.begin(), k_absent.end(), is_it);
  if (found == k_absent.end()) return std::nullopt;
  return Error(found->code, fmt::format("'{}' is not offered: {}", found->path, found->why));
}

void refuse_online_tool(std::string_view type, std::string_view path) {
  for (const auto* kind : {"web_search", "web_fetch", "mcp"}) {
    if (!type.starts_with(kind)) continue;
    fail(ErrorCode::offline, "{}: '{}' needs the internet, and this side has none: bring the text along", path,
         printable(type.substr(0, 60)));
  }
}

}  // namespace liftlock
