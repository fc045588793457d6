#include "net/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cstring>
#include <string_view>

#include "base/error.hpp"

namespace liftlock {
namespace {

[[noreturn]] void fail_tls(std::string_view what) {
  char text[256] = "unknown reason";
  const auto code = ERR_peek_last_error();
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  fail(ErrorCode::tls_invalid, "{}: {}", what, text);
}

constexpr std::string_view k_http11 = "\x08http/1.1";

int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                    void*) {
  unsigned char* chosen = nullptr;
  const auto* ours = reinterpret_cast<const unsigned char*>(k_http11.data());
  if (SSL_select_next_proto(&chosen, out_size, ours, static_cast<unsigned>(k_http11.size()), in, in_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/// A key with a passphrase must fail, not ask on the terminal.
int refuse_passphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

void FreeSslContext::operator()(SSL_CTX* context) const {
  SSL_CTX_free(context);
}

SslContext make_server_context(const TlsSettings& settings) {
  const char* query = settings.property_query.empty() ? nullptr : settings.property_query.c_str();
  SslContext context(SSL_CTX_new_ex(nullptr, query, TLS_server_method()));
  if (!context) fail_tls("set up TLS");
  auto* raw = context.get();
  const bool old = settings.minimum == TlsSettings::Minimum::tls12;
  SSL_CTX_set_min_proto_version(raw, old ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) fail_tls("choose ciphers");
  SSL_CTX_set_alpn_select_cb(raw, select_protocol, nullptr);
  SSL_CTX_set_default_passwd_cb(raw, refuse_passphrase);
  if (SSL_CTX_use_certificate_chain_file(raw, settings.certificate.c_str()) != 1) {
    fail_tls("read the certificate " + settings.certificate.string());
  }
  if (SSL_CTX_use_PrivateKey_file(raw, settings.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    fail_tls("read the key " + settings.key.string());
  }
  if (SSL_CTX_check_private_key(raw) != 1) fail_tls("the key does not belong to the certificate");
  return context;
}

namespace {

void require_file(const fs::path& file, std::string_view what) {
  std::error_code ignored;
  if (fs::is_regular_file(file, ignored)) return;
  throw Error(ErrorCode::tls_invalid, fmt::format("{}: '{}' is no file that can be read", what, file.string()),
              "correct the path, and look at the rights of its folders");
}

}  // namespace

SslContext make_client_context(const fs::path& ca_file) {
  SslContext context(SSL_CTX_new(TLS_client_method()));
  if (!context) fail_tls("set up TLS");
  auto* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) fail_tls("choose ciphers");
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  require_file(ca_file, "the CA certificates");
  if (SSL_CTX_load_verify_file(raw, ca_file.c_str()) != 1) fail_tls("read the CA certificates " + ca_file.string());
  return context;
}

}  // namespace liftlock
