#include "pool/pools.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>
#include <set>
#include <thread>

#include "base/circuit_breaker.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "pool/dialect.hpp"

namespace liftlock::pool {
namespace {

using Clock = std::chrono::steady_clock;

constexpr UnixClientLimits k_probe_limits{.max_body = 4u << 20,
                                          .connect = std::chrono::seconds(5),
                                          .idle = std::chrono::seconds(5),
                                          .total = std::chrono::seconds(10)};

}  // namespace

struct Endpoint {
  Endpoint(const Settings& its_pool, HttpAddress its_address, std::shared_ptr<const Networks> its_networks)
      : pool(its_pool), address(std::move(its_address)), networks(std::move(its_networks)) {}

  const Settings pool;
  const HttpAddress address;
  const std::shared_ptr<const Networks> networks;

  RemoteServer server() const { return {address, networks, address.tls ? pool.tls : ClientTls()}; }

  UnixRequest request(std::string method, std::string_view path, std::string body) const {
    UnixRequest request;
    request.method = std::move(method);
    request.target = address.path + std::string(path);
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    if (!pool.credential.empty()) request.headers.emplace_back("Authorization", "Bearer " + pool.credential);
    request.body = std::move(body);
    return request;
  }

  mutable std::mutex mutex;
  // guarded by it
  bool up = true;  ///< until it is seen to be down
  std::string why_down;
  std::optional<std::set<std::string>> listed;  ///< the models that it has; nullopt: it did not say
  CircuitBreaker breaker;
  unsigned active = 0;
  std::uint64_t requests = 0, failures = 0;

  void is_up(std::optional<std::set<std::string>> models) {
    const std::lock_guard lock(mutex);
    up = true;
    why_down.clear();
    listed = std::move(models);
  }
  void is_down(const std::string& why) {
    const std::lock_guard lock(mutex);
    up = false;
    why_down = printable(why).substr(0, 300);
  }
  bool answers_for(const Model& model) const {
    const std::lock_guard lock(mutex);
    return up && !breaker.open_until(Clock::now()) && (!listed || listed->contains(model.upstream));
  }
  /// Who has less comes first: requests now, then requests ever, so that idle ones take turns.
  std::pair<unsigned, std::uint64_t> load() const {
    const std::lock_guard lock(mutex);
    return {active, requests};
  }
  bool take_seat() {
    const std::lock_guard lock(mutex);
    if (active >= pool.slots) return false;
    ++active;
    ++requests;
    return true;
  }

  /// One look at it.
  asio::awaitable<void> probe() {
    std::optional<std::string> why;
    try {
      UpstreamExchange exchange(server(), k_probe_limits);
      const bool lists = pool.api == Api::openai;
      const auto request_of_models = request("GET", lists ? "/v1/models" : "/health", "");
      const auto head = co_await exchange.send(request_of_models);
      const auto body = co_await exchange.read_all();
      if (head.status != 200) {
        why = fmt::format("it answered {} with status {}", request_of_models.target, head.status);
      } else if (lists) {
        const auto names = listed_models(body);
        is_up(std::set(names.begin(), names.end()));
      } else {
        is_up(std::nullopt);
      }
    } catch (const boost::system::system_error&) {
      throw;  // the pools go away
    } catch (const std::exception& error) {
      why = error.what();
    }
    if (why) is_down(*why);
  }

  asio::awaitable<void> watch() {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (;;) {
      co_await probe();
      timer.expires_after(pool.probe_every);
      co_await timer.async_wait(asio::use_awaitable);
    }
  }
};

struct Pools::Watch {
  asio::io_context context{1};
  std::thread thread;
};

Seat::Seat(std::shared_ptr<Endpoint> endpoint) : m_endpoint(std::move(endpoint)) {}

Seat::~Seat() {
  leave();
}

void Seat::leave() {
  if (std::exchange(m_is_left, true)) return;
  const std::lock_guard lock(m_endpoint->mutex);
  --m_endpoint->active;
}

RemoteServer Seat::server() const {
  return m_endpoint->server();
}

const UnixClientLimits& Seat::limits() const {
  return m_endpoint->pool.limits;
}

UnixRequest Seat::request(std::string_view path, std::string body) const {
  return m_endpoint->request("POST", path, std::move(body));
}

std::string Seat::text() const {
  return fmt::format("{} at {}", m_endpoint->pool.name, m_endpoint->address.text());
}

void Seat::unreachable(const std::string& why) {
  m_endpoint->is_down(why);
  blame();
}

void Seat::blame() {
  const std::lock_guard lock(m_endpoint->mutex);
  ++m_endpoint->failures;
  m_endpoint->breaker.failed(Clock::now());
}

Pools::Pools(const std::vector<Settings>& settings, std::shared_ptr<const Networks> networks)
    : m_watch(std::make_unique<Watch>()) {
  for (const auto& pool : settings) {
    for (const auto& [name, upstream] : pool.models) m_models.push_back({pool.name + "/" + name, upstream, pool.api});
    for (const auto& address : pool.endpoints) {
      const auto endpoint = std::make_shared<Endpoint>(pool, address, networks);
      m_endpoints[pool.name].push_back(endpoint);
      asio::co_spawn(
          m_watch->context, [endpoint] { return endpoint->watch(); }, asio::detached);
    }
  }
  std::sort(m_models.begin(), m_models.end(), [](const Model& a, const Model& b) { return a.name < b.name; });
  if (!settings.empty()) m_watch->thread = std::thread([this] { m_watch->context.run(); });
}

Pools::~Pools() {
  m_watch->context.stop();
  if (m_watch->thread.joinable()) m_watch->thread.join();
}

const Model* Pools::find(std::string_view name) const {
  const auto found =
      std::find_if(m_models.begin(), m_models.end(), [&](const Model& model) { return model.name == name; });
  return found == m_models.end() ? nullptr : &*found;
}

std::shared_ptr<Seat> Pools::seat(const Model& model, std::span<const std::shared_ptr<Seat>> failed) const {
  const auto& endpoints = m_endpoints.at(model.name.substr(0, model.name.find('/')));
  std::vector<std::pair<std::pair<unsigned, std::uint64_t>, std::shared_ptr<Endpoint>>> candidates;
  for (const auto& endpoint : endpoints) {
    const bool was_tried =
        std::any_of(failed.begin(), failed.end(), [&](const auto& seat) { return seat->m_endpoint == endpoint; });
    if (!was_tried && endpoint->answers_for(model)) candidates.emplace_back(endpoint->load(), endpoint);
  }
  if (candidates.empty()) {
    throw Error(ErrorCode::engine_unavailable, fmt::format("no endpoint of its pool answers for '{}'", model.name),
                "liftlock_pool_endpoint_up of the metrics says which are down; each is looked at every few seconds");
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [load, endpoint] : candidates) {
    if (endpoint->take_seat()) return std::make_shared<Seat>(endpoint);
  }
  fail(ErrorCode::overloaded, "every endpoint that answers for '{}' has {} requests already", model.name,
       candidates[0].second->pool.slots);
}

std::vector<EndpointState> Pools::states() const {
  std::vector<EndpointState> out;
  for (const auto& [name, endpoints] : m_endpoints) {
    for (const auto& endpoint : endpoints) {
      const std::lock_guard lock(endpoint->mutex);
      const bool rests = endpoint->breaker.open_until(Clock::now()).has_value();
      out.push_back({.pool = name,
                     .address = endpoint->address.text(),
                     .up = endpoint->up && !rests,
                     .why_down = endpoint->up && rests ? "it failed again and again" : endpoint->why_down,
                     .active = endpoint->active,
                     .requests = endpoint->requests,
                     .failures = endpoint->failures});
    }
  }
  return out;
}

}  // namespace liftlock::pool
