// High side: repositories under /git/, read-only, over git's smart HTTP protocol.
// Protocol: gitprotocol-http(5), https://git-scm.com/docs/gitprotocol-http
//
//   GET  /git/                                          what there is, as JSON
//   GET  /git/NAME[.git]/info/refs?service=git-upload-pack
//   POST /git/NAME[.git]/git-upload-pack
//   GET  /git/NAME.bundle                               the bundle itself, once git checked it
//   NAME~ is NAME, and NAME~ with anything behind it is nothing: what client_configuration() leads origins to
//   …git-receive-pack                                   403: nobody pushes to a mirror
//   POST /git/NAME[.git]/info/lfs/objects/batch         where files of Git LFS are (lfs_route.hpp)
//   GET  /git/NAME[.git]/info/lfs/objects/OID           one of them
#pragma once

#include <memory>

#include "ecosystem/route.hpp"

namespace liftlock::git {

/// Of one name the highest sequence of a channel is served, and of several channels the one that was published last.
/// Without RouteEnvironment::cache_folder the protocol's two requests and NAME.bundle are Error{internal}.
std::unique_ptr<const Route> make_git_route(std::shared_ptr<const MirrorView> view,
                                            const RouteEnvironment& environment);

}  // namespace liftlock::git
