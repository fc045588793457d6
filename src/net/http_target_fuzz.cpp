// Any bytes as a request-target: what is accepted must be safe to dispatch on.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"
#include "net/request_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  liftlock::is_valid_host(text);
  const auto target = liftlock::parse_request_target(text);
  if (!target) return 0;
  if (target->path.empty() || target->path[0] != '/') std::abort();
  const auto components = liftlock::split(target->path, '/');
  for (std::size_t i = 1; i < components.size(); ++i) {
    if (components[i] == ".." || components[i] == ".") std::abort();
    if (components[i].empty() && i + 1 != components.size()) std::abort();
  }
  for (const char c : target->path) {
    if (static_cast<unsigned char>(c) < 0x20) std::abort();
  }
  liftlock::query_parameter(target->query, "n");
  return 0;
}
