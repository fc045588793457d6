// Carries the bytes between sockets inside the namespace and the mirror outside: the one way that there is.
#pragma once

#include <poll.h>

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "offline/cut_off.hpp"
#include "offline/http_counter.hpp"

namespace liftlock::offline {

struct MirrorCounts {
  std::uint64_t connections = 0, failed_connections = 0;
  std::uint64_t received = 0, sent = 0;            ///< bytes, as seen from the command
  std::uint64_t hits = 0, misses = 0, errors = 0;  ///< answers below 400; 404, 410 and 451; others
  bool answers_known = true;                       ///< false: (part of) what passed was no plain HTTP
  std::map<std::string, std::uint64_t> missed;     ///< targets of misses; of more than k_max_missed only the number
  static constexpr std::size_t k_max_missed = 200;
};

class MirrorRelay {
 public:
  /// @param destinations one for each of the listening sockets that take() is called with
  /// @param plain whether what passes is HTTP without TLS, so that answers can be counted
  enum class Wire : std::uint8_t { http, tls };
  MirrorRelay(std::vector<Endpoint> destinations, Wire wire);
  ~MirrorRelay();

  /// Accepts what waits at a listening socket.
  void take(int listener, std::size_t index);
  /// Adds what it waits for.
  void prepare(std::vector<pollfd>& polls);
  /// After poll(2), with the very vector.
  void handle(const std::vector<pollfd>& polls);
  const MirrorCounts& counts() const { return m_counts; }

 private:
  struct Pair;
  void pump(Pair& pair, short inner_events, short outer_events);

  std::vector<Endpoint> m_destinations;
  Wire m_wire;
  MirrorCounts m_counts;
  std::list<Pair> m_pairs;
  std::size_t m_first = 0;  ///< of its entries in the vector of the last prepare()
};

}  // namespace liftlock::offline
