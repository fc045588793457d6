#include "ecosystem/apt/apt_route.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/apt/test_debs.hpp"
#include "os/process.hpp"

namespace liftlock::apt {
namespace {

using namespace testing_support;
using testing::HasSubstr;

class AptRouteTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!find_program("gpg") || !find_program("apt-get")) GTEST_SKIP() << "gpg or apt-get is not installed";
    gpg({"--quick-gen-key", "mirror@example.org", "ed25519", "sign", "never"});
    environment.public_key_armored = gpg({"--armor", "--export"});
    environment.clearsign = [this](std::string_view document) { return gpg({"--clearsign"}, std::string(document)); };
  }
  void TearDown() override {
    (void)run_process({.argv = {"gpgconf", "--homedir", (folder.path() / "gpg").string(), "--kill", "all"}});
  }

  std::string gpg(std::vector<std::string> arguments, std::string input = {}) {
    const auto home = folder.path() / "gpg";
    fs::create_directory(home);
    fs::permissions(home, fs::perms::owner_all);
    ProcessSpec spec{.argv = {"gpg", "--homedir", home.string(), "--batch", "--quiet", "--passphrase", ""}};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.input = std::move(input);
    return run_process_checked(spec).output;
  }

  /// A real package in the store.
  MirroredArtifact deb(const std::string& name, const std::string& version, const std::string& architecture,
                       const std::string& more, std::uint64_t sequence) {
    const auto control = control_text(name, version, architecture, more);
    const auto bytes =
        make_deb(control, {{"./", "", AE_IFDIR, 0755}, {"./opt/", "", AE_IFDIR, 0755}, {"./opt/" + name, "x"}});
    MirroredArtifact out;
    out.artifact.kind = "deb";
    out.artifact.name = name;
    out.artifact.version = version;
    out.artifact.facts = {{"architecture", architecture}, {"stanza", control}};
    out.artifact.files.push_back(
        {.path = RelPath::parse("packages/apt/" + name + "_" + version + "_" + architecture + ".deb"),
         .size = bytes.size(),
         .digest = store.put(bytes),
         .origin = {},
         .evidence = {}});
    out.channel = "prod";
    out.sequence = sequence;
    out.published_at = parse_time("2026-03-04T05:06:07Z") + std::chrono::hours(sequence);
    return out;
  }

  static std::string body_of(const HttpResponse& response) {
    if (const auto* text = std::get_if<std::string>(&response.body)) return *text;
    if (const auto* shared = std::get_if<std::shared_ptr<const std::string>>(&response.body)) return **shared;
    const auto& file = std::get<FileBody>(response.body);
    return read_all(file.file->get(), 1u << 26, "blob");
  }
  static std::string get(const Route& route, const std::string& path) {
    HttpRequest request;
    request.method = "GET";
    request.path = path;
    return body_of(route.handle(request));
  }

  /// The repository as files, as a client of file:/ sees it.
  void write_tree(const Route& route, const MirrorView& view, const fs::path& root) {
    const auto save = [&](const std::string& path) {
      fs::create_directories((root / path).parent_path());
      write_file_atomically(root / path, get(route, "/debian/" + path));
    };
    for (const auto* path : {"InRelease", "main/binary-amd64/Packages", "main/binary-amd64/Packages.gz"}) {
      save(std::string("dists/prod/") + path);
    }
    const auto release = get(route, "/debian/dists/prod/Release");
    for (const auto line : split(release, '\n')) {
      if (line.starts_with(" ")) save("dists/prod/main/binary-amd64/by-hash/SHA256/" + std::string(line.substr(1, 64)));
    }
    for (const auto& one : view.artifacts) save("pool/prod/" + std::string(one.artifact.files[0].path.filename()));
  }

  ProcessResult apt_get(const fs::path& root, std::vector<std::string> arguments) {
    ProcessSpec spec{.argv = {"apt-get", "-q", "-y"}};
    const auto option = [&](const std::string& text) { spec.argv.insert(spec.argv.end(), {"-o", text}); };
    option("Dir=" + root.string());
    option("Dir::State::status=" + (root / "status").string());
    option("Dir::Etc::sourcelist=" + (root / "none").string());
    option("Dir::Etc::sourceparts=" + (root / "parts").string());
    option("Dir::Etc::trusted=" + (root / "none.gpg").string());
    option("Dir::Etc::trustedparts=" + (root / "none.d").string());
    option("APT::Architecture=amd64");
    option("APT::Architectures::=amd64");
    option("APT::Sandbox::User=");
    option("Debug::NoLocking=1");
    option("Acquire::Languages=none");
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.set_environment = {{"APT_CONFIG", (root / "apt.conf").string()}, {"LC_ALL", "C"}};
    return run_process(spec);
  }

  TemporaryFolder folder;
  BlobStore store{folder.path() / "store"};
  RouteEnvironment environment{store, {}, {}, {}};
};

TEST_F(AptRouteTest, RealAptInstallsFromIt) {
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {deb("hello", "1.0-1", "amd64", "Depends: libhello (>= 2.0)\n", 1),
                     deb("libhello", "2.0", "all", "", 1)};
  const auto route = make_apt_route(view, environment);
  const auto root = folder.path() / "apt";
  for (const auto* below : {"parts", "none.d", "etc/apt/apt.conf.d", "etc/apt/preferences.d",
                            "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/lib/dpkg"}) {
    fs::create_directories(root / below);
  }
  write_file_atomically(root / "status", "");
  write_file_atomically(root / "apt.conf", "");
  write_tree(*route, *view, root / "repo");
  write_file_atomically(root / "key.asc", get(*route, "/debian/mirror-key.asc"));
  write_file_atomically(root / "parts/l.sources",
                        "Types: deb\nURIs: copy:" + (root / "repo").string() +
                            "\nSuites: prod\nComponents: main\nSigned-By: " + (root / "key.asc").string() + "\n");
  const auto update = apt_get(root, {"update"});
  ASSERT_EQ(update.status, 0) << update.output << update.error_output;
  EXPECT_THAT(update.error_output, testing::Not(HasSubstr("W:")));
  const auto install = apt_get(root, {"install", "--download-only", "hello"});
  EXPECT_EQ(install.status, 0) << install.output << install.error_output;
  for (const auto* file : {"hello_1.0-1_amd64.deb", "libhello_2.0_all.deb"}) {
    EXPECT_TRUE(fs::exists(root / "var/cache/apt/archives" / file)) << install.output;
  }
}

TEST_F(AptRouteTest, EqualContentGivesEqualBytes) {
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {deb("a", "1", "amd64", "", 1), deb("b", "1", "amd64", "", 2)};
  const auto one = make_apt_route(view, environment), two = make_apt_route(view, environment);
  for (const auto* path : {"Release", "main/binary-amd64/Packages", "main/binary-amd64/Packages.gz"}) {
    EXPECT_EQ(get(*one, std::string("/debian/dists/prod/") + path),
              get(*two, std::string("/debian/dists/prod/") + path));
  }
  EXPECT_THAT(get(*one, "/debian/dists/prod/Release"), HasSubstr("Date: Wed, 04 Mar 2026 07:06:07 UTC\n"));
}

TEST_F(AptRouteTest, ProgramsGetAListOfTheSuites) {
  auto view = std::make_shared<MirrorView>();
  EXPECT_EQ(parse_json(get(AptRoute(view, environment), "/debian/"))["suites"], Json::array());
  view->artifacts.push_back(deb("alpha", "1.0", "amd64", "", 1));
  EXPECT_EQ(parse_json(get(AptRoute(view, environment), "/debian/"))["suites"], Json({"prod"}));
}

TEST_F(AptRouteTest, TheIndexOfThePublicationBeforeStaysReachableByHash) {
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {deb("a", "1", "amd64", "", 1)};
  const auto old_packages = get(*make_apt_route(view, environment), "/debian/dists/prod/main/binary-amd64/Packages");
  auto newer = std::make_shared<MirrorView>(*view);
  newer->artifacts.push_back(deb("b", "1", "amd64", "", 2));
  const auto route = make_apt_route(newer, environment);
  EXPECT_NE(get(*route, "/debian/dists/prod/main/binary-amd64/Packages"), old_packages);
  EXPECT_EQ(get(*route, "/debian/dists/prod/main/binary-amd64/by-hash/SHA256/" + sha256(old_packages).hex()),
            old_packages);
}

TEST_F(AptRouteTest, AStanzaCannotSmuggleAnotherPackage) {
  auto view = std::make_shared<MirrorView>();
  view->artifacts = {deb("a", "1", "amd64", "", 1)};
  view->artifacts[0].artifact.facts["stanza"] = "Package: a\nVersion: 1\n\nPackage: evil\nVersion: 1\nFilename: x\n";
  const auto route = make_apt_route(view, environment);
  EXPECT_THAT(get(*route, "/debian/dists/prod/main/binary-amd64/Packages"), testing::Not(HasSubstr("evil")));
  EXPECT_THROW(get(*route, "/debian/dists/prod/nothing"), Error);
  EXPECT_THAT(route->client_configuration("https://m.example"),
              HasSubstr("URIs: https://m.example/debian\nSuites: prod\n"));
}

}  // namespace
}  // namespace liftlock::apt
