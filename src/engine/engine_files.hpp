// What an installed engine consists of. A list of the files of its package lies beside them (files.json), the audit log
// has the list's digest since the installation, and before each start what lies there is compared with it. Format:
// docs/formats/engine.md.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_log.hpp"
#include "base/digest.hpp"
#include "engine/earlier_check.hpp"
#include "engine/engine_process.hpp"

namespace liftlock::engine {

/// Beside engine.json.
inline constexpr std::string_view k_files_file = "files.json";
/// Of the audit log; its subject is NAME/VERSION-VARIANT, as the engine is called.
inline constexpr std::string_view k_files_event = "engine.files";

/// By path: the SHA-256 of a file in hex, or "-> TARGET" of a symlink. Folders are not in it.
using EngineFiles = std::map<std::string, std::string>;
/// Of engine.json and all that follows it. @throws what EngineReader throws
EngineFiles files_of_package(int tar_fd);
std::string encode_files(const EngineFiles& files);
/// @throws Error{json_invalid, schema_violation, too_new}
EngineFiles parse_files(std::string_view text);
/// What the log says of a list, before the engine appears.
AuditEvent files_event(const std::string& full_name, std::string_view list, const std::string& actor);

/// Is there a list, whatever it is worth? One that an older version installed has none, and does not start.
bool has_list(const InstalledEngine& engine);

/// An engine whose files were compared with its list.
struct CheckedEngine {
  Digest list;                    ///< SHA-256 of files.json
  std::vector<FileState> states;  ///< of the files, links and folders, as they are found
  bool untouched = false;         ///< not hashed: all are as an earlier check of this process left them
};

/// Safe on several threads.
class EngineChecks {
 public:
  /// Every file is there with its bytes, and no other one where the engine sees it.
  /// @param recheck hash every byte, whatever was found before
  /// @throws Error{blob_corrupt} that names what differs, or says that nobody knows the list
  CheckedEngine require(const InstalledEngine& engine, const AuditLog& log, bool recheck);

 private:
  std::mutex m_mutex;
  std::map<fs::path, CheckedEngine> m_known;  ///< by the engine's folder
};

/// For a moment after the check, when the engine runs: nothing was touched since.
/// @throws Error{blob_corrupt}
void check_again(const InstalledEngine& engine, const CheckedEngine& checked);

}  // namespace liftlock::engine
