// Which entries of the log belong to a period, where clocks were wrong.
#pragma once

#include <vector>

#include "base/clock.hpp"

namespace liftlock {

/// Was each entry written between two moments, or may it have been? By its date; and what a wrong clock dated, by its
/// place: it was written between its neighbours whose clock was right, and so may stand in the reports of two periods.
/// Right are taken to be the most entries that can be, so that their dates never go back.
/// @param times of all entries, in the log's order
std::vector<bool> written_between(const std::vector<Timestamp>& times, Timestamp begin, Timestamp end);

}  // namespace liftlock
