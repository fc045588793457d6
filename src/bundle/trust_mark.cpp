#include "bundle/trust_mark.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_fact = "trust.newest";

struct Mark {
  Digest fingerprint;
  std::uint64_t version = 0;
};

std::optional<Mark> mark_of(const Catalog& catalog) {
  const auto text = catalog.fact(k_fact);
  if (!text) return std::nullopt;
  const auto json = parse_json(*text);
  return Mark{Digest::parse(string_member(json, "fingerprint", k_fact)), uint_member(json, "version", k_fact)};
}

/// These statements from the marked one on; empty when it is not among them.
std::vector<std::string> from_mark(const std::vector<std::string>& statements, const Mark& mark) {
  const auto at = std::find_if(statements.begin(), statements.end(),
                               [&](const auto& one) { return root_fingerprint(one) == mark.fingerprint; });
  return {at, statements.end()};
}

bool is_known(const Mark& mark, const TrustStore& trust, const AuditLog& log, const std::vector<std::string>& brought) {
  if (!from_mark(trust.statements(), mark).empty()) return true;
  // A bundle may carry any statement beside the chain that counts: this one has to lead to it, signed step by step.
  const auto chain = from_mark(brought, mark);
  if (!chain.empty() && (trust.empty() || newest_root(chain).version >= trust.current().version)) return true;
  // Then it was replaced here, or the log itself misses it, and says so (require_trust_as_logged).
  return LoggedTrust().knows(trust, log, mark.fingerprint);
}

}  // namespace

void require_trust_as_marked(const Catalog& catalog, const TrustStore& trust, const AuditLog& log,
                             const std::vector<std::string>& brought) {
  const auto mark = mark_of(catalog);
  if (!mark || is_known(*mark, trust, log, brought)) return;
  throw Error(ErrorCode::trust_rolled_back,
              fmt::format("root statement {} ({}) was followed here, as the catalog knows, and neither '{}' nor the "
                          "audit log has it: both are from before it",
                          mark->version, mark->fingerprint.text(), printable(trust.folder().string())),
              "restore the newest audit/ and trust/ there are, or bring the statement back with `liftlock trust update "
              "FILE_OR_BUNDLE`; compare the log with its witness (docs/guides/witness.md). Until then keys count that "
              "may be revoked");
}

void require_trust_as_marked(const Site& site, const AuditLog& log, const std::vector<std::string>& brought) {
  if (!fs::exists(site.catalog_file())) return;
  require_trust_as_marked(Catalog(site.catalog_file(), Access::read), TrustStore(site.trust_folder()), log, brought);
}

void mark_trust(Catalog& catalog, const TrustStore& trust, const AuditLog& log, TrustMark change,
                const std::vector<std::string>& brought) {
  if (trust.empty()) return;
  const auto root = trust.current();
  const auto mark = mark_of(catalog);
  if (mark && mark->fingerprint == root.fingerprint) return;
  // Trust that is older than the log has an old copy in its place, too.
  require_trust_as_logged(trust, log);
  if (mark && change == TrustMark::raise && !is_known(*mark, trust, log, brought)) return;
  catalog.set_fact(k_fact, dump_json_line({{"fingerprint", root.fingerprint.text()}, {"version", root.version}}));
}

void mark_trust(const Site& site, const AuditLog& log, TrustMark change, const std::vector<std::string>& brought) {
  if (!fs::exists(site.catalog_file())) return;
  Catalog catalog(site.catalog_file());
  mark_trust(catalog, TrustStore(site.trust_folder()), log, change, brought);
}

}  // namespace liftlock
