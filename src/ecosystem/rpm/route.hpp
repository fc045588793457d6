// High side: a dnf (yum, zypper) repository per channel at /rpm/, made anew from what is published. Layout:
// docs/formats/rpm.md.
//
//   /rpm/CHANNEL/repodata/repomd.xml, repomd.xml.asc, repomd.xml.key      signed by the mirror's key
//   /rpm/CHANNEL/repodata/HEX-{primary,filelists,other}.xml.gz
//   /rpm/CHANNEL/Packages/FILE.rpm                                        with the upstream's signature in it
//   /rpm/mirror-key.asc, /rpm/keys/NAME-HEX.asc                           the mirror's key; those of upstreams
#pragma once

#include <cstdint>
#include <memory>

#include "ecosystem/route.hpp"

namespace liftlock::rpm {

/// Of each channel the union of its artifacts of kind "rpm"; where two publications bring one file name, the newer one
/// counts. Times are those of the publications, so that equal content gives equal bytes. The lists of the publication
/// before the newest stay, for clients that hold the older repomd.xml. The lists are joined of what the inspection of
/// each package made of its header (learnt_lists.hpp), not from what its artifact states; of which there is nothing,
/// that is left out. environment.warn is told how many.
std::unique_ptr<const Route> make_rpm_route(std::shared_ptr<const MirrorView> view,
                                            const RouteEnvironment& environment);
/// The same with another bound than 1 GiB on what a channel's lists hold of its packages: the oldest are left out.
std::unique_ptr<const Route> make_rpm_route_within(std::uint64_t max_listed, std::shared_ptr<const MirrorView> view,
                                                   const RouteEnvironment& environment);

}  // namespace liftlock::rpm
