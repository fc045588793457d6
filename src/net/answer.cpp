#include "net/answer.hpp"

#include <strings.h>

#include <algorithm>
#include <charconv>

#include "net/byte_range.hpp"

namespace liftlock {
namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

void append_number(std::string& out, std::uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

std::uint64_t size_of(const Answer& answer) {
  if (const auto* text = std::get_if<std::string>(&answer.body)) return text->size();
  if (const auto* shared = std::get_if<std::shared_ptr<const std::string>>(&answer.body)) return (*shared)->size();
  return std::get<FileBody>(answer.body).size;
}

std::string_view find(const HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return {};
}

bool is_safe(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f; });
}

void append_field(std::string& head, std::string_view name, std::string_view value) {
  if (!is_safe(name) || !is_safe(value)) return;
  head += name;
  head += ": ";
  head += value;
  head += "\r\n";
}

void append_content_range(std::string& head, const ByteRange& range, std::uint64_t total) {
  head += "Content-Range: bytes ";
  if (range.kind == ByteRange::Kind::part) {
    append_number(head, range.offset);
    head += '-';
    append_number(head, range.offset + range.size - 1);
  } else {
    head += '*';
  }
  head += '/';
  append_number(head, total);
  head += "\r\n";
}

/// Decides the status of a 200 answer; the range it gives is about the body, whole unless the status is 206 or 416.
ByteRange apply_conditions(const HttpRequest& request, std::string_view etag, std::uint64_t total, int& status) {
  ByteRange whole{ByteRange::Kind::whole, 0, total};
  if (!etag.empty()) {
    const auto none_match = request.header("If-None-Match");
    if (!none_match.empty() && matches_none_match(none_match, etag)) {
      status = 304;
      return whole;
    }
  }
  const auto wanted = request.header("Range");
  if (wanted.empty() || request.method != "GET") return whole;
  const auto if_range = request.header("If-Range");
  if (!if_range.empty() && !matches_if_range(if_range, etag)) return whole;
  const auto range = parse_range(wanted, total);
  if (range.kind == ByteRange::Kind::part) status = 206;
  if (range.kind == ByteRange::Kind::unsatisfiable) status = 416;
  return range;
}

/// Status line and fields, but for what says how long the body is.
void begin_head(std::string& head, int status, const std::vector<std::pair<std::string, std::string>>& headers,
                Connection connection, std::string_view date) {
  head.reserve(512);
  head += "HTTP/1.1 ";
  append_number(head, static_cast<std::uint64_t>(status));
  head += ' ';
  head += reason_phrase(status);
  head += "\r\nServer: liftlock\r\n";
  append_field(head, "Date", date);
  if (connection == Connection::close) head += "Connection: close\r\n";
  for (const auto& [name, value] : headers) {
    if (equals_ignoring_case(name, "Content-Length") || equals_ignoring_case(name, "Connection")) continue;
    append_field(head, name, value);
  }
}

}  // namespace

std::string_view Answer::text() const {
  std::string_view all;
  if (const auto* own = std::get_if<std::string>(&body)) all = *own;
  if (const auto* shared = std::get_if<std::shared_ptr<const std::string>>(&body)) all = **shared;
  return all.substr(std::min<std::uint64_t>(offset, all.size()), size);
}

Answer make_answer(const HttpRequest& request, HttpResponse&& response, Connection connection, std::string_view date) {
  Answer answer;
  answer.status = response.status;
  answer.body = std::move(response.body);
  const auto total = size_of(answer);
  const bool can_range = response.status == 200 && (request.method == "GET" || request.method == "HEAD");
  ByteRange range{ByteRange::Kind::whole, 0, total};
  if (can_range) range = apply_conditions(request, find(response, "ETag"), total, answer.status);
  if (answer.status == 416) {
    auto problem = problem_response(Error(ErrorCode::range_invalid, "the range lies outside the representation"));
    answer.body = std::move(problem.body);
    response.headers = std::move(problem.headers);
    range.size = size_of(answer);
  }

  auto& head = answer.head;
  begin_head(head, answer.status, response.headers, connection, date);
  if (answer.status == 206 || answer.status == 416) append_content_range(head, range, total);
  if (can_range && answer.status != 416) head += "Accept-Ranges: bytes\r\n";
  const bool no_content = answer.status == 304 || answer.status == 204 || answer.status < 200;
  if (!no_content) {
    head += "Content-Length: ";
    append_number(head, range.size);
    head += "\r\n";
  }
  head += "X-Content-Type-Options: nosniff\r\n\r\n";

  answer.size = no_content || request.method == "HEAD" ? 0 : range.size;
  answer.offset = answer.status == 206 ? range.offset : 0;
  if (const auto* file = std::get_if<FileBody>(&answer.body)) answer.offset += file->offset;
  return answer;
}

std::string make_stream_head(const HttpResponse& response, Connection connection, std::string_view date, bool chunked) {
  std::string head;
  begin_head(head, response.status, response.headers, connection, date);
  if (chunked) head += "Transfer-Encoding: chunked\r\n";
  return head + "X-Content-Type-Options: nosniff\r\n\r\n";
}

}  // namespace liftlock
