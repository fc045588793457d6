#include "server/page_cache.hpp"

#include <gtest/gtest.h>

#include <map>

namespace liftlock {
namespace {

class PageCacheTest : public testing::Test {
 protected:
  using Headers = std::map<std::string, std::string, std::less<>>;

  HttpResponse ask(PageCache& cache, std::string_view path, const Headers& headers = {}, std::string_view query = {},
                   std::string_view user = {}) {
    HttpRequest request{};
    request.method = "GET";
    request.path = request.raw_path = path;
    request.query = query;
    request.user = user;
    request.header = [&](std::string_view name) {
      const auto found = headers.find(name);
      return found == headers.end() ? std::string_view() : std::string_view(found->second);
    };
    return cache.answer(request, [&] {
      ++m_made;
      auto response = m_next;
      if (auto* text = std::get_if<std::string>(&response.body)) *text += std::to_string(m_made);
      return response;
    });
  }
  static std::string body(const HttpResponse& response) {
    if (const auto* text = std::get_if<std::string>(&response.body)) return *text;
    return *std::get<std::shared_ptr<const std::string>>(response.body);
  }
  static HttpResponse page(std::string content = "page ") {
    auto response = text_response(200, "text/plain", std::move(content));
    return response.set("ETag", "\"1\"").set("Vary", "Accept, Host");
  }

  HttpResponse m_next = page();
  int m_made = 0;
};

TEST_F(PageCacheTest, APageIsMadeOnceWithAllItsHeaders) {
  PageCache cache;
  const auto first = ask(cache, "/simple/a/"), second = ask(cache, "/simple/a/");
  EXPECT_EQ(m_made, 1);
  EXPECT_EQ(body(first), "page 1");
  EXPECT_EQ(body(second), "page 1");
  EXPECT_EQ(first.headers, second.headers);
  EXPECT_EQ(second.headers.size(), 3u);
}

TEST_F(PageCacheTest, WhatIsAskedForOtherwiseIsAnotherPage) {
  PageCache cache;
  ask(cache, "/simple/a/");
  ask(cache, "/simple/b/");
  ask(cache, "/simple/a/", {}, "x=1");
  ask(cache, "/simple/a/", {{"accept", "text/html"}});
  ask(cache, "/simple/a/", {{"host", "mirror"}});
  ask(cache, "/simple/a/", {{"x-forwarded-proto", "https"}});
  ask(cache, "/simple/a/", {}, {}, "ci");
  EXPECT_EQ(m_made, 7);
  EXPECT_EQ(body(ask(cache, "/simple/a/", {{"host", "mirror"}})), "page 5");
  EXPECT_EQ(body(ask(cache, "/simple/a/", {}, {}, "plant")), "page 7");
  EXPECT_EQ(m_made, 7);
}

TEST_F(PageCacheTest, WhatDependsOnMoreIsNotKept) {
  PageCache cache;
  const auto is_kept = [&](HttpResponse response) {
    static int path = 0;
    m_next = std::move(response);
    const auto before = m_made, number = ++path;
    for (int i = 0; i < 2; ++i) ask(cache, "/" + std::to_string(number));
    return m_made == before + 1;
  };
  EXPECT_TRUE(is_kept(page()));
  auto failed = page();
  failed.status = 404;
  EXPECT_FALSE(is_kept(failed));
  auto audited = page();
  audited.audit_subject = "sha256:0";
  EXPECT_FALSE(is_kept(audited));
  auto of_a_user = page();
  of_a_user.replace("Vary", "Accept, Authorization");
  EXPECT_FALSE(is_kept(of_a_user));
  EXPECT_FALSE(is_kept(text_response(200, "text/plain", "no ETag")));
  auto shared = page();
  shared.body = std::make_shared<const std::string>("shared");
  EXPECT_FALSE(is_kept(shared));
}

TEST_F(PageCacheTest, AFailureToMakeIsNotKept) {
  PageCache cache;
  HttpRequest request{};
  request.method = "GET";
  request.raw_path = "/a";
  EXPECT_THROW(cache.answer(request, []() -> HttpResponse { fail(ErrorCode::not_found, "a"); }), Error);
  EXPECT_EQ(cache.bytes(), 0u);
  EXPECT_EQ(body(ask(cache, "/a")), "page 1");
}

TEST_F(PageCacheTest, TheLeastRecentlyAskedForLeaveFirstAndLargeOnesStayOut) {
  PageCache cache(16'000);
  m_next = page(std::string(1000, 'x'));  // some 1,540 bytes with what is needed beside: ten fit
  for (const auto* path : {"/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9"}) ask(cache, path);
  EXPECT_EQ(m_made, 10);
  ask(cache, "/0");
  ask(cache, "/new");
  EXPECT_LE(cache.bytes(), 16'000u);
  EXPECT_EQ(m_made, 11);
  ask(cache, "/0");
  EXPECT_EQ(m_made, 11) << "it was asked for meanwhile";
  ask(cache, "/1");
  EXPECT_EQ(m_made, 12) << "it had to leave";
  m_next = page(std::string(2000, 'x'));
  for (int i = 0; i < 2; ++i) ask(cache, "/large");
  EXPECT_EQ(m_made, 14);
}

}  // namespace
}  // namespace liftlock
