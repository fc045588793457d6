// High side: the site's own scanner looks at what a bundle brings, before anybody sees it. Any program that takes a
// folder as its last argument, ends with 0 when all is clean and with 1 when it found something, and prints a line
// "PATH: NAME FOUND" for each finding: clamscan and clamdscan do.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/rel_path.hpp"
#include "base/reporter.hpp"
#include "os/file.hpp"
#include "site/site.hpp"

namespace liftlock {

struct ScanItem {
  RelPath path;  ///< in the bundle
  std::uint64_t size = 0;
  Digest digest;
  std::vector<std::string> kinds;  ///< of the artifacts that it belongs to
};

struct ScanReport {
  struct Finding {
    std::string path;  ///< in the bundle; empty: the scanner named no file
    std::string name;  ///< what it calls it
  };
  std::string scanner;  ///< the first line that its `version` prints: engine and signatures
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<Finding> found;
  std::vector<Finding> not_scanned;  ///< with the reason as its name
};

/// Makes a hard link to the checked bytes of a digest: folder, name.
using LinkChecked = std::function<void(int, const std::string&, const Digest&)>;

/// For before anything is staged. Older versions took the table without it: only what lands needs it, not each command.
/// @throws Error{config_invalid}
void require_scanner_version(const std::optional<ScanConfig>& config);

/// Why nothing can land for now: the scanner is not there, or its `version` is missing or fails. Runs `version`. Empty
/// where all is well, and where no scanner is named.
std::string scanner_trouble(const std::optional<ScanConfig>& config);

/// @param scratch a folder on the file system of the bytes; made for the scan and removed after it
/// @throws Error{scan_failed} when the scanner cannot be run, ends otherwise, or touches what it looks at
ScanReport scan(const ScanConfig& config, const std::vector<ScanItem>& items, const fs::path& scratch,
                const LinkChecked& link, Reporter& reporter);
/// @throws Error{scan_found, scan_incomplete} when the policy does not let it land
void require_clean(const ScanConfig& config, const ScanReport& report);

/// For the audit log: bounded, so that it names the first of a list only.
Json scan_detail(const ScanReport& report);
/// The entries that name what scan_detail() leaves out of what was not scanned. They come before the intent of what
/// lands all the same.
std::vector<AuditEvent> further_not_scanned(const ScanReport& report, const std::string& actor,
                                            const std::string& subject);

}  // namespace liftlock
