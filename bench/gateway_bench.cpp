// What the gateway costs: `gateway_bench INSTANT_ENGINE [REQUESTS]` runs it over an engine that answers at once, next
// to that engine without it, in turns, and prints the rows of bench/README.md.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.hpp"
#include "engine/model_fixture.hpp"
#include "gateway/gateway.hpp"
#include "net/server.hpp"
#include "net/unix_client.hpp"

using namespace liftlock;
using Clock = std::chrono::steady_clock;
using Microseconds = std::chrono::duration<double, std::micro>;

namespace {

/// One kept connection, requests in turn.
class Client {
 public:
  explicit Client(UniqueFd fd) : m_fd(std::move(fd)) {
    ::fcntl(m_fd.get(), F_SETFL, ::fcntl(m_fd.get(), F_GETFL) & ~O_NONBLOCK);
  }

  void exchange(const std::string& request) {
    write_all(m_fd.get(), request, "request");
    std::string bytes;
    char block[65536];
    for (;;) {
      const auto end = bytes.find("\r\n\r\n");
      if (end != std::string::npos) {
        if (!bytes.starts_with("HTTP/1.1 200")) fail(ErrorCode::http_status, "{}", bytes);
        const auto at = bytes.find("Content-Length: ");
        if (at < end && bytes.size() >= end + 4 + std::strtoul(bytes.c_str() + at + 16, nullptr, 10)) return;
        if (at >= end && bytes.ends_with("\r\n0\r\n\r\n")) return;
      }
      const auto got = ::read(m_fd.get(), block, sizeof block);
      if (got <= 0) fail(ErrorCode::network, "the connection ended");
      bytes.append(block, static_cast<std::size_t>(got));
    }
  }

 private:
  UniqueFd m_fd;
};

UniqueFd connect_tcp(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail_errno("connect");
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

std::string request_text(const Json& body, const std::string& secret) {
  const auto text = dump_json_line(body);
  return fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n{}Content-Length: {}\r\n\r\n{}",
                     secret.empty() ? "" : "Authorization: Bearer " + secret + "\r\n", text.size(), text);
}

struct Times {
  std::vector<double> us;
  void add(Clock::duration time) { us.push_back(Microseconds(time).count()); }
  double at(double share) {
    std::sort(us.begin(), us.end());
    return us[static_cast<std::size_t>(share * static_cast<double>(us.size() - 1))];
  }
};

template <typename F>
Clock::duration timed(F&& work) {
  const auto start = Clock::now();
  work();
  return Clock::now() - start;
}

struct Setting {
  engine::testing_support::ModelFixture models;
  AuditLog log{models.folder.path() / "audit", "bench"};
  RecordBook book;
  std::string secret;
  Gatekeeper gatekeeper;
  engine::ModelHost host;
  Gateway gateway;
  HttpServer server;

  static engine::HostOptions host_options(const engine::testing_support::ModelFixture& models) {
    engine::HostOptions options;
    options.store_folder = models.folder.path() / "store";
    options.catalog_file = models.folder.path() / "store/catalog.db";
    options.engines_folder = models.engines();
    options.run_folder = engine::run_folder_for("bench");
    options.log_folder = models.folder.path() / "logs";
    options.slots = 128;
    options.context = 64;
    options.queue = 1024;
    return options;
  }
  static std::string add_key(const fs::path& file) {
    KeyRing ring(file);
    ApiKey key;
    key.id = KeyRing::new_id();
    key.user = "bench";
    key.created = now();
    return ring.add(key);
  }

  Setting(const fs::path& engine, RecordMode mode)
      : book({.folder = models.folder.path() / "records", .kek_file = models.folder.path() / "kek", .mode = mode}, log),
        secret(add_key(models.folder.path() / "access.db")),
        gatekeeper(models.folder.path() / "access.db"),
        host((prepare(engine), host_options(models)), log, "bench"),
        gateway({models.folder.path() / "store/catalog.db", host, book, gatekeeper, log, "bench"}),
        server(server_options(), [this](const HttpRequest& request) { return gateway.handle(request); }) {
    server.start();
  }

  void prepare(const fs::path& engine) {
    models.add_model("demo", "a few words");
    models.add_engine(engine);
    make_folders(models.folder.path() / "logs");
  }
  static HttpServerOptions server_options() {
    HttpServerOptions options;
    options.max_body = &Gateway::max_body;
    return options;
  }

  std::shared_ptr<engine::Lease> lease() {
    std::promise<std::shared_ptr<engine::Lease>> got;
    host.lease("demo", "bench", std::chrono::seconds(0), [&](auto result) {
      if (auto* error = std::get_if<Error>(&result)) {
        got.set_exception(std::make_exception_ptr(*error));
      } else {
        got.set_value(std::get<0>(result));
      }
    });
    return got.get_future().get();
  }
};

double fdatasync_us(const fs::path& folder) {
  const auto fd = open_file(folder / "sync", O_WRONLY | O_CREAT);
  Times times;
  for (int i = 0; i < 200; ++i) {
    times.add(timed([&] {
      write_all(fd.get(), std::string(600, 'x'), "sync");
      ::fdatasync(fd.get());
    }));
  }
  return times.at(0.5);
}

/// Requests per second of `clients` connections together.
double rate(Setting& setting, std::size_t clients, int requests, const std::string& text) {
  std::vector<std::thread> threads;
  const auto took = timed([&] {
    for (std::size_t i = 0; i < clients; ++i) {
      threads.emplace_back([&] {
        Client client(connect_tcp(setting.server.port()));
        for (int n = 0; n < requests; ++n) client.exchange(text);
      });
    }
    for (auto& thread : threads) thread.join();
  });
  return static_cast<double>(clients) * requests / std::chrono::duration<double>(took).count();
}

void measure(const fs::path& engine, RecordMode mode, std::string_view title, int requests) {
  Setting setting(engine, mode);
  const Json ask = {{"model", "demo"}, {"messages", {{{"role", "user"}, {"content", "What is Liftlock?"}}}}};
  auto stream = ask;
  stream["stream"] = true;
  stream["max_tokens"] = 2000;
  const auto lease = setting.lease();
  Client direct(connect_unix(lease->socket())), through(connect_tcp(setting.server.port()));
  const auto direct_text = request_text(ask, ""), through_text = request_text(ask, setting.secret);
  Times bare, gateway;
  for (int i = 0; i < requests; ++i) {
    bare.add(timed([&] { direct.exchange(direct_text); }));
    gateway.add(timed([&] { through.exchange(through_text); }));
  }
  const auto bare_stream = request_text(stream, ""), gateway_stream = request_text(stream, setting.secret);
  Times bare_events, gateway_events;
  for (int i = 0; i < 5; ++i) {
    bare_events.add(timed([&] { direct.exchange(bare_stream); }));
    gateway_events.add(timed([&] { through.exchange(gateway_stream); }));
  }
  fmt::print("| {} | +{:.0f} µs | +{:.0f} µs | {:.0f} /s | +{:.1f} µs | fdatasync {:.0f} µs |\n", title,
             gateway.at(0.5) - bare.at(0.5), gateway.at(0.99) - bare.at(0.99),
             rate(setting, 64, requests / 8, through_text), (gateway_events.at(0.5) - bare_events.at(0.5)) / 2000,
             fdatasync_us(setting.models.folder.path()));
  setting.server.stop(std::chrono::milliseconds(1000));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: gateway_bench INSTANT_ENGINE [REQUESTS]\n");
    return 2;
  }
  const int requests = argc > 2 ? std::atoi(argv[2]) : 2000;
  try {
    fmt::print(
        "| record | added p50 | added p99 | 64 clients | per streamed event | beside it "
        "|\n|---|---|---|---|---|---|\n");
    measure(argv[1], RecordMode::off, "off", requests);
    measure(argv[1], RecordMode::hash_only, "hash-only", requests);
    measure(argv[1], RecordMode::full, "full", requests);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "gateway_bench: {}\n", error.what());
    return 1;
  }
}
