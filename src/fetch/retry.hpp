// When a failed try is worth another one, and how long to wait before it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace liftlock {

/// 408, 425, 429 and 5xx except 501 and 505.
bool is_transient_status(int status);
/// Is it a CURLcode of a connection that was not made or got lost?
bool is_transient_curl_code(int code);

/// Longer demands of Retry-After end the job instead of being waited for.
constexpr std::chrono::seconds k_longest_retry_after{300};

/// Exponential backoff with full jitter: uniform in [0, min(cap, base * 2^attempt)].
/// @param attempt 0 for the first repetition
std::chrono::milliseconds backoff(unsigned attempt, std::chrono::milliseconds base, std::chrono::milliseconds cap);

}  // namespace liftlock
