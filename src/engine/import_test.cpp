#include "engine/import.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "crypto/sha256sums.hpp"
#include "trust/trust_fixture.hpp"

namespace liftlock::engine {
namespace {

/// A folder with engine.tar, the list of its digest, and signatures over that.
struct Carried {
  TemporaryFolder folder;
  fs::path file = folder.path() / "engine.tar";
  Digest digest = sha256("a package");

  Carried() {
    write_file_atomically(file, "a package");
    list(sha256sums_line(digest, "engine.tar"));
  }
  void list(const std::string& text) { write_file_atomically(file.string() + ".sha256", text); }
  void sign(const std::string& person, const std::string& text) {
    write_file_atomically(file.string() + ".sha256." + person + ".sigstore.json",
                          signature_by(person, "builder", text).bytes);
  }
  std::optional<ErrorCode> judge(const TrustRoot& root = sample_root()) {
    return code_of([&] { (void)require_signed_list(digest, file, root, k_now); });
  }
};

TEST(Import, WantsAListThatABuilderSigned) {
  Carried carried;
  EXPECT_EQ(carried.judge(), ErrorCode::unsigned_document);
  carried.sign("bob", sha256sums_line(carried.digest, "engine.tar"));
  EXPECT_EQ(carried.judge(), std::nullopt);
  carried.digest = sha256("another package");
  EXPECT_EQ(carried.judge(), ErrorCode::digest_mismatch);
}

TEST(Import, RefusesListsThatNoBuilderSigned) {
  Carried carried;
  const auto list = sha256sums_line(carried.digest, "engine.tar");
  carried.sign("ada", list);
  EXPECT_EQ(carried.judge(), ErrorCode::key_role) << "she is no builder";
  Carried stranger;
  stranger.sign("stranger", list);
  EXPECT_EQ(stranger.judge(), ErrorCode::key_unknown);
  Carried changed;
  changed.sign("bob", list);
  changed.list(sha256sums_line(sha256("an enemy's"), "engine.tar"));
  EXPECT_EQ(changed.judge(), ErrorCode::signature_invalid);
  Carried other;
  const auto of_another = sha256sums_line(other.digest, "other.tar");
  other.list(of_another);
  other.sign("bob", of_another);
  EXPECT_EQ(other.judge(), ErrorCode::schema_violation) << "what was signed for another name does not count for this";
}

TEST(Import, UsesACopyThatStaysAsItWasHashed) {
  const Carried carried;
  const TemporaryFolder place;
  const auto copy = copy_privately(carried.file, place.path(), 0);
  EXPECT_EQ(copy.digest, carried.digest);
  write_file_atomically(carried.file, "an enemy's");
  EXPECT_EQ(read_all(copy.file.get(), 100, "copy"), "a package");
  EXPECT_TRUE(fs::is_empty(place.path()));
  require_announced(copy.digest, carried.digest, carried.file);
  EXPECT_EQ(code_of([&] { require_announced(copy.digest, sha256("x"), carried.file); }), ErrorCode::digest_mismatch);
}

TEST(Import, FollowsNoLinkAndReadsNoDevice) {
  const TemporaryFolder place;
  fs::create_symlink("/etc/passwd", place.path() / "link.tar");
  EXPECT_NE(code_of([&] { (void)copy_privately(place.path() / "link.tar", place.path(), 0); }), std::nullopt);
  EXPECT_EQ(code_of([&] { (void)copy_privately("/dev/zero", place.path(), 0); }), ErrorCode::not_regular);
  const Carried carried;
  EXPECT_EQ(code_of([&] { (void)copy_privately(carried.file, place.path(), 1ull << 62); }), ErrorCode::disk_full);
}

}  // namespace
}  // namespace liftlock::engine
