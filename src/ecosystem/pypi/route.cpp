#include "ecosystem/pypi/route.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/loose_json.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/pypi/distribution.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/simple_page.hpp"
#include "ecosystem/pypi/version.hpp"
#include "ecosystem/pypi/wheel.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_prefix = "/simple/";
constexpr std::string_view k_metadata_suffix = ".metadata";

/// What PEP 658 serves beside a wheel.
struct Metadata {
  std::string bytes;
  Digest digest;  ///< of the bytes
  std::string requires_python;
};

struct MirroredFile {
  ArtifactFile file;
  std::string version;
  std::string requires_python;  ///< from the artifact's facts
};
using Files = std::map<std::string, MirroredFile, std::less<>>;  ///< by file name

class PypiRoute : public Route {
 public:
  PypiRoute(const MirrorView& view, const RouteEnvironment& environment) : m_blobs(environment.blobs) {
    std::vector<const MirroredArtifact*> published;
    for (const auto& mirrored : view.artifacts) {
      if (mirrored.artifact.kind == "wheel" || mirrored.artifact.kind == "sdist") published.push_back(&mirrored);
    }
    // The view is sorted by id first, and one wheel may have two.
    std::stable_sort(published.begin(), published.end(),
                     [](const auto* a, const auto* b) { return a->published_at < b->published_at; });
    for (const auto* mirrored : published) {
      const auto& artifact = mirrored->artifact;
      for (const auto& file : artifact.files) {
        add(normalize_project_name(artifact.name),
            MirroredFile{file, artifact.version, text_in(artifact.facts, "requires_python")});
      }
    }
  }

  std::string_view prefix() const override { return k_prefix; }
  std::string_view title() const override { return "Python packages (pip, uv): PEP 503 and 691"; }
  std::vector<std::string> clients() const override { return {"pip", "uv"}; }
  std::string client_configuration(std::string_view base_url) const override;
  HttpResponse handle(const HttpRequest& request) const override;

 private:
  /// Newest last: of two contents under one file name the newer publication's is served. So it is of two names that are
  /// one wheel, or one source distribution, to an installer: of both, it would take whichever it likes. Two names of
  /// the same content are both served.
  void add(const std::string& project, MirroredFile mirrored) {
    const std::string filename(mirrored.file.path.filename());
    auto& files = m_projects[project];
    if (const auto distribution = Distribution::of_filename(filename)) {
      auto& names = m_names[*distribution];
      for (const auto& name : names) {
        const auto older = files.find(name);
        if (older != files.end() && older->second.file.digest != mirrored.file.digest) files.erase(older);
      }
      names.insert(filename);
    }
    files.insert_or_assign(filename, std::move(mirrored));
  }

  HttpResponse page(const HttpRequest& request, const std::function<std::string(SimpleForm)>& make) const;
  HttpResponse project(const HttpRequest& request, std::string_view name, const Files& files) const;
  HttpResponse file(const Files& files, std::string_view filename) const;
  std::shared_ptr<const Metadata> metadata(std::string_view filename, const MirroredFile& file) const;

  const BlobStore& m_blobs;
  std::map<std::string, Files, std::less<>> m_projects;
  std::map<Distribution, std::set<std::string>> m_names;  ///< of files, as they are spelled
  mutable std::mutex m_mutex;
  mutable std::map<Digest, std::shared_ptr<const Metadata>> m_metadata;  ///< by the wheel's digest; null: has none
};

std::string PypiRoute::client_configuration(std::string_view base_url) const {
  std::string out =
      fmt::format("# pip: /etc/pip.conf or ~/.config/pip/pip.conf\n[global]\nindex-url = {}{}\n", base_url, k_prefix);
  if (base_url.starts_with("http://")) {
    const auto host = base_url.substr(7);
    out += fmt::format("trusted-host = {}\n", host.substr(0, host.find('/')));
  } else {
    out += "# cert = /etc/ssl/certs/ca-certificates.crt   # with the mirror's CA in it\n";
  }
  out += fmt::format("# uv: UV_DEFAULT_INDEX={}{}\n", base_url, k_prefix);
  return out;
}

std::shared_ptr<const Metadata> PypiRoute::metadata(std::string_view filename, const MirroredFile& file) const {
  {
    const std::lock_guard lock(m_mutex);
    if (const auto found = m_metadata.find(file.file.digest); found != m_metadata.end()) return found->second;
  }
  std::shared_ptr<const Metadata> out;
  if (const auto name = WheelFilename::parse(filename)) {
    try {
      const auto fd = m_blobs.open(file.file.digest);
      const Wheel wheel(fd.get(), *name);
      auto bytes = wheel.metadata_bytes();
      const auto digest = sha256(bytes);
      out = std::make_shared<const Metadata>(Metadata{std::move(bytes), digest, wheel.metadata().requires_python});
    } catch (const Error&) {
      out.reset();  // the wheel is served without it, and clients read it themselves
    }
  }
  const std::lock_guard lock(m_mutex);
  return m_metadata.emplace(file.file.digest, out).first->second;
}

HttpResponse PypiRoute::page(const HttpRequest& request, const std::function<std::string(SimpleForm)>& make) const {
  const auto form = negotiate_simple_form(request.header ? request.header("accept") : std::string_view{});
  auto body = make(form);
  HttpResponse response;
  response.set("Content-Type", std::string(content_type(form)));
  response.set("Vary", "Accept");
  response.set("Cache-Control", "no-cache");
  response.set("ETag", "\"" + sha256(body).hex() + "\"");
  response.body = std::move(body);
  return response;
}

HttpResponse PypiRoute::project(const HttpRequest& request, std::string_view name, const Files& files) const {
  return page(request, [&](SimpleForm form) {
    std::vector<SimpleFile> list;
    for (const auto& [filename, mirrored] : files) {
      SimpleFile item{.filename = filename,
                      .version = mirrored.version,
                      .size = mirrored.file.size,
                      .digest = mirrored.file.digest,
                      .requires_python = mirrored.requires_python,
                      .metadata_digest = {}};
      if (const auto data = metadata(filename, mirrored)) {
        item.requires_python = data->requires_python;
        item.metadata_digest = data->digest;
      }
      list.push_back(std::move(item));
    }
    return simple_project_page(name, list, form);
  });
}

HttpResponse PypiRoute::file(const Files& files, std::string_view filename) const {
  if (const auto found = files.find(filename); found != files.end()) {
    return blob_response(m_blobs, found->second.file, "application/octet-stream");
  }
  if (filename.ends_with(k_metadata_suffix)) {
    filename.remove_suffix(k_metadata_suffix.size());
    const auto found = files.find(filename);
    if (const auto data = found == files.end() ? nullptr : metadata(filename, found->second)) {
      HttpResponse response;
      response.set("Content-Type", "application/octet-stream");
      response.set("ETag", "\"" + data->digest.hex() + "\"");
      response.body = std::shared_ptr<const std::string>(data, &data->bytes);
      return response;
    }
  }
  fail(ErrorCode::not_found, "the mirror has no file '{}'", printable(filename));
}

HttpResponse PypiRoute::handle(const HttpRequest& request) const {
  auto path = request.path;
  if (!path.starts_with(k_prefix)) fail(ErrorCode::not_found, "{} is not part of the package index", printable(path));
  path.remove_prefix(k_prefix.size());
  if (path.empty()) {
    return page(request, [this](SimpleForm form) {
      std::vector<std::string> names;
      for (const auto& [name, files] : m_projects) names.push_back(name);
      return simple_index_page(names, form);
    });
  }
  const auto slash = path.find('/');
  const auto name = path.substr(0, slash);
  const auto rest = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  const auto normal = normalize_project_name(name);
  if (!is_project_name(name) || rest.find('/') != std::string_view::npos) {
    fail(ErrorCode::not_found, "'{}' is no project of the package index", printable(path));
  }
  const auto found = m_projects.find(normal);
  if (found == m_projects.end()) {
    throw Error(ErrorCode::not_found, fmt::format("the mirror has no project '{}'", normal),
                "add it to the stack on the low side and bring a new bundle across");
  }
  if (normal != name || slash == std::string_view::npos) {
    auto response = text_response(301, "text/plain; charset=utf-8", "moved\n");
    response.set("Location", fmt::format("{}{}/{}", k_prefix, normal, encode_percent_path(rest)));
    return response;
  }
  return rest.empty() ? project(request, normal, found->second) : file(found->second, rest);
}

}  // namespace

std::unique_ptr<const Route> make_pypi_route(std::shared_ptr<const MirrorView> view,
                                             const RouteEnvironment& environment) {
  return std::make_unique<PypiRoute>(*view, environment);
}

}  // namespace liftlock
