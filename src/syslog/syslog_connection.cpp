#include "syslog/syslog_connection.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "net/tls.hpp"

namespace liftlock {
namespace {

constexpr int k_step_milliseconds = 5000;
constexpr auto k_confirm = std::chrono::seconds(10);
constexpr auto k_stands_after = std::chrono::milliseconds(250);
constexpr std::uint16_t k_syslog_tls_port = 6514;  // RFC 5425 section 4.1

[[noreturn]] void lost(std::string_view what) {
  ERR_clear_error();
  throw Error(
      ErrorCode::network, fmt::format("the collector of [audit] syslog: {}", what),
      "check the address, the network and the certificates; entries wait in the audit log, and nothing is lost");
}

[[noreturn]] void lost_tls(SSL* tls, std::string_view what) {
  const auto verified = SSL_get_verify_result(tls);
  if (verified != X509_V_OK) lost(fmt::format("{}: {}", what, X509_verify_cert_error_string(verified)));
  char text[256] = "the connection ended, or took too long";
  if (const auto code = ERR_peek_last_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
  lost(fmt::format("{}: {}", what, text));
}

[[noreturn]] void lost_errno(std::string_view what) {
  const int number = errno;
  lost(fmt::format("{}: {}", what, std::strerror(number)));
}

std::optional<IpAddress> ip_of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in&>(address).sin_addr, bytes.size());
    return IpAddress::v4(bytes);
  }
  if (address.sa_family != AF_INET6) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, bytes.size());
  return IpAddress::v6(bytes);
}

/// A blocking socket that is connected within the time for a step; an invalid one when it could not be.
UniqueFd connected(const addrinfo& to) {
  UniqueFd socket(::socket(to.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return socket;
  if (::connect(socket.get(), to.ai_addr, to.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return UniqueFd();
    pollfd wait{.fd = socket.get(), .events = POLLOUT, .revents = 0};
    int error = ETIMEDOUT;
    socklen_t size = sizeof error;
    if (::poll(&wait, 1, k_step_milliseconds) == 1) ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      errno = error;
      return UniqueFd();
    }
  }
  ::fcntl(socket.get(), F_SETFL, 0);
  const timeval step{.tv_sec = k_step_milliseconds / 1000, .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &step, sizeof step);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &step, sizeof step);
  return socket;
}

UniqueFd connect_socket(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) lost("the path of the socket is too long");
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval step{.tv_sec = k_step_milliseconds / 1000, .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &step, sizeof step);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    lost_errno(printable(path.string()));
  }
  return socket;
}

}  // namespace

std::optional<SyslogAddress> SyslogAddress::parse(std::string_view text) {
  constexpr std::string_view k_tls = "tls://", k_unix = "unix://";
  SyslogAddress out;
  if (text.starts_with(k_unix)) {
    out.socket = text.substr(k_unix.size());
    return out.socket.is_absolute() ? std::optional(out) : std::nullopt;
  }
  if (!text.starts_with(k_tls)) return std::nullopt;
  text.remove_prefix(k_tls.size());
  auto address = HttpAddress::parse(fmt::format("https://{}:{}", text, k_syslog_tls_port));
  if (!address) address = HttpAddress::parse(fmt::format("https://{}", text));
  if (!address || !address->path.empty()) return std::nullopt;
  out.host = address->host;
  out.port = address->port;
  return out;
}

std::shared_ptr<SSL_CTX> make_syslog_tls(const fs::path& ca_file, const std::optional<fs::path>& certificate,
                                         const std::optional<fs::path>& key) {
  auto context = make_client_context(ca_file);
  if (certificate.has_value() != key.has_value()) {
    fail(ErrorCode::tls_invalid, "config.toml: syslog_certificate and syslog_key of [audit] belong together");
  }
  if (certificate && (SSL_CTX_use_certificate_chain_file(context.get(), certificate->c_str()) != 1 ||
                      SSL_CTX_use_PrivateKey_file(context.get(), key->c_str(), SSL_FILETYPE_PEM) != 1 ||
                      SSL_CTX_check_private_key(context.get()) != 1)) {
    ERR_clear_error();
    fail(ErrorCode::tls_invalid, "the certificate '{}' and the key '{}' cannot be used",
         printable(certificate->string()), printable(key->string()));
  }
  return {context.release(), FreeSslContext()};
}

SyslogConnection::SyslogConnection(const SyslogTarget& target) : m_tls(nullptr, &SSL_free) {
  if (target.address.host.empty()) {
    m_socket = connect_socket(target.address.socket);
  } else {
    connect_host(target);
  }
}

void SyslogConnection::connect_host(const SyslogTarget& target) {
  const auto& host = target.address.host;
  const addrinfo hints{.ai_flags = AI_NUMERICSERV, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  const int result = ::getaddrinfo(host.c_str(), std::to_string(target.address.port).c_str(), &hints, &found);
  if (result != 0) lost(fmt::format("{}: {}", printable(host), ::gai_strerror(result)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, &::freeaddrinfo);
  bool allowed = false;
  for (const auto* at = found; at != nullptr && !m_socket.valid(); at = at->ai_next) {
    // What is connected to is compared, not the name.
    const auto ip = ip_of(*at->ai_addr);
    if (!ip || !target.networks->contain(*ip)) continue;
    allowed = true;
    m_socket = connected(*at);
  }
  if (!allowed) {
    throw Error(ErrorCode::forbidden,
                fmt::format("the collector of [audit] syslog, {}, is in none of the allowed networks", printable(host)),
                "add its network to networks under [gateway] of config.toml");
  }
  if (!m_socket.valid()) lost_errno(fmt::format("connect to {} port {}", printable(host), target.address.port));
  m_tls.reset(SSL_new(target.tls.get()));
  if (!m_tls || SSL_set_fd(m_tls.get(), m_socket.get()) != 1) lost("TLS cannot be set up");
  auto* parameters = SSL_get0_param(m_tls.get());
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const bool named = IpAddress::parse(host) ? X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1
                                            : SSL_set1_host(m_tls.get(), host.c_str()) == 1 &&
                                                  SSL_set_tlsext_host_name(m_tls.get(), host.c_str()) == 1;
  if (!named) lost("its name cannot be compared with a certificate");
  ERR_clear_error();
  if (SSL_connect(m_tls.get()) != 1) lost_tls(m_tls.get(), "TLS with " + printable(host));
}

SyslogConnection::~SyslogConnection() {
  if (m_tls) SSL_shutdown(m_tls.get());
  ERR_clear_error();
}

void SyslogConnection::write(std::string_view bytes) {
  if (!m_tls) {
    if (::send(m_socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) lost_errno("send");
    return;
  }
  ERR_clear_error();
  if (SSL_write(m_tls.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0) lost_tls(m_tls.get(), "send");
}

void SyslogConnection::send(std::string_view message) {
  write(m_tls ? fmt::format("{} {}", message.size(), message) : std::string(message));
}

bool SyslogConnection::stands() {
  if (!m_tls) return true;
  pollfd look{.fd = m_socket.get(), .events = POLLIN | POLLRDHUP, .revents = 0};
  if (::poll(&look, 1, 0) == 0) return true;
  if ((look.revents & (POLLRDHUP | POLLERR | POLLHUP)) != 0) return false;
  // Session tickets come by themselves; what a collector says is thrown away.
  ::fcntl(m_socket.get(), F_SETFL, O_NONBLOCK);
  char ignored[4096];
  ERR_clear_error();
  int got = 0;
  do {
    got = SSL_read(m_tls.get(), ignored, sizeof ignored);
  } while (got > 0);
  const bool waits = SSL_get_error(m_tls.get(), got) == SSL_ERROR_WANT_READ;
  ::fcntl(m_socket.get(), F_SETFL, 0);
  ERR_clear_error();
  return waits;
}

void SyslogConnection::confirm() {
  if (!m_tls) return;
  const auto end = std::chrono::steady_clock::now() + k_confirm;
  for (int waiting = 1; waiting > 0;) {
    if (::ioctl(m_socket.get(), SIOCOUTQ, &waiting) != 0) lost_errno("ask what is under way");
    if (waiting == 0) break;
    if (!stands()) lost("it ended the connection");
    if (std::chrono::steady_clock::now() > end) lost("it does not take what is sent");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  // A collector that fell over answers with a reset.
  std::this_thread::sleep_for(k_stands_after);
  if (!stands()) lost("it ended the connection");
}

}  // namespace liftlock
