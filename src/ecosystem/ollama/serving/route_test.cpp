// The route, asked directly as Ollama's client asks; tests/interop/ollama_online_test.sh lets the real one pull.
#include "ecosystem/ollama/serving/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/ollama/manifest.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::ollama {
namespace {

using testing::HasSubstr;

class OllamaRouteTest : public testing::Test {
 protected:
  OllamaRouteTest() : m_blobs(m_folder.path() / "store") {
    const auto gguf = (m_folder.path() / "tiny.gguf").string();
    ProcessSpec spec;
    spec.argv = {"python3", LIFTLOCK_SOURCE_DIR "/tests/tools/make_model.py", "gguf", gguf};
    run_process_checked(spec);
    m_gguf = read_file(gguf, 64u << 20);
    auto view = std::make_shared<MirrorView>();
    for (const auto* version : {"1", "2"}) {
      Artifact tiny;
      tiny.kind = "model";
      tiny.name = "ti+ny";
      tiny.version = version;
      tiny.files.push_back({RelPath::parse("models/ti+ny/LICENSE"), 1, m_blobs.put(version), {}, {}});
      tiny.files.push_back({RelPath::parse("models/ti+ny/tiny.gguf"), m_gguf.size(), m_blobs.put(m_gguf), {}, {}});
      view->artifacts.push_back({tiny, "demo", 1, Timestamp(std::chrono::seconds(version[0]))});
    }
    Artifact broken;
    broken.kind = "model";
    broken.name = "broken";
    broken.version = "1";
    broken.files.push_back({RelPath::parse("models/broken/x.gguf"), 4, m_blobs.put("GGUF"), {}, {}});
    view->artifacts.push_back({broken, "demo", 1, {}});
    m_route = make_ollama_route(view, RouteEnvironment{m_blobs, {}, {}, {}});
  }
  HttpResponse get(std::string_view path) const {
    HttpRequest request{};
    request.method = "GET";
    request.path = request.raw_path = path;
    request.header = [](std::string_view) { return std::string_view{}; };
    return m_route->handle(request);
  }
  static std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return {};
  }
  static std::string body(const HttpResponse& response) {
    if (const auto* text = std::get_if<std::string>(&response.body)) return *text;
    if (const auto* shared = std::get_if<std::shared_ptr<const std::string>>(&response.body)) return **shared;
    return read_all(std::get<FileBody>(response.body).file->get(), 64u << 20, "a body");
  }

  TemporaryFolder m_folder;
  BlobStore m_blobs;
  std::string m_gguf;
  std::unique_ptr<const Route> m_route;
};

TEST_F(OllamaRouteTest, ServesWhatAPullAsksFor) {
  const auto answer = get("/v2/ollama/ti-ny/manifests/latest");
  EXPECT_EQ(header(answer, "Content-Type"), media::manifest);
  EXPECT_EQ(header(answer, "Docker-Content-Digest"), sha256(body(answer)).text());
  const auto manifest = parse_manifest(body(answer));
  auto layers = manifest.layers;
  layers.push_back(manifest.config);
  for (const auto& layer : layers) {
    const auto path = "/v2/ollama/ti-ny/blobs/" + layer.digest.text();
    const auto blob = get(path);
    EXPECT_EQ(blob.status, 200);
    EXPECT_EQ(sha256(body(blob)), layer.digest);
    EXPECT_EQ(header(blob, "Location"), path);  // without one the client gives up
    EXPECT_EQ(blob.audit_subject, layer.digest.text());
  }
  EXPECT_EQ(body(get("/v2/ollama/ti-ny/manifests/2")), body(answer));
  EXPECT_NE(body(get("/v2/ollama/ti-ny/manifests/1")), body(answer));
  EXPECT_EQ(body(get("/v2/ollama/ti-ny/manifests/" + sha256(body(answer)).text())), body(answer));
  EXPECT_EQ(parse_json(body(get("/v2/ollama/ti-ny/tags/list")))["tags"].size(), 3u);
}

TEST_F(OllamaRouteTest, SaysWhatIsMissing) {
  for (const auto* path :
       {"/v2/ollama/none/manifests/latest", "/v2/ollama/ti-ny/manifests/3", "/v2/ollama/ti-ny/x/y", "/v2/ollama/",
        "/v2/ollama/ti-ny/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}) {
    EXPECT_EQ(get(path).status, 404) << path;
  }
  EXPECT_EQ(get("/v2/ollama/ti-ny/blobs/sha512:00").status, 400);
  const auto broken = get("/v2/ollama/broken/manifests/latest");
  EXPECT_EQ(broken.status, 400);
  EXPECT_THAT(body(broken), HasSubstr("'x.gguf' of model:broken@1"));
}

TEST_F(OllamaRouteTest, TellsClientsHowToPull) {
  EXPECT_THAT(m_route->client_configuration("http://m:1"), HasSubstr("ollama pull --insecure m:1/ollama/broken:1"));
}

}  // namespace
}  // namespace liftlock::ollama
