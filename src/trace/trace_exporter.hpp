// Sends traces of requests to a collector that speaks OTLP over HTTP, from a thread of its own. What the collector does
// not take is kept for a while, then dropped and counted: no request ever waits for it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/upstream.hpp"
#include "trace/request_trace.hpp"

namespace boost::asio {
class io_context;
}

namespace liftlock {

struct TraceExporterOptions {
  RemoteServer collector;  ///< its path, and "/v1/traces"
  std::size_t queue = 4096;
  std::size_t batch = 256;
  std::chrono::milliseconds gather{1000};          ///< how long a batch waits for more
  std::chrono::milliseconds longest_rest{30'000};  ///< after a failure: a second, then twice as long each time
};

class TraceExporter {
 public:
  explicit TraceExporter(TraceExporterOptions options);
  /// Sends what waits, for a second at most.
  ~TraceExporter();
  TraceExporter(const TraceExporter&) = delete;
  TraceExporter& operator=(const TraceExporter&) = delete;

  /// Any thread; never blocks. A request whose client says that its trace is not sampled is left out.
  void add(RequestTrace trace);
  std::uint64_t sent() const { return m_sent; }
  std::uint64_t dropped() const { return m_dropped; }
  /// Prometheus text format.
  std::string metrics() const;

 private:
  /// What became of a batch.
  enum class Fate : std::uint8_t { taken, refused, again };
  void run();
  Fate send(const std::vector<RequestTrace>& batch);
  asio::awaitable<Fate> exchange(const UnixRequest& request) const;

  const TraceExporterOptions m_options;
  std::atomic<std::uint64_t> m_sent = 0, m_dropped = 0;
  std::unique_ptr<asio::io_context> m_context;  ///< of one exchange at a time; keeps the connection
  std::mutex m_mutex;
  std::condition_variable m_wake;
  std::vector<RequestTrace> m_waiting;
  bool m_stop = false;  ///< send what waits, then end
  bool m_cut = false;   ///< end now
  bool m_ended = false;
  std::thread m_thread;
};

}  // namespace liftlock
