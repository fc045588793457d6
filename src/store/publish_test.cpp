// The publish protocol of docs/formats/store.md, whole: pin, stage, commit, publish, unpin; with processes that die in
// between and with gc beside it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <set>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

enum class DieAfter { pin, create, seal, commit, publish, nothing };

struct PublishTest : testing::Test {
  TemporaryFolder folder;
  fs::path root = folder.path() / "store";

  static std::vector<std::string> contents(const std::string& seed) {
    std::vector<std::string> out;
    for (int i = 0; i < 20; ++i) out.push_back(seed + " content " + std::to_string(i));
    return out;
  }

  static void die_if(DieAfter here, DieAfter wanted) {
    if (here == wanted) ::kill(::getpid(), SIGKILL);
  }

  /// One publication as an ingest makes it.
  void publish(const std::string& channel, const std::string& seed, DieAfter die_after = DieAfter::nothing) const {
    BlobStore store(root);
    Catalog catalog(root / "catalog.db");
    const auto batch = "ingest-" + channel;
    std::vector<Digest> digests;
    for (const auto& text : contents(seed)) digests.push_back(sha256(text));
    StagedBlobs staged(store, batch);
    catalog.pin(batch, digests);
    die_if(DieAfter::pin, die_after);
    for (const auto& text : contents(seed)) {
      const auto digest = sha256(text);
      if (staged.has(digest)) continue;
      auto part = staged.create(digest);
      write_all(part.get(), text.substr(0, 5), "a part");
      die_if(DieAfter::create, die_after);
      write_all(part.get(), text.substr(5), "a part");
      staged.seal(digest, digest);
      die_if(DieAfter::seal, die_after);
    }
    staged.commit();
    die_if(DieAfter::commit, die_after);
    Publication publication{.channel = channel,
                            .sequence = 1,
                            .bundle_digest = sha256(seed),
                            .bundle_json = seed,
                            .published_at = now(),
                            .artifacts = {},
                            .other_files = {}};
    for (std::size_t i = 0; i < digests.size(); ++i) {
      Artifact artifact{
          .kind = "file", .name = std::to_string(i), .version = "1", .license = "", .needs = {}, .files = {}};
      artifact.files.push_back({.path = RelPath::parse("files/" + std::to_string(i)),
                                .size = contents(seed)[i].size(),
                                .digest = digests[i],
                                .origin = "",
                                .evidence = {}});
      publication.artifacts.push_back(std::move(artifact));
    }
    catalog.publish(publication);
    die_if(DieAfter::publish, die_after);
    catalog.unpin(batch);
  }

  /// Runs work in a process of its own; its exit status, or 128 + signal.
  static pid_t start(const std::function<void()>& work) {
    const auto child = ::fork();
    if (child != 0) return child;
    int status = 0;
    try {
      work();
    } catch (const std::exception& error) {
      if (::write(2, error.what(), std::string_view(error.what()).size()) < 0) ::_exit(2);
      status = 1;
    }
    ::_exit(status);
  }
  static int wait_for(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  std::size_t blobs() const {
    std::size_t count = 0;
    BlobStore(root).for_each([&](const Digest&, std::uint64_t) { ++count; });
    return count;
  }
  void collect_garbage() const {
    BlobStore store(root);
    Catalog catalog(root / "catalog.db");
    std::vector<Digest> all;
    store.for_each([&](const Digest& digest, std::uint64_t) { all.push_back(digest); });
    catalog.remove_unreferenced(all, [&](const Digest& digest) { store.remove(digest); });
  }
  bool complete() const {
    const BlobStore store(root);
    const Catalog catalog(root / "catalog.db");
    for (const auto& [digest, size] : catalog.required()) {
      if (sha256_of_file(store.open(digest).get(), "a blob") != digest || store.size(digest) != size) return false;
    }
    return true;
  }
};

TEST_F(PublishTest, KilledAnywhereIsFinishedByTheSameRunAgain) {
  for (const auto point : {DieAfter::pin, DieAfter::create, DieAfter::seal, DieAfter::commit, DieAfter::publish}) {
    const auto channel = "c" + std::to_string(static_cast<int>(point));
    EXPECT_EQ(wait_for(start([&] { publish(channel, channel, point); })), 128 + SIGKILL);
    EXPECT_EQ(Catalog(root / "catalog.db").latest(channel).has_value(), point == DieAfter::publish);
    collect_garbage();
    publish(channel, channel);
    EXPECT_EQ(Catalog(root / "catalog.db").latest(channel)->artifacts.size(), 20u);
    EXPECT_TRUE(complete());
  }
  EXPECT_TRUE(Catalog(root / "catalog.db").pins().empty());
  EXPECT_TRUE(walk(root / "staging", 100).empty());
}

TEST_F(PublishTest, KilledBetweenRenameAndTransactionLeavesNothingVisible) {
  EXPECT_EQ(wait_for(start([&] { publish("demo", "x", DieAfter::commit); })), 128 + SIGKILL);
  Catalog catalog(root / "catalog.db");
  EXPECT_TRUE(catalog.artifacts().empty());
  EXPECT_TRUE(catalog.publications().empty());
  EXPECT_EQ(blobs(), 20u);
  collect_garbage();
  EXPECT_EQ(blobs(), 20u) << "the pins of the run that died still hold";
  catalog.unpin("ingest-demo");
  collect_garbage();
  EXPECT_EQ(blobs(), 0u);
}

TEST_F(PublishTest, TwoProcessesPublishAtOnce) {
  for (int round = 0; round < 5; ++round) {
    const auto seed = "shared" + std::to_string(round);
    const auto first = start([&] { publish("a" + seed, seed); });
    const auto second = start([&] { publish("b" + seed, seed); });
    EXPECT_EQ(wait_for(first), 0);
    EXPECT_EQ(wait_for(second), 0);
    EXPECT_TRUE(complete());
  }
  EXPECT_EQ(Catalog(root / "catalog.db").publications().size(), 10u);
}

TEST_F(PublishTest, GcBesidePublishersNeverTakesWhatTheyNeed) {
  publish("first", "first");
  const auto collector = start([&] {
    for (int i = 0; i < 60; ++i) collect_garbage();
  });
  const auto publisher = start([&] {
    for (int i = 0; i < 15; ++i) {
      const auto name = "c" + std::to_string(i);
      // Retired content comes back while gc is about to remove it.
      publish(name, "same content");
      if (!complete()) throw std::runtime_error("gc took a blob of a live publication");
      Catalog(root / "catalog.db").retire(name, 1);
    }
  });
  EXPECT_EQ(wait_for(publisher), 0);
  EXPECT_EQ(wait_for(collector), 0);
  collect_garbage();
  EXPECT_EQ(blobs(), 20u);
  EXPECT_TRUE(complete());
}

TEST_F(PublishTest, GcKeepsWhatIsPinned) {
  BlobStore store(root);
  Catalog catalog(root / "catalog.db");
  catalog.pin("batch", {sha256("kept")});
  store.put("kept");
  store.put("loose");
  collect_garbage();
  EXPECT_TRUE(store.contains(sha256("kept")));
  EXPECT_FALSE(store.contains(sha256("loose")));
}

}  // namespace
}  // namespace liftlock
