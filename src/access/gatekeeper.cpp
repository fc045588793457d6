#include "access/gatekeeper.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>

#include "access/failure_table.hpp"
#include "base/encoding.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr std::chrono::milliseconds k_look_every{500};
/// A key that nobody knows yet is looked for in the file this often at most: guesses cost no more than that.
constexpr std::chrono::milliseconds k_look_again_every{10};
/// How much use a crash may forget.
constexpr seconds k_count_every{5};
constexpr std::chrono::minutes k_max_blind{1};
/// More than any answer has; keeps sums within what SQLite holds.
constexpr std::uint64_t k_max_tokens = 1'000'000'000'000;
constexpr std::string_view k_other_addresses = "other addresses";
/// More wait for the next look, so that a flood from many addresses does not keep the thread from the keys.
constexpr std::size_t k_told_at_once = 16;
/// Each is an append that is synced, and who stops a server waits. The metrics have counted the others.
constexpr std::size_t k_told_at_end = 256;

std::string_view secret_of(std::string_view authorization) {
  const auto text = trim(authorization);
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return text;
  return to_lower(text.substr(0, space)) == "bearer" ? trim(text.substr(space + 1)) : std::string_view();
}

/// @param why without the time
[[noreturn]] void refuse_for(seconds wait, const std::string& why) {
  const auto rest = std::max(seconds(1), wait);
  throw Error(ErrorCode::rate_limited, fmt::format("{}; again in {} s", why, rest.count())).set_retry_after(rest);
}

[[noreturn]] void refuse_for(const ApiKey& key, std::string_view what, seconds wait) {
  refuse_for(wait, fmt::format("the key {} has used its {}", key.id, what));
}

/// Fills up to a minute's worth, evenly; what is taken afterwards may leave it below zero.
class Bucket {
 public:
  void refill(double per_minute, Steady::time_point now) {
    if (!m_filled) {
      m_level = per_minute;
    } else {
      const std::chrono::duration<double, std::ratio<60>> minutes = now - *m_filled;
      m_level = std::min(per_minute, m_level + per_minute * minutes.count());
    }
    m_filled = now;
  }
  void take(double amount) { m_level -= amount; }
  double level() const { return m_level; }
  /// Parts of a request add up to a whole one, whatever a double makes of their sum.
  bool holds(double amount) const { return m_level >= amount - 1e-6; }
  /// Until it holds that much.
  seconds until(double level, double per_minute) const {
    return seconds(static_cast<std::int64_t>(std::ceil((level - m_level) * 60 / per_minute - 1e-6)));
  }

 private:
  double m_level = 0;
  std::optional<Steady::time_point> m_filled;
};

/// Of one key.
struct Use {
  Bucket requests, tokens;
  std::uint64_t counted_today = 0;  ///< by all processes, as far as written down
};

using Tokens = std::map<std::string, std::uint64_t>;  ///< of keys, by their ids

}  // namespace

struct Gatekeeper::Impl {
  Impl(const fs::path& file, GateClock the_clock) : clock(std::move(the_clock)), ring(file) {}

  Day today() const { return std::chrono::floor<std::chrono::days>(clock.wall()); }
  void read_keys();
  void start_day(Day new_day);
  void count_use();
  void take_totals(Day of, const Tokens& totals);
  std::uint64_t uncounted_today(const std::string& id) const;
  void refresh();
  void run(const std::stop_token& stop);
  const char* state_of(const ApiKey& key) const;
  std::optional<ApiKey> find(const Digest& digest) const;
  void look_again();
  void tell(const FailedLogin& login);
  void tell_slowed(Steady::time_point at, std::size_t max);
  void tell_logins();

  GateClock clock;

  std::mutex ring_mutex;  ///< guards what follows; taken by requests with an unknown key only
  KeyRing ring;
  std::optional<std::uint64_t> generation;
  Steady::time_point last_count;
  Day counted_day{};  ///< whose use was read last

  mutable std::shared_mutex keys_mutex;
  std::unordered_map<Digest, ApiKey> keys;
  std::atomic<Steady::time_point> last_look;
  std::atomic<Steady::time_point> last_look_again;

  std::mutex use_mutex;  ///< guards what follows
  std::unordered_map<std::string, Use> use;
  Day day{};                        ///< of counted_today
  std::map<Day, Tokens> uncounted;  ///< by us, and not written down: of days before, too, where the disk is full
  FailureTable failed;
  LoginTable logins;
  std::uint64_t failures = 0;

  std::shared_mutex told_mutex;  ///< guards what follows, and is held, shared, while it is called
  std::function<void(const FailedLogin&)> told;
  std::function<void(const std::vector<Login>&)> told_logins;
  std::mutex telling_mutex;  ///< held while what waited is told

  std::mutex sleep_mutex;
  std::condition_variable_any wake;
  std::jthread thread;  ///< last: the first to end
};

void Gatekeeper::Impl::read_keys() {
  const auto now_at = ring.generation();
  if (generation == now_at) return;
  std::unordered_map<Digest, ApiKey> fresh;
  for (auto& [digest, key] : ring.table()) fresh.emplace(digest, std::move(key));
  generation = now_at;
  const std::unique_lock lock(keys_mutex);
  keys.swap(fresh);
}

/// With the use_mutex. A day begins whether or not the file can be written: a budget holds on a full disk, too.
void Gatekeeper::Impl::start_day(Day new_day) {
  if (day == new_day) return;
  day = new_day;
  for (auto& [id, one] : use) one.counted_today = 0;
}

/// Writes down what was used, each day's under that day, and reads what others used.
void Gatekeeper::Impl::count_use() {
  const auto new_day = today();
  std::map<Day, Tokens> pending;
  {
    const std::lock_guard lock(use_mutex);
    start_day(new_day);
    pending = uncounted;
  }
  for (const auto& [of, tokens] : pending) {
    const auto totals = ring.count_tokens(of, tokens);
    const std::lock_guard lock(use_mutex);
    auto& rest = uncounted[of];
    for (const auto& [id, count] : tokens) {
      if ((rest[id] -= count) == 0) rest.erase(id);
    }
    if (rest.empty()) uncounted.erase(of);
    take_totals(of, totals);
  }
  const auto totals = ring.tokens_of(new_day);
  const std::lock_guard lock(use_mutex);
  take_totals(new_day, totals);
  counted_day = new_day;
}

/// With the use_mutex.
void Gatekeeper::Impl::take_totals(Day of, const Tokens& totals) {
  if (of != day) return;
  for (const auto& [id, total] : totals) use[id].counted_today = total;
}

/// With the use_mutex.
std::uint64_t Gatekeeper::Impl::uncounted_today(const std::string& id) const {
  const auto of_day = uncounted.find(day);
  if (of_day == uncounted.end()) return 0;
  const auto found = of_day->second.find(id);
  return found == of_day->second.end() ? 0 : found->second;
}

void Gatekeeper::Impl::refresh() {
  const std::lock_guard lock(ring_mutex);
  const auto now = clock.steady();
  read_keys();
  last_look = now;
  if (now - last_count < k_count_every && counted_day == today()) return;
  count_use();
  last_count = now;
}

void Gatekeeper::Impl::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::unique_lock lock(sleep_mutex);
    wake.wait_for(lock, stop, k_look_every, [] { return false; });
    lock.unlock();
    try {
      refresh();
    } catch (const std::exception&) {
      // Tried again at the next look; admit() refuses when that goes on.
    }
    try {
      tell_logins();
      tell_slowed(clock.steady(), k_told_at_once);
    } catch (const std::exception&) {
      // They wait for the next look.
    }
  }
}

/// nullptr: it is valid.
const char* Gatekeeper::Impl::state_of(const ApiKey& key) const {
  if (key.revoked) return "revoked";
  if (key.expires && clock.wall() >= *key.expires) return "expired";
  return nullptr;
}

std::optional<ApiKey> Gatekeeper::Impl::find(const Digest& digest) const {
  const std::shared_lock lock(keys_mutex);
  const auto found = keys.find(digest);
  return found == keys.end() ? std::nullopt : std::optional(found->second);
}

/// For the key that was made a moment ago.
void Gatekeeper::Impl::look_again() {
  const auto now = clock.steady();
  auto before = last_look_again.load();
  if (now - before < k_look_again_every || !last_look_again.compare_exchange_strong(before, now)) return;
  try {
    const std::unique_lock lock(ring_mutex, std::try_to_lock);
    if (lock) read_keys();  // else the thread is at it, and may wait for another process
  } catch (const std::exception&) {
    // The thread tries again, and admit() refuses when that goes on.
  }
}

void Gatekeeper::Impl::tell(const FailedLogin& login) {
  const std::shared_lock lock(told_mutex);
  if (told) told(login);
}

void Gatekeeper::Impl::tell_slowed(Steady::time_point at, std::size_t max) {
  const std::lock_guard telling(telling_mutex);
  {
    const std::lock_guard lock(use_mutex);
    failed.end_minutes(at);
  }
  for (std::size_t i = 0; i < max; ++i) {
    std::optional<FailureTable::Slowed> slowed;
    {
      const std::lock_guard lock(use_mutex);
      slowed = failed.next_slowed();
    }
    if (!slowed) return;
    try {
      const auto peer = slowed->peer.empty() ? k_other_addresses : std::string_view(slowed->peer);
      tell({.peer = peer, .why = "slowed", .key_id = "", .count = slowed->failures});
    } catch (...) {
      const std::lock_guard lock(use_mutex);
      failed.put_back(*slowed);
      throw;
    }
  }
}

void Gatekeeper::Impl::tell_logins() {
  const std::lock_guard telling(telling_mutex);
  const std::shared_lock lock(told_mutex);
  if (!told_logins) return;
  std::vector<Login> waiting;
  {
    const std::lock_guard use_lock(use_mutex);
    waiting = logins.take();
  }
  if (waiting.empty()) return;
  for (auto& login : waiting) {
    if (login.peer.empty()) login.peer = k_other_addresses;
  }
  try {
    told_logins(waiting);
  } catch (...) {
    const std::lock_guard use_lock(use_mutex);
    logins.put_back(std::move(waiting));
    throw;
  }
}

Gatekeeper::Gatekeeper(fs::path file, GateClock clock) : m_impl(std::make_unique<Impl>(file, std::move(clock))) {
  m_impl->refresh();
  m_impl->thread = std::jthread([impl = m_impl.get()](const std::stop_token& stop) { impl->run(stop); });
}

Gatekeeper::~Gatekeeper() {
  m_impl->thread.request_stop();
  m_impl->thread.join();
  try {
    m_impl->count_use();
  } catch (const std::exception&) {
    // A crash forgets as much.
  }
}

bool Gatekeeper::knows_keys() const {
  return m_impl->clock.steady() - m_impl->last_look.load() <= k_max_blind;
}

Caller Gatekeeper::admit(std::string_view authorization, std::string_view peer) {
  auto& impl = *m_impl;
  const auto now = impl.clock.steady();
  if (!knows_keys()) {
    throw Error(ErrorCode::io_error, "the keys could not be read for a minute, so nobody is admitted",
                "see whether access.db can be read, and is not locked by another process");
  }
  const auto secret = secret_of(authorization);
  const auto digest = sha256(secret);
  std::string_view why = secret.empty() ? "no key" : "unknown";
  auto key = impl.find(digest);
  if (!key && !secret.empty()) {
    impl.look_again();
    key = impl.find(digest);
  }
  if (key) {
    const auto* state = impl.state_of(*key);
    if (state == nullptr) {
      const std::lock_guard lock(impl.use_mutex);
      impl.logins.count(*key, peer, impl.today());
      return {.key = *std::move(key)};
    }
    why = state;
  }
  FailureTable::Verdict verdict{};
  {
    const std::lock_guard lock(impl.use_mutex);
    ++impl.failures;
    verdict = impl.failed.count(peer, now);
  }
  if (verdict.slowed)
    refuse_for(verdict.wait, fmt::format("too many attempts with a wrong key from {}", printable(peer)));
  impl.tell({.peer = peer, .why = why, .key_id = key ? std::string_view(key->id) : ""});
  throw Error(
      ErrorCode::unauthorized, "no valid API key was given",
      "give one as `Authorization: Bearer KEY` or `x-api-key: KEY`; who runs this server makes one with `liftlock "
      "key add USER`");
}

void Gatekeeper::require_right(const Caller& caller, Right right) const {
  if (may(caller.key.role, right)) return;
  fail(ErrorCode::forbidden, "the key {} has the role {}, which may not do this", caller.key.id, name(caller.key.role));
}

void Gatekeeper::require_model(const Caller& caller, std::string_view model) const {
  const auto& models = caller.key.models;
  if (models.empty()) return;
  if (std::any_of(models.begin(), models.end(), [&](const auto& one) { return matches_glob(one, model); })) return;
  fail(ErrorCode::forbidden, "the key {} is not for the model '{}'", caller.key.id, printable(model));
}

void Gatekeeper::charge_request(const Caller& caller) {
  if (caller.is_local) return;
  auto& impl = *m_impl;
  const auto& limits = caller.key.limits;
  const auto now = impl.clock.steady();
  const auto wall = impl.clock.wall();
  const std::lock_guard lock(impl.use_mutex);
  impl.start_day(std::chrono::floor<std::chrono::days>(wall));
  auto& use = impl.use[caller.key.id];
  const auto of_day = use.counted_today + impl.uncounted_today(caller.key.id);
  if (limits.tokens_per_day > 0 && of_day >= limits.tokens_per_day) {
    refuse_for(caller.key, "tokens of the day", impl.day + std::chrono::days(1) - wall);
  }
  if (limits.tokens_per_minute > 0) {
    const auto rate = static_cast<double>(limits.tokens_per_minute);
    use.tokens.refill(rate, now);
    if (use.tokens.level() <= 0) refuse_for(caller.key, "tokens of the minute", use.tokens.until(1, rate));
  }
  if (limits.requests_per_minute > 0) {
    const auto rate = static_cast<double>(limits.requests_per_minute);
    use.requests.refill(rate, now);
    if (!use.requests.holds(1)) refuse_for(caller.key, "requests of the minute", use.requests.until(1, rate));
    use.requests.take(1);
  }
}

void Gatekeeper::charge_tokens(const Caller& caller, std::uint64_t tokens) {
  if (caller.is_local) return;
  auto& impl = *m_impl;
  tokens = std::min(tokens, k_max_tokens);
  const auto now = impl.clock.steady();
  const std::lock_guard lock(impl.use_mutex);
  if (tokens > 0) impl.uncounted[impl.today()][caller.key.id] += tokens;
  auto& use = impl.use[caller.key.id];
  const auto rate = static_cast<double>(caller.key.limits.tokens_per_minute);
  if (rate == 0) return;
  use.tokens.refill(rate, now);
  use.tokens.take(static_cast<double>(tokens));
}

std::uint64_t Gatekeeper::failures() const {
  const std::lock_guard lock(m_impl->use_mutex);
  return m_impl->failures;
}

void Gatekeeper::tell_failures_to(std::function<void(const FailedLogin&)> told) {
  try {
    // As if their minutes were over.
    m_impl->tell_slowed(m_impl->clock.steady() + FailureTable::k_window, k_told_at_end);
  } catch (const std::exception&) {
    // The metrics have counted them.
  }
  const std::unique_lock lock(m_impl->told_mutex);
  m_impl->told = std::move(told);
}

void Gatekeeper::tell_logins_to(std::function<void(const std::vector<Login>&)> told) {
  try {
    m_impl->tell_logins();
  } catch (const std::exception&) {
    // A log that takes nothing has no prompts of them either, unless the site wants answers without.
  }
  const std::unique_lock lock(m_impl->told_mutex);
  m_impl->told_logins = std::move(told);
}

void Gatekeeper::refresh() {
  m_impl->refresh();
  m_impl->tell_logins();
  m_impl->tell_slowed(m_impl->clock.steady(), k_told_at_once);
}

}  // namespace liftlock
