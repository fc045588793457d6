#include "sync/sync.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/channel.hpp"
#include "store/catalog.hpp"
#include "store/content.hpp"
#include "sync/peer_bundle.hpp"
#include "sync/sync_documents.hpp"

namespace liftlock {
namespace {

using Bundle = RingDocument::Bundle;
constexpr std::string_view k_event = "store.sync";

std::string name_of(const Bundle& bundle) {
  return fmt::format("{}/{}", bundle.channel, bundle.sequence);
}

class Sync {
 public:
  Sync(const Site& site, const SyncRequest& request, Reporter& reporter)
      : m_site(site),
        m_request(request),
        m_reporter(reporter),
        m_connection(request.peer),
        m_log(site.audit_folder(), "") {
    make_folders(site.store_folder());
  }

  SyncResult run() {
    read_ring();
    for (const auto& [channel, bundles] : m_bundles) take_channel(channel, bundles);
    if (m_request.config.follow_retired) {
      follow_retired();
      for (const auto& [channel, bundles] : m_bundles) follow_withdrawn(bundles);
    }
    m_is_recorded = true;
    if (m_first_refusal) throw *m_first_refusal;
    remove_tree(m_site.sync_folder());  // also what a run left that was killed once its bundle had landed
    return m_result;
  }

  /// What was refused without an ingest has its entry, too. That the peer cannot be reached is no news for the log.
  void record(const Error& error) {
    if (m_is_recorded || info(error.code()).error_class != ErrorClass::integrity) return;
    m_log.append({.type = std::string(k_event),
                  .actor = m_request.actor,
                  .outcome = Outcome::failure,
                  .subject = m_request.config.ring,
                  .detail = dump_json_line({{"peer", m_request.config.peer},
                                            {"code", info(error.code()).slug},
                                            {"message", printable(error.what())}})});
  }

 private:
  void read_ring() {
    const auto& ring = m_request.config.ring;
    auto document = with_context(fmt::format("of {}", m_request.config.peer), [&] {
      return parse_ring_document(
          m_connection.document(fmt::format("rings/{}.json", ring), sync_limits::k_ring_document));
    });
    if (document.ring != ring) {
      fail(ErrorCode::schema_violation, "the peer was asked for the ring '{}' and gives '{}'", ring, document.ring);
    }
    const auto& channels = m_request.config.channels;
    const auto wanted = [&](const Bundle& bundle) {
      return channels.empty() || std::find(channels.begin(), channels.end(), bundle.channel) != channels.end();
    };
    for (auto& bundle : document.bundles) {
      if (wanted(bundle)) m_bundles[bundle.channel].push_back(std::move(bundle));
    }
    for (auto& bundle : document.retired) {
      if (wanted(bundle)) m_retired.push_back(std::move(bundle));
    }
    for (const auto& channel : channels) {
      if (!m_bundles.contains(channel)) note(fmt::format("the ring has nothing of the channel {}", channel));
    }
  }

  void note(std::string text) {
    m_reporter.note(text);
    m_result.notes.push_back(std::move(text));
  }

  /// One that is refused keeps no other channel, and nothing that is retired, waiting.
  void take_channel(const std::string& channel, const std::vector<Bundle>& bundles) {
    try {
      auto history = channel_history(m_log, channel);
      const auto first = choose(bundles, history);
      if (first) take(*first);
      if (first) history = channel_history(m_log, channel);
      for (const auto& bundle : bundles) {
        const auto seen = history.seen.find(bundle.sequence);
        const bool is_late = seen == history.seen.end() && history.still_pending.contains(bundle.sequence);
        const bool was_cut = seen != history.seen.end() && !is_whole(bundle);
        if ((is_late || was_cut) && !(first && *first == bundle)) take(bundle);
      }
    } catch (const Error& error) {
      record(error);
      m_is_recorded = false;
      m_reporter.warn(fmt::format("{}: {}", channel, error.what()));
      if (!m_first_refusal) m_first_refusal = error;
    }
  }

  /// The newest of the ring; nothing when it is here, or may not be followed. A fork or a rollback is chosen: the
  /// pipeline refuses it, and its entry is in the log.
  std::optional<Bundle> choose(const std::vector<Bundle>& bundles, const ChannelHistory& history) {
    for (const auto& bundle : bundles) {
      const auto seen = history.seen.find(bundle.sequence);
      if (seen != history.seen.end() && seen->second != bundle.digest) return bundle;
    }
    const auto& highest = bundles.back();
    if (highest.sequence > history.newest()) return highest;
    if (highest.sequence == history.newest() || history.still_pending.contains(highest.sequence)) return std::nullopt;
    const bool is_known = history.seen.contains(highest.sequence);
    const bool went_back = std::any_of(m_retired.begin(), m_retired.end(), [&](const Bundle& one) {
      return one.channel == highest.channel && one.sequence == history.newest();
    });
    if (!is_known && !went_back) return highest;
    note(fmt::format("this node has {}/{}, and its ring is at {}: it waits for a newer one", highest.channel,
                     history.newest(), highest.sequence));
    return std::nullopt;
  }

  /// Is there nothing of it to be had here? What was taken out of use here is not.
  bool is_whole(const Bundle& bundle) {
    const Catalog catalog(m_site.catalog_file());
    if (catalog.is_retired(bundle.channel, bundle.sequence)) return !m_request.restore_retired;
    const auto publication = catalog.publication(bundle.channel, bundle.sequence);
    if (!publication || publication->artifacts.size() < bundle.artifacts) return false;
    const BlobStore store(m_site.store_folder());
    const auto is_stored = [&](const auto& file) { return store.contains(file.digest); };
    return std::all_of(publication->other_files.begin(), publication->other_files.end(), is_stored) &&
           std::all_of(publication->artifacts.begin(), publication->artifacts.end(), [&](const auto& artifact) {
             return std::all_of(artifact.files.begin(), artifact.files.end(), is_stored);
           });
  }

  void take(const Bundle& bundle) {
    m_reporter.note(fmt::format("{} of {}", name_of(bundle), m_request.config.peer));
    PeerBundle remote(m_request.peer, m_request.config.connections, bundle, m_site.sync_folder());
    const IngestRequest request{.source = m_request.config.peer,
                                .expect = bundle.digest,
                                .dry_run = false,
                                .allow_rollback = false,
                                .accept_expired = m_request.accept_expired,
                                .restore_retired = m_request.restore_retired,
                                .reason = m_request.reason,
                                .actor = m_request.actor,
                                .inspect = m_request.inspect,
                                .remote = &remote};
    m_is_recorded = true;
    auto result = ingest(m_site, request, m_reporter);
    m_is_recorded = false;
    if (result.status == IngestResult::Status::published) m_result.taken.push_back(std::move(result));
  }

  void effect(std::string type, const std::string& subject, Json detail, const std::function<void()>& work) {
    detail["why"] = "retired at the peer";
    detail["peer"] = m_request.config.peer;
    logged_effect(m_log,
                  {.type = std::move(type),
                   .actor = m_request.actor,
                   .outcome = Outcome::intent,
                   .subject = subject,
                   .detail = dump_json_line(detail)},
                  work);
  }

  void follow_retired() {
    Catalog catalog(m_site.catalog_file());
    for (const auto& here : catalog.publications()) {
      const auto found = std::find_if(m_retired.begin(), m_retired.end(), [&](const Bundle& one) {
        return one.channel == here.channel && one.sequence == here.sequence && one.digest == here.bundle_digest;
      });
      if (found == m_retired.end()) continue;
      effect("bundle.retire", name_of(*found), {{"bundle", found->digest.text()}},
             [&] { catalog.retire(here.channel, here.sequence); });
      m_result.retired.push_back(name_of(*found));
    }
  }

  /// Artifacts that are here in a bundle of the peer, and there in none of those that both have: another content under
  /// the same id is another artifact.
  void follow_withdrawn(const std::vector<Bundle>& bundles) {
    Catalog catalog(m_site.catalog_file());
    std::vector<Bundle> both;
    bool has_more = false;
    for (const auto& here : catalog.publications()) {
      const auto found = std::find_if(bundles.begin(), bundles.end(), [&](const Bundle& one) {
        return one.channel == here.channel && one.sequence == here.sequence && one.digest == here.bundle_digest;
      });
      if (found == bundles.end()) continue;
      both.push_back(*found);
      has_more = has_more || here.artifact_count > found->artifacts;
    }
    if (!has_more) return;
    // The peer tells ids: of which content, this node's own copy of the bundle says.
    std::set<std::pair<std::string, Digest>> there;
    for (const auto& bundle : both) {
      const auto in_use = publication_of(m_connection, bundle).artifacts;
      const auto publication = catalog.publication(bundle.channel, bundle.sequence);
      if (!publication) continue;
      for (const auto& artifact : publication->artifacts) {
        auto id = artifact.id();
        if (std::binary_search(in_use.begin(), in_use.end(), id))
          there.emplace(std::move(id), content_digest(artifact));
      }
    }
    for (const auto& bundle : both) {
      const auto publication = catalog.publication(bundle.channel, bundle.sequence);
      if (!publication) continue;
      for (const auto& artifact : publication->artifacts) {
        const auto id = artifact.id();
        if (there.contains({id, content_digest(artifact)})) continue;
        effect("artifact.withdraw", id, {{"bundle", bundle.digest.text()}}, [&] { catalog.withdraw(artifact); });
        m_result.withdrawn.push_back(id);
      }
    }
  }

  const Site& m_site;
  const SyncRequest& m_request;
  Reporter& m_reporter;
  PeerConnection m_connection;
  AuditLog m_log;
  std::map<std::string, std::vector<Bundle>> m_bundles;  ///< by channel, rising
  std::vector<Bundle> m_retired;
  SyncResult m_result;
  std::optional<Error> m_first_refusal;
  bool m_is_recorded = false;  ///< what comes now, the ingest puts into the log
};

}  // namespace

SyncResult sync_once(const Site& site, const SyncRequest& request, Reporter& reporter) {
  const FileLock lock(site.folder() / "sync.lock", "a sync", FileLock::Wait::no);
  Sync sync(site, request, reporter);
  try {
    return sync.run();
  } catch (const Error& error) {
    sync.record(error);
    throw;
  }
}

}  // namespace liftlock
