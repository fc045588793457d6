// Engines that no bundle brought, as `engine install FILE` and the watched folder take them.
#pragma once

#include <optional>
#include <string>
#include <thread>

#include "base/digest.hpp"
#include "cli/command.hpp"
#include "engine/install.hpp"

namespace liftlock {

/// Installs the package of a file that somebody vouches for; what is refused is in the log, too (engine.import).
/// @throws Error what require_announced(), require_signed_list() and install_engine() throw
engine::InstalledEngine import_engine(Invocation& invocation, const Site& site, const fs::path& file,
                                      const std::optional<Digest>& expected, engine::Unsuited unsuited);

/// Takes engine packages that appear in a folder, on a thread of its own: NAME.tar once NAME.tar.sha256 and a signature
/// over it lie beside it. What is installed moves to installed/, what is refused to refused/ with its reason.
class IncomingEngines {
 public:
  /// @param invocation outlives this object
  IncomingEngines(Invocation& invocation, const Site& site, fs::path folder);

 private:
  void look();
  void take(const fs::path& file);

  Invocation& m_invocation;
  const Site m_site;
  const fs::path m_folder;
  std::jthread m_thread;
};

}  // namespace liftlock
