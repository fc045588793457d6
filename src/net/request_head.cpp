#include "net/request_head.hpp"

#include <strings.h>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "net/request_target.hpp"

namespace liftlock {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

/// Keeps views only: the block outlives the parse, and Beast copies nothing once folded lines are refused.
class HeadParser final : public http::basic_parser<true> {
 public:
  explicit HeadParser(RequestHead& out) : m_out(out) {}

 private:
  static std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

  void on_request_impl(http::verb, beast::string_view method, beast::string_view target, int version,
                       beast::error_code&) override {
    m_out.method = view(method);
    m_out.target = view(target);
    m_out.is_http_1_0 = version < 11;
  }
  void on_response_impl(int, beast::string_view, int, beast::error_code&) override {}
  void on_field_impl(http::field, beast::string_view name, beast::string_view value, beast::error_code&) override {
    m_out.fields.emplace_back(view(name), view(value));
  }
  void on_header_impl(beast::error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, beast::error_code&) override {}
  std::size_t on_body_impl(beast::string_view, beast::error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view, beast::error_code&) override { return 0; }
  void on_finish_impl(beast::error_code&) override {}

  RequestHead& m_out;
};

void check_lines(std::string_view block) {
  std::size_t fields = 0;
  for (std::size_t at = 0; at < block.size();) {
    const auto end = block.find_first_of("\r\n", at);
    if (end == std::string_view::npos || block.substr(end, 2) != "\r\n") {
      fail(ErrorCode::bad_request, "a line of the head does not end in CR LF");
    }
    at = end + 2;
    if (at < block.size() && (block[at] == ' ' || block[at] == '\t')) {
      fail(ErrorCode::bad_request, "a line of the head is folded");
    }
    if (++fields > k_max_fields + 2) fail(ErrorCode::headers_too_large, "more than {} fields", k_max_fields);
  }
}

bool is_named(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

void check_fields(RequestHead& head) {
  unsigned hosts = 0, lengths = 0, encodings = 0, authorizations = 0;
  for (const auto& [name, value] : head.fields) {
    if (is_named(name, "Host")) {
      ++hosts;
      if (!is_valid_host(value)) fail(ErrorCode::bad_request, "the Host field is not valid");
    } else if (is_named(name, "Content-Length")) {
      ++lengths;
      head.content_length = parse_uint(value);
      if (!head.content_length) fail(ErrorCode::bad_request, "the Content-Length field is not a number");
    } else if (is_named(name, "Transfer-Encoding")) {
      ++encodings;
      if (!is_named(value, "chunked")) fail(ErrorCode::bad_request, "the Transfer-Encoding is not known");
      head.is_chunked = true;
    } else if (is_named(name, "Authorization")) {
      if (++authorizations > 1) fail(ErrorCode::bad_request, "there are two Authorization fields");
    } else if (is_named(name, "Expect")) {
      if (!is_named(value, "100-continue")) fail(ErrorCode::bad_request, "the expectation is not known");
      head.expects_continue = true;
    }
  }
  if (hosts > 1 || (hosts == 0 && !head.is_http_1_0)) fail(ErrorCode::bad_request, "there must be one Host field");
  if (lengths > 1 || encodings > 1) fail(ErrorCode::bad_request, "the length of the body is given more than once");
  if (encodings > 0 && (lengths > 0 || head.is_http_1_0)) {
    fail(ErrorCode::bad_request, "Transfer-Encoding does not go together with Content-Length or HTTP/1.0");
  }
}

}  // namespace

std::string_view RequestHead::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (is_named(key, name)) return value;
  }
  return {};
}

void parse_request_head(std::string_view block, RequestHead& out) {
  out.fields.clear();
  out.content_length.reset();
  out.is_http_1_0 = out.keep_alive = out.expects_continue = out.is_chunked = false;
  check_lines(block);

  HeadParser parser(out);
  parser.header_limit(UINT32_MAX);
  parser.body_limit(boost::none);
  beast::error_code error;
  parser.put(boost::asio::buffer(block.data(), block.size()), error);
  if (error == http::error::need_more) error = {};
  if (error) fail(ErrorCode::bad_request, "the head of the request: {}", error.message());
  if (!parser.is_header_done()) fail(ErrorCode::bad_request, "the head of the request ends early");
  out.keep_alive = parser.keep_alive();
  check_fields(out);
}

}  // namespace liftlock
