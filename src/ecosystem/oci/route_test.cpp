#include "ecosystem/oci/route.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "ecosystem/oci/mirror_index.hpp"
#include "ecosystem/oci/sample_image_test.hpp"
#include "net/server.hpp"
#include "os/process.hpp"

namespace liftlock::oci {
namespace {

constexpr std::string_view k_sbom = "application/spdx+json";

/// One image for amd64 of an index of two, its SBOM and its cosign signature, and a second repository.
class ImageRouteTest : public testing::Test {
 protected:
  ImageRouteTest() {
    const auto layer = sample::tar({{"etc/motd", "hello"}});
    amd = m_blobs.image({layer});
    sample::Blobs elsewhere;
    arm = elsewhere.image({layer}, "arm64");
    root = m_blobs.index({amd, arm});
    const auto empty = m_blobs.add("{}", "application/vnd.oci.empty.v1+json");
    sbom = m_blobs.manifest(
        empty, {empty}, {{"artifactType", k_sbom}, {"subject", descriptor_json(root)}, {"annotations", {{"a", "b"}}}});
    signature = m_blobs.manifest(m_blobs.config({}),
                                 {m_blobs.add("payload", "application/vnd.dev.cosign.simplesigning.v1+json")});
    auto app = sample::artifact(m_blobs, root);
    signature_tag = "sha256-" + root.digest.hex() + ".sig";
    app.facts = image_facts_json({"registry.example:5000/team/app:1.0",
                                  root,
                                  {"linux/amd64"},
                                  {arm.digest},
                                  {{sbom, root.digest, ""}, {signature, root.digest, signature_tag}}});
    sample::Blobs others;
    other = others.image({sample::tar({{"x", "secret"}})});
    auto more = sample::artifact(others, other, "other", "2");
    more.facts["ref"] = "docker-archive:x.tar:other:2";
    for (const auto& blobs : {m_blobs, others}) {
      for (const auto& [digest, bytes] : blobs.all) m_store.put(bytes);
    }
    auto view = std::make_shared<MirrorView>();
    view->artifacts = {{app, "main", 1, {}}, {more, "main", 1, {}}};
    route = make_image_route(view, {m_store, {}, {}, {}});
  }

  HttpResponse get(std::string_view path, std::string_view query = {}, std::string_view method = "GET") const {
    HttpRequest request{};
    request.method = method;
    request.path = path;
    request.query = query;
    request.header = [](std::string_view) { return std::string_view(); };
    return route->handle(request);
  }
  static std::string body(const HttpResponse& response) {
    if (const auto* text = std::get_if<std::string>(&response.body)) return *text;
    const auto& file = std::get<FileBody>(response.body);
    return read_all(file.file->get(), 1u << 20, "body");
  }
  static std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return {};
  }
  static std::string code(const HttpResponse& response) {
    return fmt::format("{} {}", response.status, parse_json(body(response))["errors"][0]["code"].get<std::string>());
  }

  TemporaryFolder m_folder;
  BlobStore m_store{m_folder.path()};
  sample::Blobs m_blobs;
  Descriptor amd = sample::blank(), arm = amd, root = amd, sbom = amd, signature = amd, other = amd;
  std::string signature_tag;
  std::unique_ptr<const Route> route;
};

TEST_F(ImageRouteTest, ServesManifestsByTagAndDigestWithTheirOwnBytes) {
  EXPECT_EQ(get("/v2/").status, 200);
  for (const auto& reference : {std::string("1.0"), root.digest.text()}) {
    const auto answer = get("/v2/team/app/manifests/" + reference);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(body(answer), m_blobs.all.at(root.digest));
    EXPECT_EQ(header(answer, "Docker-Content-Digest"), root.digest.text());
    EXPECT_EQ(header(answer, "Content-Type"), media::oci_index);
    EXPECT_EQ(answer.audit_subject, root.digest.text());
  }
  EXPECT_EQ(header(get("/v2/team/app/manifests/" + amd.digest.text()), "Content-Type"), media::oci_manifest);
  EXPECT_EQ(get("/v2/team/app/manifests/" + signature_tag).status, 200);
}

TEST_F(ImageRouteTest, AnswersUnderTheNameOfTheUpstreamToo) {
  EXPECT_EQ(get("/v2/registry.example_5000/team/app/manifests/1.0").status, 200);
  EXPECT_EQ(get("/v2/team/app/manifests/1.0", "ns=registry.example%3A5000").status, 200);
  EXPECT_EQ(get("/v2/team/app/manifests/1.0", "ns=elsewhere.example").status, 200);
}

TEST_F(ImageRouteTest, SpeaksTheErrorsOfTheProtocol) {
  EXPECT_EQ(code(get("/v2/nobody/manifests/1.0")), "404 NAME_UNKNOWN");
  EXPECT_EQ(code(get("/v2/No_Body/manifests/1.0")), "400 NAME_INVALID");
  EXPECT_EQ(code(get("/v2/team/app/manifests/9")), "404 MANIFEST_UNKNOWN");
  EXPECT_EQ(code(get("/v2/team/app/manifests/" + arm.digest.text())), "404 MANIFEST_UNKNOWN");
  EXPECT_EQ(code(get("/v2/team/app/manifests/sha512:00")), "400 DIGEST_INVALID");
  EXPECT_EQ(code(get("/v2/team/app/blobs/" + sha256("absent").text())), "404 BLOB_UNKNOWN");
  EXPECT_EQ(code(get("/v2/x")), "404 NAME_UNKNOWN");
  EXPECT_EQ(code(get("/v2//")), "404 NAME_UNKNOWN");
  EXPECT_EQ(code(get("/v2/team/app/manifests/1.0", "", "PUT")), "405 UNSUPPORTED");
}

TEST_F(ImageRouteTest, ServesABlobOnlyInARepositoryThatHoldsIt) {
  const auto layer = std::get<Manifest>(parse_manifest(m_blobs.all.at(amd.digest))).layers[0].digest;
  EXPECT_EQ(get("/v2/team/app/blobs/" + layer.text()).status, 200);
  EXPECT_EQ(body(get("/v2/team/app/blobs/" + layer.text())), m_blobs.all.at(layer));
  EXPECT_EQ(code(get("/v2/other/blobs/" + layer.text())), "404 BLOB_UNKNOWN");
  EXPECT_EQ(code(get("/v2/team/app/manifests/" + other.digest.text())), "404 MANIFEST_UNKNOWN");
}

TEST_F(ImageRouteTest, ListsReferrersAndFiltersThem) {
  const auto path = "/v2/team/app/referrers/" + root.digest.text();
  const auto all = parse_json(body(get(path)));
  ASSERT_EQ(all["manifests"].size(), 1u);
  EXPECT_EQ(all["manifests"][0]["artifactType"], k_sbom);
  EXPECT_EQ(all["manifests"][0]["annotations"]["a"], "b");
  const auto filtered = get(path, "artifactType=application%2Fother");
  EXPECT_EQ(header(filtered, "OCI-Filters-Applied"), "artifactType");
  EXPECT_TRUE(parse_json(body(filtered))["manifests"].empty());
  const auto none = get("/v2/other/referrers/" + root.digest.text());
  EXPECT_EQ(none.status, 200);
  EXPECT_EQ(header(none, "Content-Type"), media::oci_index);
}

TEST_F(ImageRouteTest, PagesTagsAndTheCatalog) {
  const auto first = get("/v2/team/app/tags/list", "n=1");
  EXPECT_EQ(parse_json(body(first)), Json({{"name", "team/app"}, {"tags", {"1.0"}}}));
  EXPECT_EQ(header(first, "Link"), "</v2/team/app/tags/list?n=1&last=1.0>; rel=\"next\"");
  EXPECT_EQ(parse_json(body(get("/v2/team/app/tags/list", "n=1&last=1.0")))["tags"], Json::array({signature_tag}));
  EXPECT_EQ(parse_json(body(get("/v2/_catalog")))["repositories"],
            Json::array({"other", "registry.example_5000/team/app", "team/app"}));
  EXPECT_EQ(parse_json(body(get("/v2/_catalog", "n=0")))["repositories"], Json::array());
}

TEST_F(ImageRouteTest, WritesConfigurationForTheClients) {
  const auto text = route->client_configuration("http://mirror.example:8080");
  EXPECT_NE(text.find("[host.\"http://mirror.example:8080/v2/registry.example_5000\"]"), std::string::npos) << text;
  EXPECT_NE(text.find("location = \"mirror.example:8080/registry.example_5000\"\ninsecure = true"), std::string::npos);
  EXPECT_NE(text.find("docker pull mirror.example:8080/other:2"), std::string::npos);
}

TEST_F(ImageRouteTest, GoesOnWithoutWhatWasWithheld) {
  m_store.remove(amd.digest);
  sample::Blobs blobs;
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {{sample::artifact(m_blobs, root), "main", 1, {}}};
  route = make_image_route(view, {m_store, {}, {}, {}});
  EXPECT_EQ(get("/v2/team/app/manifests/1.0").status, 200);
  EXPECT_EQ(code(get("/v2/team/app/manifests/" + amd.digest.text())), "404 MANIFEST_UNKNOWN");
}

TEST_F(ImageRouteTest, IsPulledFromBySkopeoUnderBothNames) {
  ASSERT_TRUE(find_program("skopeo")) << "apt-get install skopeo";
  HttpServer server({}, [&](const HttpRequest& request) { return route->handle(request); });
  server.start();
  const auto mirror = server.url().substr(server.url().find("://") + 3);
  const auto skopeo = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"skopeo", "--insecure-policy", "--override-os", "linux", "--override-arch", "amd64"});
    return run_process({.argv = std::move(words)});
  };
  const auto out = m_folder.path() / "out";
  const auto direct =
      skopeo({"copy", "--src-tls-verify=false", "docker://" + mirror + "/team/app:1.0", "oci:" + out.string() + ":x"});
  ASSERT_EQ(direct.status, 0) << direct.error_output;
  EXPECT_TRUE(fs::exists(out / "blobs/sha256" / amd.digest.hex()));
  const auto raw =
      skopeo({"inspect", "--raw", "--tls-verify=false", "docker://" + mirror + "/team/app@" + root.digest.text()});
  EXPECT_EQ(raw.output, m_blobs.all.at(root.digest)) << raw.error_output;

  // What client_configuration says for podman, as it stands there.
  const auto text = route->client_configuration(server.url());
  const auto begin = text.find("[[registry]]"), end = text.find("\n\n", begin);
  ASSERT_NE(begin, std::string::npos);
  const auto conf = m_folder.path() / "registries.conf";
  write_file_atomically(conf, text.substr(begin, end - begin) + "\n");
  const auto mirrored =
      skopeo({"--registries-conf", conf.string(), "inspect", "--raw", "docker://registry.example:5000/team/app:1.0"});
  EXPECT_EQ(mirrored.output, m_blobs.all.at(root.digest)) << mirrored.error_output;

  const auto all = skopeo({"copy", "--all", "--src-tls-verify=false", "docker://" + mirror + "/team/app:1.0",
                           "dir:" + (m_folder.path() / "all").string()});
  EXPECT_NE(all.status, 0) << "the image for arm64 stayed behind";
  server.stop(std::chrono::milliseconds(100));
}

}  // namespace
}  // namespace liftlock::oci
