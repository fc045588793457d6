#include "dockerfile/build_log.hpp"

#include <charconv>
#include <map>

#include "base/text.hpp"

namespace liftlock::dockerfile {
namespace {

constexpr std::size_t k_max_steps = 10'000;

/// "#12 rest"
bool take_number(std::string_view& line, std::uint64_t& number) {
  if (!line.starts_with('#')) return false;
  const auto blank = line.find(' ');
  const auto found = blank == std::string_view::npos ? std::nullopt : parse_uint(line.substr(1, blank - 1));
  if (!found) return false;
  number = *found;
  line.remove_prefix(blank + 1);
  return true;
}

}  // namespace

std::vector<BuildStep> parse_build_log(std::string_view text) {
  std::map<std::uint64_t, BuildStep> steps;
  for (auto line : split(text, '\n')) {
    std::uint64_t number = 0;
    line = trim(line);
    if (!take_number(line, number)) continue;
    if (line.starts_with('[') && !line.starts_with("[internal]")) {
      if (steps.size() < k_max_steps || steps.contains(number)) steps[number].name = std::string(line);
      continue;
    }
    const auto found = steps.find(number);
    if (found == steps.end()) continue;
    auto& step = found->second;
    if (line == "CACHED") {
      step.fate = BuildStep::Fate::cached;
    } else if (line.starts_with("DONE ")) {
      auto seconds = line.substr(5);
      if (seconds.ends_with('s')) seconds.remove_suffix(1);
      double value = 0;
      const auto [end, error] = std::from_chars(seconds.data(), seconds.data() + seconds.size(), value);
      if (error != std::errc() || end != seconds.data() + seconds.size() || !(value >= 0)) continue;
      step.fate = BuildStep::Fate::done;
      step.seconds = value;
    } else if (line.starts_with("ERROR")) {
      step.fate = BuildStep::Fate::failed;
    }
  }
  std::vector<BuildStep> out;
  for (auto& [number, step] : steps) out.push_back(std::move(step));
  return out;
}

}  // namespace liftlock::dockerfile
