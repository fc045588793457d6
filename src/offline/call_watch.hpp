// Answers the notifications of a command that is cut off: what stays inside goes on, what would leave is refused at
// once and remembered with the program and the address.
#pragma once

#include <linux/seccomp.h>
#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "offline/attempt.hpp"
#include "offline/cut_off.hpp"
#include "offline/socket_address.hpp"

namespace liftlock::offline {

class CallWatch {
 public:
  struct Settings {
    int notifications = -1;
    int diagnosis = -1;
    std::vector<Endpoint> inside;            ///< what can be reached inside, besides the loopback
    std::vector<std::string> allowed_doors;  ///< paths of Unix sockets outside that may be used
  };
  CallWatch(Settings settings, Attempts& attempts);

  /// Answers one notification; blocks until there is one.
  void handle();
  /// The process that asks the resolver from this port; 0: not known.
  pid_t who_asks(std::uint16_t port);
  /// Doors that were used: path, and how often.
  const std::map<std::string, std::uint64_t>& used_doors() const { return m_used_doors; }

 private:
  struct Call;
  struct Verdict;
  Verdict judge(const Call& call);
  Verdict judge_address(const Call& call, const GivenAddress& address, AttemptKind kind, std::string_view payload);
  Verdict judge_connect(const Call& call);
  Verdict judge_message(const Call& call, std::uint64_t address);
  Verdict judge_door(const Call& call, const GivenAddress& address);
  Verdict connect_to_resolver(const Call& call, const GivenAddress& address);
  bool stays_inside(const IpAddress& address, std::uint16_t port) const;
  void remember(std::uint16_t port, pid_t process);

  Settings m_settings;
  Attempts& m_attempts;
  seccomp_notif_sizes m_sizes{};
  std::vector<std::uint64_t> m_request, m_response;  ///< of the kernel's sizes; 64-bit for their alignment
  std::map<std::uint16_t, pid_t> m_askers;
  std::map<std::string, std::uint64_t> m_used_doors;
};

}  // namespace liftlock::offline
