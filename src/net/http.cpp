#include "net/http.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/json.hpp"
#include "net/request_target.hpp"

namespace liftlock {
namespace {

std::chrono::seconds seconds_to_wait(const Error& error) {
  // A disk has to be mended, and for the record the server be started anew.
  const bool is_for_people =
      error.code() == ErrorCode::record_unwritable || error.code() == ErrorCode::audit_unwritable;
  return error.retry_after().value_or(is_for_people ? std::chrono::seconds(60) : std::chrono::seconds(1));
}

}  // namespace

std::optional<std::string> HttpRequest::query_value(std::string_view name) const {
  return query_parameter(query, name);
}

HttpResponse text_response(int status, std::string content_type, std::string body) {
  HttpResponse response;
  response.status = status;
  response.headers.reserve(8);  // for those that others set
  response.set("Content-Type", std::move(content_type));
  response.body = std::move(body);
  return response;
}

HttpResponse problem_response(const Error& error) {
  const auto& what = info(error.code());
  Json problem;
  // RFC 9457 lets `type` be any URI reference; a tag needs no server behind it.
  problem["type"] = "tag:liftlock,2026:error:" + std::string(what.slug);
  problem["title"] = what.title;
  problem["status"] = what.http_status;
  // A failed system call names paths of this machine, which is nothing for people outside.
  const bool ours = what.error_class == ErrorClass::internal || what.error_class == ErrorClass::space;
  if (!ours) problem["detail"] = printable(error.message());
  problem["code"] = what.slug;
  problem["remedy"] = ours ? what.remedy : error.hint();
  auto response = text_response(what.http_status, "application/problem+json", dump_json(problem));
  response.set("Cache-Control", "no-store");
  if (what.http_status == 401) response.set("WWW-Authenticate", "Basic realm=\"liftlock\", charset=\"UTF-8\"");
  if (what.http_status == 405) response.set("Allow", "GET, HEAD");
  if (what.http_status == 429 || what.http_status == 503)
    response.set("Retry-After", std::to_string(seconds_to_wait(error).count()));
  return response;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

}  // namespace liftlock
