// OpenSSL contexts of the server and of its connections to others.
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

/// TLS 1.2 or 1.3 towards servers whose certificates are proved by these, and by nothing that the machine trusts
/// besides. Whoever connects sets the name that is expected. @param ca_file PEM. @throws Error{tls_invalid}
SslContext make_client_context(const fs::path& ca_file);

}  // namespace liftlock
