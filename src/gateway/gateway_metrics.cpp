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

/// Two versions of a model may run at a time: a series stands in the text once.
template <typename Value>
void family(std::string& out, std::string_view name, std::string_view help, const std::vector<engine::Running>& running,
            const Value& value) {
  std::map<std::string, std::uint64_t> sums;  // by the labels
  for (const auto& one : running) value(one, sums);
  describe(out, name, "gauge", help);
  for (const auto& [labels, sum] : sums) line(out, "{}{{{}}} {}", name, labels, sum);
}

void write_running(std::string& out, const std::vector<engine::Running>& running) {
  family(out, "liftlock_model_memory_bytes", "Memory that a loaded model may use.", running,
         [](const auto& one, auto& sums) {
           sums[fmt::format("model=\"{}\",state=\"{}\"", label(one.model), one.state)] += one.memory;
         });
  family(out, "liftlock_engine_resident_bytes", "Memory that the engine of a model holds, its model included.", running,
         [](const auto& one, auto& sums) { sums[fmt::format("model=\"{}\"", label(one.model))] += one.resident; });
  family(out, "liftlock_model_requests", "Requests that a model answers, and those that wait for it.", running,
         [](const auto& one, auto& sums) {
           sums[fmt::format("model=\"{}\",kind=\"active\"", label(one.model))] += one.active;
           sums[fmt::format("model=\"{}\",kind=\"queued\"", label(one.model))] += one.queued;
         });
}

void write_loads(std::string& out, const std::vector<engine::LoadCounts>& loads) {
  const auto each = [&](std::string_view name, std::string_view type, std::string_view help, const auto& value) {
    describe(out, name, type, help);
    for (const auto& one : loads) value(name, label(one.model), one);
  };
  each("liftlock_engine_restarts_total", "counter", "Engines that were started after the one before had failed.",
       [&](auto name, const auto& model, const auto& one) {
         line(out, "{}{{model=\"{}\"}} {}", name, model, one.restarts);
       });
  each("liftlock_engine_suspicious_total", "counter", "Engines that were ended for what no engine does.",
       [&](auto name, const auto& model, const auto& one) {
         line(out, "{}{{model=\"{}\"}} {}", name, model, one.suspicious);
       });
  each("liftlock_model_verification_seconds", "summary", "Reading and checking the bytes of a model before its engine.",
       [&](auto name, const auto& model, const auto& one) {
         line(out, "{0}_sum{{model=\"{1}\"}} {2}\n{0}_count{{model=\"{1}\"}} {3}", name, model,
              seconds_of(one.checking), one.checks);
       });
  each("liftlock_engine_start_seconds", "summary", "From checked bytes to an engine that is ready.",
       [&](auto name, const auto& model, const auto& one) {
         line(out, "{0}_sum{{model=\"{1}\"}} {2}\n{0}_count{{model=\"{1}\"}} {3}", name, model,
              seconds_of(one.starting), one.loads);
       });
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
  auto& model = m_models[end.model];
  ++model.requests;
  if (end.outcome != "success") ++model.failures;
  model.prompt_tokens += end.prompt_tokens;
  model.completion_tokens += end.completion_tokens;
  if (end.first.count() > 0) {
    ++model.first_tokens;
    model.first_seconds += seconds_of(end.first);
  }
  if (end.wait.count() > 0) m_wait.add(seconds_of(end.wait));
  if (end.first.count() > 0) m_first.add(seconds_of(end.first));
  m_total.add(seconds_of(end.total));
  if (end.unrecorded) ++m_unrecorded;
}

void GatewayMetrics::refused() {
  const std::lock_guard lock(m_mutex);
  ++m_refused;
}

std::map<std::string, ModelCounts> GatewayMetrics::counts() const {
  const std::lock_guard lock(m_mutex);
  return m_models;
}

std::string GatewayMetrics::text(const std::vector<engine::Running>& running,
                                 const std::vector<engine::LoadCounts>& loads, const RecordBook::Counters& records,
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
  for (const auto& [model, counts] : m_models) {
    line(out,
         "liftlock_tokens_total{{model=\"{0}\",kind=\"prompt\"}} {1}\n"
         "liftlock_tokens_total{{model=\"{0}\",kind=\"completion\"}} {2}",
         label(model), counts.prompt_tokens, counts.completion_tokens);
  }
  m_wait.write(out, "liftlock_engine_wait_seconds", "Until an engine was ready: loading and the queue.");
  m_first.write(out, "liftlock_first_token_seconds", "Until the first token.");
  m_total.write(out, "liftlock_request_seconds", "Until the answer was whole.");
  write_running(out, running);
  write_loads(out, loads);
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
