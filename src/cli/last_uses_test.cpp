#include "cli/last_uses.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

Publication publication_of(const std::string& kind, const Digest& digest) {
  return {.channel = "demo",
          .sequence = 1,
          .bundle_digest = sha256("bundle"),
          .bundle_json = "{}",
          .published_at = Timestamp(std::chrono::seconds(0)),
          .artifacts = {{.kind = kind,
                         .name = "one",
                         .version = "1",
                         .license = {},
                         .needs = {},
                         .files = {{RelPath::parse("files/one"), 1, digest, "", {}}}}},
          .other_files = {}};
}

TEST(LastUses, APushAndAStartCountAsAReadDoes) {
  const TemporaryFolder folder;
  AuditLog log(folder.path() / "audit", "test");
  const auto used = [&](const std::string& type, const std::string& subject, Outcome outcome,
                        const std::string& detail) {
    return log
        .read(log.append({.type = type, .actor = "ada", .outcome = outcome, .subject = subject, .detail = detail}))
        .time;
  };
  const auto package = sha256("package"), read = sha256("read");
  const std::map<std::string, std::string> packages = {{"tiny/1-cpu", package.text()}};
  used("engine.start", "model:m@1", Outcome::failure, R"({"engine":"tiny/1-cpu"})");
  used("engine.start", "model:m@1", Outcome::success, R"({"engine":"removed/1-cpu"})");
  used("image.push", "image:one@1", Outcome::failure, "{}");
  EXPECT_TRUE(last_uses(log, packages).empty()) << "what failed, and an engine that is gone";

  const auto started = used("engine.start", "model:m@1", Outcome::intent, R"({"engine":"tiny/1-cpu"})");
  const auto pushed = used("image.push", "image:one@1", Outcome::success, "{}");
  const auto given = used("mirror.read", read.text(), Outcome::success, "{}");
  const auto uses = last_uses(log, packages);
  const auto use_of = [&](const std::string& kind, const Digest& digest) {
    return last_use(publication_of(kind, digest), uses, {}).own;
  };
  EXPECT_EQ(use_of("engine", package), started);
  EXPECT_EQ(use_of("image", sha256("layer")), pushed);
  EXPECT_EQ(use_of("file", read), given);
  EXPECT_EQ(use_of("file", sha256("other")), std::nullopt);
}

TEST(LastUses, WhatStaysInAnotherPublicationIsNoUseOfThisOne) {
  const auto at = [](int seconds) { return Timestamp(std::chrono::seconds(seconds)); };
  const auto own = sha256("own"), shared = sha256("shared");
  auto both = publication_of("file", own);
  both.artifacts.push_back(both.artifacts.front());
  both.artifacts.back().name = "two";
  both.artifacts.back().files.front().digest = shared;
  const auto other = publication_of("image", shared);
  const LastUses uses = {{own.text(), at(1)}, {shared.text(), at(2)}};
  const auto staying = used_of(other, uses);
  EXPECT_EQ(staying, std::set<std::string>{shared.text()});
  EXPECT_EQ(last_use(both, uses, staying).own, at(1));
  EXPECT_EQ(last_use(both, uses, staying).shared, at(2));
  EXPECT_EQ(last_use(both, uses, {}).own, at(2)) << "nothing that stays has it";
  EXPECT_EQ(last_use(other, uses, staying).own, std::nullopt);
  EXPECT_EQ(last_use(publication_of("file", sha256("new")), uses, staying).shared, std::nullopt);
}

}  // namespace
}  // namespace liftlock
