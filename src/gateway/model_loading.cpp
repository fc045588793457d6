#include "gateway/model_loading.hpp"

#include <boost/asio/this_coro.hpp>
#include <optional>

#include "gateway/reply.hpp"

namespace liftlock {
namespace {

using Leased = std::variant<std::shared_ptr<engine::Lease>, Error>;

class Loading final : public LiveAnswer {
 public:
  Loading(engine::ModelHost& host, LoadingRequest request) : m_host(host), m_request(std::move(request)) {}

  // The client is gone: nobody waits for the model any more.
  ~Loading() override {
    if (m_ticket) m_host.cancel(*m_ticket);
  }

  asio::awaitable<void> run(AnswerSink& sink) override {
    Reply<Leased> reply(co_await asio::this_coro::executor);
    m_ticket = m_host.lease(m_request.model, m_request.caller, m_request.keep_alive, reply.taker());
    const auto leased = co_await reply.wait();
    m_ticket.reset();
    const auto* failed = std::get_if<Error>(&leased);
    auto response = failed != nullptr ? api_problem(m_request.api, *failed) : std::move(m_request.answer);
    co_await sink.respond(std::move(response));
  }

 private:
  engine::ModelHost& m_host;
  LoadingRequest m_request;
  std::optional<std::uint64_t> m_ticket;
};

}  // namespace

std::shared_ptr<LiveAnswer> make_loading(engine::ModelHost& host, LoadingRequest request) {
  return std::make_shared<Loading>(host, std::move(request));
}

}  // namespace liftlock
