#include "gateway/gateway_metrics.hpp"

#include <fmt/format.h>

#include <iterator>

namespace liftlock {
namespace {

double seconds_of(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

template <typename... Arguments>
void line(std::string& out, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Arguments>(arguments)...);
  out += '\n';
}

void describe(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  line(out, "# HELP {} {}\n# TYPE {} {}", name, help, name, type);
}

/// Names of models come from bundles: a label's value escapes what would end it.
std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c != '\n') out += c;
  }
  return out;
}

}  // namespace

void GatewayMetrics::Histogram::add(double seconds) {
  ++count;
  sum += seconds;
  for (std::size_t i = 0; i < k_bounds.size(); ++i) {
    if (seconds <= k_bounds[i]) ++counts[i];
  }
}

void GatewayMetrics::Histogram::write(std::string& out, std::string_view name, std::string_view help) const {
  describe(out, name, "histogram", help);
  for (std::size_t i = 0; i < k_bounds.size(); ++i)
    line(out, "{}_bucket{{le=\"{}\"}} {}", name, k_bounds[i], counts[i]);
  line(out, "{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}", name, count, sum);
}

void GatewayMetrics::count(const ConversationEnd& end) {
  const std::lock_guard lock(m_mutex);
  ++m_requests[{end.model, end.outcome}];
  auto& tokens = m_tokens[end.model];
  tokens.first += end.prompt_tokens;
  tokens.second += end.completion_tokens;
  if (end.wait.count() > 0) m_wait.add(seconds_of(end.wait));
  if (end.first.count() > 0) m_first.add(seconds_of(end.first));
  m_total.add(seconds_of(end.total));
  if (end.unrecorded) ++m_unrecorded;
}

void GatewayMetrics::refused() {
  const std::lock_guard lock(m_mutex);
  ++m_refused;
}

std::string GatewayMetrics::text(const std::vector<engine::Running>& running, const RecordBook::Counters& records,
                                 std::uint64_t failed_logins) const {
  std::string out;
  const std::lock_guard lock(m_mutex);
  describe(out, "liftlock_requests_total", "counter", "Requests to models, by how they ended.");
  for (const auto& [key, count] : m_requests) {
    line(out, "liftlock_requests_total{{model=\"{}\",outcome=\"{}\"}} {}", label(key.first), key.second, count);
  }
  describe(out, "liftlock_requests_refused_total", "counter", "Requests that reached no model.");
  line(out, "liftlock_requests_refused_total {}", m_refused);
  describe(out, "liftlock_tokens_total", "counter", "Tokens as the engines counted them.");
  for (const auto& [model, tokens] : m_tokens) {
    line(out,
         "liftlock_tokens_total{{model=\"{0}\",kind=\"prompt\"}} {1}\n"
         "liftlock_tokens_total{{model=\"{0}\",kind=\"completion\"}} {2}",
         label(model), tokens.first, tokens.second);
  }
  m_wait.write(out, "liftlock_engine_wait_seconds", "Until an engine was ready: loading and the queue.");
  m_first.write(out, "liftlock_first_token_seconds", "Until the first token.");
  m_total.write(out, "liftlock_request_seconds", "Until the answer was whole.");
  describe(out, "liftlock_model_memory_bytes", "gauge", "Memory that a loaded model may use.");
  for (const auto& model : running) {
    line(out, "liftlock_model_memory_bytes{{model=\"{}\",state=\"{}\"}} {}", label(model.model), model.state,
         model.memory);
  }
  describe(out, "liftlock_engine_resident_bytes", "gauge",
           "Memory that the engine of a model holds, its model included.");
  for (const auto& model : running) {
    line(out, "liftlock_engine_resident_bytes{{model=\"{}\"}} {}", label(model.model), model.resident);
  }
  describe(out, "liftlock_model_requests", "gauge", "Requests that a model answers, and those that wait for it.");
  for (const auto& model : running) {
    line(out,
         "liftlock_model_requests{{model=\"{0}\",kind=\"active\"}} "
         "{1}\nliftlock_model_requests{{model=\"{0}\",kind=\"queued\"}} {2}",
         label(model.model), model.active, model.queued);
  }
  describe(out, "liftlock_records_total", "counter", "Records begun.");
  line(out, "liftlock_records_total {}", records.records);
  describe(out, "liftlock_record_commits_total", "counter", "Groups of records made durable.");
  line(out, "liftlock_record_commits_total {}", records.groups);
  describe(out, "liftlock_unrecorded_answers_total", "counter", "Answers that went out without a record.");
  line(out, "liftlock_unrecorded_answers_total {}", m_unrecorded);
  describe(out, "liftlock_records_refused_total", "counter", "Records that could not be written.");
  line(out, "liftlock_records_refused_total {}", records.refused);
  describe(out, "liftlock_failed_logins_total", "counter", "Requests with no key, or a wrong one.");
  line(out, "liftlock_failed_logins_total {}", failed_logins);
  return out;
}

}  // namespace liftlock
