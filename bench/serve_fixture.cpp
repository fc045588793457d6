// Makes an ingest installation with one published bundle of plain files, for bench/serve.sh:
//   serve_fixture STATE LARGE_MIB SMALL_COUNT SMALL_BYTES
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/error.hpp"
#include "crypto/hash.hpp"
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
    Catalog(site.catalog_file()).publish(publication);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
