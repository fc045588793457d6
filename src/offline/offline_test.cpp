// The real thing: real programs in real namespaces. Where the machine allows none, the tests say so and are skipped.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "base/error.hpp"
#include "base/toml_document.hpp"
#include "offline/cargo_home.hpp"
#include "offline/client_settings.hpp"
#include "offline/npm_scopes.hpp"
#include "offline/run.hpp"
#include "offline/socket_address.hpp"
#include "os/process.hpp"

namespace liftlock::offline {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

/// Runs it without a mirror. What it prints is in `said`, below the folder.
class Offline : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!find_program("python3") || !find_program("sh")) GTEST_SKIP() << "no python3";
    try {
      (void)run_words({"true"});
    } catch (const Error& error) {
      GTEST_SKIP() << error.message();
    }
  }
  RunResult run_words(std::vector<std::string> words) {
    RunSpec spec = m_spec;
    spec.command.argv = std::move(words);
    return run(spec);
  }
  RunResult python(const std::string& text) { return run_words({"python3", "-c", "import socket\n" + text}); }
  std::string said() { return read_file(m_folder.path() / "said", 1u << 20); }

  TemporaryFolder m_folder;
  RunSpec m_spec;
};

std::vector<std::string> targets(const RunResult& result, AttemptKind kind) {
  std::vector<std::string> out;
  for (const auto& one : result.attempts.all()) {
    if (one.kind == kind) out.push_back(one.target);
  }
  return out;
}

TEST_F(Offline, TheExitStatusOfTheCommandIsKept) {
  EXPECT_EQ(run_words({"sh", "-c", "exit 42"}).status, 42);
  EXPECT_EQ(run_words({"sh", "-c", "kill -9 $$"}).status, 128 + SIGKILL);
  EXPECT_TRUE(run_words({"true"}).attempts.empty());
  EXPECT_THROW(run_words({"no-such-program-here"}), Error);
}

TEST_F(Offline, AnAttemptThatTheProgramSwallowsIsNamedWithItsProgramAndAddress) {
  const auto result = python(
      "for family, address in ((socket.AF_INET, ('203.0.113.9', 80)), (socket.AF_INET6, ('2001:db8::1', 443))):\n"
      "  try: socket.socket(family).connect(address)\n"
      "  except OSError: pass");
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(targets(result, AttemptKind::connect),
              ::testing::ElementsAre("203.0.113.9 port 80 (tcp)", "2001:db8::1 port 443 (tcp)"));
  ASSERT_FALSE(result.attempts.all().empty());
  EXPECT_THAT(result.attempts.all()[0].program, HasSubstr("python3"));
  EXPECT_THAT(result.attempts.all()[0].command, HasSubstr("-c"));
  EXPECT_GT(result.attempts.all()[0].pid, 0);
}

TEST_F(Offline, NamesAreNamedWhicheverResolverTheMachineHas) {
  const auto result = python("try: socket.getaddrinfo('telemetry.example.com', 443)\nexcept OSError: pass");
  EXPECT_THAT(targets(result, AttemptKind::name), Contains("telemetry.example.com"));
  const auto datagram = python(
      "q = b'\\x12\\x34\\x01\\x00\\0\\1\\0\\0\\0\\0\\0\\0\\4evil\\7example\\0\\0\\1\\0\\1'\n"
      "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
      "try: s.sendto(q, ('192.0.2.53', 53))\nexcept OSError: pass\n"
      "try: s.sendmsg([q], [], 0, ('192.0.2.53', 53))\nexcept OSError: pass");
  EXPECT_THAT(targets(datagram, AttemptKind::name), Contains("evil.example"));
  EXPECT_EQ(datagram.attempts.total(), 2u);
}

TEST_F(Offline, DatagramsAndTheVirtualMachinesHostAreWaysOutToo) {
  const auto result = python(
      "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
      "try: s.sendto(b'x', ('203.0.113.7', 9))\nexcept OSError: pass\n"
      "try: socket.socket(40, socket.SOCK_STREAM)\nexcept OSError: pass");
  EXPECT_THAT(targets(result, AttemptKind::send), Contains("203.0.113.7 port 9 (udp)"));
  EXPECT_EQ(targets(result, AttemptKind::socket).size(), 1u);
}

TEST_F(Offline, WhatStaysInsideWorksAndIsNoAttempt) {
  const auto result = python(
      "import os, tempfile, threading\n"
      "def talk(family, address, here=None):\n"
      "  server = socket.socket(family); server.bind(address); server.listen()\n"
      "  client = socket.socket(family); client.connect(here or server.getsockname()); server.accept()\n"
      "talk(socket.AF_INET, ('127.0.0.1', 0))\n"
      "os.chdir(tempfile.mkdtemp())\n"
      "talk(socket.AF_UNIX, 's'); talk(socket.AF_UNIX, os.getcwd() + '/t'); talk(socket.AF_UNIX, '\\0abstract')\n"
      "os.symlink('t', 'link'); os.unlink('t')\n"
      "server = socket.socket(socket.AF_UNIX); server.bind('t'); server.listen()\n"
      "socket.socket(socket.AF_UNIX).connect('link')\n"
      "a, b = socket.socketpair(); a.sendmsg([b'x'])\n"
      "assert socket.gethostbyname('localhost') == '127.0.0.1'\n"
      "socket.getfqdn()\n"
      "d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.bind(('127.0.0.1', 0))\n"
      "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', d.getsockname())\n");
  EXPECT_EQ(result.status, 0);
  for (const auto& one : result.attempts.all()) ADD_FAILURE() << name_of(one.kind) << " " << one.target;
}

TEST_F(Offline, ASocketOfAProgramOutsideIsADoorThatOpensOnlyWhenAllowed) {
  const auto path = (m_folder.path() / "daemon.sock").string();
  const UniqueFd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(server.get(), 4), 0);
  const auto connect = "socket.socket(socket.AF_UNIX).connect('" + path + "')";
  const auto refused = python(connect);
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(targets(refused, AttemptKind::door), Contains(path));
  m_spec.allowed_doors = {path};
  const auto allowed = python(connect);
  EXPECT_EQ(allowed.status, 0);
  EXPECT_TRUE(allowed.attempts.empty());
  EXPECT_EQ(allowed.used_doors.at(path), 1u);
}

TEST_F(Offline, NothingOutlivesTheCommand) {
  const auto file = m_folder.path() / "pid";
  EXPECT_EQ(run_words({"sh", "-c",
                       "setsid sh -c 'echo $$ > " + file.string() + "; exec sleep 300' & while [ ! -s " +
                           file.string() + " ]; do sleep 0.01; done"})
                .status,
            0);
  const auto pid = std::stoi(read_file(file, 100));
  EXPECT_NE(::kill(pid, 0), 0) << "the child that outlived its command is still there";
}

TEST_F(Offline, TheNamespaceIsEmptyAndCannotBeLeft) {
  m_spec.command.argv = {};
  EXPECT_EQ(run_words({"sh", "-c", "test $(grep -c : /proc/self/net/dev) = 1"}).status, 0);
  if (find_program("nsenter")) {
    EXPECT_NE(run_words({"nsenter", "--net=/proc/1/ns/net", "true"}).status, 0);
  }
  EXPECT_EQ(run_words({"grep", "-q", "NoNewPrivs:.1", "/proc/self/status"}).status, 0);
  const auto nested = run_words({"sh", "-c",
                                 "unshare --user --net python3 -c 'import socket; "
                                 "socket.socket().connect((\"203.0.113.1\", 1))' 2>/dev/null"});
  EXPECT_NE(nested.status, 0);
  EXPECT_THAT(targets(nested, AttemptKind::connect), Contains("203.0.113.1 port 1 (tcp)"));
}

TEST_F(Offline, AConnectionThatNobodyTakesHoldsUpNobodyElse) {
  if (run_words({"unshare", "--user", "--map-root-user", "--net", "true"}).status != 0)
    GTEST_SKIP() << "no namespace within a namespace";
  // Port 53 is asked by us in the place of the command; here it is one whose queue is full.
  const auto script =
      "import fcntl, os, socket, struct, threading, time\n"
      "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
      "fcntl.ioctl(s, 0x8914, struct.pack('16sh14x', b'lo', 0x41))\n"
      "server = socket.socket(); server.bind(('127.0.0.1', 53)); server.listen(0)\n"
      "kept = []\n"
      "def go():\n"
      "  c = socket.socket(); kept.append(c); c.connect(('127.0.0.1', 53))\n"
      "for i in range(6): threading.Thread(target=go, daemon=True).start()\n"
      "time.sleep(1); begin = time.time()\n"
      "try: socket.socket().connect(('203.0.113.1', 1))\n"
      "except OSError: pass\n"
      "os._exit(0 if time.time() - begin < 5 else 9)\n";
  EXPECT_EQ(run_words({"unshare", "--user", "--map-root-user", "--net", "python3", "-c", script}).status, 0);
}

TEST_F(Offline, TheMirrorIsReachableAtItsOwnAddressAndIsCounted) {
  const UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  auto size = to_socket_address(*IpAddress::parse("127.0.0.1"), 0, address);
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(server.get(), 4), 0);
  ASSERT_EQ(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto port = parse_socket_address({reinterpret_cast<const std::uint8_t*>(&address), size})->port;
  // In a process of its own, so that run() keeps its promise of one thread.
  const pid_t mirror = ::fork();
  if (mirror == 0) {
    for (int i = 0; i < 2; ++i) {
      const int client = ::accept(server.get(), nullptr, nullptr);
      char request[4096];
      [[maybe_unused]] auto done = ::read(client, request, sizeof request);
      const std::string answer = i == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
                                        : "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
      done = ::write(client, answer.data(), answer.size());
      ::close(client);
    }
    ::_exit(0);
  }
  const auto url = "http://127.0.0.1:" + std::to_string(port);
  m_spec.mirror = HttpAddress::parse(url);
  const auto result = python(
      "import urllib.request\n"
      "assert urllib.request.urlopen('" +
      url +
      "/a').read() == b'hi'\n"
      "try: urllib.request.urlopen('" +
      url +
      "/b')\n"
      "except urllib.error.HTTPError as e: assert e.code == 404");
  ::kill(mirror, SIGKILL);
  ::waitpid(mirror, nullptr, 0);
  EXPECT_EQ(result.status, 0);
  EXPECT_TRUE(result.attempts.empty());
  EXPECT_EQ(result.mirror.connections, 2u);
  EXPECT_EQ(result.mirror.hits, 1u);
  EXPECT_EQ(result.mirror.misses, 1u);
  EXPECT_TRUE(result.mirror.missed.contains("/b"));
  EXPECT_TRUE(result.mirror.answers_known);
}

TEST(ClientSettings, PointEachClientAtTheMirrorAndNowhereElse) {
  const TemporaryFolder folder;
  const auto settings = client_settings("http://10.0.0.5:8480", folder.path(), {{"HOME", folder.path().string()}}, {});
  EXPECT_EQ(settings.set.at("PIP_INDEX_URL"), "http://10.0.0.5:8480/simple/");
  EXPECT_EQ(settings.set.at("PIP_TRUSTED_HOST"), "10.0.0.5:8480");
  EXPECT_EQ(settings.set.at("GOPROXY"), "http://10.0.0.5:8480/go");
  EXPECT_EQ(settings.set.at("GONOPROXY"), "none");
  EXPECT_EQ(settings.set.at("COREPACK_NPM_REGISTRY"), "http://10.0.0.5:8480/npm");
  EXPECT_EQ(settings.set.at("YARN_NPM_REGISTRY_SERVER"), "http://10.0.0.5:8480/npm");
  EXPECT_EQ(settings.set.at("YARN_UNSAFE_HTTP_WHITELIST"), "10.0.0.5");
  EXPECT_THAT(settings.unset, Contains("YARN_ENABLE_NETWORK"));
  EXPECT_THAT(settings.unset, ::testing::Not(Contains("GONOPROXY")));
  EXPECT_FALSE(settings.set.contains("PIP_NO_INDEX") || settings.set.contains("HF_HUB_OFFLINE"));
  EXPECT_THAT(settings.unset, Contains("HF_HUB_OFFLINE"));
  EXPECT_THAT(settings.unset, Contains("https_proxy"));
  EXPECT_THAT(read_file(fs::path(settings.set.at("CARGO_HOME")) / "config.toml", 4096),
              HasSubstr("sparse+http://10.0.0.5:8480/cargo/"));
  EXPECT_EQ(settings.set.at("VLLM_NO_USAGE_STATS"), "1");
  // What the mirror does not say is not guessed.
  EXPECT_FALSE(settings.set.contains("APT_CONFIG") || settings.set.contains("HELM_REPOSITORY_CONFIG"));
  EXPECT_FALSE(settings.set.contains("MVNW_REPOURL") || settings.set.contains("CONTAINERS_REGISTRIES_CONF"));
}

TEST(ClientSettings, FilesOfClientsHoldWhatTheMirrorSaysItHas) {
  const TemporaryFolder folder;
  MirrorLists lists;
  lists.apt = AptLists{.suites = {"prod", "test"}, .key = "the key"};
  lists.rpm = std::vector<RpmRepository>{{.name = "prod", .keys = {"mirror-key.asc", "keys/vendor.asc"}}};
  lists.charts = "index";
  lists.registries = {"one.example", "two.example:5000"};
  lists.maven = true;
  const auto own = folder.path() / "own.conf";
  write_file_atomically(own,
                        "unqualified-search-registries = [\"one.example\"]\n[[registry]]\nlocation = \"elsewhere\"\n"
                        "[aliases]\napp = \"two.example:5000/app\"\n");
  const auto settings = client_settings(
      "http://10.0.0.5:8480", folder.path(),
      {{"GIT_CONFIG_COUNT", "2"}, {"APT_CONFIG", "/etc/mine.conf"}, {"CONTAINERS_REGISTRIES_CONF", own.string()}},
      lists, {"stable", "../../up", "-x"});
  const auto text = [](const fs::path& file) { return read_file(file, 1u << 20); };
  const auto apt = text(settings.set.at("APT_CONFIG"));
  EXPECT_THAT(apt, HasSubstr("#include \"/etc/mine.conf\";"));
  EXPECT_THAT(apt, HasSubstr("Acquire::http::Proxy::10.0.0.5 \"DIRECT\";"));
  const auto sources = text(folder.path() / "apt/sources.list");
  EXPECT_THAT(sources, HasSubstr("] http://10.0.0.5:8480/debian prod main\n"));
  EXPECT_THAT(sources, HasSubstr("] http://10.0.0.5:8480/debian test main\n"));
  EXPECT_EQ(text(folder.path() / "apt/mirror-key.asc"), "the key");
  EXPECT_THAT(text(folder.path() / "rpm/liftlock.repo"),
              HasSubstr("baseurl=http://10.0.0.5:8480/rpm/prod\nenabled=1\nproxy=_none_\nrepo_gpgcheck=1\n"));
  EXPECT_THAT(text(folder.path() / "rpm/liftlock.repo"),
              HasSubstr("gpgkey=http://10.0.0.5:8480/rpm/mirror-key.asc\n       "
                        "http://10.0.0.5:8480/rpm/keys/vendor.asc\n"));
  EXPECT_THAT(text(settings.set.at("HELM_REPOSITORY_CONFIG")), HasSubstr("http://10.0.0.5:8480/charts/"));
  EXPECT_EQ(text(fs::path(settings.set.at("HELM_REPOSITORY_CACHE")) / "liftlock-index.yaml"), "index");
  EXPECT_EQ(text(fs::path(settings.set.at("HELM_REPOSITORY_CACHE")) / "stable-index.yaml"), "index");
  EXPECT_EQ(text(settings.set.at("HELM_REPOSITORY_CONFIG")).find("up"), std::string::npos) << "a file is called by it";
  EXPECT_EQ(settings.set.at("MVNW_REPOURL"), "http://10.0.0.5:8480/maven");
  const auto containers = text(settings.set.at("CONTAINERS_REGISTRIES_CONF"));
  EXPECT_THAT(containers, HasSubstr("prefix = \"two.example:5000\"\nlocation = \"10.0.0.5:8480/two.example_5000\"\n"
                                    "insecure = true\n"));
  EXPECT_THAT(containers, HasSubstr("location = \"10.0.0.5:8480\"\n")) << "the mirror's own names";
  const auto parsed = parse_toml(containers, ErrorCode::schema_violation);
  EXPECT_EQ(parsed["registry"].as_array()->size(), 3u) << "the user's lead elsewhere";
  EXPECT_EQ(parsed["unqualified-search-registries"][0].value<std::string>(), "one.example");
  EXPECT_EQ(parsed["aliases"]["app"].value<std::string>(), "two.example:5000/app");
  // What the user gave git stays before ours.
  EXPECT_FALSE(settings.set.contains("GIT_CONFIG_KEY_1"));
  EXPECT_EQ(settings.set.at("GIT_CONFIG_KEY_2"), "url.http://10.0.0.5:8480/git/-/.insteadOf");
  EXPECT_EQ(settings.set.at("GIT_CONFIG_VALUE_2"), "https://");
  const auto count = std::stoi(settings.set.at("GIT_CONFIG_COUNT"));
  EXPECT_EQ(settings.set.at("GIT_CONFIG_VALUE_" + std::to_string(count - 2)), "http://10.0.0.5:8480/");
  EXPECT_EQ(settings.set.at("GIT_CONFIG_KEY_" + std::to_string(count - 1)), "http.proxy");
  EXPECT_EQ(settings.set.at("GIT_CONFIG_VALUE_" + std::to_string(count - 1)), "");
}

TEST(ClientSettings, ScopesOfNpmWithARegistryOfTheirOwnAreTheMirrorsToo) {
  const TemporaryFolder folder;
  const auto home = folder.path() / "home", project = folder.path() / "work/deep/project";
  fs::create_directories(home);
  fs::create_directories(project);
  write_file_atomically(home / ".npmrc",
                        "; @not:registry=x\n@user:registry = https://one.example/\nregistry=https://x\n");
  write_file_atomically(project / ".npmrc", "\"@quoted:registry\"=https://two.example/\n//x/:_authToken=@t:registry\n");
  write_file_atomically(folder.path() / "work/.npmrc", "@above_it:registry=https://three.example/\n");
  const std::map<std::string, std::string> environment{{"HOME", home.string()},
                                                       {"NPM_CONFIG_@VARIABLE:REGISTRY", "https://four.example/"}};
  const auto scopes = npm_scopes(environment, project);
  EXPECT_THAT(scopes, ::testing::IsSupersetOf({"@above_it", "@quoted", "@user", "@variable"}));
  EXPECT_THAT(scopes, ::testing::Not(Contains(::testing::AnyOf("@not", "@t"))));
  const auto settings = client_settings("http://10.0.0.5:8480", folder.path(), environment, {});
  EXPECT_EQ(settings.set.at("npm_config_@user:registry"), "http://10.0.0.5:8480/npm/");
  EXPECT_EQ(settings.set.at("npm_config_replace_registry_host"), "always");
  EXPECT_EQ(settings.set.at("npm_config_noproxy"), "10.0.0.5");
  for (const auto* name : {"npm_config_offline", "UV_OFFLINE", "CARGO_NET_OFFLINE"})
    EXPECT_EQ(settings.set.at(name), "false") << name << ": files may say that they are offline";
  if (find_program("npm")) {
    EXPECT_THAT(read_file(settings.programs / "npm", 4096),
                HasSubstr("/npm' '--@user:registry=http://10.0.0.5:8480/npm/'"));
  }
}

TEST(ClientSettings, OfCargosConfigurationOnlyTheRegistriesAreReplaced) {
  const TemporaryFolder folder;
  const auto users = folder.path() / "home/.cargo", project = folder.path() / "work/project";
  fs::create_directories(users);
  fs::create_directories(project / ".cargo");
  write_file_atomically(
      users / "config.toml",
      "[registries.corp]\nindex = \"sparse+https://one.example/index/\"\n[registries.here]\nindex = \"file:///x\"\n"
      "[source.crates-io]\nreplace-with = \"corp\"\n[net]\noffline = true\nretry = 7\n"
      "[target.x86_64-unknown-linux-gnu]\nlinker = \"own-ld\"\nrustflags = [\"--cfg\", \"own\"]\n");
  write_file_atomically(project / ".cargo/config.toml",
                        "[source.near]\nregistry = \"https://two.example/index\"\n"
                        "[registries.same]\nindex = \"https://two.example/index/\"\n");
  const auto made = [&](const fs::path& where) {
    const auto home = folder.path() / "made";
    make_cargo_home("http://10.0.0.5:8480", home, users,
                    {{"CARGO_REGISTRIES_BY_VARIABLE_INDEX", "https://three.example"}}, where);
    EXPECT_EQ(fs::status(home / "config.toml").permissions(), fs::perms::owner_read | fs::perms::owner_write);
    return parse_toml(read_file(home / "config.toml", 1u << 20), ErrorCode::schema_violation);
  };
  const auto config = made(project);
  EXPECT_EQ(config["target"]["x86_64-unknown-linux-gnu"]["linker"].value<std::string>(), "own-ld");
  EXPECT_EQ(config["target"]["x86_64-unknown-linux-gnu"]["rustflags"].as_array()->size(), 2u);
  EXPECT_EQ(config["registries"]["corp"]["index"].value<std::string>(), "sparse+https://one.example/index/");
  EXPECT_EQ(config["net"]["retry"].value<int>(), 7);
  EXPECT_FALSE(config["net"].as_table()->contains("offline"));
  const auto source = config["source"];
  for (const auto* name : {"crates-io", "corp", "near", "by-variable"})
    EXPECT_EQ(source[name]["replace-with"].value<std::string>(), "liftlock-offline") << name;
  EXPECT_EQ(source["corp"]["registry"].value<std::string>(), "sparse+https://one.example/index/");
  EXPECT_EQ(source["liftlock-offline"]["registry"].value<std::string>(), "sparse+http://10.0.0.5:8480/cargo/");
  EXPECT_FALSE(source.as_table()->contains("here"));
  EXPECT_FALSE(source.as_table()->contains("same")) << "cargo refuses two sources of one address";
  // What lies above the project is read by cargo itself.
  EXPECT_FALSE(made(folder.path() / "home/project").contains("target"));
}

TEST(ClientSettings, AProgramInOursStandsBeforeTheMachines) {
  if (!find_program("mvn")) GTEST_SKIP() << "there is no mvn";
  const TemporaryFolder folder;
  const auto settings = client_settings("", folder.path(), {{"PATH", "/usr/bin"}}, {});
  EXPECT_EQ(settings.set.at("PATH"), settings.programs.string() + ":/usr/bin");
  EXPECT_THAT(read_file(settings.programs / "mvn", 4096),
              HasSubstr("/mvn' '--settings' '" + (folder.path() / "maven-settings.xml").string() + "' \"$@\""));
}

TEST(ClientSettings, VariablesAloneAreThoseOfTheSettingsThatNeedNoFile) {
  const TemporaryFolder folder;
  const std::string mirror = "http://10.0.0.5:8480";
  const auto settings = client_settings(mirror, folder.path(), {{"HOME", folder.path().string()}}, {});
  auto alone = mirror_environment(mirror);
  for (const auto* name : {"PIP_INDEX_URL", "UV_DEFAULT_INDEX", "npm_config_registry", "GOPROXY", "HF_ENDPOINT",
                           "LIFTLOCK_MIRROR", "GIT_CONFIG_COUNT", "VLLM_NO_USAGE_STATS", "YARN_NPM_REGISTRY_SERVER",
                           "YARN_UNSAFE_HTTP_WHITELIST", "COREPACK_NPM_REGISTRY", "COREPACK_INTEGRITY_KEYS"}) {
    EXPECT_TRUE(alone.contains(name)) << name;
  }
  EXPECT_FALSE(alone.contains("PIP_NO_INDEX")) << "the mirror stands in for it";
  EXPECT_EQ(alone["CARGO_NET_OFFLINE"], "true") << "no variable leads it";
  EXPECT_EQ(settings.set.at("CARGO_NET_OFFLINE"), "false");
  alone.erase("CARGO_NET_OFFLINE");
  for (const auto& [name, value] : alone) {
    ASSERT_TRUE(settings.set.contains(name)) << name;
    EXPECT_EQ(settings.set.at(name), value) << name;
    EXPECT_EQ(value.find(folder.path().string()), std::string::npos) << name;
  }
}

TEST(ClientSettings, RepositoriesOfChartsThatAreNamedByTheirAddressAreTheMirrors) {
  const TemporaryFolder folder;
  make_folders(folder.path() / "tools");
  const auto helm = folder.path() / "tools/helm";
  write_file_atomically(helm, "#!/bin/sh\nprintf '<%s>' \"$@\"\n");
  fs::permissions(helm, fs::perms::owner_all);
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", (helm.parent_path().string() + ":" + path).c_str(), 1);
  MirrorLists lists;
  lists.charts = "index";
  const auto settings = client_settings("http://10.0.0.5:8480", folder.path(), {}, lists);
  ::setenv("PATH", path.c_str(), 1);
  const auto asked = [&](std::vector<std::string> words) {
    words.insert(words.begin(), (settings.programs / "helm").string());
    return run_process_checked({.argv = words}).output;
  };
  const std::string elsewhere = "https://charts.example/a b";
  EXPECT_EQ(asked({"pull", "demo", "--repo", elsewhere, "-d", "x y"}),
            "<pull><demo><--repo><http://10.0.0.5:8480/charts/><-d><x y>");
  EXPECT_EQ(asked({"template", "--repo=" + elsewhere, "demo"}),
            "<template><--repo=http://10.0.0.5:8480/charts/><demo>");
  EXPECT_EQ(asked({"--debug", "repo", "add", "--force-update", "stable", elsewhere}),
            "<--debug><repo><add><--force-update><stable><http://10.0.0.5:8480/charts/>");
  for (const auto* here : {"http://127.0.0.1:8080", "https://localhost/charts", "http://localhost", "https://127.0.0.1",
                           "http://[::1]:80/", "file:///charts"})
    EXPECT_EQ(asked({"pull", "--repo", here}), fmt::format("<pull><--repo><{}>", here));
  EXPECT_EQ(asked({"install", "add", elsewhere, "--set", "a=*"}), "<install><add><" + elsewhere + "><--set><a=*>")
      << "no repository";
  EXPECT_EQ(asked({}), "<>") << "printf's own";
}

TEST(ClientSettings, WithoutAMirrorTellEachThatThereIsNoNetwork) {
  const TemporaryFolder folder;
  const auto settings = client_settings("", folder.path(), {}, {});
  EXPECT_EQ(settings.set.at("PIP_NO_INDEX"), "1");
  EXPECT_EQ(settings.set.at("GOPROXY"), "off");
  EXPECT_EQ(settings.set.at("GONOPROXY"), "none") << "private modules go past \"off\"";
  EXPECT_EQ(settings.set.at("npm_config_offline"), "true");
  EXPECT_EQ(settings.set.at("YARN_ENABLE_NETWORK"), "false");
  EXPECT_EQ(settings.set.at("COREPACK_ENABLE_NETWORK"), "0");
  EXPECT_FALSE(settings.set.contains("PIP_INDEX_URL") || settings.set.contains("CARGO_HOME"));
}

}  // namespace
}  // namespace liftlock::offline
