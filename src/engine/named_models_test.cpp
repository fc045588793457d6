#include "engine/named_models.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "base/code_of.hpp"
#include "crypto/hash.hpp"

namespace liftlock::engine {
namespace {

TEST(NamedModels, SeeWhatChangesAlsoWhereTheCatalogCameBackAlone) {
  const TemporaryFolder folder;
  const BlobStore store(folder.path() / "store");
  const auto file = store.folder() / "catalog.db";
  Artifact model{.kind = "model", .name = "tiny", .version = "1"};
  model.files.push_back({.path = RelPath::parse("models/tiny/tiny.gguf"),
                         .size = 4,
                         .digest = sha256("GGUF"),
                         .origin = {},
                         .evidence = {}});
  Catalog(file).replace_set("test", {model});
  for (const auto* beside : {"-wal", "-shm"}) ASSERT_TRUE(fs::remove(file.string() + beside));
  NamedModels names(store, file, folder.path() / "aliases.json", 0, 1, ModelMemory::file);
  EXPECT_EQ(names.find("tiny")->artifact, model);
  Catalog(file).remove_set("test");
  // It looks once a second.
  std::optional<ErrorCode> code;
  for (int i = 0; i < 2000 && !code; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    code = code_of([&] { names.find("tiny"); });
  }
  EXPECT_EQ(code, ErrorCode::not_found);
}

}  // namespace
}  // namespace liftlock::engine
