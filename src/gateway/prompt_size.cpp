#include "gateway/prompt_size.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

namespace liftlock {
namespace {

struct Size {
  std::uint64_t bytes = 0, numbers = 0;
  std::uint64_t tokens() const { return bytes / k_longest_token + numbers; }
};

/// Requests are nested as deep as their parser allows, so this is, too.
void add(const Json& value, Size& size) {
  if (value.is_string()) size.bytes += value.get_ref<const std::string&>().size();
  if (value.is_array()) {
    for (const auto& one : value) add(one, size);
  }
  if (!value.is_object()) return;
  for (const auto& [key, one] : value.items()) {
    if (key != "image_url" && key != "input_audio") add(one, size);
  }
}

std::uint64_t tokens_of(const Json& value) {
  Size size;
  add(value, size);
  if (value.is_array()) {
    size.numbers = static_cast<std::uint64_t>(
        std::count_if(value.begin(), value.end(), [](const Json& one) { return one.is_number(); }));
  }
  return size.tokens();
}

/// A list of texts, or of lists of token numbers: its longest. What is no such list: itself.
std::uint64_t longest(const Json& value) {
  const bool is_list = value.is_array() && !value.empty() && !value[0].is_number();
  if (!is_list) return tokens_of(value);
  std::uint64_t most = 0;
  for (const auto& one : value) most = std::max(most, tokens_of(one));
  return most;
}

}  // namespace

std::uint64_t fewest_tokens(const Json& body) {
  Size together;
  for (const auto* key : {"messages", "tools", "query"}) {
    if (const auto found = body.find(key); found != body.end()) add(*found, together);
  }
  std::uint64_t alone = 0;
  for (const auto* key : {"prompt", "input", "documents"}) {
    if (const auto found = body.find(key); found != body.end()) alone = std::max(alone, longest(*found));
  }
  return together.tokens() + alone;
}

}  // namespace liftlock
