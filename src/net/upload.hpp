// One request to a server on another machine whose body is made while it goes, so that memory does not grow with it: a
// wheel of gigabytes inside of a multipart form, a tarball as base64 inside of JSON. The other end is not trusted.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string_view>

#include "net/upstream.hpp"

namespace liftlock {

class RequestBody {
 public:
  virtual ~RequestBody() = default;
  /// Bytes of the whole body: its Content-Length.
  virtual std::uint64_t size() const = 0;
  /// The next piece; valid until the next call. Empty at the end. What it throws ends the exchange.
  virtual std::string_view next() = 0;
};

/// On a connection of its own, once. An answer that comes before the whole body went is the answer, and ends the
/// sending: who refuses need not read on.
/// @param request its own body is empty
/// @throws Error as UpstreamExchange does; what body.next() throws; Error{internal} when the body does not have its
///         size
asio::awaitable<UnixResponse> upload(const RemoteServer& server, const UnixRequest& request, RequestBody& body,
                                     const UnixClientLimits& limits);

}  // namespace liftlock
