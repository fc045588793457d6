// One request and its answer over libcurl, redirects included. Used with curl_easy_perform (documents) and with the
// multi interface (files).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "fetch/downloader.hpp"

typedef void CURL;  // NOLINT(modernize-use-using): must be spelled as <curl/curl.h> does
struct curl_slist;

namespace liftlock {

/// What every transfer of a Downloader has in common; the environment is read once.
struct TransferSettings {
  explicit TransferSettings(const DownloaderOptions& options);

  DownloaderOptions options;
  std::string ca_file;    ///< empty: libcurl's own
  std::string ca_folder;  ///< empty: libcurl's own
  std::string netrc;      ///< empty: ~/.netrc
};

struct ExchangeRequest {
  std::string url;
  std::vector<HttpHeader> headers;
  std::string range;     ///< "1000-"; empty: the whole
  std::string if_range;  ///< validator, only with range
  enum class Method { get, head, post } method = Method::get;
  enum class Encoding { identity, any } encoding = Encoding::identity;
  std::string body = {};  ///< of post
  Logins logins = Logins::all;
};

/// Not movable: libcurl holds its address.
class Exchange {
 public:
  /// Told of each piece of the body of an answer that is no redirect; false ends the transfer.
  using Sink = std::function<bool(std::span<const std::uint8_t>)>;

  explicit Exchange(const TransferSettings& settings);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// Makes the handle ready; connections of earlier requests are kept. @throws Error{network} for refused URLs
  void prepare(ExchangeRequest request, Sink sink);
  CURL* handle() const { return m_curl; }

  /// After the transfer ended well: when the answer is a redirect, the handle is made ready for its target.
  /// @throws Error{network} for the 11th redirect and for refused targets, of a POST all but the same origin's by 307
  /// and 308
  bool follow_redirect();

  /// 200 for a file: URL that could be read.
  int status() const { return m_status; }
  std::optional<std::string> header(std::string_view name) const;
  const std::vector<HttpHeader>& headers() const { return m_headers; }
  const std::string& url() const { return m_request.url; }
  bool is_file() const { return m_is_file; }
  /// In seconds; nullopt when the server did not say.
  std::optional<std::chrono::seconds> retry_after() const;

  /// The Error for a transfer that libcurl gave up.
  Error error_for(int curl_code) const;
  /// The Error for an answer with a status that was not wanted.
  Error error_for_status() const;

 private:
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  void set_common();
  void set_request();

  const TransferSettings& m_settings;
  CURL* m_curl;
  curl_slist* m_header_list = nullptr;
  ExchangeRequest m_request;
  Sink m_sink;
  std::vector<HttpHeader> m_headers;
  int m_status = 0;
  int m_redirects = 0;
  bool m_is_file = false;
  char m_error[256] = {};
};

}  // namespace liftlock
