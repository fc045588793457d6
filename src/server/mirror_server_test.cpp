// The mirror over a real store, catalog and audit log, asked by real curl.
#include "server/mirror_server.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/process.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

class EchoRoute final : public Route {
 public:
  explicit EchoRoute(std::shared_ptr<const MirrorView> view) : m_view(std::move(view)) {}
  std::string_view prefix() const override { return "/echo/"; }
  std::string_view title() const override { return "Echo"; }
  std::vector<std::string> clients() const override { return {"echo"}; }
  std::string client_configuration(std::string_view base_url) const override { return "use " + std::string(base_url); }
  HttpResponse handle(const HttpRequest& request) const override {
    if (request.method == "POST") {
      auto response = text_response(200, "text/plain",
                                    fmt::format("{} {}", request.body.size(), request.header("Content-Encoding")));
      response.audit_subject = "question";
      return response;
    }
    return text_response(200, "text/plain",
                         fmt::format("{} {} {}", request.path, m_view->artifacts.size(), request.user));
  }
  std::uint64_t max_body(std::string_view method, std::string_view path) const override {
    return method == "POST" && path == "/echo/question" ? 200'000 : 0;
  }

 private:
  std::shared_ptr<const MirrorView> m_view;
};

std::unique_ptr<const Route> make_echo(std::shared_ptr<const MirrorView> view, const RouteEnvironment&) {
  return std::make_unique<EchoRoute>(std::move(view));
}

std::unique_ptr<const Route> make_none(std::shared_ptr<const MirrorView>, const RouteEnvironment&) {
  throw std::bad_alloc();
}

class MirrorTest : public ::testing::Test {
 protected:
  MirrorTest()
      : m_blobs(m_folder.path() / "store"),
        m_catalog(m_folder.path() / "store/catalog.db"),
        m_log(m_folder.path() / "audit", "test") {}

  MirrorOptions options() const {
    MirrorOptions options;
    options.store_folder = m_folder.path() / "store";
    options.catalog_file = m_folder.path() / "store/catalog.db";
    options.key_folder = m_folder.path() / "keys/mirror-gnupg";
    options.organisation = "Plant 4";
    options.routes = {make_echo};
    options.http.threads = 1;  // what it counts and logs of an answer precedes the next request
    options.poll = std::chrono::milliseconds(50);
    return options;
  }

  MirrorServer& serve(MirrorOptions options) {
    m_mirror = std::make_unique<MirrorServer>(std::move(options), m_log, silent_reporter(), "tester(0)");
    m_mirror->start();
    return *m_mirror;
  }

  /// A publication with one artifact of two files and a page.
  void publish(std::uint64_t sequence, const std::string& content) {
    const auto file = [&](const std::string& path, const std::string& text) {
      return ArtifactFile{RelPath::parse(path), text.size(), m_blobs.put(text), {}, {}};
    };
    Publication publication{.channel = "demo",
                            .sequence = sequence,
                            .bundle_digest = sha256("{}" + content),
                            .bundle_json = "{}" + content,
                            .published_at = parse_time("2026-11-23T06:00:00Z") + std::chrono::seconds(sequence),
                            .artifacts = {},
                            .other_files = {}};
    Artifact model;
    model.kind = "model";
    model.name = "org/tiny";
    model.version = "v1";
    model.files = {file("models/org--tiny/a.gguf", content), file("models/org--tiny/sub/b.json", "{\"b\":1}")};
    publication.artifacts = {model};
    publication.other_files = {file("README.txt", "read me")};
    m_catalog.publish(publication);
  }

  ProcessResult curl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"curl", "-sS", "--max-time", "30"});
    ProcessSpec spec;
    spec.argv = std::move(arguments);
    return run_process(spec);
  }
  std::string get(const std::string& path) { return curl({m_mirror->url() + path}).output; }
  std::string status(const std::string& path) {
    return curl({"-o", "/dev/null", "-w", "%{http_code}", m_mirror->url() + path}).output;
  }

  std::vector<AuditEntry> audited(const std::string& type) {
    std::vector<AuditEntry> found;
    m_log.for_each(0, m_log.size(), [&](const AuditEntry& entry) {
      if (entry.event.type == type) found.push_back(entry);
      return true;
    });
    return found;
  }

  TemporaryFolder m_folder;
  BlobStore m_blobs;
  Catalog m_catalog;
  AuditLog m_log;
  std::unique_ptr<MirrorServer> m_mirror;
};

TEST_F(MirrorTest, AnEcosystemThatCannotBeMadeDoesNotEndTheOthers) {
  publish(1, "one");
  auto with_a_broken_one = options();
  with_a_broken_one.routes = {make_none, make_echo};
  serve(with_a_broken_one);
  EXPECT_EQ(status("/echo/x"), "200");
  EXPECT_EQ(get("/files/model/org/tiny/v1/a.gguf"), "one");
}

TEST_F(MirrorTest, ServesFilesBundlesAndLists) {
  publish(1, "one");
  publish(2, "second content");
  serve(options());
  EXPECT_EQ(get("/files/model/org/tiny/v1/a.gguf"), "second content");
  EXPECT_EQ(get("/files/model/org/tiny/v1/sub/b.json"), "{\"b\":1}");
  EXPECT_EQ(get("/bundles/demo/1/models/org--tiny/a.gguf"), "one");
  EXPECT_EQ(get("/bundles/demo/latest/models/org--tiny/a.gguf"), "second content");
  EXPECT_EQ(get("/bundles/demo/1/README.txt"), "read me");
  EXPECT_EQ(get("/bundles/demo/1/manifest/bundle.json"), "{}one");
  EXPECT_EQ(curl({"-r", "7-", m_mirror->url() + "/bundles/demo/2/models/org--tiny/a.gguf"}).output, "content");
  const auto list = Json::parse(get("/bundles/demo/latest/"));
  EXPECT_EQ(list["entries"].size(), 3u);
  EXPECT_EQ(list["entries"][0]["name"], "README.txt");
  EXPECT_EQ(list["entries"][0]["sha256"], sha256("read me").hex());
  EXPECT_EQ(Json::parse(get("/files/"))["entries"][0]["name"], "model");
  EXPECT_EQ(status("/files/model/org/none/"), "404");
  const auto etag = "\"" + sha256("one").hex() + "\"";
  EXPECT_EQ(curl({"-w", "%{http_code}", "-H", "If-None-Match: " + etag,
                  m_mirror->url() + "/bundles/demo/1/models/org--tiny/a.gguf"})
                .output,
            "304");
}

TEST_F(MirrorTest, ShowsWhatIsPublishedWhileItServes) {
  serve(options());
  EXPECT_EQ(get("/echo/x"), "/echo/x 0 ");
  EXPECT_NE(get("/").find("Nothing was published yet"), std::string::npos);
  publish(1, "one");
  for (int i = 0; i < 1200 && get("/echo/x") != "/echo/x 1 "; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(get("/echo/x"), "/echo/x 1 ");
  const auto page = get("/");
  EXPECT_NE(page.find("Plant 4"), std::string::npos);
  EXPECT_NE(page.find("use " + m_mirror->url()), std::string::npos);
  EXPECT_NE(page.find("/bundles/demo/1/"), std::string::npos);
}

TEST_F(MirrorTest, IsReadOnlyAndRedirectsFoldersWithoutSlash) {
  serve(options());
  EXPECT_EQ(curl({"-X", "DELETE", "-o", "/dev/null", "-w", "%{http_code}", m_mirror->url() + "/echo/x"}).output, "405");
  EXPECT_EQ(status("/echo"), "308");
  EXPECT_EQ(status("/nothing"), "404");
  EXPECT_TRUE(get("/mirror-key.asc").starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"));
}

TEST_F(MirrorTest, BodiesAreForRoutesThatAskForThem) {
  auto with_tokens = options();
  with_tokens.tokens_file = m_folder.path() / "tokens";
  write_file_atomically(*with_tokens.tokens_file, "ci " + sha256("s3cret").hex() + "\n");
  serve(with_tokens);
  const auto post = [&](const std::string& path, const std::string& body, const std::string& user = "x:s3cret") {
    return curl({"-u", user, "-H", "Content-Encoding: gzip", "-H", "Expect:", "-w", " %{http_code}", "--data-binary",
                 body, m_mirror->url() + path})
        .output;
  };
  EXPECT_EQ(post("/echo/question", "12345"), "5 gzip 200");
  EXPECT_TRUE(post("/echo/question", std::string(100'000, 'x')).starts_with("100000 gzip"));
  EXPECT_TRUE(post("/echo/question", std::string(100'000, 'x'), "x:wrong").ends_with(" 401")) << "before it is read";
  EXPECT_TRUE(post("/echo/question", "12345", "x:wrong").ends_with(" 401"));
  write_file_atomically(m_folder.path() / "large", std::string(200'001, 'x'));
  EXPECT_TRUE(post("/echo/question", "@" + (m_folder.path() / "large").string()).ends_with(" 413"));
  EXPECT_TRUE(post("/echo/x", "12345").ends_with(" 405"));
  EXPECT_TRUE(post("/", "12345").ends_with(" 405"));
  m_mirror->stop(std::chrono::seconds(5));
  const auto reads = audited("mirror.read");
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].event.subject, "question");
}

TEST_F(MirrorTest, WantsATokenWhereOneIsConfigured) {
  auto with_tokens = options();
  with_tokens.tokens_file = m_folder.path() / "tokens";
  write_file_atomically(*with_tokens.tokens_file, "ci " + sha256("s3cret").hex() + "\n");
  serve(with_tokens);
  const auto url = m_mirror->url();
  const auto refused = curl({"-i", url + "/echo/x"}).output;
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 401")) << refused;
  EXPECT_NE(refused.find("WWW-Authenticate: Basic realm="), std::string::npos);
  EXPECT_EQ(status("/metrics"), "401");
  EXPECT_EQ(status("/healthz"), "200");
  EXPECT_EQ(curl({"-u", "x:s3cret", url + "/echo/x"}).output, "/echo/x 0 ci");
  EXPECT_EQ(curl({"-H", "Authorization: Bearer s3cret", url + "/echo/x"}).output, "/echo/x 0 ci");
  write_file_atomically(*with_tokens.tokens_file, "new " + sha256("other").hex() + "\n");
  m_mirror->reload();
  EXPECT_EQ(curl({"-u", "x:other", url + "/echo/x"}).output, "/echo/x 0 new");
}

TEST_F(MirrorTest, AuditsReadsAndItsOwnLife) {
  publish(1, "one");
  serve(options());
  for (int i = 0; i < 3; ++i) get("/bundles/demo/1/models/org--tiny/a.gguf");
  m_mirror->stop(std::chrono::seconds(5));
  EXPECT_EQ(audited("mirror.start").size(), 1u);
  EXPECT_EQ(audited("mirror.stop").size(), 1u);
  const auto reads = audited("mirror.read");
  ASSERT_FALSE(reads.empty());
  EXPECT_EQ(reads[0].event.subject, sha256("one").text());
  EXPECT_EQ(reads[0].event.actor, "anonymous");
  EXPECT_EQ(Json::parse(reads[0].event.detail)["peer"], "127.0.0.1");
}

TEST_F(MirrorTest, RefusesReadsWhileTheAuditLogCannotBeWritten) {
  publish(1, "one");
  serve(options());
  const auto path = "/files/model/org/tiny/v1/a.gguf";
  EXPECT_EQ(status(path), "200");
  // No file of this process can grow: what a full disk does, for root too.
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit none{0, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &none);
  for (int i = 0; i < 1200 && status(path) != "503"; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto refused = get(path);
  EXPECT_NE(refused.find("\"code\": \"audit-unwritable\""), std::string::npos) << refused;
  EXPECT_EQ(status("/healthz"), "503");
  ::setrlimit(RLIMIT_FSIZE, &before);
  for (int i = 0; i < 1200 && status(path) != "200"; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(get(path), "one");
  EXPECT_EQ(status("/healthz"), "200");
  m_mirror->stop(std::chrono::seconds(5));
  m_log.verify();
}

class ReadyTest : public MirrorTest {
 protected:
  Json ready() { return parse_json(get("/readyz")); }
  /// Waits for the next look.
  bool becomes(const std::string& wanted) {
    for (int i = 0; i < 1200; ++i) {
      if (status("/readyz") == wanted) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }
  void expect_only_reason(const std::string& check, const std::string& why) {
    EXPECT_TRUE(becomes("503")) << check;
    const auto document = ready();
    EXPECT_FALSE(document["ready"]);
    for (const auto& [name, state] : document["checks"].items()) EXPECT_EQ(state["ok"], name != check) << name;
    EXPECT_EQ(document["checks"][check]["why"], why);
  }
};

TEST_F(ReadyTest, IsReadyWithEveryCheckNamedAndNeedsNoToken) {
  auto with_tokens = options();
  with_tokens.tokens_file = m_folder.path() / "tokens";
  write_file_atomically(*with_tokens.tokens_file, "ci " + sha256("s3cret").hex() + "\n");
  with_tokens.checks = {{"engine", [] { return std::nullopt; }}};
  serve(with_tokens);
  EXPECT_EQ(status("/readyz"), "200");
  const auto document = ready();
  EXPECT_TRUE(document["ready"]);
  for (const auto* check : {"catalog", "store", "audit", "audit-log", "disk", "running", "engine"}) {
    EXPECT_TRUE(document["checks"][check]["ok"]) << check;
  }
}

TEST_F(ReadyTest, SaysWhyNot) {
  std::atomic<bool> installed = false;
  auto watched = options();
  watched.checks = {{"engine", [&]() -> std::optional<std::string> {
                       if (installed) return std::nullopt;
                       return "no engine is installed";
                     }}};
  serve(watched);
  expect_only_reason("engine", "no engine is installed");
  installed = true;
  EXPECT_TRUE(becomes("200"));

  const auto store = m_folder.path() / "store";
  fs::rename(store / "blobs", store / "gone");
  expect_only_reason("store", "the store is not there");
  fs::rename(store / "gone", store / "blobs");
  EXPECT_TRUE(becomes("200"));

  fs::rename(store / "catalog.db", store / "gone.db");
  expect_only_reason("catalog", "the catalog of the store cannot be read");
  fs::rename(store / "gone.db", store / "catalog.db");
  EXPECT_TRUE(becomes("200"));

  fs::rename(m_folder.path() / "audit/journal", m_folder.path() / "journal");
  expect_only_reason("audit", "the audit log cannot be written");
  fs::rename(m_folder.path() / "journal", m_folder.path() / "audit/journal");
  EXPECT_TRUE(becomes("200"));

  m_mirror->drain();
  expect_only_reason("running", "the server is about to stop");
  EXPECT_EQ(status("/healthz"), "200");
}

// Full tiles are never written again, so only a check of all of them meets what became of one.
TEST_F(ReadyTest, DamageOfTheAuditLogIsAnAlarmUntilItIsMended) {
  std::vector<AuditEvent> many(
      300, {.type = "test", .actor = "tester(0)", .outcome = Outcome::success, .subject = "s", .detail = "{}"});
  m_log.append(many);
  auto watched = options();
  watched.log_check = {.while_good = std::chrono::milliseconds(50), .while_damaged = std::chrono::milliseconds(50)};
  serve(watched);
  EXPECT_EQ(status("/readyz"), "200");
  const auto metric = [&](const std::string& line) { return get("/metrics").find("\n" + line) != std::string::npos; };
  EXPECT_TRUE(metric("liftlock_audit_damaged 0\n"));

  const auto path = m_folder.path() / "audit/tile/entries/000";
  const auto good = read_file(path, 1 << 20);
  auto bad = good;
  bad[1000] = static_cast<char>(bad[1000] ^ 1);
  write_file_atomically(path, bad);
  expect_only_reason("audit-log", "the audit log is damaged");
  EXPECT_TRUE(metric("liftlock_audit_damaged 1\n"));
  EXPECT_FALSE(metric("liftlock_audit_checked_timestamp_seconds 0\n"));
  // It is logged after it is told.
  const auto logged = [&](Outcome wanted) {
    for (int i = 0; i < 1200; ++i) {
      const auto told = m_log.find_last("audit.verify", "test");
      if (told && told->event.outcome == wanted) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  };
  EXPECT_TRUE(logged(Outcome::failure));

  write_file_atomically(path, good);
  EXPECT_TRUE(becomes("200"));
  EXPECT_TRUE(logged(Outcome::success));
  m_mirror->stop(std::chrono::seconds(5));
  m_log.verify();
}

TEST_F(ReadyTest, TellsNothingOfWhatACheckThrew) {
  auto watched = options();
  watched.checks = {{"keys", []() -> std::optional<std::string> { fail(ErrorCode::io_error, "/secret/path"); }}};
  watched.least_free = std::uint64_t{1} << 62;
  serve(watched);
  EXPECT_EQ(status("/readyz"), "503");
  const auto document = ready();
  EXPECT_EQ(document["checks"]["keys"]["why"], "the check failed");
  EXPECT_EQ(document["checks"]["disk"]["why"], "the disk is full");
  EXPECT_EQ(get("/readyz").find("/secret"), std::string::npos);
}

TEST_F(MirrorTest, LogsEachRequestOnce) {
  publish(1, "one");
  auto logged = options();
  logged.access_log = AccessLogOptions{.file = m_folder.path() / "logs/access.jsonl"};
  logged.tokens_file = m_folder.path() / "tokens";
  write_file_atomically(*logged.tokens_file, "ci " + sha256("s3cret").hex() + "\n");
  serve(logged);
  curl({"-u", "x:s3cret", "-H", "X-Request-Id: mine-1",
        m_mirror->url() + "/files/model/org/tiny/v1/a.gguf?token=s3cret"});
  curl({"-H", "X-Request-Id: evil id", m_mirror->url() + "/nothing"});
  curl({"--http0.9", "--request-target", "nonsense", m_mirror->url()});
  m_mirror.reset();
  const auto text = read_file(m_folder.path() / "logs/access.jsonl", 1u << 20);
  EXPECT_EQ(text.find("s3cret"), std::string::npos);
  const auto lines = split(text, '\n');
  ASSERT_EQ(lines.size(), 4u) << text;
  const auto first = parse_json(lines[0]), second = parse_json(lines[1]), third = parse_json(lines[2]);
  EXPECT_EQ(first["request"], "mine-1");
  EXPECT_EQ(first["user"], "ci");
  EXPECT_EQ(first["path"], "/files/model/org/tiny/v1/a.gguf");
  EXPECT_EQ(first["bytes"], 3);
  EXPECT_EQ(second["status"], 401);
  EXPECT_EQ(second["request"].get<std::string>().size(), 16u);
  EXPECT_EQ(third["status"], 400);
  EXPECT_FALSE(third.contains("path"));
}

TEST_F(MirrorTest, CountsWhatItServes) {
  publish(1, "one");
  serve(options());
  get("/files/model/org/tiny/v1/a.gguf");
  get("/nothing");
  const auto metrics = get("/metrics");
  EXPECT_NE(metrics.find("liftlock_http_requests_total{route=\"/files/\",status=\"200\"} 1\n"), std::string::npos)
      << metrics;
  EXPECT_NE(metrics.find("liftlock_http_sent_bytes_total{route=\"/files/\",status=\"200\"} 3\n"), std::string::npos);
  EXPECT_NE(metrics.find("liftlock_mirror_artifacts 1\n"), std::string::npos);
}

TEST_F(MirrorTest, DoesNotServeOtherMachinesWithoutTls) {
  auto open = options();
  open.http.address = "0.0.0.0";
  EXPECT_THROW(serve(open), Error);
  open.insecure_listen = MirrorOptions::InsecureListen::allow;
  serve(open);
  EXPECT_TRUE(m_mirror->url().starts_with("http://0.0.0.0:"));
}

TEST_F(MirrorTest, RendersClientConfigurations) {
  publish(1, "one");
  const auto all =
      client_configurations(m_folder.path() / "store", m_folder.path() / "store/catalog.db", {make_echo}, "https://m");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].text, "use https://m");
}

}  // namespace
}  // namespace liftlock
