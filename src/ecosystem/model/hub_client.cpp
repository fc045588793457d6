#include "ecosystem/model/hub_client.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/rel_path.hpp"
#include "base/text.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_pages = 1000;
constexpr std::size_t k_max_files = 100'000;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(trim(value));
}

std::string find_token() {
  for (const auto* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    if (auto token = environment(name); !token.empty()) return token;
  }
  fs::path file = environment("HF_TOKEN_PATH");
  if (file.empty() && !environment("HF_HOME").empty()) file = fs::path(environment("HF_HOME")) / "token";
  if (file.empty() && !environment("HOME").empty()) file = fs::path(environment("HOME")) / ".cache/huggingface/token";
  if (file.empty() || !fs::exists(file)) return {};
  return std::string(trim(read_file(file, 4096)));
}

bool is_loopback(std::string_view origin) {
  return origin.starts_with("http://127.") || origin.starts_with("http://localhost") ||
         origin.starts_with("http://[::1]");
}

std::string_view api_name(HubKind kind) {
  return kind == HubKind::datasets ? "datasets" : "models";
}

}  // namespace

HubClient::HubClient(Downloader& downloader, std::string endpoint, std::string_view where, HubKind kind)
    : m_downloader(downloader),
      m_endpoint(endpoint.empty() ? environment("HF_ENDPOINT") : std::move(endpoint)),
      m_kind(kind) {
  while (m_endpoint.ends_with('/')) m_endpoint.pop_back();
  if (m_endpoint.empty()) {
    throw Error(ErrorCode::stack_invalid, fmt::format("{}: no Hub is configured", where),
                "set HF_ENDPOINT to the address of the Hub or of your mirror of it, or give `endpoint` in the stack");
  }
  if (!is_url(m_endpoint))
    fail(ErrorCode::stack_invalid, "{}: the endpoint '{}' is no URL", where, printable(m_endpoint));
  refuse_credentials(m_endpoint, where);
  const auto origin = origin_of_url(m_endpoint);
  if (origin.starts_with("https://") || is_loopback(origin)) m_token = find_token();
}

std::vector<HttpHeader> HubClient::headers(const std::string& url) const {
  if (m_token.empty() || origin_of_url(url) != origin_of_url(m_endpoint)) return {};
  return {{"Authorization", "Bearer " + m_token}};
}

void HubClient::refuse(const std::string& repository, const Document& answer) const {
  const auto code = answer.header("x-error-code").value_or("");
  if (answer.status == 404 && code == "RevisionNotFound") {
    throw Error(ErrorCode::unresolvable, fmt::format("{} has no such revision", repository), "check `revision`");
  }
  if (answer.status == 404) {
    throw Error(ErrorCode::unresolvable, fmt::format("{} does not exist at {}", repository, m_endpoint),
                "check its spelling");
  }
  const auto what = code == "GatedRepo" ? "is gated" : "is gated, private or does not exist";
  throw Error(ErrorCode::unresolvable, fmt::format("{} {}: the Hub answered {}", repository, what, answer.status),
              m_token.empty()
                  ? "accept its terms in a browser, then set HF_TOKEN to a token that may read it"
                  : "accept its terms in a browser with the account of your token, which has no access yet");
}

Document HubClient::get(const std::string& repository, const std::string& url) const {
  auto answer = m_downloader.get({.url = url, .headers = headers(url), .accepted_status = {200, 401, 403, 404}});
  if (answer.status != 200) refuse(repository, answer);
  return answer;
}

HubRevision HubClient::revision(const std::string& repository, const std::string& revision) const {
  // A branch may hold slashes: refs/pr/1.
  std::string escaped;
  for (const char c : encode_percent_path(revision)) escaped += c == '/' ? std::string("%2F") : std::string(1, c);
  const auto url = fmt::format("{}/api/{}/{}/revision/{}", m_endpoint, api_name(m_kind), repository, escaped);
  return parse_hub_revision(get(repository, url).body);
}

std::vector<HubFile> HubClient::tree(const std::string& repository, const std::string& commit) const {
  std::vector<HubFile> files;
  auto url = fmt::format("{}/api/{}/{}/tree/{}?recursive=true", m_endpoint, api_name(m_kind), repository, commit);
  for (std::size_t page = 0; !url.empty(); ++page) {
    if (page == k_max_pages)
      fail(ErrorCode::limit_exceeded, "{}: more than {} pages of files", repository, k_max_pages);
    const auto answer = get(repository, url);
    for (auto& file : parse_hub_tree(answer.body)) files.push_back(std::move(file));
    if (files.size() > k_max_files) fail(ErrorCode::limit_exceeded, "{}: more than {} files", repository, k_max_files);
    auto next = next_link(answer.header("link").value_or("")).value_or("");
    if (next.starts_with('/')) next = origin_of_url(m_endpoint) + next;
    if (!next.empty() && origin_of_url(next) != origin_of_url(m_endpoint)) {
      fail(ErrorCode::schema_violation, "{}: the list of files goes on at another host", repository);
    }
    url = next;
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  const auto twice =
      std::adjacent_find(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path == b.path; });
  if (twice != files.end())
    fail(ErrorCode::schema_violation, "{}: '{}' is listed twice", repository, printable(twice->path));
  return files;
}

std::string HubClient::resolve_url(const std::string& repository, const std::string& commit,
                                   const std::string& path) const {
  return fmt::format("{}/{}{}/resolve/{}/{}", m_endpoint, m_kind == HubKind::datasets ? "datasets/" : "", repository,
                     commit, encode_percent_path(path));
}

void HubClient::require_access(const std::string& repository, const std::string& url) const {
  const auto answer =
      m_downloader.get({.url = url, .headers = headers(url), .head = true, .accepted_status = {200, 401, 403, 404}});
  if (answer.status != 200) refuse(repository, answer);
}

}  // namespace liftlock
