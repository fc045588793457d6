// What `docker save` would write of an image: a tar with its config, its layers as they are, and manifest.json. The
// config's digest is the image's id, which the runtime shows after loading.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/tar_layout.hpp"
#include "cli/export_layouts.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/image.hpp"

namespace liftlock {
namespace {

class DockerArchiveWriter {
 public:
  explicit DockerArchiveWriter(const LayoutOrder& order)
      : m_order(order), m_image(order.artifacts.front()), m_file(order.to) {}

  std::vector<ExportedFile> run() {
    const auto manifest = find_manifest();
    ProgressTask progress(m_order.reporter, "export", Unit::bytes, m_image.total_size());
    const auto config = manifest.config.digest.hex() + ".json";
    add_blob(config, manifest.config, progress);
    auto layers = Json::array();
    for (const auto& layer : manifest.layers) {
      const auto name = layer.digest.hex() + "/layer.tar";
      if (std::find(layers.begin(), layers.end(), name) == layers.end()) add_blob(name, layer, progress);
      layers.push_back(name);
    }
    auto tags = Json::array();
    if (!Digest::try_parse(m_image.version)) tags.push_back(oci::layout_ref(m_image));
    add_text("manifest.json",
             dump_json_line(
                 Json::array({{{"Config", config}, {"RepoTags", std::move(tags)}, {"Layers", std::move(layers)}}})));
    write_all(m_file.fd(), std::string(1024, '\0'), m_order.to.string());
    const auto digest = sha256_of_file(m_file.fd(), m_order.to.string());
    const auto size = regular_size(m_file.fd(), m_order.to.string());
    m_file.commit();
    m_order.reporter.note("the image's id, as the runtime shows it after loading: " + manifest.config.digest.text());
    return {{m_order.to, size, digest}};
  }

 private:
  std::string document(const oci::Descriptor& descriptor) const {
    auto text = read_all(m_order.store.blobs.open(descriptor.digest).get(), oci::k_max_manifest_bytes, "a manifest");
    if (sha256(text) != descriptor.digest)
      fail(ErrorCode::blob_corrupt, "the blob of {} is no longer that", descriptor.digest.text());
    return text;
  }

  bool is_here(const Digest& digest) const {
    return std::any_of(m_image.files.begin(), m_image.files.end(),
                       [&](const auto& file) { return file.digest == digest; });
  }

  static std::string native() {
    utsname machine{};
    if (::uname(&machine) != 0) fail_errno("uname");
    const std::string_view name(machine.machine);
    return name == "x86_64" ? "amd64" : name == "aarch64" ? "arm64" : std::string(name);
  }

  /// The only image, or of several that for this machine.
  oci::Manifest find_manifest() const {
    auto root = oci::parse_image_facts(m_image.facts).manifest;
    for (int depth = 0; depth < 4; ++depth) {
      const auto parsed = oci::parse_manifest(document(root), root.media_type);
      if (const auto* manifest = std::get_if<oci::Manifest>(&parsed)) return *manifest;
      std::vector<oci::Descriptor> here;
      for (const auto& child : std::get<oci::Index>(parsed).manifests) {
        if (is_here(child.digest) && child.annotation("vnd.docker.reference.digest").empty()) here.push_back(child);
      }
      if (here.size() > 1) {
        std::erase_if(here,
                      [](const auto& child) { return !child.platform || child.platform->architecture != native(); });
      }
      if (here.size() != 1) {
        throw Error(ErrorCode::usage,
                    fmt::format("{} has {} images for this machine", printable(m_image.id()), here.size()),
                    "an OCI layout holds them all: leave --docker-archive out");
      }
      root = here.front();
    }
    fail(ErrorCode::image_malformed, "{}: indexes nested too deep", printable(m_image.id()));
  }

  void pad(std::uint64_t size) { write_all(m_file.fd(), std::string(tar_padding(size), '\0'), m_order.to.string()); }
  void add_text(const std::string& name, const std::string& text) {
    write_all(m_file.fd(), tar_header(RelPath::parse(name), text.size()) + text, m_order.to.string());
    pad(text.size());
  }
  void add_blob(const std::string& name, const oci::Descriptor& blob, ProgressTask& progress) {
    write_all(m_file.fd(), tar_header(RelPath::parse(name), blob.size), m_order.to.string());
    const auto in = m_order.store.blobs.open(blob.digest);
    const auto actual =
        copy_hashed(in.get(), 0, m_file.fd(), blob.size, name, [&](std::uint64_t done) { progress.advance(done); });
    if (actual != blob.digest) fail(ErrorCode::blob_corrupt, "the blob of {} is no longer that", blob.digest.text());
    pad(blob.size);
  }

  const LayoutOrder& m_order;
  const Artifact& m_image;
  AtomicFile m_file;
};

}  // namespace

std::vector<ExportedFile> export_docker_archive(const LayoutOrder& order) {
  if (fs::exists(order.to)) {
    throw Error(ErrorCode::immutable, fmt::format("'{}' exists", printable(order.to.string())),
                "name another file, or remove that one");
  }
  return DockerArchiveWriter(order).run();
}

}  // namespace liftlock
