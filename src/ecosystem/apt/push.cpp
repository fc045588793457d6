#include "ecosystem/apt/push.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "ecosystem/apt/deb822.hpp"
#include "ecosystem/apt/deb_reader.hpp"
#include "os/file.hpp"

namespace liftlock::apt {
namespace {

using Found = HttpRepository::Found;

constexpr std::size_t k_max_pool = 2'000'000;

/// What its control file says; an artifact of an import may state less.
struct Deb {
  std::string package, version, architecture;
  ArtifactFile file;

  /// "hello_2.10-3_amd64.deb", as pools call it: without the epoch.
  std::string filename() const {
    const auto colon = version.find(':');
    return fmt::format("{}_{}_{}.deb", package, colon == std::string::npos ? version : version.substr(colon + 1),
                       architecture);
  }
};

Deb read_deb(const BlobStore& store, const Artifact& artifact) {
  if (artifact.files.size() != 1) fail(ErrorCode::package_malformed, "'{}' is not one file", printable(artifact.id()));
  const auto fd = store.open(artifact.files[0].digest);
  const auto control = read_deb_control(fd.get(), read_deb_layout(fd.get()));
  ParagraphReader reader(control.text, "the control file", Comments::skip);
  Paragraph fields;
  if (!reader.next(fields)) fail(ErrorCode::package_malformed, "the control file is empty");
  Deb out{std::string(fields.field_or("Package", "")), std::string(fields.field_or("Version", "")),
          std::string(fields.field_or("Architecture", "")), artifact.files[0]};
  for (const auto* text : {&out.package, &out.version, &out.architecture}) {
    const bool plain = std::all_of(text->begin(), text->end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             std::string_view("+-.:~").find(c) != std::string_view::npos;
    });
    if (text->empty() || !plain) fail(ErrorCode::package_malformed, "the control file of {} is odd", artifact.id());
  }
  return out;
}

// --- aptly

bool is_aptly_name(std::string_view text) {
  return !text.empty() && text.size() <= 200 && text[0] != '.' && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.").find(c) != std::string_view::npos;
  });
}

/// The publication in the form of aptly's API: ":." for no prefix, '_' for '/', "__" for '_'.
std::string publication_path(const PushSettings& settings) {
  const auto text = settings.text("publish");
  if (text.empty()) return {};
  const auto slash = text.rfind('/');
  const auto distribution = slash == std::string::npos ? text : text.substr(slash + 1);
  const auto prefix = slash == std::string::npos ? std::string() : text.substr(0, slash);
  const auto parts = split(prefix, '/');
  if (!is_aptly_name(distribution) ||
      (!prefix.empty() && !std::all_of(parts.begin(), parts.end(), [](auto part) { return is_aptly_name(part); }))) {
    throw Error(ErrorCode::config_invalid, fmt::format("config.toml: 'publish' of {} is malformed", settings.table),
                "DISTRIBUTION or PREFIX/DISTRIBUTION, as `aptly publish list` names it: \"bookworm\"");
  }
  std::string escaped;
  for (const char c : prefix) {
    if (c == '_')
      escaped += "__";
    else
      escaped += c == '/' ? '_' : c;
  }
  return fmt::format("/api/publish/{}/{}", prefix.empty() ? ":." : escaped, distribution);
}

class AptlyPush final : public PushTarget {
 public:
  AptlyPush(const PushSettings& settings, const BlobStore& store)
      : m_http(settings.access.value(), settings.table),
        m_store(store),
        m_repository(settings.text("repository")),
        m_publish(settings.text("publish")),
        m_publication(publication_path(settings)) {
    if (!is_aptly_name(m_repository)) {
      throw Error(ErrorCode::config_invalid,
                  fmt::format("config.toml: 'repository' of {} is malformed", settings.table),
                  "the name of a local repository, as `aptly repo list` shows it");
    }
    m_uploads = "/api/files/liftlock-" + m_repository;
  }

  std::unique_ptr<PushPlan> plan(const Artifact& artifact) override {
    const auto deb = read_deb(m_store, artifact);
    auto out = std::make_unique<FilesPlan>(
        [this, deb](const ArtifactFile& file, const PushProgress& progress) { add(deb, file, progress); });
    out->place = fmt::format("{} {} {}", deb.package, deb.version, deb.architecture);
    out->add(deb.file, look(deb), out->place);
    return out;
  }

  /// What a run uploaded stays on the server until it is published, so that one which was cut off is seen by the next.
  std::optional<Json> to_finish() override {
    const auto uploads = m_http.ask("GET", m_http.below(m_uploads));
    if (uploads.status == 404) return std::nullopt;
    if (uploads.status != 200) m_http.refuse(uploads, "the question for what was uploaded");
    return Json{{"place", m_repository}, {"publish", m_publish}};
  }

  void finish() override {
    if (!m_publication.empty()) {
      const auto answer = m_http.ask({.method = "PUT",
                                      .target = m_http.below(m_publication),
                                      .headers = {{"Content-Type", "application/json"}},
                                      .body = R"({"Signing":{"Batch":true}})"});
      if (answer.status != 200) m_http.refuse(answer, "the update of the publication");
    }
    const auto answer = m_http.ask("DELETE", m_http.below(m_uploads));
    if (answer.status != 200) m_http.refuse(answer, "the removal of what was uploaded");
  }

 private:
  Found look(const Deb& deb) {
    const auto query =
        fmt::format("Name (= {}), $Version (= {}), $Architecture (= {})", deb.package, deb.version, deb.architecture);
    const auto answer = m_http.ask("GET", m_http.below(fmt::format("/api/repos/{}/packages?format=details&q={}",
                                                                   m_repository, encode_percent_path(query))));
    if (answer.status == 404) fail(ErrorCode::not_found, "aptly has no local repository '{}'", printable(m_repository));
    if (answer.status != 200) m_http.refuse(answer, "the question for " + deb.filename());
    auto found = Found::nothing;
    const auto json = parse_json(answer.body, {.max_bytes = HttpRepository::k_max_answer, .max_depth = 16});
    if (!json.is_array()) fail(ErrorCode::schema_violation, "aptly's answer is no list of packages");
    for (const auto& one : json) {
      if (string_member(one, "SHA256", "aptly's answer") == deb.file.digest.hex()) return Found::same;
      found = Found::other;
    }
    return found;
  }

  void add(const Deb& deb, const ArtifactFile& file, const PushProgress& progress) {
    const auto filename = deb.filename();
    const MultipartForm form(file.digest.hex());
    StoredBody body(m_store, file, progress, form.before_file("file", filename), form.after_file());
    const auto uploaded = m_http.upload({.method = "POST",
                                         .target = m_http.below(m_uploads),
                                         .headers = {{"Content-Type", form.content_type()}},
                                         .body = {}},
                                        body);
    if (uploaded.status != 200) m_http.refuse(uploaded, "the upload of " + filename);
    const auto target =
        m_http.below(fmt::format("/api/repos/{}/file/{}/{}?noRemove=1", m_repository,
                                 m_uploads.substr(m_uploads.rfind('/') + 1), encode_percent_path(filename)));
    const auto added = m_http.ask("POST", target);
    if (added.status != 200) m_http.refuse(added, "the addition of " + filename);
    const auto json = parse_json(added.body);
    const auto failed = json.find("FailedFiles");
    if (failed != json.end() && failed->is_array() && !failed->empty()) {
      const auto report = json.value("Report", Json::object());
      throw Error(ErrorCode::immutable,
                  fmt::format("aptly does not take {}: {}", filename, printable(dump_json_line(report).substr(0, 300))),
                  "it has another package of that name, version and architecture: look at it there");
    }
  }

  HttpRepository m_http;
  const BlobStore& m_store;
  std::string m_repository, m_publish, m_publication, m_uploads;
};

// --- reprepro

/// false: something is there already, and stays.
bool rename_unless_there(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno == EEXIST) return false;
  const auto shown = printable(to.string());
  if (errno != EINVAL && errno != ENOSYS) fail_errno(fmt::format("rename to {}", shown));
  // A file system that does not know this, such as NFS.
  if (::link(from.c_str(), to.c_str()) != 0) {
    if (errno == EEXIST) return false;
    fail_errno(fmt::format("link {}", shown));
  }
  fs::remove(from);
  return true;
}

class RepreproPush final : public PushTarget {
 public:
  RepreproPush(const PushSettings& settings, const BlobStore& store) : m_store(store), m_folder(settings.folder) {
    if (!fs::is_directory(m_folder)) {
      throw Error(ErrorCode::not_found,
                  fmt::format("the folder '{}' of {} does not exist", printable(m_folder.string()), settings.table),
                  "make it, for this user to write and for reprepro to read");
    }
    const auto pool = settings.text("pool");
    if (pool.empty()) return;
    if (!fs::path(pool).is_absolute())
      fail(ErrorCode::config_invalid, "config.toml: 'pool' of {} is no absolute path", settings.table);
    if (!fs::is_directory(pool)) return;  // reprepro makes it with the first package
    for (const auto& entry : walk(pool, k_max_pool)) {
      const auto slash = entry.path.rfind('/');
      m_pool.emplace(entry.path.substr(slash == std::string::npos ? 0 : slash + 1), fs::path(pool) / entry.path);
    }
  }

  std::unique_ptr<PushPlan> plan(const Artifact& artifact) override {
    const auto deb = read_deb(m_store, artifact);
    const auto filename = deb.filename();
    auto out = std::make_unique<FilesPlan>(
        [this, filename](const ArtifactFile& file, const PushProgress& progress) { drop(filename, file, progress); });
    out->place = filename;
    auto found = compare(m_folder / filename, deb.file);
    if (const auto taken = m_pool.find(filename); found == Found::nothing && taken != m_pool.end())
      found = compare(taken->second, deb.file);
    // Two artifacts of this run may want one name, for it lacks the epoch, and only one of them can have it.
    if (m_planned.emplace(filename, deb.file.digest).first->second != deb.file.digest) found = Found::other;
    out->add(deb.file, found, filename);
    return out;
  }

 private:
  static Found compare(const fs::path& path, const ArtifactFile& file) {
    const auto fd = open_file_if_exists(path, O_RDONLY);
    if (!fd) return Found::nothing;
    const auto what = path.string();
    if (regular_size(fd->get(), what) != file.size) return Found::other;
    return sha256_of_file(fd->get(), what) == file.digest ? Found::same : Found::other;
  }

  /// Whole or not at all: reprepro may look at any moment.
  void drop(const std::string& filename, const ArtifactFile& file, const PushProgress& progress) const {
    const auto part = m_folder / fmt::format(".liftlock-{}", file.digest.hex());
    AtomicFile out(part);
    StoredBody body(m_store, file, progress);
    for (auto piece = body.next(); !piece.empty(); piece = body.next()) out.write(piece);
    out.commit();
    if (rename_unless_there(part, m_folder / filename)) return sync_folder(m_folder);
    fs::remove(part);
    if (compare(m_folder / filename, file) == Found::same) return;
    throw Error(ErrorCode::immutable,
                fmt::format("{} came there with other bytes since it was planned", printable(filename)),
                "nothing is ever written over: find out who put it there");
  }

  const BlobStore& m_store;
  fs::path m_folder;
  std::map<std::string, fs::path> m_pool;   ///< by file name
  std::map<std::string, Digest> m_planned;  ///< too
};

}  // namespace

std::unique_ptr<PushTarget> make_aptly_push(const PushSettings& settings, const BlobStore& store) {
  return std::make_unique<AptlyPush>(settings, store);
}

std::unique_ptr<PushTarget> make_reprepro_push(const PushSettings& settings, const BlobStore& store) {
  return std::make_unique<RepreproPush>(settings, store);
}

}  // namespace liftlock::apt
