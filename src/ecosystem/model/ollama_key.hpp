// Low side: the key by which a registry of Ollama's makers knows a user, and the request for a token that it signs.
// Read in Ollama's source: auth/auth.go, server/auth.go. docs/formats/ollama.md, "Ollama's own key".
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "crypto/openssh_key.hpp"
#include "ecosystem/oci/registry_client.hpp"

namespace liftlock {

/// ~/.ollama/id_ed25519: of this user, whether it is there or not. It is only ever read; empty without a home folder.
std::filesystem::path ollama_key_file();
/// nullopt: there is none. @throws Error{config_invalid} where it is no such key, or cannot be read
std::optional<OpensshKey> ollama_key();

/// The request as Ollama makes it: the signature is over the whole address, which is different each time.
/// nullopt where the token server is not the registry itself: no other host is told who asks.
/// @param registry an address of the registry: "https://registry.example/v2/"
std::optional<oci::TokenRequest> signed_token_request(const OpensshKey& key, std::string_view registry,
                                                      const oci::Challenge& challenge, std::string_view scope);

}  // namespace liftlock
