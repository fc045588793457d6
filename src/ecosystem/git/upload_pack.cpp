// GCC 12 takes the operator delete of asio's coroutine frames for a mismatched one where it inlines a large coroutine.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

#include "ecosystem/git/upload_pack.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/git/end_aside.hpp"
#include "ecosystem/git/request_body.hpp"
#include "ecosystem/git/seat.hpp"
#include "os/run_folder.hpp"
#include "os/sandbox.hpp"

namespace liftlock::git {
namespace {

constexpr int k_running = 8, k_running_of_peer = 6, k_waiting = 64;
constexpr std::uint64_t k_max_held = 128u << 20;
constexpr std::chrono::seconds k_patience{60}, k_time{3600}, k_time_to_end{10};
constexpr std::size_t k_piece = 64u << 10;
/// git's own status when it gave up and told the client why.
constexpr int k_gave_up = 128;

/// The machine has so many cores whatever the number of views, so these are the process's. Of one address come at most
/// k_running_of_peer, so that one client that reads slowly, eight times, does not keep all others out.
class Running {
 public:
  Running() = default;
  ~Running() {
    if (!m_peer) return;
    const std::lock_guard lock(table().mutex);
    if (--table().of_peer[*m_peer] == 0) table().of_peer.erase(*m_peer);
    --table().all;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  /// false: there is no room.
  bool take(const std::string& peer) {
    const std::lock_guard lock(table().mutex);
    const auto found = table().of_peer.find(peer);
    if (table().all >= k_running || (found != table().of_peer.end() && found->second >= k_running_of_peer))
      return false;
    m_peer = peer;
    ++table().all;
    ++table().of_peer[peer];
    return true;
  }

 private:
  struct Table {
    std::mutex mutex;
    int all = 0;
    std::map<std::string, int> of_peer;
  };
  /// Never destroyed: EndAside gives seats back when the process ends.
  static Table& table() {
    static auto& one = *new Table;
    return one;
  }
  std::optional<std::string> m_peer;
};

[[noreturn]] void too_many() {
  throw Error(ErrorCode::overloaded, "too many repositories are being fetched at this moment", "ask again in a minute");
}

/// What the clients sent and has not been handed to git yet, in this process.
class HeldBytes {
 public:
  explicit HeldBytes(std::uint64_t bytes) : m_bytes(bytes) {
    if (held().fetch_add(bytes) + bytes <= k_max_held) return;
    held() -= bytes;
    too_many();
  }
  ~HeldBytes() { held() -= m_bytes; }
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;

 private:
  static std::atomic<std::uint64_t>& held() {
    static std::atomic<std::uint64_t> bytes = 0;
    return bytes;
  }
  std::uint64_t m_bytes;
};

/// A git at work, and what it holds until it has ended. When the client leaves it is killed at once and waited for
/// elsewhere.
struct Fetching {
  RunFolder run{"git"};
  Running seat;
  std::optional<Sandbox> sandbox;
};

class FetchingOwner {
 public:
  FetchingOwner() { EndAside::instance(); }  // who cannot have its thread fails here, and not at the end
  ~FetchingOwner() {
    if (m_fetching->sandbox) m_fetching->sandbox->kill();
    EndAside::instance().end(std::move(m_fetching));
  }
  FetchingOwner(const FetchingOwner&) = delete;
  FetchingOwner& operator=(const FetchingOwner&) = delete;
  Fetching* operator->() const { return m_fetching.get(); }

 private:
  std::shared_ptr<Fetching> m_fetching = std::make_shared<Fetching>();
};

asio::awaitable<void> take_seat(Running& seat, std::string peer) {
  static std::atomic<int> waiting = 0;
  if (seat.take(peer)) co_return;
  Seat place;
  if (!place.take(waiting, k_waiting)) too_many();
  asio::steady_timer timer(co_await asio::this_coro::executor);
  const auto end = std::chrono::steady_clock::now() + k_patience;
  while (!seat.take(peer)) {
    if (std::chrono::steady_clock::now() > end) too_many();
    timer.expires_after(std::chrono::milliseconds(100));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

/// The end of a git that closed its output.
asio::awaitable<int> end_of(Sandbox& sandbox) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  const auto end = std::chrono::steady_clock::now() + k_time_to_end;
  for (;;) {
    if (const auto status = sandbox.poll()) co_return *status;
    if (std::chrono::steady_clock::now() > end)
      fail(ErrorCode::tool_failed, "git upload-pack closed its output and did not end");
    timer.expires_after(std::chrono::milliseconds(5));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

/// Tells git's user, as long as nothing else was said.
class Telling : public LiveAnswer {
 public:
  asio::awaitable<void> run(AnswerSink& sink) override {
    std::optional<Error> failed;
    try {
      co_await answer(sink);
    } catch (const Error& error) {
      if (m_begun) throw;
      failed = error;
    }
    if (!failed) co_return;
    auto response = plain_refusal(*failed);
    co_await sink.respond(std::move(response));
  }

 protected:
  virtual asio::awaitable<void> answer(AnswerSink& sink) = 0;
  bool m_begun = false;  ///< the answer, so that it can only break off
};

class WhenMade final : public Telling {
 public:
  WhenMade(std::shared_ptr<Repositories> repositories, RepositorySource source,
           std::function<HttpResponse(int repository)> make)
      : m_repositories(std::move(repositories)), m_source(std::move(source)), m_make(std::move(make)) {}

 private:
  asio::awaitable<void> answer(AnswerSink& sink) override {
    const auto repository = co_await m_repositories->open(m_source);
    auto response = m_make(repository->get());
    m_begun = true;
    co_await sink.respond(std::move(response));
  }

  std::shared_ptr<Repositories> m_repositories;
  RepositorySource m_source;
  std::function<HttpResponse(int repository)> m_make;
};

class Answer final : public Telling {
 public:
  Answer(std::shared_ptr<Repositories> repositories, RepositorySource source, UploadPack request)
      : m_repositories(std::move(repositories)),
        m_source(std::move(source)),
        m_request(std::move(request)),
        m_held(std::in_place, m_request.body.size()) {}

 private:
  // Shared with the timer, whose handler may be on its way when the coroutine ends.
  using Pipe = asio::posix::stream_descriptor;

  asio::awaitable<void> answer(AnswerSink& sink) override {
    const auto repository = co_await m_repositories->open(m_source);
    FetchingOwner fetching;
    const auto peer = m_request.peer;
    co_await take_seat(fetching->seat, peer);
    // Only now, so that those who wait have no more in memory than they sent.
    auto body = body_in_memory(m_request.body, m_request.encoding);
    m_request.body = {};
    m_held.reset();
    auto spec = spec_for(repository->get());
    spec.log = fetching->run.path() / "log";
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe2");
    UniqueFd write_end(ends[1]);
    const auto pipe = std::make_shared<Pipe>(co_await asio::this_coro::executor, ends[0]);
    spec.output = write_end.get();
    spec.input = body.get();
    fetching->sandbox.emplace(std::move(spec));
    write_end.reset();
    body.reset();
    co_await pass_on(pipe, sink);
    const int status = co_await end_of(*fetching->sandbox);
    // Nothing to say is an answer: git asks "0000" before a request that it sends in chunks.
    if (status == 0 && !m_begun) co_await begin(sink);
    if (m_begun && status <= k_gave_up) co_return;
    fail(ErrorCode::tool_failed, "git upload-pack ended with status {}: {}", status,
         last_words(fetching->run.path() / "log"));
  }

  SandboxSpec spec_for(int repository) const {
    auto spec = sandbox_for_git({"upload-pack", "--strict", "--stateless-rpc", "/repository"}, repository);
    if (!m_request.protocol.empty()) spec.environment["GIT_PROTOCOL"] = m_request.protocol;
    return spec;
  }

  asio::awaitable<void> begin(AnswerSink& sink) {
    m_begun = true;
    HttpResponse response;
    response.set("Content-Type", "application/x-git-upload-pack-result");
    response.set("Cache-Control", "no-cache");
    co_await sink.begin(std::move(response));
  }

  asio::awaitable<void> pass_on(std::shared_ptr<Pipe> pipe, AnswerSink& sink) {
    const auto late = std::make_shared<bool>(false);
    asio::steady_timer timer(co_await asio::this_coro::executor);
    timer.expires_after(k_time);
    timer.async_wait([late, pipe](const boost::system::error_code& error) {
      if (error) return;
      *late = true;
      boost::system::error_code ignored;
      pipe->close(ignored);
    });
    std::string piece(k_piece, '\0');
    for (;;) {
      boost::system::error_code ended;
      const auto buffer = asio::buffer(piece);
      const auto got = co_await pipe->async_read_some(buffer, asio::redirect_error(asio::use_awaitable, ended));
      if (*late) fail(ErrorCode::tool_failed, "git upload-pack did not end within {} s", k_time.count());
      if (ended == asio::error::operation_aborted) throw boost::system::system_error(ended);
      if (ended) co_return;
      if (!m_begun) co_await begin(sink);
      co_await sink.write(std::string_view(piece).substr(0, got));
    }
  }

  std::shared_ptr<Repositories> m_repositories;
  RepositorySource m_source;
  UploadPack m_request;
  std::optional<HeldBytes> m_held;  ///< of its body
};

}  // namespace

std::string accepted_protocol(std::string_view header) {
  for (const auto part : split(header, ':')) {
    if (part == "version=1" || part == "version=2") return std::string(part);
  }
  return {};
}

HttpResponse plain_refusal(const Error& error) {
  auto response = text_response(error.http_status(), "text/plain; charset=utf-8",
                                fmt::format("{}\n{}\n", error.what(), error.hint()));
  response.set("Cache-Control", "no-cache");
  if (response.status == 503) response.set("Retry-After", "30");
  return response;
}

std::shared_ptr<LiveAnswer> make_when_made(std::shared_ptr<Repositories> repositories, RepositorySource source,
                                           std::function<HttpResponse(int repository)> make) {
  return std::make_shared<WhenMade>(std::move(repositories), std::move(source), std::move(make));
}

std::shared_ptr<LiveAnswer> make_upload_pack(std::shared_ptr<Repositories> repositories, RepositorySource source,
                                             UploadPack request) {
  return std::make_shared<Answer>(std::move(repositories), std::move(source), std::move(request));
}

}  // namespace liftlock::git
