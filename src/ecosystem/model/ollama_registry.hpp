// Low side: a model in a registry that `ollama pull` takes models from: its manifest, and where its blobs are. The
// protocol is that of OCI distribution, with the logins of registries of images (docs/formats/ollama.md).
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/collector.hpp"
#include "ecosystem/oci/registry_client.hpp"
#include "ecosystem/ollama/manifest.hpp"
#include "ecosystem/ollama/name.hpp"

namespace liftlock {

/// "ollama://[HOST/][NAMESPACE/]MODEL[:TAG]"
bool is_ollama_registry(std::string_view source);

class OllamaRegistry {
 public:
  /// @throws Error{stack_invalid}
  OllamaRegistry(std::string_view source, const StackEntry& entry, const CollectContext& context);

  const ollama::Name& name() const { return m_name; }
  const std::string& host() const { return m_name.host; }
  std::string manifest_url() const;
  std::string blob_url(const Digest& digest) const;
  /// For a download from there: the form of the manifest that Ollama asks for, and the login that the registry wants.
  /// The login goes to this model's addresses only. May be called from several threads.
  std::vector<HttpHeader> headers(std::string_view url) const;

  struct Model {
    std::string bytes;  ///< of the manifest
    ollama::Manifest manifest;
  };
  /// @throws Error{not_found, http_status, network, limit_exceeded, config_invalid}, and what ollama::parse_manifest()
  ///         throws
  Model model() const;

 private:
  Document ask_for_manifest() const;

  std::string m_where;
  ollama::Name m_name;
  std::unique_ptr<oci::RegistryClient> m_client;
  mutable std::once_flag m_asked;  ///< what login it wants
};

}  // namespace liftlock
