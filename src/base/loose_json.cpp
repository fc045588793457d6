#include "base/loose_json.hpp"

#include <nlohmann/json.hpp>

namespace liftlock {

std::string text_in(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace liftlock
