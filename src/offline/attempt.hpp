// What a program did to reach something outside of the place it was put in.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace liftlock::offline {

enum class AttemptKind : std::uint8_t {
  connect,  ///< connect(2) to an address
  send,     ///< a datagram to an address
  name,     ///< the look-up of a name
  socket,   ///< a socket of a family that knows no network namespaces
  door,     ///< a Unix socket of a program that runs outside
};
std::string_view name_of(AttemptKind kind);

struct Attempt {
  AttemptKind kind = AttemptKind::connect;
  pid_t pid = 0;        ///< of the first time; 0: not known
  std::string program;  ///< path of the executable
  std::string command;  ///< its arguments, shortened
  std::string target;   ///< "192.0.2.1 port 443 (tcp)", "files.example", "/run/docker.sock"
  std::uint64_t times = 0;
};

/// Attempts in the order of their first time, those of one program at one target together. Bounded: of more than
/// k_max different ones only the number is kept.
class Attempts {
 public:
  static constexpr std::size_t k_max = 1000;

  void add(AttemptKind kind, pid_t pid, std::string target);
  /// One that nobody is known for is left out where somebody was seen to ask for the same.
  void add_unknown(AttemptKind kind, std::string target);

  const std::vector<Attempt>& all() const { return m_all; }
  std::uint64_t total() const { return m_total; }
  std::uint64_t left_out() const { return m_left_out; }
  bool empty() const { return m_total == 0; }

 private:
  std::vector<Attempt> m_all;
  std::map<std::tuple<AttemptKind, std::string, std::string>, std::size_t> m_index;
  std::uint64_t m_total = 0, m_left_out = 0;
};

}  // namespace liftlock::offline
