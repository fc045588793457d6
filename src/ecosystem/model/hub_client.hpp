// Low side: asks a Hugging Face Hub, or a mirror that speaks its protocol. There is no default host: the endpoint comes
// from the stack or from HF_ENDPOINT.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ecosystem/collector.hpp"
#include "ecosystem/model/hub_protocol.hpp"

namespace liftlock {

/// What the repositories are: a Hub keeps models and data sets apart (huggingface_hub constants.py, REPO_TYPES).
enum class HubKind : std::uint8_t { models, datasets };

class HubClient {
 public:
  /// @param endpoint "https://hub.example"; empty: HF_ENDPOINT. The token comes from HF_TOKEN, HF_TOKEN_PATH or
  /// $HF_HOME/token (default ~/.cache/huggingface/token) and is sent to the endpoint's origin only, and over plain http
  /// only to loopback.
  /// @throws Error{stack_invalid} without an endpoint
  HubClient(Downloader& downloader, std::string endpoint, std::string_view where, HubKind kind = HubKind::models);

  const std::string& endpoint() const { return m_endpoint; }
  /// @param revision a branch, tag or commit
  /// @throws Error{unresolvable} when repository or revision do not exist, are gated or private
  HubRevision revision(const std::string& repository, const std::string& revision) const;
  /// All files at a commit, sorted by path. @throws Error{unresolvable, schema_violation, path_unsafe}
  std::vector<HubFile> tree(const std::string& repository, const std::string& commit) const;
  /// Where a file at a commit is downloaded from.
  std::string resolve_url(const std::string& repository, const std::string& commit, const std::string& path) const;
  /// For a gated repository: may this token download? @throws Error{unresolvable} when not
  void require_access(const std::string& repository, const std::string& url) const;
  /// Authorization, when there is a token and the URL is of the endpoint's origin.
  std::vector<HttpHeader> headers(const std::string& url) const;

 private:
  Document get(const std::string& repository, const std::string& url) const;
  [[noreturn]] void refuse(const std::string& repository, const Document& answer) const;

  Downloader& m_downloader;
  std::string m_endpoint;
  HubKind m_kind;
  std::string m_token;
};

}  // namespace liftlock
