#include "ecosystem/pypi/wheel_filename.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/version.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_longest = 255;
constexpr std::size_t k_tags = 16;

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::optional<std::vector<std::string>> tag_set(std::string_view text) {
  std::vector<std::string> out;
  for (const auto tag : split(text, '.')) {
    if (!is_word(tag) || out.size() >= k_tags) return std::nullopt;
    out.emplace_back(tag);
  }
  return out;
}

}  // namespace

std::optional<WheelFilename> WheelFilename::parse(std::string_view filename) {
  if (filename.size() > k_longest || !filename.ends_with(".whl")) return std::nullopt;
  filename.remove_suffix(4);
  const auto parts = split(filename, '-');
  if (parts.size() != 5 && parts.size() != 6) return std::nullopt;
  WheelFilename out;
  out.name = parts[0];
  out.version = parts[1];
  if (!is_project_name(out.name) || !PyVersion::parse(out.version)) return std::nullopt;
  if (parts.size() == 6) {
    out.build = parts[2];
    if (out.build.empty() || out.build[0] < '0' || out.build[0] > '9') return std::nullopt;
    if (!std::all_of(out.build.begin(), out.build.end(), [](char c) { return is_word({&c, 1}) || c == '.'; })) {
      return std::nullopt;
    }
  }
  const auto tags = parts.size() - 3;
  auto pythons = tag_set(parts[tags]), abis = tag_set(parts[tags + 1]), platforms = tag_set(parts[tags + 2]);
  if (!pythons || !abis || !platforms) return std::nullopt;
  out.pythons = std::move(*pythons);
  out.abis = std::move(*abis);
  out.platforms = std::move(*platforms);
  return out;
}

std::set<std::string> WheelFilename::tags() const {
  std::set<std::string> out;
  for (const auto& python : pythons) {
    for (const auto& abi : abis) {
      for (const auto& platform : platforms) out.insert(python + "-" + abi + "-" + platform);
    }
  }
  return out;
}

std::optional<SdistFilename> SdistFilename::parse(std::string_view filename) {
  if (filename.size() > k_longest || !filename.ends_with(".tar.gz")) return std::nullopt;
  filename.remove_suffix(7);
  const auto dash = filename.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  SdistFilename out{std::string(filename.substr(0, dash)), std::string(filename.substr(dash + 1))};
  if (!is_project_name(out.name) || !PyVersion::parse(out.version)) return std::nullopt;
  return out;
}

}  // namespace liftlock
