#include "sync/peer.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <limits>
#include <span>
#include <thread>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using Clock = std::chrono::steady_clock;
/// What must come within the peer's patience.
constexpr std::uint64_t k_least = 64u << 10;
/// Connections in a row that bring nothing.
constexpr unsigned k_fruitless = 5;
constexpr std::chrono::milliseconds k_rest{100};  ///< doubled after each

/// A peer that gives a byte now and then, on one connection or on a new one each time, would hold a node for ever.
class Pace {
 public:
  explicit Pace(std::chrono::milliseconds patience) : m_patience(patience) {}
  void add(std::size_t bytes) {
    m_bytes += bytes;
    if (m_bytes < k_least) return;
    m_bytes = 0;
    m_since = Clock::now();
  }
  /// @throws Error{network}
  void require() const {
    if (Clock::now() - m_since <= m_patience) return;
    fail(ErrorCode::network, "the peer gives less than 64 KiB in {} ms", m_patience.count());
  }

 private:
  std::chrono::milliseconds m_patience;
  Clock::time_point m_since = Clock::now();
  std::uint64_t m_bytes = 0;
};

/// Makes the part so long, and goes to its end.
void cut(int part, std::uint64_t size, std::string_view what) {
  if (::ftruncate(part, static_cast<off_t>(size)) != 0 || ::lseek(part, static_cast<off_t>(size), SEEK_SET) < 0) {
    fail_errno(fmt::format("cut the part of {}", what));
  }
}

void feed(Hasher& hasher, int part, std::uint64_t size, std::string_view what) {
  std::vector<std::uint8_t> buffer(std::min<std::uint64_t>(size, 1u << 20));
  for (std::uint64_t at = 0; at < size;) {
    const auto bytes = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), size - at));
    if (!pread_exact(part, bytes, at, what)) fail(ErrorCode::io_error, "the part of {} became shorter", what);
    hasher.update(bytes);
    at += bytes.size();
  }
}

[[noreturn]] void refuse_status(int status, const std::string& target) {
  if (status == 401 || status == 403) {
    throw Error(ErrorCode::unauthorized, fmt::format("the peer wants a read token for {}", target),
                "put the token that the ingest node gave this one into the file of [sync] token_file");
  }
  if (status == 404) {
    throw Error(ErrorCode::not_found, fmt::format("the peer has nothing at {}", target),
                "look at its rings there with `liftlock ring list`, and at [sync] ring here");
  }
  if (status == 429 || status == 503) fail(ErrorCode::network, "the peer is busy ({} for {})", status, target);
  if (status >= 300 && status < 400) {
    throw Error(ErrorCode::http_status, fmt::format("the peer sends this node elsewhere ({} for {})", status, target),
                "no redirect is followed: write the mirror's own address as [sync] peer");
  }
  fail(ErrorCode::http_status, "the peer answered {} for {}", status, target);
}

/// Calls attempt until it ends well: again after a connection that broke, as long as some get further than any before.
/// One that was slow besides brings nothing, however often it comes.
/// @param pace of all connections
void until_it_comes(const std::function<void()>& attempt, const std::function<std::uint64_t()>& have,
                    std::chrono::milliseconds patience, const Pace& pace) {
  auto furthest = have();
  for (unsigned fruitless = 0;;) {
    const auto begun = Clock::now();
    try {
      return attempt();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::network) throw;
      pace.require();
      const auto brought = have() - std::min(furthest, have());
      furthest += brought;
      const bool was_slow = Clock::now() - begun >= patience && brought < k_least;
      fruitless = brought > 0 && !was_slow ? 0 : fruitless + 1;
      if (fruitless == k_fruitless) throw;
    }
    std::this_thread::sleep_for(fruitless == 0 ? std::chrono::milliseconds(10) : k_rest * (1u << fruitless));
  }
}

}  // namespace

void PeerConnection::get(const std::string& target, const Headers& headers,
                         const std::function<void(const UnixResponse&)>& on_head,
                         const std::function<void(std::string_view)>& take) {
  UnixRequest request;
  request.target = m_peer.server.address.path + target;
  request.headers = headers;
  if (!m_peer.token.empty()) request.headers.emplace_back("Authorization", "Bearer " + m_peer.token);
  const UnixClientLimits limits{.max_body = std::numeric_limits<std::uint64_t>::max() / 2,
                                .connect = m_peer.patience,
                                .idle = m_peer.patience,
                                .first_byte = m_peer.patience,
                                .total = std::chrono::hours(24 * 365)};
  const auto exchange = [&]() -> asio::awaitable<void> {
    UpstreamExchange upstream(m_peer.server, limits);
    const auto head = co_await upstream.send(request);
    on_head(head);
    Pace pace(m_peer.patience);
    while (true) {
      const auto piece = co_await upstream.read();
      if (piece.empty()) break;
      pace.add(piece.size());
      pace.require();
      take(piece);
    }
  };
  std::exception_ptr failed;
  m_context.restart();
  asio::co_spawn(m_context, exchange(), [&](std::exception_ptr error) { failed = std::move(error); });
  m_context.run();
  if (failed) std::rethrow_exception(failed);
}

std::string PeerConnection::document(const std::string& target, std::uint64_t max_bytes) {
  std::string body;
  std::string tag;
  Pace pace(k_fruitless * m_peer.patience);
  const auto attempt = [&] {
    Headers headers;
    if (!body.empty() && !tag.empty()) {
      headers = {{"Range", fmt::format("bytes={}-", body.size())}, {"If-Range", tag}};
    }
    const auto before = body.size();
    get(
        "/sync/" + target, headers,
        [&](const UnixResponse& head) {
          const bool goes_on = head.status == 206 && !headers.empty();
          if (head.status == 416) {  // it ends before where this was to go on: another one by now, or a lie
            body.clear();
            fail(ErrorCode::network, "the peer changed {} meanwhile", target);
          }
          if (!goes_on && head.status != 200) refuse_status(head.status, target);
          if (goes_on && !head.header("Content-Range").starts_with(fmt::format("bytes {}-", before))) {
            fail(ErrorCode::size_mismatch, "the peer gives another part of {} than was asked for", target);
          }
          if (!goes_on) body.clear();
          tag = head.header("ETag");
        },
        [&](std::string_view piece) {
          if (piece.size() > max_bytes - body.size()) {
            fail(ErrorCode::limit_exceeded, "{} of the peer has more than {} bytes", target, max_bytes);
          }
          pace.add(piece.size());
          body += piece;
        });
  };
  until_it_comes(
      attempt, [&] { return static_cast<std::uint64_t>(body.size()); }, m_peer.patience, pace);
  return body;
}

void PeerConnection::blob(const Digest& digest, std::uint64_t size, int part,
                          const std::function<void(std::uint64_t)>& progress) {
  const auto what = digest.text();
  auto have = std::min(regular_size(part, what), size);
  const bool is_resumed = have > 0;
  cut(part, have, what);
  Hasher hasher;
  feed(hasher, part, have, what);
  const auto start_over = [&] {
    have = 0;
    hasher = Hasher();
    cut(part, 0, what);
  };
  const auto fetch = [&] {
    Pace pace(k_fruitless * m_peer.patience);
    const auto take = [&](std::string_view piece) {
      pace.add(piece.size());
      write_all(part, piece, what);
      hasher.update(piece);
      have += piece.size();
      if (progress) progress(piece.size());
    };
    until_it_comes(
        [&] {
          if (have < size) range(digest, have, size, start_over, take);
        },
        [&] { return have; }, m_peer.patience, pace);
    return hasher.finish();
  };
  if (fetch() == digest) return;
  // A power cut may have left zeros in what an earlier run wrote.
  start_over();
  if (is_resumed && fetch() == digest) return;
  start_over();
  fail(ErrorCode::digest_mismatch, "the peer gives other bytes than those of {}", what);
}

void PeerConnection::range(const Digest& digest, std::uint64_t from, std::uint64_t size,
                           const std::function<void()>& start_over, const std::function<void(std::string_view)>& take) {
  const auto target = "blobs/" + digest.hex();
  Headers headers;
  if (from > 0) headers.emplace_back("Range", fmt::format("bytes={}-", from));
  std::uint64_t left = size - from;
  get(
      "/sync/" + target, headers,
      [&](const UnixResponse& head) {
        if (head.status == 206 && from > 0) {
          const auto expected = fmt::format("bytes {}-{}/{}", from, size - 1, size);
          if (head.header("Content-Range") != expected) {
            fail(ErrorCode::size_mismatch, "the peer gives '{}' of {}, and the list says '{}'",
                 printable(head.header("Content-Range").substr(0, 100)), digest.text(), expected);
          }
        } else if (head.status == 200) {
          if (from > 0) start_over();  // it knows no ranges
          left = size;
        } else {
          refuse_status(head.status, target);
        }
        const auto announced = head.header("Content-Length");
        if (!announced.empty() && parse_uint(announced) != left) {
          fail(ErrorCode::size_mismatch, "the peer has {} bytes of {} where {} are to come",
               printable(announced.substr(0, 30)), digest.text(), left);
        }
      },
      [&](std::string_view piece) {
        if (piece.size() > left) fail(ErrorCode::size_mismatch, "the peer gives more bytes of {}", digest.text());
        left -= piece.size();
        take(piece);
      });
  if (left > 0) fail(ErrorCode::size_mismatch, "the peer gives {} bytes too few of {}", left, digest.text());
}

}  // namespace liftlock
