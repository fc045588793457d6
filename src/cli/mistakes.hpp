// What a person probably meant by a command line that does not parse.
#pragma once

#include <span>
#include <string_view>

#include "base/error.hpp"

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace liftlock {

/// The usage error for a command line that the tree of commands refused: names the unknown command or option and the
/// nearest known one, where there is one; else what the parser said. The hint names the --help to read. On the high
/// side a word for what needs the internet (search, update) is Error{offline} instead.
/// @param words argv without the program's name
/// @param elsewhere commands of the other side's executable, called `other_side`
Error explain_mistake(CLI::App& app, std::span<char* const> words, const CLI::ParseError& error,
                      std::span<const std::string_view> elsewhere, std::string_view other_side);
/// Is a word where a command must stand none? Then not even --help can be answered.
bool names_unknown_command(CLI::App& app, std::span<char* const> words);

}  // namespace liftlock
