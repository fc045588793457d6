#include "ecosystem/go/go_sum.hpp"

#include <map>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/go/module_path.hpp"

namespace liftlock::go {
namespace {

constexpr std::size_t k_max_modules = 100'000;
constexpr std::string_view k_mod = "/go.mod";

struct PathThenVersion {
  bool operator()(const std::pair<std::string, std::string>& a, const std::pair<std::string, std::string>& b) const {
    if (a.first != b.first) return a.first < b.first;
    const auto order = compare_versions(a.second, b.second);
    return order != 0 ? order < 0 : a.second < b.second;
  }
};

[[noreturn]] void malformed(std::size_t line, std::string_view why) {
  throw Error(ErrorCode::unresolvable, fmt::format("go.sum line {}: {}", line, why), "let go write it: `go mod tidy`");
}

}  // namespace

std::vector<ModuleSums> parse_go_sum(std::string_view text) {
  if (text.size() > k_max_go_sum) malformed(1, "it is too large to be a go.sum");
  std::map<std::pair<std::string, std::string>, ModuleSums, PathThenVersion> found;
  std::size_t number = 0;
  for (auto line : split(text, '\n')) {
    ++number;
    line = trim(line);
    if (line.empty()) continue;
    std::vector<std::string_view> words;
    for (const auto word : split(line, ' ')) {
      if (!word.empty()) words.push_back(word);
    }
    if (words.size() != 3) malformed(number, "it is not MODULE VERSION HASH");
    auto version = words[1];
    const bool is_mod = version.ends_with(k_mod);
    if (is_mod) version.remove_suffix(k_mod.size());
    if (!is_module_path(words[0]))
      malformed(number, fmt::format("'{}' is no module", printable(words[0].substr(0, 200))));
    if (!is_module_version(version))
      malformed(number, fmt::format("'{}' is no version", printable(version.substr(0, 200))));
    if (!words[2].starts_with("h1:")) continue;
    const auto bytes = decode_base64(words[2].substr(3));
    if (!bytes || bytes->size() != 32) malformed(number, "the hash is no h1");
    auto& sums = found[{std::string(words[0]), std::string(version)}];
    sums.path = words[0];
    sums.version = version;
    auto& place = is_mod ? sums.mod : sums.zip;
    if (!place.empty() && place != words[2]) malformed(number, "it has a hash already, and another one");
    place = words[2];
    if (found.size() > k_max_modules) malformed(number, "there are too many modules");
  }
  std::vector<ModuleSums> out;
  for (auto& [key, sums] : found) out.push_back(std::move(sums));
  return out;
}

}  // namespace liftlock::go
