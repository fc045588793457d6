#include "fetch/exchange.hpp"

#include <curl/curl.h>

#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "fetch/url.hpp"

namespace liftlock {
namespace {

constexpr int k_redirects = 10;
constexpr std::size_t k_header_lines = 200;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

void start_libcurl() {
  static const auto code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) fail(ErrorCode::internal, "libcurl does not start: {}", curl_easy_strerror(code));
}

bool may_leave_origin(const HttpHeader& header) {
  return to_lower(header.name).starts_with("accept");
}

}  // namespace

TransferSettings::TransferSettings(const DownloaderOptions& chosen)
    : options(chosen),
      ca_file(environment("CURL_CA_BUNDLE")),
      ca_folder(environment("SSL_CERT_DIR")),
      netrc(environment("NETRC")) {
  start_libcurl();
  if (ca_file.empty()) ca_file = environment("SSL_CERT_FILE");
}

Exchange::Exchange(const TransferSettings& settings) : m_settings(settings), m_curl(curl_easy_init()) {
  static_assert(sizeof m_error == CURL_ERROR_SIZE);
  if (m_curl == nullptr) fail(ErrorCode::internal, "libcurl has no handle");
}

Exchange::~Exchange() {
  curl_easy_cleanup(m_curl);
  curl_slist_free_all(m_header_list);
}

void Exchange::prepare(ExchangeRequest request, Sink sink) {
  m_request = std::move(request);
  m_sink = std::move(sink);
  m_redirects = 0;
  m_is_file = parse_url(m_request.url).scheme == "file";
  if (m_settings.options.offline && !m_is_file) {
    fail(ErrorCode::network, "offline: {} was not asked for", shown_url(m_request.url));
  }
  curl_easy_reset(m_curl);
  set_common();
  set_request();
}

void Exchange::set_common() {
  const auto& options = m_settings.options;
  curl_easy_setopt(m_curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(m_curl, CURLOPT_PROTOCOLS_STR, "https,http,file");
  curl_easy_setopt(m_curl, CURLOPT_USERAGENT, "liftlock/" LIFTLOCK_VERSION);
  curl_easy_setopt(m_curl, CURLOPT_ERRORBUFFER, m_error);
  curl_easy_setopt(m_curl, CURLOPT_BUFFERSIZE, 256L * 1024);
  curl_easy_setopt(m_curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(m_curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(m_curl, CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(m_curl, CURLOPT_LOW_SPEED_LIMIT, options.low_speed_limit);
  curl_easy_setopt(m_curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.low_speed_time.count()));
  if (!m_settings.netrc.empty()) curl_easy_setopt(m_curl, CURLOPT_NETRC_FILE, m_settings.netrc.c_str());
  if (!m_settings.ca_file.empty()) curl_easy_setopt(m_curl, CURLOPT_CAINFO, m_settings.ca_file.c_str());
  if (!m_settings.ca_folder.empty()) curl_easy_setopt(m_curl, CURLOPT_CAPATH, m_settings.ca_folder.c_str());
  curl_easy_setopt(m_curl, CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  curl_easy_setopt(m_curl, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(m_curl, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  curl_easy_setopt(m_curl, CURLOPT_WRITEDATA, this);
}

void Exchange::set_request() {
  m_status = 0;
  m_headers.clear();
  m_error[0] = '\0';
  curl_easy_setopt(m_curl, CURLOPT_URL, m_request.url.c_str());
  const bool sends_logins = m_request.logins != Logins::none;
  curl_easy_setopt(m_curl, CURLOPT_NETRC, static_cast<long>(sends_logins ? CURL_NETRC_OPTIONAL : CURL_NETRC_IGNORED));
  const bool is_post = m_request.method == ExchangeRequest::Method::post;
  curl_easy_setopt(m_curl, CURLOPT_NOBODY, m_request.method == ExchangeRequest::Method::head ? 1L : 0L);
  if (is_post) {
    curl_easy_setopt(m_curl, CURLOPT_POST, 1L);
    curl_easy_setopt(m_curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(m_request.body.size()));
    curl_easy_setopt(m_curl, CURLOPT_POSTFIELDS, m_request.body.data());  // not copied: m_request outlives the transfer
  }
  curl_easy_setopt(m_curl, CURLOPT_RANGE, m_request.range.empty() ? nullptr : m_request.range.c_str());
  curl_slist_free_all(m_header_list);
  m_header_list = nullptr;
  const auto add = [this](const std::string& line) { m_header_list = curl_slist_append(m_header_list, line.c_str()); };
  for (const auto& header : m_request.headers) {
    const auto line = header.name + ": " + header.value;
    if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      fail(ErrorCode::network, "a header for {} holds a line end", shown_url(m_request.url));
    }
    add(line);
  }
  if (is_post) add("Expect:");  // no round trip before a body of some kilobytes
  if (!m_request.range.empty() && !m_request.if_range.empty()) add("If-Range: " + m_request.if_range);
  if (m_request.encoding == ExchangeRequest::Encoding::any) {
    curl_easy_setopt(m_curl, CURLOPT_ACCEPT_ENCODING, "");
  } else {
    add("Accept-Encoding: identity");
  }
  curl_easy_setopt(m_curl, CURLOPT_HTTPHEADER, m_header_list);
}

bool Exchange::follow_redirect() {
  char* location = nullptr;
  if (m_is_file) m_status = 200;
  if (m_status < 300 || m_status > 399) return false;
  curl_easy_getinfo(m_curl, CURLINFO_REDIRECT_URL, &location);
  if (location == nullptr) return false;
  const std::string target = redirect_target(m_request.url, location);
  if (++m_redirects > k_redirects) {
    fail(ErrorCode::network, "{} redirects more than {} times", shown_url(m_request.url), k_redirects);
  }
  const bool leaves = !parse_url(m_request.url).same_origin(parse_url(target));
  const bool keeps_method = m_status == 307 || m_status == 308;
  if (m_request.method == ExchangeRequest::Method::post && (leaves || !keeps_method)) {
    throw Error(
        ErrorCode::network,
        fmt::format("{} redirects a POST to {}, which is not followed", shown_url(m_request.url), shown_url(target)),
        "name the address that it leads to");
  }
  if (leaves) {
    std::erase_if(m_request.headers, [](const HttpHeader& header) { return !may_leave_origin(header); });
    if (m_request.logins == Logins::own) m_request.logins = Logins::none;
  }
  m_request.url = target;
  set_request();
  return true;
}

std::optional<std::string> Exchange::header(std::string_view name) const {
  const auto wanted = to_lower(name);
  for (const auto& header : m_headers) {
    if (to_lower(header.name) == wanted) return header.value;
  }
  return std::nullopt;
}

std::optional<std::chrono::seconds> Exchange::retry_after() const {
  curl_off_t seconds = 0;
  if (curl_easy_getinfo(m_curl, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0) return std::nullopt;
  return std::chrono::seconds(seconds);
}

Error Exchange::error_for(int curl_code) const {
  const auto code = static_cast<CURLcode>(curl_code);
  const auto where = shown_url(m_request.url);
  if (code == CURLE_FILE_COULDNT_READ_FILE) {
    return Error(ErrorCode::not_found, fmt::format("{} cannot be read", where), "check the path and its permissions");
  }
  std::string_view words = m_error[0] != '\0' ? m_error : curl_easy_strerror(code);
  if (code == CURLE_PEER_FAILED_VERIFICATION) {
    return Error(ErrorCode::network, fmt::format("{}: the certificate is not trusted: {}", where, printable(words)),
                 "name your CA file with SSL_CERT_FILE or CURL_CA_BUNDLE");
  }
  return Error(ErrorCode::network, fmt::format("{}: {}", where, printable(words)));
}

Error Exchange::error_for_status() const {
  std::string hint;
  if (m_status == 401 || m_status == 403) hint = "check the credentials for this host (netrc, or those of its client)";
  if (m_status == 404 || m_status == 410) hint = "the file is gone or the address is wrong; lock again if it moved";
  return Error(ErrorCode::http_status, fmt::format("{} answered {}", shown_url(m_request.url), m_status), hint);
}

std::size_t Exchange::on_header(char* data, std::size_t size, std::size_t count, void* pointer) {
  auto& self = *static_cast<Exchange*>(pointer);
  const auto bytes = size * count;
  const auto line = trim(std::string_view(data, bytes));
  if (line.starts_with("HTTP/")) {  // of an interim answer, a proxy's CONNECT, or the answer
    self.m_headers.clear();
    const auto blank = line.find(' ');
    const auto code = blank == std::string_view::npos ? std::nullopt : parse_uint(line.substr(blank + 1, 3));
    self.m_status = code ? static_cast<int>(*code) : 0;
    return bytes;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return bytes;
  if (self.m_headers.size() >= k_header_lines) return 0;
  self.m_headers.push_back({std::string(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1)))});
  return bytes;
}

std::size_t Exchange::on_body(char* data, std::size_t size, std::size_t count, void* pointer) {
  auto& self = *static_cast<Exchange*>(pointer);
  const auto bytes = size * count;
  if (self.m_is_file) self.m_status = 200;
  if (self.m_status >= 300 && self.m_status <= 399) return bytes;
  return self.m_sink({reinterpret_cast<const std::uint8_t*>(data), bytes}) ? bytes : 0;
}

}  // namespace liftlock
