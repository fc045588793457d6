#include "ecosystem/go/go_mod.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/go/module_path.hpp"

namespace liftlock::go {
namespace {

/// Words of a line, without its comment; "quoted" and `quoted` ones without their quotes.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while (at < line.size()) {
    const char c = line[at];
    if (c == ' ' || c == '\t' || c == '\r') {
      ++at;
    } else if (line.substr(at).starts_with("//")) {
      break;
    } else if (c == '"' || c == '`') {
      const auto end = line.find(c, at + 1);
      if (end == std::string_view::npos) break;
      out.emplace_back(line.substr(at + 1, end - at - 1));
      at = end + 1;
    } else if (c == '(' || c == ')') {
      out.emplace_back(1, c);
      ++at;
    } else {
      auto end = line.find_first_of(" \t\r()", at);
      if (end == std::string_view::npos) end = line.size();
      out.emplace_back(line.substr(at, end - at));
      at = end;
    }
  }
  return out;
}

}  // namespace

GoMod parse_go_mod(std::string_view text) {
  if (text.size() > k_max_go_mod) fail(ErrorCode::package_malformed, "go.mod is too large");
  GoMod out;
  std::string block;
  for (const auto line : split(text, '\n')) {
    auto words = words_of(line);
    if (words.empty()) continue;
    if (words[0] == ")") {
      block.clear();
      continue;
    }
    if (block.empty()) {
      if (words.size() > 1 && words[1] == "(") {
        block = words[0];
        continue;
      }
    } else {
      words.insert(words.begin(), block);
    }
    if (words[0] == "module" && words.size() >= 2 && out.module.empty()) out.module = words[1];
    if (words[0] == "require" && words.size() >= 3 && is_module_path(words[1]) && is_module_version(words[2])) {
      out.requirements.push_back({words[1], words[2]});
    }
    if (words[0] == "replace" && words.size() >= 2) out.replaced.insert(words[1]);
  }
  if (out.module.empty()) fail(ErrorCode::package_malformed, "go.mod names no module");
  return out;
}

}  // namespace liftlock::go
