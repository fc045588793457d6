#include <gtest/gtest.h>

#include "base/error.hpp"
#include "net/answer.hpp"
#include "net/byte_range.hpp"
#include "net/chunked_body.hpp"
#include "net/request_head.hpp"
#include "net/request_target.hpp"

namespace liftlock {
namespace {

std::string path_of(std::string_view target) {
  const auto parsed = parse_request_target(target);
  return parsed ? parsed->path : "refused";
}

TEST(RequestTarget, DecodesAndKeepsWhatWasSent) {
  const auto target = parse_request_target("/simple/a%2Bb/?x=1&y=a%20b+c");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/simple/a+b/");
  EXPECT_EQ(target->raw_path, "/simple/a%2Bb/");
  EXPECT_EQ(target->query, "x=1&y=a%20b+c");
  EXPECT_EQ(query_parameter(target->query, "y"), "a b c");
  EXPECT_EQ(query_parameter(target->query, "z"), std::nullopt);
  EXPECT_EQ(query_parameter("a=%4", "a"), std::nullopt);
}

std::string unchunked(std::string_view bytes, std::size_t step) {
  ChunkedBody chunks(20);
  std::string body;
  try {
    while (!bytes.empty() && !chunks.is_done()) bytes.remove_prefix(chunks.feed(bytes.substr(0, step), body));
  } catch (const Error& error) {
    return std::string(info(error.code()).slug);
  }
  return chunks.is_done() ? body + "|" + std::string(bytes) : "early";
}

TEST(ChunkedBody, IsPutTogetherAndBounded) {
  for (const std::size_t step : {1, 2, 7, 1000}) {
    EXPECT_EQ(unchunked("3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET", step),
              "abc0123456789|GET");
    EXPECT_EQ(unchunked("0\r\n\r\n", step), "|");
    EXPECT_EQ(unchunked("3\r\nab", step), "early");
    EXPECT_EQ(unchunked("15\r\n", step), "body-too-large");
    EXPECT_EQ(unchunked("A\r\n0123456789\r\nB\r\n", step), "body-too-large");
    EXPECT_EQ(unchunked("FFFFFFFFFFFFFFFF\r\n", step), "body-too-large");
    for (const auto* evil : {"FFFFFFFFFFFFFFFFF\r\n", "-1\r\n", "0x3\r\nabc\r\n", "\r\n", "3\nabc\r\n", " 3\r\n",
                             "3 4\r\n", "3\r\nabcd\r\n", "3\r\nabc\n0\r\n", "+3\r\n", "3\r;\r\n"}) {
      EXPECT_EQ(unchunked(evil, step), "bad-request") << evil;
    }
    EXPECT_EQ(unchunked("1;" + std::string(600, 'x') + "\r\n", step), "bad-request");
  }
}

TEST(RequestTarget, DropsSingleDotsAndTheAuthority) {
  EXPECT_EQ(path_of("/debian/./InRelease"), "/debian/InRelease");
  EXPECT_EQ(path_of("/."), "/");
  EXPECT_EQ(path_of("/"), "/");
  EXPECT_EQ(path_of("http://mirror.example:80/a?b"), "/a");
  EXPECT_EQ(path_of("HTTP://mirror.example"), "/");
}

TEST(RequestTarget, RefusesWhatIsUnsafe) {
  for (const auto* target :
       {"/..",       "/a/../b", "/a/%2e%2e/b", "/%2E./x", "/a%2f..%2fb", "//a",       "/a//b",
        "/a%2f%2fb", "/a%00b",  "/a%0ab",      "/%",      "/%4",         "/%zz",      "/a b",
        "/a#b",      "*",       "a/b",         "",        "ftp://h/x",   "http:///x", "http://user@h/x",
        "/\x80",     "/a\tb"}) {
    EXPECT_EQ(path_of(target), "refused") << target;
  }
  EXPECT_EQ(path_of("/" + std::string(k_max_target, 'a')), "refused");
}

TEST(Host, IsANameOrAnAddressWithAPort) {
  for (const auto* host : {"", "a", "a.b:80", "127.0.0.1:8480", "[::1]", "[::1]:80", "a_b"})
    EXPECT_TRUE(is_valid_host(host)) << host;
  for (const auto* host : {"a b", "a/b", "a:b", "a@b", "[::1", "[]", "a:80:80", "a,b", "[x]:1"})
    EXPECT_FALSE(is_valid_host(host)) << host;
}

void expect_part(std::string_view header, std::uint64_t offset, std::uint64_t size) {
  const auto range = parse_range(header, 1000);
  EXPECT_EQ(range.kind, ByteRange::Kind::part) << header;
  EXPECT_EQ(range.offset, offset) << header;
  EXPECT_EQ(range.size, size) << header;
}

TEST(Range, FollowsRfc9110) {
  expect_part("bytes=0-0", 0, 1);
  expect_part("bytes=500-", 500, 500);
  expect_part("bytes=-10", 990, 10);
  expect_part("bytes=-5000", 0, 1000);
  expect_part("Bytes=0-99999999999999999999999", 0, 1000);
  expect_part("bytes= 1-2", 1, 2);
  for (const auto* header : {"bytes=1000-", "bytes=-0", "bytes=99999999999999999999-"}) {
    EXPECT_EQ(parse_range(header, 1000).kind, ByteRange::Kind::unsatisfiable) << header;
  }
  for (const auto* header :
       {"", "bytes=", "bytes=-", "bytes=2-1", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "bytes=1 -2"}) {
    EXPECT_EQ(parse_range(header, 1000).kind, ByteRange::Kind::whole) << header;
  }
  EXPECT_EQ(parse_range("bytes=0-", 0).kind, ByteRange::Kind::unsatisfiable);
}

TEST(EntityTag, IsComparedAsRfc9110Says) {
  EXPECT_TRUE(matches_none_match("\"a\", W/\"b\"", "\"b\""));
  EXPECT_TRUE(matches_none_match("*", "\"b\""));
  EXPECT_FALSE(matches_none_match("\"bb\"", "\"b\""));
  EXPECT_FALSE(matches_none_match("b", "\"b\""));
  EXPECT_TRUE(matches_if_range("\"b\"", "\"b\""));
  EXPECT_FALSE(matches_if_range("W/\"b\"", "W/\"b\""));
  EXPECT_FALSE(matches_if_range("Wed, 21 Oct 2026 07:28:00 GMT", "\"b\""));
}

/// The slug of the error, or "" when the head is taken.
std::string refusal(std::string_view block) {
  RequestHead head;
  try {
    parse_request_head(block, head);
    return {};
  } catch (const Error& error) {
    return std::string(info(error.code()).slug);
  }
}

TEST(RequestHead, TakesOrdinaryRequests) {
  RequestHead head;
  parse_request_head("GET /a?b HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1\r\n\r\n", head);
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/a?b");
  EXPECT_EQ(head.field("range"), "bytes=0-1");
  EXPECT_TRUE(head.keep_alive);
  parse_request_head("GET / HTTP/1.0\r\n\r\n", head);
  EXPECT_FALSE(head.keep_alive);
  EXPECT_EQ(head.field("range"), "");
}

TEST(RequestHead, RefusesSmugglingForms) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(refusal(start + "Content-Length: 3\r\n\r\n"), "");
  EXPECT_EQ(refusal(start + "Transfer-Encoding: chunked\r\n\r\n"), "");
  for (const auto* fields : {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
                             "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
                             "Content-Length: 3\r\nContent-Length: 3\r\n",
                             "Content-Length: 3, 3\r\n",
                             "Content-Length: +3\r\n",
                             "Content-Length: -1\r\n",
                             "Content-Length: 0x3\r\n",
                             "Content-Length:\r\n",
                             "Content-Length: 99999999999999999999\r\n",
                             "Transfer-Encoding: gzip, chunked\r\n",
                             "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                             "Transfer-Encoding: xchunked\r\n",
                             "Transfer-Encoding : chunked\r\n",
                             "X: a\r\n folded\r\n",
                             "X: a\nY: b\r\n",
                             "X: a\rY: b\r\n",
                             "Host: h\r\n",
                             " X: a\r\n",
                             "X\r\n",
                             ": a\r\n"}) {
    EXPECT_EQ(refusal(start + fields + "\r\n"), "bad-request") << fields;
  }
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: h\r\nX: a" + std::string(1, '\0') + "b\r\n\r\n"), "bad-request");
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n\r\n"), "bad-request");
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), "bad-request");
  EXPECT_EQ(refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad-request");
  EXPECT_EQ(refusal("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), "bad-request");
  EXPECT_EQ(refusal("GET /\r\n\r\n"), "bad-request");
  std::string many = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (std::size_t i = 0; i < k_max_fields + 1; ++i) many += "X: y\r\n";
  EXPECT_EQ(refusal(many + "\r\n"), "headers-too-large");
}

Answer answer_to(std::string_view method, std::string_view field, std::string_view value, HttpResponse response) {
  HttpRequest request;
  request.method = method;
  request.header = [=](std::string_view name) { return name == field ? value : std::string_view(); };
  return make_answer(request, std::move(response), Connection::keep, "D");
}

HttpResponse ten_bytes() {
  return text_response(200, "text/plain", "0123456789").set("ETag", "\"t\"");
}

TEST(Answer, AppliesConditionsToGetAnswers) {
  EXPECT_EQ(answer_to("GET", "", "", ten_bytes()).text(), "0123456789");
  const auto part = answer_to("GET", "Range", "bytes=2-3", ten_bytes());
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.text(), "23");
  EXPECT_NE(part.head.find("Content-Range: bytes 2-3/10\r\n"), std::string::npos);
  EXPECT_NE(part.head.find("Content-Length: 2\r\n"), std::string::npos);
  const auto outside = answer_to("GET", "Range", "bytes=10-", ten_bytes());
  EXPECT_EQ(outside.status, 416);
  EXPECT_NE(outside.head.find("Content-Range: bytes */10\r\n"), std::string::npos);
  EXPECT_NE(outside.text().find("range-invalid"), std::string::npos);
  const auto same = answer_to("GET", "If-None-Match", "\"t\"", ten_bytes());
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.text(), "");
  const auto head = answer_to("HEAD", "", "", ten_bytes());
  EXPECT_NE(head.head.find("Content-Length: 10\r\n"), std::string::npos);
  EXPECT_EQ(head.text(), "");
}

TEST(Answer, DoesNotLetAFieldSplitTheResponse) {
  const auto answer = answer_to("GET", "", "", ten_bytes().set("X", "a\r\nSet-Cookie: b"));
  EXPECT_EQ(answer.head.find("Set-Cookie"), std::string::npos);
}

TEST(Problem, NamesNoPathOfTheMachine) {
  const auto response = problem_response(Error(ErrorCode::io_error, "open /secret/place: no"));
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(std::get<std::string>(response.body).find("secret"), std::string::npos);
  const auto absent = problem_response(Error(ErrorCode::not_found, "wheel:x@1"));
  EXPECT_NE(std::get<std::string>(absent.body).find("\"detail\": \"wheel:x@1\""), std::string::npos);
}

TEST(Problem, SaysWhenToAskAgain) {
  const auto wait = [](const Error& error) {
    for (const auto& [name, value] : problem_response(error).headers) {
      if (name == "Retry-After") return value;
    }
    return std::string();
  };
  using namespace std::chrono_literals;
  EXPECT_EQ(wait(Error(ErrorCode::overloaded, "full")), "1");
  EXPECT_EQ(wait(Error(ErrorCode::engine_unavailable, "it rests").set_retry_after(29s)), "29");
  EXPECT_EQ(wait(Error(ErrorCode::rate_limited, "enough").set_retry_after(12h)), "43200");
  EXPECT_EQ(wait(Error(ErrorCode::record_unwritable, "its disk is full")), "60");
  EXPECT_EQ(wait(Error(ErrorCode::audit_unwritable, "its disk is full")), "60");
  EXPECT_EQ(wait(Error(ErrorCode::not_found, "wheel:x@1").set_retry_after(9s)), "") << "it will not be there then";
}

}  // namespace
}  // namespace liftlock
