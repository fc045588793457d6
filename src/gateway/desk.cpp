#include "gateway/desk.hpp"

#include <boost/asio/this_coro.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <variant>

#include "base/error.hpp"
#include "gateway/dialect.hpp"
#include "gateway/reply.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_most_waiting = 16;

using Done = std::variant<Json, Error>;
using Taker = std::function<void(Done)>;

}  // namespace

struct Desk::Impl {
  struct Waiting {
    Work work;
    Taker taker;
    std::stop_source stop;
  };

  std::string busy;
  std::mutex mutex;
  std::condition_variable_any changed;
  std::deque<Waiting> queue;
  std::jthread thread;

  explicit Impl(std::string its_busy) : busy(std::move(its_busy)) {
    thread = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  void run(const std::stop_token& stop) {
    for (;;) {
      Waiting next;
      {
        std::unique_lock lock(mutex);
        if (!changed.wait(lock, stop, [&] { return !queue.empty(); })) break;
        next = std::move(queue.front());
        queue.pop_front();
      }
      // The desk's own end stops what is under way, too.
      const std::stop_callback end(stop, [&] { next.stop.request_stop(); });
      next.taker(answer_of(next));
    }
    const std::lock_guard lock(mutex);
    for (const auto& one : queue) one.taker(Error(ErrorCode::engine_unavailable, "the server is stopping"));
    queue.clear();
  }

  static Done answer_of(const Waiting& waiting) {
    try {
      if (waiting.stop.stop_requested()) return Json::object();  // nobody is there any more
      return waiting.work(waiting.stop.get_token());
    } catch (const Error& error) {
      return error;
    } catch (const std::exception& error) {
      return Error(ErrorCode::internal, error.what());
    }
  }

  void ask(Waiting waiting) {
    {
      const std::lock_guard lock(mutex);
      const bool ends = thread.get_stop_token().stop_requested();
      if (!ends && queue.size() < k_most_waiting) {
        queue.push_back(std::move(waiting));
        changed.notify_one();
        return;
      }
      if (ends) waiting.stop.request_stop();
    }
    if (waiting.stop.stop_requested())
      return waiting.taker(Error(ErrorCode::engine_unavailable, "the server is stopping"));
    waiting.taker(Error(ErrorCode::overloaded, busy));
  }
};

namespace {

class Answering final : public LiveAnswer {
 public:
  using Ask = std::function<void(Taker, std::stop_source)>;
  explicit Answering(Ask ask) : m_ask(std::move(ask)) {}
  // The client is gone: what is worked on nobody wants any more.
  ~Answering() override { m_stop.request_stop(); }

  asio::awaitable<void> run(AnswerSink& sink) override {
    Reply<Done> reply(co_await asio::this_coro::executor);
    m_ask(reply.taker(), m_stop);
    const auto done = co_await reply.wait();
    if (const auto* error = std::get_if<Error>(&done)) {
      co_await sink.respond(api_problem(Api::openai, *error));
      co_return;
    }
    auto response = text_response(200, "application/json", dump_json_line(std::get<Json>(done)) + "\n");
    response.set("Cache-Control", "no-store");
    co_await sink.respond(std::move(response));
  }

 private:
  Ask m_ask;
  std::stop_source m_stop;
};

}  // namespace

Desk::Desk(std::string busy) : m_impl(std::make_shared<Impl>(std::move(busy))) {}

Desk::~Desk() {
  m_impl->thread.request_stop();
  m_impl->thread.join();
}

std::shared_ptr<LiveAnswer> Desk::answer(Work work) {
  return std::make_shared<Answering>([impl = m_impl, work = std::move(work)](Taker taker, std::stop_source stop) {
    impl->ask({work, std::move(taker), std::move(stop)});
  });
}

}  // namespace liftlock
