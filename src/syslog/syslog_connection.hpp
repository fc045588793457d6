// A connection to the site's collector: TLS over TCP (RFC 5425) or a datagram socket of this machine. Blocking, with
// bounds on each step; for one thread at a time. Nothing that the peer sends is used.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/address.hpp"
#include "os/file.hpp"

namespace liftlock {

struct SyslogAddress {
  std::string host;        ///< a name, or an address without brackets; empty: a socket of this machine
  std::uint16_t port = 0;  ///< 6514 where none was written
  fs::path socket;

  /// "tls://HOST[:PORT]" or "unix:///PATH"; nullopt for anything else.
  static std::optional<SyslogAddress> parse(std::string_view text);
};

struct SyslogTarget {
  SyslogAddress address;
  std::shared_ptr<const Networks> networks;  ///< what is connected to lies in one of these
  std::shared_ptr<SSL_CTX> tls;              ///< for a host
};
/// A context for SyslogTarget. @throws Error{tls_invalid}
std::shared_ptr<SSL_CTX> make_syslog_tls(const fs::path& ca_file, const std::optional<fs::path>& certificate,
                                         const std::optional<fs::path>& key);

class SyslogConnection {
 public:
  /// Connects, and proves who answers. @throws Error{network, forbidden}
  explicit SyslogConnection(const SyslogTarget& target);
  /// Says that nothing follows, without waiting.
  ~SyslogConnection();
  SyslogConnection(const SyslogConnection&) = delete;
  SyslogConnection& operator=(const SyslogConnection&) = delete;

  /// One message. @throws Error{network}
  void send(std::string_view message);
  /// Returns once the peer's kernel has all that was sent, and the connection still stands a moment later.
  /// @throws Error{network}
  void confirm();
  /// Has the peer not ended the connection, as far as is known?
  bool stands();

 private:
  void connect_host(const SyslogTarget& target);
  void write(std::string_view bytes);

  UniqueFd m_socket;
  std::unique_ptr<SSL, void (*)(SSL*)> m_tls;
};

}  // namespace liftlock
