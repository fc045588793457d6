// The client of a peer's mirror: documents whole, blobs piece by piece, on the caller's thread. Talks to the one
// address that it was given; follows no redirects. The peer is not trusted.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "net/upstream.hpp"

namespace liftlock {

struct Peer {
  RemoteServer server;
  std::string token;                      ///< sent as a bearer token; empty: none
  std::chrono::milliseconds patience{0};  ///< for the head of an answer, and for each 64 KiB of its body
};

/// For one thread; its connection is kept between requests.
class PeerConnection {
 public:
  explicit PeerConnection(const Peer& peer) : m_peer(peer), m_context(1) {}

  /// The whole body of /sync/TARGET.
  /// @throws Error{network} when five connections in a row bring nothing, also because the peer is too slow, or all of
  ///         them bring less than 64 KiB in five times its patience;
  ///         Error{limit_exceeded, not_found, unauthorized, http_status, tls_invalid}
  std::string document(const std::string& target, std::uint64_t max_bytes);

  /// The rest of a blob into its part: an open file, which is read and written, and may hold a beginning. All of its
  /// bytes are hashed. @param progress is told of bytes as they come; may be empty
  /// @throws as document; Error{size_mismatch}, Error{digest_mismatch} with an empty part
  void blob(const Digest& digest, std::uint64_t size, int part, const std::function<void(std::uint64_t)>& progress);

 private:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  void get(const std::string& target, const Headers& headers, const std::function<void(const UnixResponse&)>& on_head,
           const std::function<void(std::string_view)>& take);

  void range(const Digest& digest, std::uint64_t from, std::uint64_t size, const std::function<void()>& start_over,
             const std::function<void(std::string_view)>& take);

  const Peer& m_peer;
  boost::asio::io_context m_context;
};

}  // namespace liftlock
