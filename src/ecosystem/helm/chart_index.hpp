// A chart repository: its index.yaml and where its archives lie. As the mirror serves it, and as a folder that any web
// server can: https://helm.sh/docs/topics/chart_repository/
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/json.hpp"
#include "ecosystem/plain_layout.hpp"

namespace liftlock::helm {

class ChartIndex {
 public:
  /// Of two contents under one name and version the one that was added last counts. False for what is no chart, or
  /// does not say what its Chart.yaml states; it is passed over.
  /// @param created of the entry; empty: it does not say
  bool add(const Artifact& artifact, std::string_view created = {});

  /// index.yaml as JSON, which is YAML. @param generated as `created`
  std::string text(std::string_view generated = {}) const;
  /// By what the index names each: NAME-VERSION.tgz, and NAME/NAME-VERSION.tgz where two charts (demo 1.0.0-2.0.0 and
  /// demo-1.0.0 2.0.0) have archives of one name.
  std::map<std::string, ArtifactFile> archives() const;

 private:
  struct Entry {
    Json metadata;
    ArtifactFile file;
  };
  using Key = std::pair<std::string, std::string>;  ///< name and version
  std::string url_of(const Key& key, const Entry& entry) const;

  std::map<Key, Entry> m_entries;
  std::map<std::string, std::set<std::string>, std::less<>> m_owners;  ///< charts by the names of their archives
};

/// index.yaml and what it names, without times: the same charts give the same index.
PlainLayout chart_repository(std::span<const Artifact> artifacts);

}  // namespace liftlock::helm
