#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>

#include "base/error.hpp"
#include "quiet/switch_check.hpp"
#include "quiet/switch_text.hpp"

namespace liftlock::quiet {
namespace {

using How = SwitchState::How;

const ReadSettings k_no_files = [](std::string_view) { return std::nullopt; };

SwitchState state(std::string_view variable, const Environment& environment, const ReadSettings& files = k_no_files,
                  std::string_view mirror = {}) {
  for (auto& one : check_switches(environment, files, mirror)) {
    if (one.what->variable == variable) return one;
  }
  throw std::out_of_range(std::string(variable));
}

ReadSettings file(std::string path, std::string text) {
  return [=](std::string_view asked) { return asked == path ? std::optional(text) : std::nullopt; };
}

std::string repository_file(const std::string& name) {
  std::ifstream in(std::string(LIFTLOCK_SOURCE_DIR) + "/" + name);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(Switches, EachVariableStandsOnceWithItsSourceAndIsAcceptedByItsOwnProgram) {
  std::set<std::string_view> seen;
  for (const auto& one : all_switches()) {
    EXPECT_TRUE(seen.insert(one.variable).second) << one.variable;
    EXPECT_FALSE(one.source.empty() || one.stops.empty() || one.value.empty()) << one.variable;
    EXPECT_EQ(one.match == Match::any_case, !one.accepted.empty()) << one.variable;
    EXPECT_EQ(state(one.variable, {{std::string(one.variable), std::string(one.value)}}).how, How::variable);
    EXPECT_EQ(state(one.variable, {}).how, How::none) << one.variable;
  }
}

TEST(Switches, ThePageIsTheTable) {
  EXPECT_EQ(repository_file("docs/formats/telemetry.md"), table_document())
      << "write it with: liftlock render telemetry --form document";
}

TEST(Switches, TheWholeEnvironmentIsInForceAndNothingElseIs) {
  const auto none = check_switches({}, k_no_files, {});
  EXPECT_TRUE(std::none_of(none.begin(), none.end(), [](const auto& one) { return one.in_force(); }));
  const auto all = check_switches(quiet_environment(Mirror::none), k_no_files, {});
  EXPECT_TRUE(std::all_of(all.begin(), all.end(), [](const auto& one) { return one.in_force(); }));
}

TEST(Switches, ValuesThatTheProgramDoesNotReadAreNotInForce) {
  EXPECT_FALSE(state("VLLM_NO_USAGE_STATS", {{"VLLM_NO_USAGE_STATS", "true"}}).in_force());  // exactly 1
  EXPECT_FALSE(state("DISABLE_TELEMETRY", {{"DISABLE_TELEMETRY", "1"}}).in_force());  // AnythingLLM: exactly true
  EXPECT_TRUE(state("HF_HUB_OFFLINE", {{"HF_HUB_OFFLINE", "YES"}}).in_force());
  EXPECT_FALSE(state("HF_HUB_OFFLINE", {{"HF_HUB_OFFLINE", "0"}}).in_force());
  EXPECT_EQ(state("HF_HUB_OFFLINE", {{"HF_HUB_OFFLINE", "0"}}).found, "0");
  EXPECT_FALSE(state("QDRANT__TELEMETRY_DISABLED", {{"QDRANT__TELEMETRY_DISABLED", ""}}).in_force());
}

TEST(Switches, AMirrorStandsInForBeingOfflineOnlyAtItsOwnAddress) {
  const std::string mirror = "http://127.0.0.1:8480";
  const auto with = [&](std::string value) {
    return state("PIP_NO_INDEX", {{"PIP_INDEX_URL", std::move(value)}}, k_no_files, mirror).how;
  };
  EXPECT_EQ(with("http://127.0.0.1:8480/simple/"), How::mirror);
  EXPECT_EQ(with("http://127.0.0.1:84801/simple/"), How::none);
  EXPECT_EQ(with("http://127.0.0.1:8480.evil.example/simple/"), How::none);
  EXPECT_EQ(with("https://elsewhere.example/http://127.0.0.1:8480/"), How::none);
  EXPECT_EQ(state("PIP_NO_INDEX", {{"PIP_INDEX_URL", "http://127.0.0.1:8480/simple/"}}).how, How::none);
}

TEST(Switches, AMirrorWithAnIndexElsewhereKeepsNothingAtHome) {
  const std::string mirror = "http://127.0.0.1:8480";
  const auto judge = [&](std::string_view what, Environment environment) {
    return state(what, environment, k_no_files, mirror);
  };
  const std::pair<std::string, std::string> pip{"PIP_INDEX_URL", mirror + "/simple/"};
  EXPECT_EQ(judge("PIP_NO_INDEX", {pip, {"PIP_EXTRA_INDEX_URL", mirror + "/simple/ https://elsewhere.example/"}}).how,
            How::none);
  EXPECT_EQ(judge("PIP_NO_INDEX", {pip, {"PIP_EXTRA_INDEX_URL", "https://elsewhere.example/"}}).found,
            "PIP_EXTRA_INDEX_URL=https://elsewhere.example/");
  EXPECT_EQ(judge("PIP_NO_INDEX", {pip, {"PIP_EXTRA_INDEX_URL", ""}}).how, How::mirror);
  EXPECT_EQ(judge("PIP_NO_INDEX", {pip, {"PIP_EXTRA_INDEX_URL", mirror + "/more/"}}).how, How::mirror);
  EXPECT_EQ(judge("PIP_NO_INDEX", {pip, {"PIP_FIND_LINKS", "/srv/wheels"}}).how, How::mirror);
  const std::pair<std::string, std::string> uv{"UV_DEFAULT_INDEX", mirror + "/simple/"};
  for (const auto* variable : {"UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL"}) {
    EXPECT_EQ(judge("UV_OFFLINE", {uv, {variable, "torch=https://elsewhere.example/"}}).how, How::none) << variable;
    EXPECT_EQ(judge("UV_OFFLINE", {uv, {variable, "torch=" + mirror + "/simple/"}}).how, How::mirror) << variable;
  }
}

TEST(Switches, AFileCountsWhereNoVariableContradicts) {
  const auto off = file(".ollama/server.json", R"({"disable_ollama_cloud": true, "other": [1]})");
  EXPECT_EQ(state("OLLAMA_NO_CLOUD", {}, off).how, How::file);
  EXPECT_EQ(state("OLLAMA_NO_CLOUD", {{"OLLAMA_NO_CLOUD", "0"}}, off).how, How::none);
  EXPECT_EQ(state("OLLAMA_NO_CLOUD", {}, file(".ollama/server.json", R"({"disable_ollama_cloud": false})")).found,
            "false in ~/.ollama/server.json");
  EXPECT_EQ(state("npm_config_audit", {}, file(".npmrc", "# mine\naudit = \"false\"\n")).how, How::file);
  EXPECT_EQ(state("npm_config_audit", {}, file(".npmrc", "audit=false\naudit=true\n")).how, How::none);
  EXPECT_EQ(state("PIP_NO_INDEX", {}, file(".config/pip/pip.conf", "[install]\nno-index = true\n")).how, How::none);
  EXPECT_EQ(state("PIP_NO_INDEX", {}, file(".config/pip/pip.conf", "[global]\nno-index = true\n")).how, How::file);
  EXPECT_EQ(state("CARGO_NET_OFFLINE", {}, file(".cargo/config.toml", "[net]\noffline = true\n")).how, How::file);
}

TEST(Switches, AFileThatDoesNotParseIsNotInForce) {
  for (const std::string text : {"", "{", R"({"disable_ollama_cloud": tru)", "\xff\xfe", "[]", "null",
                                 R"({"disable_ollama_cloud": true, "disable_ollama_cloud": false})"}) {
    EXPECT_EQ(state("OLLAMA_NO_CLOUD", {}, file(".ollama/server.json", text)).how, How::none) << text;
  }
  const std::string deep(100'000, '[');
  EXPECT_EQ(state("OLLAMA_NO_CLOUD", {}, file(".ollama/server.json", deep)).how, How::none);
  EXPECT_EQ(state("CARGO_NET_OFFLINE", {}, file(".cargo/config.toml", "[net\noffline = true")).how, How::none);
}

TEST(Environment, IsReadAsGetenvDoes) {
  using namespace std::string_literals;
  const auto read = parse_environment("A=1\0B=\0A=2\0noequals\0=x\0C=a=b"s);
  EXPECT_EQ(read, (Environment{{"A", "1"}, {"B", ""}, {"C", "a=b"}}));
  EXPECT_TRUE(parse_environment("").empty());
  EXPECT_TRUE(parse_environment("\0\0"s).empty());
}

TEST(Environment, OfAnotherProcessIsWhatItWasStartedWith) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    char sleep[] = "sleep", time[] = "60", variable[] = "VLLM_NO_USAGE_STATS=1", home[] = "HOME=/nonexistent";
    char* argv[] = {sleep, time, nullptr};
    char* environment[] = {variable, home, nullptr};
    ::close(ready[0]);
    ::fcntl(ready[1], F_SETFD, FD_CLOEXEC);
    ::execve("/bin/sleep", argv, environment);
    ::_exit(1);
  }
  ::close(ready[1]);
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 0);  // closed by exec
  ::close(ready[0]);
  const auto view = look_at_process(pid);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  EXPECT_EQ(view.environment, (Environment{{"HOME", "/nonexistent"}, {"VLLM_NO_USAGE_STATS", "1"}}));
  EXPECT_TRUE(view.program.ends_with("sleep") || view.program.ends_with("coreutils")) << view.program;
  EXPECT_THROW(look_at_process(pid), Error);
}

TEST(EnvironmentText, IsQuotedForItsReader) {
  const Environment plain = {{"A", "1"}, {"B", "true"}};
  EXPECT_EQ(environment_text(plain, EnvironmentForm::shell), "export A='1'\nexport B='true'\n");
  EXPECT_EQ(environment_text(plain, EnvironmentForm::systemd), "A=1\nB=true\n");
  EXPECT_EQ(environment_text(plain, EnvironmentForm::dockerfile), "ENV A=1 \\\n    B=true\n");
  EXPECT_EQ(environment_text(plain, EnvironmentForm::compose), "environment:\n  A: \"1\"\n  B: \"true\"\n");
  EXPECT_EQ(environment_text(plain, EnvironmentForm::env_file), "A=1\nB=true\n");
  EXPECT_EQ(environment_text(plain, EnvironmentForm::containers),
            "[containers]\nenv = [\n  \"A=1\",\n  \"B=true\",\n]\n");
  const Environment odd = {{"A", "it's $HOME \"x\" \\"}};
  EXPECT_EQ(environment_text(odd, EnvironmentForm::shell), "export A='it'\\''s $HOME \"x\" \\'\n");
  EXPECT_EQ(environment_text(odd, EnvironmentForm::dockerfile), "ENV A=\"it's \\$HOME \\\"x\\\" \\\\\"\n");
  EXPECT_EQ(environment_text(odd, EnvironmentForm::compose), "environment:\n  A: \"it's $$HOME \\\"x\\\" \\\\\"\n");
  EXPECT_EQ(environment_text(odd, EnvironmentForm::env_file), "A=it's $HOME \"x\" \\\n");
  EXPECT_EQ(environment_text(odd, EnvironmentForm::containers),
            "[containers]\nenv = [\n  \"A=it's $HOME \\\"x\\\" \\\\\",\n]\n");
}

}  // namespace
}  // namespace liftlock::quiet
