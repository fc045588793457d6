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
  EXPECT_EQ(last_use(publication_of("engine", package), uses), started);
  EXPECT_EQ(last_use(publication_of("image", sha256("layer")), uses), pushed);
  EXPECT_EQ(last_use(publication_of("file", read), uses), given);
  EXPECT_EQ(last_use(publication_of("file", sha256("other")), uses), std::nullopt);
}

}  // namespace
}  // namespace liftlock
