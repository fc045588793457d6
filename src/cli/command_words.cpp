#include "cli/command_words.hpp"

#include <algorithm>

#include "os/file.hpp"

namespace liftlock {

std::vector<std::string> words_of_command(std::vector<std::string> parsed) {
  constexpr std::uint64_t k_most = 64u << 20;  // more than execve(2) takes
  const auto text = read_file("/proc/self/cmdline", k_most);
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\0', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  const auto dashes = std::find(words.begin(), words.end(), "--");
  if (dashes == words.end()) return parsed;
  return {dashes + 1, words.end()};
}

}  // namespace liftlock
