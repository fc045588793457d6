#include "dockerfile/dockerfile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "base/error.hpp"
#include "dockerfile/build_log.hpp"
#include "dockerfile/lint.hpp"
#include "dockerfile/write.hpp"

namespace liftlock::dockerfile {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

const std::string k_base = "FROM python@sha256:aa\n";

std::set<std::string> rules(const std::string& text, const IsThere& is_there = {}) {
  std::set<std::string> out;
  for (const auto& one : lint(parse_dockerfile(text), is_there)) out.emplace(one.rule->id);
  return out;
}

TEST(Dockerfile, ContinuedLinesCommentsAndFlagsAreReadAsBuildKitDoes) {
  const auto file = parse_dockerfile(
      "# syntax=docker/dockerfile:1\n# escape=\\\n\n# a comment\nfrom base AS one\n"
      "RUN --mount=type=cache,target=/a --network=\"none\" echo a \\\n  # in between\n\n  && echo b\n"
      "ENV A=1 \\\r\n  B=2\r\n");
  EXPECT_EQ(file.syntax, "docker/dockerfile:1");
  ASSERT_EQ(file.instructions.size(), 3u);
  EXPECT_EQ(file.instructions[0].name, "FROM");
  EXPECT_EQ(file.instructions[0].line, 5u);
  EXPECT_THAT(file.instructions[1].flags, ElementsAre(Pair("mount", "type=cache,target=/a"), Pair("network", "none")));
  EXPECT_EQ(file.instructions[1].arguments, "echo a   && echo b");
  EXPECT_EQ(file.instructions[1].line, 6u);
  EXPECT_EQ(file.instructions[2].arguments, "A=1   B=2");
}

TEST(Dockerfile, DirectivesCountOnlyAtTheTop) {
  EXPECT_FALSE(parse_dockerfile("# comment\n# syntax=x\nFROM a\n").syntax);
  EXPECT_FALSE(parse_dockerfile("FROM a\n# syntax=x\n").syntax);
  EXPECT_EQ(parse_dockerfile("#escape=`\nFROM a\nRUN dir c:\\ `\n  x\n").instructions[1].arguments, "dir c:\\   x");
  EXPECT_THROW(parse_dockerfile("# escape=x\nFROM a\n"), Error);
}

TEST(Dockerfile, HereDocumentsEndAtTheirWord) {
  const auto file = parse_dockerfile(
      "FROM a\nRUN <<EOF bash && cat <<-\"X Y\"\necho FROM b\nEOF\n\tpip install x\n\tX Y\nRUN echo '<<NOT' 3<<<word "
      "\\<<no\nUSER u\n");
  ASSERT_EQ(file.instructions.size(), 4u);
  ASSERT_EQ(file.instructions[1].documents.size(), 2u);
  EXPECT_EQ(file.instructions[1].documents[0].body, "echo FROM b\n");
  EXPECT_EQ(file.instructions[1].documents[1].body, "pip install x\n");
  EXPECT_THAT(file.instructions[2].documents, IsEmpty());
  EXPECT_EQ(file.instructions[3].name, "USER");
}

TEST(Dockerfile, WhatIsNoneIsRefusedWithItsLine) {
  const auto refusal = [](const std::string& text) {
    try {
      parse_dockerfile(text);
    } catch (const Error& error) {
      return std::string(error.what()) + " / " + std::string(error.hint());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(refusal("FROM a\nRUM x\n"), HasSubstr("line 2"));
  EXPECT_THAT(refusal("FROM a\nRUM x\n"), HasSubstr("did you mean RUN"));
  EXPECT_THAT(refusal("FROM a\nRUN <<EOF\nnever\n"), HasSubstr("does not end"));
  EXPECT_THAT(refusal(""), Not(HasSubstr("accepted")));
  EXPECT_THAT(refusal("# only a comment\n"), Not(HasSubstr("accepted")));
  EXPECT_THAT(refusal(std::string("FROM a\0b", 8)), HasSubstr("zero byte"));
  EXPECT_THAT(refusal(std::string(k_max_bytes + 1, '#')), HasSubstr("larger"));
  std::string many;
  for (std::size_t i = 0; i <= k_max_instructions; ++i) many += "USER a\n";
  EXPECT_THAT(refusal(many), HasSubstr("more than"));
  EXPECT_EQ(parse_dockerfile("FROM a \\").instructions[0].arguments, "a");
}

TEST(Mount, FindsTheTargetByEachOfItsNames) {
  EXPECT_EQ(Mount("type=cache,dst=/a,sharing=locked").value("target"), "/a");
  EXPECT_EQ(Mount("TYPE=cache, destination = /b").value("target"), "/b");
  EXPECT_EQ(Mount("readonly").value("target"), "");
}

TEST(Lint, TheSampleOfTheFirstSourceDocumentDoesNotCache) {
  const auto found = rules(k_base +
                           "RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\\n"
                           "    apt-get update && apt-get install -y --no-install-recommends \\\n"
                           "    build-essential curl libgomp1\n"
                           "RUN --mount=type=cache,target=/root/.cache/pip,sharing=locked \\\n"
                           "    pip install --no-cache-dir -r requirements.txt\n");
  EXPECT_EQ(found, (std::set<std::string>{"apt-docker-clean", "apt-goes-out", "apt-lists-lost", "pip-no-cache-dir"}));
}

TEST(Lint, EachRuleFindsItsMistakeAndNothingWhereItIsMended) {
  const std::string apt =
      "--mount=type=cache,target=/var/cache/apt,sharing=locked "
      "--mount=type=cache,target=/var/lib/apt,sharing=locked ";
  const std::string clean = "RUN rm -f /etc/apt/apt.conf.d/docker-clean\n";
  const std::string pip = "--mount=type=cache,target=/root/.cache/pip ";
  struct Case {
    std::string rule, bad, good;
  };
  for (const auto& [rule, bad, good] : std::vector<Case>{
           {"apt-cache-sharing", "RUN --mount=type=cache,target=/var/cache/apt apt-get install x",
            clean + "RUN " + apt + "apt-get install x"},
           {"apt-docker-clean", "RUN " + apt + "apt-get install x", clean + "RUN " + apt + "apt-get install x"},
           {"apt-lists-removed", clean + "RUN " + apt + "apt-get install x && rm -rf /var/lib/apt/lists/*",
            "RUN rm -rf /var/lib/apt/lists/*"},
           {"apt-not-cached", "RUN apt-get install -y x", clean + "RUN " + apt + "apt-get install x"},
           {"pip-no-cache-dir", "ENV PIP_NO_CACHE_DIR=1\nRUN " + pip + "pip install x",
            "ENV PIP_NO_CACHE_DIR=0\nRUN " + pip + "pip install x"},
           {"pip-cache-place", "USER app\nRUN " + pip + "pip install x",
            "USER app\nRUN --mount=type=cache,target=/home/app/.cache/pip pip install x"},
           {"pip-not-cached", "RUN [\"pip\", \"install\", \"x\"]", "RUN " + pip + "python -m pip install x"},
           {"pip-index-reachable", "RUN " + pip + "pip install --find-links=w x",
            "RUN --network=none pip install --no-index --find-links=w x"},
           {"wheelhouse-flat", "RUN tar -xzf wheelhouse.tgz && pip install --no-index --find-links=wheelhouse x",
            "RUN mkdir wheelhouse && tar -xzf wheelhouse.tgz -C wheelhouse && pip install --no-index "
            "--find-links=wheelhouse x"},
           {"wheels-without-dependencies", "RUN " + pip + "pip wheel --no-deps -r r.txt",
            "RUN " + pip + "pip wheel -r r.txt"},
           {"network-open", "RUN pip install --no-index x", "RUN --network=none pip install --no-index x"},
           {"moving-tag", "FROM a:latest", "FROM a@sha256:bb"},
           {"moving-tag", "FROM registry.example:5000/a", "FROM registry.example:5000/a@sha256:bb"},
           {"tag-not-pinned", "FROM a:1.2", "FROM a:1.2@sha256:bb"},
           {"add-from-network", "ADD https://x.example/f /f", "ADD --checksum=sha256:aa https://x.example/f /f"},
           {"curl-without-fail", "RUN curl -LO https://x.example/f", "RUN curl -fLO https://x.example/f"},
           {"download-into-shell", "RUN curl -fsSL https://x.example/install.sh | sudo -E bash -s -- -y",
            "RUN curl -fsSL https://x.example/install.sh -o i && sha256sum -c s && bash i"},
           {"download-into-shell", "RUN bash <(wget -qO- https://x.example/i)",
            "RUN wget -O i https://x.example/i || sh i"},
           {"download-into-shell", "RUN sh -c \"$(curl -fsSL https://x.example/i)\"",
            "RUN curl -f https://x.example/i | tee i"},
           {"packages-go-out", "RUN git clone https://x.example/r", "RUN --network=none git clone /src/r"},
           {"packages-go-out", "RUN cd app && npm ci", "RUN npm ci --offline"},
           {"packages-go-out", "RUN npm install", "RUN npm run build"},
           {"packages-go-out", "RUN go mod download", "RUN go mod verify"},
           {"packages-go-out", "RUN apk add --no-cache curl", "RUN apk add --no-network ./curl.apk"},
           {"packages-go-out", "RUN dnf -y install gcc", "RUN dnf --cacheonly install gcc"},
           {"moving-tag", "COPY --from=x.example/tool:latest /t /t", "COPY --from=x.example/tool@sha256:bb /t /t"},
           {"tag-not-pinned", "COPY --from=x.example/tool:1.2 /t /t",
            "FROM a@sha256:bb AS Tool\nCOPY --from=tool /t /t"},
           {"moving-tag", "COPY --from=x.example/tool /t /t", "COPY --from=0 /t /t"},
           {"download-name", "RUN wget https://x.example/f?download=true",
            "RUN wget -O f https://x.example/f?download=true"},
           {"download-unchecked", "RUN curl -fO https://x.example/f",
            "RUN curl -fO https://x.example/f && echo 'aa f' | sha256sum -c"},
           {"source-missing", "COPY nosuch.txt /", "COPY there.txt /"},
           {"switch-not-read", "ENV OLLAMA_SKIP_TELEMETRY=1", "ENV OLLAMA_NO_CLOUD=1"},
           {"switch-not-accepted", "ENV VLLM_NO_USAGE_STATS=true", "ENV VLLM_NO_USAGE_STATS=1"},
           {"secret-in-image", "ARG API_TOKEN=abc", "ARG API_TOKEN"},
       }) {
    const IsThere is_there = [](const std::string& path) { return path == "there.txt"; };
    EXPECT_THAT(rules(k_base + bad + "\n", is_there), Contains(rule)) << bad;
    EXPECT_THAT(rules(k_base + good + "\n", is_there), Not(Contains(rule))) << good;
  }
  EXPECT_THAT(rules("# syntax=docker/dockerfile:1\n" + k_base), Contains("syntax-goes-out"));
  EXPECT_THAT(rules("FROM a@sha256:aa AS one\nFROM one\nFROM ${X}\nFROM scratch\n"), IsEmpty());
}

TEST(Lint, ThePageListsTheRules) {
  std::ifstream in(std::string(LIFTLOCK_SOURCE_DIR) + "/docs/formats/dockerfile.md");
  std::ostringstream page;
  page << in.rdbuf();
  EXPECT_THAT(page.str(), HasSubstr(rules_markdown())) << "paste what `liftlock lint dockerfile --rules` writes";
}

TEST(Write, WhatIsWrittenHasNothingToMend) {
  Recipe recipe{.base = "registry.example/python:3.11@sha256:aa",
                .packages = {"curl", "build-essential", "curl"},
                .requirements = "requirements.txt"};
  for (const auto& [wheelhouse, mirror] :
       std::vector<std::pair<std::string, std::string>>{{"", ""}, {"wheelhouse", ""}, {"", "http://10.0.0.5:8480"}}) {
    recipe.wheelhouse = wheelhouse, recipe.mirror = mirror;
    const auto text = write_dockerfile(recipe);
    EXPECT_EQ(write_dockerfile(recipe), text);
    for (const auto& one : lint(parse_dockerfile(text), {})) {
      EXPECT_EQ(one.rule->level, Level::note) << text << one.line << ": " << one.rule->id << " " << one.message;
    }
  }
  EXPECT_THAT(write_dockerfile(recipe),
              HasSubstr("--index-url http://10.0.0.5:8480/simple/ --trusted-host 10.0.0.5:8480"));
}

TEST(Write, NamesCannotBreakOut) {
  for (const auto* evil : {"x; curl evil", "x\nRUN evil", "$(evil)", "-o", "", "a b", "x`y", "x\\"}) {
    EXPECT_THROW(write_dockerfile({.base = evil}), Error) << evil;
    EXPECT_THROW(write_dockerfile({.base = "a", .packages = {evil}}), Error) << evil;
    if (*evil == '\0') continue;
    EXPECT_THROW(write_dockerfile({.base = "a", .requirements = evil}), Error) << evil;
    EXPECT_THROW(write_dockerfile({.base = "a", .requirements = "r", .wheelhouse = evil}), Error) << evil;
  }
}

TEST(BuildLog, StepsAreFoundAmongOtherLines) {
  const auto steps = parse_build_log(
      "#0 building with \"default\" instance\n#1 [internal] load build definition\n#1 DONE 0.0s\n"
      "#5 [2/3] RUN apt-get update\n#5 CACHED\n#6 [3/3] RUN pip install -r r.txt\n#6 0.412 Collecting x\n#6 DONE "
      "12.5s\n"
      "#7 [final 1/1] COPY a b\n#7 ERROR: not found\n#x [y\nnoise\n#6 DONE nan\n#8 [z]\n#8 DONE -1s\n");
  ASSERT_EQ(steps.size(), 4u);
  EXPECT_EQ(steps[0].fate, BuildStep::Fate::cached);
  EXPECT_EQ(steps[1].name, "[3/3] RUN pip install -r r.txt");
  EXPECT_EQ(steps[1].fate, BuildStep::Fate::done);
  EXPECT_DOUBLE_EQ(steps[1].seconds, 12.5);
  EXPECT_EQ(steps[2].fate, BuildStep::Fate::failed);
  EXPECT_EQ(steps[3].fate, BuildStep::Fate::unknown);
}

}  // namespace
}  // namespace liftlock::dockerfile
