// Requests to a repository, for which our own server stands in on loopback.
#include "ecosystem/http_repository.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/code_of.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "net/server.hpp"
#include "os/file.hpp"
#include "os/gigabyte_fixture.hpp"

namespace liftlock {
namespace {

std::string whole(RequestBody& body) {
  std::string out;
  for (auto piece = body.next(); !piece.empty(); piece = body.next()) out += piece;
  return out;
}

class HttpRepositoryTest : public ::testing::Test {
 protected:
  ArtifactFile file(const std::string& bytes) {
    return {.path = RelPath::parse("files/x"),
            .size = bytes.size(),
            .digest = m_store.put(bytes),
            .origin = {},
            .evidence = {}};
  }

  HttpRepository at(const std::string& path, std::string login = {}) {
    if (!m_server) {
      HttpServerOptions options;
      options.threads = 1;
      options.max_body = [](std::string_view, std::string_view) { return 8u << 20; };
      m_server = std::make_unique<HttpServer>(options, [this](const HttpRequest& request) {
        m_authorization = request.header("Authorization");
        m_body = request.body;
        m_asked.push_back(fmt::format("{} {}", request.method, request.raw_path));
        if (request.path == "/repo/huge") return huge();
        if (request.path == "/repo/there") return text_response(200, "text/plain", "the bytes");
        if (request.path == "/repo/closed") return text_response(401, "text/plain", "who are you?");
        if (request.path == "/repo/busy") return text_response(503, "text/plain", "later");
        if (request.path == "/repo/broken") return text_response(500, "text/plain", "no room left\x1b[2J");
        return text_response(request.method == "GET" ? 404 : 201, "text/plain", "");
      });
      m_server->start();
    }
    const auto address = HttpAddress::parse(fmt::format("http://127.0.0.1:{}{}", m_server->port(), path)).value();
    return HttpRepository(
        {.server = {address, std::make_shared<Networks>(std::vector{Network::parse("127.0.0.0/8").value()}), {}},
         .login = std::move(login),
         .token = {}},
        "[repository.test]");
  }

  /// A packument, a page, a list of a gigabyte: a hole in a file.
  HttpResponse huge() const {
    const auto file = std::make_shared<const UniqueFd>(::memfd_create("huge", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(file->get(), k_gigabyte), 0);
    HttpResponse out;
    out.body = FileBody{file, 0, k_gigabyte};
    return out;
  }

  TemporaryFolder m_folder;
  BlobStore m_store{m_folder.path()};
  std::unique_ptr<HttpServer> m_server;
  std::string m_authorization, m_body;
  std::vector<std::string> m_asked;
};

TEST_F(HttpRepositoryTest, ASuffixStandsInTheUploadAlone) {
  auto repository = at("/repo");
  repository.put("/repo/new", m_store, file("some bytes"), {}, ";deb.distribution=bookworm");
  EXPECT_EQ(m_asked, (std::vector<std::string>{"GET /repo/new", "PUT /repo/new;deb.distribution=bookworm"}));
  EXPECT_EQ(m_body, "some bytes");
}

TEST_F(HttpRepositoryTest, AStoredBodyIsTheFileBetweenItsBorders) {
  for (const std::size_t size : {0u, 1u, 2u, 3u, 196'608u, 196'609u, 1'000'000u}) {
    const std::string bytes(size, 'y');
    std::uint64_t told = 0;
    StoredBody plain(
        m_store, file(bytes), [&](std::uint64_t done) { told += done; }, "<", ">");
    EXPECT_EQ(plain.size(), size + 2);
    EXPECT_EQ(whole(plain), "<" + bytes + ">");
    EXPECT_EQ(told, size);
    StoredBody encoded(m_store, file(bytes), {}, "", "", StoredBody::Form::base64);
    const auto text = whole(encoded);
    EXPECT_EQ(encoded.size(), text.size());
    EXPECT_EQ(text, encode_base64(as_bytes(bytes)));
  }
}

TEST_F(HttpRepositoryTest, WhatRottedInTheStoreDoesNotLeaveItWhole) {
  const auto rotten = file(std::string(500'000, 'z'));
  const auto path = m_store.path(rotten.digest);
  fs::permissions(path, fs::perms::owner_all);
  write_file_atomically(path, std::string(499'999, 'z') + "!");
  StoredBody body(m_store, rotten, {});
  std::string got;
  EXPECT_EQ(code_of([&] {
              for (auto piece = body.next(); !piece.empty(); piece = body.next()) got += piece;
            }),
            ErrorCode::blob_corrupt);
  EXPECT_LT(got.size(), rotten.size);
}

TEST_F(HttpRepositoryTest, WhatIsThereIsComparedByItsBytes) {
  auto repository = at("/repo");
  using Found = HttpRepository::Found;
  EXPECT_EQ(repository.compare("/repo/there", file("the bytes")), Found::same);
  EXPECT_EQ(repository.compare("/repo/there", file("the bites")), Found::other);
  EXPECT_EQ(repository.compare("/repo/there", file("the byte")), Found::other);
  EXPECT_EQ(repository.compare("/repo/absent", file("the bytes")), Found::nothing);
  EXPECT_EQ(code_of([&] { repository.compare("/repo/broken", file("x")); }), ErrorCode::http_status);
}

TEST_F(HttpRepositoryTest, AnAnswerOfAGigabyteEndsAtItsLimit) {
  auto repository = at("/repo");
  const PeakMemory memory;
  EXPECT_EQ(code_of([&] { repository.ask("GET", "/repo/huge"); }), ErrorCode::limit_exceeded);
  EXPECT_LT(memory.grown(), 160u << 20) << "the limit is 64 MiB, and a text that grows is there twice";
}

TEST_F(HttpRepositoryTest, ALoginGoesAlongAndARefusedOneIsTold) {
  auto repository = at("/repo", "plant:secret");
  repository.ask("GET", repository.below("/there"));
  EXPECT_EQ(m_authorization, "Basic cGxhbnQ6c2VjcmV0");
  try {
    repository.ask("GET", "/repo/closed");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unauthorized);
    EXPECT_NE(error.message().find("who are you?"), std::string::npos) << error.message();
    EXPECT_NE(error.hint().find("[repository.test]"), std::string::npos) << error.hint();
  }
  EXPECT_EQ(code_of([&] { repository.refuse(repository.ask("GET", "/repo/busy"), "it"); }), ErrorCode::network);
  try {
    repository.refuse(repository.ask("GET", "/repo/broken"), "it");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::http_status);
    EXPECT_EQ(error.message().find('\x1b'), std::string::npos);
  }
}

TEST_F(HttpRepositoryTest, WhatCameThereSinceIsNotWrittenOver) {
  auto repository = at("/repo");
  EXPECT_EQ(code_of([&] { repository.put("/repo/there", m_store, file("other"), {}); }), ErrorCode::immutable);
  EXPECT_EQ(m_body, "");
  std::uint64_t told = 0;
  repository.put("/repo/there", m_store, file("the bytes"), [&](std::uint64_t done) { told += done; });
  EXPECT_EQ(told, 9u);
  EXPECT_EQ(m_body, "");  // it was there, and was not sent
  repository.put("/repo/absent", m_store, file("new"), {});
  EXPECT_EQ(m_body, "new");
}

TEST_F(HttpRepositoryTest, AFormHoldsItsFieldsAndTheFile) {
  auto repository = at("/repo");
  MultipartForm form("seed");
  form.add("name", "a");
  StoredBody body(m_store, file("content"), {}, form.before_file("file", "a\"b\r\n.whl"), form.after_file());
  EXPECT_EQ(
      repository
          .upload(
              {.method = "POST", .target = "/repo/", .headers = {{"Content-Type", form.content_type()}}, .body = {}},
              body)
          .status,
      201);
  const auto boundary = form.content_type().substr(form.content_type().find('=') + 1);
  EXPECT_EQ(m_body, fmt::format("--{0}\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\na\r\n--{0}\r\n"
                                "Content-Disposition: form-data; name=\"file\"; filename=\"a%22b%0D%0A.whl\"\r\n"
                                "Content-Type: application/octet-stream\r\n\r\ncontent\r\n--{0}--\r\n",
                                boundary));
}

TEST_F(HttpRepositoryTest, LinksOfAPageLeadToThisServerOrNowhere) {
  auto repository = at("/repo");
  const auto self = fmt::format("http://127.0.0.1:{}", m_server->port());
  const auto to = [&](std::string_view link) {
    return repository.resolve("/repo/simple/a/", link).value_or("nowhere");
  };
  EXPECT_EQ(to("a.whl#sha256=1"), "/repo/simple/a/a.whl");
  EXPECT_EQ(to("../../packages/a.whl"), "/repo/packages/a.whl");
  EXPECT_EQ(to("../../../../../a.whl?x=1"), "/a.whl?x=1");
  EXPECT_EQ(to("/a/./b/../c"), "/a/c");
  EXPECT_EQ(to("/a/"), "/a/");
  EXPECT_EQ(to(self + "/files/a.whl"), "/files/a.whl");
  for (const auto* link : {"", "#x", "//elsewhere/a", "http://elsewhere/a", "https:a", "javascript:a", "a b", "a\\b"})
    EXPECT_EQ(to(link), "nowhere") << link;
  EXPECT_EQ(to(self + ".elsewhere/a"), "nowhere");
}

TEST_F(HttpRepositoryTest, LinksNeedNotWriteADefaultPort) {
  const auto resolved = [](const std::string& address, std::string_view link) {
    const HttpRepository repository(
        {.server = {HttpAddress::parse(address).value(), std::make_shared<Networks>(std::vector<Network>{}), {}},
         .login = {},
         .token = {}},
        "[repository.test]");
    return repository.resolve("/simple/a/", link).value_or("nowhere");
  };
  for (const auto* address : {"http://pypi.example", "http://pypi.example:80"}) {
    EXPECT_EQ(resolved(address, "http://pypi.example/files/a.whl#sha256=1"), "/files/a.whl");
    EXPECT_EQ(resolved(address, "http://PyPI.example:80/files/a.whl"), "/files/a.whl");
    EXPECT_EQ(resolved(address, "http://pypi.example:443/files/a.whl"), "nowhere");
    EXPECT_EQ(resolved(address, "https://pypi.example/files/a.whl"), "nowhere");
  }
}

}  // namespace
}  // namespace liftlock
