// The pipeline and every recogniser, with cells in this process and an inspector that finds nothing: what content is
// worth, the real inspectors say in tests/interop/import_test.sh.
#include "intake/import.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "artifact/artifact_text.hpp"
#include "base/code_of.hpp"
#include "base/error.hpp"
#include "bundle/standing.hpp"
#include "crypto/hash.hpp"
#include "crypto/sha256sums.hpp"
#include "intake/import_fixture.hpp"
#include "intake/listing.hpp"
#include "intake/shape.hpp"
#include "intake/split_file.hpp"
#include "os/process.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "trust/trust_fixture.hpp"

namespace liftlock {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

TEST_F(Imports, ABaimodelBecomesAModelLikeAnIngestedOne) {
  baimodel("tiny.baimodel");
  const auto result = imported("tiny.baimodel");
  EXPECT_EQ(result.status, ImportResult::Status::imported);
  EXPECT_EQ(result.shape, "baimodel");
  const auto model = artifact("model:tiny@1");
  ASSERT_EQ(model.files.size(), 1u);
  EXPECT_EQ(model.files[0].path.text(), "models/tiny/tiny.gguf");
  EXPECT_EQ(read_all(BlobStore(site().store_folder()).open(model.files[0].digest).get(), 100, "blob"), "weights");
  EXPECT_EQ(imported_by(model), Belief::nobody);
  EXPECT_THAT(import_label(model), HasSubstr("UNSIGNED IMPORT"));
  EXPECT_THAT(entries(), ElementsAre("import intent", "import success"));
  EXPECT_THAT(read_file(site().transfers_log(), 1000), HasSubstr(" IMPORT ian(1000) import_1 sha256="));
}

TEST_F(Imports, ItsRecordSaysWhoVouchedAndWhatCameIn) {
  baimodel("tiny.baimodel");
  (void)imported("tiny.baimodel");
  const auto publication = catalog().publication("import", 1);
  ASSERT_TRUE(publication);
  EXPECT_EQ(sha256(publication->bundle_json), publication->bundle_digest);
  const auto record = parse_import_record(publication->bundle_json);
  EXPECT_EQ(record.belief, Belief::nobody);
  EXPECT_EQ(record.reason, "a test");
  EXPECT_THAT(record.artifacts, ElementsAre("model:tiny@1"));
  EXPECT_EQ(record.content, import_content(publication->artifacts));
  EXPECT_THAT(record.digests, ElementsAre(sha256(artifact_line(publication->artifacts.at(0)))));
  std::vector<std::string> kept;
  for (const auto& file : publication->other_files) kept.push_back(file.path.text());
  EXPECT_THAT(kept, ElementsAre("import/manifest.json", "manifest/bundle.json"));
}

TEST_F(Imports, WhatNobodyVouchesForNeedsThePolicyAndAReason) {
  baimodel("tiny.baimodel");
  auto asked = request("tiny.baimodel");
  asked.allow_unsigned = false;
  EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::unsigned_document);
  asked.allow_unsigned = true;
  asked.reason.clear();
  EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::reason_required);
  EXPECT_THAT(catalog().publications(), IsEmpty());
  EXPECT_THAT(entries(), ElementsAre("import failure", "import failure"));
  EXPECT_THAT(read_file(site().transfers_log(), 1000), HasSubstr("IMPORT_REFUSED"));
}

TEST_F(Imports, AnAnnouncedDigestVouchesWithoutTheUnsignedPolicy) {
  baimodel("tiny.baimodel");
  auto asked = request("tiny.baimodel");
  asked.allow_unsigned = false;
  asked.expect = sha256(read_file(drop() / "tiny.baimodel", 1u << 20));
  EXPECT_EQ(import_from(site(), asked, silent_reporter()).belief, Belief::digest);
  EXPECT_EQ(imported_by(artifact("tiny")), Belief::digest);
  EXPECT_EQ(import_label(artifact("tiny")), "");
}

/// Bytes that this process wrote so far.
std::uint64_t written() {
  const auto text = read_file("/proc/self/io", 4096);
  const auto at = text.find("wchar: ");
  return std::stoull(text.substr(at + 7));
}

TEST_F(Imports, AnAnnouncedBaimodelIsWrittenOnce) {
  python(
      "import zipfile, json, hashlib, os\n"
      "w, s = os.urandom(9 << 20), b'small'\n"
      "m = {'format_version': 1, 'name': 'tiny', 'version': '1', 'format': 'gguf', 'publisher': 'org',\n"
      "     'checksums': {'model/tiny.gguf': hashlib.sha256(w).hexdigest(),\n"
      "                   'model/config.json': hashlib.sha256(s).hexdigest()}}\n"
      "z = zipfile.ZipFile('large.baimodel', 'w')\n"
      "z.writestr('manifest.json', json.dumps(m))\nz.writestr('model/config.json', s)\n"
      "z.writestr('model/tiny.gguf', w)\nz.close()\nopen('weights', 'wb').write(w)");
  const auto file = read_file(drop() / "large.baimodel", 20u << 20);
  auto asked = request("large.baimodel");
  asked.allow_unsigned = false;
  asked.expect = sha256("something else");
  EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::digest_mismatch);
  EXPECT_TRUE(waiting_batches(BlobStore(site().store_folder())).empty()) << "what was staged for it is gone";
  asked.expect = sha256(file);
  const auto before = written();
  const auto result = import_from(site(), asked, silent_reporter());
  // The file's ends of 1 MiB stay in the copy, for who wants to recognise it.
  EXPECT_LT(written() - before, file.size() + (3u << 20));
  EXPECT_EQ(result.belief, Belief::digest);
  const auto model = artifact("model:tiny@1");
  ASSERT_EQ(model.files.size(), 2u);
  const auto stored = BlobStore(site().store_folder()).open(model.files[1].digest);
  EXPECT_EQ(read_all(stored.get(), 20u << 20, "blob"), read_file(drop() / "weights", 20u << 20));
}

TEST_F(Imports, AnotherDigestThanTheAnnouncedOneEndsIt) {
  baimodel("tiny.baimodel");
  auto asked = request("tiny.baimodel");
  asked.expect = sha256("another");
  EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::digest_mismatch);
}

TEST_F(Imports, ThePlanTakesNothing) {
  baimodel("tiny.baimodel");
  const auto result = planned("tiny.baimodel");
  EXPECT_EQ(result.status, ImportResult::Status::planned);
  EXPECT_EQ(result.preview["publisher"], "org");
  EXPECT_EQ(result.bytes, 7u);
  EXPECT_THAT(catalog().publications(), IsEmpty());
  EXPECT_THAT(entries(), IsEmpty());
}

TEST_F(Imports, LyingPackagesAreRefusedAndLeaveNothing) {
  const std::pair<const char*, ErrorCode> lies[] = {
      {"m['checksums']['model/tiny.gguf'] = '0' * 64", ErrorCode::digest_mismatch},
      {"m['checksums']['model/other.gguf'] = '0' * 64", ErrorCode::missing_file},
      {"z.writestr('model/more.gguf', b'x')", ErrorCode::extra_file},
      {"z.writestr('run.sh', b'x')", ErrorCode::extra_file},
      {"z.writestr('model/TINY.gguf', b'x')", ErrorCode::path_collision},
      {"z.writestr('model/../../x', b'x')", ErrorCode::path_unsafe},
      {"del m['name']", ErrorCode::schema_violation},
      {"m['format_version'] = 9", ErrorCode::too_new},
      {"z.writestr('metadata.json', b'{')", ErrorCode::json_invalid},
      {"z.compression = zipfile.ZIP_DEFLATED", ErrorCode::package_malformed},
  };
  for (const auto& [lie, code] : lies) {
    baimodel("evil.baimodel", lie);
    EXPECT_EQ(refused("evil.baimodel"), code) << lie;
  }
  write("text.baimodel", "no zip at all");
  EXPECT_EQ(refused("text.baimodel"), ErrorCode::package_malformed);
  EXPECT_THAT(catalog().publications(), IsEmpty());
  std::size_t blobs = 0;
  BlobStore(site().store_folder()).for_each([&](const Digest&, std::uint64_t) { ++blobs; });
  EXPECT_EQ(blobs, 0u);
  EXPECT_THAT(waiting_batches(BlobStore(site().store_folder())), IsEmpty());
}

TEST_F(Imports, TheSameAgainIsNoErrorAndChangesNothing) {
  baimodel("tiny.baimodel");
  (void)imported("tiny.baimodel");
  EXPECT_EQ(imported("tiny.baimodel").status, ImportResult::Status::already_present);
  EXPECT_EQ(catalog().publications().size(), 1u);
}

TEST_F(Imports, OtherContentTakesThePlaceOnlyOnDemandAndOnlyWhenItIsGood) {
  baimodel("tiny.baimodel");
  (void)imported("tiny.baimodel");
  baimodel("new.baimodel", "pass", "better weights");
  EXPECT_EQ(refused("new.baimodel"), ErrorCode::immutable);
  auto asked = request("new.baimodel");
  asked.replace = true;
  asked.inspect.artifact = [](const Artifact&, const OpenChecked&, const FileInspections&) {
    return Inspection{.findings = {{ErrorCode::model_malformed, "x", "broken"}}};
  };
  EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::model_malformed);
  EXPECT_EQ(artifact("tiny").files[0].digest, sha256("weights")) << "the old one stays until the new one is good";
  asked.inspect = request("new.baimodel").inspect;
  EXPECT_THAT(import_from(site(), asked, silent_reporter()).replaced, ElementsAre("model:tiny@1"));
  EXPECT_EQ(artifact("tiny").files[0].digest, sha256("better weights"));
  EXPECT_EQ(catalog().artifacts().size(), 1u);
}

TEST_F(Imports, AnUnsignedOneDoesNotTakeThePlaceOfOneThatIsBelieved) {
  baimodel("tiny.baimodel");
  auto asked = request("tiny.baimodel");
  asked.expect = sha256(read_file(drop() / "tiny.baimodel", 1u << 20));
  (void)import_from(site(), asked, silent_reporter());
  baimodel("new.baimodel", "pass", "other weights");
  auto other = request("new.baimodel");
  other.replace = true;
  EXPECT_EQ(code_of([&] { (void)import_from(site(), other, silent_reporter()); }), ErrorCode::immutable);
}

TEST_F(Imports, ALabelGoesWhenSomebodyVouchesForTheSameBytes) {
  baimodel("tiny.baimodel");
  (void)imported("tiny.baimodel");
  auto asked = request("tiny.baimodel");
  asked.expect = sha256(read_file(drop() / "tiny.baimodel", 1u << 20));
  EXPECT_EQ(import_from(site(), asked, silent_reporter()).status, ImportResult::Status::imported);
  EXPECT_EQ(import_label(artifact("tiny")), "");
}

TEST_F(Imports, AModelFolderIsCheckedAgainstItsList) {
  write("m/a.gguf", "weights");
  write("m/README.md", "hello");
  write("m/odd \\ name.txt", "x");
  EXPECT_EQ(refused("m"), ErrorCode::path_unsafe) << "a name that media do not keep";
  fs::remove(drop() / "m/odd \\ name.txt");
  write("m/with space.txt", "x");
  python(
      "import subprocess\n"
      "open('m/MODEL_MANIFEST.sha256', 'wb').write(subprocess.run("
      "\"cd m && find . -type f ! -name MODEL_MANIFEST.sha256 -exec sha256sum {} +\", shell=True, "
      "capture_output=True).stdout)");
  const auto result = imported("m");
  EXPECT_EQ(result.shape, "model");
  EXPECT_EQ(artifact("m").files.size(), 3u);
  EXPECT_EQ(artifact("m").files[0].evidence[0].type, "stated");
  write("m/late.txt", "x");
  EXPECT_EQ(refused("m"), ErrorCode::extra_file) << "sha256sum -c would not have told";
  fs::remove(drop() / "m/late.txt");
  write("m/a.gguf", "WEIGHTS");
  EXPECT_EQ(refused("m"), ErrorCode::digest_mismatch);
  fs::remove(drop() / "m/a.gguf");
  EXPECT_EQ(refused("m"), ErrorCode::missing_file);
}

TEST_F(Imports, AListBelievedByItsAnnouncedDigestBindsItsFiles) {
  write("m/a.gguf", "weights");
  const auto list = sha256sums_line(sha256("weights"), "a.gguf");
  write("m/SHA256SUMS", list);
  auto asked = request("m");
  asked.allow_unsigned = false;
  asked.expect = sha256(list);
  EXPECT_EQ(import_from(site(), asked, silent_reporter()).belief, Belief::digest);
}

TEST_F(Imports, ASingleModelFileIsOneModel) {
  write("tiny-Q4.gguf", "weights");
  EXPECT_THAT(imported("tiny-Q4.gguf").artifacts, ElementsAre(HasSubstr("model:tiny-Q4@")));
  auto asked = request("tiny-Q4.gguf");
  asked.expect = sha256("other");
  EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::digest_mismatch);
  asked.expect = sha256("weights");
  EXPECT_EQ(import_from(site(), asked, silent_reporter()).belief, Belief::digest) << "and the label is gone";
  EXPECT_EQ(import_label(artifact("tiny-Q4")), "");
}

TEST_F(Imports, FoldersOfSeveralModelsAreSeveral) {
  write("models/embedding/model.safetensors", "e");
  write("models/llm/model.safetensors", "l");
  EXPECT_EQ(imported("models").artifacts.size(), 2u);
}

TEST_F(Imports, SymlinksCountInsideAndEndItOutside) {
  write("m/blobs/real", "weights");
  fs::create_symlink("blobs/real", drop() / "m/a.gguf");
  EXPECT_EQ(imported("m").status, ImportResult::Status::imported);
  write("n/b.gguf", "weights");
  fs::create_symlink("/etc/hostname", drop() / "n/c.gguf");
  EXPECT_EQ(refused("n"), ErrorCode::not_regular);
}

TEST_F(Imports, AModelKitWithSeveralTagsIsOne) {
  modelkits("kits", "[('v1', kit('1.0', 'weights')), ('latest', kit('1.0', 'weights'))]");
  const auto result = imported("kits");
  EXPECT_EQ(result.shape, "modelkit");
  EXPECT_THAT(result.artifacts, ElementsAre("model:tiny@1.0"));
  const auto model = artifact("model:tiny@1.0");
  EXPECT_EQ(model.facts["reference"], "latest");
  EXPECT_EQ(model.facts["references"], (Json{"latest", "v1"}));
}

TEST_F(Imports, VersionsOfAModelKitComeInOneAfterTheOther) {
  modelkits("kits", "[('v1', kit('1.0', 'weights')), ('v2', kit('2.0', 'others'))]");
  try {
    (void)imported("kits");
    FAIL() << "two models were written to one place";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::path_collision);
    EXPECT_EQ(std::string(error.what()), "the layout holds two ModelKits with the model 'tiny': v1 and v2");
    EXPECT_THAT(std::string(error.hint()), HasSubstr("skopeo copy oci:"));
  }
}

TEST_F(Imports, AHuggingFaceCacheIsReadByItsReferences) {
  const std::string commit(40, 'c');
  write("models--org--tiny/blobs/" + hex("weights"), "weights");
  write("models--org--tiny/blobs/" + std::string(40, 'a'), "{}");
  write("models--org--tiny/refs/main", commit);
  make_folders(drop() / "models--org--tiny/snapshots" / commit);
  const auto link = [&](const std::string& name, const std::string& blob) {
    fs::create_symlink("../../blobs/" + blob, drop() / "models--org--tiny/snapshots" / commit / name);
  };
  link("model.safetensors", hex("weights"));
  link("config.json", std::string(40, 'a'));
  EXPECT_EQ(imported("models--org--tiny").shape, "hf-cache");
  const auto model = artifact("tiny");
  EXPECT_EQ(model.id(), "model:tiny@cccccccccccc");
  EXPECT_EQ(model.facts["repository"], "org/tiny");
  EXPECT_EQ(model.files.size(), 2u);
  fs::remove(drop() / "models--org--tiny/blobs" / hex("weights"));
  write("models--org--tiny/blobs/" + hex("weights"), "tampered");
  EXPECT_EQ(refused("models--org--tiny"), ErrorCode::digest_mismatch);
}

TEST_F(Imports, AMixedHuggingFaceCacheGivesModelsAndDataSets) {
  const std::string commit(40, 'c'), older(40, 'd');
  const auto repository = [&](const std::string& at, const std::vector<std::pair<std::string, std::string>>& files) {
    write(at + "/refs/main", commit);
    for (const auto& [path, content] : files) {
      write(at + "/blobs/" + hex(content), content);
      const auto link = drop() / at / "snapshots" / commit / path;
      make_folders(link.parent_path());
      fs::create_symlink(fs::path(path.find('/') == std::string::npos ? "../.." : "../../..") / "blobs" / hex(content),
                         link);
    }
  };
  repository("cache/hub/models--org--tiny", {{"tiny.gguf", "weights"}});
  repository("cache/hub/datasets--org--words",
             {{"README.md", "# Words"}, {"data/train.csv", "word\n"}, {"words.py", "print(1)"}});
  write("cache/hub/datasets--org--words/snapshots/" + older + "/README.md", "# Old");
  repository("cache/hub/datasets--org--code", {{"load.py", "print(2)"}});
  write("cache/hub/datasets--org--empty/refs/main", commit);
  write("cache/hub/spaces--org--app/app.py", "print(3)");
  write("cache/token", "secret");
  const auto result = imported("cache");
  EXPECT_EQ(result.words, "a Hugging Face cache of 1 model and 2 data sets");
  EXPECT_THAT(result.artifacts, ElementsAre("dataset:words@cccccccccccc", "model:tiny@cccccccccccc"));
  const auto words = artifact("dataset:words@cccccccccccc");
  ASSERT_EQ(words.files.size(), 2u);
  EXPECT_EQ(words.files[0].path.text(), "datasets/words/README.md");
  EXPECT_EQ(words.files[1].path.text(), "datasets/words/data/train.csv");
  EXPECT_EQ(words.facts["repository"], "org/words");
  EXPECT_EQ(words.facts["commit"], commit);
  for (const auto* left :
       {"words.py is left out", "load.py is left out", "nothing of org/code", "datasets--org--empty",
        "1 other snapshot of datasets--org--words", "spaces--org--app is left out: a Space", "token is left out"}) {
    EXPECT_THAT(result.notes, Contains(HasSubstr(left)));
  }
  EXPECT_EQ(imported("cache/hub/datasets--org--words").status, ImportResult::Status::already_present);
  fs::remove(drop() / "cache/hub/datasets--org--words/blobs" / hex("word\n"));
  write("cache/hub/datasets--org--words/blobs/" + hex("word\n"), "tampered");
  EXPECT_EQ(refused("cache"), ErrorCode::digest_mismatch);
}

/// The config's blob is {}.
std::string ollama_manifest(const std::string& hex_of_model, std::size_t size) {
  return dump_json({{"schemaVersion", 2},
                    {"mediaType", "application/vnd.docker.distribution.manifest.v2+json"},
                    {"config",
                     {{"mediaType", "application/vnd.docker.container.image.v1+json"},
                      {"digest", "sha256:" + sha256("{}").hex()},
                      {"size", 2}}},
                    {"layers",
                     {{{"mediaType", "application/vnd.ollama.image.model"},
                       {"digest", "sha256:" + hex_of_model},
                       {"size", size}}}}});
}

TEST_F(Imports, AnOllamaStoreIsRehashedBlobByBlob) {
  const std::string at = "models/manifests/hub.example/library/tiny/";
  write(at + "8b", ollama_manifest(hex("weights"), 7));
  write(at + "8b.sig", "a signature that reads as a tag");
  write("models/blobs/sha256-" + hex("weights"), "weights");
  write("models/blobs/sha256-" + hex("{}"), "{}");
  const auto result = imported("models");
  EXPECT_EQ(result.shape, "ollama");
  const auto id = sha256(ollama_manifest(hex("weights"), 7)).hex().substr(0, 12);
  EXPECT_THAT(result.artifacts, ElementsAre("model:tiny@" + id)) << "the ID that `ollama list` shows";
  EXPECT_THAT(result.notes, Contains(HasSubstr("8b.sig")));
  EXPECT_EQ(artifact("tiny").files[0].path.text(), "models/tiny/model.gguf");
  EXPECT_EQ(artifact("tiny").facts.at("ollama"), "hub.example/library/tiny:8b");
  write("models/blobs/sha256-" + hex("weights"), "WEIGHTS");
  EXPECT_EQ(refused("models"), ErrorCode::digest_mismatch);
  write(at + "8b", ollama_manifest(hex("absent"), 7));
  EXPECT_EQ(refused("models"), ErrorCode::model_incomplete);
}

TEST_F(Imports, TwoFilesThatAreOneWheelAreRefusedByBothNames) {
  run({"python3", LIFTLOCK_SOURCE_DIR "/tests/tools/make_wheel.py", "w", "foo_bar", "1.0"});
  const auto wheel = read_file(drop() / "w/foo_bar-1.0-py3-none-any.whl", 1u << 20);
  write("w/sub/Foo.Bar-1.0-py3-none-any.whl", wheel);
  const auto merged = imported("w");
  EXPECT_THAT(merged.artifacts, ElementsAre("wheel:foo-bar@1.0"));
  EXPECT_EQ(artifact("wheel:foo-bar@1.0").files.size(), 1u);
  EXPECT_THAT(merged.notes, Contains(AllOf(HasSubstr("Foo.Bar-1.0-py3-none-any.whl"),
                                           HasSubstr("foo_bar-1.0-py3-none-any.whl"), HasSubstr("left out"))));
  const auto expect_refused = [&](const std::string& name) {
    try {
      (void)imported("w");
      ADD_FAILURE() << name << " came in";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::path_collision);
      EXPECT_THAT(std::string(error.what()), AllOf(HasSubstr(name), HasSubstr("foo_bar-1.0-py3-none-any.whl")));
    }
    fs::remove(drop() / "w" / name);
  };
  auto other = wheel;
  other.back() = 'X';  // as long as the first
  write("w/sub/Foo.Bar-1.0-py3-none-any.whl", other);
  expect_refused("sub/Foo.Bar-1.0-py3-none-any.whl");
  write("w/FOO_BAR-1.0.0-py3-none-any.whl", wheel + "longer");
  EXPECT_EQ(code_of([&] { (void)planned("w"); }), ErrorCode::path_collision) << "a plan says it, too";
  expect_refused("FOO_BAR-1.0.0-py3-none-any.whl");
  write("s/foo-bar-1.0.tar.gz", "one");
  write("s/Foo_Bar-1.0.tar.gz", "other");
  EXPECT_EQ(refused("s"), ErrorCode::path_collision);
}

TEST_F(Imports, WheelhousesComeInBothShapes) {
  run({"python3", LIFTLOCK_SOURCE_DIR "/tests/tools/make_wheel.py", "wheelhouse", "alpha", "1.0"});
  run({"python3", LIFTLOCK_SOURCE_DIR "/tests/tools/make_wheel.py", "wheelhouse", "beta", "2.0", "alpha>=1"});
  run({"tar", "-czf", "flat.tar.gz", "-C", "wheelhouse", "."});
  run({"tar", "-czf", "nested.tar.gz", "wheelhouse"});
  for (const auto* name : {"wheelhouse", "flat.tar.gz", "nested.tar.gz"}) {
    const auto plan = planned(name);
    EXPECT_EQ(plan.shape, "wheelhouse") << name;
    EXPECT_EQ(plan.files, 2u) << name;
  }
  EXPECT_THAT(imported("nested.tar.gz").artifacts, ElementsAre("wheel:alpha@1.0", "wheel:beta@2.0"));
  EXPECT_EQ(artifact("beta").files[0].path.text(), "packages/pypi/beta-2.0-py3-none-any.whl");
  EXPECT_EQ(imported("wheelhouse").status, ImportResult::Status::already_present);
}

TEST_F(Imports, RpmsSayThemselvesWhatTheyAre) {
  make_folders(drop() / "rpms");
  fs::copy_file(LIFTLOCK_SOURCE_DIR "/fuzz/rpm_fuzz/good", drop() / "rpms/lift.rpm");
  const auto result = imported("rpms");
  EXPECT_THAT(result.artifacts, ElementsAre("rpm:lift@2.0-1"));
  EXPECT_THAT(result.notes, Contains(HasSubstr("signatures in these packages are not checked here")));
  EXPECT_EQ(artifact("lift").license, "MIT");
  EXPECT_EQ(artifact("lift").facts.at("source_rpm"), "lift-2.0-1.src.rpm");
  EXPECT_EQ(artifact("lift").files[0].path.text(), "packages/rpm/lift.rpm");
  write("rpms/broken.rpm", "no package");
  EXPECT_EQ(refused("rpms"), ErrorCode::package_malformed);
}

TEST_F(Imports, DebsSayThemselvesWhatTheyAre) {
  write("d/p/DEBIAN/control",
        "Package: tool\nVersion: 1.2-1\nArchitecture: all\nMaintainer: x <x@example.org>\n"
        "Depends: libc6 (>= 2.34) | libc6.1, other:any\nDescription: a tool\n");
  run({"dpkg-deb", "--root-owner-group", "-b", "d/p", "tool_1.2-1_all.deb"});
  make_folders(drop() / "debs");
  fs::rename(drop() / "tool_1.2-1_all.deb", drop() / "debs/tool_1.2-1_all.deb");
  const auto result = imported("debs");
  EXPECT_THAT(result.artifacts, ElementsAre("deb:tool@1.2-1"));
  EXPECT_THAT(result.notes, Contains(HasSubstr("2 others that are not among them, and must be on the machine already: "
                                               "libc6 | libc6.1, other")));
  EXPECT_THAT(artifact("tool").facts["stanza"].get<std::string>(), HasSubstr("Package: tool\n"));
  write("debs/broken_1_all.deb", "no package");
  EXPECT_EQ(refused("debs"), ErrorCode::package_malformed);
}

TEST_F(Imports, ImagesOfDockerSaveKeepTheirTagsAndGetOneManifest) {
  python(
      "import tarfile, io, json, hashlib\n"
      "def tar(files):\n"
      "  b = io.BytesIO(); t = tarfile.open(fileobj=b, mode='w')\n"
      "  for n, c in files:\n"
      "    i = tarfile.TarInfo(n); i.size = len(c); t.addfile(i, io.BytesIO(c))\n"
      "  t.close(); return b.getvalue()\n"
      "layer = tar([('etc/motd', b'hello')]); d = hashlib.sha256(layer).hexdigest()\n"
      "config = json.dumps({'os': 'linux', 'architecture': 'amd64', 'rootfs': {'type': 'layers', 'diff_ids': "
      "['sha256:' + d]}}).encode()\n"
      "c = hashlib.sha256(config).hexdigest()\n"
      "m = json.dumps([{'Config': c + '.json', 'RepoTags': ['site/app:1.0', 'site/app:stable'], 'Layers': [d + "
      "'/layer.tar']}]).encode()\n"
      "open('app.tar', 'wb').write(tar([(d + '/layer.tar', layer), (c + '.json', config), ('manifest.json', m)]))\n"
      "m = m.replace(d.encode(), b'0' * 64)\n"
      "open('evil.tar', 'wb').write(tar([(d + '/layer.tar', layer), (c + '.json', config), ('manifest.json', m)]))");
  const auto result = imported("app.tar");
  EXPECT_EQ(result.shape, "docker-archive");
  EXPECT_THAT(result.artifacts, ElementsAre("image:site/app@1.0", "image:site/app@stable"));
  EXPECT_EQ(artifact("image:site/app@1.0").files.size(), 3u);
  EXPECT_EQ(refused("evil.tar"), ErrorCode::image_malformed);
}

/// An OCI layout of one image, with these annotations of its entry in index.json.
std::string layout_script(const std::string& folder, const std::string& annotations) {
  return "import os, io, json, hashlib, tarfile\n"
         "f = '" +
         folder +
         "'; os.makedirs(f + '/blobs/sha256', exist_ok=True)\n"
         "def blob(b, t):\n"
         "  h = hashlib.sha256(b).hexdigest(); open(f + '/blobs/sha256/' + h, 'wb').write(b)\n"
         "  return {'mediaType': t, 'digest': 'sha256:' + h, 'size': len(b)}\n"
         "b = io.BytesIO(); t = tarfile.open(fileobj=b, mode='w'); i = tarfile.TarInfo('a'); i.size = 1\n"
         "t.addfile(i, io.BytesIO(b'x')); t.close()\n"
         "v = 'application/vnd.oci.image.'\n"
         "layer = blob(b.getvalue(), v + 'layer.v1.tar')\n"
         "config = blob(json.dumps({'os': 'linux', 'architecture': 'amd64', 'rootfs': {'type': 'layers', 'diff_ids': "
         "[layer['digest']]}}).encode(), v + 'config.v1+json')\n"
         "m = blob(json.dumps({'schemaVersion': 2, 'mediaType': v + 'manifest.v1+json', 'config': config, 'layers': "
         "[layer]}).encode(), v + 'manifest.v1+json')\n"
         "m['annotations'] = " +
         annotations +
         "\n"
         "open(f + '/index.json', 'w').write(json.dumps({'schemaVersion': 2, 'manifests': [m]}))\n"
         "open(f + '/oci-layout', 'w').write('{\"imageLayoutVersion\": \"1.0.0\"}')\n";
}

TEST_F(Imports, AnOciLayoutIsTakenAsFolderAndAsArchive) {
  python(layout_script("layout", "{'org.opencontainers.image.ref.name': 'site/app:2.0'}"));
  run({"tar", "-cf", "layout.tar", "-C", "layout", "."});
  EXPECT_EQ(planned("layout.tar").shape, "oci-layout");
  EXPECT_THAT(imported("layout").artifacts, ElementsAre("image:site/app@2.0"));
  python(
      "import os\nb = 'layout/blobs/sha256/'\nf = max(os.listdir(b), key=lambda n: os.path.getsize(b + n))\n"
      "open(b + f, 'r+b').write(b'X')");
  EXPECT_EQ(refused("layout"), ErrorCode::digest_mismatch);
}

TEST_F(Imports, AHaulsImagesAreTakenByTheirWholeNames) {
  python(layout_script("haul",
                       "{'kind': 'dev.hauler/image', 'org.opencontainers.image.ref.name': 'site/app:3.0', "
                       "'io.containerd.image.name': 'registry.example/site/app:3.0'}"));
  run({"tar", "-C", "haul", "--zstd", "-cf", "haul.tar.zst", "."});
  const auto result = imported("haul.tar.zst");
  EXPECT_EQ(result.shape, "hauler");
  EXPECT_THAT(result.artifacts, ElementsAre("image:site/app@3.0"));
}

/// Python: chart(name, version) is the bytes of a Helm chart.
std::string chart_script() {
  return "import gzip\n"
         "def chart(name, version):\n"
         "  b = io.BytesIO(); t = tarfile.open(fileobj=b, mode='w'); d = f'apiVersion: v2\\nname: {name}\\nversion: "
         "{version}\\n'\n"
         "  i = tarfile.TarInfo(name + '/Chart.yaml'); i.size = len(d); t.addfile(i, io.BytesIO(d.encode())); "
         "t.close()\n"
         "  return gzip.compress(b.getvalue(), mtime=0)\n";
}

/// A haul as `hauler store add image|chart|file` and `hauler store save` make one: everything has the kind "image", and
/// a signature has the name of its image.
std::string haul_script() {
  return layout_script("haul",
                       "{'kind': 'dev.hauler/image', 'org.opencontainers.image.ref.name': 'site/app:3.0', "
                       "'io.containerd.image.name': 'registry.example/site/app:3.0'}") +
         chart_script() +
         "def artifact(ref, config, layer, kind='dev.hauler/image', **more):\n"
         "  a = blob(json.dumps({'schemaVersion': 2, 'mediaType': v + 'manifest.v1+json', 'config': config, 'layers': "
         "[layer], "
         "**more}).encode(), v + 'manifest.v1+json')\n"
         "  a['annotations'] = {'kind': kind, 'org.opencontainers.image.ref.name': ref}\n"
         "  return a\n"
         "def titled(layer, title): return dict(layer, annotations={'org.opencontainers.image.title': title})\n"
         "c = blob(json.dumps({'name': 'demo', 'version': '1.2.3'}).encode(), "
         "'application/vnd.cncf.helm.config.v1+json')\n"
         "l = titled(blob(chart('demo', '1.2.3'), 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'), "
         "'demo-1.2.3.tgz')\n"
         "entries = [m, artifact('hauler/demo:1.2.3', c, l)]\n"
         "c = blob(b'{}', 'application/vnd.content.hauler.file.local.config.v1+json')\n"
         "l = titled(blob(b'a tool', 'application/vnd.content.hauler.file.layer.v1'), 'Tool.bin')\n"
         "entries.append(artifact('hauler/tool.bin:latest', c, l))\n"
         "c = blob(b'{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}', v + 'config.v1+json')\n"
         "l = blob(b'signed', 'application/vnd.dev.cosign.simplesigning.v1+json')\n"
         "entries.append(artifact('site/app:3.0', c, l, 'dev.hauler/sigs'))\n"
         "c = blob(b'{}', 'application/vnd.oci.empty.v1+json')\n"
         "l = blob(b'sbom', 'text/spdx+json')\n"
         "subject = {k: m[k] for k in ('mediaType', 'digest', 'size')}\n"
         "entries.append(artifact('site/app:3.0', c, l, 'dev.hauler/referrers/0', artifactType='text/spdx', "
         "subject=subject))\n"
         "def seal(): open('haul/index.json', 'w').write(json.dumps({'schemaVersion': 2, 'manifests': entries}))\n"
         "seal()\n";
}

TEST_F(Imports, AHaulsChartsAndFilesAreNoImages) {
  python(haul_script());
  run({"tar", "-C", "haul", "--zstd", "-cf", "haul.tar.zst", "."});
  const auto result = imported("haul.tar.zst");
  EXPECT_EQ(result.words, "a Hauler haul: 1 image, 1 chart, 1 file");
  EXPECT_THAT(result.artifacts,
              ElementsAre("chart:demo@1.2.3", "file:Tool.bin@" + hex("a tool").substr(0, 12), "image:site/app@3.0"));
  EXPECT_EQ(artifact("chart:demo@1.2.3").files.at(0).path.text(), "charts/demo-1.2.3.tgz");
  EXPECT_EQ(artifact("chart:demo@1.2.3").facts["chart"]["name"], "demo");
  EXPECT_EQ(artifact(result.artifacts[1]).files.at(0).path.text(), "files/Tool.bin");
  EXPECT_EQ(artifact(result.artifacts[1]).files.at(0).digest.hex(), hex("a tool"));
}

TEST_F(Imports, AHaulsSignaturesAndSbomsStayWithTheirImage) {
  python(haul_script());
  (void)imported("haul");
  std::vector<std::string> digests;
  for (const auto& file : artifact("image:site/app@3.0").files) digests.push_back(file.digest.hex());
  EXPECT_THAT(digests, Contains(hex("signed")));
  EXPECT_THAT(digests, Contains(hex("sbom")));
}

TEST_F(Imports, AHaulMayListAChartTwiceAndHaveFilesOfOneTitle) {
  python(haul_script() +
         "entries.append(dict(entries[1], annotations={'kind': 'dev.hauler/image', "
         "'org.opencontainers.image.ref.name': 'hauler/again:1.2.3'}))\n"
         "entries.append(dict(entries[2]))\n"
         "l = titled(blob(b'another', 'application/vnd.content.hauler.file.layer.v1'), 'bin/tool.bin')\n"
         "entries.append(artifact('hauler/other:latest', blob(b'{}', 'x/y'), l)); seal()");
  const auto result = imported("haul");
  const auto first = "file:Tool.bin@" + hex("a tool").substr(0, 12);
  const auto second = "file:tool.bin@" + hex("another").substr(0, 12);
  EXPECT_THAT(result.artifacts, UnorderedElementsAre("chart:demo@1.2.3", first, second, "image:site/app@3.0"));
  EXPECT_EQ(artifact(first).files.at(0).path.text(), "files/Tool.bin");
  EXPECT_EQ(artifact(second).files.at(0).path.text(), "files/" + hex("another").substr(0, 12) + "/tool.bin");
}

TEST_F(Imports, ImagesThatDifferInTheirHostsAloneAreBothTaken) {
  const std::string same =
      "dict(m, annotations=dict(m['annotations'], **{'io.containerd.image.name': 'mirror.example:5000/site/app:3.0'}))";
  python(haul_script() + "entries.append(" + same + "); seal()");
  EXPECT_THAT(imported("haul").artifacts, Contains("image:site/app@3.0")) << "one image that two registries have";
  fs::remove_all(drop() / "haul");
  python(
      haul_script() +
      "o = artifact('site/app:3.0', blob(b'{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}', v + 'config.v1+json'), "
      "blob(b'other', 'x/y'))\n"
      "o['annotations']['io.containerd.image.name'] = 'mirror.example:5000/site/app:3.0'\n"
      "entries[3]['annotations']['io.containerd.image.name'] = 'registry.example/site/app:3.0'\n"
      "entries.insert(0, o); seal()");
  auto asked = request("haul");
  asked.replace = true;
  const auto result = import_from(site(), asked, silent_reporter());
  EXPECT_THAT(result.artifacts, Contains("image:mirror.example-5000/site/app@3.0"));
  EXPECT_THAT(result.artifacts, Contains("image:registry.example/site/app@3.0"));
  EXPECT_THAT(result.notes, Contains(HasSubstr("several images are called 'site/app:3.0'")));
  const auto has_signature = [&](const std::string& id) {
    const auto files = artifact(id).files;
    return std::any_of(files.begin(), files.end(), [](const auto& file) { return file.digest.hex() == hex("signed"); });
  };
  EXPECT_TRUE(has_signature("image:registry.example/site/app@3.0"));
  EXPECT_FALSE(has_signature("image:mirror.example-5000/site/app@3.0")) << "that of the other registry's";
}

TEST_F(Imports, OneNameForTwoImagesOfOneHostIsRefused) {
  python(
      haul_script() +
      "o = artifact('site/app:3.0', blob(b'{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}', v + 'config.v1+json'), "
      "blob(b'other', 'x/y'))\n"
      "o['annotations'] = m['annotations']\nentries.append(o); seal()");
  EXPECT_EQ(refused("haul"), ErrorCode::path_collision);
}

TEST_F(Imports, WhatIsAttachedToNoImageIsTold) {
  python(haul_script() + "entries[3]['annotations']['org.opencontainers.image.ref.name'] = 'site/gone:1'; seal()");
  EXPECT_THAT(imported("haul").notes, Contains(HasSubstr("(site/gone:1) is attached to no image")));
}

TEST_F(Imports, AHaulForContainerdLacksTheLayoutFileAlone) {
  python(haul_script() + "import os; os.remove('haul/oci-layout')");
  EXPECT_THAT(imported("haul").artifacts, Contains("image:site/app@3.0"));
}

TEST_F(Imports, TwoChartsOfOneNameInAHaulAreAChartAndAFile) {
  python(haul_script() +
         "l = titled(blob(chart('demo', '1.2.3') + b'\\0', 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'), "
         "'demo-1.2.3.tgz')\n"
         "entries.append(artifact('other/demo:1.2.3', blob(b'{}', 'application/vnd.cncf.helm.config.v1+json'), l)); "
         "seal()");
  const auto result = imported("haul");
  EXPECT_THAT(result.artifacts, Contains("chart:demo@1.2.3"));
  EXPECT_THAT(result.notes, Contains(HasSubstr("chart:demo@1.2.3 is in it twice")));
  const auto is_second = [](const std::string& id) { return id.starts_with("file:demo-1.2.3.tgz@"); };
  const auto second = std::find_if(result.artifacts.begin(), result.artifacts.end(), is_second);
  ASSERT_NE(second, result.artifacts.end());
  const auto file = artifact(*second).files.at(0);
  EXPECT_EQ(file.path.text(), "files/" + file.digest.hex().substr(0, 12) + "/demo-1.2.3.tgz");
}

TEST_F(Imports, NamesThatNoMediumTakesAreChangedAndTold) {
  python(haul_script() +
         "l = titled(blob(b'odd', 'application/vnd.content.hauler.file.layer.v1'), 'a: \u00fcber.txt')\n"
         "entries.append(artifact('hauler/odd:latest', blob(b'{}', 'x/y'), l)); seal()");
  const auto result = imported("haul");
  EXPECT_THAT(result.notes, Contains(HasSubstr("is called files/a____ber.txt here")));
}

TEST_F(Imports, AHaulsFileHasNoSayInWhereItLies) {
  python(haul_script() +
         "l = titled(blob(b'evil', 'application/vnd.content.hauler.file.layer.v1'), '..')\n"
         "entries.append(artifact('hauler/evil:latest', blob(b'{}', 'x/y'), l)); seal()");
  EXPECT_EQ(refused("haul"), ErrorCode::path_unsafe);
}

/// Python: seal() writes checksums.txt and zarf.yaml of the package z.
std::string zarf_seal_script() {
  return "import hashlib, os\n"
         "def seal(yaml='kind: ZarfPackageConfig\\nmetadata:\\n  name: app\\n  version: 0.1.0\\n  aggregateChecksum: "
         "{0}\\ncomponents:\\n- name: app\\n'):\n"
         "  names = [os.path.relpath(os.path.join(d, n), 'z') for d, _, ns in os.walk('z') for n in ns]\n"
         "  c = ''.join(hashlib.sha256(open('z/' + n, 'rb').read()).hexdigest() + ' ' + n + '\\n' for n in "
         "sorted(names) "
         "if n not in ('zarf.yaml', 'checksums.txt'))\n"
         "  open('z/checksums.txt', 'w').write(c)\n"
         "  open('z/zarf.yaml', 'w').write(yaml.format(hashlib.sha256(c.encode()).hexdigest()))\n";
}

/// Python: such a package; component() writes one of its tars.
std::string zarf_script() {
  return layout_script("z/images", "{'org.opencontainers.image.base.name': 'registry.example/site/app:4.0'}") +
         chart_script() +
         "def tar(members):\n"
         "  b = io.BytesIO(); t = tarfile.open(fileobj=b, mode='w')\n"
         "  for n, d in members.items(): i = tarfile.TarInfo(n); i.size = len(d); t.addfile(i, io.BytesIO(d))\n"
         "  t.close(); return b.getvalue()\n"
         "os.makedirs('z/components')\n"
         "def component(name, members): open(f'z/components/{name}.tar', 'wb').write(tar({name + '/' + n: d for n, d "
         "in "
         "members.items()}))\n"
         "component('app', {'charts/demo-1.2.3.tgz': chart('demo', '1.2.3'), 'values/demo-1.2.3-0': b'a: 1', "
         "'files/0/tool': "
         "b'a tool', 'repos/x-1/HEAD': b'ref'})\n"
         "open('z/sboms.tar', 'wb').write(tar({'app.json': b'{}'}))\n" +
         zarf_seal_script() + "seal()\n";
}

TEST_F(Imports, AZarfPackageIsCheckedByItsOwnChain) {
  python(zarf_script());
  run({"tar", "-C", "z", "--zstd", "-cf", "zarf-package-app-amd64.tar.zst", "."});
  const auto result = imported("zarf-package-app-amd64.tar.zst");
  EXPECT_EQ(result.shape, "zarf");
  EXPECT_EQ(result.words, "a Zarf package: 1 image, 1 chart, 2 files");
  EXPECT_EQ(result.preview["package"], "app");
  EXPECT_THAT(result.artifacts, ElementsAre("chart:demo@1.2.3", "file:app-app@0.1.0", "image:site/app@4.0"));
  EXPECT_THAT(result.notes, Contains(HasSubstr("1 file is besides")));
  EXPECT_THAT(result.notes, Contains(HasSubstr("git repositories")));
  const auto files = artifact("file:app-app@0.1.0").files;
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].path.text(), "files/app/app/files/0/tool");
  EXPECT_EQ(files[0].digest.hex(), hex("a tool"));
  EXPECT_EQ(files[1].path.text(), "files/app/app/values/demo-1.2.3-0");

  const auto component = read_file(drop() / "z/components/app.tar", 1u << 20);
  write("z/components/app.tar", component + "x");
  EXPECT_EQ(refused("z"), ErrorCode::digest_mismatch);
  write("z/components/app.tar", component);
  write("z/extra", "x");
  EXPECT_EQ(refused("z"), ErrorCode::extra_file);
  fs::remove(drop() / "z/extra");
  python("open('z/checksums.txt', 'a').write('\\n')");
  EXPECT_EQ(refused("z"), ErrorCode::digest_mismatch) << "zarf.yaml states another aggregate";
}

TEST_F(Imports, AChartThatZarfPackedTwiceIsAChartAndAFile) {
  python(zarf_script() +
         "component('web', {'charts/demo-1.2.3.tgz': gzip.compress(gzip.decompress(chart('demo', '1.2.3')), "
         "mtime=7)}); seal()");
  const auto result = imported("z");
  EXPECT_THAT(result.artifacts, UnorderedElementsAre("chart:demo@1.2.3", "file:app-app@0.1.0", "file:app-web@0.1.0",
                                                     "image:site/app@4.0"));
  EXPECT_THAT(result.notes, Contains(HasSubstr("that of the component web is a file of it")));
  EXPECT_EQ(artifact("file:app-web@0.1.0").files.at(0).path.text(), "files/app/web/charts/demo-1.2.3.tgz");
}

TEST_F(Imports, AZarfPackageIsBelievedForTheSignatureOfABuilder) {
  const auto statement = signed_statement(sample_root(), {"root1"});
  TrustStore(site().trust_folder()).pin(statement, root_fingerprint(statement));
  python(zarf_script());
  const auto yaml = read_file(drop() / "z/zarf.yaml", 1u << 20);
  auto asked = request("z");
  asked.allow_unsigned = false;
  const auto with = [&](const std::string& bundle) {
    write("z/zarf.bundle.sig", bundle);
    return code_of([&] { (void)import_from(site(), asked, silent_reporter()); });
  };
  EXPECT_EQ(with(signature_by("mallory", "builder", yaml).bytes), ErrorCode::unsigned_document) << "a key of nobody's";
  EXPECT_EQ(with(signature_by("bob", "builder", yaml + " ").bytes), ErrorCode::signature_invalid);
  const std::string keyless =
      R"({"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{"rawBytes":"AA=="}}})";
  EXPECT_EQ(with(keyless), ErrorCode::unsigned_document) << "by nobody who could be judged";
  asked.allow_unsigned = true;
  asked.plan = true;
  EXPECT_THAT(import_from(site(), asked, silent_reporter()).notes, Contains(HasSubstr("keyless")));
  asked.allow_unsigned = asked.plan = false;
  EXPECT_EQ(with(signature_by("bob", "builder", yaml).bytes), std::nullopt);
  const auto evidence = artifact("chart:demo@1.2.3").files.at(0).evidence;
  EXPECT_EQ(evidence.back().details["believed_by"], "signature");
}

TEST_F(Imports, AKeyThatRetiredVouchesForNothingAndStopsNothing) {
  const auto first = signed_statement(sample_root(), {"root1"});
  TrustStore trust(site().trust_folder());
  trust.pin(first, root_fingerprint(first));
  auto second = next(sample_root());
  find_owner(second, "bob") = listed(key_of("robert"), Role::builder, "robert");
  trust.follow({signed_statement(second, {"root1"})}, k_now);
  python(zarf_script());
  write("z/zarf.bundle.sig", signature_by("bob", "builder", read_file(drop() / "z/zarf.yaml", 1u << 20)).bytes);
  auto asked = request("z");
  asked.allow_unsigned = false;
  const auto taken = [&] { return code_of([&] { (void)import_from(site(), asked, silent_reporter()); }); };
  EXPECT_EQ(taken(), ErrorCode::unsigned_document);
  asked.expect = sha256(read_file(drop() / "z/zarf.yaml", 1u << 20));
  EXPECT_EQ(taken(), std::nullopt) << "the announced digest vouches for it";
  auto third = next(second);
  third.keys.push_back(listed(key_of("bob"), Role::builder, "bob"));
  third.keys.back().revoked_since = k_now;
  third.keys.back().revoked_reason = "laptop stolen";
  trust.follow({signed_statement(third, {"root1"})}, k_now);
  EXPECT_EQ(taken(), ErrorCode::key_revoked);
}

TEST_F(Imports, NothingIsBelievedByAnOldChain) {
  const auto first = signed_statement(sample_root(), {"root1"});
  auto root = next(sample_root());
  find_owner(root, "bob").revoked_since = k_now;
  find_owner(root, "bob").revoked_reason = "laptop stolen";
  TrustStore(site().trust_folder()).pin(first, root_fingerprint(first));
  AuditLog(site().audit_folder(), "")
      .append({.type = "trust.update",
               .actor = "ian(1000)",
               .outcome = Outcome::success,
               .subject = root_fingerprint(signed_statement(root, {"root1"})).text(),
               .detail = "{}"});
  python(zarf_script());
  write("z/zarf.bundle.sig", signature_by("bob", "builder", read_file(drop() / "z/zarf.yaml", 1u << 20)).bytes);
  EXPECT_EQ(refused("z"), ErrorCode::trust_broken);
}

TEST_F(Imports, ADifferentialZarfPackageSaysWhatItLacks) {
  python(zarf_script() +
         "seal('kind: ZarfPackageConfig\\nmetadata:\\n  name: app\\n  version: 0.2.0\\nbuild:\\n  aggregateChecksum: "
         "{0}\\n  "
         "differential: true\\n  differentialPackageVersion: 0.1.0\\n')");
  EXPECT_THAT(planned("z").notes, Contains(HasSubstr("that its version 0.1.0 has")));
}

TEST_F(Imports, AZarfYamlInTwoVersionsStatesOneAggregate) {
  const std::string both =
      "seal('kind: ZarfPackageConfig\\nmetadata:\\n  name: app\\n  aggregateChecksum: {0}\\nbuild:\\n  arch: "
      "amd64\\n---\\n"
      "apiVersion: zarf.dev/v1beta1\\nmetadata:\\n  name: app\\nbuild:\\n  aggregateChecksum: ";
  python(zarf_script() + both + "{0}\\n')");
  EXPECT_EQ(planned("z").shape, "zarf");
  python(zarf_seal_script() + both + "' + '0' * 64 + '\\n')");
  EXPECT_EQ(refused("z"), ErrorCode::digest_mismatch) << "the second version states another";
  python(zarf_seal_script() +
         "seal('kind: ZarfPackageConfig\\nmetadata:\\n  name: app\\ncomponents:\\n- aggregateChecksum: {0}\\n')");
  EXPECT_EQ(refused("z"), ErrorCode::digest_mismatch) << "not where Zarf states it";
}

TEST_F(Imports, EveryFileBelowImagesIsComparedWithTheList) {
  python(zarf_script() + "open('z/images/note', 'w').write('as it was'); seal()");
  EXPECT_EQ(planned("z").shape, "zarf");
  write("z/images/note", "another");
  EXPECT_EQ(refused("z"), ErrorCode::digest_mismatch);
  python(zarf_seal_script() + "seal()");
  const auto layout = read_file(drop() / "z/images/oci-layout", 4096);
  write("z/images/oci-layout", layout + " ");
  EXPECT_EQ(refused("z"), ErrorCode::digest_mismatch);
  write("z/images/oci-layout", layout);
  EXPECT_EQ(refused("z"), std::nullopt);
}

TEST_F(Imports, AZarfPackageWithoutImagesHasFiles) {
  python(zarf_script() + "import shutil; shutil.rmtree('z/images'); seal()");
  EXPECT_THAT(imported("z").artifacts, ElementsAre("chart:demo@1.2.3", "file:app-app@0.1.0"));
}

TEST_F(Imports, AZarfComponentKeepsToItsFolder) {
  python(zarf_script() + "open('z/components/app.tar', 'wb').write(tar({'other/files/0/tool': b'x'})); seal()");
  EXPECT_EQ(refused("z"), ErrorCode::package_malformed);
}

class SplitImports : public Imports {
 protected:
  SplitImports() {
    write("whole/SHA256SUMS", "");
    python(
        "import os, hashlib; d = os.urandom(300000); open('whole/data.bin', 'wb').write(d)\n"
        "open('whole/SHA256SUMS', 'w').write(hashlib.sha256(d).hexdigest() + '  data.bin\\n')");
    run({"tar", "-C", "whole", "--zstd", "-cf", "it.tar.zst", "."});
    whole = sha256(read_file(drop() / "it.tar.zst", 1u << 20));
  }
  /// @param name Python of the name of part i
  void cut(const std::string& first, const std::string& name) const {
    python(
        "import hashlib, json, os\nd = open('it.tar.zst', 'rb').read(); n = 100000; c = -(-len(d) // n)\nfor k in "
        "range(c): i = k + " +
        first + "; open(" + name + ", 'wb').write(d[k * n:(k + 1) * n])\nos.remove('it.tar.zst')");
  }
  void zarf_head(const std::string& digest, const std::string& more = "") const {
    write("it.tar.zst.part000", "{\"Sha256Sum\":\"" + digest + "\",\"Bytes\":" + std::to_string(size()) +
                                    ",\"Count\":" + std::to_string(parts()) + more + "}");
  }
  std::size_t parts() const {
    std::size_t out = 0;
    while (fs::exists(drop() / fmt::format("it.tar.zst.part{:03}", out + 1))) ++out;
    return out;
  }
  std::uint64_t size() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 1; i <= parts(); ++i) sum += fs::file_size(drop() / fmt::format("it.tar.zst.part{:03}", i));
    return sum;
  }
  Digest whole = sha256("");
};

TEST_F(SplitImports, PartsOfZarfAreJoinedAndComparedWithTheFirst) {
  cut("1", "f'it.tar.zst.part{i:03}'");
  zarf_head(whole.hex());
  EXPECT_EQ(planned("it.tar.zst.part000").shape, "listed-files");
  auto asked = request("it.tar.zst.part002");
  asked.allow_unsigned = false;
  asked.expect = whole;
  EXPECT_EQ(import_from(site(), asked, silent_reporter()).belief, Belief::digest) << "the digest is that of the whole";
  zarf_head(hex("other"));
  EXPECT_EQ(refused("it.tar.zst.part000"), ErrorCode::digest_mismatch);
  EXPECT_EQ(refused("it.tar.zst"), ErrorCode::digest_mismatch) << "by the name of the whole";
  write("it.tar.zst.part000", "{\"Sha256Sum\":\"" + whole.hex() + "\",\"Bytes\":1,\"Count\":2}");
  EXPECT_EQ(refused("it.tar.zst.part000"), ErrorCode::size_mismatch);
  zarf_head(whole.hex());
  fs::rename(drop() / "it.tar.zst.part002", drop() / "elsewhere");
  write("it.tar.zst.part000", "{\"Sha256Sum\":\"" + whole.hex() + "\",\"Bytes\":300000,\"Count\":4}");
  EXPECT_EQ(refused("it.tar.zst.part000"), ErrorCode::missing_file);
}

TEST_F(SplitImports, ChunksOfHaulerAreJoinedInBothForms) {
  cut("0", "f'it_{i}.tar.zst'");
  EXPECT_EQ(imported("it_0.tar.zst").shape, "listed-files");
  for (std::size_t i = 0; fs::exists(drop() / fmt::format("it_{}.tar.zst", i)); ++i)
    fs::rename(drop() / fmt::format("it_{}.tar.zst", i), drop() / fmt::format("it.tar.zst.{:03}", i + 1));
  EXPECT_EQ(imported("it.tar.zst.001").status, ImportResult::Status::already_present);
  EXPECT_EQ(imported("it.tar.zst").status, ImportResult::Status::already_present);
  fs::remove(drop() / "it.tar.zst.003");
  EXPECT_EQ(refused("it.tar.zst.001"), ErrorCode::missing_file) << "a hole in the middle";
}

TEST_F(SplitImports, ArchivesOfTheirOwnAreNoParts) {
  fs::copy_file(drop() / "it.tar.zst", drop() / "it_0.tar.zst");
  fs::copy_file(drop() / "it.tar.zst", drop() / "it_1.tar.zst");
  EXPECT_EQ(planned("it_0.tar.zst").files, 1U);
}

TEST_F(SplitImports, NumberedFilesThatAreNoArchivesAreNoParts) {
  for (const auto* name : {"model_0.gguf", "model_1.gguf", "notes_0.txt", "notes_1.txt", "log.001", "log.002"})
    write(name, std::string("GGUF") + name);
  for (const auto* name : {"model_7.gguf", "notes_20.txt"}) write(name, "beside them");
  for (const auto* name : {"model_0.gguf", "model_1.gguf", "model_7.gguf", "notes_1.txt", "notes_20.txt", "log.001"})
    EXPECT_FALSE(split_file(drop() / name)) << name;
  EXPECT_FALSE(split_file(drop() / "log")) << "by the name of the whole";
  cut("0", "f'it_{i}.tar.zst'");
  ASSERT_TRUE(split_file(drop() / "it_0.tar.zst"));
  const auto count = split_file(drop() / "it_0.tar.zst")->parts.size();
  const auto beside = fmt::format("it_{}.tar.zst", count + 20);
  write(beside, "of its own");
  EXPECT_FALSE(split_file(drop() / beside)) << "it would be left out of what is imported in its name";
  fs::rename(drop() / "it_0.tar.zst", drop() / "it_0.whl");
  fs::rename(drop() / "it_1.tar.zst", drop() / "it_1.whl");
  EXPECT_FALSE(split_file(drop() / "it_0.whl"));
}

class FifthLayout : public Imports {
 protected:
  FifthLayout() {
    write("b/binaries/ollama-linux-amd64", "program");
    write("b/models/manifests/hub.example/library/tiny/8b", ollama_manifest(hex("weights"), 7));
    write("b/models/blobs/sha256-" + hex("weights"), "weights");
    write("b/models/blobs/sha256-" + hex("{}"), "{}");
    write("b/packages/nested/README", "x");
    run({"sh", "-c",
         "cd b && mkdir -p signatures && sha256sum binaries/ollama-linux-amd64 > signatures/ollama.sha256"
         " && sha256sum -b $(find models -type f) > signatures/models.sha256"});
    seal();
  }
  /// As the document's own shell lines make it.
  void seal() const {
    run({"sh", "-c",
         "cd b && mkdir -p manifest && cat > manifest/bundle.json <<EOF\n"
         "{\"bundle_version\": \"20261129\", \"creator\": \"ada\", \"creation_date\": \"2026-11-29T00:00:00Z\",\n"
         " \"low_side_host\": \"low\", \"artifacts\": {\n"
         "  \"ollama_binary\": \"$(sha256sum binaries/ollama-linux-amd64 | cut -d' ' -f1)\",\n"
         "  \"models_directory_hash\": \"$(find models -type f -exec sha256sum {} \\; | LC_ALL=C sort | sha256sum | "
         "cut "
         "-d' ' -f1)\"}}\nEOF"});
  }
};

TEST_F(FifthLayout, ItsDirectoryHashIsComputedAsTheShellDoesIt) {
  const auto result = imported("b");
  EXPECT_EQ(result.shape, "bundle-layout");
  EXPECT_EQ(result.preview["bundle_version"], "20261129");
  EXPECT_THAT(result.artifacts, UnorderedElementsAre(HasSubstr("file:ollama-linux-amd64@"), HasSubstr("model:tiny@")));
  EXPECT_THAT(result.notes, Contains(HasSubstr("packages/ and all else is bound by nothing")));
}

TEST_F(FifthLayout, AFileMoreOrLessInModelsIsFound) {
  write("b/models/extra", "x");
  EXPECT_EQ(refused("b"), ErrorCode::digest_mismatch) << "sha256sum -c signatures/models.sha256 would have passed";
  fs::remove(drop() / "b/models/extra");
  fs::remove(drop() / "b/models/blobs" / ("sha256-" + hex("weights")));
  EXPECT_EQ(refused("b"), ErrorCode::missing_file);
}

TEST_F(FifthLayout, ATamperedBinaryIsFoundByBundleJsonItself) {
  write("b/binaries/ollama-linux-amd64", "PROGRAM");
  run({"sh", "-c", "cd b && sha256sum binaries/ollama-linux-amd64 > signatures/ollama.sha256"});
  EXPECT_EQ(refused("b"), ErrorCode::digest_mismatch) << "the list was made anew, and nobody had signed it";
}

TEST_F(FifthLayout, WhatBundleJsonDoesNotBindIsUnsignedWhateverVouchesForIt) {
  write("b/packages/tool/DEBIAN/control",
        "Package: tool\nVersion: 1\nArchitecture: all\nMaintainer: x <x@e>\n"
        "Description: a tool\n");
  run({"sh", "-c", "cd b/packages && dpkg-deb --root-owner-group -b tool tool_1_all.deb && rm -r tool nested"});
  auto asked = request("b");
  asked.expect = sha256(read_file(drop() / "b/manifest/bundle.json", 1u << 20));
  const auto result = import_from(site(), asked, silent_reporter());
  EXPECT_EQ(result.belief, Belief::digest);
  EXPECT_THAT(result.unbound, ElementsAre("deb:tool@1"));
  EXPECT_EQ(imported_by(artifact("tool")), Belief::nobody);
  EXPECT_EQ(imported_by(artifact("tiny")), Belief::digest);
}

TEST_F(FifthLayout, ABundleOfLiftlockIsSentToIngest) {
  write("b/manifest/bundle.json", R"({"channel": "demo", "sequence": 1})");
  EXPECT_EQ(refused("b"), ErrorCode::import_unknown);
}

TEST_F(Imports, TheSecondLayoutIsBoundByItsList) {
  write("s/models/tiny.gguf", "weights");
  write("s/charts/infra/Chart.yaml", "name: infra\n");
  write("s/patterns/initial.json", "[]");
  run({"sh", "-c",
       "cd s && find models charts patterns -type f -exec sha256sum {} + > checksums.txt && cd .. && tar czf "
       "sensei.tar.gz s"});
  const auto result = imported("sensei.tar.gz");
  EXPECT_EQ(result.shape, "bundle-layout");
  EXPECT_EQ(result.artifacts.size(), 3u);
  write("s/charts/infra/evil.yaml", "x");
  EXPECT_EQ(refused("s"), ErrorCode::extra_file);
}

TEST_F(Imports, ListedFilesOfAnyKindAreKeptAsTheyAre) {
  write("f/tool.bin", "x");
  write("f/SHA256SUMS", sha256sums_line(sha256("x"), "tool.bin"));
  EXPECT_EQ(imported("f").shape, "listed-files");
  EXPECT_EQ(artifact("f").files[0].path.text(), "files/f/tool.bin");
}

TEST_F(Imports, WhatIsNotKnownIsSaidWithWhatWouldBe) {
  write("u/a.xyz", "x");
  write("u/b.xyz", "x");
  try {
    (void)imported("u");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::import_unknown);
    EXPECT_THAT(error.message(), HasSubstr("2 with .xyz"));
    EXPECT_THAT(std::string(error.hint()), HasSubstr(".baimodel"));
    EXPECT_THAT(std::string(error.hint()), HasSubstr(std::string(k_make_list)));
  }
  // The command that it names makes a list of all, however often it is run.
  write("u/sub/c.xyz", "x");
  for (int i = 0; i < 2; ++i) run({"/bin/sh", "-c", "cd u && " + std::string(k_make_list)});
  EXPECT_EQ(imported("u").shape, "listed-files");
  EXPECT_EQ(refused("nothing"), ErrorCode::not_found);
}

TEST_F(Imports, OfOneUnknownFileItIsSaidWhatItLooksLikeAndWhatToDo) {
  const auto told = [&](const std::string& name, const std::string& content) {
    write(name, content);
    try {
      (void)imported(name);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::import_unknown) << name;
      return error.message() + " | " + std::string(error.hint());
    }
    return "taken in: " + name;
  };
  EXPECT_THAT(told("empty.bin", ""), HasSubstr("is empty"));
  EXPECT_THAT(told("weights", std::string("GGUF\3\0\0\0", 8)), HasSubstr("mv 'weights' 'weights.gguf'"));
  EXPECT_THAT(told("tool.pkg", "!<arch>\ndebian-binary   "), HasSubstr("'tool.pkg.deb'"));
  EXPECT_THAT(told("m.asc", "-----BEGIN PGP MESSAGE-----\n"), HasSubstr("decrypt it first"));
  EXPECT_THAT(told("m.age", "age-encryption.org/v1\n"), HasSubstr("is encrypted (age)"));
  EXPECT_THAT(told("a.7z", "7z\xbc\xaf\x27\x1c...."), HasSubstr("7z archive"));
  EXPECT_THAT(told("notes.txt", "hello\n"),
              AllOf(HasSubstr("is text"), HasSubstr("SHA256SUMS"), HasSubstr(".baimodel")));
  for (const char protocol : {'\x02', '\x04', '\x05'})
    EXPECT_THAT(told("m.pkl", std::string("\x80") + protocol + "\x95...."), HasSubstr("is a Python pickle"));
  EXPECT_THAT(told("later", "\x84\x01\x02\x03"), HasSubstr("the bytes 84010203"));
  EXPECT_THAT(told("x'; touch y; echo '", "GGUF...."), AllOf(HasSubstr("ends in .gguf"), Not(HasSubstr("mv "))));
  EXPECT_THAT(told("odd", std::string("\1\2\3\4\0", 5)), HasSubstr("the bytes 01020304"));
}

TEST_F(Imports, ANameThatWouldBeChangedIsRefused) {
  write("m.gguf", "GGUF");
  auto asked = request("m.gguf");
  for (const auto* name : {"my model", "caf\u00e9", "../m", "m/", "a//b", "two\nlines"}) {
    asked.name = name;
    EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::usage) << name;
  }
}

TEST_F(Imports, AnInnerArchiveIsUsedAsItWasHashed) {
  // The list speaks of the good one; the medium shows another while it is looked into, and the good one afterwards.
  python(
      "import tarfile, io, json, hashlib, os\n"
      "def tar(files):\n"
      "  b = io.BytesIO(); t = tarfile.open(fileobj=b, mode='w')\n"
      "  for n, c in files:\n"
      "    i = tarfile.TarInfo(n); i.size = len(c); t.addfile(i, io.BytesIO(c))\n"
      "  t.close(); return b.getvalue()\n"
      "def image(text):\n"
      "  layer = tar([('etc/motd', text)]); d = hashlib.sha256(layer).hexdigest()\n"
      "  config = json.dumps({'os': 'linux', 'architecture': 'amd64', 'rootfs': {'type': 'layers', 'diff_ids': "
      "['sha256:' + d]}}).encode(); c = hashlib.sha256(config).hexdigest()\n"
      "  m = json.dumps([{'Config': c + '.json', 'RepoTags': ['site/app:1.0'], 'Layers': [d + "
      "'/layer.tar']}]).encode()\n"
      "  return tar([(d + '/layer.tar', layer), (c + '.json', config), ('manifest.json', m)])\n"
      "os.makedirs('s/images'); os.makedirs('s/charts')\n"
      "good = image(b'good'); open('good.tar', 'wb').write(good)\n"
      "open('s/images/app.tar', 'wb').write(image(b'evil')); open('s/charts/Chart.yaml', 'w').write('name: x')\n"
      "with open('s/checksums.txt', 'w') as f:\n"
      "  f.write(hashlib.sha256(good).hexdigest() + '  images/app.tar\\n')\n"
      "  f.write(hashlib.sha256(b'name: x').hexdigest() + '  charts/Chart.yaml\\n')\n");
  auto asked = request("s");
  asked.cells.list = [this](int file, int out, std::uint64_t most) {
    auto found = list_container(file, out, {.unpacked = most});
    fs::rename(drop() / "good.tar", drop() / "s/images/app.tar");
    return found;
  };
  EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::digest_mismatch);
  EXPECT_THAT(catalog().artifacts(), IsEmpty());
}

TEST_F(Imports, NothingIsUnpackedPastWhatTheDiskMayHold) {
  write("w/tiny.gguf", std::string(4u << 20, 'x'));
  run({"tar", "-czf", "w.tar.gz", "w"});
  auto asked = request("w.tar.gz");
  asked.plan = true;
  bool refused = false;
  for (int i = 0; i < 20 && !refused; ++i) {  // others may free room meanwhile
    asked.cells.reserve = free_space(m_folder.path()) - (1u << 20);
    refused = code_of([&] { (void)import_from(site(), asked, silent_reporter()); }) == ErrorCode::disk_full;
  }
  EXPECT_TRUE(refused);
  asked.plan = false;
  asked.cells.reserve = 1ull << 62;
  EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::disk_full);
  asked.plan = true;
  EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::disk_full);
  EXPECT_EQ(imported("w.tar.gz").status, ImportResult::Status::imported);
}

TEST_F(Imports, ACopyThatIsToBeJudgedLeavesTheReserveFree) {
  baimodel("tiny.baimodel");
  write_file_atomically(m_folder.path() / "state/config.toml",
                        "zone = \"ingest\"\n[policy]\nreserve = \"4000000TiB\"\n");
  auto asked = request("tiny.baimodel");
  asked.expect = sha256("another");
  EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::disk_full)
      << "before anything was copied, so that a wrong digest is never found";
}

TEST_F(Imports, TheOldOneGoesWithTheNewOneOrNotAtAll) {
  baimodel("tiny.baimodel");
  (void)imported("tiny.baimodel");
  baimodel("new.baimodel", "pass", "better weights");
  auto asked = request("new.baimodel");
  asked.replace = true;
  const auto sql = [this](const std::string& statement) {
    run({"python3", "-c", "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()",
         site().catalog_file(), statement});
  };
  sql("CREATE TRIGGER killed BEFORE DELETE ON publication_artifact BEGIN SELECT RAISE(ABORT, 'killed'); END");
  EXPECT_THROW((void)import_from(site(), asked, silent_reporter()), Error);
  EXPECT_EQ(catalog().artifacts().size(), 1u);
  EXPECT_EQ(artifact("tiny").files[0].digest, sha256("weights"));
  sql("DROP TRIGGER killed");
  EXPECT_THAT(import_from(site(), asked, silent_reporter()).replaced, ElementsAre("model:tiny@1"));
  EXPECT_EQ(catalog().artifacts().size(), 1u);
  EXPECT_THAT(entries(), ElementsAre("import intent", "import success", "import intent", "artifact.withdraw intent",
                                     "artifact.withdraw failure", "import failure", "import intent",
                                     "artifact.withdraw intent", "import success", "artifact.withdraw success"));
}

TEST_F(Imports, ABlankReasonIsNone) {
  baimodel("tiny.baimodel");
  auto asked = request("tiny.baimodel");
  asked.reason = " \t ";
  EXPECT_EQ(code_of([&] { (void)import_from(site(), asked, silent_reporter()); }), ErrorCode::reason_required);
}

TEST_F(Imports, BytesThatSomebodyVouchedForBeforeAreNotCalledUnsigned) {
  baimodel("tiny.baimodel");
  auto asked = request("tiny.baimodel");
  asked.expect = sha256(read_file(drop() / "tiny.baimodel", 1u << 20));
  (void)import_from(site(), asked, silent_reporter());
  const auto again = imported("tiny.baimodel");
  EXPECT_EQ(again.status, ImportResult::Status::already_present);
  EXPECT_EQ(again.present_as, Belief::digest);
}

TEST_F(Imports, APlanTellsOfFilesThatDoNotBeginAsTheirNamesSay) {
  write("m/tiny.gguf", "rubbish");
  write("m/good.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  write("m/bad.safetensors", std::string("\xff\xff\xff\xff\0\0\0\0{}", 10));
  const auto notes = planned("m").notes;
  EXPECT_THAT(notes, Contains(HasSubstr("tiny.gguf does not begin as a GGUF model does")));
  EXPECT_THAT(notes, Contains(HasSubstr("bad.safetensors does not begin")));
  EXPECT_THAT(notes, testing::Not(Contains(HasSubstr("good.safetensors"))));
}

TEST_F(Imports, AModelMayBeCalledOtherwise) {
  baimodel("tiny.baimodel");
  auto asked = request("tiny.baimodel");
  asked.name = "house";
  EXPECT_THAT(import_from(site(), asked, silent_reporter()).artifacts, ElementsAre("model:house@1"));
  EXPECT_EQ(artifact("house").files[0].path.text(), "models/house/tiny.gguf");
}

TEST_F(Imports, NumbersAreNotGivenTwiceByARestoredCatalog) {
  const auto store = m_folder.path() / "state/store";
  (void)catalog().artifacts();
  const auto backup = read_file(store / "catalog.db", 64u << 20);
  baimodel("tiny.baimodel");
  (void)imported("tiny.baimodel");
  for (const auto* name : {"catalog.db", "catalog.db-wal", "catalog.db-shm"}) fs::remove(store / name);
  write_file_atomically(store / "catalog.db", backup);
  EXPECT_EQ(imported("tiny.baimodel").number, 2u);
}

TEST_F(Imports, WhatIsUsedOfItIsWhatTheRecordAndTheLogHave) {
  write("models/embedding/model.safetensors", "e");
  write("models/llm/model.safetensors", "l");
  (void)imported("models");
  const BlobStore store(site().store_folder());
  const AuditLog log(site().audit_folder(), ""), another(m_folder.path() / "another-log", "test");
  const TrustStore trust(site().trust_folder());
  const auto believed = [&](const Artifact& artifact, const AuditLog& by) {
    return code_of([&] { (void)require_believed(artifact, catalog(), store, by, trust); });
  };
  const auto embedding = artifact("embedding");
  EXPECT_EQ(require_believed(embedding, catalog(), store, log, trust).belief, Belief::nobody);
  EXPECT_EQ(believed(embedding, another), ErrorCode::store_invalid);
  catalog().withdraw(artifact("llm"));
  EXPECT_EQ(believed(embedding, log), std::nullopt) << "what is left of it is as good as before";
  auto edited = catalog().publication("import", 1).value();
  edited.artifacts.at(0).files.at(0).digest = sha256("other weights");
  catalog().withdraw(embedding);
  catalog().publish(edited, Catalog::Retired::restore);
  EXPECT_EQ(believed(artifact("embedding"), log), ErrorCode::store_invalid);
}

TEST_F(Imports, AKeyThatIsRevokedLaterVouchesForNothing) {
  const auto first = signed_statement(sample_root(), {"root1"});
  TrustStore trust(site().trust_folder());
  trust.pin(first, root_fingerprint(first));
  python(zarf_script());
  write("z/zarf.bundle.sig", signature_by("bob", "builder", read_file(drop() / "z/zarf.yaml", 1u << 20)).bytes);
  auto asked = request("z");
  asked.allow_unsigned = false;
  (void)import_from(site(), asked, silent_reporter());
  const BlobStore store(site().store_folder());
  const AuditLog log(site().audit_folder(), "");
  const auto chart = artifact("chart:demo@1.2.3");
  EXPECT_EQ(require_believed(chart, catalog(), store, log, trust).belief, Belief::signature);
  auto root = next(sample_root());
  find_owner(root, "bob").revoked_since = k_now;
  find_owner(root, "bob").revoked_reason = "laptop stolen";
  trust.follow({signed_statement(root, {"root1"})}, k_now);
  EXPECT_EQ(code_of([&] { (void)require_believed(chart, catalog(), store, log, trust); }), ErrorCode::key_revoked);
}

TEST_F(Imports, ARetiredImportComesBackOnlyAsANewOne) {
  baimodel("tiny.baimodel");
  (void)imported("tiny.baimodel");
  catalog().retire("import", 1);
  EXPECT_EQ(imported("tiny.baimodel").number, 2u);
}

}  // namespace
}  // namespace liftlock
