#include "base/shown_path.hpp"

#include <algorithm>

namespace liftlock {

std::string shown_path(std::string_view path) {
  constexpr std::string_view k_led = "/git/-/";
  std::string out(path);
  for (auto at = out.find(k_led); at != std::string::npos; at = out.find(k_led, at + 1)) {
    auto host = at + k_led.size();
    auto end = std::min(out.find('/', host), out.size());
    // "https://USER:TOKEN@HOST", also where somebody on the way made one slash of two.
    while (end > host && out[end - 1] == ':' && out.find('@', host) > end) {
      host = std::min(out.find_first_not_of('/', end), out.size());
      end = std::min(out.find('/', host), out.size());
    }
    if (const auto user = out.substr(host, end - host).rfind('@'); user != std::string::npos) out.erase(host, user + 1);
  }
  return out;
}

}  // namespace liftlock
