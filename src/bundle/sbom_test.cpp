#include "bundle/sbom.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "bundle/licenses.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

using testing::HasSubstr;

Artifact artifact(const std::string& kind, const std::string& name, const std::string& version,
                  const std::vector<std::string>& paths, const std::string& license = "") {
  Artifact out{.kind = kind, .name = name, .version = version, .license = license};
  for (const auto& path : paths)
    out.files.push_back({RelPath::parse(path), 1, sha256(path), "https://x.example/" + path, {}});
  return out;
}

std::vector<Artifact> sample() {
  auto model = artifact("model", "tiny", "1", {"models/tiny/a.gguf", "models/tiny/README.md"});
  model.facts = {{"source", "hf"}, {"repository", "org/tiny"}, {"commit", "0123"}};
  auto wheel = artifact("wheel", "one", "1.0", {"packages/pypi/one.whl"}, "MIT OR apache-2.0");
  wheel.needs = {"wheel:two@2.0"};
  auto two = artifact("wheel", "two", "2.0", {"packages/pypi/two.whl"}, "Freeware, ask Bob");
  two.files[0].origin = "wheels/two.whl";
  return {model, wheel, two};
}

Json facts_of(const Artifact& artifact) {
  if (artifact.kind != "model") return Json::object();
  return {{"architecture", "llama"},
          {"quantisation", "Q4_K_M"},
          {"parameters", 1100048384},
          {"formats", {"gguf"}},
          {"card",
           {{"license", "other"},
            {"license_name", "llama3.1"},
            {"datasets", {"a/b"}},
            {"base_model", {"meta/big"}},
            {"pipeline_tag", "text-generation"}}}};
}

TEST(CycloneDx, DescribesAModelByItsCard) {
  const auto bom = parse_json(write_sbom("demo", sample(), facts_of));
  EXPECT_EQ(bom["specVersion"], "1.6");
  const auto& model = bom["components"][0];
  EXPECT_EQ(model["type"], "machine-learning-model");
  EXPECT_EQ(model["purl"], "pkg:huggingface/org/tiny@0123");
  EXPECT_EQ(model["licenses"], (Json{{{"license", {{"name", "llama3.1"}}}}}));
  const auto& card = model["modelCard"];
  EXPECT_EQ(card["modelParameters"], (Json{{"task", "text-generation"},
                                           {"architectureFamily", "llama"},
                                           {"datasets", {{{"type", "dataset"}, {"name", "a/b"}}}}}));
  EXPECT_THAT(card["properties"], testing::Contains(Json{{"name", "liftlock:quantisation"}, {"value", "Q4_K_M"}}));
  EXPECT_THAT(card["properties"], testing::Contains(Json{{"name", "liftlock:parameters"}, {"value", "1100048384"}}));
  EXPECT_EQ(model["pedigree"]["ancestors"][0]["name"], "meta/big");
  EXPECT_EQ(model["components"].size(), 2u);
}

TEST(CycloneDx, SaysOfPackagesWhatIsKnown) {
  const auto bom = parse_json(write_sbom("demo", sample()));
  EXPECT_FALSE(bom["components"][0].contains("modelCard")) << "nobody inspected it";
  EXPECT_EQ(bom["components"][1]["licenses"], (Json{{{"expression", "MIT OR Apache-2.0"}}}));
  EXPECT_EQ(bom["components"][1]["externalReferences"][0]["url"], "https://x.example/packages/pypi/one.whl");
  EXPECT_EQ(bom["components"][2]["licenses"], (Json{{{"license", {{"name", "Freeware, ask Bob"}}}}}));
  EXPECT_FALSE(bom["components"][2].contains("externalReferences"));
  EXPECT_EQ(bom["dependencies"], (Json{{{"ref", "wheel:one@1.0"}, {"dependsOn", {"wheel:two@2.0"}}}}));
}

TEST(Spdx, HasAPackageForEveryArtifactAndFile) {
  const auto document = parse_json(write_spdx("demo", sample(), facts_of));
  EXPECT_EQ(document["spdxVersion"], "SPDX-2.3");
  ASSERT_EQ(document["packages"].size(), 5u) << "three artifacts, and two files of the model";
  std::set<std::string> ids;
  for (const auto& package : document["packages"]) ids.insert(package["SPDXID"]);
  EXPECT_EQ(ids.size(), 5u);
  const auto& model = document["packages"][0];
  EXPECT_EQ(model["licenseDeclared"], "LicenseRef-1-llama3.1");
  EXPECT_EQ(
      model["comment"],
      "architecture: llama; quantisation: Q4_K_M; parameters: 1100048384; task: text-generation; trained on: a/b; "
      "made of: meta/big");
  EXPECT_FALSE(model.contains("checksums"));
  const auto& one = document["packages"][3];
  EXPECT_EQ(one["licenseDeclared"], "MIT OR Apache-2.0");
  EXPECT_EQ(one["checksums"][0]["checksumValue"], sha256("packages/pypi/one.whl").hex());
  EXPECT_EQ(one["externalRefs"][0]["referenceLocator"], "pkg:pypi/one@1.0");
  EXPECT_EQ(document["packages"][4]["downloadLocation"], "NOASSERTION") << "a path is no address";
  EXPECT_EQ(document["hasExtractedLicensingInfos"][0], (Json{{"licenseId", "LicenseRef-2-Freeware--ask-Bob"},
                                                             {"name", "Freeware, ask Bob"},
                                                             {"extractedText", "Freeware, ask Bob"}}));
  EXPECT_THAT(document["relationships"],
              testing::Contains(Json{{"spdxElementId", one["SPDXID"]},
                                     {"relationshipType", "DEPENDS_ON"},
                                     {"relatedSpdxElement", document["packages"][4]["SPDXID"]}}));
}

TEST(Bills, TakeAnEngineApart) {
  auto engine = artifact("engine", "llama.cpp", "8941", {"engines/llama.tar"});
  Json deb = {{"name", "libc6"},
              {"version", "2.36-9"},
              {"architecture", "amd64"},
              {"size", 5},
              {"sha256", sha256("libc6").hex()},
              {"origin", "https://debian.example/libc6.deb"},
              {"evidence", {{"type", "apt-release"}, {"origin", "Debian"}, {"codename", "bookworm"}}}};
  const Json archive = {
      {"name", "llama.tar.gz"}, {"version", "8941"}, {"sha256", sha256("archive").hex()}, {"form", "archive"}};
  engine.files[0].evidence = {{"derived", {{"inputs", {deb, archive, deb, {{"name", "broken"}}}}}}};
  const auto parts = parse_json(write_sbom("demo", {engine}))["components"][0]["components"];
  ASSERT_EQ(parts.size(), 2u) << "each once, and what is no input not at all";
  EXPECT_EQ(parts[0]["bom-ref"], "engine:llama.cpp@8941/deb:libc6@2.36-9");
  EXPECT_EQ(parts[0]["purl"], "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=bookworm");
  EXPECT_EQ(parts[0]["hashes"][0]["content"], sha256("libc6").hex());
  EXPECT_EQ(parts[1]["type"], "file");
  const auto document = parse_json(write_spdx("demo", {engine}));
  ASSERT_EQ(document["packages"].size(), 3u);
  EXPECT_EQ(document["packages"][1]["externalRefs"][0]["referenceLocator"], parts[0]["purl"]);
  EXPECT_THAT(document["relationships"],
              testing::Contains(Json{{"spdxElementId", document["packages"][0]["SPDXID"]},
                                     {"relationshipType", "CONTAINS"},
                                     {"relatedSpdxElement", document["packages"][2]["SPDXID"]}}));
}

TEST(Bills, AreTheSameForTheSameArtifacts) {
  EXPECT_EQ(write_sbom("demo", sample(), facts_of), write_sbom("demo", sample(), facts_of));
  EXPECT_EQ(write_spdx("demo", sample(), facts_of), write_spdx("demo", sample(), facts_of));
  auto other = sample();
  other[1].version = "1.1";
  EXPECT_NE(parse_json(write_spdx("demo", other))["documentNamespace"],
            parse_json(write_spdx("demo", sample()))["documentNamespace"]);
  EXPECT_THAT(write_spdx("demo", {}), HasSubstr("\"packages\": []"));
}

TEST(Bills, TakeFactsOfAnyForm) {
  const auto broken = [](const Artifact&) {
    return Json{{"card", 5}, {"formats", "x"}, {"parameters", "many"}, {"datasets", {5}}};
  };
  EXPECT_NO_THROW(write_sbom("demo", sample(), broken));
  EXPECT_NO_THROW(write_spdx("demo", sample(), [](const Artifact&) { return Json(); }));
}

/// One id with two contents, as a store holds it, and somebody who needs it and something that nobody has.
std::vector<Artifact> of_a_store() {
  auto first = artifact("wheel", "two", "2.0", {"packages/pypi/two.whl"});
  auto second = first;
  second.files[0].digest = sha256("built again");
  auto one = artifact("wheel", "one", "1.0", {"packages/pypi/one.whl"});
  one.needs = {"wheel:absent@1", "wheel:two@2.0"};
  return {second, first, one, first};
}

TEST(Bills, TellContentsOfOneIdApart) {
  const auto bom = parse_json(write_sbom("store", of_a_store()));
  ASSERT_EQ(bom["components"].size(), 3u);
  std::set<std::string> refs;
  for (const auto& component : bom["components"]) refs.insert(component["bom-ref"]);
  EXPECT_EQ(refs.size(), 3u);
  EXPECT_TRUE(refs.contains("wheel:one@1.0")) << "what is there once is called by its id";
  const auto& needs = bom["dependencies"][0]["dependsOn"];
  EXPECT_EQ(needs.size(), 2u);
  for (const auto& ref : needs) EXPECT_TRUE(refs.contains(ref.get<std::string>())) << ref;

  const auto document = parse_json(write_spdx("store", of_a_store()));
  std::set<std::string> ids, sums;
  for (const auto& package : document["packages"]) {
    ids.insert(package["SPDXID"]);
    sums.insert(package["checksums"][0]["checksumValue"]);
  }
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_EQ(sums.size(), 3u);
  for (const auto& relationship : document["relationships"])
    EXPECT_TRUE(ids.contains(relationship["relatedSpdxElement"].get<std::string>())) << relationship;
  auto turned = of_a_store();
  std::reverse(turned.begin(), turned.end());
  EXPECT_EQ(write_sbom("store", turned), write_sbom("store", of_a_store()));
  EXPECT_EQ(write_spdx("store", turned), write_spdx("store", of_a_store()));
}

TEST(Spdx, AnotherContentIsAnotherDocument) {
  const auto nobody = parse_json(write_spdx("demo", sample()));
  const auto inspected = parse_json(write_spdx("demo", sample(), facts_of));
  EXPECT_NE(nobody["documentNamespace"], inspected["documentNamespace"]);
}

TEST(Bills, CallKindsAlike) {
  for (const auto* kind : {"apt-index", "rpm-index", "rpm-key", "advisories", "dataset"}) {
    const std::vector<Artifact> one = {artifact(kind, "x", "1", {"x"})};
    EXPECT_EQ(parse_json(write_sbom("demo", one))["components"][0]["type"], "data") << kind;
    EXPECT_EQ(parse_json(write_spdx("demo", one))["packages"][0]["primaryPackagePurpose"], "OTHER") << kind;
  }
}

TEST(PackageUrl, OfADebNamesTheVendorThatItsArchiveStates) {
  auto deb = artifact("deb", "libc6:i386", "2.36-9+deb12u4", {"packages/apt/libc6.deb"});
  EXPECT_EQ(package_url(deb), "pkg:deb/libc6@2.36-9%2Bdeb12u4") << "nobody said whose it is";
  deb.facts = {{"architecture", "i386"}};
  deb.files[0].evidence = {{"apt-release", {{"origin", "Debian"}, {"codename", "bookworm"}}}};
  EXPECT_EQ(package_url(deb), "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=i386&distro=bookworm");
  deb.files[0].evidence = {{"apt-release", {{"origin", "Ubuntu"}}}};
  EXPECT_EQ(package_url(deb), "pkg:deb/ubuntu/libc6@2.36-9%2Bdeb12u4?arch=i386");
  deb.files[0].evidence = {{"apt-release", {{"origin", "A team/x"}, {"codename", "stable"}}}};
  EXPECT_EQ(package_url(deb), "pkg:deb/libc6@2.36-9%2Bdeb12u4?arch=i386");
}

TEST(PackageUrl, AChartIsOfTheRepositoryThatNamedIt) {
  Artifact chart{.kind = "chart", .name = "storage", .version = "1.2.0+b.1"};
  chart.files.push_back({RelPath::parse("charts/storage.tgz"), 1, sha256("x"), "https://cdn.example/storage.tgz", {}});
  EXPECT_EQ(package_url(chart), "pkg:helm/storage@1.2.0%2Bb.1");
  chart.files[0].evidence = {{"index-hash", {{"index", "https://charts.example/stable/index.yaml"}}}};
  EXPECT_EQ(package_url(chart), "pkg:helm/storage@1.2.0%2Bb.1?repository_url=https%3A//charts.example/stable");
}

TEST(PackageUrl, OfAnRpmHasOnlyQualifiersWithAValue) {
  auto rpm = artifact("rpm", "bash", "5.2-1.el9", {"packages/rpm/bash.rpm"});
  EXPECT_EQ(package_url(rpm), "pkg:rpm/bash@5.2-1.el9");
  rpm.version = "1:5.2-1.el9";
  EXPECT_EQ(package_url(rpm), "pkg:rpm/bash@5.2-1.el9?epoch=1");
  rpm.facts = {{"architecture", "i686"}};
  rpm.name = "bash.i686";
  EXPECT_EQ(package_url(rpm), "pkg:rpm/bash@5.2-1.el9?arch=i686&epoch=1");
}

TEST(PackageUrl, OfAnImageHasItsDigestForAVersion) {
  const auto digest = sha256("manifest");
  auto image = artifact("image", "library/Nginx", "1.25", {"images/blobs/sha256/x"});
  EXPECT_EQ(package_url(image), "pkg:oci/nginx?tag=1.25") << "a tag is no version";
  image.facts = {{"ref", "registry.example:5000/library/nginx:1.25"}, {"manifest", {{"digest", digest.text()}}}};
  EXPECT_EQ(package_url(image), "pkg:oci/nginx@sha256%3A" + digest.hex() +
                                    "?repository_url=registry.example%3A5000/library/nginx&tag=1.25");
  image.facts["ref"] = "/media/nginx.tar";
  EXPECT_EQ(package_url(image), "pkg:oci/nginx@sha256%3A" + digest.hex() + "?tag=1.25");
  image.version = digest.text();
  image.facts = {{"ref", "registry.example/nginx@" + digest.text()}};
  EXPECT_EQ(package_url(image), "pkg:oci/nginx@sha256%3A" + digest.hex() + "?repository_url=registry.example/nginx");
}

TEST(Licenses, AreWrittenAsSpdxDoes) {
  EXPECT_EQ(spdx_license_id("apache-2.0"), "Apache-2.0");
  EXPECT_EQ(spdx_license_id(" MIT "), "MIT");
  EXPECT_EQ(spdx_license_id(""), std::nullopt);
  EXPECT_EQ(spdx_license_id("llama3.1"), std::nullopt);
  EXPECT_EQ(spdx_license_expression("MIT/Apache-2.0"), "MIT OR Apache-2.0");
  EXPECT_EQ(spdx_license_expression("(mit or X)"), std::nullopt) << "operators are upper case";
  EXPECT_EQ(spdx_license_expression("Apache-2.0 WITH LLVM-exception OR (MIT AND isc)"),
            "Apache-2.0 WITH LLVM-exception OR (MIT AND ISC)");
  for (const auto* text : {"", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT MIT", "MIT WITH", "MIT WITH Foo", "()", "/"})
    EXPECT_EQ(spdx_license_expression(text), std::nullopt) << text;
  EXPECT_EQ(spdx_license_expression(std::string(500, '(') + "MIT" + std::string(500, ')')), std::nullopt);
}

TEST(StatedLicense, IsThatOfTheEcosystemElseOfTheArtifactItselfElseOfItsCard) {
  const auto model = sample()[0], wheel = sample()[1];
  EXPECT_EQ(stated_license(wheel, {{"license", "other"}}), "MIT OR apache-2.0");
  EXPECT_EQ(stated_license(model, {{"license", "mit"}, {"card", {{"license", "gpl"}}}}), "mit");
  EXPECT_EQ(stated_license(model, facts_of(model)), "llama3.1");
  EXPECT_EQ(stated_license(model, {{"card", "none"}}), "");
  EXPECT_EQ(stated_license(model, Json()), "");
}

}  // namespace
}  // namespace liftlock
