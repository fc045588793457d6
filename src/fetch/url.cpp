#include "fetch/url.hpp"

#include <curl/curl.h>

#include <memory>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, FreeUrl>;

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

Url parse(const std::string& text) {
  Url url(curl_url());
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return nullptr;
  return url;
}

}  // namespace

bool UrlParts::same_origin(const UrlParts& other) const {
  return scheme == other.scheme && to_lower(host) == to_lower(other.host) && port == other.port;
}

UrlParts parse_url(const std::string& text) {
  const auto url = parse(text);
  if (!url) fail(ErrorCode::network, "'{}' is no URL", shown_url(text));
  UrlParts out{.scheme = to_lower(part(url.get(), CURLUPART_SCHEME)),
               .host = part(url.get(), CURLUPART_HOST),
               .port = part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT),
               .user = part(url.get(), CURLUPART_USER),
               .password = part(url.get(), CURLUPART_PASSWORD),
               .path = part(url.get(), CURLUPART_PATH)};
  if (out.scheme != "https" && out.scheme != "http" && out.scheme != "file") {
    fail(ErrorCode::network, "'{}' uses the scheme '{}'; only https, http and file are followed", shown_url(text),
         printable(out.scheme));
  }
  return out;
}

std::string shown_url(const std::string& text) {
  const auto url = parse(text);
  if (!url) return "(bad URL)";
  for (const auto which : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    curl_url_set(url.get(), which, nullptr, 0);
  }
  return printable(part(url.get(), CURLUPART_URL));
}

std::string redirect_target(const std::string& from, const std::string& to) {
  const auto source = parse_url(from);
  const auto target = parse_url(to);
  if (target.scheme == "file" || (source.scheme == "https" && target.scheme != "https")) {
    fail(ErrorCode::network, "{} redirects to {}: a redirect may not leave https, nor point to a file", shown_url(from),
         shown_url(to));
  }
  if (!source.same_origin(target) || source.user.empty() || !target.user.empty()) return to;
  const auto url = parse(to);
  curl_url_set(url.get(), CURLUPART_USER, source.user.c_str(), 0);
  curl_url_set(url.get(), CURLUPART_PASSWORD, source.password.c_str(), 0);
  return part(url.get(), CURLUPART_URL);
}

}  // namespace liftlock
