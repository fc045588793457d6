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
#include <mutex>
#include <optional>
#include <utility>

namespace liftlock {

namespace asio = boost::asio;

/// Construct and wait() on the coroutine's thread; taker() may be called anywhere, once, also when nobody waits any
/// more and the context is gone: it reaches the context only while the Reply lives, whose end it holds up meanwhile.
template <typename T>
class Reply {
 public:
  explicit Reply(const asio::any_io_executor& executor)
      : m_wake(executor, asio::steady_timer::time_point::max()), m_box(std::make_shared<Box>()) {
    m_box->wake = &m_wake;
  }
  ~Reply() {
    const std::lock_guard lock(m_box->mutex);
    m_box->wake = nullptr;
  }
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;

  std::function<void(T)> taker() const {
    return [box = m_box](T value) {
      const std::lock_guard lock(box->mutex);
      if (box->wake == nullptr) return;
      box->value = std::move(value);
      if (!box->waits) return;  // wait() will find it
      asio::post(box->wake->get_executor(), [box] {
        const std::lock_guard its_lock(box->mutex);
        if (box->wake != nullptr) box->wake->cancel();
      });
    };
  }

  /// @throws boost::system::system_error when the coroutine is cancelled
  asio::awaitable<T> wait() {
    boost::system::error_code woken;
    if (!begin_to_wait()) co_await m_wake.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    const std::lock_guard lock(m_box->mutex);
    if (!m_box->value) throw boost::system::system_error(asio::error::operation_aborted);
    co_return std::move(*m_box->value);
  }

 private:
  struct Box {
    std::mutex mutex;
    asio::steady_timer* wake = nullptr;  ///< while somebody may wait
    bool waits = false;                  ///< somebody does, and has to be woken
    std::optional<T> value;
  };
  /// Is the value there already? What takes it on another thread wakes this one only after it began to wait: the wake
  /// is posted to the thread that is about to.
  bool begin_to_wait() {
    const std::lock_guard lock(m_box->mutex);
    m_box->waits = true;
    return m_box->value.has_value();
  }
  asio::steady_timer m_wake;
  std::shared_ptr<Box> m_box;
};

}  // namespace liftlock
