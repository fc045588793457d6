#include "bundle/scan.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_listed = 20;
constexpr std::size_t k_max_name = 200;

/// What tells whether somebody touched a file: its content cannot change without its time of change.
struct Identity {
  ino_t inode = 0;
  off_t size = 0;
  timespec changed{};
  explicit Identity(const struct stat& status) : inode(status.st_ino), size(status.st_size), changed(status.st_ctim) {}
  bool operator==(const Identity& other) const {
    return inode == other.inode && size == other.size && changed.tv_sec == other.changed.tv_sec &&
           changed.tv_nsec == other.changed.tv_nsec;
  }
};

Identity identity_of(const fs::path& file) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0) {
    fail(ErrorCode::scan_failed, "the scanner took '{}' away", printable(file.filename().string()));
  }
  return Identity(status);
}

/// The folder that the scanner sees, gone with its scope.
class Scratch {
 public:
  explicit Scratch(fs::path folder) : m_folder(std::move(folder)) {
    remove_tree(m_folder);
    make_folders(m_folder);
  }
  ~Scratch() {
    try {
      remove_tree(m_folder);
    } catch (const Error&) {  // the next scan removes it
    }
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& folder() const { return m_folder; }

 private:
  fs::path m_folder;
};

std::string first_line(std::string_view text) {
  return printable(text.substr(0, std::min(text.find('\n'), k_max_name)));
}

/// Why an item is not given to the scanner; empty when it is.
std::string kept_from(const ScanConfig& config, const ScanItem& item) {
  if (config.max_file_size && item.size > *config.max_file_size) {
    return fmt::format("larger than {}", format_size(*config.max_file_size));
  }
  for (const auto& kind : item.kinds) {
    if (std::find(config.skip_kinds.begin(), config.skip_kinds.end(), kind) == config.skip_kinds.end()) return "";
  }
  return item.kinds.empty() ? "" : fmt::format("of a kind that is not scanned ({})", item.kinds[0]);
}

bool means_not_scanned(const ScanConfig& config, std::string_view name) {
  return std::any_of(config.not_scanned_names.begin(), config.not_scanned_names.end(),
                     [&](const auto& prefix) { return name.starts_with(prefix); });
}

/// "FOLDER/PATH: NAME FOUND". Of a file that it was not given by that name (a scanner may print another path of the
/// same place) the whole line is the name: a finding is never passed over.
std::optional<ScanReport::Finding> parse_finding(std::string_view line, const std::string& folder,
                                                 const std::map<std::string, Identity, std::less<>>& given) {
  constexpr std::string_view k_end = " FOUND";
  if (!line.ends_with(k_end)) return std::nullopt;
  line.remove_suffix(k_end.size());
  const auto unknown = ScanReport::Finding{"", printable(line.substr(0, k_max_name))};
  if (!line.starts_with(folder)) return unknown;
  line.remove_prefix(folder.size());
  for (auto at = line.find(": "); at != std::string_view::npos; at = line.find(": ", at + 1)) {
    const auto path = line.substr(0, at);
    if (!given.contains(path)) continue;
    return ScanReport::Finding{std::string(path), printable(line.substr(at + 2).substr(0, k_max_name))};
  }
  return unknown;
}

ProcessResult run_scanner(const std::vector<std::string>& command, std::chrono::seconds timeout) {
  try {
    return run_process({.argv = command, .max_output = 16u << 20, .timeout = timeout, .end_all = true});
  } catch (const Error& error) {
    throw Error(ErrorCode::scan_failed, fmt::format("the scanner '{}': {}", printable(command[0]), error.what()));
  }
}

std::string version_of(const ScanConfig& config) {
  const auto result =
      run_scanner(config.version, std::min<std::chrono::seconds>(config.timeout, std::chrono::minutes(1)));
  const auto version = first_line(result.output);
  if (result.status != 0 || version.empty()) {
    fail(ErrorCode::scan_failed, "[scan] version '{}' ended with {} and said '{}'", printable(config.version[0]),
         result.status, version);
  }
  return version;
}

void sort_findings(ScanReport& report, const ScanConfig& config, const ProcessResult& result, const std::string& folder,
                   const std::map<std::string, Identity, std::less<>>& given) {
  if (result.status != 0 && result.status != 1) {
    const auto& text = result.error_output.empty() ? result.output : result.error_output;
    fail(ErrorCode::scan_failed, "the scanner '{}' ended with {}: {}", printable(config.command[0]), result.status,
         first_line(text));
  }
  for (const auto line : split(result.output, '\n')) {
    auto finding = parse_finding(line, folder, given);
    if (!finding) continue;
    (means_not_scanned(config, finding->name) ? report.not_scanned : report.found).push_back(std::move(*finding));
  }
  // It says that there is something, and not what: that is something. (A pipe in a wrapper loses the status, and not
  // the lines: those count whatever the status is.)
  if (result.status == 1 && report.found.empty() && report.not_scanned.empty()) {
    const auto said = first_line(result.output);
    report.found.push_back({"", said.empty() ? "something that it does not name" : said});
  }
}

Json list_of(const std::vector<ScanReport::Finding>& findings) {
  auto out = Json::array();
  for (const auto& finding : findings) {
    if (out.size() == k_max_listed) break;
    out.push_back({{"path", finding.path}, {"name", finding.name}});
  }
  return out;
}

std::string text_of(const std::vector<ScanReport::Finding>& findings) {
  const auto& first = findings.front();
  return fmt::format("{}{}{}", first.path.empty() ? "" : fmt::format("'{}': ", first.path), first.name,
                     findings.size() > 1 ? fmt::format(" (and {} more)", findings.size() - 1) : "");
}

}  // namespace

void require_scanner_version(const std::optional<ScanConfig>& config) {
  if (!config || !config->version.empty()) return;
  throw Error(ErrorCode::config_invalid,
              "config.toml: [scan] needs 'version': without it no record says which signatures looked",
              "for ClamAV: version = [\"clamscan\", \"--version\"]; for a program without one a command that prints "
              "what it is, such as [\"echo\", \"our-scan 1\"]");
}

std::string scanner_trouble(const std::optional<ScanConfig>& config) {
  if (!config) return {};
  try {
    require_scanner_version(config);
    (void)version_of(*config);
  } catch (const Error& error) {
    return error.message();
  }
  if (find_program(config->command[0])) return {};
  return fmt::format("the scanner '{}' is not installed", printable(config->command[0]));
}

ScanReport scan(const ScanConfig& config, const std::vector<ScanItem>& items, const fs::path& scratch,
                const LinkChecked& link, Reporter& reporter) {
  require_scanner_version(config);
  ScanReport report;
  const Scratch view(scratch);
  const auto folder = view.folder().string() + "/";
  std::map<std::string, Identity, std::less<>> given;
  for (const auto& item : items) {
    if (auto why = kept_from(config, item); !why.empty()) {
      report.not_scanned.push_back({item.path.text(), std::move(why)});
      continue;
    }
    const auto file = view.folder() / item.path.text();
    make_folders(file.parent_path());
    link(open_folder(file.parent_path()).get(), std::string(item.path.filename()), item.digest);
    report.files += 1;
    report.bytes += item.size;
  }
  // Only now: a second link to the same bytes changes their time of change, too.
  for (const auto& item : items) {
    const auto file = view.folder() / item.path.text();
    if (fs::exists(fs::symlink_status(file))) given.emplace(item.path.text(), identity_of(file));
  }
  reporter.note(
      fmt::format("{} looks at {}, {}", config.command[0], counted(report.files, "file"), format_size(report.bytes)));
  report.scanner = version_of(config);
  auto command = config.command;
  command.push_back(view.folder().string());
  const auto result = run_scanner(command, config.timeout);
  for (const auto& [path, before] : given) {
    if (!(identity_of(folder + path) == before)) {
      fail(ErrorCode::scan_failed, "the scanner changed '{}' while it looked at it", path);
    }
  }
  sort_findings(report, config, result, folder, given);
  return report;
}

void require_clean(const ScanConfig& config, const ScanReport& report) {
  if (!report.found.empty()) {
    throw Error(ErrorCode::scan_found, fmt::format("the scanner found {}", text_of(report.found)));
  }
  if (!report.not_scanned.empty() && !config.accept_not_scanned) {
    throw Error(ErrorCode::scan_incomplete, fmt::format("not scanned: {}", text_of(report.not_scanned)));
  }
}

Json scan_detail(const ScanReport& report) {
  return {{"scanner", report.scanner},
          {"files", report.files},
          {"bytes", report.bytes},
          {"found", list_of(report.found)},
          {"not_scanned", list_of(report.not_scanned)},
          {"not_scanned_files", report.not_scanned.size()}};
}

std::vector<AuditEvent> further_not_scanned(const ScanReport& report, const std::string& actor,
                                            const std::string& subject) {
  // An entry holds 60,000 bytes, and JSON may need two for one.
  constexpr std::size_t k_max_names = 100, k_max_bytes = 25'000;
  std::vector<AuditEvent> out;
  for (auto at = k_max_listed; at < report.not_scanned.size();) {
    auto names = Json::array();
    std::size_t bytes = 0;
    for (; at < report.not_scanned.size() && names.size() < k_max_names && bytes < k_max_bytes; ++at) {
      const auto& [path, name] = report.not_scanned[at];
      bytes += path.size() + name.size();
      names.push_back({{"path", path}, {"name", name}});
    }
    out.push_back({.type = "scan.not-scanned",
                   .actor = actor,
                   .outcome = Outcome::success,
                   .subject = subject,
                   .detail = dump_json_line({{"not_scanned", std::move(names)}})});
  }
  return out;
}

}  // namespace liftlock
