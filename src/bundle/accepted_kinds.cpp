#include "bundle/accepted_kinds.hpp"

#include <algorithm>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {

namespace {

bool is_accepted(const std::vector<std::string>& accepted, const std::string& kind) {
  return accepted.empty() || std::find(accepted.begin(), accepted.end(), kind) != accepted.end();
}

}  // namespace

void require_accepted_kind(const std::vector<std::string>& accepted, const std::string& kind, std::string_view what) {
  if (is_accepted(accepted, kind)) return;
  throw Error(ErrorCode::profile_refused,
              fmt::format("this site takes in {}, and '{}' is of the kind {}", fmt::join(accepted, ", "),
                          printable(what), kind),
              "[policy] accept_kinds of config.toml lists the kinds");
}

void require_accepted_kinds(const std::vector<std::string>& accepted, const std::vector<Artifact>& artifacts) {
  std::vector<const Artifact*> others;
  for (const auto& artifact : artifacts) {
    if (!is_accepted(accepted, artifact.kind)) others.push_back(&artifact);
  }
  if (others.empty()) return;
  throw Error(ErrorCode::profile_refused,
              fmt::format("this site takes in {}, and {} of another kind, the first is {}", fmt::join(accepted, ", "),
                          others.size() == 1 ? "1 artifact is" : counted(others.size(), "artifact") + " are",
                          printable(others[0]->id())),
              "[policy] accept_kinds of config.toml lists the kinds: have a bundle without the others packed, or the "
              "list changed");
}

}  // namespace liftlock
