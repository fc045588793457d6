#include "trust/logged_trust.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "trust/root_statement.hpp"
#include "trust/statement_files.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_pin_again = "liftlock trust pin BUNDLE --fingerprint FINGERPRINT --replace --reason TEXT";

constexpr std::string_view k_heal =
    "find out what happened to that folder; `liftlock trust update BUNDLE` brings it back from a bundle (or a folder "
    "of "
    "statements) that carries all that the audit log tells of";

std::string hint(bool is_empty, bool replacing) {
  if (is_empty) {
    return fmt::format(
        "stop and find out who removed them, and restore that folder from the newest backup, or bring them with "
        "`liftlock trust update BUNDLE`; where a `trust pin --replace` was interrupted: {}",
        k_pin_again);
  }
  if (replacing) {
    return fmt::format(
        "a `trust pin --replace` began here and did not end: run it again: {}; where it was not you, stop and find out "
        "who it was, and restore that folder from the newest backup",
        k_pin_again);
  }
  return "stop and find out who removed them, and restore that folder from the newest backup, or bring what is missing "
         "with `liftlock trust update FILE_OR_BUNDLE`";
}

/// One more statement of the pinned chain. @throws Error{trust_broken} that names the file
TrustRoot follow_file(const std::optional<TrustRoot>& before, std::uint64_t version, const fs::path& file) {
  try {
    const auto bytes = read_file(file, k_max_statement);
    // What is pinned was judged when it came; the clock may have been set back since.
    const auto root = before ? advance(*before, {bytes}, Timestamp::max() - std::chrono::days(2)) : parse_root(bytes);
    if (root.version != version) fail(ErrorCode::trust_broken, "it is not of version {}", version);
    return root;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::io_error) throw;
    throw Error(
        ErrorCode::trust_broken,
        fmt::format("the pinned root statement '{}' rotted or was changed: {}", printable(file.string()), error.what()),
        std::string(k_heal));
  }
}

/// The newest of the pinned statements, where there are any. @throws Error{trust_broken} that names the file
std::optional<TrustRoot> newest_pinned(const TrustStore& store) {
  std::optional<TrustRoot> newest;
  for (const auto& [version, file] : statement_files(store.folder())) {
    if (newest && version != newest->version + 1) {
      throw Error(ErrorCode::trust_broken,
                  fmt::format("the pinned root statement '{}' is missing",
                              printable(statement_file(store.folder(), newest->version + 1).string())),
                  std::string(k_heal));
    }
    newest = follow_file(newest, version, file);
  }
  return newest;
}

/// What did not rot, by version.
std::map<std::uint64_t, std::string> readable(const TrustStore& store) {
  std::map<std::uint64_t, std::string> out;
  for (const auto& [version, file] : statement_files(store.folder())) {
    try {
      auto bytes = read_file(file, k_max_statement);
      if (parse_root(bytes).version == version) out.emplace(version, std::move(bytes));
    } catch (const Error&) {  // it is what another one takes the place of
    }
  }
  return out;
}

}  // namespace

void LoggedTrust::take(const AuditEvent& event) {
  if (event.outcome == Outcome::failure || (event.type != "trust.pin" && event.type != "trust.update")) return;
  const auto detail = parse_json(event.detail);
  const bool replaces = event.type == "trust.pin" && (detail.contains("remark") || detail.contains("replace"));
  if (event.outcome == Outcome::intent) {
    m_replacing = m_replacing || replaces;
    return;
  }
  m_replacing = false;
  // One that is known does not make those after it dispensable.
  const auto known = detail.value("restores", event.subject);
  if (replaces && !m_pinned.contains(known)) {
    m_replaced.push_back(std::move(m_pinned));
    m_pinned.clear();
    const auto back =
        std::find_if(m_replaced.begin(), m_replaced.end(), [&](const auto& chain) { return chain.contains(known); });
    if (back != m_replaced.end()) {
      m_pinned = std::move(*back);
      m_replaced.erase(back);
    }
  }
  m_pinned.emplace(event.subject, detail.value("version", std::uint64_t{0}));
}

void LoggedTrust::read(const AuditLog& log) {
  const auto size = log.size();
  log.for_each_of("trust.", m_read, size, [&](const AuditEntry& entry) {
    take(entry.event);
    m_read = entry.index + 1;
    return true;
  });
  m_read = size;
}

void LoggedTrust::require(const TrustStore& store, const AuditLog& log, const std::vector<std::string>& brought) {
  const std::lock_guard guard(m_mutex);
  read(log);
  const auto newest = newest_pinned(store);
  auto missing = m_pinned;
  const auto statements = store.statements();
  // Pinning an old one again, which changes nothing, does not make the newer ones dispensable.
  for (const auto* chain : {&statements, &brought}) {
    for (const auto& one : *chain) missing.erase(root_fingerprint(one).text());
  }
  if (missing.empty()) return;
  const auto& [fingerprint, version] = *std::max_element(
      missing.begin(), missing.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const auto file = version > 0 ? fmt::format(" ({})", statement_file("trust", version).string()) : "";
  const auto* what = !newest                                    ? "the pinned root statements are lost from"
                     : version > 0 && version < newest->version ? "a pinned root statement is lost from"
                                                                : "the newest pinned root statements are lost from";
  throw Error(newest ? ErrorCode::trust_broken : ErrorCode::trust_missing,
              fmt::format("{} '{}': the audit log tells of {}{}, which is {}", what, printable(store.folder().string()),
                          printable(fingerprint), file,
                          brought.empty() ? "not there" : "neither there nor in what was brought"),
              hint(!newest, m_replacing));
}

std::vector<std::string> LoggedTrust::whole_chain(const TrustStore& store, const AuditLog& log,
                                                  const std::vector<std::string>& brought, Timestamp when,
                                                  Chains chains) {
  const std::lock_guard guard(m_mutex);
  read(log);
  struct Statement {
    std::string fingerprint;
    std::string bytes;
  };
  std::map<std::uint64_t, Statement> merged;
  for (const auto& bytes : brought) {
    const auto root = decode_root(bytes).root;
    merged.insert_or_assign(root.version, Statement{root.fingerprint.text(), bytes});
  }
  const auto has_all = [&](const Remembered& chain) {
    return !chain.empty() && std::all_of(chain.begin(), chain.end(), [&](const auto& one) {
      return std::any_of(merged.begin(), merged.end(),
                         [&](const auto& s) { return s.second.fingerprint == one.first; });
    });
  };
  const Remembered* whole = nullptr;
  if (chains == Chains::replaced_too) {
    for (const auto& chain : m_replaced) {
      if (has_all(chain)) whole = &chain;
    }
  }
  if (whole == nullptr) {
    for (const auto& [version, bytes] : readable(store)) {
      auto fingerprint = root_fingerprint(bytes).text();
      const auto [other, is_new] = merged.try_emplace(version, Statement{fingerprint, bytes});
      if (!is_new && other->second.fingerprint != fingerprint) return {};  // a fork
    }
    if (!has_all(m_pinned)) return {};
    whole = &m_pinned;
  }
  std::vector<std::string> out;
  for (auto& [version, statement] : merged) {
    if (!out.empty() || whole->contains(statement.fingerprint)) out.push_back(std::move(statement.bytes));
  }
  (void)advance(parse_root(out.front()), out, when);
  return out;
}

bool LoggedTrust::knows(const TrustStore& store, const AuditLog& log, const Digest& fingerprint) {
  const std::lock_guard guard(m_mutex);
  read(log);
  const auto told = [&](const Remembered& chain) { return chain.contains(fingerprint.text()); };
  const auto pinned = readable(store);
  return told(m_pinned) || std::any_of(m_replaced.begin(), m_replaced.end(), told) ||
         std::any_of(pinned.begin(), pinned.end(),
                     [&](const auto& one) { return root_fingerprint(one.second) == fingerprint; });
}

std::map<std::uint64_t, std::set<std::string>> LoggedTrust::followed(const TrustStore& store, const AuditLog& log) {
  const std::lock_guard guard(m_mutex);
  read(log);
  std::map<std::uint64_t, std::set<std::string>> out;
  for (const auto& [fingerprint, version] : m_pinned) {
    if (version > 0) out[version].insert(fingerprint);
  }
  for (const auto& [version, bytes] : readable(store)) out[version].insert(root_fingerprint(bytes).text());
  return out;
}

void replace_chain(TrustStore& store, const std::vector<std::string>& chain, Timestamp when) {
  store.replace(chain.front(), root_fingerprint(chain.front()));
  store.follow(chain, when);
}

void require_trust_as_logged(const TrustStore& store, const AuditLog& log, const std::vector<std::string>& brought) {
  LoggedTrust().require(store, log, brought);
}

TrustStore trust_of(const Site& site, const AuditLog& log) {
  TrustStore store(site.trust_folder());
  require_trust_as_logged(store, log);
  return store;
}

TrustStore trust_of(const Site& site) {
  // A log that did not begin remembers nothing; one that is lost does not pass for that where somebody is trusted.
  TrustStore store(site.trust_folder());
  if (!site.exists() || (store.empty() && !fs::exists(site.audit_folder() / "journal"))) return store;
  return trust_of(site, AuditLog::open_to_read(site.audit_folder()));
}

}  // namespace liftlock
