// Makes an ingest installation with one published bundle of plain files and of packages whose indexes are worth to be
// asked for, for bench/serve.sh:
//   serve_fixture STATE LARGE_MIB SMALL_COUNT SMALL_BYTES
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "archive/zip_writer.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"
#include "site/site.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"

namespace {

using namespace liftlock;

/// Not compressible, and the same each time.
std::string noise(std::size_t size, std::uint64_t seed) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    out[i] = static_cast<char>(seed >> 56);
  }
  return out;
}

Artifact artifact_of(BlobStore& blobs, const std::string& name, const std::string& content) {
  Artifact artifact;
  artifact.kind = "file";
  artifact.name = name;
  artifact.version = "1";
  artifact.files = {{RelPath::parse("files/" + name), content.size(), blobs.put(content), {}, {}}};
  return artifact;
}

constexpr int k_wheels = 40;    ///< versions of one project
constexpr int k_packages = 40;  ///< versions of one npm package
constexpr int k_debs = 500;

/// Not to be installed: what a mirror reads of a wheel is its metadata.
std::string wheel_of(const std::string& version) {
  const UniqueFd file(::memfd_create("wheel", MFD_CLOEXEC));
  ZipWriter zip(file.get());
  zip.add(fmt::format("paged-{}.dist-info/METADATA", version),
          fmt::format("Metadata-Version: 2.1\nName: paged\nVersion: {}\nRequires-Python: >=3.8\n\n{}\n", version,
                      std::string(3000, 'x')));
  zip.finish();
  ::lseek(file.get(), 0, SEEK_SET);
  return read_all(file.get(), 1u << 20, "a wheel");
}

Artifact package_of(BlobStore& blobs, const std::string& kind, const std::string& name, const std::string& version,
                    const std::string& path, const std::string& content) {
  Artifact artifact;
  artifact.kind = kind;
  artifact.name = name;
  artifact.version = version;
  artifact.files = {{RelPath::parse(path), content.size(), blobs.put(content), {}, {}}};
  return artifact;
}

Json npm_manifest(const std::string& version) {
  Json dependencies = Json::object();
  for (int i = 0; i < 20; ++i) dependencies[fmt::format("dependency-{}", i)] = fmt::format("^{}.2.3", i);
  return {{"name", "paged"},
          {"version", version},
          {"description", "a package with many versions"},
          {"license", "MIT"},
          {"main", "index.js"},
          {"engines", {{"node", ">=18"}}},
          {"dependencies", std::move(dependencies)}};
}

void add_packages(BlobStore& blobs, std::vector<Artifact>& out) {
  for (int i = 0; i < k_wheels; ++i) {
    const auto version = fmt::format("1.{}.0", i);
    out.push_back(package_of(blobs, "wheel", "paged", version,
                             fmt::format("packages/pypi/paged-{}-py3-none-any.whl", version), wheel_of(version)));
  }
  for (int i = 0; i < k_packages; ++i) {
    const auto version = fmt::format("2.{}.0", i);
    auto package = package_of(blobs, "npm", "paged", version, fmt::format("packages/npm/paged/paged-{}.tgz", version),
                              noise(1000, 7u + static_cast<unsigned>(i)));
    package.facts = {{"manifest", npm_manifest(version)},
                     {"integrity", "sha512-" + std::string(86, 'a') + "=="},
                     {"shasum", std::string(40, 'a')},
                     {"files", 12},
                     {"unpacked_size", 34567}};
    out.push_back(std::move(package));
  }
  for (int i = 0; i < k_debs; ++i) {
    const auto name = fmt::format("paged{:03}", i);
    auto deb = package_of(blobs, "deb", name + ":amd64", "3.1-2", fmt::format("packages/apt/{}_3.1-2_amd64.deb", name),
                          noise(1000, 1007u + static_cast<unsigned>(i)));
    deb.facts = {
        {"package", name},
        {"version", "3.1-2"},
        {"architecture", "amd64"},
        {"stanza", fmt::format("Package: {}\nVersion: 3.1-2\nArchitecture: amd64\nMaintainer: Nobody <n@example>\n"
                               "Depends: libc6 (>= 2.34), zlib1g (>= 1:1.2.0)\nSection: libs\nPriority: optional\n"
                               "Description: one of many\n {}\n",
                               name, std::string(400, 'y'))}};
    out.push_back(std::move(deb));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  try {
    const auto site = Site::create(argv[1], Zone::ingest, "bench");
    BlobStore blobs(site.store_folder());
    const std::string bundle = "{}";
    Publication publication{.channel = "bench",
                            .sequence = 1,
                            .bundle_digest = sha256(bundle),
                            .bundle_json = bundle,
                            .published_at = now(),
                            .artifacts = {},
                            .other_files = {}};
    publication.artifacts.push_back(artifact_of(blobs, "large", noise(std::strtoull(argv[2], nullptr, 10) << 20, 1)));
    const auto count = std::strtoull(argv[3], nullptr, 10);
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto content = noise(std::strtoull(argv[4], nullptr, 10), i + 2);
      publication.artifacts.push_back(artifact_of(blobs, "small" + std::to_string(i), content));
    }
    add_packages(blobs, publication.artifacts);
    Catalog(site.catalog_file()).publish(publication);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
