// Times the store: `store_bench stage FOLDER FILE...` (copy, hash, commit) and `store_bench catalog FOLDER COUNT`.
// Compare with `cp -r` + `sync -f` and with parallel `openssl dgst -sha256` of the same files, on a machine that does
// nothing else: under load a program with more threads is given more of the processor.
#include <fcntl.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/parallel.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - m_start).count(); }

 private:
  std::chrono::steady_clock::time_point m_start = std::chrono::steady_clock::now();
};

/// The way of an ingest: copied and hashed into a batch on all cores, then committed.
void stage(const fs::path& folder, const std::vector<std::string>& files) {
  const Stopwatch watch;
  BlobStore store(folder);
  StagedBlobs staged(store, "bench");
  const auto opened = watch.seconds();
  parallel_for(files.size(), [&](std::size_t i) {
    const auto in = open_file(files[i], O_RDONLY);
    const auto part = staged.create_named(files[i]);
    const auto digest = copy_hashed(in.get(), 0, part.get(), regular_size(in.get(), files[i]), files[i], {});
    staged.seal_named(files[i], digest);
  });
  const auto copied = watch.seconds();
  staged.commit();
  fmt::print("open {:.2f} s, copy {:.2f} s, commit {:.2f} s, total {:.2f} s\n", opened, copied - opened,
             watch.seconds() - copied, watch.seconds());
}

void catalog(const fs::path& folder, std::uint64_t count) {
  make_folders(folder);
  Publication publication{.channel = "bench",
                          .sequence = 1,
                          .bundle_digest = sha256("bench"),
                          .bundle_json = "{}",
                          .published_at = now(),
                          .artifacts = {},
                          .other_files = {}};
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto name = fmt::format("package{}", i);
    Artifact artifact{
        .kind = "wheel", .name = name, .version = "1.0", .license = "MIT", .needs = {"wheel:other@1"}, .files = {}};
    artifact.files.push_back({.path = RelPath::parse("packages/pypi/" + name + "-1.0-py3-none-any.whl"),
                              .size = 8192,
                              .digest = sha256(name),
                              .origin = "https://example.test/packages/" + name,
                              .evidence = {{"index-hash", Json{{"sha256", sha256(name).hex()}}}}});
    publication.artifacts.push_back(std::move(artifact));
  }
  Catalog catalog(folder / "catalog.db");
  const auto timed = [](std::string_view what, const auto& work) {
    const Stopwatch watch;
    work();
    fmt::print("{} {:.3f} s\n", what, watch.seconds());
  };
  timed("pin", [&] {
    std::vector<Digest> digests;
    for (const auto& artifact : publication.artifacts) digests.push_back(artifact.files[0].digest);
    catalog.pin("bench", digests);
  });
  timed("publish", [&] { catalog.publish(publication); });
  timed("unpin", [&] { catalog.unpin("bench"); });
  timed("load all", [&] { catalog.artifacts(); });
  timed("load latest", [&] { catalog.latest("bench"); });
  timed("referenced", [&] { catalog.referenced(); });
  timed("find 1000 by id", [&] {
    for (int i = 0; i < 1000; ++i) catalog.find(fmt::format("wheel:package{}@1.0", i));
  });
  timed("generation x1000", [&] {
    for (int i = 0; i < 1000; ++i) catalog.generation();
  });
}

int run(const std::vector<std::string>& args) {
  if (args.size() >= 3 && args[0] == "stage") {
    stage(args[1], {args.begin() + 2, args.end()});
  } else if (args.size() == 3 && args[0] == "catalog") {
    catalog(args[1], parse_uint(args[2]).value_or(20'000));
  } else {
    fmt::print(stderr, "usage: store_bench stage FOLDER FILE... | catalog FOLDER COUNT\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace liftlock

int main(int argc, char** argv) {
  try {
    return liftlock::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "store_bench: {}\n", error.what());
    return 1;
  }
}
