#include "cli/export_image.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/image.hpp"
#include "ecosystem/oci/reference.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

bool is_full_name(const std::string& text) {
  try {
    return !oci::parse_reference(text).host.empty();
  } catch (const Error&) {
    return false;
  }
}

std::string document(const OpenStore& store, const oci::Descriptor& descriptor) {
  auto text = read_all(store.blobs.open(descriptor.digest).get(), oci::k_max_manifest_bytes, "a manifest");
  if (sha256(text) != descriptor.digest)
    fail(ErrorCode::blob_corrupt, "the blob of {} is no longer that", descriptor.digest.text());
  return text;
}

bool is_here(const Artifact& image, const Digest& digest) {
  return std::any_of(image.files.begin(), image.files.end(), [&](const auto& file) { return file.digest == digest; });
}

std::string machine() {
  utsname names{};
  if (::uname(&names) != 0) fail_errno("uname");
  const std::string_view name(names.machine);
  return name == "x86_64" ? "amd64" : name == "aarch64" ? "arm64" : std::string(name);
}

}  // namespace

std::string full_image_name(const Artifact& image, const std::string& wanted) {
  if (!wanted.empty()) {
    if (!is_full_name(wanted)) {
      throw Error(ErrorCode::usage, fmt::format("'{}' is no full name of an image", printable(wanted)),
                  "write HOST/NAME:TAG, as the deployment has it");
    }
    return wanted;
  }
  const auto ref = oci::parse_image_facts(image.facts).ref;
  if (oci::upstream_of(ref)) return ref;
  const bool official = image.name.find('/') == std::string::npos;
  return fmt::format("docker.io/{}{}", official ? "library/" : "", oci::layout_ref(image));
}

NativeImage native_image(const OpenStore& store, const Artifact& image) {
  auto root = oci::parse_image_facts(image.facts).manifest;
  for (int depth = 0; depth < 4; ++depth) {
    auto parsed = oci::parse_manifest(document(store, root), root.media_type);
    if (auto* manifest = std::get_if<oci::Manifest>(&parsed)) return {root.digest, std::move(*manifest)};
    std::vector<oci::Descriptor> here;
    for (const auto& child : std::get<oci::Index>(parsed).manifests) {
      if (is_here(image, child.digest) && child.annotation("vnd.docker.reference.digest").empty())
        here.push_back(child);
    }
    if (here.size() > 1) {
      std::erase_if(here,
                    [](const auto& child) { return !child.platform || child.platform->architecture != machine(); });
    }
    if (here.size() != 1) {
      throw Error(ErrorCode::usage,
                  fmt::format("{} has {} images for this machine", printable(image.id()), here.size()),
                  "an OCI layout holds them all: export it with --to alone, or with --oci-archive");
    }
    root = here.front();
  }
  fail(ErrorCode::image_malformed, "{}: indexes nested too deep", printable(image.id()));
}

}  // namespace liftlock
