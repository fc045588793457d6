// The resolver of the namespace: it knows the mirror and the machine itself, and remembers who asks for anything else.
#pragma once

#include <poll.h>

#include <list>
#include <map>
#include <string>
#include <vector>

#include "net/address.hpp"
#include "offline/attempt.hpp"
#include "offline/call_watch.hpp"

namespace liftlock::offline {

class Resolver {
 public:
  /// @param known names, lower case, with their addresses
  Resolver(std::map<std::string, std::vector<IpAddress>> known, CallWatch& watch, Attempts& attempts);
  ~Resolver();

  /// Answers what waits at a UDP socket.
  void take_datagram(int socket);
  /// Accepts at a TCP socket.
  void take_stream(int listener);
  void prepare(std::vector<pollfd>& polls);
  void handle(const std::vector<pollfd>& polls);

 private:
  struct Stream;
  /// Empty: the query is none, and gets no answer.
  std::string answer(std::string_view query, std::uint16_t port);

  std::map<std::string, std::vector<IpAddress>> m_known;
  CallWatch& m_watch;
  Attempts& m_attempts;
  std::list<Stream> m_streams;
  std::size_t m_first = 0;
};

/// Is it the reverse look-up of an address of the loopback? Programs make it to greet themselves.
bool is_own_reverse(std::string_view name);

/// The names that this machine has for itself: its host name, alone and below the search domains of resolv.conf.
std::vector<std::string> own_names(std::string_view resolv_conf);

}  // namespace liftlock::offline
