// High side: an apt repository at /debian/, made anew from what is published. Layout: docs/formats/apt.md.
//
//   /debian/dists/CHANNEL/{InRelease,Release}
//   /debian/dists/CHANNEL/main/binary-ARCH/Packages{,.gz} and by-hash/SHA256/…
//   /debian/pool/CHANNEL/FILE.deb
//   /debian/mirror-key.asc                              the key that signs InRelease
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ecosystem/route.hpp"

namespace liftlock::apt {

/// One suite per channel with the union of its artifacts of kind "deb"; where two publications bring one file name, the
/// newer one counts. Dates are those of the publications, so that equal content gives equal bytes. The indexes of the
/// publication before the newest stay reachable by hash, for clients that hold the older InRelease.
class AptRoute : public Route {
 public:
  AptRoute(std::shared_ptr<const MirrorView> view, const RouteEnvironment& environment);
  std::string_view prefix() const override { return "/debian/"; }
  std::string_view title() const override { return "Debian packages (apt)"; }
  std::vector<std::string> clients() const override { return {"apt"}; }
  std::string client_configuration(std::string_view base_url) const override;
  HttpResponse handle(const HttpRequest& request) const override;

 private:
  struct Page {
    std::shared_ptr<const std::string> body;
    std::string type;
    std::string etag;
  };
  void add_channel(const std::string& channel, const std::vector<const MirroredArtifact*>& debs,
                   const RouteEnvironment& environment);
  void add_page(const std::string& path, std::string body, std::string type);

  std::shared_ptr<const MirrorView> m_view;
  const BlobStore& m_blobs;
  std::vector<std::string> m_channels;
  std::map<std::string, Page, std::less<>> m_pages;                ///< by path below the prefix
  std::map<std::string, const ArtifactFile*, std::less<>> m_pool;  ///< by path below the prefix; of m_view
};

std::unique_ptr<const Route> make_apt_route(std::shared_ptr<const MirrorView> view,
                                            const RouteEnvironment& environment);

}  // namespace liftlock::apt
