#include "ecosystem/hub/hub_path.hpp"

#include <span>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "ecosystem/hub/repository.hpp"

namespace liftlock::hub {
namespace {

using Parts = std::span<const std::string>;

std::string joined(Parts parts) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : "/") + part;
  return out;
}

/// What stands behind api/models/REPO and api/datasets/REPO.
bool read_api(Parts rest, HubRequest& out) {
  if (rest.empty()) {
    out.asks = Asks::info;
    return true;
  }
  const auto& verb = rest[0];
  if (verb == "refs" && rest.size() == 1) {
    out.asks = Asks::refs;
    return true;
  }
  if (rest.size() < 2) return false;
  out.revision = rest[1];
  if (verb == "revision" && rest.size() == 2) {
    out.asks = Asks::info;
    return true;
  }
  if (verb == "paths-info" && rest.size() == 2) {
    out.asks = Asks::paths_info;
    return true;
  }
  if (verb != "tree") return false;
  out.asks = Asks::tree;
  out.path = joined(rest.subspan(2));
  return true;
}

bool read_file(Parts rest, HubRequest& out) {
  if (rest.size() < 3 || rest[0] != "resolve") return false;
  out.asks = Asks::file;
  out.revision = rest[1];
  out.path = joined(rest.subspan(2));
  return true;
}

}  // namespace

std::vector<HubRequest> read_hub_path(std::string_view raw_path) {
  std::vector<std::string> parts;
  for (const auto part : split(raw_path, '/')) {
    auto decoded = decode_percent(part);
    if (!decoded) return {};
    parts.push_back(*std::move(decoded));
  }
  while (!parts.empty() && parts.back().empty()) parts.pop_back();
  Parts rest = parts;
  const bool api = rest.size() >= 2 && rest[0] == "api" && (rest[1] == "models" || rest[1] == "datasets");
  // No owner of models is called "datasets".
  const auto holds = !rest.empty() && rest[api ? 1 : 0] == "datasets" ? Holds::dataset : Holds::model;
  rest = rest.subspan(api ? 2 : holds == Holds::dataset ? 1 : 0);
  std::vector<HubRequest> out;
  if (api && rest.empty()) {
    out.emplace_back().holds = holds;
    return out;
  }
  for (std::size_t size = 2; size > 0; --size) {
    if (rest.size() < size) continue;
    HubRequest request;
    request.holds = holds;
    request.repository = joined(rest.first(size));
    if (!is_repository(request.repository)) continue;
    if (api ? read_api(rest.subspan(size), request) : read_file(rest.subspan(size), request))
      out.push_back(std::move(request));
  }
  return out;
}

}  // namespace liftlock::hub
