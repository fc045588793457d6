#include "ecosystem/model/collector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/kept_notes.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "crypto/openssh_key.hpp"
#include "crypto/openssh_key_sample_test.hpp"
#include "crypto/sha256sums.hpp"
#include "ecosystem/model/hub_protocol.hpp"
#include "ecosystem/oci/registry_harness_test.hpp"
#include "ecosystem/ollama/manifest.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// tests/tools/hub_server.py over a folder; ends with the object, because its input is closed.
class HubServer {
 public:
  HubServer(const fs::path& root, std::vector<std::string> options) {
    int in[2];
    int out[2];
    if (::pipe(in) != 0 || ::pipe(out) != 0) fail_errno("pipe");
    m_pid = ::fork();
    if (m_pid == 0) {
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      for (const int fd : {in[0], in[1], out[0], out[1]}) ::close(fd);
      std::vector<std::string> words = {"python3", LIFTLOCK_SOURCE_DIR "/tests/tools/hub_server.py", root.string()};
      words.insert(words.end(), options.begin(), options.end());
      std::vector<char*> argv;
      for (auto& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    m_input = UniqueFd(in[1]);
    const UniqueFd output(out[0]);
    std::string line;
    for (char c = 0; ::read(output.get(), &c, 1) == 1 && c != '\n';) line += c;
    m_endpoint = "http://127.0.0.1:" + line;
  }
  ~HubServer() {
    m_input.reset();
    ::waitpid(m_pid, nullptr, 0);
  }
  const std::string& endpoint() const { return m_endpoint; }

 private:
  pid_t m_pid = -1;
  UniqueFd m_input;
  std::string m_endpoint;
};

class ModelCollecting : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto* name : {"HF_TOKEN", "HF_ENDPOINT", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"}) ::unsetenv(name);
    ::setenv("HF_HOME", (m_folder.path() / "hf-home").c_str(), 1);
  }
  void TearDown() override { ::unsetenv("HF_TOKEN"); }

  fs::path at(const std::string& name) const { return m_folder.path() / name; }
  void write(const std::string& name, std::string_view content) const {
    make_folders(at(name).parent_path());
    write_file_atomically(at(name), content);
  }
  /// A repository ORG/NAME with two shards, an index, a pickle and a hidden file.
  void make_repository() const {
    make_folders(at("hub/org"));
    run_process_checked({.argv = {"python3", LIFTLOCK_SOURCE_DIR "/tests/tools/make_model.py", "safetensors",
                                  at("hub/org/tiny").string()}});
    write("hub/org/tiny/pytorch_model.bin", "x");
    write("hub/org/tiny/.gitattributes", "x");
    write("hub/org/tiny/docs/a file.md", "# hello\n");
  }
  Collected resolve(Json values) {
    const StackEntry entry{"model", "tiny", std::move(values), sha256("")};
    m_context.emplace(CollectContext{m_store, m_downloader, m_reporter, m_folder.path(), at("scratch"), "linux/amd64"});
    return ModelCollector().resolve(entry, *m_context);
  }
  std::vector<FetchResult> fetch(const Artifact& artifact, Json values) {
    const StackEntry entry{"model", "tiny", std::move(values), sha256("")};
    return m_downloader.fetch(ModelCollector().plan(artifact, entry, *m_context));
  }
  template <typename F>
  static Error error_of(F&& f) {
    try {
      f();
    } catch (const Error& error) {
      return error;
    }
    return {ErrorCode::internal, "nothing was thrown"};
  }
  static std::vector<std::string> paths(const Artifact& artifact) {
    std::vector<std::string> out;
    for (const auto& file : artifact.files) out.push_back(file.path.text());
    return out;
  }

  TemporaryFolder m_folder;
  BlobStore m_store{m_folder.path() / "store"};
  Downloader m_downloader{m_store, silent_reporter(), {.attempts = 1}};
  KeptNotes m_reporter;
  std::optional<CollectContext> m_context;
};

TEST_F(ModelCollecting, ALinkIsSaidAndTheLockDoesNotHaveIt) {
  write("kept/model.safetensors", "weights");
  fs::create_directory_symlink("kept", at("tiny"));
  const auto notes = resolve({{"source", "tiny"}}).notes;
  EXPECT_EQ(m_reporter.notes,
            std::vector<std::string>{"'tiny' leads by a link to '" + fs::canonical(at("kept")).string() + "'"});
  for (const auto& note : notes) EXPECT_THAT(note, testing::Not(HasSubstr(m_folder.path().string())));
}

TEST_F(ModelCollecting, ATokenizerThatIncludeLeavesBehindIsMissing) {
  write("tiny/model.safetensors", "weights");
  write("tiny/config.json", "{}");
  write("tiny/tokenizer.json", "{}");
  const auto missing = [&](const Json& include) {
    const Json values = {{"source", "tiny"}, {"include", include}};
    const auto artifacts = resolve(values).artifacts;
    return ModelCollector().check({"model", "tiny", values, sha256("")}, artifacts, *m_context).missing;
  };
  const auto found = missing({"*.safetensors", "config.json"});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(found[0].what, HasSubstr("no tokenizer"));
  const auto proposed = parse_json(found[0].add.substr(found[0].add.find("include = ") + 10));
  EXPECT_EQ(proposed[0], "*.safetensors");
  EXPECT_TRUE(missing(proposed).empty());
  fs::remove(at("tiny/tokenizer.json"));
  EXPECT_TRUE(missing(proposed).empty()) << "what is not there is no fault of `include`";
  EXPECT_TRUE(missing(Json::array()).empty());
}

TEST_F(ModelCollecting, AHubRepositoryIsPinnedListedAndFetched) {
  make_repository();
  const HubServer hub(at("hub"), {"--page", "2"});
  const Json values = {{"source", "hf:org/tiny"}, {"endpoint", hub.endpoint() + "/"}};
  const auto collected = resolve(values);
  const auto& artifact = collected.artifacts.at(0);
  EXPECT_THAT(paths(artifact), ElementsAre("models/tiny/config.json", "models/tiny/docs/a file.md",
                                           "models/tiny/model-00001-of-00002.safetensors",
                                           "models/tiny/model-00002-of-00002.safetensors",
                                           "models/tiny/model.safetensors.index.json", "models/tiny/tokenizer.json"));
  EXPECT_EQ(artifact.license, "apache-2.0");
  EXPECT_EQ(artifact.version.size(), 12u);
  EXPECT_EQ(artifact.files[0].evidence.at(0).type, "git-oid");
  EXPECT_EQ(artifact.files[2].evidence.at(0).type, "lfs-oid");
  EXPECT_THAT(artifact.files[2].origin,
              HasSubstr("/org/tiny/resolve/" + artifact.facts["commit"].get<std::string>() + "/model-00001"));
  EXPECT_THAT(artifact.files[1].origin, HasSubstr("/docs/a%20file.md"));
  ASSERT_EQ(collected.notes.size(), 2u);
  EXPECT_THAT(collected.notes[0], HasSubstr("main is pinned to"));
  EXPECT_THAT(collected.notes[1], HasSubstr("pytorch_model.bin is left out"));

  EXPECT_EQ(fetch(artifact, values).size(), 2u) << "the small files are there already";
  for (const auto& file : artifact.files) {
    EXPECT_EQ(read_file(m_store.path(file.digest), 1 << 20),
              read_file(at("hub/org/tiny") / file.path.text().substr(12), 1 << 20));
  }
  EXPECT_EQ(resolve(values).artifacts, collected.artifacts);
}

TEST_F(ModelCollecting, PatternsAndStatedDigestsAreHonoured) {
  make_repository();
  const HubServer hub(at("hub"), {});
  ::setenv("HF_ENDPOINT", hub.endpoint().c_str(), 1);
  const auto shard = sha256(read_file(at("hub/org/tiny/model-00001-of-00002.safetensors"), 1 << 20));
  Json values = {{"source", "hf:org/tiny"},
                 {"include", {"*.safetensors"}},
                 {"exclude", {"*-00002-*"}},
                 {"sha256", {{"model-00001-of-00002.safetensors", shard.hex()}}}};
  const auto artifact = resolve(values).artifacts.at(0);
  EXPECT_THAT(paths(artifact), ElementsAre("models/tiny/model-00001-of-00002.safetensors"));
  EXPECT_EQ(artifact.files[0].evidence.size(), 2u);
  values["sha256"] = {{"model-00001-of-00002.safetensors", sha256("other").hex()}};
  EXPECT_EQ(error_of([&] { resolve(values); }).code(), ErrorCode::digest_mismatch);
  values["sha256"] = {{"misspelt.safetensors", shard.hex()}};
  EXPECT_THAT(error_of([&] { resolve(values); }).message(), HasSubstr("'misspelt.safetensors', which is not among"));
  ::unsetenv("HF_ENDPOINT");
}

TEST_F(ModelCollecting, AGatedRepositorySaysWhatToDoAndTheTokenGoesToTheHubOnly) {
  make_repository();
  const HubServer hub(at("hub"), {"--gated", "org/tiny=secret", "--log", at("log").string()});
  const Json values = {{"source", "hf:org/tiny"}, {"endpoint", hub.endpoint()}};
  auto error = error_of([&] { resolve(values); });
  EXPECT_EQ(error.code(), ErrorCode::unresolvable);
  EXPECT_THAT(error.message(), HasSubstr("is gated"));
  EXPECT_THAT(std::string(error.hint()), HasSubstr("HF_TOKEN"));
  write("hf-home/token", "secret\n");
  const auto artifact = resolve(values).artifacts.at(0);
  fetch(artifact, values);
  const auto port = hub.endpoint().substr(hub.endpoint().rfind(':') + 1);
  const auto log = read_file(at("log"), 1 << 20);
  std::size_t redirected = 0;
  for (const auto line : split(log, '\n')) {
    if (line.empty() || line.ends_with(port)) continue;
    ++redirected;
    EXPECT_THAT(std::string(line), testing::Not(HasSubstr("secret"))) << "the token left the Hub";
  }
  EXPECT_EQ(redirected, 2u);
  EXPECT_THAT(to_json(artifact).dump(), testing::Not(HasSubstr("secret")));
}

TEST_F(ModelCollecting, HubErrorsAreToldApart) {
  make_repository();
  const HubServer hub(at("hub"), {});
  const auto endpoint = hub.endpoint();
  const auto message = [&](const Json& values) { return error_of([&] { resolve(values); }).message(); };
  EXPECT_THAT(message({{"source", "hf:org/none"}, {"endpoint", endpoint}}),
              HasSubstr("gated, private or does not exist"));
  EXPECT_THAT(message({{"source", "hf:org/tiny"}, {"revision", "nope/x"}, {"endpoint", endpoint}}),
              HasSubstr("no such revision"));
  EXPECT_THAT(message({{"source", "hf:org/tiny"}, {"include", {"*.xyz"}}, {"endpoint", endpoint}}),
              HasSubstr("no file of org/tiny"));
  EXPECT_THAT(message({{"source", "hf:../x"}, {"endpoint", endpoint}}), HasSubstr("names no repository"));
  const auto error = error_of([&] { resolve({{"source", "hf:org/tiny"}}); });
  EXPECT_THAT(std::string(error.hint()), HasSubstr("HF_ENDPOINT"));
}

TEST_F(ModelCollecting, ALyingHubIsCaught) {
  make_repository();
  const auto code = [&](const std::string& evil) {
    const HubServer hub(at("hub"), {"--evil", evil});
    return error_of([&] { resolve({{"source", "hf:org/tiny"}, {"endpoint", hub.endpoint()}}); }).code();
  };
  EXPECT_EQ(code("oid"), ErrorCode::digest_mismatch);
  EXPECT_EQ(code("next"), ErrorCode::schema_violation);
  EXPECT_EQ(code("path"), ErrorCode::path_unsafe);
}

TEST_F(ModelCollecting, AllNamesOfARepositoryThatNoBundleCarriesAreListed) {
  make_repository();
  for (int i = 10; i < 35; ++i) write(fmt::format("hub/org/tiny/\xC3\xA4{}.md", i), "x");
  const HubServer hub(at("hub"), {});
  Json values = {{"source", "hf:org/tiny"}, {"endpoint", hub.endpoint()}};
  const auto error = error_of([&] { resolve(values); });
  EXPECT_EQ(error.code(), ErrorCode::path_unsafe);
  EXPECT_THAT(error.message(), HasSubstr("[model.tiny]: org/tiny: 25 files have names that no bundle carries"));
  EXPECT_THAT(error.message(), HasSubstr("29.md' (it has a byte outside printable ASCII), and 5 more"));
  EXPECT_THAT(std::string(error.hint()), HasSubstr("exclude"));
  values["exclude"] = {"\xC3\xA4*"};
  EXPECT_EQ(resolve(values).artifacts.at(0).files.size(), 6u);
}

TEST_F(ModelCollecting, AUrlLosesItsQueryInTheNameAndNeedsNoDownloadWhenItsDigestIsStated) {
  write("hub/org/tiny/a b.gguf", "GGUF....");
  const HubServer hub(at("hub"), {});
  const auto url = hub.endpoint() + "/cdn/org/tiny/a%20b.gguf?download=true";
  auto collected = resolve({{"source", url}, {"sha256", {{"a_b.gguf", sha256("GGUF....").hex()}}}});
  EXPECT_THAT(paths(collected.artifacts.at(0)), ElementsAre("models/tiny/a_b.gguf"));
  EXPECT_EQ(collected.artifacts[0].files[0].evidence.at(0).type, "stated");
  EXPECT_FALSE(m_store.contains(sha256("GGUF....")));
  fetch(collected.artifacts[0], {{"source", url}});
  EXPECT_TRUE(m_store.contains(sha256("GGUF....")));
  collected = resolve({{"source", url}});
  EXPECT_EQ(collected.artifacts[0].files[0].evidence.at(0).type, "first-use");
  EXPECT_THAT(collected.notes.at(0), HasSubstr("first use"));
  EXPECT_EQ(error_of([&] {
              resolve({{"source", "https://me:pw@host.invalid/x.gguf"}});
            }).code(),
            ErrorCode::stack_invalid);
}

TEST_F(ModelCollecting, ALocalFolderIsHashedIntoTheStoreOnce) {
  write("m/model.gguf", "GGUF");
  write("m/sub/readme.md", "hi");
  write("m/.cache/x", "left out");
  write("m/old.pt", "left out");
  const auto collected = resolve({{"source", "m"}, {"license", "mit"}, {"version", "7"}});
  const auto& artifact = collected.artifacts.at(0);
  EXPECT_EQ(artifact.id(), "model:tiny@7");
  EXPECT_THAT(paths(artifact), ElementsAre("models/tiny/model.gguf", "models/tiny/sub/readme.md"));
  EXPECT_EQ(artifact.files[0].origin, "m/model.gguf");
  EXPECT_TRUE(m_store.contains(sha256("GGUF")));
  EXPECT_TRUE(fetch(artifact, {{"source", "m"}}).empty());
  m_store.remove(sha256("GGUF"));
  EXPECT_EQ(fetch(artifact, {{"source", "m"}}).size(), 1u);
  EXPECT_TRUE(m_store.contains(sha256("GGUF")));
  m_store.remove(sha256("GGUF"));
  write("m/model.gguf", "CHANGED");
  EXPECT_EQ(error_of([&] { fetch(artifact, {{"source", "m"}}); }).code(), ErrorCode::upstream_changed);
}

TEST_F(ModelCollecting, WhatHasNoByteIsNoModel) {
  write("empty.gguf", "");
  write("e/weights", "");
  for (const auto* source : {"empty.gguf", "e"}) {
    const auto error = error_of([&] { resolve({{"source", source}}); });
    EXPECT_EQ(error.code(), ErrorCode::model_malformed) << source;
    EXPECT_THAT(error.message(), HasSubstr(source));
  }
  write("e/config.json", "{}");
  EXPECT_EQ(resolve({{"source", "e"}}).artifacts.at(0).files.size(), 2u);
}

TEST_F(ModelCollecting, AManifestBesideTheModelIsEvidence) {
  write("m/model.gguf", "GGUF");
  write("m/back\\slash.txt", "x");
  fs::remove(at("m/back\\slash.txt"));
  write("m/MODEL_MANIFEST.sha256", "# from the publisher\n" + sha256sums_line(sha256("GGUF"), "./model.gguf"));
  const auto artifact = resolve({{"source", "m"}}).artifacts.at(0);
  EXPECT_EQ(artifact.files[1].evidence.at(0).type, "stated");
  EXPECT_EQ(artifact.files[1].evidence.at(0).details["by"], "MODEL_MANIFEST.sha256");
  write("m/model.gguf", "other");
  EXPECT_EQ(error_of([&] { resolve({{"source", "m"}}); }).code(), ErrorCode::digest_mismatch);
  fs::remove(at("m/model.gguf"));
  EXPECT_EQ(error_of([&] { resolve({{"source", "m"}}); }).code(), ErrorCode::model_incomplete);
}

TEST_F(ModelCollecting, LinksAreFollowedInsideAHuggingFaceCacheOnly) {
  const std::string commit(40, 'a');
  const auto blob = sha256("GGUF").hex();
  write("models--o--n/blobs/" + blob, "GGUF");
  write("models--o--n/blobs/" + std::string(40, 'b'), "{}");
  write("models--o--n/refs/main", commit);
  make_folders(at("models--o--n/snapshots/" + commit + "/sub"));
  fs::create_symlink("../../blobs/" + blob, at("models--o--n/snapshots/" + commit + "/m.gguf"));
  fs::create_symlink("../../../blobs/" + std::string(40, 'b'),
                     at("models--o--n/snapshots/" + commit + "/sub/config.json"));
  for (const auto& source : std::vector<std::string>{"models--o--n", "models--o--n/snapshots/" + commit}) {
    const auto artifact = resolve({{"source", source}}).artifacts.at(0);
    EXPECT_THAT(paths(artifact), ElementsAre("models/tiny/m.gguf", "models/tiny/sub/config.json"));
    EXPECT_EQ(artifact.files[0].evidence.at(0).type, "stated");
  }
  write("secret", "x");
  fs::create_symlink("../../../secret", at("models--o--n/snapshots/" + commit + "/evil.json"));
  EXPECT_EQ(error_of([&] { resolve({{"source", "models--o--n"}}); }).code(), ErrorCode::not_regular);
  fs::remove(at("models--o--n/snapshots/" + commit + "/evil.json"));
  write("models--o--n/blobs/" + blob, "FAKE");
  m_store.remove(sha256("GGUF"));
  EXPECT_EQ(error_of([&] { resolve({{"source", "models--o--n"}}); }).code(), ErrorCode::digest_mismatch);

  write("plain/a.gguf", "GGUF");
  fs::create_symlink("a.gguf", at("plain/b.gguf"));
  EXPECT_EQ(error_of([&] { resolve({{"source", "plain"}}); }).code(), ErrorCode::not_regular);
}

TEST_F(ModelCollecting, StoresThatAreNoModelsPointToWhatIs) {
  write("ollama/manifests/registry/library/x/latest", "{}");
  write("ollama/blobs/sha256-" + std::string(64, 'a'), "GGUF");
  EXPECT_THAT(std::string(error_of([&] {
                            resolve({{"source", "ollama"}});
                          }).hint()),
              HasSubstr("source = \"ollama:NAME:TAG\""));
  write("hub/models--a--b/refs/main", std::string(40, 'a'));
  EXPECT_THAT(std::string(error_of([&] { resolve({{"source", "hub"}}); }).hint()), HasSubstr("models--a--b"));
  EXPECT_EQ(error_of([&] { resolve({{"source", "absent"}}); }).code(), ErrorCode::not_found);
}

TEST_F(ModelCollecting, WhatLiesInARegistryOfImagesSaysWhatToWrite) {
  for (const auto* source : {"docker://registry.example/org/kit:1", "oci://registry.example/org/kit:1", "oci:folder",
                             "docker-archive:x.tar"}) {
    const auto error = error_of([&] { resolve({{"source", source}}); });
    EXPECT_EQ(error.code(), ErrorCode::stack_invalid) << source;
    EXPECT_THAT(std::string(error.what()), HasSubstr("and no model")) << source;
    EXPECT_THAT(std::string(error.hint()), testing::AllOf(HasSubstr("[image.tiny]"), HasSubstr("skopeo copy "),
                                                          HasSubstr("ollama://HOST/NAMESPACE/MODEL:TAG")));
  }
}

TEST_F(ModelCollecting, AnAddressWithAPasswordIsNotSaidAgain) {
  for (const auto* source :
       {"docker://user:s3cret@registry.example/org/kit:1", "oci://s3cret@registry.example/org/kit:1",
        "ollama://user:s3cret@registry.example/org/model:1", "https://user:s3cret@models.example/a.gguf"}) {
    const auto error = error_of([&] { resolve({{"source", source}}); });
    EXPECT_EQ(error.code(), ErrorCode::stack_invalid) << source;
    EXPECT_THAT(std::string(error.what()),
                testing::AllOf(HasSubstr("user name or password"), testing::Not(HasSubstr("s3cret"))));
    EXPECT_THAT(std::string(error.hint()), testing::Not(HasSubstr("s3cret"))) << source;
  }
}

TEST_F(ModelCollecting, AModelfileIsReportedAndCrosses) {
  write("plain/tiny.gguf", "GGUF");
  write("plain/Modelfile", "FROM ./tiny.gguf\nSYSTEM x\nADAPTER ./gone\n");
  const auto collected = resolve({{"source", "plain"}});
  EXPECT_THAT(collected.notes, testing::Contains(HasSubstr("Modelfile: ADAPTER ./gone names no GGUF")));
  EXPECT_THAT(paths(collected.artifacts.at(0)), testing::Contains("models/tiny/Modelfile"));
}

/// A registry that answers from files, which a web server of Python's has on loopback.
class OllamaRegistryCollecting : public ModelCollecting {
 protected:
  void TearDown() override {
    if (m_server > 0) {
      ::kill(m_server, SIGTERM);
      ::waitpid(m_server, nullptr, 0);
    }
    ModelCollecting::TearDown();
  }
  /// "127.0.0.1:PORT"
  std::string serve() {
    int out[2];
    if (::pipe(out) != 0) fail_errno("pipe");
    m_server = ::fork();
    if (m_server == 0) {
      ::dup2(out[1], 1);
      const auto root = at("registry").string();
      ::execlp("python3", "python3", "-c",
               "import http.server, os, sys\n"
               "os.chdir(sys.argv[1])\n"
               "class H(http.server.SimpleHTTPRequestHandler):\n"
               "  def do_GET(self):\n"
               "    if 'private' in self.path: return self.send_error(401)\n"
               "    super().do_GET()\n"
               "  def log_message(self, *a): pass\n"
               "s = http.server.HTTPServer(('127.0.0.1', 0), H)\n"
               "print(s.server_port, flush=True)\n"
               "s.serve_forever()\n",
               root.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(out[1]);
    const UniqueFd output(out[0]);
    std::string line;
    for (char c = 0; ::read(output.get(), &c, 1) == 1 && c != '\n';) line += c;
    return "127.0.0.1:" + line;
  }
  Json layer(const std::string& type, const std::string& content) const {
    write("registry/v2/team/tiny/blobs/" + sha256(content).text(), content);
    return {{"mediaType", "application/vnd.ollama.image." + type},
            {"digest", sha256(content).text()},
            {"size", content.size()}};
  }
  std::string manifest(const std::string& tag, const std::vector<Json>& layers) const {
    const auto text = dump_json_line({{"schemaVersion", 2}, {"config", layer("x", "{}")}, {"layers", layers}});
    write("registry/v2/team/tiny/manifests/" + tag, text);
    return text;
  }
  pid_t m_server = -1;
};

TEST_F(OllamaRegistryCollecting, AModelIsTakenByItsManifest) {
  const auto text = manifest("1b", {layer("model", "GGUF"), layer("template", "{{ .Prompt }}"), layer("params", "{}")});
  const auto host = serve();
  const Json values = {{"source", "ollama://" + host + "/team/tiny:1b"}, {"insecure", true}};
  const auto collected = resolve(values);
  const auto& artifact = collected.artifacts.at(0);
  EXPECT_THAT(paths(artifact), ElementsAre("models/tiny/model.gguf", "models/tiny/ollama/config",
                                           "models/tiny/ollama/manifest", "models/tiny/ollama/template"))
      << "params are the config's bytes: once is enough";
  EXPECT_EQ(artifact.version, sha256(text).hex().substr(0, 12));
  EXPECT_EQ(artifact.facts["ollama"], host + "/team/tiny:1b");
  EXPECT_EQ(artifact.files[0].evidence.at(0).type, "registry-digest");
  EXPECT_EQ(artifact.files[2].evidence.at(0).type, "first-use");
  EXPECT_FALSE(m_store.contains(sha256("GGUF"))) << "what lock needs not is not downloaded";
  EXPECT_EQ(fetch(artifact, values).size(), 3u);
  EXPECT_TRUE(m_store.contains(sha256("GGUF")));
  const StackEntry entry{"model", "tiny", values, sha256("")};
  EXPECT_TRUE(ModelCollector().input_files(entry, m_folder.path()).empty());
  const Json stated = {
      {"source", values["source"]}, {"insecure", true}, {"sha256", {{"ollama/manifest", sha256(text).hex()}}}};
  EXPECT_EQ(resolve(stated).artifacts.at(0).files[2].evidence.at(0).type, "stated");
}

TEST_F(OllamaRegistryCollecting, ARegistryThatLiesOrRefusesIsNotBelieved) {
  manifest("tensor", {layer("tensor", "x")});
  auto other = layer("model", "GGUF");
  write("registry/v2/team/tiny/blobs/" + sha256("GGUF").text(), "GGUX");
  manifest("lie", {other});
  other["size"] = 5;
  manifest("size", {other});
  write("registry/v2/team/tiny/manifests/html", "<html>");
  write("registry/v2/team/tiny/manifests/large", std::string(ollama::k_max_manifest_bytes + 1, ' '));
  const auto host = serve();
  const auto values = [&](const std::string& name) {
    return Json{{"source", "ollama://" + host + "/" + name}, {"insecure", true}};
  };
  const auto code = [&](const std::string& name) { return error_of([&] { resolve(values(name)); }).code(); };
  EXPECT_EQ(code("team/tiny:tensor"), ErrorCode::model_unsupported);
  EXPECT_EQ(code("team/tiny:html"), ErrorCode::json_invalid);
  EXPECT_EQ(code("team/tiny:large"), ErrorCode::limit_exceeded);
  EXPECT_EQ(code("team/none"), ErrorCode::not_found);
  const auto login = error_of([&] { resolve(values("private/tiny")); });
  EXPECT_EQ(login.code(), ErrorCode::http_status);
  EXPECT_THAT(std::string(login.hint()), HasSubstr("source = \"ollama:" + host + "/private/tiny:latest\""));
  EXPECT_EQ(code("../tiny"), ErrorCode::stack_invalid);
  EXPECT_EQ(code("team/tiny:"), ErrorCode::stack_invalid);
  for (const auto* tag : {"lie", "size"}) {
    const auto lied = values(std::string("team/tiny:") + tag);
    const auto artifact = resolve(lied).artifacts.at(0);
    EXPECT_EQ(error_of([&] { fetch(artifact, lied); }).code(),
              std::string(tag) == "lie" ? ErrorCode::digest_mismatch : ErrorCode::size_mismatch);
  }
  const Json stated = {{"source", "ollama://" + host + "/team/tiny:lie"},
                       {"insecure", true},
                       {"sha256", {{"ollama/manifest", std::string(64, 'a')}}}};
  EXPECT_EQ(error_of([&] { resolve(stated); }).code(), ErrorCode::digest_mismatch);
}

TEST_F(OllamaRegistryCollecting, ALoginIsAskedForAndGoesToTheModelsOwnAddresses) {
  manifest("1b", {layer("model", "GGUF")});
  const auto behind = serve();
  const oci::harness::Child front({"python3", LIFTLOCK_SOURCE_DIR "/src/ecosystem/oci/testdata/registry_front.py",
                                   behind.substr(behind.find(':') + 1), "basic", "-", at("front.log").string()},
                                  at("front.err"));
  const auto host = "127.0.0.1:" + front.first_line();
  const auto log_in = [&](const std::string& login) {
    write("auth.json", dump_json_line({{"auths", {{host, {{"auth", encode_base64(as_bytes(login))}}}}}}));
  };
  const Json values = {{"source", "ollama://" + host + "/team/tiny:1b"}, {"insecure", true}, {"authfile", "auth.json"}};
  const auto none = error_of([&] { resolve(values); });
  EXPECT_EQ(none.code(), ErrorCode::http_status);
  EXPECT_THAT(std::string(none.what()), HasSubstr("asks for a login"));
  EXPECT_THAT(std::string(none.hint()), testing::AllOf(HasSubstr("skopeo login " + host), HasSubstr("authfile")));
  log_in("user:wrong");
  const auto wrong = error_of([&] { resolve(values); });
  EXPECT_EQ(wrong.code(), ErrorCode::http_status);
  EXPECT_THAT(std::string(wrong.what()), testing::Not(HasSubstr("wrong")));

  log_in("user:secret");
  auto artifact = resolve(values).artifacts.at(0);
  EXPECT_THAT(to_json(artifact).dump(), testing::Not(HasSubstr("secret")));
  m_store.remove(artifact.files.at(2).digest);
  EXPECT_EQ(fetch(artifact, values).size(), 3u) << "the manifest as well";
  EXPECT_TRUE(m_store.contains(sha256("GGUF")));
  const auto asked = [&] { return read_file(at("front.log"), 1u << 20); };
  EXPECT_THAT(asked(), HasSubstr("/blobs/" + sha256("GGUF").text() + " Basic"));
  EXPECT_THAT(asked(), testing::Not(HasSubstr("GET /v2/ "))) << "not every registry answers that";

  // A lock that somebody edited.
  m_store.remove(sha256("GGUF"));
  artifact.files.at(0).origin = "http://" + host + "/v2/team/other/blobs/" + sha256("GGUF").text();
  EXPECT_EQ(error_of([&] { fetch(artifact, values); }).code(), ErrorCode::http_status);
  EXPECT_THAT(asked(), HasSubstr("/v2/team/other/blobs/" + sha256("GGUF").text() + " -"));
  EXPECT_THAT(asked(), testing::Not(HasSubstr("/v2/team/other/blobs/" + sha256("GGUF").text() + " Basic")));
}

/// A home folder with a key of Ollama's.
class OllamaKeyCollecting : public OllamaRegistryCollecting {
 protected:
  void SetUp() override {
    OllamaRegistryCollecting::SetUp();
    const char* home = std::getenv("HOME");
    m_home = home == nullptr ? "" : home;
    if (!find_program("openssl")) GTEST_SKIP() << "no openssl to check signatures with";
    ::setenv("HOME", m_folder.path().c_str(), 1);
    write(".ollama/id_ed25519", sample::OpensshParts{}.text());
    manifest("1b", {layer("model", "GGUF")});
    m_behind = serve();
  }
  void TearDown() override {
    ::setenv("HOME", m_home.c_str(), 1);
    OllamaRegistryCollecting::TearDown();
  }
  /// A registry that hands out tokens to this one key.
  std::unique_ptr<oci::harness::Child> front(const std::string& mode, const std::string& word) {
    auto out = std::make_unique<oci::harness::Child>(
        std::vector<std::string>{"python3", LIFTLOCK_SOURCE_DIR "/src/ecosystem/oci/testdata/registry_front.py",
                                 m_behind.substr(m_behind.find(':') + 1), mode + "=" + word, "-",
                                 at("front.log").string()},
        at("front.err"));
    m_values = {{"source", "ollama://127.0.0.1:" + out->first_line() + "/team/tiny:1b"}, {"insecure", true}};
    return out;
  }
  std::string asked() const { return read_file(at("front.log"), 1u << 20); }

  const std::string m_word = OpensshKey::parse(sample::OpensshParts{}.text()).public_word();
  std::string m_home, m_behind;
  Json m_values;
};

TEST_F(OllamaKeyCollecting, TokensAreAskedForWithTheKeyOfTheUser) {
  const auto registry = front("ollama", m_word);
  const auto artifact = resolve(m_values).artifacts.at(0);
  EXPECT_EQ(fetch(artifact, m_values).size(), 2u) << "weights and config";
  EXPECT_TRUE(m_store.contains(sha256("GGUF")));
  EXPECT_THAT(asked(), HasSubstr("&scope=repository%3Ateam%2Ftiny%3Apull&service=front%2C+the&ts="));
  EXPECT_THAT(to_json(artifact).dump(), testing::Not(HasSubstr(m_word)));
}

TEST_F(OllamaKeyCollecting, AKeyThatIsNotKnownThereIsToldAndNoneIsMade) {
  const auto registry = front("ollama", "AAAA" + m_word.substr(4, 20) + "B" + m_word.substr(25));
  const auto unknown = error_of([&] { resolve(m_values); });
  EXPECT_EQ(unknown.code(), ErrorCode::http_status);
  EXPECT_THAT(std::string(unknown.hint()), HasSubstr("id_ed25519.pub has to be among the keys of your account"));
  fs::remove(at(".ollama/id_ed25519"));
  const auto none = error_of([&] { resolve(m_values); });
  EXPECT_EQ(none.code(), ErrorCode::http_status);
  EXPECT_THAT(std::string(none.hint()), HasSubstr("there is none at ~/.ollama/id_ed25519"));
  EXPECT_FALSE(fs::exists(at(".ollama/id_ed25519"))) << "that is Ollama's to make";
  write(".ollama/id_ed25519", sample::OpensshParts{.cipher = "aes256-ctr"}.text());
  const auto encrypted = error_of([&] { resolve(m_values); });
  EXPECT_EQ(encrypted.code(), ErrorCode::config_invalid);
  EXPECT_THAT(std::string(encrypted.what()), HasSubstr("passphrase"));
}

TEST_F(OllamaKeyCollecting, NoOtherHostIsToldWhoAsks) {
  const auto registry = front("elsewhere", m_word);
  EXPECT_EQ(error_of([&] { resolve(m_values); }).code(), ErrorCode::http_status);
  EXPECT_THAT(asked(), HasSubstr("GET /token?scope=repository%3Ateam/tiny%3Apull&service=front%2C%20the -"));
  EXPECT_THAT(asked(), testing::Not(HasSubstr(m_word)));
}

class OllamaCollecting : public ModelCollecting {
 protected:
  /// A blob of the store; returns its layer for a manifest.
  Json blob(const std::string& type, const std::string& content) {
    write("ollama/blobs/sha256-" + sha256(content).hex(), content);
    return {{"mediaType", "application/vnd.ollama.image." + type},
            {"digest", sha256(content).text()},
            {"size", content.size()}};
  }
  void write_manifest(const std::vector<Json>& layers) {
    const Json manifest = {{"schemaVersion", 2}, {"config", blob("x", "{}")}, {"layers", layers}};
    write("ollama/manifests/registry.ollama.ai/library/tiny/1b", dump_json_line(manifest));
  }
  Json m_values = {{"source", "ollama:tiny:1b"}, {"store", "ollama"}};
};

TEST_F(OllamaCollecting, OneModelIsTakenWholeFromAStore) {
  write_manifest(
      {blob("model", "GGUF"), blob("template", "{{ .Prompt }}"), blob("license", "a"), blob("license", "b")});
  const auto artifact = resolve(m_values).artifacts.at(0);
  EXPECT_THAT(paths(artifact), ElementsAre("models/tiny/model.gguf", "models/tiny/ollama/config",
                                           "models/tiny/ollama/license", "models/tiny/ollama/license-2",
                                           "models/tiny/ollama/manifest", "models/tiny/ollama/template"));
  EXPECT_EQ(artifact.facts["ollama"], "tiny:1b");
  EXPECT_EQ(artifact.version, artifact.files[4].digest.hex().substr(0, 12));
  EXPECT_EQ(artifact.files[0].origin, "ollama/blobs/sha256-" + sha256("GGUF").hex());
  const StackEntry entry{"model", "tiny", m_values, sha256("")};
  EXPECT_THAT(ModelCollector().input_files(entry, m_folder.path()),
              ElementsAre("ollama/manifests/registry.ollama.ai/library/tiny/1b"));
}

TEST_F(OllamaCollecting, ABrokenModelIsNot) {
  write_manifest({blob("model", "GGUF"), blob("tensor", "x")});
  EXPECT_EQ(error_of([&] { resolve(m_values); }).code(), ErrorCode::model_unsupported);
  write_manifest({blob("model", "GGUF")});
  write("ollama/blobs/sha256-" + sha256("GGUF").hex(), "GGUX");
  EXPECT_EQ(error_of([&] { resolve(m_values); }).code(), ErrorCode::digest_mismatch);
  fs::remove(at("ollama/blobs/sha256-" + sha256("GGUF").hex()));
  EXPECT_EQ(error_of([&] { resolve(m_values); }).code(), ErrorCode::model_incomplete);
  write("ollama/manifests/registry.ollama.ai/library/tiny/1b", "{}");
  EXPECT_EQ(error_of([&] { resolve(m_values); }).code(), ErrorCode::schema_violation);
  m_values["source"] = "ollama:none";
  const auto error = error_of([&] { resolve(m_values); });
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_THAT(std::string(error.hint()), HasSubstr("tiny:1b"));
  m_values["source"] = "ollama:../x";
  EXPECT_EQ(error_of([&] { resolve(m_values); }).code(), ErrorCode::stack_invalid);
  m_values["store"] = "nowhere";
  m_values["source"] = "ollama:tiny";
  EXPECT_EQ(error_of([&] { resolve(m_values); }).code(), ErrorCode::not_found);
}

TEST(HubLinks, FollowRfc8288) {
  EXPECT_EQ(next_link("<https://h/a?x=1>; rel=\"next\""), "https://h/a?x=1");
  EXPECT_EQ(next_link("<https://h/p>; rel=\"prev\", <https://h/n>; title=\"a\"; rel=next"), "https://h/n");
  EXPECT_FALSE(next_link("<https://h/p>; rel=\"prev\""));
  EXPECT_FALSE(next_link("<broken"));
}

}  // namespace
}  // namespace liftlock
