#include "audit/written_between.hpp"

#include <algorithm>
#include <cstdint>

namespace liftlock {
namespace {

/// The longest run of dates that never go back (patience sorting).
std::vector<bool> dated_right(const std::vector<Timestamp>& times) {
  constexpr auto k_none = SIZE_MAX;
  std::vector<std::size_t> ends;  ///< of the runs of 1, 2, 3 … entries, the one that ends earliest
  std::vector<std::size_t> before(times.size(), k_none);
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto at = std::upper_bound(ends.begin(), ends.end(), times[i],
                                     [&](Timestamp time, std::size_t end) { return time < times[end]; });
    if (at != ends.begin()) before[i] = *std::prev(at);
    if (at == ends.end()) {
      ends.push_back(i);
    } else {
      *at = i;
    }
  }
  std::vector<bool> out(times.size());
  for (auto i = ends.empty() ? k_none : ends.back(); i != k_none; i = before[i]) out[i] = true;
  return out;
}

}  // namespace

std::vector<bool> written_between(const std::vector<Timestamp>& times, Timestamp begin, Timestamp end) {
  const auto is_right = dated_right(times);
  std::vector<bool> out(times.size());
  auto after = Timestamp::min();
  for (std::size_t i = 0; i < times.size();) {
    auto next = i;
    while (next < times.size() && !is_right[next]) ++next;
    const auto before = next < times.size() ? times[next] : Timestamp::max();
    for (; i < next; ++i) out[i] = (times[i] >= begin && times[i] < end) || (after < end && before >= begin);
    if (next == times.size()) break;
    out[next] = before >= begin && before < end;
    after = before;
    i = next + 1;
  }
  return out;
}

}  // namespace liftlock
