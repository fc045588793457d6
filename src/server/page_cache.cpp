#include "server/page_cache.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace liftlock {
namespace {

/// What routes may make their documents depend on, beside path and query.
constexpr std::array<std::string_view, 3> k_varies = {"accept", "host", "x-forwarded-proto"};
constexpr std::uint64_t k_overhead = 512;  ///< of an entry, beside its texts

/// No part of a request holds a line's end. That there is a user is told apart, not who: where tokens are asked for
/// each has one.
std::string key_of(const HttpRequest& request) {
  std::string key;
  key.reserve(256);
  key.append(request.raw_path).append("\n").append(request.query);
  for (const auto name : k_varies) key.append("\n").append(request.header ? request.header(name) : std::string_view());
  return key.append(request.user.empty() ? "" : "\nuser");
}

std::string_view header_of(const HttpResponse& response, std::string_view name) {
  for (const auto& [each, value] : response.headers) {
    if (each == name) return value;
  }
  return {};
}

bool may_be_kept(const HttpResponse& response) {
  if (response.status != 200 || response.live || !response.audit_subject.empty()) return false;
  // What is shared already costs its route nothing.
  if (!std::holds_alternative<std::string>(response.body) || header_of(response, "ETag").empty()) return false;
  const auto names = split(header_of(response, "Vary"), ',');
  return std::all_of(names.begin(), names.end(), [](std::string_view name) {
    const auto wanted = to_lower(trim(name));
    return wanted.empty() || std::find(k_varies.begin(), k_varies.end(), wanted) != k_varies.end();
  });
}

}  // namespace

HttpResponse PageCache::answer(const HttpRequest& request, const std::function<HttpResponse()>& make) {
  if (request.method != "GET" && request.method != "HEAD") return make();
  auto key = key_of(request);
  {
    const std::lock_guard lock(m_mutex);
    if (const auto found = m_by_key.find(key); found != m_by_key.end()) {
      m_pages.splice(m_pages.begin(), m_pages, found->second);
      HttpResponse response;
      response.headers = found->second->headers;
      response.body = found->second->body;
      return response;
    }
  }
  auto response = make();
  if (may_be_kept(response)) keep(std::move(key), response);
  return response;
}

std::uint64_t PageCache::bytes() const {
  const std::lock_guard lock(m_mutex);
  return m_bytes;
}

void PageCache::keep(std::string key, HttpResponse& response) {
  const auto size = std::get<std::string>(response.body).size() + key.size() + k_overhead;
  if (size > m_max_bytes / 8) return;
  auto body = std::make_shared<const std::string>(std::move(std::get<std::string>(response.body)));
  response.body = body;
  const std::lock_guard lock(m_mutex);
  if (const auto found = m_by_key.find(key); found != m_by_key.end()) drop(found->second);
  m_pages.push_front({std::move(key), response.headers, std::move(body), size});
  m_by_key.emplace(m_pages.front().key, m_pages.begin());
  m_bytes += size;
  while (m_bytes > m_max_bytes) drop(std::prev(m_pages.end()));
}

void PageCache::drop(Pages::iterator page) {
  m_bytes -= page->bytes;
  m_by_key.erase(page->key);
  m_pages.erase(page);
}

}  // namespace liftlock
