// Which distribution an RPM package is of, in OSV's words: https://ossf.github.io/osv-schema/#defined-ecosystems
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace liftlock::advisory {

struct RpmDistribution {
  std::string ecosystem;  ///< "Rocky Linux"
  std::string release;    ///< as rpm_release() writes it; of SUSE's the code stream; empty: nobody can tell
};

/// Has the ecosystem rpm's order of versions?
bool is_rpm_ecosystem(std::string_view ecosystem);

/// By what stands in the package's header. Packages that SUSE built are also openSUSE Leap's. Empty for vendors of
/// which OSV has no ecosystem.
/// @param vendor "Red Hat, Inc.", "SUSE LLC <https://www.suse.com/>"
/// @param release "4.el9_4", "150500.3.6.1"
std::vector<RpmDistribution> rpm_distributions(std::string_view vendor, std::string_view release);

/// What an ecosystem's own release says, so that packages can be compared with it: "9" of "enterprise_linux:9::baseos"
/// and of "9.4"; "15.5" of "Linux Enterprise Server 15 SP5", "Leap 15.5" and "Linux Enterprise Micro 5.5";
/// "Tumbleweed". Empty for products with numbers of their own ("Manager Server Module 4.3").
std::string rpm_release(std::string_view ecosystem, std::string_view release);

/// Can a package be of the release that a record is about? What has none fits. The code stream of SUSE's packages is
/// the least: later service packs of the same major version ship what earlier ones built. Such a record means it where
/// what it calls fixed was built in the same stream, or nothing is fixed: a service pack that builds a package anew has
/// another one.
/// @param package as RpmDistribution has it, or another ecosystem's release. @param record as rpm_release() has it
/// @param fixed the versions that the record calls fixed
bool fits_release(std::string_view ecosystem, std::string_view package, std::string_view record,
                  const std::vector<std::string>& fixed = {});

}  // namespace liftlock::advisory
