// Inside of dockerfile: the commands of a RUN, as far as a look without a shell can tell them apart, and what they do.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/dockerfile.hpp"

namespace liftlock::dockerfile {

using Words = std::vector<std::string>;

/// Split at blanks, with the quotes taken off.
Words words_of(std::string_view text);
/// The JSON form (["pip", "install"]) as it would be written without it; all else as it is.
std::string plain_form(std::string arguments);

struct Command {
  Words words;
  bool is_fed = false;  ///< what the one before it writes is what it reads
};
/// Split at ; & | ( ) and line ends.
std::vector<Command> commands_of(const Instruction& run);

bool has(const Words& words, std::string_view word);
bool has_prefix(const Words& words, std::string_view prefix);
/// "/usr/bin/curl" → "curl"
std::string base_name(std::string_view path);

/// Is it `program … verb`, whatever stands before it (sudo, env, python -m)? @param verb empty: any
bool calls(const Words& words, std::initializer_list<std::string_view> programs, std::string_view verb);
/// curl or wget, with an address.
bool is_download(const Words& words);
/// Of curl: -f, alone or among other letters, or --fail….
bool asks_to_fail(const Words& words);
/// curl … | bash, bash <(curl …), sh -c "$(curl …)": the words of the shell; nullptr for none.
const Words* shell_of_download(const std::vector<Command>& commands);
/// What a client fetches from elsewhere: "npm ci"; empty for nothing, or where it is told not to.
std::string goes_out(const Words& words);

}  // namespace liftlock::dockerfile
