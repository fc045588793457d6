#include "ecosystem/hub/cache_export.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock::hub {
namespace {

class HubCacheTest : public testing::Test {
 protected:
  HubCacheTest() : m_store(m_folder.path() / "store") {
    m_model.kind = "model";
    m_model.name = "tiny";
    m_model.version = "1.0";
    m_model.facts = {{"repository", "org/tiny"}, {"commit", std::string(40, 'a')}, {"revision", "refs/pr/1"}};
    add("config.json", "{}");
    add("deep/er/weights.gguf", "weights");
    add("copy.gguf", "weights");
  }
  void add(const std::string& path, const std::string& content) {
    m_model.files.push_back({RelPath::parse("models/tiny/" + path), content.size(), m_store.put(content), {}, {}});
  }
  std::string text(const fs::path& below) { return read_file(m_cache / below, 4096); }

  TemporaryFolder m_folder;
  BlobStore m_store;
  Artifact m_model;
  fs::path m_cache = m_folder.path() / "hub/models--org--tiny";
};

TEST_F(HubCacheTest, IsLaidOutAsTheLibraryDoesIt) {
  const auto files = export_hub_cache(m_store, m_model, m_folder.path() / "hub", silent_reporter());
  EXPECT_EQ(files.size(), 2u);  // one blob for both names of the weights
  const auto commit = std::string(40, 'a');
  EXPECT_EQ(text("refs/main"), commit);
  EXPECT_EQ(text("refs/1.0"), commit);
  EXPECT_EQ(text("refs/refs/pr/1"), commit);
  const auto snapshot = m_cache / "snapshots" / commit;
  EXPECT_EQ(fs::read_symlink(snapshot / "config.json"), "../../blobs/" + sha256("{}").hex());
  EXPECT_EQ(fs::read_symlink(snapshot / "deep/er/weights.gguf"), "../../../../blobs/" + sha256("weights").hex());
  EXPECT_EQ(read_file(snapshot / "deep/er/weights.gguf", 100), "weights");
}

TEST_F(HubCacheTest, ASecondRunChangesNothingAndRefusesOtherBytes) {
  const auto hub = m_folder.path() / "hub";
  export_hub_cache(m_store, m_model, hub, silent_reporter());
  EXPECT_NO_THROW(export_hub_cache(m_store, m_model, hub, silent_reporter()));
  const auto blob = m_cache / "blobs" / sha256("{}").hex();
  fs::permissions(blob, fs::perms::owner_all);
  write_file_atomically(blob, "[]");
  EXPECT_THROW(export_hub_cache(m_store, m_model, hub, silent_reporter()), Error);
}

TEST_F(HubCacheTest, ARefCannotLeaveTheCache) {
  m_model.facts["revision"] = "../../../x";
  m_model.version = "/etc/x";
  export_hub_cache(m_store, m_model, m_folder.path() / "hub", silent_reporter());
  EXPECT_FALSE(fs::exists(m_folder.path() / "x"));
  EXPECT_EQ(std::distance(fs::directory_iterator(m_cache / "refs"), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace liftlock::hub
