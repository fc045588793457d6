#include "ecosystem/git/route.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/shown_path.hpp"
#include "base/text.hpp"
#include "ecosystem/git/lfs_batch.hpp"
#include "ecosystem/git/lfs_route.hpp"
#include "ecosystem/git/names.hpp"
#include "ecosystem/git/object.hpp"
#include "ecosystem/git/repository.hpp"
#include "ecosystem/git/request_body.hpp"
#include "ecosystem/git/upload_pack.hpp"

namespace liftlock::git {
namespace {

constexpr std::string_view k_prefix = "/git/";
constexpr std::string_view k_fetch = "git-upload-pack", k_push = "git-receive-pack";
/// Enough to say no to, of a push that does not ask first.
constexpr std::uint64_t k_max_refused = 64u << 10;

constexpr std::string_view k_git = ".git";
/// Behind a name: git leads every address that begins with an origin here, and what is longer than it becomes the name
/// of something that cannot be: no name has this.
constexpr std::string_view k_exactly = "~";

/// Before the address that a repository has elsewhere: no name is this.
constexpr std::string_view k_by_origin = "-/";

/// /git/NAME[~][.git]/REST, or /git/-/ADDRESS/REST
struct Asked {
  std::string_view name, rest;
  std::string origin = {};  ///< of the second form: place_of(ADDRESS)
};

/// Where an address leads, however it is written: HOST/PATH of "https://HOST/PATH.git", "ssh://git@HOST/PATH/" and
/// "git@HOST:PATH".
std::string place_of(std::string_view address) {
  if (const auto scheme = address.find("://"); scheme < address.find('/')) address.remove_prefix(scheme + 3);
  auto host = address.substr(0, address.find('/'));
  auto path = address.substr(host.size());
  if (const auto user = host.rfind('@'); user != std::string_view::npos) host.remove_prefix(user + 1);
  // "HOST:PATH": what follows the colon is no port.
  std::string before;
  if (const auto colon = host.find(':'); colon != std::string_view::npos && !parse_uint(host.substr(colon + 1))) {
    before = fmt::format("/{}", host.substr(colon + 1));
    host = host.substr(0, colon);
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  auto out = to_lower(host) + before + std::string(path);
  if (out.ends_with(k_git)) out.resize(out.size() - k_git.size());
  return out;
}

std::optional<Asked> asked_by_origin(std::string_view path) {
  for (const std::string_view rest : {std::string_view("info/refs"), k_fetch, k_push, k_lfs_batch}) {
    if (!path.ends_with(rest) || !path.substr(0, path.size() - rest.size()).ends_with('/')) continue;
    const auto address = path.substr(0, path.size() - rest.size() - 1);
    return Asked{address, path.substr(path.size() - rest.size()), place_of(address)};
  }
  return std::nullopt;
}

std::optional<Asked> asked_in(std::string_view path) {
  if (!path.starts_with(k_prefix)) return std::nullopt;
  path.remove_prefix(k_prefix.size());
  if (path.starts_with(k_by_origin)) return asked_by_origin(path.substr(k_by_origin.size()));
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  Asked out{path.substr(0, slash), path.substr(slash + 1)};
  if (out.name.ends_with(k_git)) out.name.remove_suffix(k_git.size());
  if (out.name.ends_with(k_exactly)) out.name.remove_suffix(k_exactly.size());
  return out;
}

/// Can git's configuration lead what is asked there elsewhere, and nothing else with it? An address of a host and a
/// path, of characters that mean nothing in git's configuration and that no address is normalised by.
bool can_be_led(std::string_view origin) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!origin.starts_with(scheme)) continue;
    const auto rest = origin.substr(scheme.size());
    const auto slash = rest.find('/');
    if (slash == 0 || slash == std::string_view::npos || rest.substr(slash).find_first_not_of('/') == rest.npos)
      return false;
    return std::all_of(rest.begin(), rest.end(), [](char c) {
      return c > ' ' && c < 0x7f && std::string_view("#;\"'`\\?").find(c) == std::string_view::npos;
    });
  }
  return false;
}

/// git shows a text of the server's to its user, if it is plain.
HttpResponse say(int status, std::string text) {
  return text_response(status, "text/plain; charset=utf-8", std::move(text)).set("Cache-Control", "no-cache");
}
HttpResponse no_push() {
  return say(403,
             "This mirror is read-only: what it serves came across in a signed bundle. Nothing can be pushed to it.\n");
}
HttpResponse no_such(std::string_view name) {
  return say(404, fmt::format(
                      "The mirror has no repository '{}'. Add it to the stack on the low side ([git.NAME]) and bring a "
                      "new bundle across.\n",
                      printable(name.substr(0, 200))));
}

/// Without credentials: the address may have some.
std::string name_to_show(const Asked& asked) {
  const auto led = fmt::format("{}{}", k_prefix, k_by_origin);
  return shown_path(led + std::string(asked.name)).substr(led.size());
}

class GitRoute : public Route {
 public:
  GitRoute(const MirrorView& view, const RouteEnvironment& environment)
      : m_blobs(environment.blobs), m_scheme(environment.scheme) {
    std::set<Digest> bundles;
    // Of each channel the highest sequence, whenever it arrived; of the channels the one that was heard of last.
    std::map<std::pair<std::string, std::string>, const MirroredArtifact*> by_channel;
    for (const auto& mirrored : view.artifacts) {
      const auto& artifact = mirrored.artifact;
      if (artifact.kind != "git" || artifact.files.empty() || !is_repository_name(artifact.name)) continue;
      bundles.insert(artifact.files[0].digest);
      auto& newest = by_channel[{artifact.name, mirrored.channel}];
      if (newest == nullptr || newest->sequence <= mirrored.sequence) newest = &mirrored;
    }
    std::map<std::string_view, const MirroredArtifact*> by_name;
    for (const auto& [key, mirrored] : by_channel) {
      auto& newest = by_name[key.first];
      if (newest == nullptr || newest->published_at <= mirrored->published_at) newest = mirrored;
    }
    std::vector<const MirroredArtifact*> named;
    for (const auto& [name, mirrored] : by_name) {
      m_repositories.emplace(name, mirrored->artifact);
      named.push_back(mirrored);
    }
    std::stable_sort(named.begin(), named.end(),
                     [](const auto* a, const auto* b) { return a->published_at > b->published_at; });
    for (const auto* one : named) {
      const std::string_view origin = one->artifact.files[0].origin;
      if (can_be_led(origin)) m_by_origin.emplace(place_of(origin), &m_repositories.find(one->artifact.name)->second);
    }
    if (environment.cache_folder.empty()) return;
    m_folders = std::make_shared<Repositories>(environment.cache_folder / "git", environment.blobs, bundles);
  }

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "Repositories (git): clone and fetch, read-only"; }
  std::vector<std::string> clients() const override { return {"git"}; }
  std::string client_configuration(std::string_view base_url) const override;

  std::uint64_t max_body(std::string_view method, std::string_view path) const override {
    const auto asked = asked_in(path);
    if (method != "POST" || !asked) return 0;
    if (asked->rest == k_lfs_batch) return k_max_lfs_question;
    if (asked->rest == k_push || asked->rest.starts_with(k_lfs)) return k_max_refused;
    return asked->rest == k_fetch ? k_max_body : 0;
  }

  HttpResponse handle(const HttpRequest& request) const override {
    if (request.path == k_prefix) return list();
    const auto asked = asked_in(request.path);
    if (!asked) return bundle(request.path.substr(k_prefix.size()));
    if (asked->rest == k_push || request.query_value("service") == k_push) return no_push();
    const auto* artifact = find(*asked);
    if (asked->rest.starts_with(k_lfs)) return lfs(request, *asked, artifact);
    if (artifact == nullptr) return no_such(name_to_show(*asked));
    if (asked->rest == "info/refs") {
      if (request.query_value("service") != k_fetch)
        return say(403, "This mirror speaks git's smart protocol only: use git 1.6.6 or later.\n");
      return refs(request, *artifact);
    }
    if (asked->rest == k_fetch) {
      if (request.method != "POST") return say(405, "POST is expected here.\n").set("Allow", "POST");
      if (request.header("Content-Type") != "application/x-git-upload-pack-request")
        return say(415, "application/x-git-upload-pack-request is expected here.\n");
      return objects(request, *artifact);
    }
    return say(404, "There is nothing here: the mirror speaks git's smart protocol.\n");
  }

 private:
  const Artifact* find(const Asked& asked) const {
    if (!asked.origin.empty()) {
      const auto found = m_by_origin.find(asked.origin);
      return found == m_by_origin.end() ? nullptr : found->second;
    }
    const auto found = m_repositories.find(asked.name);
    return found == m_repositories.end() ? nullptr : &found->second;
  }

  /// Needs no repository to be made: the files lie in the store, each checked by its digest as it came in.
  HttpResponse lfs(const HttpRequest& request, const Asked& asked, const Artifact* artifact) const {
    if (artifact == nullptr)
      return lfs_refusal(request, 404, fmt::format("The mirror has no repository '{}'.", name_to_show(asked)));
    if (asked.rest == k_lfs_batch) {
      if (request.method != "POST") return lfs_refusal(request, 405, "POST is expected here.").set("Allow", "POST");
      return answer_lfs_batch(
          request, *artifact,
          fmt::format("{}{}{}/{}", address_of_server(request, m_scheme), k_prefix, artifact->name, k_lfs_objects));
    }
    const auto oid =
        asked.rest.starts_with(k_lfs_objects) ? asked.rest.substr(k_lfs_objects.size()) : std::string_view();
    const auto* file = find_lfs_file(*artifact, oid);
    if (file == nullptr || request.method == "POST")
      return lfs_refusal(request, 404, "There is nothing here: the mirror hands out files of Git LFS, and no more.");
    return blob_response(m_blobs, *file, "application/octet-stream");
  }

  static RepositorySource source_of(const Artifact& artifact) {
    return {artifact.files[0].digest, artifact.facts.value("head", "")};
  }

  /// At once where the repository is made, so that no seat is waited for, and no thread.
  HttpResponse when_made(const Artifact& artifact, std::function<HttpResponse(int)> make) const {
    if (!m_folders) fail(ErrorCode::internal, "there is no folder for repositories");
    if (const auto repository = m_folders->find(artifact.files[0].digest)) return make(repository->get());
    HttpResponse out;
    out.live = make_when_made(m_folders, source_of(artifact), std::move(make));
    return out;
  }

  HttpResponse refs(const HttpRequest& request, const Artifact& artifact) const {
    const auto protocol = accepted_protocol(request.header("Git-Protocol"));
    const int number = protocol.empty() ? 0 : protocol.back() - '0';
    return when_made(artifact, [number](int repository) { return advertisement(repository, number); });
  }

  HttpResponse objects(const HttpRequest& request, const Artifact& artifact) const {
    if (!m_folders) fail(ErrorCode::internal, "there is no folder for repositories");
    HttpResponse out;
    UploadPack what{.protocol = accepted_protocol(request.header("Git-Protocol")),
                    .body = std::string(request.body),
                    .encoding = std::string(request.header("Content-Encoding")),
                    .peer = std::string(request.peer)};
    try {
      out.live = make_upload_pack(m_folders, source_of(artifact), std::move(what));
    } catch (const Error& error) {
      return plain_refusal(error);
    }
    // Refs are looked at often, objects are what leaves.
    out.audit_subject = artifact.files[0].digest.text();
    return out;
  }

  /// Only what git found nothing wrong with: a clone of it is a clone.
  HttpResponse bundle(std::string_view name) const {
    constexpr std::string_view k_end = ".bundle";
    const auto found =
        name.ends_with(k_end) ? m_repositories.find(name.substr(0, name.size() - k_end.size())) : m_repositories.end();
    if (found == m_repositories.end()) return no_such(name);
    const auto& file = found->second.files[0];
    auto out = when_made(found->second, [&blobs = m_blobs, file](int) {
      return blob_response(blobs, file, "application/x-git-bundle");
    });
    out.audit_subject = file.digest.text();
    return out;
  }

  HttpResponse list() const {
    auto out = Json::array();
    for (const auto& [name, artifact] : m_repositories) {
      out.push_back({{"name", name},
                     {"version", artifact.version},
                     {"head", artifact.facts.value("head", "")},
                     {"refs", artifact.facts.value("refs", Json::object())},
                     {"lfs_files", artifact.files.size() - 1},
                     {"size", artifact.files[0].size},
                     {"sha256", artifact.files[0].digest.hex()}});
    }
    return text_response(200, "application/json", dump_json({{"repositories", std::move(out)}}))
        .set("Cache-Control", "no-cache");
  }

  const BlobStore& m_blobs;
  std::string m_scheme;
  std::map<std::string, Artifact, std::less<>> m_repositories;
  /// By place_of() of where it came from; of several that came from one place the one that was published last.
  std::map<std::string, const Artifact*, std::less<>> m_by_origin;
  std::shared_ptr<Repositories> m_folders;
};

std::string GitRoute::client_configuration(std::string_view base_url) const {
  std::string out =
      "# git: ~/.gitconfig; what asks the origin of a repository that the mirror has is led here\n"
      "[protocol]\n  version = 2\n";
  if (m_repositories.empty()) out += "# the mirror has no repository yet\n";
  std::set<std::string_view> led;
  for (const auto& [name, artifact] : m_repositories) {
    std::string_view origin = artifact.files[0].origin;
    while (origin.ends_with('/')) origin.remove_suffix(1);
    if (origin.ends_with(k_git)) origin.remove_suffix(k_git.size());
    if (!can_be_led(origin)) {
      // A path of the machine that packed it: nobody asks for that here, but for the address that it is known by.
      out += fmt::format(
          "# {0}: what crossed came from '{1}', which no client here asks for; clone {2}/git/{0}, or lead here the "
          "address\n# that your builds use for it:\n# [url \"{2}/git/{0}{3}\"]\n#   insteadOf = "
          "https://git.example/team/{0}\n",
          name, printable(origin), base_url, k_exactly);
      continue;
    }
    // Of several that came from one place git would take the first that is written here.
    if (!led.insert(origin).second) continue;
    const auto& newest = m_by_origin.find(place_of(origin))->second->name;
    out += fmt::format("[url \"{}/git/{}{}\"]\n  insteadOf = {}\n", base_url, newest, k_exactly, origin);
  }
  return out;
}

}  // namespace

std::unique_ptr<const Route> make_git_route(std::shared_ptr<const MirrorView> view,
                                            const RouteEnvironment& environment) {
  return std::make_unique<GitRoute>(*view, environment);
}

}  // namespace liftlock::git
