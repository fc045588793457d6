// The switches that stop programs of AI stacks from telling others about their use, asking for new versions, and
// fetching on their own: one table, each line with the file or page of its project where the switch is read. The list
// of the table for people is docs/formats/telemetry.md, which a test compares with it.
//
// A switch is a wish. What keeps a program from the network is an empty network namespace; see offline/run.hpp.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace liftlock::quiet {

/// Goes up with every change of the table that a reader of --json may notice.
inline constexpr unsigned k_table_version = 2;

enum class Purpose : std::uint8_t {
  telemetry,  ///< reports on use
  update,     ///< looks for new versions
  download,   ///< fetches models, packages, programs on its own
};
std::string_view name_of(Purpose purpose);

/// How the program compares what it reads.
enum class Match : std::uint8_t {
  exact,     ///< with the value itself
  any_case,  ///< with the words of `accepted`, in any case
  any_text,  ///< everything but the empty string
};

enum class FileForm : std::uint8_t { none, json, toml, key_value };

/// Another way to the same end: a setting in a file of the user.
struct FileSetting {
  FileForm form = FileForm::none;
  std::string_view path = {};  ///< below the home folder
  std::string_view key = {};   ///< a.b: b in the table a
  std::string_view value = {};
};

struct Switch {
  std::string_view program;
  std::string_view variable;
  std::string_view value;
  Match match = Match::exact;
  std::string_view accepted = {};  ///< lower-case words for Match::any_case, with '|' between them
  Purpose purpose = Purpose::telemetry;
  std::string_view stops;
  std::string_view source;  ///< file or page of the project
  FileSetting file = {};
  /// Set to an address of the local mirror, this variable keeps the program at home as well: then the switch would be
  /// in the way. Empty: there is no such variable.
  std::string_view mirror_variable = {};
  /// Variables, with '|' between them, that name further places (several, with blanks between them): the mirror keeps
  /// the program at home only where these are empty or of the mirror, too.
  std::string_view further_variables = {};
};

/// All of it, for the whole program run. A variable stands in one line only.
std::span<const Switch> all_switches();

/// The variables of the table with their values. With a mirror, without those that the mirror stands in for.
enum class Mirror : std::uint8_t { none, local };
std::map<std::string, std::string> quiet_environment(Mirror mirror);

}  // namespace liftlock::quiet
