#include "ecosystem/hub/route.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "ecosystem/hub/git_oid.hpp"
#include "ecosystem/hub/hub_path.hpp"
#include "ecosystem/hub/repository.hpp"

namespace liftlock::hub {
namespace {

constexpr std::string_view k_prefix = "/hf/";
constexpr std::size_t k_max_listed = 1000;
/// Folders have no git name here: their trees were never seen.
const std::string k_no_oid(40, '0');

HttpResponse document(const Json& json) {
  return text_response(200, "application/json", dump_json_line(json)).set("Cache-Control", "no-cache");
}

/// Clients go by X-Error-Code and show X-Error-Message.
HttpResponse refusal(std::string_view code, const std::string& message) {
  return text_response(404, "application/json", dump_json_line({{"error", message}}))
      .set("X-Error-Code", std::string(code))
      .set("X-Error-Message", message);
}

Json lfs_of(const File& file) {
  return {{"oid", file.file.digest.hex()},
          {"sha256", file.file.digest.hex()},
          {"size", file.file.size},
          {"pointerSize", lfs_pointer(file.file.digest, file.file.size).size()}};
}

std::string git_name_of(const File& file) {
  return file.is_lfs() ? git_blob_oid(lfs_pointer(file.file.digest, file.file.size)) : file.blob_name;
}

Json tree_entry(const std::string& path, const File& file) {
  Json out = {{"type", "file"}, {"path", path}, {"size", file.file.size}, {"oid", git_name_of(file)}};
  if (file.is_lfs()) out["lfs"] = lfs_of(file);
  return out;
}

Json folder_entry(std::string_view path) {
  return {{"type", "directory"}, {"path", path}, {"size", 0}, {"oid", k_no_oid}};
}

/// What stands in a folder, or everything below it; nullopt when there is no such folder.
std::optional<Json> list_tree(const Snapshot& snapshot, const std::string& folder, bool recursive) {
  const auto below = folder.empty() ? std::string() : folder + "/";
  Json out = Json::array();
  std::set<std::string, std::less<>> told;
  bool found = folder.empty();
  for (auto at = snapshot.files.lower_bound(below); at != snapshot.files.end() && at->first.starts_with(below); ++at) {
    found = true;
    const std::string_view path = at->first;
    auto slash = path.find('/', below.size());
    const bool direct = slash == std::string_view::npos;
    for (; slash != std::string_view::npos; slash = recursive ? path.find('/', slash + 1) : std::string_view::npos) {
      if (told.emplace(path.substr(0, slash)).second) out.push_back(folder_entry(path.substr(0, slash)));
    }
    if (recursive || direct) out.push_back(tree_entry(at->first, at->second));
  }
  if (!found) return std::nullopt;
  return out;
}

std::string content_type_of(std::string_view path) {
  if (path.ends_with(".json")) return "application/json";
  if (path.ends_with(".md") || path.ends_with(".txt") || path.ends_with(".jinja")) return "text/plain; charset=utf-8";
  return "application/octet-stream";
}

class HubRoute : public Route {
 public:
  HubRoute(const MirrorView& view, const RouteEnvironment& environment) : m_blobs(environment.blobs) {
    std::vector<const MirroredArtifact*> found;
    for (const auto& mirrored : view.artifacts) {
      if (mirrored.artifact.kind == "model" || mirrored.artifact.kind == "dataset") found.push_back(&mirrored);
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const auto* a, const auto* b) { return a->published_at < b->published_at; });
    for (const auto* one : found) {
      auto artifact = one->artifact;
      std::erase_if(artifact.files, [&](const auto& file) { return !m_blobs.contains(file.digest); });
      // The commit is that of the whole, also where something was withheld.
      const auto place = place_of(one->artifact);
      auto& repositories = artifact.kind == "model" ? m_models : m_datasets;
      repositories[place.repository].add(artifact, place, one->published_at);
    }
  }

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "Models and data sets, as a Hugging Face Hub serves them"; }
  std::vector<std::string> clients() const override {
    return {"huggingface_hub", "hf", "transformers", "datasets", "llama.cpp", "vllm"};
  }
  std::string client_configuration(std::string_view base_url) const override;
  HttpResponse handle(const HttpRequest& request) const override;

 private:
  using Repositories = std::map<std::string, Repository, std::less<>>;

  const Repositories& repositories(Holds holds) const { return holds == Holds::model ? m_models : m_datasets; }
  HttpResponse list(const HttpRequest& request, Holds holds) const;
  static Json summary(const std::string& name, const Repository::Found& found, Holds holds);
  static Json info(const std::string& name, const Repository::Found& found, Holds holds);
  static HttpResponse refs(const Repository& repository);
  static HttpResponse tree(const HttpRequest& request, const HubRequest& wanted, const Repository::Found& found);
  HttpResponse file(const HubRequest& wanted, const Repository::Found& found) const;

  const BlobStore& m_blobs;
  Repositories m_models;
  Repositories m_datasets;
};

std::string HubRoute::client_configuration(std::string_view base_url) const {
  const auto example = m_models.empty() ? std::string("ORG/NAME") : m_models.begin()->first;
  auto out = fmt::format(
      "# huggingface_hub, hf, transformers, vLLM and others that use them: in the environment\n"
      "HF_ENDPOINT={}/hf\n"
      "HF_HUB_DISABLE_XET=1\n"
      "HF_HUB_DISABLE_TELEMETRY=1\n",
      base_url);
  if (base_url.starts_with("https://"))
    out += "# SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt   # with the mirror's CA in it\n";
  out += fmt::format(
      "# HF_TOKEN=…   # a read token, where the mirror wants one\n"
      "# then: hf download {0}; data sets: hf download --repo-type dataset {1}, datasets.load_dataset(\"{1}\")\n"
      "# llama.cpp: llama-server -hf {0}\n",
      example, m_datasets.empty() ? std::string("ORG/NAME") : m_datasets.begin()->first);
  return out;
}

HttpResponse HubRoute::list(const HttpRequest& request, Holds holds) const {
  const auto search = to_lower(request.query_value("search").value_or(""));
  const auto author = request.query_value("author").value_or("");
  const auto limit = std::min<std::uint64_t>(
      parse_uint(request.query_value("limit").value_or("")).value_or(k_max_listed), k_max_listed);
  Json out = Json::array();
  for (const auto& [name, repository] : repositories(holds)) {
    if (out.size() >= limit) break;
    if (to_lower(name).find(search) == std::string::npos) continue;
    if (!author.empty() && !name.starts_with(author + "/")) continue;
    out.push_back(summary(name, *repository.find("main"), holds));
  }
  return document(out);
}

Json HubRoute::info(const std::string& name, const Repository::Found& found, Holds holds) {
  auto out = summary(name, found, holds);
  auto& siblings = out["siblings"] = Json::array();
  for (const auto& [path, file] : found.snapshot->files) {
    Json sibling = {{"rfilename", path}, {"size", file.file.size}, {"blobId", git_name_of(file)}};
    if (file.is_lfs()) sibling["lfs"] = lfs_of(file);
    siblings.push_back(std::move(sibling));
  }
  return out;
}

/// Without its files, whose git names cost a hash each.
Json HubRoute::summary(const std::string& name, const Repository::Found& found, Holds holds) {
  const auto& snapshot = *found.snapshot;
  const bool has_gguf = std::any_of(snapshot.files.begin(), snapshot.files.end(),
                                    [](const auto& each) { return each.first.ends_with(".gguf"); });
  Json tags = Json::array();
  if (has_gguf) tags.push_back("gguf");
  Json card = Json::object();
  if (!snapshot.license.empty()) {
    tags.push_back("license:" + snapshot.license);
    card["license"] = snapshot.license;
  }
  const auto slash = name.find('/');
  const auto published = format_time(snapshot.published_at);
  Json out = {{"_id", found.commit.substr(0, 24)},
              {"id", name},
              {"author", slash == std::string::npos ? Json() : Json(name.substr(0, slash))},
              {"sha", found.commit},
              {"createdAt", published},
              {"lastModified", published},
              {"private", false},
              {"gated", false},
              {"disabled", false},
              {"downloads", 0},
              {"likes", 0},
              {"tags", std::move(tags)},
              {"cardData", std::move(card)}};
  if (holds == Holds::model) out["modelId"] = name;
  return out;
}

HttpResponse HubRoute::refs(const Repository& repository) {
  const auto main = repository.find("main");
  Json tags = Json::array();
  for (const auto& [tag, commit] : repository.tags())
    tags.push_back({{"name", tag}, {"ref", "refs/tags/" + tag}, {"targetCommit", commit}});
  return document(
      {{"branches", Json::array({{{"name", "main"}, {"ref", "refs/heads/main"}, {"targetCommit", main->commit}}})},
       {"converts", Json::array()},
       {"tags", std::move(tags)}});
}

HttpResponse HubRoute::tree(const HttpRequest& request, const HubRequest& wanted, const Repository::Found& found) {
  const auto recursive = to_lower(request.query_value("recursive").value_or(""));
  auto entries = list_tree(*found.snapshot, wanted.path, recursive == "true" || recursive == "1");
  if (!entries) {
    return refusal("EntryNotFound", fmt::format("{} has no folder '{}'", wanted.repository, printable(wanted.path)));
  }
  return document(*entries).set("X-Repo-Commit", std::string(found.commit));
}

HttpResponse HubRoute::file(const HubRequest& wanted, const Repository::Found& found) const {
  const auto missing = [&] {
    return refusal("EntryNotFound",
                   fmt::format("{} has no file '{}' that came across", wanted.repository, printable(wanted.path)))
        .set("X-Repo-Commit", std::string(found.commit));
  };
  const auto at = found.snapshot->files.find(wanted.path);
  if (at == found.snapshot->files.end()) return missing();
  const auto& file = at->second;
  try {
    auto out = blob_response(m_blobs, file.file, content_type_of(wanted.path));
    out.replace("ETag", "\"" + file.blob_name + "\"");
    out.set("X-Repo-Commit", std::string(found.commit));
    if (file.is_lfs()) {
      out.set("X-Linked-ETag", "\"" + file.blob_name + "\"");
      out.set("X-Linked-Size", std::to_string(file.file.size));
    }
    return out;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    return missing();
  }
}

HttpResponse HubRoute::handle(const HttpRequest& request) const {
  auto path = request.raw_path;
  if (!path.starts_with(k_prefix)) fail(ErrorCode::not_found, "{} is not part of the hub", printable(request.path));
  path.remove_prefix(k_prefix.size());
  const auto readings = read_hub_path(path);
  if (readings.empty()) return refusal("RepoNotFound", "this mirror answers for models and data sets only");
  if (readings.front().asks == Asks::list) return list(request, readings.front().holds);
  for (const auto& wanted : readings) {
    const auto& known = repositories(wanted.holds);
    const auto repository = known.find(wanted.repository);
    if (repository == known.end()) continue;
    if (wanted.asks == Asks::refs) return refs(repository->second);
    const auto found = repository->second.find(wanted.revision);
    if (!found) {
      return refusal("RevisionNotFound", fmt::format("the revision '{}' of {} did not come across",
                                                     printable(wanted.revision), wanted.repository));
    }
    switch (wanted.asks) {
      case Asks::info:
        return document(info(repository->first, *found, wanted.holds)).set("X-Repo-Commit", std::string(found->commit));
      case Asks::tree:
        return tree(request, wanted, *found);
      case Asks::file:
        return file(wanted, *found);
      default:
        return refusal("EntryNotFound", "this mirror is read-only: list the tree instead");
    }
  }
  return refusal("RepoNotFound", fmt::format("the {} {} did not come across: add it to the stack on the low side",
                                             readings.front().holds == Holds::model ? "model" : "data set",
                                             readings.front().repository));
}

}  // namespace

std::unique_ptr<const Route> make_hub_route(std::shared_ptr<const MirrorView> view,
                                            const RouteEnvironment& environment) {
  return std::make_unique<HubRoute>(*view, environment);
}

}  // namespace liftlock::hub
