#include "ecosystem/rpm/route.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/rpm/inspector.hpp"
#include "ecosystem/rpm/learnt_lists.hpp"
#include "ecosystem/rpm/repository_index.hpp"

namespace liftlock::rpm {
namespace {

constexpr std::string_view k_prefix = "/rpm/";
constexpr std::uint64_t k_max_listed = 1u << 30;  ///< bytes that the lists of a channel hold of packages
constexpr std::string_view k_mirror_key = "mirror-key.asc";

/// The inspector refuses others; what came in before it did is not served under a name that another key may have.
bool is_named_by_digest(const ArtifactFile& key) {
  return key.path.filename().ends_with("-" + key.digest.hex().substr(0, 16) + ".asc");
}

class RpmRoute : public Route {
 public:
  RpmRoute(const MirrorView& view, const RouteEnvironment& environment, std::uint64_t max_listed)
      : m_blobs(environment.blobs), m_max_listed(max_listed) {
    std::map<std::string, std::vector<const MirroredArtifact*>> channels;
    for (const auto& mirrored : view.artifacts) {
      if (mirrored.artifact.files.size() != 1) continue;
      if (mirrored.artifact.kind == k_kind) channels[mirrored.channel].push_back(&mirrored);
      if (mirrored.artifact.kind == k_key_kind) {
        const auto& file = mirrored.artifact.files[0];
        if (!is_named_by_digest(file)) continue;
        const auto name = fmt::format("keys/{}", file.path.filename());
        m_files.insert_or_assign(name, Served{file, "application/pgp-keys"});
        m_keys[mirrored.channel].insert(name);
      }
    }
    LearntLists learnt(environment);
    for (auto& [channel, packages] : channels) {
      std::stable_sort(packages.begin(), packages.end(),
                       [](const auto* a, const auto* b) { return a->sequence > b->sequence; });
      add_channel(channel, packages, learnt, environment);
      m_channels.push_back(channel);
    }
    learnt.tidy();
    if (!m_channels.empty()) {
      add_page(std::string(k_mirror_key), environment.rsa_public_key_armored(), "application/pgp-keys");
    }
    add_list();
  }

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "RPM packages (dnf, yum, zypper)"; }
  std::vector<std::string> clients() const override { return {"dnf", "yum", "zypper"}; }
  std::string client_configuration(std::string_view base_url) const override;
  HttpResponse handle(const HttpRequest& request) const override;

 private:
  struct Page {
    std::shared_ptr<const std::string> body;
    std::string type;
    std::string etag;
  };
  struct Served {
    ArtifactFile file;
    std::string type;
  };

  void add_page(const std::string& path, std::string body, std::string type) {
    auto etag = "\"" + sha256(body).hex() + "\"";
    m_pages[path] = {std::make_shared<const std::string>(std::move(body)), std::move(type), std::move(etag)};
  }
  void add_channel(const std::string& channel, const std::vector<const MirroredArtifact*>& packages,
                   LearntLists& learnt, const RouteEnvironment& environment);
  void add_list();

  const BlobStore& m_blobs;
  const std::uint64_t m_max_listed;
  std::vector<std::string> m_channels;
  std::map<std::string, std::set<std::string>> m_keys;  ///< of upstreams, paths below the prefix by channel
  std::map<std::string, Page, std::less<>> m_pages;     ///< by path below the prefix
  std::map<std::string, Served, std::less<>> m_files;   ///< by path below the prefix
  std::map<std::string, std::size_t> m_unlisted;        ///< how many packages of a channel
};

/// @param packages newest first: what does not fit into the lists any more is older than what is in them.
void RpmRoute::add_channel(const std::string& channel, const std::vector<const MirroredArtifact*>& packages,
                           LearntLists& learnt, const RouteEnvironment& environment) {
  const auto newest = packages.front()->sequence;
  std::map<std::pair<std::string, Digest>, IndexedPackage> indexed;
  std::map<std::string, const IndexedPackage*> now, before;  // by location
  std::uint64_t listed_bytes = 0;
  std::set<std::pair<std::string, Digest>> unlisted;
  Timestamp time{};
  for (const auto* mirrored : packages) {
    const auto& file = mirrored->artifact.files[0];
    const auto location = location_of(file);
    const std::pair key(location, file.digest);
    time = std::max(time, mirrored->published_at);
    if (unlisted.contains(key)) continue;
    auto place = indexed.find(key);
    if (place == indexed.end()) {
      auto made = learnt.of(mirrored->artifact);
      if (!made && !environment.inspect) continue;  // nothing is served here, and nobody was asked
      if (!made || made->size() > m_max_listed - listed_bytes) {
        unlisted.insert(key);
        continue;
      }
      listed_bytes += made->size();
      place = indexed.emplace(key, std::move(*made)).first;
    }
    now.try_emplace(location, &place->second);
    if (mirrored->sequence != newest) before.try_emplace(location, &place->second);
    m_files.try_emplace(fmt::format("{}/{}", channel, location), Served{file, "application/x-rpm"});
  }
  if (!unlisted.empty()) {
    m_unlisted[channel] = unlisted.size();
    if (environment.warn) {
      environment.warn(
          fmt::format("{} rpm packages of the channel {} are not served: they are missing, broken, or too "
                      "large for its lists",
                      unlisted.size(), channel));
    }
  }
  const auto listed = [](const std::map<std::string, const IndexedPackage*>& by_location) {
    std::vector<const IndexedPackage*> out;
    for (const auto& [location, package] : by_location) out.push_back(package);
    return out;
  };
  const auto root = fmt::format("{}/repodata/", channel);
  const auto add_lists = [&](const RepositoryIndex& index) {
    for (const auto& [name, bytes] : index.files) add_page(root + name, bytes, "application/gzip");
  };
  if (!before.empty()) add_lists(make_repository_index(listed(before), time));
  const auto index = make_repository_index(listed(now), time);
  add_lists(index);
  add_page(root + "repomd.xml", index.repomd, "application/xml");
  add_page(root + "repomd.xml.asc", environment.rsa_sign(index.repomd), "application/pgp-signature");
  add_page(root + "repomd.xml.key", environment.rsa_public_key_armored(), "application/pgp-keys");
}

/// What a section of a client's configuration needs, for programs that write one.
void RpmRoute::add_list() {
  auto repositories = Json::array();
  for (const auto& channel : m_channels) {
    auto keys = Json::array({k_mirror_key});
    if (const auto found = m_keys.find(channel); found != m_keys.end()) {
      for (const auto& path : found->second) keys.push_back(path);
    }
    repositories.push_back({{"name", channel}, {"keys", std::move(keys)}});
  }
  add_page("", dump_json({{"repositories", std::move(repositories)}}), "application/json");
}

std::string RpmRoute::client_configuration(std::string_view base_url) const {
  std::string out = "# dnf, yum: /etc/yum.repos.d/liftlock.repo; zypper: /etc/zypp/repos.d/liftlock.repo\n";
  if (base_url.starts_with("https://")) {
    out += "# where the system does not know the mirror's CA, in each section: sslcacert=FILE\n";
  }
  if (m_channels.empty()) return out + "# nothing is published yet\n";
  for (const auto& channel : m_channels) {
    out += fmt::format(
        "[liftlock-{0}]\nname=Liftlock: {0}\nbaseurl={1}/rpm/{0}\nenabled=1\n"
        "# the list of packages is signed by the mirror, each package by its upstream; without pkg_gpgcheck zypper\n"
        "# takes packages of a signed list as they are\n"
        "repo_gpgcheck=1\ngpgcheck=1\npkg_gpgcheck=1\ngpgkey={1}/rpm/{2}\n",
        channel, base_url, k_mirror_key);
    if (const auto keys = m_keys.find(channel); keys != m_keys.end()) {
      for (const auto& path : keys->second) out += fmt::format("       {}/rpm/{}\n", base_url, path);
    }
    if (const auto count = m_unlisted.find(channel); count != m_unlisted.end()) {
      out += fmt::format("# {} packages are not served: missing, broken, or too large for the lists\n", count->second);
    }
    out += "\n";
  }
  out.pop_back();
  return out;
}

HttpResponse RpmRoute::handle(const HttpRequest& request) const {
  auto below = request.path;
  below.remove_prefix(std::min(below.size(), k_prefix.size()));
  if (const auto page = m_pages.find(below); page != m_pages.end()) {
    HttpResponse response;
    response.body = page->second.body;
    response.set("Content-Type", page->second.type).set("ETag", page->second.etag);
    const bool fixed = below.ends_with(".xml.gz");
    response.set("Cache-Control", fixed ? "public, max-age=31536000, immutable" : "no-cache");
    return response;
  }
  if (const auto found = m_files.find(below); found != m_files.end()) {
    return blob_response(m_blobs, found->second.file, found->second.type);
  }
  throw Error(ErrorCode::not_found, fmt::format("the rpm repository has no '{}'", printable(below)),
              "repodata/repomd.xml says what there is; name other packages as [rpm.NAME] on the low side");
}

}  // namespace

std::unique_ptr<const Route> make_rpm_route(std::shared_ptr<const MirrorView> view,
                                            const RouteEnvironment& environment) {
  return make_rpm_route_within(k_max_listed, std::move(view), environment);
}

std::unique_ptr<const Route> make_rpm_route_within(std::uint64_t max_listed, std::shared_ptr<const MirrorView> view,
                                                   const RouteEnvironment& environment) {
  return std::make_unique<RpmRoute>(*view, environment, max_listed);
}

}  // namespace liftlock::rpm
