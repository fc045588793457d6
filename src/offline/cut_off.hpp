// A command in a user and network namespace of its own: an empty network in which only the loopback is up. There is no
// moment at which it has another: its process moves in before it becomes the command.
//
// What it tries all the same is seen through seccomp's user notification (seccomp_unotify(2)): connect, sendto with an
// address, sendmsg and sendmmsg wait until we have looked at the address. That is for naming, not for keeping: what
// keeps is the namespace. Privileges are never gained inside (no_new_privs), so that setuid programs run without them.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "net/address.hpp"
#include "os/fd.hpp"

namespace liftlock::offline {

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
};

struct CutOffSpec {
  std::vector<std::string> argv;  ///< argv[0] is looked up in PATH
  std::map<std::string, std::string> set_environment;
  std::vector<std::string> unset_environment;
  std::vector<Endpoint> listen;  ///< addresses that exist inside, with a listening TCP socket on each
  /// stdout goes to stderr, so that ours can be used for something else.
  enum class Output : std::uint8_t { inherited, all_to_stderr } output = Output::inherited;
};

/// The running command. It, and whatever it started, ends with this object and with our process. SIGINT and SIGQUIT are
/// ignored by our process as long as the object lives: a terminal's Ctrl-C is for the command. One at a time.
class CutOff {
 public:
  /// @throws Error{not_found} when there is no such program, Error{sandbox_unavailable} where the machine forbids such
  ///         namespaces or filters
  explicit CutOff(const CutOffSpec& spec);
  ~CutOff();
  CutOff(const CutOff&) = delete;
  CutOff& operator=(const CutOff&) = delete;

  /// Readable when the command and all that it started have ended.
  int ended() const { return m_ended.get(); }
  /// The exit status of the command (128 + signal); once, after ended().
  int wait();
  /// Ends it and all that it started; wait() for it.
  void kill();

  /// Of seccomp_unotify(2).
  int notifications() const { return m_notifications.get(); }
  /// Sockets of the namespace that are served by us: TCP at each of spec.listen.
  const std::vector<UniqueFd>& listeners() const { return m_listeners; }
  /// UDP and TCP, port 53 of 127.0.0.1 and, where there is IPv6, of ::1.
  const std::vector<UniqueFd>& dns_datagrams() const { return m_dns_datagrams; }
  const std::vector<UniqueFd>& dns_streams() const { return m_dns_streams; }
  /// NETLINK_SOCK_DIAG of the namespace.
  int socket_diagnosis() const { return m_diagnosis.get(); }

 private:
  void start(const CutOffSpec& spec, const std::string& program);
  void end();

  pid_t m_keeper = -1;
  struct sigaction m_interrupt {
  }, m_quit{};
  UniqueFd m_ended, m_notifications, m_diagnosis;
  std::vector<UniqueFd> m_listeners, m_dns_datagrams, m_dns_streams;
};

}  // namespace liftlock::offline
