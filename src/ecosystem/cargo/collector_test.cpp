// The collector over a registry of files: config.json and crates in a folder.
#include "ecosystem/cargo/collector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/cargo/inspector.hpp"
#include "ecosystem/cargo/registry_config.hpp"
#include "ecosystem/cargo/sample_crates_test.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock::cargo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CargoCollectorTest : public testing::Test {
 protected:
  CargoCollectorTest() {
    fs::create_directories(m_root / "registry");
    fs::create_directories(m_root / "app");
    fs::create_directories(m_root / "scratch");
    write_file_atomically(m_root / "registry/config.json",
                          Json{{"dl", "file://" + m_root.string() + "/registry/{crate}-{version}.crate"}}.dump());
  }

  /// Publishes a crate and gives its table of Cargo.lock.
  std::string publish(const std::string& name, const std::string& version, const std::string& dependencies = "") {
    const auto bytes = sample::crate(name, version);
    write_file_atomically(m_root / "registry" / (name + "-" + version + ".crate"), bytes);
    return "[[package]]\nname = \"" + name + "\"\nversion = \"" + version +
           "\"\nsource = \"registry+https://one.example/index\"\nchecksum = \"" + sha256(bytes).hex() + "\"\n" +
           dependencies + "\n";
  }
  Collected resolve(const std::string& lock, Json more = Json::object()) {
    write_file_atomically(m_root / "app/Cargo.lock", lock);
    Json values = {{"lock", "app/Cargo.lock"}, {"index", "sparse+file://" + m_root.string() + "/registry"}};
    values.update(more);
    m_entry.values = std::move(values);
    return CargoCollector().resolve(m_entry, context);
  }
  Error error_of(const std::string& lock, Json more = Json::object()) {
    try {
      resolve(lock, std::move(more));
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no Error was thrown";
    return Error(ErrorCode::internal, "");
  }

  TemporaryFolder m_folder;
  fs::path m_root = m_folder.path();
  BlobStore store{m_root / "store"};
  Downloader downloader{store, silent_reporter()};
  CollectContext context{store, downloader, silent_reporter(), m_root, m_root / "scratch", "linux/amd64"};
  StackEntry m_entry{.table = "cargo", .name = "app", .values = Json::object(), .declared = sha256("")};
};

TEST_F(CargoCollectorTest, TakesEveryCrateOfTheLockWithItsChecksum) {
  const auto collected = resolve("version = 4\n" + publish("beta", "1.0.0", "dependencies = [\"alpha 2.0.0\"]") +
                                 publish("alpha", "2.0.0") + publish("alpha", "1.0.0") +
                                 "[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"beta\"]\n");
  ASSERT_EQ(collected.artifacts.size(), 3u);
  EXPECT_EQ(collected.artifacts[0].id(), "crate:alpha@1.0.0");
  const auto& beta = collected.artifacts[2];
  EXPECT_EQ(beta.id(), "crate:beta@1.0.0");
  EXPECT_THAT(beta.needs, ElementsAre("crate:alpha@2.0.0"));
  EXPECT_EQ(beta.license, "MIT OR Apache-2.0");
  EXPECT_EQ(beta.facts["registry"], "registry+https://one.example/index");
  EXPECT_EQ(beta.files[0].path.text(), "packages/cargo/beta-1.0.0.crate");
  EXPECT_EQ(beta.files[0].evidence[0].type, "lock-hash");
  EXPECT_TRUE(store.contains(beta.files[0].digest));
  EXPECT_TRUE(CargoCollector().plan(beta, m_entry, context).empty());
}

TEST_F(CargoCollectorTest, RefusesBytesThatTheLockDoesNotName) {
  const auto lock = publish("alpha", "1.0.0");
  write_file_atomically(m_root / "registry/alpha-1.0.0.crate", sample::crate("alpha", "1.0.0", "", {{"more", "x"}}));
  EXPECT_EQ(error_of(lock).code(), ErrorCode::digest_mismatch);
}

TEST_F(CargoCollectorTest, RefusesACrateThatIsAnother) {
  const auto bytes = sample::crate("evil", "1.0.0");
  write_file_atomically(m_root / "registry/alpha-1.0.0.crate", bytes);
  const auto error = error_of(
      "[[package]]\nname = \"alpha\"\nversion = \"1.0.0\"\nsource = \"registry+https://one.example/index\"\nchecksum = "
      "\"" +
      sha256(bytes).hex() + "\"\n");
  EXPECT_EQ(error.code(), ErrorCode::path_unsafe);
}

TEST_F(CargoCollectorTest, RefusesWhatNoRegistryCouldServe) {
  const auto clash = error_of(publish("a-b", "1.0.0") + publish("a_b", "1.0.0"));
  EXPECT_THAT(clash.what(), HasSubstr("would be one crate of the mirror"));
}

TEST_F(CargoCollectorTest, LeavesCratesOfGitOutWithANote) {
  const auto collected =
      resolve(publish("alpha", "1.0.0") +
              "[[package]]\nname = \"g\"\nversion = \"1.0.0\"\nsource = \"git+https://x.example/g?branch=b#0123\"\n");
  ASSERT_EQ(collected.artifacts.size(), 1u);
  EXPECT_EQ(collected.artifacts[0].id(), "crate:alpha@1.0.0");
  EXPECT_THAT(collected.notes, ElementsAre(HasSubstr("g 1.0.0 from git at 0123")));
  // cargo would ask for the repository, which no registry of files stands for: it is not run, and that is said.
  write_file_atomically(m_root / "app/Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\n");
  if (find_program("cargo")) {
    EXPECT_THAT(CargoCollector().check(m_entry, collected.artifacts, context).proven, HasSubstr("cargo was not run"));
  }
}

TEST_F(CargoCollectorTest, SaysWhatToDoWithoutARegistry) {
  write_file_atomically(m_root / "registry/config.json", R"({"dl": "https://x.example", "auth-required": true})");
  EXPECT_THAT(std::string(error_of(publish("alpha", "1.0.0")).hint()), HasSubstr("leave `index` out"));
  write_file_atomically(m_root / "registry/config.json", R"({"dl": 5})");
  EXPECT_EQ(error_of(publish("alpha", "1.0.0")).code(), ErrorCode::unresolvable);
  const auto no_manifest = error_of(publish("alpha", "1.0.0"), {{"index", ""}});
  EXPECT_EQ(no_manifest.code(), ErrorCode::stack_invalid);
  EXPECT_THAT(no_manifest.what(), HasSubstr("has no Cargo.toml"));
}

TEST_F(CargoCollectorTest, CarriesAVendoredTreeAsOneTarThatIsTheSameForTheSameTree) {
  const auto lock = publish("alpha", "1.0.0");
  const auto manifest = sample::manifest("alpha", "1.0.0");
  const auto sum = sha256(sample::crate("alpha", "1.0.0")).hex();
  fs::create_directories(m_root / "app/vendor/alpha");
  write_file_atomically(m_root / "app/vendor/alpha/Cargo.toml", manifest);
  write_file_atomically(m_root / "app/vendor/alpha/.cargo-checksum.json",
                        Json{{"files", {{"Cargo.toml", sha256(manifest).hex()}}}, {"package", sum}}.dump());
  const auto artifact = resolve(lock, {{"vendor", "app/vendor"}}).artifacts.at(0);
  EXPECT_EQ(artifact.kind, "cargo-vendor");
  EXPECT_EQ(artifact.files[0].path.text(), "packages/cargo/app-vendor.tar");
  const int files[] = {store.open(artifact.files[0].digest).release()};
  const UniqueFd close(files[0]);
  EXPECT_TRUE(CrateInspector().inspect(artifact, files).findings.empty());

  fs::last_write_time(m_root / "app/vendor/alpha/Cargo.toml", fs::file_time_type::clock::now());
  BlobStore other{m_root / "other"};
  Downloader fetch{other, silent_reporter()};
  CollectContext there{other, fetch, silent_reporter(), m_root, m_root / "scratch", "linux/amd64"};
  fetch.fetch(CargoCollector().plan(artifact, m_entry, there));
  EXPECT_TRUE(other.contains(artifact.files[0].digest));

  write_file_atomically(m_root / "app/vendor/alpha/build.rs", "fn main() {}");
  EXPECT_EQ(error_of(lock, {{"vendor", "app/vendor"}}).code(), ErrorCode::extra_file);
}

TEST(RegistryConfig, ExpandsTheMarkersOfTheSpecification) {
  const auto digest = sha256("x");
  const auto url = [&](const std::string& dl, const std::string& name) {
    return parse_registry_config(Json{{"dl", dl}}.dump()).download_url(name, "1.0.0", digest);
  };
  EXPECT_EQ(url("https://x.example/crates", "serde"), "https://x.example/crates/serde/1.0.0/download");
  EXPECT_EQ(url("https://x.example/crates/", "serde"), "https://x.example/crates/serde/1.0.0/download");
  EXPECT_EQ(url("https://x.example/{prefix}/{lowerprefix}/{crate}-{version}-{sha256-checksum}", "Serde"),
            "https://x.example/Se/rd/se/rd/Serde-1.0.0-" + digest.hex());
  EXPECT_EQ(url("https://x.example/{prefix}/{crate}", "abc"), "https://x.example/3/a/abc");
  EXPECT_THROW(url("ftp://x.example", "abc"), Error);
}

}  // namespace
}  // namespace liftlock::cargo
