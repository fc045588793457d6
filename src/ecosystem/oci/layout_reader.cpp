#include "ecosystem/oci/layout_reader.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock::oci {
namespace {

const std::string k_ref_name = "org.opencontainers.image.ref.name";
const std::string k_containerd_name = "io.containerd.image.name";
const std::string k_base_name = "org.opencontainers.image.base.name";

/// "NAME:TAG" of an annotation that is a whole reference; a bare tag has no name.
void name_after(const std::string& ref_name, Chosen& chosen) {
  try {
    const auto reference = parse_reference(ref_name);
    if (reference.tag.empty() && !reference.digest) {
      chosen.version = ref_name;
      return;
    }
    chosen.name = reference.repository;
    chosen.version = reference.version();
  } catch (const Error&) {
    if (is_tag(ref_name)) chosen.version = ref_name;
  }
}

}  // namespace

LayoutReader::LayoutReader(std::string what, std::string inner, Read read)
    : m_what(std::move(what)), m_inner(std::move(inner)), m_read(std::move(read)) {
  const auto layout =
      with_context("in " + m_what + "/oci-layout", [&] { return parse_json(m_read("oci-layout", 4096)); });
  const auto version = string_member(layout, "imageLayoutVersion", "oci-layout");
  if (version != "1.0.0")
    fail(ErrorCode::unresolvable, "{}: OCI layout version {} is not known", m_what, printable(version));
  m_index = std::get<Index>(parse_manifest(m_read("index.json", k_max_manifest_bytes), media::oci_index));
}

std::string LayoutReader::name_of(const Descriptor& descriptor) {
  const auto name = descriptor.annotation(k_ref_name), whole = descriptor.annotation(k_containerd_name);
  // Docker and Hauler keep the tag, or the name without its host, in the first, and all of it in the second.
  if (!whole.empty() && (name.empty() || whole.ends_with(name))) return whole;
  return name.empty() ? descriptor.annotation(k_base_name) : name;
}

Chosen LayoutReader::choose() {
  const Descriptor* found = nullptr;
  std::vector<std::string> names;
  for (const auto& descriptor : m_index.manifests) {
    const auto name = descriptor.annotation(k_ref_name);
    if (!name.empty()) names.push_back(name);
    if (!m_inner.empty() ? name == m_inner : found == nullptr) found = &descriptor;
  }
  const bool ambiguous = m_inner.empty() && m_index.manifests.size() != 1 && names.size() != 1;
  if (found == nullptr || ambiguous) {
    throw Error(
        ErrorCode::unresolvable,
        fmt::format("{} holds {} images; {}", m_what, m_index.manifests.size(),
                    m_inner.empty() ? "one must be named" : "none is named '" + printable(m_inner) + "'"),
        fmt::format("write oci:{}:NAME with one of: {}", m_what, printable(fmt::format("{}", fmt::join(names, ", ")))));
  }
  if (m_inner.empty() && names.size() == 1) {
    for (const auto& descriptor : m_index.manifests) {
      if (!descriptor.annotation(k_ref_name).empty()) found = &descriptor;
    }
  }
  return chosen_as(*found, found->annotation(k_ref_name));
}

Chosen LayoutReader::chosen(const Descriptor& descriptor) const {
  return chosen_as(descriptor, name_of(descriptor));
}

Chosen LayoutReader::chosen_as(const Descriptor& descriptor, const std::string& name) const {
  Chosen out{.root = descriptor, .name = {}, .version = {}, .ref = "oci:" + m_what, .tag = {}, .notes = {}};
  if (!name.empty()) {
    out.ref += ":" + name;
    name_after(name, out);
  }
  if (out.version.empty()) out.version = descriptor.digest.text();
  out.root.annotations.clear();
  return out;
}

std::string LayoutReader::manifest(const Descriptor& descriptor) {
  return blob(descriptor.digest, k_max_manifest_bytes);
}

std::string LayoutReader::config(const Descriptor& descriptor) {
  return blob(descriptor.digest, k_max_config_bytes);
}

std::vector<Referrer> LayoutReader::referrers(const Digest& subject) {
  std::vector<Referrer> out;
  for (const auto& descriptor : m_index.manifests) {
    const auto name = descriptor.annotation(k_ref_name);
    for (const auto suffix : k_cosign_suffixes) {
      const auto tag = cosign_tag(subject, suffix);
      if (name == tag || name.ends_with(":" + tag)) out.push_back({descriptor, subject, tag});
    }
    if (!name.empty() && name != cosign_tag(subject, "")) continue;
    const auto parsed = parse_manifest(manifest(descriptor), descriptor.media_type);
    const auto& of = subject_of(parsed);
    if (!of || of->digest != subject) continue;
    auto attached = descriptor;
    attached.artifact_type = artifact_type_of(parsed);
    out.push_back({std::move(attached), subject, ""});
  }
  return out;
}

std::string LayoutReader::origin(const Digest& digest, Part) const {
  return m_what + "/blobs/sha256/" + digest.hex();
}

Evidence LayoutReader::evidence(const Descriptor& descriptor, const Chosen& chosen) const {
  if (descriptor.digest == chosen.root.digest) return {"index-hash", {{"index", m_what + "/index.json"}}};
  return {"derived", {{"from", chosen.root.digest.text()}}};
}

std::string LayoutReader::blob(const Digest& digest, std::uint64_t max_bytes) const {
  return m_read("blobs/sha256/" + digest.hex(), max_bytes);
}

}  // namespace liftlock::oci
