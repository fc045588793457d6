#include "ecosystem/ollama/store_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/ollama/store_reader.hpp"

namespace liftlock::ollama {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = StoreFinding::Kind;

class StoreCheckTest : public testing::Test {
 protected:
  StoreCheckTest() {
    fs::permissions(m_folder.path(), fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
    make_folders(m_store / "blobs");
    m_manifest.config = put("{}", media::config);
    m_manifest.layers = {put("weights", media::model), put("{{ .Prompt }}", media::chat_template)};
    write("manifests/registry.ollama.ai/library/tiny/latest", manifest_text(m_manifest));
  }
  Layer put(const std::string& text, std::string_view type) {
    write("blobs/sha256-" + sha256(text).hex(), text);
    return {std::string(type), sha256(text), text.size()};
  }
  void write(const std::string& below, std::string_view text) {
    make_folders((m_store / below).parent_path());
    write_file_atomically(m_store / below, text);
  }
  StoreCheck check() { return check_store(m_store, m_user, silent_reporter()); }
  /// The only finding.
  StoreFinding finding() {
    const auto all = check().findings;
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? StoreFinding{} : all.front();
  }
  fs::path blob(std::string_view text) const { return m_store / "blobs" / ("sha256-" + sha256(text).hex()); }

  TemporaryFolder m_folder;
  fs::path m_store = m_folder.path() / "models";
  StoreUser m_user{"me", ::geteuid(), {::getegid()}};
  Manifest m_manifest{{{}, sha256(""), 0}, {}};
};

TEST_F(StoreCheckTest, AWholeStoreHasNoFindings) {
  const auto checked = check();
  EXPECT_THAT(checked.findings, IsEmpty());
  EXPECT_THAT(checked.models, ElementsAre("tiny:latest"));
  EXPECT_EQ(checked.hashed, 2u + 7 + 13);
  EXPECT_EQ(read_model(m_store, parse_name("tiny")).manifest, m_manifest);
  EXPECT_THROW(read_model(m_store, parse_name("tiny:other")), Error);
}

TEST_F(StoreCheckTest, FindsMissingAndChangedBlobs) {
  fs::remove(blob("weights"));
  EXPECT_EQ(finding().kind, Kind::missing);
  EXPECT_THAT(check().models, IsEmpty());
  write_file_atomically(blob("weights"), "WEIGHTS");
  EXPECT_EQ(finding().kind, Kind::wrong_digest);
  EXPECT_THAT(finding().fix, HasSubstr("rm -f"));
  write_file_atomically(blob("weights"), "weight");
  EXPECT_EQ(finding().kind, Kind::wrong_size);
  fs::remove(blob("weights"));
  fs::create_directory(blob("weights"));
  EXPECT_EQ(finding().kind, Kind::missing);
}

TEST_F(StoreCheckTest, FindsWhatOllamaTakesForAManifest) {
  write("manifests/registry.ollama.ai/library/tiny/8b.sig", "-----BEGIN");
  EXPECT_EQ(finding().kind, Kind::not_manifest);
  EXPECT_THAT(finding().message, HasSubstr("tag '8b.sig'"));
  fs::remove(m_store / "manifests/registry.ollama.ai/library/tiny/8b.sig");
  write("manifests/notes.txt", "x");
  EXPECT_EQ(finding().kind, Kind::not_manifest);
}

TEST_F(StoreCheckTest, FindsWhatOllamaWouldRemove) {
  write("blobs/notes.txt", "x");
  EXPECT_EQ(finding().kind, Kind::stray);
  fs::remove(m_store / "blobs/notes.txt");
  put("nobody's", media::model);
  EXPECT_EQ(finding().kind, Kind::unused);
}

TEST_F(StoreCheckTest, FindsAStoreThatStandsTooHighOrTooLow) {
  EXPECT_EQ(check_store(m_folder.path(), m_user, silent_reporter()).findings.front().kind, Kind::layout);
  write("models/manifests/registry.ollama.ai/library/tiny/latest", "{}");
  make_folders(m_store / "models/blobs");
  EXPECT_EQ(finding().kind, Kind::layout);
  EXPECT_THROW(check_store(m_folder.path() / "nowhere", m_user, silent_reporter()), Error);
}

TEST_F(StoreCheckTest, FindsWhatTheServiceCannotRead) {
  m_user = {"ollama", 4242, {4242}};
  // All belongs to another user: it may be read, and not be written to.
  const auto folders = check().findings;
  for (const auto& each : folders) EXPECT_EQ(each.kind, Kind::unreadable);
  EXPECT_EQ(folders.size(), 6u);
  EXPECT_THAT(folders.front().fix, HasSubstr("chown -R ollama: "));
  fs::permissions(blob("weights"), fs::perms::owner_all);
  const auto all = check().findings;
  EXPECT_EQ(all.size(), 7u);
}

}  // namespace
}  // namespace liftlock::ollama
