// HTTP as the rest of the program sees it: a request, an answer, a handler. No Boost in this header.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "os/fd.hpp"

namespace liftlock {

/// What a handler sees. Views live until the handler returns. The server has already checked the sizes, decoded the
/// path's percent escapes and refused '..', empty and NUL-holding components.
struct HttpRequest {
  std::string_view method;    ///< "GET" or "HEAD" on the mirror
  std::string_view path;      ///< decoded, starts with '/'
  std::string_view raw_path;  ///< as sent, without the query
  std::string_view query;     ///< as sent, without '?'
  std::string_view body;
  std::string_view peer;  ///< address of the client
  std::string_view id;    ///< the client's X-Request-Id where it has one that is fit for a log, else made here
  std::string_view user;  ///< name of the read token, empty when none is required
  std::function<std::string_view(std::string_view name)> header;  ///< empty when absent; name in any case

  /// The decoded value of a query parameter; nullopt when absent or broken.
  std::optional<std::string> query_value(std::string_view name) const;
};

/// A part of an open file; the server sends it with sendfile(2) where it can.
struct FileBody {
  std::shared_ptr<const UniqueFd> file;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// Who asked for what, as far as a handler found out. For the access log: never a secret, never what was said.
struct HttpNote {
  std::string user, key_id, model, record;
};

class LiveAnswer;  // net/live_answer.hpp

struct HttpResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::variant<std::string, std::shared_ptr<const std::string>, FileBody> body;
  /// Makes the answer while the client waits; all else in here but `route` and `note` is ignored then.
  std::shared_ptr<LiveAnswer> live;
  /// The artifact or digest that was read, for the audit log; empty: not logged.
  std::string audit_subject;
  /// The value of the `route` label in metrics; must outlive the server (a literal, or a Route's prefix).
  std::string_view route;
  HttpNote note;

  /// Of a header that is there already; nothing where it is not.
  void replace(std::string_view name, const std::string& value) {
    for (auto& [each, old] : headers) {
      if (each == name) old = value;
    }
  }
  HttpResponse& set(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

/// Called from several threads at once; may block briefly on files. Errors thrown become problem+json (RFC 9457).
/// The server answers HEAD from what a GET handler returns, and by itself handles Range (single ranges, RFC 9110) and
/// If-None-Match / If-Range against the ETag header of 200 answers.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

HttpResponse text_response(int status, std::string content_type, std::string body);

/// problem+json (RFC 9457): type, title, status, detail, and of ours: code (the slug) and remedy. 401 gains
/// WWW-Authenticate, 405 gains Allow, 429 and 503 gain Retry-After: what the error says, else a second, or a minute
/// where people have to do something before it can end.
HttpResponse problem_response(const Error& error);

/// The reason phrase of a status, e.g. "Not Found"; "Status" for one that is not known here.
std::string_view reason_phrase(int status);

}  // namespace liftlock
