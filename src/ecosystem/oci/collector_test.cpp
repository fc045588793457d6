#include "ecosystem/oci/collector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "ecosystem/oci/inspector.hpp"
#include "ecosystem/oci/registry_harness_test.hpp"
#include "ecosystem/oci/sample_image_test.hpp"

namespace liftlock::oci {
namespace {

using sample::tar;
using testing::HasSubstr;
using testing::Not;

/// An image for two platforms, one more for one platform, a cosign signature and an SBOM that refers to the first.
struct Upstream {
  Upstream() {
    const auto base = tar({{"etc/motd", "hello"}, {"./bin/", "", '5'}});
    amd = blobs.image({base, tar({{"a", "amd"}})});
    arm = blobs.image({base, tar({{"a", "arm"}})}, "arm64");
    root = blobs.index({amd, arm});
    const auto payload = blobs.add("signed payload", "application/vnd.dev.cosign.simplesigning.v1+json");
    signature = blobs.manifest(blobs.config({}), {payload});
    const auto empty = blobs.add("{}", "application/vnd.oci.empty.v1+json");
    sbom = blobs.manifest(empty, {empty},
                          {{"artifactType", "application/spdx+json"}, {"subject", descriptor_json(named(amd))}});
    sbom.artifact_type = "application/spdx+json";
  }
  static Descriptor named(Descriptor descriptor, const std::string& name = {}) {
    descriptor.platform.reset();
    descriptor.annotations.clear();
    if (!name.empty()) descriptor.annotations["org.opencontainers.image.ref.name"] = name;
    return descriptor;
  }
  /// As an OCI layout folder.
  void write(const fs::path& folder) const {
    make_folders(folder / "blobs/sha256");
    for (const auto& [digest, bytes] : blobs.all) write_file_atomically(folder / "blobs/sha256" / digest.hex(), bytes);
    auto list = Json::array();
    const auto signature_name = "sha256-" + root.digest.hex() + ".sig";
    for (const auto& entry : {named(root, "1.0"), named(root, "latest"), named(amd, "single"),
                              named(signature, signature_name), named(sbom)}) {
      list.push_back(descriptor_json(entry));
    }
    write_file_atomically(folder / "index.json", dump_json({{"schemaVersion", 2}, {"manifests", list}}));
    write_file_atomically(folder / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  }
  sample::Blobs blobs;
  Descriptor amd = sample::blank(), arm = amd, root = amd, signature = amd, sbom = amd;
};

class ImageCollectorTest : public testing::Test {
 protected:
  ImageCollectorTest() {
    upstream.write(m_folder.path() / "up");
    fs::create_directory(m_folder.path() / "scratch");
  }

  static StackEntry entry(Json values) { return {"image", "app", std::move(values), sha256("")}; }
  Collected resolve(Json values) { return collector.resolve(entry(std::move(values)), context); }
  /// Resolves, fetches and inspects: what `lock`, `fetch` and `inspect` do.
  Artifact bring(const Json& values) {
    auto artifact = resolve(values).artifacts.at(0);
    downloader.fetch(collector.plan(artifact, entry(values), context));
    EXPECT_EQ(artifact_from_json(to_json(artifact)), artifact);
    std::vector<UniqueFd> files;
    std::vector<int> fds;
    for (const auto& file : artifact.files) {
      files.push_back(store.open(file.digest));
      fds.push_back(files.back().get());
    }
    for (const auto& finding : ImageInspector().inspect(artifact, fds).findings)
      ADD_FAILURE() << finding.path << ": " << finding.message;
    return artifact;
  }
  Error refusal(const Json& values) {
    try {
      bring(values);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "it was accepted";
    return Error(ErrorCode::internal, "");
  }
  Json from(const std::string& host, const std::string& version = ":1.0") {
    return {{"source", "docker://" + host + "/team/app" + version}, {"insecure", true}, {"authfile", "auth.json"}};
  }
  void log_in(const std::string& key, const std::string& login = "user:secret") {
    write_file_atomically(m_folder.path() / "auth.json",
                          dump_json({{"auths", {{key, {{"auth", encode_base64(as_bytes(login))}}}}}}));
  }

  TemporaryFolder m_folder;
  Upstream upstream;
  BlobStore store{m_folder.path() / "store"};
  Downloader downloader{store, silent_reporter(), {.attempts = 2}};
  CollectContext context{store,        downloader, silent_reporter(), m_folder.path(), m_folder.path() / "scratch",
                         "linux/amd64"};
  ImageCollector collector;
};

class ImagesOfARegistry : public ImageCollectorTest {
 protected:
  void SetUp() override {
    if (!find_program("docker-registry")) GTEST_SKIP() << "docker-registry is not installed";
  }
};

TEST_F(ImagesOfARegistry, BringsOnePlatformOfATagWithItsSignaturesFromARegistry) {
  const harness::Registry registry(m_folder.path());
  registry.push(m_folder.path() / "up", "team/app");
  const auto collected = resolve(from(registry.host()));
  EXPECT_THAT(collected.notes, testing::Contains(fmt::format("tag 1.0 of {}/team/app is pinned to {}", registry.host(),
                                                             upstream.root.digest.text())));
  const auto artifact = bring(from(registry.host()));
  EXPECT_EQ(artifact, collected.artifacts.at(0));
  EXPECT_EQ(artifact.id(), "image:team/app@1.0");
  EXPECT_EQ(artifact.license, "MIT");
  const auto facts = parse_image_facts(artifact.facts);
  EXPECT_EQ(facts.manifest, Upstream::named(upstream.root));
  EXPECT_EQ(facts.platforms, std::vector<std::string>{"linux/amd64"});
  EXPECT_EQ(facts.left_out, std::vector<Digest>{upstream.arm.digest});
  ASSERT_EQ(facts.referrers.size(), 1u);
  EXPECT_EQ(facts.referrers[0].tag, "sha256-" + upstream.root.digest.hex() + ".sig");
  EXPECT_EQ(artifact.files[0].evidence.at(0).type, "registry-digest");
  const auto before = downloader.requests();
  EXPECT_TRUE(collector.plan(artifact, entry(from(registry.host())), context).empty());
  EXPECT_EQ(downloader.requests(), before);
}

TEST_F(ImagesOfARegistry, TakesAllPlatformsADigestAndANameOfOurOwn) {
  const harness::Registry registry(m_folder.path());
  registry.push(m_folder.path() / "up", "team/app");
  auto values = from(registry.host(), "@" + upstream.root.digest.text());
  values["platforms"] = {"all"};
  values["name"] = "vendor/app";
  const auto artifact = bring(values);
  EXPECT_EQ(artifact.id(), "image:vendor/app@" + upstream.root.digest.text());
  EXPECT_EQ(parse_image_facts(artifact.facts).platforms, (std::vector<std::string>{"linux/amd64", "linux/arm64"}));
  EXPECT_EQ(bring(from(registry.host(), ":single")).version, "single");
}

TEST_F(ImagesOfARegistry, RefusesMovingTagsMissingPlatformsAndMissingImages) {
  const harness::Registry registry(m_folder.path());
  registry.push(m_folder.path() / "up", "team/app");
  const auto moving = refusal(from(registry.host(), ":latest"));
  EXPECT_EQ(moving.code(), ErrorCode::moving_tag);
  EXPECT_THAT(std::string(moving.hint()), HasSubstr(upstream.root.digest.text()));
  auto allowed = from(registry.host(), ":latest");
  allowed["moving_tag"] = true;
  EXPECT_EQ(bring(allowed).version, "latest");
  auto elsewhere = from(registry.host());
  elsewhere["platforms"] = {"linux/amd64", "linux/s390x"};
  EXPECT_THAT(refusal(elsewhere).what(), HasSubstr("no image for linux/s390x; it has linux/amd64, linux/arm64"));
  auto single = from(registry.host(), ":single");
  single["platforms"] = {"linux/arm64"};
  EXPECT_EQ(refusal(single).code(), ErrorCode::unresolvable);
  EXPECT_EQ(refusal(from(registry.host(), ":absent")).code(), ErrorCode::http_status);
}

TEST_F(ImageCollectorTest, DoesNotRepeatAPassword) {
  for (const auto* source : {"docker://user:s3cret@registry.example/a:1", "oci://user:s3cret@registry.example/a:1",
                             "https://user:s3cret@registry.example/a"}) {
    const auto error = refusal({{"source", source}});
    EXPECT_EQ(error.code(), ErrorCode::stack_invalid) << source;
    EXPECT_THAT(std::string(error.what()), testing::HasSubstr("user name or password")) << source;
    EXPECT_THAT(error.what() + std::string(error.hint()), testing::Not(testing::HasSubstr("s3cret")));
    EXPECT_THAT(std::string(error.hint()), testing::HasSubstr("authfile")) << source;
  }
  EXPECT_THAT(std::string(refusal({{"source", "docker://app@" + upstream.root.digest.text()}}).what()),
              testing::HasSubstr("names no registry"));
}

TEST_F(ImagesOfARegistry, LogsInWithTokensThatItRenews) {
  const harness::Registry registry(m_folder.path());
  registry.push(m_folder.path() / "up", "team/app");
  const harness::Front front(m_folder.path(), registry, "token");
  log_in("https://" + front.host() + "/v1/");
  const auto artifact = resolve(from(front.host())).artifacts.at(0);
  const auto jobs = collector.plan(artifact, entry(from(front.host())), context);
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  downloader.fetch(jobs);
  EXPECT_THAT(front.log(), HasSubstr("/token?scope=repository%3Ateam/app%3Apull&service=front%2C%20the Basic"));
  EXPECT_THAT(front.log(), Not(HasSubstr("/v2/team/app/manifests/1.0 Basic")));
  EXPECT_THAT(front.log(), HasSubstr("/v2/team/app/blobs/"));
}

TEST_F(ImagesOfARegistry, LogsInWithAPasswordAndSaysWhatToDoWithoutOne) {
  const harness::Registry registry(m_folder.path());
  registry.push(m_folder.path() / "up", "team/app");
  const harness::Front front(m_folder.path(), registry, "basic");
  log_in(front.host() + "/team");
  bring(from(front.host()));
  log_in("elsewhere.example");
  const auto none = refusal(from(front.host()));
  EXPECT_THAT(none.what(), HasSubstr("asks for a login"));
  EXPECT_THAT(std::string(none.hint()), HasSubstr("skopeo login " + front.host()));
  log_in(front.host(), "user:wrong");
  const auto wrong = refusal(from(front.host()));
  EXPECT_THAT(wrong.what(), HasSubstr("401"));
  EXPECT_THAT(wrong.what(), Not(HasSubstr("wrong")));
}

TEST_F(ImagesOfARegistry, FindsWhatTheReferrersApiAndItsFallbackTagList) {
  const harness::Registry registry(m_folder.path());
  registry.push(m_folder.path() / "up", "team/app");
  const Json listed = {{upstream.amd.digest.text(),
                        {{"schemaVersion", 2},
                         {"mediaType", media::oci_index},
                         {"manifests", Json::array({descriptor_json(upstream.sbom)})}}}};
  write_file_atomically(m_folder.path() / "referrers.json", dump_json(listed));
  const harness::Front front(m_folder.path(), registry, "open", (m_folder.path() / "referrers.json").string());
  const auto by_api = parse_image_facts(bring(from(front.host())).facts).referrers;
  ASSERT_EQ(by_api.size(), 2u);

  // The registry itself does not know the API: the tag schema stands in.
  auto fallback = upstream.blobs;
  const auto index = fallback.index({upstream.sbom});
  const auto folder = m_folder.path() / "fallback";
  make_folders(folder / "blobs/sha256");
  for (const auto& [digest, bytes] : fallback.all) write_file_atomically(folder / "blobs/sha256" / digest.hex(), bytes);
  write_file_atomically(
      folder / "index.json",
      dump_json({{"manifests", {descriptor_json(Upstream::named(index, "sha256-" + upstream.amd.digest.hex()))}}}));
  registry.push(folder, "team/app");
  const auto by_tag = parse_image_facts(bring(from(registry.host())).facts).referrers;
  ASSERT_EQ(by_tag.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(by_tag[i].manifest, by_api[i].manifest);
}

TEST_F(ImageCollectorTest, ReadsLayoutFoldersWithTheirSignatures) {
  EXPECT_THAT(refusal({{"source", "oci:up"}}).what(), HasSubstr("one must be named"));
  const auto artifact = bring({{"source", "oci:up:1.0"}, {"name", "team/app"}});
  EXPECT_EQ(artifact.id(), "image:team/app@1.0");
  EXPECT_EQ(parse_image_facts(artifact.facts).referrers.size(), 2u);
  EXPECT_EQ(artifact.files[0].origin, "up/blobs/sha256/" + artifact.files[0].digest.hex());
  EXPECT_EQ(collector.input_files(entry({{"source", "oci:up:1.0"}}), {}).at(0), "up/index.json");
  write_file_atomically(m_folder.path() / "up/blobs/sha256" / upstream.root.digest.hex(), "{}");
  EXPECT_EQ(refusal({{"source", "oci:up:1.0"}}).code(), ErrorCode::size_mismatch);
}

TEST_F(ImageCollectorTest, ReadsWhatSkopeoSavesAsADockerArchive) {
  ASSERT_TRUE(find_program("skopeo")) << "apt-get install skopeo";
  const auto file = (m_folder.path() / "app.tar").string();
  run_process_checked(
      {.argv = {"skopeo", "--insecure-policy", "copy", "oci:" + (m_folder.path() / "up").string() + ":single",
                "docker-archive:" + file + ":registry.example/team/app:1.0"}});
  const auto artifact = bring({{"source", "docker-archive:app.tar"}});
  EXPECT_EQ(artifact.id(), "image:team/app@1.0");
  const auto made = parse_image_facts(artifact.facts).manifest;
  const auto manifest = std::get<Manifest>(parse_manifest(read_file(store.path(made.digest), 1u << 20)));
  EXPECT_EQ(manifest.layers.at(0).media_type, media::oci_layer);
  EXPECT_EQ(bring({{"source", "docker-archive:app.tar:registry.example/team/app:1.0"}}),
            bring({{"source", "docker-archive:app.tar:registry.example/team/app:1.0"}}));
  EXPECT_THAT(std::string(refusal({{"source", "docker-archive:app.tar:other:2"}}).hint()),
              HasSubstr("registry.example/team/app:1.0"));
}

TEST_F(ImageCollectorTest, ReadsArchivesOfOldAndNewDocker) {
  const auto one = tar({{"a", "1"}}), two = tar({{"b", "2"}});
  sample::Blobs blobs;
  const auto config = blobs.config({one, two, one});
  const auto config_bytes = blobs.all.at(config.digest);
  const Json old_list = {{{"Config", config.digest.hex() + ".json"},
                          {"RepoTags", {"app:1"}},
                          {"Layers", {"x/layer.tar", "y/layer.tar", "z/layer.tar"}}}};
  const auto old = tar({{"x/", "", '5'},
                        {"x/layer.tar", one},
                        {"y/layer.tar", two},
                        {"z/layer.tar", "", '2', "../x/layer.tar"},
                        {config.digest.hex() + ".json", config_bytes},
                        {"manifest.json", old_list.dump()}});
  write_file_atomically(m_folder.path() / "old.tar", old);
  write_file_atomically(m_folder.path() / "old.tgz", sample::gzip(old));
  const auto artifact = bring({{"source", "docker-archive:old.tar"}});
  EXPECT_EQ(artifact.files.size(), 4u);
  EXPECT_EQ(parse_image_facts(bring({{"source", "docker-archive:old.tgz"}}).facts).manifest,
            parse_image_facts(artifact.facts).manifest);

  const auto image = blobs.image({one, two});
  const auto parsed = std::get<Manifest>(parse_manifest(blobs.all.at(image.digest)));
  std::vector<sample::Entry> entries = {{"oci-layout", R"({"imageLayoutVersion":"1.0.0"})"}};
  const auto path = [](const Descriptor& blob) { return "blobs/sha256/" + blob.digest.hex(); };
  Json new_list = {{{"Config", path(parsed.config)}, {"RepoTags", {"app:2"}}, {"Layers", Json::array()}}};
  for (const auto& layer : parsed.layers) new_list[0]["Layers"].push_back(path(layer));
  for (const auto& [digest, bytes] : blobs.all) entries.push_back({"blobs/sha256/" + digest.hex(), bytes});
  entries.push_back(
      {"index.json", dump_json_line({{"schemaVersion", 2}, {"manifests", {descriptor_json(Upstream::named(image))}}})});
  entries.push_back({"manifest.json", new_list.dump()});
  write_file_atomically(m_folder.path() / "new.tar", tar(entries));
  EXPECT_EQ(parse_image_facts(bring({{"source", "docker-archive:new.tar"}}).facts).manifest, Upstream::named(image));
}

TEST_F(ImageCollectorTest, RefusesArchivesThatLie) {
  const auto good = tar({{"a", "1"}});
  sample::Blobs blobs;
  const auto config = blobs.all.at(blobs.config({good}).digest);
  const auto list = [](const std::string& layer) {
    return Json{{{"Config", "c.json"}, {"RepoTags", nullptr}, {"Layers", {layer}}}}.dump();
  };
  const auto refused = [&](const std::vector<sample::Entry>& entries) {
    write_file_atomically(m_folder.path() / "evil.tar", tar(entries));
    return info(refusal({{"source", "docker-archive:evil.tar"}}).code()).slug;
  };
  EXPECT_EQ(refused({{"c.json", config}, {"l.tar", tar({{"a", "2"}})}, {"manifest.json", list("l.tar")}}),
            "digest-mismatch");
  EXPECT_EQ(refused({{"c.json", config}, {"manifest.json", list("gone.tar")}}), "image-malformed");
  EXPECT_EQ(refused({{"c.json", config}, {"l.tar", good}, {"l.tar", good}, {"manifest.json", list("l.tar")}}),
            "image-malformed");
  EXPECT_EQ(refused({{"l.tar", "", '2', "../../etc/shadow"}, {"manifest.json", list("l.tar")}}), "path-unsafe");
  EXPECT_EQ(refused({{"l.tar", "", '2', "l.tar"}, {"c.json", config}, {"manifest.json", list("l.tar")}}),
            "image-malformed");
  EXPECT_EQ(refused({{"x", "y"}}), "unresolvable");
}

}  // namespace
}  // namespace liftlock::oci
