#include "sync/rings.hpp"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "bundle/import_channel.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_format = "liftlock.rings/1";
constexpr std::string_view k_where = "rings.json";
constexpr std::uint64_t k_max_bytes = 64u << 20;

template <typename A, typename B>
bool comes_before(const A& a, const B& b) {
  return std::tie(a.channel, a.sequence) < std::tie(b.channel, b.sequence);
}

Promotion promotion_of(const Json& one) {
  return {.channel = string_member(one, "channel", k_where),
          .sequence = uint_member(one, "sequence", k_where),
          .digest = Digest::parse_sha256_hex(string_member(object_member(one, "digests", k_where), "sha256", k_where)),
          .since = parse_time(string_member(one, "since", k_where)),
          .actor = string_member(one, "actor", k_where)};
}

}  // namespace

std::map<std::string, std::vector<Promotion>> Rings::all() const {
  std::map<std::string, std::vector<Promotion>> out;
  const auto file = open_file_if_exists(m_file, O_RDONLY);
  if (!file) return out;
  return with_context(fmt::format("in {}", printable(m_file.string())), [&] {
    const auto json =
        parse_json(read_all(file->get(), k_max_bytes, m_file.string()), {.max_bytes = k_max_bytes, .max_depth = 6});
    if (const auto format = string_member(json, "format", k_where); format != k_format) {
      fail(ErrorCode::too_new, "{} is of format '{}', {} is read", k_where, printable(format), k_format);
    }
    for (const auto& [ring, list] : object_member(json, "rings", k_where).items()) {
      auto& promotions = out[ring];
      for (const auto& one : list) promotions.push_back(promotion_of(one));
      std::sort(promotions.begin(), promotions.end(), comes_before<Promotion, Promotion>);
    }
    return out;
  });
}

void Rings::promote(const std::string& ring, const Promotion& promotion) {
  auto lock_path = m_file;
  lock_path += ".lock";
  const FileLock lock(lock_path, "a change of the rings", FileLock::Wait::yes);
  auto rings = all();
  auto& promotions = rings[ring];
  const auto place =
      std::lower_bound(promotions.begin(), promotions.end(), promotion, comes_before<Promotion, Promotion>);
  if (place != promotions.end() && !comes_before(promotion, *place)) return;
  promotions.insert(place, promotion);
  auto json = Json::object();
  for (const auto& [name, list] : rings) {
    auto& out = json[name] = Json::array();
    for (const auto& one : list) {
      out.push_back({{"channel", one.channel},
                     {"sequence", one.sequence},
                     {"digests", {{"sha256", one.digest.hex()}}},
                     {"since", format_time(one.since)},
                     {"actor", one.actor}});
    }
  }
  write_file_atomically(m_file, dump_json({{"format", k_format}, {"rings", std::move(json)}}), 0640);
}

PublishedBundles published_bundles(const Catalog& catalog) {
  PublishedBundles out;
  // What was imported here is no bundle: another node has no signature to judge it by.
  for (const auto& one : catalog.publications()) {
    if (one.channel != k_import_channel)
      out.in_use.push_back({one.channel, one.sequence, one.bundle_digest, one.artifact_count});
  }
  for (const auto& one : catalog.retired()) {
    if (one.channel != k_import_channel) out.retired.push_back({one.channel, one.sequence, one.bundle_digest, 0});
  }
  return out;
}

RingDocument ring_document(const std::string& ring, const Rings& rings, const PublishedBundles& published) {
  RingDocument out{.ring = ring, .bundles = published.in_use, .retired = published.retired};
  if (ring == k_canary_ring) return out;
  const auto all = rings.all();
  const auto found = all.find(ring);
  if (found == all.end()) {
    throw Error(ErrorCode::not_found, fmt::format("there is no ring '{}'", printable(ring)),
                fmt::format("on the ingest node: liftlock ring promote {} CHANNEL SEQUENCE", printable(ring)));
  }
  const auto& promoted = found->second;
  std::erase_if(out.bundles, [&](const auto& bundle) {
    const auto place =
        std::lower_bound(promoted.begin(), promoted.end(), bundle, comes_before<Promotion, RingDocument::Bundle>);
    return place == promoted.end() || place->channel != bundle.channel || place->sequence != bundle.sequence ||
           place->digest != bundle.digest;
  });
  return out;
}

std::map<std::string, std::vector<std::string>> run_by_rings(const Rings& rings, const PublishedBundles& published) {
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& [ring, promotions] : rings.all()) {
    std::map<std::string, std::uint64_t> highest;
    for (const auto& one : ring_document(ring, rings, published).bundles) {
      auto& sequence = highest[one.channel];
      sequence = std::max(sequence, one.sequence);
    }
    for (const auto& [channel, sequence] : highest) out[fmt::format("{}/{}", channel, sequence)].push_back(ring);
  }
  return out;
}

}  // namespace liftlock
