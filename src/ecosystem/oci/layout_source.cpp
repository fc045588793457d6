#include <fcntl.h>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/oci/image_source.hpp"
#include "os/file.hpp"

namespace liftlock::oci {
namespace {

const std::string k_ref_name = "org.opencontainers.image.ref.name";

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

class LayoutSource : public ImageSource {
 public:
  LayoutSource(const Source& source, const fs::path& stack_folder)
      : m_written(source.path),
        m_inner(source.inner),
        m_path(stack_folder / source.path),
        m_folder(open_folder(m_path)) {
    const auto layout =
        with_context("in " + m_written + "/oci-layout", [&] { return parse_json(read("oci-layout", 4096)); });
    const auto version = string_member(layout, "imageLayoutVersion", "oci-layout");
    if (version != "1.0.0")
      fail(ErrorCode::unresolvable, "{}: OCI layout version {} is not known", m_written, printable(version));
    m_index = std::get<Index>(parse_manifest(read("index.json", k_max_manifest_bytes), media::oci_index));
  }

  Chosen choose() override {
    const Descriptor* found = nullptr;
    std::vector<std::string> names;
    for (const auto& descriptor : m_index.manifests) {
      const auto name = descriptor.annotation(k_ref_name);
      if (!name.empty()) names.push_back(name);
      if (!m_inner.empty() ? name == m_inner : found == nullptr) found = &descriptor;
    }
    const bool ambiguous = m_inner.empty() && m_index.manifests.size() != 1 && names.size() != 1;
    if (found == nullptr || ambiguous) {
      throw Error(ErrorCode::unresolvable,
                  fmt::format("{} holds {} images; {}", m_written, m_index.manifests.size(),
                              m_inner.empty() ? "one must be named" : "none is named '" + printable(m_inner) + "'"),
                  fmt::format("write oci:{}:NAME with one of: {}", m_written,
                              printable(fmt::format("{}", fmt::join(names, ", ")))));
    }
    if (m_inner.empty() && names.size() == 1) {
      for (const auto& descriptor : m_index.manifests) {
        if (!descriptor.annotation(k_ref_name).empty()) found = &descriptor;
      }
    }
    Chosen out{.root = *found, .name = {}, .version = {}, .ref = "oci:" + m_written, .tag = {}, .notes = {}};
    const auto name = found->annotation(k_ref_name);
    if (!name.empty()) {
      out.ref += ":" + name;
      name_after(name, out);
    }
    if (out.version.empty()) out.version = found->digest.text();
    out.root.annotations.clear();
    return out;
  }

  std::string manifest(const Descriptor& descriptor) override { return blob(descriptor.digest, k_max_manifest_bytes); }
  std::string config(const Descriptor& descriptor) override { return blob(descriptor.digest, k_max_config_bytes); }

  std::vector<Referrer> referrers(const Digest& subject) override {
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

  std::string origin(const Digest& digest, Part) const override { return m_written + "/blobs/sha256/" + digest.hex(); }

  Evidence evidence(const Descriptor& descriptor, const Chosen& chosen) const override {
    if (descriptor.digest == chosen.root.digest) return {"index-hash", {{"index", m_written + "/index.json"}}};
    return {"derived", {{"from", chosen.root.digest.text()}}};
  }

  FetchJob job(const ArtifactFile& file) override {
    const auto path = m_path / "blobs/sha256" / file.digest.hex();
    return {.title = file.origin,
            .digest = file.digest,
            .size = file.size,
            .url = {},
            .headers = {},
            .produce = [path, size = file.size](int out) {
              copy_hashed(open_file(path, O_RDONLY).get(), 0, out, size, path.string(), {});
            }};
  }

 private:
  std::string read(std::string_view name, std::uint64_t max_bytes) const {
    const auto file = open_beneath(m_folder.get(), RelPath::parse(name), O_RDONLY);
    if (!file) fail(ErrorCode::unresolvable, "{} has no {}", m_written, name);
    return read_all(file->get(), max_bytes, m_written + "/" + std::string(name));
  }
  std::string blob(const Digest& digest, std::uint64_t max_bytes) const {
    return read("blobs/sha256/" + digest.hex(), max_bytes);
  }

  std::string m_written;
  std::string m_inner;
  fs::path m_path;
  UniqueFd m_folder;
  Index m_index;
};

}  // namespace

std::unique_ptr<ImageSource> make_layout_source(const Source& source, CollectContext& context) {
  return std::make_unique<LayoutSource>(source, context.stack_folder);
}

}  // namespace liftlock::oci
