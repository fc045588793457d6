#include "ecosystem/model/whisper.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "base/encoding.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

std::string made() {
  const TemporaryFolder folder;
  const auto path = folder.path() / "ggml-noise.bin";
  run_process_checked(
      {.argv = {"python3", LIFTLOCK_SOURCE_DIR "/tests/tools/make_model.py", "whisper", path.string()}});
  return read_file(path, 64u << 20);
}

TEST(Whisper, FactsAreRead) {
  const auto bytes = made();
  const auto model = read_whisper(MemoryBytes(as_bytes(bytes)));
  EXPECT_EQ(model.vocabulary, 51'864u);
  EXPECT_FALSE(model.multilingual);
  EXPECT_EQ(model.audio_layers, 1u);
  EXPECT_EQ(model.mels, 80u);
  EXPECT_EQ(model.quantisation, "F16");
  EXPECT_EQ(model.tensor_count, 11u + 15 + 24);
  EXPECT_GT(model.parameters, 51'864u * 64);
}

TEST(Whisper, AVocabularyWithoutTheSpecialTokensIsRefused) {
  const auto bytes = read_file(fs::path(LIFTLOCK_SOURCE_DIR) / "fuzz/whisper_fuzz/good_tiny", 1u << 20);
  EXPECT_NO_THROW(read_whisper(MemoryBytes(as_bytes(bytes)), {.min_vocabulary = 1}));
  EXPECT_EQ(code_of([&] { read_whisper(MemoryBytes(as_bytes(bytes))); }), ErrorCode::model_malformed);
}

TEST(Whisper, EveryTruncationIsNoticed) {
  const auto bytes = read_file(fs::path(LIFTLOCK_SOURCE_DIR) / "fuzz/whisper_fuzz/good_tiny", 1u << 20);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto part = std::string_view(bytes).substr(0, size);
    EXPECT_EQ(code_of([&] { read_whisper(MemoryBytes(as_bytes(part)), {.min_vocabulary = 1}); }),
              ErrorCode::model_malformed)
        << size;
  }
}

}  // namespace
}  // namespace liftlock
