// The seed corpora of tests/tools/make_evil_models.py: every rule has a file that breaks it and is told so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/encoding.hpp"
#include "ecosystem/model/gguf.hpp"
#include "ecosystem/model/onnx.hpp"
#include "ecosystem/model/safetensors.hpp"
#include "ecosystem/model/whisper.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

/// "" for accepted, or the message, "unsupported: …" for what needs a newer engine.
using Read = std::string (*)(const std::string& name, const ByteSource&);

std::string verdict(const std::function<std::string()>& read) {
  try {
    const auto unsupported = read();
    return unsupported.empty() ? "" : "unsupported: " + unsupported;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::model_unsupported) return "unsupported: " + error.message();
    EXPECT_EQ(error.code(), ErrorCode::model_malformed) << error.what();
    return error.message();
  }
}

void check_corpus(const std::string& folder, const std::map<std::string, std::string>& expected, Read read) {
  const fs::path root = fs::path(LIFTLOCK_SOURCE_DIR) / "fuzz" / folder;
  std::size_t seen = 0;
  for (const auto& file : fs::directory_iterator(root)) {
    const auto name = file.path().filename().string();
    const auto bytes = read_file(file.path(), 1u << 20);
    const auto said = read(name, MemoryBytes(as_bytes(bytes)));
    if (name.starts_with("good_")) {
      EXPECT_EQ(said, "") << name;
    }
    if (name.starts_with("new_")) {
      EXPECT_THAT(said, testing::StartsWith("unsupported: ")) << name;
    }
    if (!name.starts_with("evil_")) continue;
    const auto fragment = expected.find(name.substr(5));
    ASSERT_NE(fragment, expected.end()) << name << " says: " << said;
    EXPECT_THAT(said, testing::HasSubstr(fragment->second)) << name;
    ++seen;
  }
  EXPECT_EQ(seen, expected.size());
}

TEST(GgufCorpus, EachRuleIsToldApart) {
  check_corpus(
      "gguf_fuzz",
      {{"magic", "does not begin with GGUF"},
       {"tensor_count", "tensors: more than"},
       {"key_count", "metadata keys: more than"},
       {"truncated_header", "ends early"},
       {"truncated_metadata", "ends early"},
       {"duplicate_key", "stands twice"},
       {"empty_key", "a key of 0 bytes"},
       {"key_not_ascii", "not printable ASCII"},
       {"key_control", "not printable ASCII"},
       {"value_type", "value type 13"},
       {"bool", "a bool of value 2"},
       {"bool_in_array", "neither 0 nor 1"},
       {"string_length", "longer than the file"},
       {"string_not_utf8", "not UTF-8"},
       {"array_overflow", "overflows"},
       {"array_length", "longer than the file"},
       {"array_of_arrays", "array of arrays"},
       {"array_strings", "more strings than the file"},
       {"array_string_length", "a string longer"},
       {"no_architecture", "architecture is missing"},
       {"architecture_type", "the value type 4 instead of 8"},
       {"alignment_0", "alignment is 0"},
       {"alignment_3", "alignment is 3"},
       {"alignment_48", "alignment is 48"},
       {"alignment_2097152", "alignment is 2097152"},
       {"alignment_type", "instead of 4"},
       {"layers", "513 layers"},
       {"layers_type", "must be an unsigned"},
       {"scores_length", "scores has 3 entries for 2"},
       {"types_length", "token_type has 1 entries for 2"},
       {"tokens_type", "wrong value type 4"},
       {"merges_type", "wrong value type 4"},
       {"template_type", "instead of 8"},
       {"split", "split.no and split.count"},
       {"tensor_name_long", "name of 64 bytes"},
       {"tensor_name_empty", "name of 0 bytes"},
       {"tensor_twice", "'a' stands twice"},
       {"dimensions_5", "5 dimensions"},
       {"dimension_0", "dimension of 0"},
       {"elements_overflow", "elements of a tensor overflows"},
       {"size_overflow", "overflows"},
       {"block", "no multiple of 32"},
       {"offset_unaligned", "multiple of 32"},
       {"offset_gap", "a gap or an overlap"},
       {"offset_overlap", "a gap or an overlap"},
       {"offset_huge", "a gap or an overlap"},
       {"data_end", "but the file at"},
       {"trailing", "32 bytes follow"},
       {"trailing_zip", "22 bytes follow"},
       {"padding", "something may hide"},
       {"padding_before_data", "padding in front"}},
      [](const std::string&, const ByteSource& file) { return verdict([&] { return read_gguf(file).unsupported; }); });
}

TEST(SafetensorsCorpus, EachRuleIsToldApart) {
  check_corpus("safetensors_fuzz",
               {{"short", "a file of 1 bytes"},
                {"length_limit", "are allowed"},
                {"length_file", "in a file of"},
                {"length_max", "are allowed"},
                {"no_brace", "does not begin with '{'"},
                {"array", "does not begin with '{'"},
                {"utf8", "not UTF-8"},
                {"surrogate", "surrogate"},
                {"after_header", "something follows"},
                {"duplicate_name", "name stands twice"},
                {"duplicate_escaped", "name stands twice"},
                {"duplicate_member", "a member twice"},
                {"duplicate_metadata", "__metadata__ stands twice"},
                {"duplicate_metadata_key", "a key twice"},
                {"unknown_member", "unknown member 'x'"},
                {"missing_member", "lacks dtype"},
                {"metadata_number", "no string"},
                {"dtype_number", "is expected"},
                {"float", "fraction"},
                {"negative", "whole number"},
                {"leading_zero", "leading zeros"},
                {"number_overflow", "past 2^64"},
                {"shape_overflow", "shape of 'a' overflows"},
                {"bits_overflow", "size of 'a' overflows"},
                {"size", "its shape needs 12"},
                {"sub_byte", "does not end at a byte"},
                {"offsets_reversed", "lies at 8 to 0"},
                {"offsets_past_end", "lies at 0 to 16"},
                {"three_offsets", "more than 2 numbers"},
                {"gap", "a gap or an overlap"},
                {"overlap", "a gap or an overlap"},
                {"hole_at_start", "a gap or an overlap"},
                {"trailing", "1 bytes follow"},
                {"trailing_zip", "22 bytes follow"},
                {"depth", "is expected"},
                {"dimensions", "more than 64 numbers"},
                {"index_twice", "a weight stands twice"}},
               [](const std::string& name, const ByteSource& file) {
                 return verdict([&]() -> std::string {
                   if (name.find("index") == std::string::npos) return read_safetensors(file).unsupported;
                   read_safetensors_index(file);
                   return {};
                 });
               });
}

TEST(OnnxCorpus, EachRuleIsToldApart) {
  check_corpus("onnx_fuzz",
               {{"external_parent", "'..' component"},
                {"external_absolute", "empty component"},
                {"external_backslash", "it has one of"},
                {"external_in_attribute", "'../x'"},
                {"external_in_subgraph", "'../x'"},
                {"external_in_function", "'../x'"},
                {"external_second_value", "'../x'"},
                {"second_graph", "'../x'"},
                {"depth", "nested deeper"},
                {"length", "longer than its message"},
                {"group", "wire type 3"},
                {"varint", "past 2^64"},
                {"no_graph", "there is no graph"}},
               [](const std::string&, const ByteSource& file) {
                 return verdict([&]() -> std::string {
                   read_onnx(file);
                   return {};
                 });
               });
}

TEST(WhisperCorpus, EachRuleIsToldApart) {
  check_corpus("whisper_fuzz",
               {{"magic", "does not begin with the magic"},
                {"vocabulary", "the vocabulary is"},
                {"audio_context", "the audio context is"},
                {"state", "the audio state is 0"},
                {"heads", "audio heads is 0"},
                {"heads_divide", "no multiple of the number of heads"},
                {"layers", "audio layers is"},
                {"text_context", "the text context is"},
                {"text_state", "text state and audio state differ"},
                {"mels", "mel bands is"},
                {"file_type", "no file type 5"},
                {"filters", "another number of mel bands"},
                {"fft", "not for 201 frequencies"},
                {"words", "the number of words is"},
                {"word_length", "the length of a word is"},
                {"dimensions", "the number of dimensions is 5"},
                {"no_dimensions", "the number of dimensions is 0"},
                {"dimension_zero", "a dimension is 0"},
                {"overflow", "more than 2147483647 values"},
                {"type", "no type that is known"},
                {"type_past_end", "no type that is known"},
                {"block", "no multiple of the blocks"},
                {"name", "stands twice, or in no such model"},
                {"name_length", "the length of a tensor's name is"},
                {"twice", "stands twice"},
                {"missing", "is missing"},
                {"no_tensors", "is missing"},
                {"truncated_weights", "ends early"},
                {"truncated_sizes", "ends early"},
                {"trailing", "ends early"}},
               [](const std::string&, const ByteSource& file) {
                 return verdict([&] {
                   read_whisper(file, {.min_vocabulary = 1});
                   return std::string();
                 });
               });
}

}  // namespace
}  // namespace liftlock
