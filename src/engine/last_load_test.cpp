#include "engine/last_load.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock::engine {
namespace {

Artifact content(std::string_view bytes) {
  Artifact model{.kind = "model", .name = "pair", .version = "1"};
  model.files.push_back({.path = RelPath::parse("models/pair/pair.gguf"),
                         .size = bytes.size(),
                         .digest = sha256(bytes),
                         .origin = {},
                         .evidence = {}});
  return model;
}

class LastLoad : public ::testing::Test {
 protected:
  void tell(std::string type, Outcome outcome, const Json& detail) {
    log.append({.type = std::move(type),
                .actor = "tester",
                .outcome = outcome,
                .subject = "model:pair@1",
                .detail = dump_json_line(detail)});
  }

  const TemporaryFolder folder;
  AuditLog log{folder.path() / "audit", ""};
  const Artifact older = content("older"), newer = content("newer");
};

TEST_F(LastLoad, OfOneContentIsNoneOfAnotherUnderItsId) {
  tell("model.load", Outcome::success, {{"digest", sha256("newer").text()}});
  tell("engine.start", Outcome::success, {{"engine", "a/1-cpu"}, {"model", sha256("newer").text()}});
  EXPECT_EQ(last_load(log, older), std::nullopt);
  EXPECT_EQ(last_start(log, older), std::nullopt);
  EXPECT_EQ(last_load(log, newer).value().index, 0u);
  EXPECT_EQ(last_start(log, newer).value().index, 1u);
}

TEST_F(LastLoad, IsNoneThatFailed) {
  tell("model.load", Outcome::success, {{"digest", sha256("older").text()}});
  tell("engine.start", Outcome::intent, {{"engine", "a/1-cpu"}, {"model", sha256("older").text()}});
  tell("model.load", Outcome::failure, {{"digest", sha256("older").text()}, {"error", "blob-corrupt"}});
  tell("engine.start", Outcome::failure, {{"engine", "a/1-cpu"}, {"model", sha256("older").text()}});
  EXPECT_EQ(last_load(log, older).value().index, 0u);
  EXPECT_EQ(last_start(log, older).value().index, 1u);
}

}  // namespace
}  // namespace liftlock::engine
