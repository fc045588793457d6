#include "ecosystem/apt/deb_inspector.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "ecosystem/apt/copyright.hpp"
#include "ecosystem/apt/deb822.hpp"
#include "ecosystem/apt/deb_reader.hpp"

namespace liftlock::apt {
namespace {

constexpr std::array<std::string_view, 1> k_kinds = {"deb"};
constexpr std::size_t k_max_findings = 50;
constexpr std::size_t k_max_listed = 100;
constexpr std::uint64_t k_max_copyright = 1u << 20;

class Judge {
 public:
  Judge(const Artifact& artifact, Inspection& out)
      : m_artifact(artifact), m_file(artifact.files[0].path.text()), m_out(out) {}

  void refuse(ErrorCode code, std::string message) {
    if (m_out.findings.size() < k_max_findings) m_out.findings.push_back({code, m_file, std::move(message)});
  }

  void control(const DebControl& control) {
    ParagraphReader reader(control.text, "the control file", Comments::skip);
    Paragraph fields, more;
    if (!reader.next(fields)) return refuse(ErrorCode::package_malformed, "the control file is empty");
    if (reader.next(more)) return refuse(ErrorCode::package_malformed, "the control file has two paragraphs");
    expect(fields, "Package", package_of(m_artifact.name));
    expect(fields, "Version", m_artifact.version);
    const auto stated = m_artifact.facts.find("architecture");
    if (stated != m_artifact.facts.end() && stated->is_string()) {
      expect(fields, "Architecture", stated->get_ref<const std::string&>());
    }
    for (const std::string_view name : {"Package", "Version", "Architecture", "Installed-Size"}) {
      m_out.facts[to_lower(name)] = printable(fields.field_or(name, ""));
    }
    m_out.facts["maintainer_scripts"] = control.scripts;
  }

  void entry(const DebEntry& entry) {
    if (entry.absolute) refuse(ErrorCode::path_unsafe, "the path '" + printable(entry.path) + "' is absolute");
    if (leaves(entry.path)) refuse(ErrorCode::path_unsafe, "the path '" + printable(entry.path) + "' traverses");
    if (entry.type == EntryType::hardlink && (entry.target.starts_with('/') || leaves(entry.target))) {
      refuse(ErrorCode::path_unsafe, "the hard link '" + printable(entry.path) + "' leaves the package");
    }
    if (entry.type == EntryType::device || entry.type == EntryType::fifo || entry.type == EntryType::other) {
      refuse(ErrorCode::package_malformed, "'" + printable(entry.path) + "' is a device or another special file");
    }
    if (entry.type == EntryType::symlink) m_links.insert(entry.path);
    if (under_link(entry.path)) {
      refuse(ErrorCode::path_unsafe, "'" + printable(entry.path) + "' stands below a symlink of the same package");
    }
    if (entry.type == EntryType::file && (entry.mode & 06000u) != 0 && m_setuid.size() < k_max_listed) {
      m_setuid.push_back(printable(entry.path));
    }
    ++m_entries;
  }

  /// Is it the file that states the package's licences, and of a size that is read?
  bool is_copyright(const DebEntry& entry) const {
    return entry.type == EntryType::file && entry.size <= k_max_copyright &&
           entry.path == fmt::format("usr/share/doc/{}/copyright", package_of(m_artifact.name));
  }

  void copyright(std::string_view text) {
    if (auto license = copyright_licenses(text); !license.empty()) m_out.facts["license"] = std::move(license);
  }

  void finish(std::uint64_t bytes) {
    m_out.facts["entries"] = m_entries;
    m_out.facts["unpacked_size"] = bytes;
    m_out.facts["setuid"] = m_setuid;
  }

 private:
  static bool leaves(std::string_view path) {
    const auto parts = split(path, '/');
    return std::any_of(parts.begin(), parts.end(), [](auto part) { return part == ".."; });
  }

  bool under_link(std::string_view path) const {
    if (m_links.empty()) return false;
    for (auto slash = path.rfind('/'); slash != std::string_view::npos && slash > 0;
         slash = path.rfind('/', slash - 1)) {
      if (m_links.contains(std::string(path.substr(0, slash)))) return true;
    }
    return false;
  }

  void expect(const Paragraph& fields, std::string_view name, std::string_view wanted) {
    const auto value = fields.field_or(name, "");
    if (value == wanted) return;
    refuse(ErrorCode::package_malformed,
           fmt::format("its control says {} '{}', the artifact '{}'", name, printable(value), printable(wanted)));
  }

  const Artifact& m_artifact;
  std::string m_file;
  Inspection& m_out;
  std::set<std::string> m_links;
  std::vector<std::string> m_setuid;
  std::size_t m_entries = 0;
};

}  // namespace

std::string_view package_of(std::string_view artifact_name) {
  return artifact_name.substr(0, artifact_name.find(':'));
}

std::span<const std::string_view> DebInspector::kinds() const {
  return k_kinds;
}

Inspection DebInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  Inspection out;
  Judge judge(artifact, out);
  if (files.size() != 1 || artifact.files.size() != 1) {
    judge.refuse(ErrorCode::package_malformed, "an artifact of kind deb is exactly one file");
    return out;
  }
  try {
    const auto layout = read_deb_layout(files[0]);
    judge.control(read_deb_control(files[0], layout));
    DebTar data(files[0], layout.data);
    DebEntry entry;
    std::uint64_t bytes = 0;
    std::vector<std::uint8_t> buffer(1u << 17);
    while (data.next(entry)) {
      judge.entry(entry);
      std::string copyright;
      const bool is_copyright = judge.is_copyright(entry);
      while (const auto got = data.read(buffer)) {
        bytes += got;
        if (is_copyright) copyright += as_text(std::span(buffer).first(got));
      }
      if (is_copyright) judge.copyright(copyright);
    }
    judge.finish(bytes);
  } catch (const Error& error) {
    judge.refuse(error.code(), error.what());
  }
  return out;
}

}  // namespace liftlock::apt
