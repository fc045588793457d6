// The pipeline, with cells in this process and an inspector that finds nothing: what content is worth, the real
// inspectors say in tests/interop/import_test.sh. The recognisers' tests are beside them.
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
#include "intake/foreign_packages.hpp"
#include "intake/import_fixture.hpp"
#include "intake/listing.hpp"
#include "intake/shape.hpp"
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

TEST_F(Imports, WhatWasScannedIsToldAndOnlyWhatWasNotIsANote) {
  const auto configure = [&](const std::string& more) {
    write_file_atomically(m_folder.path() / "state/config.toml",
                          "zone = \"ingest\"\n[policy]\nreserve = \"1MiB\"\n[scan]\ncommand = [\"true\"]\n"
                          "version = [\"echo\", \"looker 1.0\"]\n" +
                              more);
  };
  const auto about_scans = [](const ImportResult& result) {
    std::vector<std::string> out;
    for (const auto& note : result.notes) {
      if (note.find("scanned") != std::string::npos) out.push_back(note);
    }
    return out;
  };
  baimodel("tiny.baimodel");
  configure("");
  auto result = imported("tiny.baimodel");
  EXPECT_THAT(result.scanned, HasSubstr("1 file, "));
  EXPECT_THAT(result.scanned, HasSubstr("with looker 1.0"));
  EXPECT_THAT(about_scans(result), ElementsAre());
  baimodel("new.baimodel", "pass", "better weights");
  configure("skip_kinds = [\"model\"]\nnot_scanned = \"accept\"\n");
  auto asked = request("new.baimodel");
  asked.replace = true;
  EXPECT_THAT(about_scans(import_from(site(), asked, silent_reporter())), ElementsAre(HasSubstr("not scanned: ")));
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

TEST_F(Imports, TrustThatIsOlderThanTheCatalogKnowsLetsNothingIn) {
  baimodel("tiny.baimodel");
  catalog().set_fact("trust.newest",
                     dump_json_line({{"fingerprint", sha256("a statement that is lost").text()}, {"version", 2}}));
  EXPECT_EQ(refused("tiny.baimodel"), ErrorCode::trust_rolled_back);
  EXPECT_THAT(catalog().publications(), IsEmpty());
}

TEST_F(Imports, ARetiredImportComesBackOnlyAsANewOne) {
  baimodel("tiny.baimodel");
  (void)imported("tiny.baimodel");
  catalog().retire("import", 1);
  EXPECT_EQ(imported("tiny.baimodel").number, 2u);
}

}  // namespace
}  // namespace liftlock
