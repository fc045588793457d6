// The collector over a module proxy of files.
#include "ecosystem/go/collector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/go/module_path.hpp"
#include "ecosystem/go/module_proxies.hpp"
#include "ecosystem/go/module_zip.hpp"
#include "ecosystem/go/sample_modules_test.hpp"
#include "os/file.hpp"

namespace liftlock::go {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class GoCollectorTest : public testing::Test {
 protected:
  GoCollectorTest() {
    for (const auto* name : {"proxy", "app", "scratch"}) fs::create_directories(m_root / name);
  }

  /// Publishes a module and gives its lines of go.sum.
  std::string publish(const std::string& path, const std::string& version, const std::string& rest = "") {
    const auto mod = sample::go_mod(path, rest);
    const auto bytes = sample::zip(path, version, mod);
    const auto folder = m_root / "proxy" / escape_module(path) / "@v";
    fs::create_directories(folder);
    write_file_atomically(folder / (escape_module(version) + ".mod"), mod);
    write_file_atomically(folder / (escape_module(version) + ".zip"), bytes);
    const UniqueFd fd(::memfd_create("module", MFD_CLOEXEC));
    write_all(fd.get(), bytes, "memfd");
    m_mod_line = path + " " + version + "/go.mod " + h1_of_go_mod(mod) + "\n";
    return path + " " + version + " " + check_module_zip(fd.get(), path, version).h1 + "\n" + m_mod_line;
  }
  std::string url() const { return "file://" + m_root.string() + "/proxy"; }
  Collected resolve(const std::string& sum, const std::string& mod = "module example.test/app\n",
                    std::string proxy = "") {
    write_file_atomically(m_root / "app/go.mod", mod);
    write_file_atomically(m_root / "app/go.sum", sum);
    m_entry.values = {{"module", "app/go.mod"}, {"proxy", proxy.empty() ? url() : proxy}};
    return GoCollector().resolve(m_entry, context);
  }
  Error error_of(const std::string& sum, const std::string& mod = "module example.test/app\n", std::string proxy = "") {
    try {
      resolve(sum, mod, std::move(proxy));
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no Error was thrown";
    return Error(ErrorCode::internal, "");
  }

  TemporaryFolder m_folder;
  fs::path m_root = m_folder.path();
  std::string m_mod_line;
  BlobStore store{m_root / "store"};
  Downloader downloader{store, silent_reporter()};
  CollectContext context{store, downloader, silent_reporter(), m_root, m_root / "scratch", "linux/amd64"};
  StackEntry m_entry{.table = "go", .name = "app", .values = Json::object(), .declared = sha256("")};
};

TEST_F(GoCollectorTest, TakesEveryModuleOfGoSum) {
  const auto a = publish("Example.test/A", "v1.0.0");
  publish("example.test/graph", "v0.1.0");
  const auto graph = m_mod_line;
  const auto b = publish("example.test/b/v2", "v2.0.0-20161208181325-20d25e280405", "require Example.test/A v1.0.0\n");
  const auto collected =
      resolve(a + b + graph, "module example.test/app\nrequire example.test/b/v2 v2.0.0-20161208181325-20d25e280405\n");
  ASSERT_EQ(collected.artifacts.size(), 3u);
  const auto& one = collected.artifacts[0];
  EXPECT_EQ(one.id(), "go-module:Example.test/A@v1.0.0");
  ASSERT_EQ(one.files.size(), 3u);
  EXPECT_EQ(one.files[2].path.text(), "packages/go/!example.test/!a/@v/v1.0.0.zip");
  EXPECT_EQ(one.files[2].evidence[0].type, "lock-hash");
  EXPECT_EQ(one.files[0].evidence[0].type, "derived");
  EXPECT_THAT(collected.artifacts[1].needs, ElementsAre("go-module:Example.test/A@v1.0.0"));
  EXPECT_EQ(collected.artifacts[2].files.size(), 2u) << "go.sum wants no more of it than its go.mod";
  for (const auto& artifact : collected.artifacts) EXPECT_TRUE(GoCollector().plan(artifact, m_entry, context).empty());
}

TEST_F(GoCollectorTest, AnotherMachineFetchesTheSame) {
  const auto artifact = resolve(publish("Example.test/A", "v1.0.0")).artifacts[0];
  BlobStore other{m_root / "other"};
  Downloader fetch{other, silent_reporter()};
  CollectContext there{other, fetch, silent_reporter(), m_root, m_root / "scratch", "linux/amd64"};
  const auto jobs = GoCollector().plan(artifact, m_entry, there);
  ASSERT_EQ(jobs.size(), 3u);
  fetch.fetch(jobs);
  for (const auto& file : artifact.files) EXPECT_TRUE(other.contains(file.digest)) << file.path.text();
}

TEST_F(GoCollectorTest, RefusesWhatGoSumDoesNotName) {
  const auto sum = publish("example.test/a", "v1.0.0");
  const auto at = m_root / "proxy/example.test/a/@v/v1.0.0";
  write_file_atomically(at.string() + ".zip",
                        sample::zip("example.test/a", "v1.0.0", sample::go_mod("example.test/a"), {{"evil.go", "x"}}));
  const auto zip = error_of(sum);
  EXPECT_EQ(zip.code(), ErrorCode::digest_mismatch);
  EXPECT_THAT(zip.what(), HasSubstr("go.sum states h1:"));
  write_file_atomically(at.string() + ".mod", "module example.test/a\n\nrequire evil.test/x v1.0.0\n");
  EXPECT_EQ(error_of(sum).code(), ErrorCode::digest_mismatch);
}

TEST_F(GoCollectorTest, SaysWhatIsMissing) {
  const auto sum = publish("example.test/a", "v1.0.0");
  const auto gap = error_of(sum, "module example.test/app\nrequire example.test/other v1.0.0\n");
  EXPECT_THAT(gap.what(), HasSubstr("requires example.test/other v1.0.0, of which go.sum has no hash"));
  EXPECT_THAT(std::string(gap.hint()), HasSubstr("go mod tidy"));
  fs::remove_all(m_root / "proxy/example.test");
  const auto gone = error_of(sum, "module example.test/app\n", url() + ",direct");
  EXPECT_EQ(gone.code(), ErrorCode::unresolvable);
  EXPECT_THAT(std::string(gone.hint()), HasSubstr("go env GOMODCACHE"));
  EXPECT_THAT(error_of(sum, "module example.test/app\n", "direct").what(), HasSubstr("names no module proxy"));
}

TEST_F(GoCollectorTest, AsksTheNextProxyWhereOneHasNothing) {
  const auto sum = publish("example.test/a", "v1.0.0");
  fs::create_directories(m_root / "empty");
  const auto collected =
      resolve(sum, "module example.test/app\n", "file://" + m_root.string() + "/empty/," + url() + ",direct");
  EXPECT_THAT(collected.artifacts[0].files[2].origin, HasSubstr("/proxy/"));
}

TEST(ModuleProxies, ReadTheListAsGoDoes) {
  const auto proxies = ModuleProxies::parse("https://one.example/ | https://two.example,direct,https://never.example");
  ASSERT_EQ(proxies.list().size(), 2u);
  EXPECT_EQ(proxies.list()[0].url, "https://one.example");
  EXPECT_TRUE(proxies.list()[0].any_error_leads_on);
  EXPECT_FALSE(proxies.list()[1].any_error_leads_on);
  for (const auto* bad : {"", "off", "direct", "off,https://x.example", "ftp://x.example"})
    EXPECT_THROW(ModuleProxies::parse(bad), Error) << bad;
  EXPECT_EQ(module_url("https://x.example", "A.test/b", "v1.0.0+incompatible", "zip"),
            "https://x.example/%21a.test/b/@v/v1.0.0%2Bincompatible.zip");
}

}  // namespace
}  // namespace liftlock::go
