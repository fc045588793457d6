#include "cli/fix_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "artifact/artifact_lines.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/bundle_reader.hpp"
#include "bundle/source.hpp"
#include "cli/store_view.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_most_bundles = 200;  ///< of one source
constexpr std::size_t k_most_offers = 5;
constexpr JsonLimits k_line_limits{.max_bytes = bundle_limits::k_artifact_line, .max_depth = 32};

/// Signature first: what an unsigned bundle says that it brings is nobody's offer.
void require_signed(const TrustStore& trust, const BundleReader& bundle) {
  const auto root = judge_chain(trust.pinned_chain(), bundle.trust_statements(), now());
  require_thresholds(judge(bundle.bundle_json(), bundle.signatures(), root, now()), root);
}

std::vector<Artifact> packages_of(const std::vector<Artifact>& artifacts) {
  std::vector<Artifact> out;
  for (const auto& one : artifacts) {
    if (!advisory::known_packages(one).empty()) out.push_back(one);
  }
  return out;
}

}  // namespace

std::string_view name(Offer::State state) {
  switch (state) {
    case Offer::State::landed:
      return "landed";
    case Offer::State::retired:
      return "retired";
    case Offer::State::waiting:
      return "waiting";
  }
  return {};
}

FixSearch::FixSearch(const Site& site, const OpenStore& store, const std::vector<Artifact>& live) {
  std::set<std::string> ids;
  for (const auto& artifact : packages_of(live)) {
    m_packages.add(artifact);
    const auto id = artifact.id();
    if (!ids.insert(id).second) continue;
    for (const auto& holder : store.catalog.holders(id))
      m_offers.emplace(id, Offer{Offer::State::landed, holder, {}, id});
  }
  add_retired(store);
  add_waiting(site, store);
}

void FixSearch::add(const std::vector<Artifact>& artifacts, Offer offer) {
  for (const auto& artifact : artifacts) {
    m_packages.add(artifact);
    offer.artifact = artifact.id();
    const auto [from, to] = m_offers.equal_range(offer.artifact);
    if (std::any_of(from, to, [&](const auto& one) { return one.second.bundle == offer.bundle; })) continue;
    m_offers.emplace(offer.artifact, offer);
  }
}

void FixSearch::add_retired(const OpenStore& store) {
  for (const auto& one : store.catalog.retired()) {
    const auto label = fmt::format("{}/{}", one.channel, one.sequence);
    try {
      const auto text_of = [&](const Digest& digest, std::uint64_t limit) {
        return read_all(store.blobs.open(digest).get(), limit, label);
      };
      if (!store.blobs.contains(one.bundle_digest)) continue;
      const auto info = parse_bundle_info(text_of(one.bundle_digest, bundle_limits::k_bundle_json));
      const auto list = info.lists.find(RelPath::parse(k_artifacts_list_path));
      if (list == info.lists.end() || !store.blobs.contains(list->second.digest)) continue;
      const auto text = text_of(list->second.digest, bundle_limits::k_list);
      std::vector<Artifact> artifacts;
      for (const auto line : split(text, '\n')) {
        if (!line.empty()) artifacts.push_back(parse_artifact(line, k_line_limits));
      }
      add(packages_of(artifacts), {Offer::State::retired, label, {}, {}});
    } catch (const Error& error) {
      m_notes.push_back(
          fmt::format("{}, which was retired, is not looked into: {}", printable(label), printable(error.what())));
    }
  }
}

void FixSearch::add_waiting(const Site& site, const OpenStore& store) {
  if (site.config().sources.empty()) return;
  std::optional<TrustStore> trust;  // once: the whole log is asked
  try {
    trust = trust_of(site);
  } catch (const Error& error) {
    m_notes.push_back(fmt::format("no source is looked into: {}", printable(error.what())));
    return;
  }
  for (const auto& [source, where] : site.config().sources) {
    std::vector<std::string> found;
    try {
      found = candidates(source, resolve_source(site.config(), source));
    } catch (const Error&) {
      continue;  // no medium is there, or none that ingest would take
    } catch (const fs::filesystem_error& error) {
      note(source, error.code());
    }
    for (const auto& one : found) look_into(site, *trust, store, one);
  }
}

std::vector<std::string> FixSearch::candidates(const std::string& source, const fs::path& folder) {
  std::vector<std::string> out;
  std::error_code error;
  if (fs::exists(folder / k_bundle_json_path, error)) return {source};
  if (error) note(source, error);
  std::size_t seen = 0;
  auto entry = fs::directory_iterator(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const auto below = source + "/" + entry->path().filename().string();
    std::error_code its_error;  // one that cannot be read hides no other
    const bool is_bundle = entry->is_directory(its_error) && fs::exists(entry->path() / k_bundle_json_path, its_error);
    if (!is_bundle && !its_error) continue;
    if (++seen > k_most_bundles) {
      m_notes.push_back(fmt::format("the source {} has more than {} bundles: not all are looked into",
                                    printable(source), k_most_bundles));
      break;
    }
    if (is_bundle) {
      out.push_back(below);
    } else {
      note(below, its_error);
    }
  }
  if (error) note(source, error);
  std::sort(out.begin(), out.end());
  return out;
}

void FixSearch::note(std::string_view source, const std::error_code& error) {
  m_notes.push_back(fmt::format("{} is not looked into: {}", printable(source), printable(error.message())));
}

void FixSearch::look_into(const Site& site, const TrustStore& trust, const OpenStore& store,
                          const std::string& source) {
  try {
    BundleReader bundle(resolve_source(site.config(), source));
    const auto& info = bundle.info();
    const auto known = [&](const auto& all) {
      return std::any_of(all.begin(), all.end(), [&](const auto& one) {
        return one.channel == info.channel && one.sequence == info.sequence && one.bundle_digest == bundle.digest();
      });
    };
    if (known(store.catalog.publications()) || known(store.catalog.retired())) return;
    require_signed(trust, bundle);
    bundle.load_lists();
    add(packages_of(bundle.artifacts()),
        {Offer::State::waiting, fmt::format("{}/{}", info.channel, info.sequence), source, {}});
  } catch (const Error& error) {
    m_notes.push_back(fmt::format("{} is not looked into: {}", printable(source), printable(error.what())));
  } catch (const fs::filesystem_error& error) {
    note(source, error.code());
  }
}

std::vector<Offer> FixSearch::offers(const advisory::Affected& found, const advisory::Meant& meant) const {
  std::vector<Offer> out;
  for (const auto& id : m_packages.of(found, meant)) {
    const auto [from, to] = m_offers.equal_range(id);
    for (auto offer = from; offer != to; ++offer) out.push_back(offer->second);
  }
  std::stable_sort(out.begin(), out.end(), [](const Offer& a, const Offer& b) { return a.state < b.state; });
  if (out.size() > k_most_offers) out.resize(k_most_offers);
  return out;
}

}  // namespace liftlock
