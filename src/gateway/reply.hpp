// A value that another thread gives to a coroutine.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace liftlock {

namespace asio = boost::asio;

/// Construct and wait() on the coroutine's thread; taker() may be called anywhere, once, also when nobody waits any
/// more. The executor's context must outlive that call.
template <typename T>
class Reply {
 public:
  explicit Reply(const asio::any_io_executor& executor) : m_state(std::make_shared<State>(executor)) {}

  std::function<void(T)> taker() const {
    return [state = m_state](T value) {
      asio::post(state->wake.get_executor(), [state, value = std::move(value)]() mutable {
        state->value = std::move(value);
        state->wake.cancel();
      });
    };
  }

  /// @throws boost::system::system_error when the coroutine is cancelled
  asio::awaitable<T> wait() {
    boost::system::error_code woken;
    if (!m_state->value) co_await m_state->wake.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    if (!m_state->value) throw boost::system::system_error(asio::error::operation_aborted);
    co_return std::move(*m_state->value);
  }

 private:
  struct State {
    explicit State(const asio::any_io_executor& executor) : wake(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer wake;
    std::optional<T> value;
  };
  std::shared_ptr<State> m_state;
};

}  // namespace liftlock
