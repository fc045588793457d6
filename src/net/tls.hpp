// OpenSSL contexts for the server, behind one function.
#pragma once

#include <openssl/types.h>

#include <memory>

#include "net/server.hpp"

namespace liftlock {

struct FreeSslContext {
  void operator()(SSL_CTX* context) const;
};
using SslContext = std::unique_ptr<SSL_CTX, FreeSslContext>;

/// Reads certificate and key and checks that they belong together. @throws Error{tls_invalid}
SslContext make_server_context(const TlsSettings& settings);

}  // namespace liftlock
