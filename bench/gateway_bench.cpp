// What the gateway costs, next to its engine without it and to other proxies before the same engine, in turns:
//   gateway_bench ENGINE [--requests N] [--direct PORT --peer NAME=PORT[=AUTHORIZATION]]…
//   gateway_bench ENGINE --streams N
//   gateway_bench ENGINE --count N [--record MODE]    N requests in turn and nothing else, for valgrind and strace
// ENGINE is instant_engine; at --direct and behind the peers another one of it answers on TCP. Prints the rows of
// bench/README.md.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <boost/algorithm/string.hpp>
#include <chrono>
#include <cstring>
#include <fstream>
#include <future>
#include <map>
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
        auto at = bytes.find("Content-Length: ");
        if (at >= end) at = bytes.find("content-length: ");
        if (at < end && bytes.size() >= end + 4 + std::strtoul(bytes.c_str() + at + 16, nullptr, 10)) return;
        if (at >= end && bytes.ends_with("0\r\n\r\n")) return;
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

/// Several, as the sandbox lets an engine open 1,024 files.
constexpr std::array<const char*, 4> k_models = {"demo", "demo2", "demo3", "demo4"};

struct Setting {
  engine::testing_support::ModelFixture models;
  AuditLog log{models.folder.path() / "audit", "bench"};
  RecordBook book;
  std::string secret;
  Gatekeeper gatekeeper;
  engine::ModelHost host;
  engine::SpeechHost speech;
  pool::Pools pools{{}, nullptr};
  Gateway gateway;
  HttpServer server;

  static engine::HostOptions host_options(const engine::testing_support::ModelFixture& models) {
    engine::HostOptions options;
    options.store_folder = models.folder.path() / "store";
    options.catalog_file = models.folder.path() / "store/catalog.db";
    options.engines_folder = models.engines();
    options.log_folder = models.folder.path() / "logs";
    options.memory_budget = 1ull << 40;  // the facts of these models say nothing that could be added up
    options.slots = 512;
    options.context = 64;
    options.queue = 1024;
    return options;
  }
  static engine::SpeechOptions speech_options(const engine::testing_support::ModelFixture& models) {
    const auto folder = models.folder.path();
    return {.store_folder = folder / "store",
            .engines_folder = models.engines(),
            .defaults_file = folder / "defaults.json",
            .gate = {},
            .log_folder = folder / "logs"};
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
        speech(speech_options(models), log, "bench"),
        gateway({models.folder.path() / "store/catalog.db",
                 models.folder.path() / "aliases.json",
                 host,
                 speech,
                 pools,
                 {},
                 book,
                 gatekeeper,
                 log,
                 "bench",
                 {.mode = mode}}),
        server(server_options(), [this](const HttpRequest& request) { return gateway.handle(request); }) {
    server.start();
  }

  void prepare(const fs::path& engine) {
    for (const auto* name : k_models) models.add_model(name, name);
    models.add_engine(engine);
    make_folders(models.folder.path() / "logs");
  }
  static HttpServerOptions server_options() {
    HttpServerOptions options;
    options.max_body = &Gateway::max_body;
    return options;
  }

  std::shared_ptr<engine::Lease> lease(const std::string& model = k_models[0]) {
    std::promise<std::shared_ptr<engine::Lease>> got;
    host.lease(model, "bench", std::chrono::seconds(0), [&](auto result) {
      if (auto* error = std::get_if<Error>(&result)) {
        got.set_exception(std::make_exception_ptr(*error));
      } else {
        got.set_value(std::get<0>(result));
      }
    });
    return got.get_future().get();
  }
};

/// An fdatasync of about what a record takes, in turns with the requests: this disk's take 0.1 ms or 10.
class BareSync {
 public:
  explicit BareSync(const fs::path& folder) : m_fd(open_file(folder / "sync", O_WRONLY | O_CREAT)) {}
  void run() {
    m_times.add(timed([&] {
      write_all(m_fd.get(), std::string(600, 'x'), "sync");
      if (::fdatasync(m_fd.get()) != 0) fail_errno("fdatasync");
    }));
  }
  std::string text() {
    return fmt::format("fdatasync p50 {:.0f} µs, p99 {:.0f} µs", m_times.at(0.5), m_times.at(0.99));
  }

 private:
  UniqueFd m_fd;
  Times m_times;
};

/// Syncs without a pause beside a load: what somebody who comes at any moment waits until the sync that begins next is
/// done. Long ones count for as many as come meanwhile. No record that waits for a sync is faster under that load.
class SyncsBeside {
 public:
  explicit SyncsBeside(const fs::path& folder) : m_fd(open_file(folder / "syncs", O_RDWR | O_CREAT)) {
    write_all(m_fd.get(), std::string(k_size, 'x'), "syncs");
    sync_file(m_fd.get(), "syncs");
    m_thread = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  /// Ends them. @return in µs
  double wait_at(double quantile) {
    m_thread.request_stop();
    m_thread.join();
    constexpr std::chrono::microseconds k_step(10);
    Times waits;
    std::size_t next = 0;
    for (auto at = m_syncs.front().first; at < m_syncs.back().first; at += k_step) {
      while (m_syncs[next].first < at) ++next;
      waits.add(m_syncs[next].second - at);
    }
    return waits.at(quantile);
  }

 private:
  static constexpr std::size_t k_size = 4u << 20, k_write = 8192;

  void run(const std::stop_token& stop) {
    const std::string bytes(k_write, 'y');
    for (std::size_t at = 0; !stop.stop_requested() || m_syncs.size() < 2; at = (at + k_write) % k_size) {
      const auto begin = Clock::now();
      ::lseek(m_fd.get(), static_cast<off_t>(at), SEEK_SET);
      write_all(m_fd.get(), bytes, "syncs");
      if (::fdatasync(m_fd.get()) != 0) fail_errno("fdatasync");
      m_syncs.emplace_back(begin, Clock::now());
    }
  }

  UniqueFd m_fd;
  std::vector<std::pair<Clock::time_point, Clock::time_point>> m_syncs;
  std::jthread m_thread;
};

/// One way to the engine.
struct Way {
  std::string name;
  std::function<UniqueFd()> connect;
  std::string authorization;  ///< "Bearer …" or nothing

  std::string request(const Json& body) const {
    const auto text = dump_json_line(body);
    return fmt::format(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{}Content-Length: "
        "{}\r\n\r\n{}",
        authorization.empty() ? "" : "Authorization: " + authorization + "\r\n", text.size(), text);
  }
};

/// `clients` connections at once; each waits `pause` between the starts of two requests.
struct Load {
  double per_second = 0;
  Times times;
};
Load load(const Way& way, const std::string& request, std::size_t clients, int requests,
          std::chrono::microseconds pause = {}) {
  std::vector<std::thread> threads;
  std::vector<Times> times(clients);
  std::atomic<int> failed = 0;
  const auto took = timed([&] {
    for (std::size_t i = 0; i < clients; ++i) {
      threads.emplace_back([&, i] {
        try {
          Client client(way.connect());
          auto next = Clock::now() + pause * i / clients;
          for (int n = 0; n < requests; ++n, next += pause) {
            if (pause.count() > 0) std::this_thread::sleep_until(next);
            times[i].add(timed([&] { client.exchange(request); }));
          }
        } catch (const std::exception& error) {
          if (failed++ == 0) fmt::print(stderr, "{}: {}\n", way.name, error.what());
        }
      });
    }
    for (auto& thread : threads) thread.join();
  });
  if (failed > 0) fail(ErrorCode::network, "{} of {} clients of {} failed", failed.load(), clients, way.name);
  Load all;
  all.per_second = static_cast<double>(clients) * requests / std::chrono::duration<double>(took).count();
  for (const auto& one : times) all.times.us.insert(all.times.us.end(), one.us.begin(), one.us.end());
  return all;
}

const Json k_ask = {{"model", "demo"}, {"messages", {{{"role", "user"}, {"content", "What is Liftlock?"}}}}};

/// What a record is measured against: syncs, and the same way to the engine without a record, for the same load.
struct Floor {
  const Way& unrecorded;
  fs::path folder;
  BareSync sync;
};

/// Each way against the first, which is the engine itself.
void compare(const std::vector<Way>& ways, int requests, Floor* floor = nullptr) {
  auto stream = k_ask;
  stream["stream"] = true;
  stream["max_tokens"] = 2000;
  std::vector<Times> single(ways.size()), events(ways.size());
  std::vector<std::unique_ptr<Client>> clients;
  for (const auto& way : ways) clients.push_back(std::make_unique<Client>(way.connect()));
  for (int i = 0; i < requests + 20; ++i) {
    for (std::size_t n = 0; n < ways.size(); ++n) {
      const auto time = timed([&] { clients[n]->exchange(ways[n].request(k_ask)); });
      if (i >= 20) single[n].add(time);
    }
    if (floor != nullptr) floor->sync.run();
  }
  for (int i = 0; i < 5; ++i) {
    for (std::size_t n = 0; n < ways.size(); ++n) {
      events[n].add(timed([&] { clients[n]->exchange(ways[n].request(stream)); }));
    }
  }
  constexpr std::size_t k_clients = 64, k_paced = 16;
  constexpr double k_paced_seconds = 3;
  for (std::size_t n = 1; n < ways.size(); ++n) {
    const auto request = ways[n].request(k_ask);
    const auto full = load(ways[n], request, k_clients, requests / 8);
    // Half of that, from clients that keep a pace; the engine alone at the same pace.
    const std::chrono::microseconds pause(static_cast<long>(1e6 * k_paced / (full.per_second / 2)));
    // A stall of the disk is one request in a thousand or none: enough of them.
    const auto paced = std::max(requests / 8, static_cast<int>(full.per_second / 2 * k_paced_seconds / k_paced));
    auto half = load(ways[n], request, k_paced, paced, pause);
    auto bare = load(ways[0], ways[0].request(k_ask), k_paced, paced, pause);
    std::string beside;
    if (floor != nullptr) {
      SyncsBeside syncs(floor->folder);
      load(floor->unrecorded, floor->unrecorded.request(k_ask), k_paced, paced, pause);
      beside = fmt::format("{}; at half, without a record, p99 of the wait for a sync {:.0f} µs", floor->sync.text(),
                           syncs.wait_at(0.99));
    }
    fmt::print("| {} | +{:.0f} µs | +{:.0f} µs | +{:.0f} µs | {:.0f} /s | +{:.1f} µs | {} |\n", ways[n].name,
               single[n].at(0.5) - single[0].at(0.5), single[n].at(0.99) - single[0].at(0.99),
               half.times.at(0.99) - bare.times.at(0.99), full.per_second,
               (events[n].at(0.5) - events[0].at(0.5)) / 2000, beside);
    std::fflush(stdout);
  }
}

void measure(const fs::path& engine, RecordMode mode, const std::string& title, int requests) {
  Setting setting(engine, mode), unrecorded(engine, RecordMode::off);
  const auto lease = setting.lease();
  const auto through = [](Setting& of, const std::string& name) {
    return Way{name, [&of] { return connect_tcp(of.server.port()); }, "Bearer " + of.secret};
  };
  const auto without = through(unrecorded, "liftlock, no record");
  const auto& folder = setting.models.folder.path();
  Floor floor{.unrecorded = without, .folder = folder, .sync = BareSync(folder)};
  compare({{"the engine", [&] { return connect_unix(lease->socket()); }, ""}, through(setting, title)}, requests,
          &floor);
  for (auto* one : {&setting, &unrecorded}) one->server.stop(std::chrono::milliseconds(1000));
}

/// Of this process: the gateway, and the client that waits for it.
Microseconds processor_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

/// The difference of two counts is what the requests cost.
void count(const fs::path& engine, const std::string& mode, int requests) {
  Setting setting(engine, *parse_record_mode(mode));
  const auto lease = setting.lease();
  Client client(connect_tcp(setting.server.port()));
  const auto request = Way{"", {}, "Bearer " + setting.secret}.request(k_ask);
  for (int i = 0; i < 100; ++i) client.exchange(request);
  const auto before = processor_time();
  for (int i = 0; i < requests; ++i) client.exchange(request);
  fmt::print("{:.1f} µs of processor time for a request\n", (processor_time() - before).count() / requests);
  setting.server.stop(std::chrono::milliseconds(1000));
}

long peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtol(line.c_str() + 6, nullptr, 10) / 1024;
  }
  return -1;
}

/// The client of measure_streams: opens them all, counts the events of each, and says how many were whole.
int read_streams(int from, int to, std::size_t count) {
  char line[256] = {};
  if (::read(from, line, sizeof line - 1) <= 0) return 1;
  const auto port = static_cast<std::uint16_t>(std::atoi(line));
  const std::string secret = std::strchr(line, ' ') + 1;
  const int poll = ::epoll_create1(0);
  std::map<int, std::pair<UniqueFd, std::string>> streams;
  for (std::size_t i = 0; i < count; ++i) {
    const Json ask = {{"model", k_models[i % k_models.size()]},
                      {"messages", k_ask["messages"]},
                      {"stream", true},
                      {"max_tokens", 20},
                      {"seed", 500}};
    auto fd = connect_tcp(port);
    write_all(fd.get(), Way{"", {}, "Bearer " + secret}.request(ask), "request");
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd.get()}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, fd.get(), &event);
    const int number = fd.get();
    streams[number] = {std::move(fd), ""};
  }
  std::size_t whole = 0, begun = 0, ended = 0, most = 0;
  while (ended < count) {
    epoll_event ready[256];
    const int n = ::epoll_wait(poll, ready, 256, 60000);
    if (n <= 0) break;
    for (int i = 0; i < n; ++i) {
      auto& [fd, bytes] = streams[ready[i].data.fd];
      char block[16384];
      const auto got = ::read(fd.get(), block, sizeof block);
      if (got > 0 && bytes.empty()) ++begun;
      if (got > 0) bytes.append(block, static_cast<std::size_t>(got));
      const bool last = bytes.ends_with("0\r\n\r\n");
      if (got > 0 && !last) continue;
      std::size_t events = 0;
      for (std::size_t at = 0; (at = bytes.find("\"content\":\" word\"", at)) != std::string::npos; ++at) ++events;
      if (last && events == 20) ++whole;
      ++ended;
      fd.reset();
    }
    most = std::max(most, begun - ended);
  }
  const auto report = fmt::format("{} {}", whole, most);
  write_all(to, report, "report");
  return 0;
}

void measure_streams(const fs::path& engine, std::size_t count) {
  int down[2], up[2];
  if (::pipe(down) != 0 || ::pipe(up) != 0) fail_errno("pipe");
  const auto child = ::fork();
  if (child == 0) ::_exit(read_streams(down[0], up[1], count));
  ::close(up[1]);
  Setting setting(engine, RecordMode::full);
  for (const auto* model : k_models) setting.lease(model);
  const auto before = peak_mib();
  write_all(down[1], fmt::format("{} {}", setting.server.port(), setting.secret), "pipe");
  char line[64] = {};
  std::size_t whole = 0, most = 0;
  const auto took = timed([&] {
    if (::read(up[0], line, sizeof line - 1) > 0) std::sscanf(line, "%zu %zu", &whole, &most);
  });
  ::waitpid(child, nullptr, 0);
  fmt::print(
      "{} streams of 20 events, 0.5 s between two: {} whole, {} at once, {:.1f} s, peak memory {} MiB ({} MiB "
      "before)\n",
      count, whole, most, std::chrono::duration<double>(took).count(), peak_mib(), before);
  setting.server.stop(std::chrono::milliseconds(1000));
  if (whole != count) fail(ErrorCode::network, "{} streams were not whole", count - whole);
}

std::uint16_t port_of(const std::string& text) {
  return static_cast<std::uint16_t>(std::atoi(text.c_str()));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What the gateway costs");
  std::string engine;
  int requests = 2000;
  std::size_t streams = 0;
  int counted = 0;
  std::string record = "off";
  std::string direct;
  std::vector<std::string> peers;
  app.add_option("ENGINE", engine)->required();
  app.add_option("--requests", requests);
  app.add_option("--streams", streams);
  app.add_option("--count", counted);
  app.add_option("--record", record, "off, hash-only or full; with --count");
  app.add_option("--direct", direct, "PORT of the engine that the peers are before");
  app.add_option("--peer", peers, "NAME=PORT[=AUTHORIZATION]");
  CLI11_PARSE(app, argc, argv);
  try {
    if (streams > 0) {
      measure_streams(engine, streams);
      return 0;
    }
    if (counted > 0) {
      count(engine, record, counted);
      return 0;
    }
    fmt::print(
        "| | added p50 | added p99 | added p99 at half of saturation | 64 clients | per streamed event | beside it "
        "|\n|---|---|---|---|---|---|---|\n");
    measure(engine, RecordMode::off, "liftlock, no record", requests);
    measure(engine, RecordMode::hash_only, "liftlock, hashes only", requests);
    measure(engine, RecordMode::full, "liftlock, full record", requests);
    for (const auto& peer : peers) {
      std::vector<std::string> parts;
      boost::split(parts, peer, boost::is_any_of("="));
      parts.resize(3);
      compare({{"the engine", [&] { return connect_tcp(port_of(direct)); }, ""},
               {parts[0], [&] { return connect_tcp(port_of(parts[1])); }, parts[2]}},
              requests);
    }
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "gateway_bench: {}\n", error.what());
    return 1;
  }
}
