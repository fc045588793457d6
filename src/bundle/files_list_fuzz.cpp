// parse_files_list: whatever stands in a bundle's front ends in an answer or an Error, and each line means the same
// whether it is read as plain text or as JSON.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/manifest.hpp"

namespace {

using namespace liftlock;

/// nullopt: it is refused.
std::optional<FileEntry> entry_of(std::string_view line) {
  try {
    return parse_file_entry(line);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// With one more member, which means nothing, it is not plain.
void try_line(std::string_view line) {
  if (line.find_first_of("\\~") != std::string_view::npos) return;  // not plain before, or has that member
  auto longer = std::string(line);
  if (const auto brace = longer.find('{'); brace != std::string::npos) longer.insert(brace + 1, "\"~\":0,");
  if (entry_of(line) != entry_of(longer)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = as_text({data, size});
  try {
    parse_files_list(text);
  } catch (const Error&) {
  }
  for (const auto line : split(text, '\n')) try_line(line);
  return 0;
}
