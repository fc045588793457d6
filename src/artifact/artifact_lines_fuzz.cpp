// Artifacts that are read by way of their text, against the same read as JSON: both take and refuse the same, with the
// same result, and what was read is written as its JSON is.
#include "artifact/artifact_lines.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "artifact/artifact_text.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"

namespace {

using namespace liftlock;

constexpr JsonLimits k_limits{.max_bytes = 1u << 20, .max_depth = 12};

/// nullopt: it is refused.
template <typename Read>
auto outcome(Read read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool is_json(std::string_view text, int max_depth) {
  return outcome([&] { return parse_json(text, {.max_bytes = k_limits.max_bytes, .max_depth = max_depth}); })
      .has_value();
}

void try_artifact(std::string_view text) {
  const auto read = outcome([&] { return parse_artifact(text, k_limits); });
  if (read != outcome([&] { return artifact_from_json(parse_json(text, k_limits)); })) std::abort();
  if (read && artifact_line(*read) != dump_json_line(to_json(*read))) std::abort();
}

void try_file(std::string_view text) {
  const auto read = outcome([&] { return parse_artifact_file(text, k_limits, "it"); });
  if (read != outcome([&] { return artifact_file_from_json(parse_json(text, k_limits), "it"); })) std::abort();
}

/// A text is JSON where all its pieces are, and only there.
void try_cut(std::string_view text, std::span<const std::string_view> path) {
  const auto parts = cut_arrays(text, path);
  const int depth = k_limits.max_depth - 2 * static_cast<int>(path.size());
  const auto are_json = [&](const auto& elements) {
    return std::all_of(elements.begin(), elements.end(), [&](auto element) { return is_json(element, depth); });
  };
  const bool whole = parts && is_json(parts->rest, k_limits.max_depth) &&
                     std::all_of(parts->arrays.begin(), parts->arrays.end(), are_json);
  if (whole != is_json(text, k_limits.max_depth)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::array<std::string_view, 2> k_path = {"files", "evidence"};
  const auto text = as_text({data, size});
  try_artifact(text);
  try_file(text);
  try_cut(text, std::span(k_path).first(1));
  try_cut(text, k_path);
  return 0;
}
