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

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/run_folder.hpp"
#include "os/sandbox.hpp"

namespace liftlock::git {
namespace {

constexpr int k_running = 8, k_waiting = 64;
constexpr std::chrono::seconds k_patience{60}, k_time{3600};
constexpr std::size_t k_piece = 64u << 10;
/// git's own status when it gave up and told the client why.
constexpr int k_gave_up = 128;

/// The machine has so many cores whatever the number of views, so these are the process's.
std::atomic<int>& running() {
  static std::atomic<int> count = 0;
  return count;
}
std::atomic<int>& waiting() {
  static std::atomic<int> count = 0;
  return count;
}

class Counted {
 public:
  /// false: there is no room.
  bool take(std::atomic<int>& count, int most) {
    if (count.fetch_add(1) >= most) {
      --count;
      return false;
    }
    m_count = &count;
    return true;
  }
  Counted() = default;
  ~Counted() {
    if (m_count != nullptr) --*m_count;
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<int>* m_count = nullptr;
};

[[noreturn]] void too_many() {
  throw Error(ErrorCode::overloaded, "too many repositories are being fetched at this moment", "ask again in a minute");
}

asio::awaitable<void> take_seat(Counted& seat) {
  if (seat.take(running(), k_running)) co_return;
  Counted place;
  if (!place.take(waiting(), k_waiting)) too_many();
  asio::steady_timer timer(co_await asio::this_coro::executor);
  const auto end = std::chrono::steady_clock::now() + k_patience;
  while (!seat.take(running(), k_running)) {
    if (std::chrono::steady_clock::now() > end) too_many();
    timer.expires_after(std::chrono::milliseconds(100));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

class Answer final : public LiveAnswer {
 public:
  Answer(std::shared_ptr<Repositories> repositories, RepositorySource source, UploadPack request)
      : m_repositories(std::move(repositories)), m_source(std::move(source)), m_request(std::move(request)) {}

  asio::awaitable<void> run(AnswerSink& sink) override {
    std::optional<Error> failed;
    try {
      co_await answer(sink);
    } catch (const Error& error) {
      if (m_begun) throw;
      failed = error;
    }
    if (!failed) co_return;
    // git shows its user a text that is plain, and no other.
    auto response = text_response(failed->http_status(), "text/plain; charset=utf-8",
                                  fmt::format("{}\n{}\n", failed->what(), failed->hint()));
    response.set("Cache-Control", "no-cache");
    if (response.status == 503) response.set("Retry-After", "30");
    co_await sink.respond(std::move(response));
  }

 private:
  // Shared with the timer, whose handler may be on its way when the coroutine ends.
  using Pipe = asio::posix::stream_descriptor;

  asio::awaitable<void> answer(AnswerSink& sink) {
    const auto repository = co_await m_repositories->open(m_source);
    Counted seat;
    co_await take_seat(seat);
    const RunFolder run("git");
    auto spec = spec_for(repository->get());
    spec.log = run.path() / "log";
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe2");
    UniqueFd write_end(ends[1]);
    const auto pipe = std::make_shared<Pipe>(co_await asio::this_coro::executor, ends[0]);
    spec.output = write_end.get();
    if (m_request.body.valid()) spec.input = m_request.body.get();
    Sandbox sandbox(std::move(spec));
    write_end.reset();
    co_await pass_on(pipe, sink);
    const int status = sandbox.wait();
    // Nothing to say is an answer: git asks "0000" before a request that it sends in chunks.
    if (status == 0 && !m_begun) co_await begin(sink);
    if (m_begun && status <= k_gave_up) co_return;
    fail(ErrorCode::tool_failed, "git upload-pack ended with status {}: {}", status, last_words(run.path() / "log"));
  }

  bool advertises() const { return m_request.step == UploadPack::Step::advertise; }

  SandboxSpec spec_for(int repository) const {
    std::vector<std::string> arguments = {"upload-pack", "--strict", "--stateless-rpc"};
    if (advertises()) arguments.emplace_back("--advertise-refs");
    arguments.emplace_back("/repository");
    auto spec = sandbox_for_git(std::move(arguments), repository);
    if (!m_request.protocol.empty()) spec.environment["GIT_PROTOCOL"] = m_request.protocol;
    return spec;
  }

  HttpResponse head() const {
    HttpResponse out;
    out.set("Content-Type",
            advertises() ? "application/x-git-upload-pack-advertisement" : "application/x-git-upload-pack-result");
    out.set("Cache-Control", "no-cache");
    return out;
  }

  asio::awaitable<void> begin(AnswerSink& sink) {
    m_begun = true;
    auto response = head();
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
      if (!m_begun) {
        co_await begin(sink);
        // Of protocols before version 2: gitprotocol-http(5), "Smart Server Response".
        constexpr std::string_view k_service = "001e# service=git-upload-pack\n0000";
        if (advertises() && m_request.protocol.find("version=2") == std::string::npos) co_await sink.write(k_service);
      }
      co_await sink.write(std::string_view(piece).substr(0, got));
    }
  }

  std::shared_ptr<Repositories> m_repositories;
  RepositorySource m_source;
  UploadPack m_request;
  bool m_begun = false;  ///< the answer, so that it can only break off
};

}  // namespace

std::string accepted_protocol(std::string_view header) {
  for (const auto part : split(header, ':')) {
    if (part == "version=1" || part == "version=2") return std::string(part);
  }
  return {};
}

std::shared_ptr<LiveAnswer> make_upload_pack(std::shared_ptr<Repositories> repositories, RepositorySource source,
                                             UploadPack request) {
  return std::make_shared<Answer>(std::move(repositories), std::move(source), std::move(request));
}

}  // namespace liftlock::git
