#include "bundle/admission.hpp"

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/signatures.hpp"
#include "bundle/trust_mark.hpp"
#include "store/catalog.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
namespace {

class Judgement {
 public:
  Judgement(const Site& site, const IngestRequest& request, const BundleReader& bundle, const AuditLog& log)
      : m_site(site), m_request(request), m_bundle(bundle), m_log(log) {}

  Admission run() {
    check_expectation();
    check_signatures();
    m_out.arrival = check_channel();
    check_clock();
    check_age();
    check_retired();
    return std::move(m_out);
  }

 private:
  void override_with_reason(std::string_view what) {
    if (m_request.reason.empty()) fail(ErrorCode::reason_required, "{} needs --reason", what);
    m_out.overrides.push_back(fmt::format("{}: {}", what, m_request.reason));
  }

  void check_expectation() {
    const auto* remote = m_request.remote;
    const auto& info = m_bundle.info();
    if (remote != nullptr && (info.channel != remote->channel() || info.sequence != remote->sequence())) {
      throw Error(ErrorCode::expect_mismatch,
                  fmt::format("the peer announced {}/{}, and this bundle is {}/{}", remote->channel(),
                              remote->sequence(), printable(info.channel), info.sequence),
                  "stop: the peer mixes its bundles up, or lies");
    }
    if (!m_request.expect && m_site.config().require_expect) {
      throw Error(ErrorCode::expect_required, "the policy wants the announced digest of bundle.json",
                  "give --expect DIGEST as the sender announced it by another way; never copy it from the medium");
    }
    if (m_request.expect && *m_request.expect != m_bundle.digest()) {
      fail(ErrorCode::expect_mismatch, "bundle.json is {}, and {} was announced", m_bundle.digest().spoken(),
           m_request.expect->spoken());
    }
  }

  void check_signatures() {
    const auto trust = trust_of(m_site, m_log);
    if (trust.empty()) {
      throw Error(ErrorCode::trust_missing, "no trust root is pinned here, so no signature can be judged",
                  fmt::format("ask the sender for the fingerprint by another way than the medium, then: liftlock trust "
                              "pin '{}' --fingerprint FINGERPRINT",
                              printable(m_bundle.folder().string())));
    }
    m_out.statements = m_bundle.trust_statements();
    m_out.signatures = m_bundle.signatures(m_request.signatures);
    m_out.root = judge_chain(trust.pinned_chain(), m_out.statements, now());
    require_trust_as_marked(m_site, m_log, m_out.statements);
    m_out.judged = judge(m_bundle.bundle_json(), m_out.signatures, m_out.root, now());
    require_thresholds(m_out.judged, m_out.root);
    require_approvals();
  }

  /// The site's own rule, which nobody on the low side can lower.
  void require_approvals() const {
    const auto wanted = m_site.config().approvals;
    const auto people = approvers_of(m_out.judged);
    if (people.size() >= wanted) return;
    throw Error(ErrorCode::unsigned_document,
                fmt::format("the policy wants the approval of {}, and {}", counted(wanted, "person", "people"),
                            people.empty() ? "nobody approved" : fmt::format("only {} did", fmt::join(people, ", "))),
                "who approves runs `liftlock sign BUNDLE --role approver --key KEY --out FOLDER`, and ingest is given "
                "--signatures FOLDER");
  }

  Arrival check_channel() {
    const auto history = channel_history(m_log, m_bundle.info().channel);
    const auto& info = m_bundle.info();
    try {
      return judge_arrival(history, info, m_bundle.digest(), false);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::replayed || !m_request.allow_rollback) throw;
      override_with_reason("allow-rollback");
      return judge_arrival(history, info, m_bundle.digest(), true);
    }
  }

  /// By a clock that is behind what was signed already no expiry can be judged.
  void check_clock() const {
    require_no_future(m_bundle.info(), now());
    constexpr std::chrono::hours k_tolerance{24};
    const auto root = TrustStore(m_site.trust_folder()).current();
    const auto made = channel_history(m_log, m_bundle.info().channel).newest_created;
    const auto newest = std::max(root.created, made.value_or(root.created));
    if (newest <= now() + k_tolerance) return;
    fail(ErrorCode::clock_behind, "{} was made at {}, and this machine's clock says {}",
         newest == root.created ? "the pinned root statement" : "a bundle that is here", format_time(newest),
         format_time(now()));
  }

  void check_age() {
    const auto& expires = m_bundle.info().expires;
    if (!expires || *expires >= now() || m_site.config().accept_expired_bundles) return;
    if (!m_request.accept_expired) {
      fail(ErrorCode::bundle_expired, "the bundle expired at {}", format_end(*expires));
    }
    override_with_reason("accept-expired");
  }

  /// Somebody took it out of use, for a reason: it does not come back by itself.
  void check_retired() {
    const auto& info = m_bundle.info();
    if (!Catalog(m_site.catalog_file()).is_retired(info.channel, info.sequence)) return;
    if (!m_request.restore_retired) {
      throw Error(ErrorCode::replayed,
                  fmt::format("{}/{} was retired here, or a part of it withdrawn", info.channel, info.sequence),
                  "to bring it back into use, run the same command with --restore-retired --reason 'WHY'");
    }
    override_with_reason("restore-retired");
  }

  const Site& m_site;
  const IngestRequest& m_request;
  const BundleReader& m_bundle;
  const AuditLog& m_log;
  Admission m_out;
};

}  // namespace

Admission admit(const Site& site, const IngestRequest& request, const BundleReader& bundle, const AuditLog& log) {
  return Judgement(site, request, bundle, log).run();
}

}  // namespace liftlock
