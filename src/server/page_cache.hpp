// Documents that routes make (indexes, packuments, simple pages), kept so that each is made once for a state of the
// catalog and then sent from memory.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/http.hpp"

namespace liftlock {

/// Belongs to one MirrorState, and goes with it. The least recently asked for leave first. Any thread.
class PageCache {
 public:
  /// @param max_bytes of bodies and what they need beside, in all; what is larger than an eighth of it is not kept
  explicit PageCache(std::uint64_t max_bytes = 64u << 20) : m_max_bytes(max_bytes) {}

  /// What `make` answered to the same GET or HEAD before, else what it answers now. Kept is what a route may say of
  /// nobody in particular: a 200 with an ETag, a text made for it, nothing to audit, and a Vary (RFC 9110 §12.5.5) of
  /// Accept, Host and X-Forwarded-Proto at most. Two that ask at once may both have it made.
  HttpResponse answer(const HttpRequest& request, const std::function<HttpResponse()>& make);

  std::uint64_t bytes() const;

 private:
  struct Page {
    std::string key;
    std::vector<std::pair<std::string, std::string>> headers;
    std::shared_ptr<const std::string> body;
    std::uint64_t bytes = 0;
  };
  using Pages = std::list<Page>;

  void keep(std::string key, HttpResponse& response);
  void drop(Pages::iterator page);

  const std::uint64_t m_max_bytes;
  mutable std::mutex m_mutex;
  std::uint64_t m_bytes = 0;
  Pages m_pages;  ///< asked for last first
  std::unordered_map<std::string_view, Pages::iterator> m_by_key;
};

}  // namespace liftlock
