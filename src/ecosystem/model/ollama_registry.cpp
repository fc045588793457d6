#include "ecosystem/model/ollama_registry.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/model/ollama_key.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_scheme = "ollama://";

HttpHeader accept_manifest() {
  return {"Accept", std::string(ollama::media::manifest)};
}

fs::path authfile(const StackEntry& entry, const CollectContext& context) {
  const auto named = entry.text("authfile");
  return named.empty() ? fs::path() : context.stack_folder / named;
}

}  // namespace

bool is_ollama_registry(std::string_view source) {
  return source.starts_with(k_scheme);
}

OllamaRegistry::OllamaRegistry(std::string_view source, const StackEntry& entry, const CollectContext& context)
    : m_where(entry.where()) {
  try {
    m_name = ollama::parse_name(source.substr(k_scheme.size()));
  } catch (const Error& error) {
    throw Error(ErrorCode::stack_invalid, fmt::format("{}: {}", m_where, error.what()),
                "write ollama://HOST/NAMESPACE/MODEL:TAG, or ollama://MODEL:TAG as `ollama pull` takes it");
  }
  // Read when a registry asks for it, and not before.
  const auto proof = [this](const oci::Challenge& challenge,
                            std::string_view scope) -> std::optional<oci::TokenRequest> {
    const auto key = ollama_key();
    return key ? signed_token_request(*key, m_client->url(""), challenge, scope) : std::nullopt;
  };
  using Scheme = oci::RegistryAddress::Scheme;
  m_client = std::make_unique<oci::RegistryClient>(
      context.downloader,
      oci::RegistryAddress{.host = m_name.host,
                           .repository = m_name.space + "/" + m_name.model,
                           .scheme = entry.flag("insecure", false) ? Scheme::http : Scheme::https},
      oci::credential_files(authfile(entry, context)), proof);
}

std::string OllamaRegistry::manifest_url() const {
  return m_client->url("manifests/" + m_name.tag);
}

std::string OllamaRegistry::blob_url(const Digest& digest) const {
  return m_client->url("blobs/" + digest.text());
}

Document OllamaRegistry::ask_for_manifest() const {
  std::error_code ignored;
  const auto own = ollama_key_file();
  const bool has_own = !own.empty() && fs::exists(own, ignored);
  const auto hint = fmt::format(
      "where a login is wanted: `skopeo login {}`, or name the credentials with authfile; where Ollama's own key opens "
      "it: {}; or let Ollama pull it, and take it from its store: source = \"ollama:{}\"",
      m_name.host,
      has_own ? "~/.ollama/id_ed25519.pub has to be among the keys of your account there"
              : "there is none at ~/.ollama/id_ed25519, where `ollama serve` makes one",
      m_name.text());
  try {
    auto answer =
        m_client->get("manifests/" + m_name.tag, {accept_manifest()}, ollama::k_max_manifest_bytes, {403, 404});
    if (answer.status != 403) return answer;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::http_status) throw;
    throw Error(error.code(), fmt::format("{}: {}", m_where, error.what()), hint);
  }
  throw Error(ErrorCode::http_status,
              fmt::format("{}: {} does not hand out '{}' (403)", m_where, m_name.host, m_name.text()), hint);
}

std::vector<HttpHeader> OllamaRegistry::headers(std::string_view url) const {
  std::vector<HttpHeader> out{accept_manifest()};
  // A lock that was edited must not send the login elsewhere.
  if (!url.starts_with(m_client->url(""))) return out;
  // By the manifest, as Ollama does: not every registry that it pulls from answers to /v2/ alone.
  std::call_once(m_asked, [&] { (void)ask_for_manifest(); });
  for (auto& header : m_client->authorization()) out.push_back(std::move(header));
  return out;
}

OllamaRegistry::Model OllamaRegistry::model() const {
  const auto answer = ask_for_manifest();
  if (answer.status == 404) {
    throw Error(ErrorCode::not_found, fmt::format("{}: {} has no model '{}'", m_where, m_name.host, m_name.text()),
                "look at its name and tag with `ollama pull`");
  }
  Model out{answer.body, with_context(fmt::format("{}: while reading what {} answered", m_where, manifest_url()),
                                      [&] { return ollama::parse_manifest(answer.body); })};
  return out;
}

}  // namespace liftlock
