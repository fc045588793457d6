// Images of docker save, OCI layouts, and the hauls of Hauler.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "intake/foreign_packages.hpp"
#include "intake/import_fixture.hpp"

namespace liftlock {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

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

}  // namespace
}  // namespace liftlock
