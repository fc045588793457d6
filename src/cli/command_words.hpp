// Commands that run another program with words of its own.
#pragma once

#include <string>
#include <vector>

namespace liftlock {

/// What stands after "--" of our command line, word by word. CLI11 takes a word like "[ -e x ]" for a list in its own
/// notation, and cuts it up. @param parsed what it made of them; stays where there is no "--"
std::vector<std::string> words_of_command(std::vector<std::string> parsed);

}  // namespace liftlock
