#include "base/portable_names.hpp"

#include <vector>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/rel_path.hpp"

namespace liftlock {

void require_portable(std::span<const std::string> paths, std::string_view where, std::string_view hint) {
  constexpr std::size_t k_shown = 20;
  std::vector<std::string> refused;
  std::size_t count = 0;
  for (const auto& path : paths) {
    const auto why = why_not_rel_path(path);
    if (why.empty() || ++count > k_shown) continue;
    refused.push_back(fmt::format("'{}' ({})", printable(std::string_view(path).substr(0, 200)), why));
  }
  if (count == 0) return;
  throw Error(
      ErrorCode::path_unsafe,
      fmt::format("{}: {} names that no bundle carries: {}{}", where, counted(count, "file has", "files have"),
                  fmt::join(refused, ", "), count > k_shown ? fmt::format(", and {} more", count - k_shown) : ""),
      std::string(hint));
}

}  // namespace liftlock
