#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "cli/cmd_import.hpp"

namespace liftlock {
namespace {

std::string value_text(const std::string& key, const Json& value) {
  if (key == "size" && value.is_number_unsigned()) return format_size(value.get<std::uint64_t>());
  return printable(value.is_string() ? value.get<std::string>() : dump_json_line(value));
}

}  // namespace

std::string preview_text(const Found& found) {
  auto out = found.words + "\n";
  for (const auto& [key, value] : found.preview.items()) {
    if (value.is_array()) {
      for (const auto& one : value) out += fmt::format("  {:<14} {}\n", printable(key), value_text("", one));
    } else if (value != "") {
      out += fmt::format("  {:<14} {}\n", printable(key), value_text(key, value));
    }
  }
  for (const auto& note : found.notes) out += "warning: " + note + "\n";
  return out;
}

Json preview_json(const Found& found) {
  return {{"shape", found.shape}, {"what", found.words}, {"preview", found.preview}, {"warnings", found.notes}};
}

}  // namespace liftlock
