// Inside of bundle: what both forms of a bill of materials say of artifacts. Private to sbom_*.cpp.
#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "bundle/sbom.hpp"

namespace liftlock::bill {

/// What both formats call a kind.
struct KindWords {
  std::string_view kind, type, purpose;  ///< CycloneDX's type, SPDX's primary purpose (§7.24)
};
const KindWords& words_of(std::string_view kind);

/// The strings of a member that is a list of them.
std::vector<std::string> list(const Json& facts, const char* key);

/// One artifact, with all that is known of it.
struct Item {
  const Artifact& artifact;
  Json facts;  ///< of the inspection

  const Json& card() const;
  std::string license() const;
  std::vector<std::string> datasets() const;
  std::vector<std::string> base_models() const;
};
Item item_of(const Artifact& artifact, const InspectedFacts& inspected);

/// The artifacts of a bill, each once, with what it is called there. A store may hold one id with several contents:
/// bundles brought them one after the other.
class Listed {
 public:
  explicit Listed(const std::vector<Artifact>& artifacts);

  struct One {
    const Artifact* artifact;
    std::string ref;      ///< its id; where that has several contents, with the digest of what is known of this one
    std::string content;  ///< SHA-256 of the artifact in JSON; empty where its id is there once
  };
  const std::vector<One>& all() const { return m_all; }

  /// What an artifact needs, as far as it is listed; all contents of an id, since nobody said which one. Sorted.
  std::set<std::size_t> needs_of(const Artifact& artifact) const;

 private:
  std::vector<One> m_all;
  std::map<std::string, std::vector<std::size_t>> m_by_id;
};

/// An address that both formats take as it is.
bool is_plain_url(std::string_view text);

}  // namespace liftlock::bill
