#include "ecosystem/model/inspector.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "crypto/hash.hpp"
#include "ecosystem/model/completeness.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

class Models : public ::testing::Test {
 protected:
  fs::path folder() const { return m_folder.path() / "model"; }

  void python(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"python3", LIFTLOCK_SOURCE_DIR "/tests/tools/make_model.py"});
    run_process_checked({.argv = std::move(arguments)});
  }
  void write(const std::string& name, std::string_view content) const {
    make_folders((folder() / name).parent_path());
    write_file_atomically(folder() / name, content);
  }

  /// The folder as an artifact.
  Inspection inspect() const {
    Artifact artifact{.kind = "model", .name = "m", .version = "1"};
    std::vector<UniqueFd> open;
    std::vector<int> descriptors;
    for (const auto& entry : walk(folder(), 1000)) {
      open.push_back(open_file(folder() / entry.path, O_RDONLY));
      descriptors.push_back(open.back().get());
      artifact.files.push_back({.path = RelPath::parse("models/m/" + entry.path),
                                .size = static_cast<std::uint64_t>(entry.status.st_size),
                                .digest = sha256("")});
    }
    return ModelInspector().inspect(artifact, descriptors);
  }

  static std::string said(const Inspection& inspection) {
    std::string out;
    for (const auto& finding : inspection.findings) {
      out += fmt::format("{} {}: {}\n", info(finding.code).slug, finding.path, finding.message);
    }
    return out;
  }

  TemporaryFolder m_folder;
};

TEST_F(Models, WhatHasNoByteIsNoModel) {
  write("weights", "");
  EXPECT_EQ(said(inspect()), "model-malformed models/m/weights: nothing of the model has a byte\n");
  write("README.md", "");
  EXPECT_EQ(inspect().findings.size(), 1u);
  write("weights.gguf", "");
  EXPECT_EQ(inspect().findings.size(), 1u) << "it is said of the file itself";
  fs::remove(folder() / "weights.gguf");
  write("README.md", "# Weights\n");
  EXPECT_EQ(said(inspect()), "") << "an empty file beside others";
}

TEST_F(Models, GgufFactsAreRead) {
  make_folders(folder());
  python({"gguf", (folder() / "tiny.gguf").string()});
  const auto inspection = inspect();
  EXPECT_EQ(said(inspection), "");
  const auto& facts = inspection.facts;
  EXPECT_EQ(facts["architecture"], "llama");
  EXPECT_EQ(facts["name"], "Liftlock Tiny");
  EXPECT_EQ(facts["quantisation"], "F16");
  EXPECT_EQ(facts["context_length"], 2048);
  EXPECT_EQ(facts["block_count"], 2);
  EXPECT_EQ(facts["license"], "apache-2.0");
  EXPECT_EQ(facts["vocabulary"], 261 + 18);
  EXPECT_EQ(facts["parameters"], 2 * 64 * 279 + 64 + 2 * (2 * 64 + 4 * 64 * 64 + 3 * 64 * 128));
  EXPECT_EQ(facts["chat_template"]["sha256"].get<std::string>().size(), 64u);
}

TEST_F(Models, AVocabularyOfAQuarterMillionIsSkippedWithFlatMemory) {
  make_folders(folder());
  python({"gguf", (folder() / "big.gguf").string(), "--filler-tokens", "250000", "--embd", "4", "--layers", "1"});
  struct rusage before {};
  ::getrusage(RUSAGE_SELF, &before);
  const auto inspection = inspect();
  struct rusage after {};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(said(inspection), "");
  EXPECT_EQ(inspection.facts["vocabulary"], 250'000 + 279);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 4096) << "KiB";
}

TEST_F(Models, MemoryDoesNotGrowWithTheHeader) {
  make_folders(folder());
  std::string header = "{";
  std::size_t at = 0;
  while (header.size() < 10'000'000) {
    header += fmt::format("{}\"t{}\":{{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[{},{}]}}", at == 0 ? "" : ",",
                          at, at, at + 1);
    ++at;
  }
  header += "}";
  {
    AtomicFile file(folder() / "model.safetensors");
    const std::uint64_t size = header.size();
    file.write({reinterpret_cast<const char*>(&size), 8});
    file.write(header);
    file.write(std::string(at, '\0'));
    file.commit();
  }
  [[maybe_unused]] const auto header_size = header.size();
  header = {};
  struct rusage before {};
  ::getrusage(RUSAGE_SELF, &before);
  const auto inspection = inspect();
  struct rusage after {};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(said(inspection), "");
  EXPECT_EQ(inspection.facts["parameters"], at);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // these keep what was freed
  // 32 bytes per tensor, vectors that double, and nothing of the text.
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 3 * 32 * at / 1024) << "KiB, with a header of " << header_size;
#endif
}

TEST_F(Models, AShardedTransformersFolderIsWhole) {
  python({"safetensors", folder().string(), "--shards", "3"});
  const auto inspection = inspect();
  EXPECT_EQ(said(inspection), "");
  EXPECT_EQ(inspection.facts["architecture"], "tiny");
  EXPECT_EQ(inspection.facts["parameters"], 3 * (16 * 8 + 16));
  EXPECT_FALSE(inspection.facts.contains("notes")) << inspection.facts["notes"];
}

TEST_F(Models, AMissingShardIsNoticed) {
  python({"safetensors", folder().string(), "--shards", "3"});
  fs::remove(folder() / "model-00002-of-00003.safetensors");
  EXPECT_EQ(
      said(inspect()),
      "model-incomplete models/m/model-00002-of-00003.safetensors: 1 of 3 shards are missing, "
      "model-00002-of-00003.safetensors for one\n"
      "model-incomplete models/m/model-00002-of-00003.safetensors: model.safetensors.index.json names it and it is "
      "missing\n");
}

TEST_F(Models, AShardedGgufIsOneModel) {
  make_folders(folder());
  python({"gguf", (folder() / "tiny.gguf").string(), "--shards", "3"});
  const auto whole = inspect();
  EXPECT_EQ(said(whole), "");
  EXPECT_EQ(whole.facts["architecture"], "llama");
  EXPECT_EQ(whole.facts["gguf_main"], "models/m/tiny-00001-of-00003.gguf");
  fs::remove(folder() / "tiny-00003-of-00003.gguf");
  EXPECT_EQ(
      said(inspect()),
      "model-incomplete models/m/tiny-00003-of-00003.gguf: 1 of 3 shards are missing, tiny-00003-of-00003.gguf for "
      "one\n");
}

TEST_F(Models, AWeightThatTheIndexPlacesElsewhereIsNoticed) {
  python({"safetensors", folder().string(), "--shards", "2"});
  write(
      "model.safetensors.index.json",
      R"({"weight_map":{"layers.0.weight":"model-00001-of-00002.safetensors","layers.9.weight":"model-00002-of-00002.safetensors"}})");
  EXPECT_THAT(said(inspect()), testing::HasSubstr("it lacks 1 of the 1 weights"));
  write("model.safetensors.index.json", R"({"weight_map":{"a":"../../other.safetensors"}})");
  EXPECT_THAT(said(inspect()), testing::HasSubstr("no contained path"));
}

TEST_F(Models, WhatMayBeLeftOutOnPurposeIsANote) {
  python({"safetensors", folder().string(), "--shards", "1"});
  fs::remove(folder() / "tokenizer.json");
  write("modeling_tiny.py", "print(1)\n");
  const auto inspection = inspect();
  EXPECT_EQ(said(inspection), "");
  EXPECT_THAT(inspection.facts["notes"].dump(), testing::HasSubstr("no tokenizer"));
  EXPECT_THAT(inspection.facts["notes"].dump(), testing::HasSubstr("trust remote code"));
}

TEST_F(Models, PicklesAreFoundByNameAndByContent) {
  const auto pickles = run_process_checked({.argv = {"python3", "-c", R"(
import pickle, sys, os, zipfile, io, pathlib, zlib, gzip
out = pathlib.Path(sys.argv[1]); out.mkdir(parents=True)
class Evil:
    def __reduce__(self): return (print, ("boo",))
for protocol in range(6):
    (out / f"p{protocol}.txt").write_bytes(pickle.dumps(Evil(), protocol))
    (out / f"list{protocol}.json").write_bytes(pickle.dumps([Evil()], protocol))
(out / "innocent.bin").write_bytes(b"hello")
(out / "model.pt").write_bytes(b"hello")
with zipfile.ZipFile(out / "weights.safetensors", "w") as z: z.writestr("archive/data.pkl", pickle.dumps(Evil()))
with zipfile.ZipFile(out / "script.gguf", "w") as z: z.writestr("x/constants.pkl", b""); z.writestr("x/data.pkl", b"")
(out / "keras.md").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
(out / "joblib.dat").write_bytes(zlib.compress(pickle.dumps(Evil())))
(out / "more.json.gz").write_bytes(gzip.compress(b"{}"))
)",
                                                     folder().string()}});
  const auto found = said(inspect());
  for (int protocol = 0; protocol < 6; ++protocol) {
    EXPECT_THAT(found, testing::HasSubstr(fmt::format("model-unsafe-format models/m/p{}.txt", protocol)));
    EXPECT_THAT(found, testing::HasSubstr(fmt::format("model-unsafe-format models/m/list{}.json", protocol)));
  }
  for (const std::string name :
       {"innocent.bin", "model.pt", "weights.safetensors: a zip with a pickle", "script.gguf: TorchScript",
        "keras.md: an HDF5", "joblib.dat: a zlib", "more.json.gz"}) {
    EXPECT_THAT(found, testing::HasSubstr("model-unsafe-format models/m/" + name));
  }
}

TEST_F(Models, OrdinaryCompanionsAreAccepted) {
  write("README.md", "---\nlicense: mit\n---\n# Ü\n");
  write("vocab.txt", "cos\nsin\n[CLS]\nend.\n");
  write("SHA256SUMS", "c447a5bbeecb482392c5d6a99f42342052371ab218462d502e986a9a645eb1f5  a b.gguf\n# two lines\n");
  write("merges.txt", "#version: 0.2\nĠ t\n");
  write("chat_template.jinja", "{{ messages }}");
  write("tokenizer.json", "{\"a\":[1,-2.5e3,{\"b\":null}],\"a\":true}");
  write("config.json", "{\"model_type\":\"x\"}");
  write("figure.png", "\x89PNG\r\n\x1a\n....");
  // Two SentencePiece pieces: {piece: "a", score: 0.0}.
  write("tokenizer.model", std::string("\x0a\x08\x0a\x01"
                                       "a\x15\0\0\0\0\x0a\x03\x0a\x01"
                                       "b",
                                       15));
  EXPECT_EQ(said(inspect()), "");
  write("broken.json", "{\"a\":}");
  write("deep.json", std::string(100, '[') + std::string(100, ']'));
  write("weights.raw", std::string("\0\1\2\3", 4));
  write("other.model", std::string("\0\1\2\3", 4));
  write("config.json", "{\"a\":1,\"a\":2}");
  const auto found = said(inspect());
  for (const std::string line : {"model-malformed models/m/broken.json", "model-malformed models/m/deep.json",
                                 "model-unsupported models/m/weights.raw", "model-malformed models/m/other.model",
                                 "json-duplicate-key models/m/config.json"}) {
    EXPECT_THAT(found, testing::HasSubstr(line));
  }
}

TEST_F(Models, OnnxWeightsBesideTheModelAreItsOwn) {
  const auto corpus = fs::path(LIFTLOCK_SOURCE_DIR) / "fuzz/onnx_fuzz";
  write("net.onnx", read_file(corpus / "good_external", 1 << 16));
  EXPECT_THAT(said(inspect()), testing::HasSubstr("model-incomplete models/m/weights/model.onnx_data"));
  write("weights/model.onnx_data", std::string("\x80\x04\x95\0\0", 5));
  EXPECT_EQ(said(inspect()), "");
}

TEST_F(Models, AZipInsideTheLastTensorIsAPolyglot) {
  run_process_checked({.argv = {"python3", "-c", R"(
import sys, io, zipfile, pathlib
sys.path.insert(0, sys.argv[1]); from make_model import *
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as z: z.writestr("archive/data.pkl", b"x" * 100)
data = buffer.getvalue()
out = pathlib.Path(sys.argv[2]); out.mkdir(parents=True)
(out / "model.safetensors").write_bytes(make_safetensors([("a", "U8", [len(data)], data)]))
)",
                                LIFTLOCK_SOURCE_DIR "/tests/tools", folder().string()}});
  EXPECT_THAT(said(inspect()), testing::HasSubstr("model-unsafe-format models/m/model.safetensors: it ends as a zip"));
}

TEST_F(Models, SplitGgufSetsMustAgree) {
  const auto make = [&](const std::string& name, int number, int count, int tensors, const std::string& tensor) {
    make_folders(folder());
    run_process_checked({.argv = {"python3", "-c", R"(
import sys, pathlib
sys.path.insert(0, sys.argv[1]); from make_model import *
g = Gguf()
if sys.argv[3] == "0": g.put("general.architecture", STRING, "llama")
g.metadata.append(string("split.no") + struct.pack("<IH", 2, int(sys.argv[3])))
g.metadata.append(string("split.count") + struct.pack("<IH", 2, int(sys.argv[4])))
g.put("split.tensors.count", I32, int(sys.argv[5]))
g.tensor(sys.argv[6], [8], F32, bytes(32))
pathlib.Path(sys.argv[2]).write_bytes(g.bytes())
)",
                                  LIFTLOCK_SOURCE_DIR "/tests/tools", (folder() / name).string(),
                                  std::to_string(number), std::to_string(count), std::to_string(tensors), tensor}});
  };
  make("m-00001-of-00002.gguf", 0, 2, 2, "a");
  make("m-00002-of-00002.gguf", 1, 2, 2, "b");
  EXPECT_EQ(said(inspect()), "");
  make("m-00002-of-00002.gguf", 1, 2, 2, "a");
  EXPECT_THAT(said(inspect()), testing::HasSubstr("'a' stands in two files"));
  make("m-00002-of-00002.gguf", 1, 2, 9, "b");
  EXPECT_THAT(said(inspect()), testing::HasSubstr("another number of tensors"));
  make("m-00002-of-00002.gguf", 0, 2, 2, "b");
  EXPECT_THAT(said(inspect()), testing::HasSubstr("does not say that it is file 1 of 2"));
  fs::remove(folder() / "m-00002-of-00002.gguf");
  EXPECT_THAT(said(inspect()), testing::HasSubstr("model-incomplete models/m/m-00002-of-00002.gguf"));
}

TEST(ShardNames, AreRecognised) {
  EXPECT_EQ(parse_shard_name("a/m-00002-of-00005.gguf")->number, 2u);
  EXPECT_EQ(parse_shard_name("a/m-00002-of-00005.gguf")->count, 5u);
  EXPECT_FALSE(parse_shard_name("m-2-of-5.gguf"));
  EXPECT_FALSE(parse_shard_name("-of-.x"));
}

}  // namespace
}  // namespace liftlock
