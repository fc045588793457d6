#include <map>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "trust/root_statement.hpp"
#include "trust/trust.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_chain = 4096;
constexpr std::chrono::hours k_clock_tolerance{24};

void require_root_signatures(const RootStatement& statement, const TrustRoot& by) {
  if (const auto missing = missing_root_signatures(statement, by); missing > 0) {
    fail(ErrorCode::trust_broken, "root statement {} lacks {} signatures of the root keys of version {}",
         statement.root.version, missing, by.version);
  }
}

TrustRoot follow_one(const TrustRoot& from, const RootStatement& next, Timestamp when) {
  const auto& root = next.root;
  if (root.version != from.version + 1) {
    fail(ErrorCode::trust_broken, "root statement {} follows {}; the ones in between are missing", root.version,
         from.version);
  }
  if (root.organisation != from.organisation) {
    fail(ErrorCode::trust_broken, "root statement {} is of '{}', not of '{}'", root.version, root.organisation,
         from.organisation);
  }
  require_no_future(root, when);
  require_root_signatures(next, from);
  require_root_signatures(next, root);
  auto out = root;
  for (const auto* before : {&from.retired, &from.keys}) {
    for (const auto& key : *before) {
      if (root.find(key.id) == nullptr) out.retired.push_back(key);
    }
  }
  return out;
}

[[noreturn]] void fail_forked(std::uint64_t version) {
  throw Error(
      ErrorCode::trust_broken, fmt::format("there are two different root statements of version {}", version),
      "stop: somebody else speaks for this organisation, or its root keys signed twice; find out by another way "
      "which one is false: what carries it is refused; where the one pinned here is, `liftlock trust pin BUNDLE "
      "--fingerprint FINGERPRINT --replace --reason TEXT` with a bundle that carries the right one");
}

/// Two statements of one version are a fork, also when the version is long past.
void require_same_past(const std::vector<std::string>& pinned, const std::vector<std::string>& statements) {
  std::map<std::uint64_t, Digest> known;
  for (const auto& bytes : pinned) {
    const auto root = decode_root(bytes).root;
    known.emplace(root.version, root.fingerprint);
  }
  for (const auto& bytes : statements) {
    const auto root = decode_root(bytes).root;
    const auto found = known.find(root.version);
    if (found != known.end() && found->second != root.fingerprint) fail_forked(root.version);
  }
}

}  // namespace

TrustRoot advance(const TrustRoot& pinned, const std::vector<std::string>& statements, Timestamp when) {
  if (statements.size() > k_max_chain)
    fail(ErrorCode::limit_exceeded, "a chain of {} root statements", statements.size());
  TrustRoot current = pinned;
  for (const auto& bytes : statements) {
    const auto statement = decode_root(bytes);
    if (statement.root.version < pinned.version) continue;
    if (statement.root.version == pinned.version) {
      if (statement.root.fingerprint != pinned.fingerprint) fail_forked(pinned.version);
      continue;
    }
    current = follow_one(current, statement, when);
  }
  return current;
}

void require_no_future(const TrustRoot& root, Timestamp when) {
  if (root.created <= when + k_clock_tolerance) return;
  fail(ErrorCode::clock_behind, "root statement {} was created at {}, and this machine's clock says {}", root.version,
       format_time(root.created), format_time(when));
}

TrustRoot newest_root(const std::vector<std::string>& chain) {
  // What is pinned was judged when it came; the clock may have been set back since.
  return with_context("while reading the pinned chain of root statements",
                      [&] { return advance(parse_root(chain.at(0)), chain, Timestamp::max() - std::chrono::days(2)); });
}

TrustRoot judge_chain(const std::vector<std::string>& pinned, const std::vector<std::string>& statements,
                      Timestamp when) {
  const auto from = newest_root(pinned);
  require_same_past(pinned, statements);
  return advance(from, statements, when);
}

TrustRoot parse_root(std::string_view statement) {
  const auto decoded = decode_root(statement);
  require_root_signatures(decoded, decoded.root);
  return decoded.root;
}

Digest root_fingerprint(std::string_view statement) {
  return decode_root(statement).root.fingerprint;
}

}  // namespace liftlock
