// Engines that no bundle brought, as `engine install FILE`, `import FILE` and the watched folder take them; and those
// that stand on another engine, wherever they come from.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <thread>

#include "artifact/artifact.hpp"
#include "base/digest.hpp"
#include "cli/command.hpp"
#include "engine/install.hpp"
#include "intake/baiengine.hpp"

namespace liftlock {

/// Engines without a C library: by the ending of their name.
bool is_baiengine(const fs::path& file);

struct EngineFileRequest {
  fs::path file;
  std::optional<Digest> expected = {};  ///< its digest, announced by another way
  engine::Unsuited unsuited = engine::Unsuited::refuse;
  std::string base = {};    ///< engine that a .baiengine shall stand on; empty: the one that fits
  std::string reason = {};  ///< why one that nobody vouches for is taken
};

/// Installs the package of a file: for its announced digest, for the signed list beside it, for the signatures in a
/// .baiengine, or, where policy allows that, for nobody's word. What is refused is in the log, too (engine.import).
/// @throws Error{unsigned_document, reason_required, usage, profile_refused}, and what require_announced(),
/// require_signed_list(),
///         open_baiengine(), build_on_base() and install_engine() throw
engine::InstalledEngine import_engine(Invocation& invocation, const Site& site, const EngineFileRequest& request);

/// A .baiengine of the store, whose bytes were checked. The entry in the log is engine.install.
engine::InstalledEngine install_stored_baiengine(Invocation& invocation, const Site& site, const Artifact& artifact,
                                                 UniqueFd file, const EngineFileRequest& request);

/// For a plan: what it is, and what it would stand on.
Json describe_baiengine(const Site& site, const EngineFileRequest& request);

/// What people see first of an engine that nobody vouches for; empty for others.
std::string engine_label(const engine::EngineFacts& facts);
/// Lines about where its C library comes from and what of it will not load; empty for most.
std::string base_text(const engine::EngineFacts& facts);

/// Takes engine packages that appear in a folder, on a thread of its own: NAME.tar or NAME.baiengine once
/// NAME.sha256 and a signature over it lie beside it, a .baiengine also for the signatures in it. What is installed
/// moves to installed/, what is refused to refused/ with its reason.
class IncomingEngines {
 public:
  /// @param invocation outlives this object
  IncomingEngines(Invocation& invocation, const Site& site, fs::path folder);

 private:
  void look();
  bool is_signed(const fs::path& file);
  void take(const fs::path& file);

  Invocation& m_invocation;
  const Site m_site;
  const fs::path m_folder;
  std::map<fs::path, fs::file_time_type> m_unsigned;  ///< those that were looked into, as they were then
  std::jthread m_thread;
};

}  // namespace liftlock
