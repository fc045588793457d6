#include "engine/engine_collector.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/apt/test_debs.hpp"
#include "store/references.hpp"

namespace liftlock::engine {
namespace {

using namespace apt::testing_support;

Json input(const std::string& name, const std::string& bytes, const std::string& origin) {
  return {{"name", name},     {"version", "1"},         {"size", bytes.size()}, {"sha256", sha256(bytes).hex()},
          {"origin", origin}, {"architecture", "amd64"}};
}

/// A locked engine of an archive, which the store only refers to, and one .deb.
struct EngineCollecting : testing::Test {
  EngineCollecting() {
    write_file_atomically(file, archive);
    const auto fd = open_file(file, O_RDONLY);
    store.references().add(
        "list", {{.digest = sha256(archive), .file = file, .identity = identity_of(stat_of(fd.get(), file.string()))}});
    store.put(libc);
    auto packed = input("tiny.tar", archive, file.string());
    packed["form"] = "archive";
    locked.kind = "engine";
    locked.name = "tiny";
    locked.version = "1";
    locked.facts = {{"engine", "tiny"}, {"variant", "cpu"}, {"architecture", "amd64"}};
    locked.files.push_back(
        {.path = RelPath::parse("engines/tiny-1-cpu-amd64.tar"),
         .size = 0,
         .digest = sha256("the package"),
         .origin = "made of what the evidence lists",
         .evidence = {{"derived",
                       {{"main_package", ""},
                        {"executables", Json::array()},
                        {"library_path", Json::array()},
                        {"inputs", Json::array({packed, input("libc6", libc, "http://localhost/libc6.deb")})}}}}});
    make_folders(folder.path() / "scratch");
  }
  /// Into a file without a name, as the downloader would have it.
  void build() {
    CollectContext context{store,        downloader, silent_reporter(), folder.path(), folder.path() / "scratch",
                           "linux/amd64"};
    const auto jobs = EngineCollector().plan(locked, {"engine", "tiny", Json::object(), sha256("")}, context);
    ASSERT_EQ(jobs.size(), 1u);
    const auto out = as_file("");
    jobs[0].produce(out.get());
    EXPECT_GT(regular_size(out.get(), "the package"), 0u);
  }

  const TemporaryFolder folder;
  const fs::path file = folder.path() / "tiny.tar";
  const std::string archive = make_tar({{"./tiny/llama-server", "elf", AE_IFREG, 0755}});
  const std::string libc =
      make_deb(control_text("libc6", "1", "amd64"), {{"./usr/lib64/ld-linux-x86-64.so.2", "ld", AE_IFREG, 0755}});
  BlobStore store{folder.path() / "store"};
  Downloader downloader{store, silent_reporter(), {.attempts = 1}};
  Artifact locked;
};

TEST_F(EngineCollecting, AnInputThatIsOnlyReferredToIsBuiltFromACopy) {
  ASSERT_FALSE(store.holds(sha256(archive)));
  build();
  EXPECT_TRUE(store.holds(sha256(archive))) << "built from the user's file, which may change while it is read";
}

TEST_F(EngineCollecting, AnInputThatChangedIsNotBuiltFrom) {
  write_file_atomically(file, make_tar({{"./tiny/llama-server", "other", AE_IFREG, 0755}}));
  EXPECT_EQ(code_of([&] { build(); }), ErrorCode::upstream_changed);
}

}  // namespace
}  // namespace liftlock::engine
