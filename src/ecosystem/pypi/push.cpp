#include "ecosystem/pypi/push.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/sdist.hpp"
#include "ecosystem/pypi/simple_reader.hpp"
#include "ecosystem/pypi/wheel.hpp"

namespace liftlock {
namespace {

using Found = HttpRepository::Found;

std::string index_of(const PushSettings& settings) {
  auto index = settings.text("index");
  if (index.empty()) return "simple";
  while (index.ends_with('/')) index.pop_back();
  while (index.starts_with('/')) index.erase(0, 1);
  const bool plain = std::all_of(index.begin(), index.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("+-_./").find(c) != std::string_view::npos;
  });
  if (!plain || index.empty()) {
    throw Error(ErrorCode::config_invalid, fmt::format("config.toml: 'index' of {} is no path", settings.table),
                "it is what stands between the address and the projects' names: simple, or +simple for devpi");
  }
  return index;
}

class PypiPush final : public PushTarget {
 public:
  PypiPush(const PushSettings& settings, const BlobStore& store)
      : m_repository(settings.access.value(), settings.table), m_store(store), m_index(index_of(settings)) {}

  std::unique_ptr<PushPlan> plan(const Artifact& artifact) override {
    auto out = std::make_unique<FilesPlan>(
        [this, artifact](const ArtifactFile& file, const PushProgress& progress) { upload(artifact, file, progress); });
    const auto project = normalize_project_name(artifact.name);
    out->place = m_index + "/" + project;
    const auto page = m_repository.below(fmt::format("/{}/{}/", m_index, encode_percent_path(project)));
    const auto answer = m_repository.ask({.method = "GET",
                                          .target = page,
                                          .headers = {{"Accept",
                                                       "application/vnd.pypi.simple.v1+json, "
                                                       "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"}},
                                          .body = {}});
    if (answer.status >= 300 && answer.status < 400) {
      throw Error(ErrorCode::http_status,
                  fmt::format("the repository sends the question for {} to '{}'", project,
                              printable(answer.header("Location").substr(0, 200))),
                  "no redirect is followed. A pypiserver does that for what it does not have: start it with "
                  "--disable-fallback");
    }
    if (answer.status != 200 && answer.status != 404)
      m_repository.refuse(answer, fmt::format("the question for {}", project));
    std::map<std::string, SimpleLink, std::less<>> links;
    if (answer.status == 200) links = read_simple_page(answer.body, answer.header("Content-Type"));
    for (const auto& file : artifact.files) {
      const auto found = links.find(file.path.filename());
      out->add(file, found == links.end() ? Found::nothing : compare(page, found->second, file),
               std::string(file.path.filename()));
    }
    return out;
  }

 private:
  /// By the digest that the index states; where it states none, by the bytes.
  Found compare(const std::string& page, const SimpleLink& link, const ArtifactFile& file) {
    if (link.sha256) return *link.sha256 == file.digest ? Found::same : Found::other;
    const auto target = m_repository.resolve(page, link.href);
    if (!target) {
      throw Error(ErrorCode::http_status,
                  fmt::format("the repository's index leads to '{}' for {}", printable(link.href.substr(0, 200)),
                              file.path.filename()),
                  "it states no SHA-256 of the file, and only the repository's own address is talked to");
    }
    const auto found = m_repository.compare(*target, file);
    if (found == Found::nothing)
      fail(ErrorCode::http_status, "the repository's index names {}, and it is not there", file.path.filename());
    return found;
  }

  void upload(const Artifact& artifact, const ArtifactFile& file, const PushProgress& progress) {
    const std::string filename(file.path.filename());
    const auto fd = m_store.open(file.digest);
    MultipartForm form(file.digest.hex());
    form.add(":action", "file_upload");
    form.add("protocol_version", "1");
    CoreMetadata metadata;
    if (const auto wheel = WheelFilename::parse(filename)) {
      metadata = Wheel(fd.get(), *wheel).metadata();
      form.add("filetype", "bdist_wheel");
      form.add("pyversion", fmt::format("{}", fmt::join(wheel->pythons, ".")));
    } else {
      const auto sdist = SdistFilename::parse(filename);
      if (!sdist) fail(ErrorCode::package_malformed, "'{}' is no file of {}", printable(filename), artifact.id());
      metadata = check_sdist(fd.get(), *sdist);
      form.add("filetype", "sdist");
      form.add("pyversion", "source");
    }
    form.add("metadata_version", metadata.metadata_version);
    form.add("name", metadata.name);
    form.add("version", metadata.version);
    form.add("sha256_digest", file.digest.hex());
    const auto add_unless_empty = [&](std::string_view name, const std::string& value) {
      if (!value.empty()) form.add(name, value);
    };
    add_unless_empty("summary", metadata.summary);
    add_unless_empty("license_expression", metadata.license_expression);
    add_unless_empty("license", metadata.license);
    add_unless_empty("requires_python", metadata.requires_python);
    for (const auto& one : metadata.classifiers) form.add("classifiers", one);
    for (const auto& one : metadata.requires_dist) form.add("requires_dist", one);
    for (const auto& one : metadata.provides_extra) form.add("provides_extra", one);
    StoredBody body(m_store, file, progress, form.before_file("content", filename), form.after_file());
    const auto answer = m_repository.upload({.method = "POST",
                                             .target = m_repository.below("/"),
                                             .headers = {{"Content-Type", form.content_type()}},
                                             .body = {}},
                                            body);
    if (answer.status == 409)
      fail(ErrorCode::immutable, "the repository has a {} already (409), and did not tell of it when it was asked",
           printable(filename));
    if (answer.status != 200 && answer.status != 201) m_repository.refuse(answer, "the upload of " + filename);
  }

  HttpRepository m_repository;
  const BlobStore& m_store;
  std::string m_index;
};

}  // namespace

std::unique_ptr<PushTarget> make_pypi_push(const PushSettings& settings, const BlobStore& store) {
  return std::make_unique<PypiPush>(settings, store);
}

}  // namespace liftlock
