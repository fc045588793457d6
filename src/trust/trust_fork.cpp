#include "trust/trust_fork.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "trust/logged_trust.hpp"
#include "trust/root_statement.hpp"

namespace liftlock {
namespace {

/// Of every statement that can be read here: what was revoked or has retired spoke for this chain once, too.
std::vector<TrustedKey> root_keys(const TrustStore& store) {
  std::vector<TrustedKey> out;
  for (const auto& bytes : store.statements()) {
    try {
      for (const auto& key : parse_root(bytes).keys) {
        const bool is_known = std::any_of(out.begin(), out.end(), [&](const auto& one) { return one.id == key.id; });
        if (key.role == Role::root && !is_known) out.push_back(key);
      }
    } catch (const Error&) {  // it rotted, which is told elsewhere
    }
  }
  return out;
}

std::optional<RootStatement> decoded(const std::string& bytes) {
  try {
    return decode_root(bytes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// The first of these statements.
std::optional<TrustFork> signed_fork(const TrustStore& store, const AuditLog& log,
                                     const std::vector<std::string>& statements) {
  const auto followed = LoggedTrust().followed(store, log);
  const auto keys = root_keys(store);
  for (const auto& bytes : statements) {
    const auto statement = decoded(bytes);
    if (!statement) continue;
    const auto here = followed.find(statement->root.version);
    const auto fingerprint = statement->root.fingerprint.text();
    if (here == followed.end() || here->second.contains(fingerprint)) continue;
    TrustFork fork{.version = statement->root.version,
                   .fingerprint = fingerprint,
                   .followed = *here->second.begin(),
                   .signed_by = {}};
    for (const auto& key : keys) {
      if (is_signed_by(*statement, key)) fork.signed_by.push_back(key.id);
    }
    if (!fork.signed_by.empty()) return fork;
  }
  return std::nullopt;
}

std::optional<TrustFork> new_fork(const Site& site, const std::vector<std::string>& statements) {
  try {
    const auto log = AuditLog::open_to_read(site.audit_folder());
    auto fork = signed_fork(TrustStore(site.trust_folder()), log, statements);
    const auto known = fork ? unsettled_forks(log) : std::vector<TrustFork>();
    const bool is_known =
        std::any_of(known.begin(), known.end(), [&](const auto& one) { return one.fingerprint == fork->fingerprint; });
    return is_known ? std::nullopt : fork;
  } catch (const std::exception&) {  // without log or chain nothing can be compared, and that is told elsewhere
    return std::nullopt;
  }
}

}  // namespace

void note_fork(const Site& site, const std::vector<std::string>& statements, std::string_view actor, Error& refusal) {
  if (!site.exists()) return;
  const auto fork = new_fork(site, statements);
  if (!fork) return;
  try {
    AuditLog(site.audit_folder(), "")
        .append({.type = std::string(k_trust_fork_event),
                 .actor = std::string(actor),
                 .outcome = Outcome::failure,
                 .subject = fork->fingerprint,
                 .detail = dump_json_line({{"error", info(refusal.code()).slug},
                                           {"version", fork->version},
                                           {"followed", fork->followed},
                                           {"signed_by", fork->signed_by}})});
  } catch (const std::exception& error) {
    refusal.add_context(
        fmt::format("and the fork of root statement {}, which a root key signed, could not be recorded: {}",
                    fork->version, error.what()));
  }
}

void noting_forks(const Site& site, const std::vector<std::string>& statements, std::string_view actor,
                  const std::function<void()>& judge) {
  try {
    judge();
  } catch (Error& refusal) {
    note_fork(site, statements, actor, refusal);
    throw;
  }
}

bool ends_fork_alarm(const AuditEvent& event) {
  return event.type == k_settle_event || (event.type == "trust.pin" && event.outcome == Outcome::success);
}

std::vector<TrustFork> unsettled_forks(const AuditLog& log) {
  std::vector<TrustFork> out;
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    const auto& event = entry.event;
    const bool ends = ends_fork_alarm(event);
    if (event.type != k_trust_fork_event && !ends) return true;
    std::erase_if(out, [&](const auto& one) { return one.fingerprint == event.subject; });
    if (ends) return true;
    const auto detail = parse_json(event.detail);
    out.push_back({.version = detail.value("version", std::uint64_t{0}),
                   .fingerprint = event.subject,
                   .followed = detail.value("followed", ""),
                   .signed_by = detail.value("signed_by", std::vector<std::string>()),
                   .met = entry.time});
    return true;
  });
  return out;
}

}  // namespace liftlock
