#include "ecosystem/helm/collector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/helm/chart.hpp"
#include "ecosystem/helm/inspector.hpp"
#include "ecosystem/oci/registry_harness_test.hpp"
#include "ecosystem/oci/sample_image_test.hpp"
#include "os/file.hpp"

namespace liftlock::helm {
namespace {

using testing::HasSubstr;
using testing::Not;

class ChartCollecting : public testing::Test {
 protected:
  Error error_of(Json values) {
    const StackEntry entry{.table = "chart", .name = "storage", .values = std::move(values), .declared = sha256("")};
    try {
      (void)ChartCollector().resolve(entry, m_context);
    } catch (const Error& error) {
      return error;
    }
    return {ErrorCode::internal, "nothing was thrown"};
  }

  TemporaryFolder m_folder;
  BlobStore m_store{m_folder.path() / "store"};
  Downloader m_downloader{m_store, silent_reporter(), {.attempts = 1, .offline = true}};
  CollectContext m_context{m_store, m_downloader, silent_reporter(), m_folder.path(), m_folder.path(), "linux/amd64"};
};

TEST_F(ChartCollecting, NamesOfSkopeoSayWhatHelmCallsThem) {
  EXPECT_THAT(std::string(error_of({{"repository", "docker://registry.example:5000/charts"}, {"version", "1"}}).hint()),
              HasSubstr("oci://registry.example:5000/charts"));
  EXPECT_THAT(std::string(error_of({{"source", "oci:folder:storage"}}).hint()), HasSubstr("[image.storage]"));
  EXPECT_THAT(std::string(error_of({{"repository", "charts"}, {"version", "1"}}).hint()), HasSubstr("index.yaml"));
}

TEST_F(ChartCollecting, AnAddressInARegistryNamesHostAndVersion) {
  const auto refused = [&](Json values, std::string_view words) {
    const auto error = error_of(std::move(values));
    EXPECT_EQ(error.code(), ErrorCode::stack_invalid) << words;
    EXPECT_THAT(std::string(error.what()), HasSubstr(words));
  };
  refused({{"repository", "oci://registry.example/charts"}}, "names no version");
  refused({{"source", "oci://charts/storage"}, {"version", "1.2.0"}}, "names no registry");
  refused({{"source", "oci://registry.example/charts/storage:1.1.0"}, {"version", "1.2.0"}}, "the tag '1.1.0'");
  refused({{"source", "oci://registry.example/Charts/x"}, {"version", "1.2.0"}}, "lower-case");
}

class ChartsOfARegistry : public ChartCollecting {
 protected:
  void SetUp() override {
    if (!find_program("docker-registry")) GTEST_SKIP() << "docker-registry is not installed";
  }
  ChartsOfARegistry() {
    m_context.inspect = [this](const Artifact& artifact) {
      const auto file = m_store.open(artifact.files.at(0).digest);
      const int fds[] = {file.get()};
      return ChartInspector().inspect(artifact, fds);
    };
  }
  /// Pushes charts/storage 1.2.0+b1 as `helm push` does, with its provenance, and an image called charts/app.
  void push(const oci::harness::Registry& registry) {
    oci::sample::Blobs blobs;
    const auto chart = blobs.manifest(blobs.add("{}", k_config_type),
                                      {blobs.add("signed", "application/vnd.cncf.helm.chart.provenance.v1.prov"),
                                       blobs.add(m_archive, k_content_type)});
    m_manifest = chart.digest;
    registry.push(layout(blobs, chart, "1.2.0_b1"), "charts/storage");
    registry.push(layout(blobs, blobs.image({oci::sample::tar({{"a", "1"}})}), "1.0.0"), "charts/app");
  }
  fs::path layout(const oci::sample::Blobs& blobs, oci::Descriptor root, const std::string& tag) {
    const auto folder = m_folder.path() / ("layout-" + tag);
    make_folders(folder / "blobs/sha256");
    for (const auto& [digest, bytes] : blobs.all) write_file_atomically(folder / "blobs/sha256" / digest.hex(), bytes);
    root.annotations["org.opencontainers.image.ref.name"] = tag;
    write_file_atomically(folder / "index.json", dump_json({{"manifests", {oci::descriptor_json(root)}}}));
    return folder;
  }
  static StackEntry entry(Json values) {
    return {.table = "chart", .name = "storage", .values = std::move(values), .declared = sha256("")};
  }

  const std::string m_archive = oci::sample::gzip(
      oci::sample::tar({{"storage/Chart.yaml", "apiVersion: v2\nname: storage\nversion: 1.2.0+b1\nappVersion: '7'\n"},
                        {"storage/templates/pod.yaml", "image: registry.example/app:7\n"}}));
  Digest m_manifest = sha256("");
  Downloader m_online{m_store, silent_reporter(), {.attempts = 2}};
  CollectContext m_online_context{m_store,         m_online,        silent_reporter(),
                                  m_folder.path(), m_folder.path(), "linux/amd64"};
};

TEST_F(ChartsOfARegistry, ComeInAsCharts) {
  const oci::harness::Registry registry(m_folder.path());
  push(registry);
  m_online_context.inspect = m_context.inspect;
  const Json values = {
      {"repository", "oci://" + registry.host() + "/charts/"}, {"version", "1.2.0+b1"}, {"insecure", true}};
  const auto collected = ChartCollector().resolve(entry(values), m_online_context);
  ASSERT_EQ(collected.artifacts.size(), 1u);
  const auto& artifact = collected.artifacts[0];
  EXPECT_EQ(artifact.id(), "chart:storage@1.2.0+b1");
  EXPECT_EQ(artifact.facts.at("chart").at("appVersion"), "7");
  const auto& file = artifact.files.at(0);
  EXPECT_EQ(file.digest, sha256(m_archive));
  EXPECT_EQ(file.evidence.at(0).type, "registry-digest");
  EXPECT_EQ(file.evidence.at(0).details.at("manifest"), m_manifest.text());
  EXPECT_THAT(collected.notes, testing::ElementsAre(HasSubstr("is pinned to " + m_manifest.text())));
  EXPECT_THAT(ChartCollector().check(entry(values), collected.artifacts, m_online_context).manifests,
              HasSubstr("registry.example/app:7"));

  // What the lock says is enough to fetch it, and where the store has it nothing is asked.
  const auto before = m_online.requests();
  EXPECT_TRUE(ChartCollector().plan(artifact, entry(values), m_online_context).empty());
  EXPECT_EQ(m_online.requests(), before);
  BlobStore other(m_folder.path() / "other");
  Downloader fresh(other, silent_reporter(), {.attempts = 2});
  CollectContext elsewhere{other, fresh, silent_reporter(), m_folder.path(), m_folder.path(), "linux/amd64"};
  fresh.fetch(ChartCollector().plan(artifact, entry(values), elsewhere));
  EXPECT_TRUE(other.contains(file.digest));

  const auto by_digest = "oci://" + registry.host() + "/charts/storage@" + m_manifest.text();
  const auto pinned = ChartCollector().resolve(
      entry({{"source", by_digest}, {"version", "1.2.0+b1"}, {"insecure", true}}), m_online_context);
  EXPECT_EQ(pinned.artifacts.at(0).files.at(0).digest, file.digest);
  EXPECT_TRUE(pinned.notes.empty());
}

TEST_F(ChartsOfARegistry, AnImageThereIsNoChart) {
  const oci::harness::Registry registry(m_folder.path());
  push(registry);
  const auto source = registry.host() + "/charts/app:1.0.0";
  try {
    (void)ChartCollector().resolve(entry({{"source", "oci://" + source}, {"insecure", true}}), m_online_context);
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unresolvable);
    EXPECT_THAT(std::string(error.hint()), HasSubstr("docker://" + source));
  }
}

TEST_F(ChartCollecting, AnAddressWithAPasswordIsNotSaidAgain) {
  for (const auto* key : {"repository", "source"}) {
    for (const auto* address :
         {"oci://user:s3cret@registry.example/charts", "docker://s3cret@registry.example/charts:1",
          "https://user:s3cret@charts.example/a-1.tgz"}) {
      const auto error = error_of({{key, address}, {"version", "1.0.0"}});
      EXPECT_EQ(error.code(), ErrorCode::stack_invalid) << address;
      EXPECT_THAT(std::string(error.what()),
                  testing::AllOf(HasSubstr("user name or password"), Not(HasSubstr("s3cret"))));
      EXPECT_THAT(std::string(error.hint()), Not(HasSubstr("s3cret"))) << address;
    }
  }
}

}  // namespace
}  // namespace liftlock::helm
