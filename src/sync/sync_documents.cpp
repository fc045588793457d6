#include "sync/sync_documents.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_ring_format = "liftlock.sync-ring/1";
constexpr std::string_view k_publication_format = "liftlock.sync-publication/1";
constexpr std::string_view k_ring = "the ring document";
constexpr std::string_view k_publication = "the publication document";
constexpr std::uint64_t k_reader = 1;
constexpr std::uint64_t k_max_number = 1ull << 53;
constexpr std::size_t k_max_channel = 256;

Json digests(const Digest& digest) {
  return {{"sha256", digest.hex()}};
}

Digest digest_of(const Json& object, std::string_view where) {
  return Digest::parse_sha256_hex(string_member(object_member(object, "digests", where), "sha256", where));
}

void require_format(const Json& json, std::string_view wanted, std::string_view where) {
  const auto format = string_member(json, "format", where);
  const auto needed = uint_member(json, "min_reader", where);
  if (format == wanted && needed <= k_reader) return;
  fail(ErrorCode::too_new, "{} is of the format '{}' and needs reader {}", where, printable(format.substr(0, 100)),
       needed);
}

/// It becomes part of paths and of lines for people: bundle.json, which is signed, must say the same.
std::string channel_of(const Json& object, std::string_view where) {
  auto channel = string_member(object, "channel", where);
  if (channel.empty() || channel.size() > k_max_channel || portable_component(channel) != channel ||
      channel.starts_with('.')) {
    fail(ErrorCode::schema_violation, "{}: '{}' is no channel", where, printable(channel.substr(0, k_max_channel)));
  }
  return channel;
}

std::uint64_t number_of(const Json& object, std::string_view key, std::string_view where) {
  const auto number = uint_member(object, key, where);
  if (number > k_max_number) fail(ErrorCode::limit_exceeded, "{}: '{}' is {}", where, key, number);
  return number;
}

Json bundles_json(const std::vector<RingDocument::Bundle>& bundles, bool in_use) {
  auto out = Json::array();
  for (const auto& bundle : bundles) {
    Json one = {{"channel", bundle.channel}, {"sequence", bundle.sequence}, {"digests", digests(bundle.digest)}};
    if (in_use) one["artifacts"] = bundle.artifacts;
    out.push_back(std::move(one));
  }
  return out;
}

std::vector<RingDocument::Bundle> bundles_of(const Json& json, std::string_view key) {
  const auto& list = array_member(json, key, k_ring);
  if (list.size() > sync_limits::k_bundles) {
    fail(ErrorCode::limit_exceeded, "{}: {} under '{}'", k_ring, list.size(), key);
  }
  const bool in_use = key == "bundles";
  std::vector<RingDocument::Bundle> out;
  for (const auto& one : list) {
    out.push_back({.channel = channel_of(one, k_ring),
                   .sequence = number_of(one, "sequence", k_ring),
                   .digest = digest_of(one, k_ring),
                   .artifacts = in_use ? number_of(one, "artifacts", k_ring) : 0});
  }
  const auto unsorted = std::adjacent_find(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::tie(a.channel, a.sequence) >= std::tie(b.channel, b.sequence);
  });
  if (unsorted != out.end()) {
    fail(ErrorCode::schema_violation, "{}: '{}' must rise by channel and sequence", k_ring, key);
  }
  return out;
}

}  // namespace

std::string write_ring_document(const RingDocument& ring) {
  return dump_json({{"format", k_ring_format},
                    {"min_reader", 1},
                    {"ring", ring.ring},
                    {"bundles", bundles_json(ring.bundles, true)},
                    {"retired", bundles_json(ring.retired, false)}});
}

RingDocument parse_ring_document(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = sync_limits::k_ring_document, .max_depth = 5});
  require_format(json, k_ring_format, k_ring);
  RingDocument out;
  out.ring = string_member(json, "ring", k_ring);
  if (!is_ring_name(out.ring)) {
    fail(ErrorCode::schema_violation, "{}: '{}' is no ring", k_ring, printable(out.ring.substr(0, 100)));
  }
  out.bundles = bundles_of(json, "bundles");
  out.retired = bundles_of(json, "retired");
  return out;
}

std::string write_publication_document(const PublicationDocument& publication) {
  auto files = Json::array();
  for (const auto& file : publication.files) {
    files.push_back({{"path", file.path.text()}, {"size", file.size}, {"digests", digests(file.digest)}});
  }
  return dump_json_line({{"format", k_publication_format},
                         {"min_reader", 1},
                         {"channel", publication.channel},
                         {"sequence", publication.sequence},
                         {"digests", digests(publication.digest)},
                         {"files", std::move(files)},
                         {"artifacts", publication.artifacts}});
}

PublicationDocument parse_publication_document(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = sync_limits::k_publication_document, .max_depth = 5});
  require_format(json, k_publication_format, k_publication);
  PublicationDocument out{.channel = channel_of(json, k_publication),
                          .sequence = number_of(json, "sequence", k_publication),
                          .digest = digest_of(json, k_publication),
                          .files = {},
                          .artifacts = {}};
  const auto& files = array_member(json, "files", k_publication);
  const auto& artifacts = array_member(json, "artifacts", k_publication);
  if (files.size() > sync_limits::k_front_files || artifacts.size() > sync_limits::k_artifacts) {
    fail(ErrorCode::limit_exceeded, "{}: {} files, {} artifacts", k_publication, files.size(), artifacts.size());
  }
  for (const auto& file : files) {
    out.files.push_back({.path = RelPath::parse(string_member(file, "path", k_publication)),
                         .size = number_of(file, "size", k_publication),
                         .digest = digest_of(file, k_publication)});
  }
  for (const auto& artifact : artifacts) {
    if (!artifact.is_string()) fail(ErrorCode::schema_violation, "{}: an id is no text", k_publication);
    out.artifacts.push_back(artifact.get<std::string>());
    if (out.artifacts.back().size() > sync_limits::k_artifact_id) {
      fail(ErrorCode::limit_exceeded, "{}: an id of {} bytes", k_publication, out.artifacts.back().size());
    }
  }
  const auto unsorted = std::adjacent_find(out.files.begin(), out.files.end(),
                                           [](const auto& a, const auto& b) { return !(a.path < b.path); });
  const auto twice = std::adjacent_find(out.artifacts.begin(), out.artifacts.end(), std::greater_equal<>());
  if (unsorted != out.files.end() || twice != out.artifacts.end()) {
    fail(ErrorCode::schema_violation, "{}: files and artifacts must rise, each once", k_publication);
  }
  return out;
}

bool is_ring_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && !text.starts_with('.') && portable_component(text) == text;
}

}  // namespace liftlock
