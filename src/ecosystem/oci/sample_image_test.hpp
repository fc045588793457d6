// Tests only: images made by hand, good and evil.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "crypto/hash.hpp"
#include "ecosystem/oci/image.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock::oci::sample {

/// One POSIX ustar entry.
struct Entry {
  std::string name;
  std::string content;
  char type = '0';
  std::string link;
  unsigned mode = 0644;
};

inline std::string tar(const std::vector<Entry>& entries) {
  std::string out;
  for (const auto& entry : entries) {
    std::string header(512, '\0');
    const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
    const auto octal = [](unsigned long value, int width) { return fmt::format("{:0{}o}", value, width); };
    put(0, entry.name.substr(0, 100));
    put(100, octal(entry.mode, 7));
    put(108, octal(0, 7));
    put(116, octal(0, 7));
    put(124, octal(entry.content.size(), 11));
    put(136, octal(0, 11));
    put(148, "        ");
    header[156] = entry.type;
    put(157, entry.link.substr(0, 100));
    put(257, std::string("ustar\0"
                         "00",
                         8));
    unsigned long sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    put(148, octal(sum, 6) + std::string("\0 ", 2));
    out += header + entry.content;
    out.resize((out.size() + 511) / 512 * 512, '\0');
  }
  return out + std::string(1024, '\0');
}

inline std::string gzip(const std::string& bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::runtime_error("deflate");
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// A descriptor of nothing, to be assigned to.
inline Descriptor blank() {
  return {.media_type = {}, .digest = sha256(""), .size = 0, .platform = {}, .artifact_type = {}, .annotations = {}};
}

/// Blobs by digest, and helpers that add to them.
struct Blobs {
  std::map<Digest, std::string> all;

  Descriptor add(std::string bytes, std::string_view media_type) {
    Descriptor out{.media_type = std::string(media_type),
                   .digest = sha256(bytes),
                   .size = bytes.size(),
                   .platform = std::nullopt,
                   .artifact_type = {},
                   .annotations = {}};
    all.insert_or_assign(out.digest, std::move(bytes));
    return out;
  }
  Descriptor config(const std::vector<std::string>& tars, const std::string& architecture = "amd64") {
    auto ids = Json::array();
    for (const auto& layer : tars) ids.push_back(sha256(layer).text());
    return add(dump_json_line({{"os", "linux"},
                               {"architecture", architecture},
                               {"config", {{"Labels", {{"org.opencontainers.image.licenses", "MIT"}}}}},
                               {"rootfs", {{"type", "layers"}, {"diff_ids", ids}}}}),
               media::oci_config);
  }
  Descriptor manifest(const Descriptor& config, const std::vector<Descriptor>& layers,
                      const Json& more = Json::object()) {
    auto list = Json::array();
    for (const auto& layer : layers) list.push_back(descriptor_json(layer));
    Json json = {{"schemaVersion", 2},
                 {"mediaType", media::oci_manifest},
                 {"config", descriptor_json(config)},
                 {"layers", list}};
    json.update(more);
    return add(dump_json_line(json), media::oci_manifest);
  }
  Descriptor index(const std::vector<Descriptor>& manifests) {
    auto list = Json::array();
    for (const auto& manifest : manifests) list.push_back(descriptor_json(manifest));
    return add(dump_json_line({{"schemaVersion", 2}, {"mediaType", media::oci_index}, {"manifests", list}}),
               media::oci_index);
  }
  /// A whole image of gzipped layers.
  Descriptor image(const std::vector<std::string>& tars, const std::string& architecture = "amd64") {
    std::vector<Descriptor> layers;
    for (const auto& layer : tars) layers.push_back(add(gzip(layer), std::string(media::oci_layer) + "+gzip"));
    auto out = manifest(config(tars, architecture), layers);
    out.platform = Platform{"linux", architecture, ""};
    return out;
  }
};

/// All blobs as one artifact whose root is `root`.
inline Artifact artifact(const Blobs& blobs, Descriptor root, std::string name = "team/app",
                         std::string version = "1.0") {
  root.platform.reset();
  Artifact out{
      .kind = std::string(k_image_kind), .name = std::move(name), .version = std::move(version), .license = "MIT"};
  out.facts = image_facts_json({"registry.example:5000/team/app:1.0", root, {"linux/amd64"}, {}, {}});
  for (const auto& [digest, bytes] : blobs.all) {
    out.files.push_back(
        {blob_path(digest), bytes.size(), digest, "https://registry.example", {{"registry-digest", Json::object()}}});
  }
  std::sort(out.files.begin(), out.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return out;
}

/// The files of an artifact as descriptors in memory, in its order.
class Opened {
 public:
  Opened(const Artifact& artifact, const Blobs& blobs) {
    for (const auto& file : artifact.files) {
      m_owned.emplace_back(::memfd_create("blob", MFD_CLOEXEC));
      write_all(m_owned.back().get(), blobs.all.at(file.digest), "memfd");
      m_fds.push_back(m_owned.back().get());
    }
  }
  const std::vector<int>& fds() const { return m_fds; }

 private:
  std::vector<UniqueFd> m_owned;
  std::vector<int> m_fds;
};

}  // namespace liftlock::oci::sample
