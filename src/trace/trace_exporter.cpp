#include "trace/trace_exporter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr UnixClientLimits k_limits{.max_body = 1u << 20,
                                    .connect = std::chrono::milliseconds(2'000),
                                    .idle = std::chrono::milliseconds(5'000),
                                    .total = std::chrono::milliseconds(10'000)};
constexpr std::chrono::milliseconds k_first_rest{1000};
constexpr std::chrono::seconds k_patience_at_end{1};

std::uint64_t random_bits() {
  thread_local std::mt19937_64 s_engine{(std::uint64_t{std::random_device()()} << 32) | std::random_device()()};
  return s_engine();
}

}  // namespace

TraceExporter::TraceExporter(TraceExporterOptions options)
    : m_options(std::move(options)), m_context(std::make_unique<asio::io_context>(1)), m_thread([this] { run(); }) {}

TraceExporter::~TraceExporter() {
  {
    std::unique_lock lock(m_mutex);
    m_stop = true;
    m_wake.notify_all();
    m_wake.wait_for(lock, k_patience_at_end, [this] { return m_ended; });
    m_cut = true;
  }
  m_context->stop();
  m_thread.join();
}

void TraceExporter::add(RequestTrace trace) {
  if (trace.parent && !trace.parent->sampled) return;
  const std::lock_guard lock(m_mutex);
  if (m_waiting.size() >= m_options.queue) {
    ++m_dropped;
    return;
  }
  m_waiting.push_back(std::move(trace));
  if (m_waiting.size() == 1 || m_waiting.size() == m_options.batch) m_wake.notify_all();
}

std::string TraceExporter::metrics() const {
  return fmt::format(
      "# HELP liftlock_traces_sent_total Traces that the collector took.\n"
      "# TYPE liftlock_traces_sent_total counter\n"
      "liftlock_traces_sent_total {}\n"
      "# HELP liftlock_traces_dropped_total Traces that the collector refused, or did not take in time.\n"
      "# TYPE liftlock_traces_dropped_total counter\n"
      "liftlock_traces_dropped_total {}\n",
      m_sent, m_dropped);
}

void TraceExporter::run() {
  auto rest = k_first_rest;
  std::unique_lock lock(m_mutex);
  while (true) {
    m_wake.wait(lock, [this] { return m_stop || !m_waiting.empty(); });
    m_wake.wait_for(lock, m_options.gather, [this] { return m_stop || m_waiting.size() >= m_options.batch; });
    if (m_waiting.empty()) break;
    const auto end = m_waiting.begin() + static_cast<std::ptrdiff_t>(std::min(m_waiting.size(), m_options.batch));
    const std::vector<RequestTrace> batch(std::make_move_iterator(m_waiting.begin()), std::make_move_iterator(end));
    m_waiting.erase(m_waiting.begin(), end);
    for (bool first = true;; first = false) {
      if (m_cut || (m_stop && !first)) {
        m_dropped += batch.size() + m_waiting.size();
        m_waiting.clear();
        break;
      }
      m_context->restart();  // with the lock: what the destructor stops stays so
      lock.unlock();
      const auto fate = send(batch);
      lock.lock();
      if (fate == Fate::taken) m_sent += batch.size();
      if (fate == Fate::refused) m_dropped += batch.size();
      if (fate != Fate::again) {
        rest = k_first_rest;
        break;
      }
      m_wake.wait_for(lock, rest, [this] { return m_stop; });
      rest = std::min<std::chrono::milliseconds>(2 * rest, m_options.longest_rest);
    }
  }
  m_ended = true;
  m_wake.notify_all();
}

TraceExporter::Fate TraceExporter::send(const std::vector<RequestTrace>& batch) {
  UnixRequest request;
  request.method = "POST";
  request.target = m_options.collector.address.path + "/v1/traces";
  request.headers = {{"Content-Type", "application/json"}};
  request.body = dump_json_line(otlp_request(batch, random_bits));
  auto fate = Fate::again;
  asio::co_spawn(*m_context, exchange(request), [&](const std::exception_ptr& failed, Fate told) {
    if (!failed) fate = told;
  });
  m_context->run();
  return fate;
}

asio::awaitable<TraceExporter::Fate> TraceExporter::exchange(const UnixRequest& request) const {
  UpstreamExchange upstream(m_options.collector, k_limits);
  const auto answer = co_await upstream.send(request);
  const auto body = co_await upstream.read_all();
  if (answer.status == 200) co_return Fate::taken;
  const bool is_busy = answer.status == 429 || answer.status == 502 || answer.status == 503 || answer.status == 504;
  co_return is_busy ? Fate::again : Fate::refused;
}

}  // namespace liftlock
