// High side: takes in what others packed, by the rules of ingest. Nothing is visible before the last step, and
// everything before it can be killed and run again.
//
//   the log's witness was met → what is it → who vouches → policy → every file hashed into staging → artifacts →
//   inspection in a cell → the site's scanner → audit intent → blobs → catalog → audit success
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/reporter.hpp"
#include "bundle/import_record.hpp"
#include "bundle/inspect_all.hpp"
#include "intake/shape.hpp"
#include "site/site.hpp"

namespace liftlock {

struct ImportRequest {
  fs::path source;
  std::optional<Digest> expect;  ///< of the file; of a folder: of the list that stands in it (SHA256SUMS …)
  bool plan = false;             ///< say what would come in, and take nothing
  bool replace = false;          ///< other content of the same id goes out of use, once this is in
  std::string name;              ///< what the one artifact is to be called; empty: as it calls itself
  bool allow_unsigned = false;   ///< the site's policy
  std::string reason;            ///< demanded when nobody vouches
  std::string actor;
  std::set<std::string> shapes;  ///< only these; empty: all
  ImportCells cells;
  Inspect inspect;
};

struct ImportResult {
  enum class Status : std::uint8_t { planned, imported, already_present };
  Status status = Status::planned;
  std::string shape;
  std::string words;
  Json preview = Json::object();
  Belief belief = Belief::nobody;
  /// Of what is here already: what it is believed for there, signed bundles included.
  std::optional<Belief> present_as;
  std::vector<std::string> keys;
  std::string document;
  std::uint64_t number = 0;            ///< "import/NUMBER" of the catalog
  std::vector<std::string> artifacts;  ///< ids, sorted; none when planned
  std::vector<std::string> unbound;    ///< of those: no signature covers them
  std::vector<std::string> replaced;   ///< ids
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::string scanned;  ///< what the site's scanner looked at, and which it is; empty: none did
  std::vector<std::string> notes;
};

/// @throws Error of the first thing that is wrong; by then the failure is in the audit log and the transfer log
ImportResult import_from(const Site& site, const ImportRequest& request, Reporter& reporter);

}  // namespace liftlock
