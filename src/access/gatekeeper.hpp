// What the gateway asks of the keys: who is it, what may they do, how much. Answers from memory, without waiting; a
// thread of its own looks every half second whether a process changed the keys, and writes down what was used. Only a
// key that nobody knows makes a request wait for a look into the file.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "access/key_ring.hpp"
#include "access/login_table.hpp"
#include "base/error.hpp"

namespace liftlock {

struct Caller {
  ApiKey key;
  bool is_local = false;  ///< at this machine, without a key: `key` says who it is, and nothing is charged
};

struct FailedLogin {
  std::string_view peer;
  std::string_view why;     ///< "no key", "unknown", "revoked", "expired"; "slowed": how many more there were
  std::string_view key_id;  ///< of one that was revoked or expired
  std::uint64_t count = 1;
};

/// Where a Gatekeeper reads the time; a test moves it. The wall clock is the machine's, whatever SOURCE_DATE_EPOCH
/// says.
struct GateClock {
  std::function<std::chrono::steady_clock::time_point()> steady = &std::chrono::steady_clock::now;
  std::function<Timestamp()> wall = [] {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  };
};

/// Safe with several threads.
class Gatekeeper {
 public:
  /// Opens the key ring, or makes an empty one. @throws what KeyRing throws
  explicit Gatekeeper(fs::path file, GateClock clock = {});
  /// Writes down what was used.
  ~Gatekeeper();
  Gatekeeper(const Gatekeeper&) = delete;
  Gatekeeper& operator=(const Gatekeeper&) = delete;

  /// @param authorization "Bearer SECRET", or (x-api-key) the bare secret
  /// @param peer the address, without the port
  /// What a key is refused for is not told to whoever holds it, but to tell_failures_to(). A wrong key takes the same
  /// time whatever it is. After five failures of a peer in a minute further ones are rate_limited, and told by their
  /// count only, when the minute is over; a valid key is admitted all the same: a secret of 256 bits is not found by
  /// trying, and others may share the address.
  /// @throws Error{unauthorized, rate_limited}; Error{io_error} when the keys could not be read for a minute
  Caller admit(std::string_view authorization, std::string_view peer);

  /// @throws Error{forbidden}
  void require_right(const Caller& caller, Right right) const;
  /// @param model its name in the catalog. @throws Error{forbidden}
  void require_model(const Caller& caller, std::string_view model) const;

  /// Before the work. @throws Error{rate_limited}: wait as its retry_after() says
  void charge_request(const Caller& caller);
  /// After the work; the next charge_request is refused while this is over what the key may use.
  void charge_tokens(const Caller& caller, std::uint64_t tokens);

  /// False when nobody is admitted because the keys could not be read for a minute.
  bool knows_keys() const;

  /// Failed attempts since the start, slowed ones too.
  std::uint64_t failures() const;
  /// Who is told of failed attempts, on the thread of admit() and on the Gatekeeper's own. nullptr: nobody any more;
  /// who was told before learns first how many were slowed, and is not called when this returns.
  void tell_failures_to(std::function<void(const FailedLogin&)> told);

  /// Who is told of logins, on the Gatekeeper's own thread: within half a second, for no request waits until they are
  /// in a log. The same for nullptr. What it throws has them told again.
  void tell_logins_to(std::function<void(const std::vector<Login>&)> told);

  /// What the thread does: reads the keys when they changed, writes down what was used, and tells who logged in and how
  /// many failures were slowed.
  void refresh();

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace liftlock
