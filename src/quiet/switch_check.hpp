// Whether the switches are in force: for a process, from its environment and the settings files of its user.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quiet/switches.hpp"

namespace liftlock::quiet {

using Environment = std::map<std::string, std::string>;

/// NAME=value entries with a zero byte after each, as in /proc/PID/environ; what has no '=' is skipped, and of a name
/// that stands there twice the first counts, as for getenv(3).
Environment parse_environment(std::string_view entries);

/// The text of a settings file below the home folder; nullopt: there is none.
using ReadSettings = std::function<std::optional<std::string>(std::string_view path)>;

struct SwitchState {
  const Switch* what = nullptr;
  enum class How : std::uint8_t { none, variable, file, mirror } how = How::none;
  std::string found;  ///< what stands there instead, when it is not in force: "" for nothing
  bool in_force() const { return how != How::none; }
};

/// One state for each switch, in the table's order. A variable that is set goes before its file, as in the programs.
/// @param mirror the address of the local mirror; empty: none
std::vector<SwitchState> check_switches(const Environment& environment, const ReadSettings& read_settings,
                                        std::string_view mirror);

/// The value of a setting in the text of a settings file, as text: "true" for booleans. nullopt where it is not set, or
/// where the file does not parse: a program that cannot read its file does not heed it either.
std::optional<std::string> setting_of(std::string_view text, const FileSetting& setting);

struct ProcessView {
  pid_t pid = 0;
  std::string program;  ///< path of the executable, or its short name where that cannot be read
  Environment environment;
  ReadSettings read_settings;
};

/// @throws Error{not_found} without such a process, Error{io_error} where this user may not look into it
ProcessView look_at_process(pid_t pid);
/// The calling process.
ProcessView look_at_self();

}  // namespace liftlock::quiet
