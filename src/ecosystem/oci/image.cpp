#include "ecosystem/oci/image.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::oci {
namespace {

constexpr std::size_t k_max_referrers = 1000;
constexpr std::string_view k_ref_name = "org.opencontainers.image.ref.name";

Json referrer_json(const Referrer& referrer) {
  auto out = descriptor_json(referrer.manifest);
  out["subject"] = referrer.subject.text();
  if (!referrer.tag.empty()) out["tag"] = referrer.tag;
  return out;
}

Referrer parse_referrer(const Json& json) {
  constexpr std::string_view where = "facts.referrers";
  Referrer out{parse_descriptor(json, where), Digest::parse(string_member(json, "subject", where)),
               string_member_or(json, "tag", "", where)};
  if (!out.tag.empty() && !is_tag(out.tag)) fail(ErrorCode::schema_violation, "{}: a tag that is none", where);
  return out;
}

}  // namespace

Json image_facts_json(const ImageFacts& facts) {
  auto left_out = Json::array();
  for (const auto& digest : facts.left_out) left_out.push_back(digest.text());
  auto referrers = Json::array();
  for (const auto& referrer : facts.referrers) referrers.push_back(referrer_json(referrer));
  return {{"ref", facts.ref},
          {"manifest", descriptor_json(facts.manifest)},
          {"platforms", facts.platforms},
          {"left_out", std::move(left_out)},
          {"referrers", std::move(referrers)}};
}

ImageFacts parse_image_facts(const Json& facts) {
  constexpr std::string_view where = "facts of an image";
  ImageFacts out{.ref = string_member(facts, "ref", where),
                 .manifest = parse_descriptor(member(facts, "manifest", where), "facts.manifest"),
                 .platforms = {},
                 .left_out = {},
                 .referrers = {}};
  for (const auto& platform : array_member(facts, "platforms", where)) {
    if (!platform.is_string()) fail(ErrorCode::schema_violation, "{}: platforms must be strings", where);
    out.platforms.push_back(platform.get<std::string>());
  }
  for (const auto& digest : array_member(facts, "left_out", where)) {
    if (!digest.is_string()) fail(ErrorCode::schema_violation, "{}: left_out must hold digests", where);
    out.left_out.push_back(Digest::parse(digest.get_ref<const std::string&>()));
  }
  const auto& referrers = array_member(facts, "referrers", where);
  if (referrers.size() > k_max_referrers) fail(ErrorCode::limit_exceeded, "{}: {} referrers", where, referrers.size());
  for (const auto& referrer : referrers) out.referrers.push_back(parse_referrer(referrer));
  return out;
}

std::optional<Reference> upstream_of(const std::string& ref) {
  if (ref.starts_with("docker-archive:") || ref.starts_with("oci:")) return std::nullopt;
  try {
    auto out = parse_reference(ref);
    return out.host.empty() ? std::nullopt : std::optional(std::move(out));
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string host_component(std::string_view host) {
  auto out = to_lower(host);
  std::replace(out.begin(), out.end(), ':', '_');
  std::erase_if(out, [](char c) { return c == '[' || c == ']'; });
  return out;
}

RelPath blob_path(const Digest& digest) {
  return RelPath::parse("images/blobs/sha256/" + digest.hex());
}

std::string layout_ref(const Artifact& image) {
  return image.name + (Digest::try_parse(image.version) ? "@" : ":") + image.version;
}

std::vector<std::pair<RelPath, std::string>> assemble_oci_layout(std::span<const Artifact> artifacts) {
  // By name, so that the order does not depend on the caller's; unnamed entries sort by their digest.
  std::map<std::string, Json> named;
  std::map<Digest, Json> unnamed;
  for (const auto& artifact : artifacts) {
    if (artifact.kind != k_image_kind) continue;
    const auto facts = with_context("in " + artifact.id(), [&] { return parse_image_facts(artifact.facts); });
    const auto add_named = [&](Descriptor descriptor, const std::string& ref) {
      descriptor.annotations = {{std::string(k_ref_name), ref}};
      auto json = descriptor_json(descriptor);
      const auto [place, fresh] = named.emplace(ref, json);
      // Two locks of one signature tag may differ; the choice must not depend on the order.
      if (!fresh && json < place->second) place->second = std::move(json);
    };
    add_named(facts.manifest, layout_ref(artifact));
    for (const auto& referrer : facts.referrers) {
      if (referrer.tag.empty()) {
        unnamed.insert_or_assign(referrer.manifest.digest, descriptor_json(referrer.manifest));
      } else {
        add_named(referrer.manifest, artifact.name + ":" + referrer.tag);
      }
    }
  }
  if (named.empty()) return {};
  auto manifests = Json::array();
  for (auto& [ref, descriptor] : named) manifests.push_back(std::move(descriptor));
  for (auto& [digest, descriptor] : unnamed) manifests.push_back(std::move(descriptor));
  const Json index = {{"schemaVersion", 2}, {"mediaType", media::oci_index}, {"manifests", std::move(manifests)}};
  const Json layout = {{"imageLayoutVersion", "1.0.0"}};
  return {{RelPath::parse("images/index.json"), dump_json(index)},
          {RelPath::parse("images/oci-layout"), dump_json_line(layout)}};
}

std::string merge_oci_index(std::string_view existing, std::string_view added) {
  auto index = parse_json(added);
  auto& manifests = index["manifests"];
  const auto old = parse_json(existing);
  constexpr std::string_view where = "index.json";
  const auto key = [&](const Json& descriptor) {
    auto digest = string_member(descriptor, "digest", where);
    const auto annotations = descriptor.find("annotations");
    const bool has_name = annotations != descriptor.end() && !annotations->is_null();
    return std::make_pair(has_name ? string_member_or(*annotations, k_ref_name, "", where) : "", std::move(digest));
  };
  std::map<std::pair<std::string, std::string>, Json> merged;
  std::set<std::string> renewed;
  for (const auto& descriptor : manifests) {
    merged.emplace(key(descriptor), descriptor);
    renewed.insert(key(descriptor).first);
  }
  for (const auto& descriptor : array_member(old, "manifests", where)) {
    const auto place = key(descriptor);
    if (place.first.empty() || !renewed.contains(place.first)) merged.emplace(place, descriptor);
  }
  manifests = Json::array();
  for (auto& [place, descriptor] : merged) manifests.push_back(std::move(descriptor));
  return dump_json(index);
}

}  // namespace liftlock::oci
