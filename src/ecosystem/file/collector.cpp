#include "ecosystem/file/collector.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"
#include "store/content.hpp"

namespace liftlock {
namespace {

/// A folder of thousands of files says it once or twice, not thousands of times; each file keeps its evidence.
constexpr std::size_t k_max_notes = 20;

constexpr std::array k_keys = {
    KeySpec{"source", ValueType::string, true, "A local file or folder, or a URL.",
            "\"https://downloads.example/tool\""},
    KeySpec{"sha256", ValueType::string, false,
            "SHA-256 as the publisher states it; without it the first download is believed, and the lock says so.",
            "\"…64 hexadecimal digits…\""},
    KeySpec{"category", ValueType::string, false,
            "Top folder of the bundle: binaries, patterns, certs, charts or files. Default: files.", "\"binaries\""},
    KeySpec{"executable", ValueType::boolean, false, "Mark the file as a program when it is installed. Default: false.",
            "true"},
    KeySpec{"include", ValueType::strings, false,
            "Patterns of the files of a folder to carry; default: all that are not hidden. Hidden ones are named with "
            "their dot.",
            "[\"*.yaml\"]"},
    KeySpec{"exclude", ValueType::strings, false, "Patterns of files of a folder to leave out.", "[\"*.tmp\"]"},
    KeySpec{"license", ValueType::string, false, "Licence.", "\"MIT\""},
    KeySpec{"name", ValueType::string, false, "Name of the artifact; default: the name of the table.", "\"tool\""},
    KeySpec{"version", ValueType::string, false, "Version; default: 12 digits of the content's SHA-256.", "\"1.2.0\""},
};

constexpr std::array<std::string_view, 5> k_categories = {"binaries", "patterns", "certs", "charts", "files"};

std::string category_of(const StackEntry& entry) {
  auto category = entry.text("category", "files");
  if (std::find(k_categories.begin(), k_categories.end(), category) != k_categories.end()) return category;
  const auto near = nearest(category, k_categories);
  throw Error(ErrorCode::stack_invalid,
              fmt::format("{}: the category '{}' is unknown", entry.where(), printable(category)),
              near ? fmt::format("did you mean '{}'?", *near) : "one of binaries, patterns, certs, charts, files");
}

/// One entry being resolved.
class Resolution {
 public:
  Resolution(const StackEntry& entry, CollectContext& context)
      : m_entry(entry), m_context(context), m_category(category_of(entry)) {
    m_artifact.kind = "file";
    m_artifact.name = portable_component(entry.text("name", entry.name));
    m_artifact.version = entry.text("version");
    m_artifact.license = entry.text("license");
    if (entry.values.contains("sha256")) m_stated = parse_stated_digest(entry.text("sha256"), entry.where());
  }

  Collected run() {
    const auto source = m_entry.text("source");
    if (is_url(source)) refuse_credentials(source, m_entry.where());  // before any error repeats it
    if (is_url(source) && is_of_registry(source)) {
      throw Error(ErrorCode::stack_invalid,
                  fmt::format("{}: '{}' lies in a registry of images", m_entry.where(), printable(source)),
                  fmt::format("write [image.{}] with source = \"docker://…\"", m_entry.name));
    }
    if (is_url(source)) {
      add(file_name_of_url(source), take_url(m_context, source, m_stated), source);
    } else {
      local(source);
    }
    m_artifact.facts = {{"category", m_category}};
    if (m_entry.flag("executable", false)) m_artifact.facts["executable"] = true;
    if (m_artifact.version.empty()) m_artifact.version = content_digest(m_artifact).hex().substr(0, 12);
    if (m_believed > k_max_notes)
      m_notes.push_back(fmt::format("… and {} more that are believed on first use", m_believed - k_max_notes));
    return {{std::move(m_artifact)}, std::move(m_notes)};
  }

 private:
  void local(const std::string& source) {
    const auto at = stack_path(source, m_context.stack_folder);
    const auto include = m_entry.texts("include");
    const auto exclude = m_entry.texts("exclude");
    auto files = list_local_files(at, include);
    const bool folder = fs::is_directory(at);
    if (const auto note = link_note(source, m_context.stack_folder)) m_context.reporter.note(*note);
    if (folder && m_stated) {
      throw Error(ErrorCode::stack_invalid, fmt::format("{}: sha256 is given for a folder", m_entry.where()),
                  "name the file, or leave sha256 out");
    }
    if (folder) std::erase_if(files, [&](const auto& file) { return !is_selected(file.path, include, exclude); });
    if (files.empty())
      fail(ErrorCode::stack_invalid, "{}: no file of '{}' is left to carry", m_entry.where(), printable(source));
    require_portable(files, m_entry.where());
    if (const auto hidden = hidden_left_out(at, include, exclude); !hidden.empty()) {
      m_notes.push_back(fmt::format("{} left out, {} first; `include` takes them",
                                    counted(hidden.size(), "hidden file"), printable(hidden.front())));
    }
    const auto taken =
        take_local_files(m_context, "lock-file-" + portable_component(m_entry.name), files, FilesOf::user);
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (!folder) {
        add(files[i].path, taken[i], source);
      } else {
        add(m_artifact.name + "/" + files[i].path, taken[i], origin_below(source, files[i].path));
      }
    }
  }

  void add(const std::string& path, const TakenFile& taken, std::string origin) {
    if (m_stated && taken.digest != *m_stated) {
      fail(ErrorCode::digest_mismatch, "'{}' has the SHA-256 {}; {} states {}", printable(path), taken.digest.hex(),
           m_entry.where(), m_stated->hex());
    }
    if (!m_stated && ++m_believed <= k_max_notes)
      m_notes.push_back(fmt::format("{} is believed on first use: sha256:{}", printable(path), taken.digest.hex()));
    m_artifact.files.push_back({.path = RelPath::parse(m_category + "/" + path),
                                .size = taken.size,
                                .digest = taken.digest,
                                .origin = std::move(origin),
                                .evidence = {m_stated ? stated_evidence("stack") : first_use_evidence()}});
  }

  const StackEntry& m_entry;
  CollectContext& m_context;
  std::string m_category;
  std::optional<Digest> m_stated;
  Artifact m_artifact;
  std::vector<std::string> m_notes;
  std::size_t m_believed = 0;  ///< files, on first use
};

}  // namespace

std::string_view FileCollector::table() const {
  return "file";
}
std::string_view FileCollector::summary() const {
  return "plain files and folders: programs, patterns, certificates, charts";
}
std::span<const KeySpec> FileCollector::keys() const {
  return k_keys;
}

std::optional<std::vector<std::string>> FileCollector::local_files(const StackEntry& entry,
                                                                   const fs::path& stack_folder) const {
  if (is_url(entry.text("source"))) return std::nullopt;
  return selected_origins(entry, stack_folder);
}

Collected FileCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  return Resolution(entry, context).run();
}

std::vector<FetchJob> FileCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                          CollectContext& context) const {
  std::vector<FetchJob> jobs;
  for (const auto& file : artifact.files) {
    if (!context.store.contains(file.digest)) jobs.push_back(job_for(file, entry, context, {}));
  }
  return jobs;
}

}  // namespace liftlock
