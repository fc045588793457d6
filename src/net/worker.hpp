// Inside of net: a thread of the server, and what it knows of the connections that it owns. Everything here runs on
// that thread.
#pragma once

#include <atomic>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <ctime>
#include <list>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "net/address.hpp"
#include "net/server.hpp"
#include "net/transport.hpp"

namespace liftlock::net_detail {

/// Bytes of bodies that are being read or handled. One peer (network_of_peer) has at most half of them, or it could
/// keep all others out; but for k_local_peer, behind which nobody else is.
class BodyBytes {
 public:
  /// @param most of all peers together @return false: there is not so much left; then nothing changed
  bool take(const std::string& peer, std::uint64_t bytes, std::uint64_t most) {
    const auto network = network_of_peer(peer);
    const std::lock_guard lock(m_mutex);
    const auto found = m_of_peer.find(network);
    const auto of_peer = bytes + (found == m_of_peer.end() ? 0 : found->second);
    if (m_all + bytes > most || of_peer > (peer == k_local_peer ? most : most / 2)) return false;
    m_all += bytes;
    m_of_peer[network] = of_peer;
    return true;
  }
  /// What it took.
  void give_back(const std::string& peer, std::uint64_t bytes) {
    const auto network = network_of_peer(peer);
    const std::lock_guard lock(m_mutex);
    m_all -= bytes;
    const auto found = m_of_peer.find(network);
    found->second -= bytes;
    if (found->second == 0) m_of_peer.erase(found);
  }

 private:
  std::mutex m_mutex;
  std::uint64_t m_all = 0;
  std::map<std::string, std::uint64_t> m_of_peer;
};

/// What all workers share; constant but for the counters.
struct Shared {
  HttpServerOptions options;
  HttpHandler handler;
  std::atomic<std::size_t> connections = 0;
  BodyBytes body_bytes;
};

class SessionBase;

struct Worker {
  explicit Worker(Shared& shared_state) : shared(shared_state), sweep_timer(context), m_client_timer(context) {}

  /// The value of Date, made once a second.
  const std::string& date();
  /// For HttpRequest::id.
  std::string new_request_id();
  /// Looks at every deadline, again and again.
  void start_sweeping();
  /// Closes what is idle; what runs will end with its answer.
  void begin_stop();
  /// Answers that are made while clients wait end now, and say why.
  void cut_live();
  /// From begin to end the session's client is watched, and stop_live() is called at its end.
  using LivePlace = std::list<SessionBase*>::iterator;
  LivePlace begin_live(SessionBase* session);
  void end_live(LivePlace place);
  void close_all();

  Shared& shared;
  std::list<SessionBase*> sessions;  // before context: dying sessions leave it
  bool stopping = false, cuts_live = false;
  asio::io_context context{1};
  asio::steady_timer sweep_timer;
  std::thread thread;

 private:
  void look_at_clients();

  std::list<SessionBase*> m_lives;
  asio::steady_timer m_client_timer;
  bool m_looks_at_clients = false;
  std::mt19937_64 m_ids{std::random_device()()};  ///< told apart, not guarded: ids are no secrets
  std::string m_date;
  std::time_t m_date_second = 0;
};

class SessionBase {
 public:
  explicit SessionBase(Worker& worker);
  virtual ~SessionBase();
  SessionBase(const SessionBase&) = delete;
  SessionBase& operator=(const SessionBase&) = delete;

  /// The pending operation ends with an error.
  virtual void cancel() = 0;
  virtual void close() = 0;
  /// Of a session whose answer is live.
  virtual void stop_live() = 0;
  /// Calls stop_live() when the client left.
  virtual void watch_client() = 0;

  Deadline deadline;
  bool idle = false;                             ///< waits for the first byte of a request
  asio::cancellation_signal* stopped = nullptr;  ///< of the session's coroutine

 protected:
  Worker& m_worker;

 private:
  std::list<SessionBase*>::iterator m_place;
};

}  // namespace liftlock::net_detail
