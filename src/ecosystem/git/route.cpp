#include "ecosystem/git/route.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
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

/// /git/NAME[.git]/REST
struct Asked {
  std::string_view name, rest;
};

std::optional<Asked> asked_in(std::string_view path) {
  if (!path.starts_with(k_prefix)) return std::nullopt;
  path.remove_prefix(k_prefix.size());
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  Asked out{path.substr(0, slash), path.substr(slash + 1)};
  if (out.name.ends_with(".git")) out.name.remove_suffix(4);
  return out;
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

class GitRoute : public Route {
 public:
  GitRoute(const MirrorView& view, const RouteEnvironment& environment) : m_blobs(environment.blobs) {
    std::set<Digest> bundles;
    // Of each channel the highest sequence, whenever it arrived; of the channels the one that was heard of last.
    std::map<std::pair<std::string, std::string>, const MirroredArtifact*> by_channel;
    for (const auto& mirrored : view.artifacts) {
      const auto& artifact = mirrored.artifact;
      if (artifact.kind != "git" || artifact.files.size() != 1 || !is_repository_name(artifact.name)) continue;
      bundles.insert(artifact.files[0].digest);
      auto& newest = by_channel[{artifact.name, mirrored.channel}];
      if (newest == nullptr || newest->sequence <= mirrored.sequence) newest = &mirrored;
    }
    std::map<std::string_view, const MirroredArtifact*> by_name;
    for (const auto& [key, mirrored] : by_channel) {
      auto& newest = by_name[key.first];
      if (newest == nullptr || newest->published_at <= mirrored->published_at) newest = mirrored;
    }
    for (const auto& [name, mirrored] : by_name) m_repositories.emplace(name, mirrored->artifact);
    if (environment.cache_folder.empty()) return;
    m_folders = std::make_shared<Repositories>(environment.cache_folder / "git", environment.blobs);
    m_folders->forget_all_but(bundles);
  }

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "Repositories (git): clone and fetch, read-only"; }
  std::vector<std::string> clients() const override { return {"git"}; }
  std::string client_configuration(std::string_view base_url) const override;

  std::uint64_t max_body(std::string_view method, std::string_view path) const override {
    const auto asked = asked_in(path);
    if (method != "POST" || !asked) return 0;
    if (asked->rest == k_push) return k_max_refused;
    return asked->rest == k_fetch ? k_max_body : 0;
  }

  HttpResponse handle(const HttpRequest& request) const override {
    if (request.path == k_prefix) return list();
    const auto asked = asked_in(request.path);
    if (!asked) return bundle(request.path.substr(k_prefix.size()));
    if (asked->rest == k_push || request.query_value("service") == k_push) return no_push();
    const auto found = m_repositories.find(asked->name);
    if (found == m_repositories.end()) return no_such(asked->name);
    if (asked->rest == "info/refs") {
      if (request.query_value("service") != k_fetch)
        return say(403, "This mirror speaks git's smart protocol only: use git 1.6.6 or later.\n");
      return answer(request, found->second, {.step = UploadPack::Step::advertise, .protocol = {}, .body = {}});
    }
    if (asked->rest == k_fetch) {
      if (request.method != "POST") return say(405, "POST is expected here.\n").set("Allow", "POST");
      if (request.header("Content-Type") != "application/x-git-upload-pack-request")
        return say(415, "application/x-git-upload-pack-request is expected here.\n");
      return answer(request, found->second,
                    {.step = UploadPack::Step::serve,
                     .protocol = {},
                     .body = body_in_memory(request.body, request.header("Content-Encoding"))});
    }
    return say(404, "There is nothing here: the mirror speaks git's smart protocol.\n");
  }

 private:
  HttpResponse answer(const HttpRequest& request, const Artifact& artifact, UploadPack what) const {
    if (!m_folders) fail(ErrorCode::internal, "there is no folder for repositories");
    HttpResponse out;
    if (request.method == "HEAD")
      return say(200, "").set("Content-Type", "application/x-git-upload-pack-advertisement");
    what.protocol = accepted_protocol(request.header("Git-Protocol"));
    // Refs are looked at often, objects are what leaves.
    if (what.step == UploadPack::Step::serve) out.audit_subject = artifact.files[0].digest.text();
    const RepositorySource source{artifact.files[0].digest, artifact.facts.value("head", "")};
    out.live = make_upload_pack(m_folders, source, std::move(what));
    return out;
  }

  HttpResponse bundle(std::string_view name) const {
    constexpr std::string_view k_end = ".bundle";
    const auto found =
        name.ends_with(k_end) ? m_repositories.find(name.substr(0, name.size() - k_end.size())) : m_repositories.end();
    if (found == m_repositories.end()) return no_such(name);
    return blob_response(m_blobs, found->second.files[0], "application/x-git-bundle");
  }

  HttpResponse list() const {
    auto out = Json::array();
    for (const auto& [name, artifact] : m_repositories) {
      out.push_back({{"name", name},
                     {"version", artifact.version},
                     {"head", artifact.facts.value("head", "")},
                     {"refs", artifact.facts.value("refs", Json::object())},
                     {"size", artifact.files[0].size},
                     {"sha256", artifact.files[0].digest.hex()}});
    }
    return text_response(200, "application/json", dump_json({{"repositories", std::move(out)}}))
        .set("Cache-Control", "no-cache");
  }

  const BlobStore& m_blobs;
  std::map<std::string, Artifact, std::less<>> m_repositories;
  std::shared_ptr<Repositories> m_folders;
};

std::string GitRoute::client_configuration(std::string_view base_url) const {
  std::string out =
      "# git: ~/.gitconfig; what asks the origin of a repository that the mirror has is led here\n"
      "[protocol]\n  version = 2\n";
  for (const auto& [name, artifact] : m_repositories) {
    std::string_view origin = artifact.files[0].origin;
    if (!origin.starts_with("https://") && !origin.starts_with("http://")) continue;
    if (origin.ends_with(".git")) origin.remove_suffix(4);
    if (origin.find_first_of("\"\\\n\r") != std::string_view::npos) continue;
    out += fmt::format("[url \"{}/git/{}\"]\n  insteadOf = {}\n", base_url, name, printable(origin));
  }
  return out;
}

}  // namespace

std::unique_ptr<const Route> make_git_route(std::shared_ptr<const MirrorView> view,
                                            const RouteEnvironment& environment) {
  return std::make_unique<GitRoute>(*view, environment);
}

}  // namespace liftlock::git
