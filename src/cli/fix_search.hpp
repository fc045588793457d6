// Which bundles that are here already bring a version of a package that an advisory does not mean.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "advisory/remedy.hpp"
#include "site/site.hpp"
#include "trust/trust.hpp"

namespace liftlock {

struct OpenStore;

/// A version that somebody could turn to.
struct Offer {
  enum class State : std::uint8_t {
    landed,   ///< in use here
    retired,  ///< taken out of use; what it brought is known until gc removed its lists
    waiting,  ///< lies in a source of config.toml, well signed, and did not land
  };
  State state = State::landed;
  std::string bundle;    ///< "demo/9"; "set NAME" for a lock of the low side
  std::string source;    ///< of one that waits, as ingest takes it: "usb/demo-9"
  std::string artifact;  ///< its id
};
std::string_view name(Offer::State state);

class FixSearch {
 public:
  /// @param live what the store has in use
  FixSearch(const Site& site, const OpenStore& store, const std::vector<Artifact>& live);

  /// Those of live artifacts and of all that is offered besides: what has to be matched with the databases.
  const std::vector<advisory::Subject>& subjects() const { return m_packages.subjects(); }
  /// What could not be looked into, each with the reason. Printable.
  const std::vector<std::string>& notes() const { return m_notes; }
  /// Those in use first. @param meant of all that the match of subjects() gave
  std::vector<Offer> offers(const advisory::Affected& found, const advisory::Meant& meant) const;

 private:
  void add(const std::vector<Artifact>& artifacts, Offer offer);
  void add_retired(const OpenStore& store);
  void add_waiting(const Site& site, const OpenStore& store);
  void look_into(const Site& site, const TrustStore& trust, const OpenStore& store, const std::string& source);
  void note(std::string_view source, const std::error_code& error);
  /// Folders of a source that may be bundles: the source itself, or those in it.
  std::vector<std::string> candidates(const std::string& source, const fs::path& folder);

  advisory::Replacements m_packages;
  std::multimap<std::string, Offer> m_offers;  ///< by the id of the artifact
  std::vector<std::string> m_notes;
};

}  // namespace liftlock
