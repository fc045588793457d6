// A high side beside the low side of bundle_fixture.hpp, and what the tests ask of it.
#pragma once

#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "bundle/bundle_fixture.hpp"
#include "bundle/ingest.hpp"
#include "store/catalog.hpp"

namespace liftlock {

class IngestTest : public BundleTest {
 protected:
  IngestTest() {
    auto site = Site::create(m_folder.path() / "state", Zone::ingest, "test");
    TrustStore(site.trust_folder()).pin(m_statement, root_fingerprint(m_statement));
    write_file_atomically(site.folder() / "config.toml",
                          fmt::format("zone = \"ingest\"\n[policy]\nreserve = \"1MiB\"\n[source.drop]\npath = \"{}\"\n"
                                      "require_read_only = false\n[source.mount]\npath = \"{}\"\n",
                                      m_folder.path().string(), m_folder.path().string()));
  }

  Site site() { return Site(m_folder.path() / "state"); }

  IngestRequest order(const std::string& where) {
    return {.source = "drop/" + where,
            .expect = sha256(content(where + "/manifest/bundle.json")),
            .dry_run = false,
            .allow_rollback = false,
            .accept_expired = false,
            .restore_retired = false,
            .reason = {},
            .actor = "ian(1000)",
            .inspect = {
                .artifact = [](const Artifact&, const OpenChecked&, const FileInspections&) { return Inspection{}; }}};
  }

  IngestResult ingested(const std::string& where) { return ingest(site(), order(where), silent_reporter()); }
  std::optional<ErrorCode> refused(const std::string& where) {
    return code_of([&] { ingested(where); });
  }
  /// "type outcome" of every entry of the audit log.
  std::vector<std::string> entries() {
    const AuditLog log(site().audit_folder(), "");
    std::vector<std::string> out;
    log.for_each(0, log.size(), [&](const AuditEntry& entry) {
      const auto outcome = entry.event.outcome;
      out.push_back(entry.event.type + (outcome == Outcome::intent    ? " intent"
                                        : outcome == Outcome::success ? " success"
                                                                      : " failure"));
      return true;
    });
    return out;
  }
  void packed_with_trust(const std::string& where, std::vector<std::string> statements) {
    auto made = request(where);
    made.trust_statements = std::move(statements);
    pack(m_store, made, silent_reporter());
    sign_as("bob", where);
  }
  std::size_t publications() { return Catalog(site().catalog_file()).publications().size(); }
  std::string transfers() { return read_file(site().transfers_log(), 1 << 20); }
};

}  // namespace liftlock
