// Counters of the gateway in Prometheus' text format.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "engine/model_host.hpp"
#include "gateway/conversation.hpp"
#include "record/record_book.hpp"

namespace liftlock {

/// What was answered for one model since the start.
struct ModelCounts {
  std::uint64_t requests = 0, failures = 0;  ///< failures: all that did not succeed
  std::uint64_t prompt_tokens = 0, completion_tokens = 0;
  std::uint64_t first_tokens = 0;  ///< answers that began
  double first_seconds = 0;        ///< of all of them: until they did
};

/// Any thread.
class GatewayMetrics {
 public:
  void count(const ConversationEnd& end);
  /// A request that never became a conversation.
  void refused();
  std::string text(const std::vector<engine::Running>& running, const std::vector<engine::LoadCounts>& loads,
                   const RecordBook::Counters& records, std::uint64_t failed_logins) const;
  /// By the name of the model.
  std::map<std::string, ModelCounts> counts() const;

 private:
  /// Upper bounds in seconds; what is above the last counts in the sum only.
  static constexpr std::array k_bounds = {0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0};
  struct Histogram {
    std::array<std::uint64_t, k_bounds.size()> counts{};
    std::uint64_t count = 0;
    double sum = 0;
    void add(double seconds);
    void write(std::string& out, std::string_view name, std::string_view help) const;
  };

  mutable std::mutex m_mutex;
  std::map<std::pair<std::string, std::string_view>, std::uint64_t> m_requests;  ///< by model and outcome
  std::map<std::string, ModelCounts> m_models;
  std::uint64_t m_refused = 0;
  std::uint64_t m_unrecorded = 0;
  Histogram m_wait, m_first, m_total;
};

}  // namespace liftlock
