// Packages of Zarf, and who is believed for them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "intake/foreign_packages.hpp"
#include "intake/import_fixture.hpp"

namespace liftlock {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

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

}  // namespace
}  // namespace liftlock
