#include "engine/model_host.hpp"

#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/code_of.hpp"
#include "base/soon.hpp"
#include "engine/load_gate.hpp"
#include "engine/memory_need.hpp"
#include "engine/model_fixture.hpp"
#include "net/unix_client.hpp"
#include "os/deadly_calls.hpp"
#include "os/process.hpp"
#include "os/run_folder.hpp"

namespace liftlock::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::ModelFixture;
using testing_support::overwrite;
using namespace std::chrono_literals;

using Outcome_ = std::variant<std::shared_ptr<Lease>, Error>;

/// What a lease() was answered with.
class Answer {
 public:
  ModelHost::Got got() {
    return [state = m_state](Outcome_ outcome) {
      const std::lock_guard lock(state->mutex);
      state->outcome = std::move(outcome);
      ++state->calls;
    };
  }
  int calls() const {
    const std::lock_guard lock(m_state->mutex);
    return m_state->calls;
  }
  /// The lease, or nullptr.
  std::shared_ptr<Lease> lease() {
    EXPECT_TRUE(soon([&] { return calls() == 1; }));
    const std::lock_guard lock(m_state->mutex);
    if (const auto* error = std::get_if<Error>(&*m_state->outcome)) ADD_FAILURE() << error->what();
    const auto* lease = std::get_if<std::shared_ptr<Lease>>(&*m_state->outcome);
    return lease == nullptr ? nullptr : *lease;
  }
  Error error() {
    EXPECT_TRUE(soon([&] { return calls() == 1; }));
    const std::lock_guard lock(m_state->mutex);
    const auto* error = std::get_if<Error>(&*m_state->outcome);
    return error == nullptr ? Error(ErrorCode::internal, "there was no error") : *error;
  }
  void drop() {
    std::optional<Outcome_> gone;
    const std::lock_guard lock(m_state->mutex);
    std::swap(gone, m_state->outcome);
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::optional<Outcome_> outcome;
    int calls = 0;
  };
  std::shared_ptr<Shared> m_state = std::make_shared<Shared>();
};

std::string ask(const fs::path& socket, const std::string& words) {
  const UnixClient client(socket, {.max_header = 4096, .max_body = 4096, .idle = 5s, .total = 10s});
  return client
      .request(
          {.method = "POST", .target = "/v1/chat/completions", .headers = {}, .body = R"({"say":")" + words + "\"}"})
      .body;
}

class Hosts : public ::testing::Test {
 protected:
  void SetUp() override {
    fixture.add_engine(LIFTLOCK_STAND_IN);
    if (!find_program("bwrap")) GTEST_SKIP() << "bubblewrap is not installed";
    options.store_folder = fixture.store.folder();
    options.catalog_file = fixture.store.folder() / "catalog.db";
    options.engines_folder = fixture.engines();
    options.log_folder = fixture.folder.path() / "logs";
    options.patience = 20s;
    options.gate.verity = testing_support::no_verity();
  }
  void start() { host.emplace(options, log, "tester"); }

  Answer lease(const std::string& model, const std::string& caller = "ada", std::chrono::seconds keep_alive = 0s) {
    Answer answer;
    last_ticket = host->lease(model, caller, keep_alive, answer.got());
    return answer;
  }
  /// What the audit log holds of this type, as "outcome reason".
  std::vector<std::string> logged(const std::string& type) {
    std::vector<std::string> out;
    log.for_each(0, log.size(), [&](const AuditEntry& entry) {
      if (entry.event.type != type) return true;
      const auto detail = parse_json(entry.event.detail);
      out.push_back((entry.event.outcome == Outcome::failure ? "failure " : "") + detail.value("reason", "") +
                    detail.value("error", ""));
      return true;
    });
    return out;
  }
  std::string state_of(const std::string& model) {
    for (const auto& one : host->running()) {
      if (one.model == model) return one.state;
    }
    return "";
  }
  std::uint64_t need(const std::string& model) {
    return memory_need(require_model(fixture.catalog, model), Json::object(), 0, options.slots).total();
  }

  ModelFixture fixture;
  AuditLog log{fixture.folder.path() / "audit", ""};
  HostOptions options;
  std::optional<ModelHost> host;
  std::uint64_t last_ticket = 0;
};

TEST_F(Hosts, LoadsAModelWhenSomebodyAsks) {
  fixture.add_model("a", "GGUF");
  start();
  auto answer = lease("a");
  const auto lease = answer.lease();
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->model(), "a");
  EXPECT_EQ(lease->digest(), sha256("GGUF").text());
  EXPECT_EQ(lease->engine(), "tiny/1-cpu");
  EXPECT_THAT(ask(lease->socket(), "hello"), HasSubstr("I stand in."));
  const auto folder = lease->socket().parent_path();
  EXPECT_TRUE(fs::exists(folder));
  const auto running = host->running();
  ASSERT_EQ(running.size(), 1u);
  EXPECT_EQ(running[0].state, "ready");
  EXPECT_EQ(running[0].active, 1u);
  EXPECT_GT(running[0].expires, now() + 25min);
  EXPECT_THAT(logged("model.load"), ElementsAre(""));
  EXPECT_THAT(logged("engine.start"), ElementsAre("", ""));  // intent, success
  host.reset();
  EXPECT_THAT(logged("engine.stop"), ElementsAre("the server stopped"));
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(Hosts, SealedMemoryKeepsWhatTheEngineHasAndFilesDoNot) {
  const auto blob = fixture.add_model("a", "GGUF of a model");
  options.gate.memory = ModelMemory::file;
  start();
  {
    auto answer = lease("a");
    const auto lease = answer.lease();
    ASSERT_TRUE(lease);
    EXPECT_EQ(host->running().at(0).assurance, "store-user");
    overwrite(blob, "X", 0);
    EXPECT_THAT(ask(lease->socket(), "recite"), HasSubstr("XGUF of a model")) << "this is what sealing is for";
    overwrite(blob, "G", 0);
  }
  options.gate.memory = ModelMemory::sealed;
  host.reset();
  start();
  auto answer = lease("a");
  const auto lease = answer.lease();
  ASSERT_TRUE(lease);
  const auto running = host->running().at(0);
  EXPECT_EQ(running.assurance, "sealed-memory");
  EXPECT_EQ(running.memory, need("a") + 15) << "the copy counts";
  overwrite(blob, "X", 0);
  EXPECT_THAT(ask(lease->socket(), "recite"), HasSubstr("GGUF of a model"));
  EXPECT_THAT(ask(lease->socket(), "scribble"), HasSubstr("refused"));
  EXPECT_THAT(ask(lease->socket(), "recite"), HasSubstr("GGUF of a model"));
  fs::remove(blob);
  EXPECT_THAT(ask(lease->socket(), "recite"), HasSubstr("GGUF of a model"));
  const auto entry = log.find_last("model.load", "model:a@1", [](const AuditEntry&) { return true; });
  ASSERT_TRUE(entry);
  EXPECT_THAT(entry->event.detail, HasSubstr(R"("assurance":"sealed-memory")"));
}

TEST_F(Hosts, AFullQueueRefusesAndCallersTakeTurns) {
  fixture.add_model("a", "GGUF");
  options.slots = 1;
  options.queue = 4;
  start();
  auto first = lease("a");
  ASSERT_TRUE(first.lease());
  std::vector<Answer> waiting;
  for (const auto* caller : {"busy", "busy", "busy", "modest"}) waiting.push_back(lease("a", caller));
  const auto cancelled = last_ticket;
  EXPECT_EQ(lease("a", "busy").error().code(), ErrorCode::overloaded) << "whoever holds most is not given more";
  host->cancel(cancelled);
  waiting.pop_back();
  waiting.push_back(lease("a", "modest"));
  first.drop();
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    EXPECT_TRUE(soon([&] {
      for (std::size_t at = 0; at < waiting.size(); ++at) {
        if (waiting[at].calls() == 0 || std::find(order.begin(), order.end(), at) != order.end()) continue;
        order.push_back(at);
        waiting[at].drop();
        return true;
      }
      return false;
    }));
  }
  EXPECT_THAT(order, ElementsAre(0, 3, 1, 2));
}

TEST_F(Hosts, LoadingOneDoesNotHoldUpAnother) {
  fixture.add_model("quick", "GGUF");
  fixture.add_model("slow", "GGUF slow load");
  start();
  ASSERT_TRUE(lease("quick").lease());
  auto slow = lease("slow");
  EXPECT_TRUE(soon([&] { return state_of("slow") == "loading"; }));
  ASSERT_TRUE(lease("quick").lease());
  EXPECT_EQ(slow.calls(), 0);
  ASSERT_TRUE(slow.lease());
}

TEST_F(Hosts, UnloadsWhatNobodyUses) {
  fixture.add_model("a", "GGUF");
  start();
  {
    auto answer = lease("a", "ada", 1s);
    const auto held = answer.lease();
    std::this_thread::sleep_for(1500ms);
    EXPECT_EQ(state_of("a"), "ready");  // in use
  }
  EXPECT_TRUE(soon([&] { return host->running().empty(); }));
  EXPECT_THAT(logged("engine.stop"), ElementsAre("not used"));
  ASSERT_TRUE(lease("a").lease());
  host->unload("a");
  EXPECT_TRUE(soon([&] { return host->running().empty(); }));
  EXPECT_THAT(logged("engine.stop"), ElementsAre("not used", "unloaded"));
}

TEST_F(Hosts, TheLongestUnusedMakesRoom) {
  for (const auto* name : {"a", "b", "c"}) fixture.add_model(name, std::string("GGUF ") + name);
  options.memory_budget = 2 * need("a") + 1000;
  start();
  ASSERT_TRUE(lease("a").lease());
  ASSERT_TRUE(lease("b").lease());
  ASSERT_TRUE(lease("a").lease());
  ASSERT_TRUE(lease("c").lease());
  EXPECT_EQ(state_of("b"), "");
  EXPECT_EQ(state_of("a"), "ready");
  EXPECT_THAT(logged("engine.stop"), ElementsAre("made room for another model"));
}

TEST_F(Hosts, WhatIsAtWorkIsWaitedFor) {
  for (const auto* name : {"a", "b"}) fixture.add_model(name, std::string("GGUF ") + name);
  options.memory_budget = need("a") + 1000;
  options.patience = 10s;
  start();
  auto first = lease("a");
  ASSERT_TRUE(first.lease());
  const auto error = lease("b").error();
  EXPECT_EQ(error.code(), ErrorCode::overloaded);
  EXPECT_THAT(std::string(error.hint()), HasSubstr("`liftlock model unload NAME`"));
  auto second = lease("b");
  first.drop();
  ASSERT_TRUE(second.lease());
}

TEST_F(Hosts, NoModelLeavesWhereARecordingLeavesTooLittleAllTheSame) {
  fixture.add_model("a", "GGUF");
  fixture.add_model("b", "GGUF" + std::string(2000, 'x'));
  options.memory_budget = need("b");
  options.patience = 10s;
  ASSERT_GT(need("b"), need("a"));
  start();
  ASSERT_TRUE(lease("a").lease());
  auto heard = host->room("speech", need("b") - need("a"), {});
  EXPECT_EQ(lease("b").error().code(), ErrorCode::overloaded) << "the recording may take hours";
  EXPECT_EQ(state_of("a"), "ready") << "it would have left in vain";
  EXPECT_THAT(logged("engine.stop"), ElementsAre());
  heard.reset();
  ASSERT_TRUE(lease("b").lease());
  EXPECT_THAT(logged("engine.stop"), ElementsAre("made room for another model"));
}

TEST_F(Hosts, WhatCannotFitIsRefusedBeforeItIsLoaded) {
  fixture.add_model("a", "GGUF");
  options.memory_budget = 1u << 20;
  start();
  const auto error = lease("a").error();
  EXPECT_EQ(error.code(), ErrorCode::model_unfit);
  EXPECT_THAT(std::string(error.hint()), HasSubstr("unloading others does not help"));
  EXPECT_THAT(std::string(Error(ErrorCode::model_unfit, "").hint()), HasSubstr("`liftlock model unload NAME`"));
  EXPECT_THAT(logged("model.load"), ElementsAre());
}

TEST_F(Hosts, AnUnknownArchitectureIsRefusedBeforeItIsLoaded) {
  fixture.add_engine(LIFTLOCK_STAND_IN, "2", {"llama"});
  fixture.add_model("a", "GGUF a", {{"architecture", "llama"}});
  fixture.add_model("b", "GGUF b", {{"architecture", "newer"}});
  fixture.add_model("c", "GGUF c", {{"architecture", "gemma3"}});
  start();
  EXPECT_EQ(lease("b").error().code(), ErrorCode::model_unsupported);
  EXPECT_THAT(lease("c").error().message(), testing::HasSubstr("llama.cpp knows it since b4875"));
  EXPECT_EQ(lease("nosuch").error().code(), ErrorCode::not_found);
  auto good = lease("a");
  ASSERT_TRUE(good.lease());
  EXPECT_EQ(good.lease()->engine(), "tiny/2-cpu");
}

TEST_F(Hosts, AnEngineThatThisMachineCannotRunLoadsNothing) {
  fixture.add_engine(LIFTLOCK_STAND_IN, "2", {}, "llama-server", "vulkan");
  fixture.add_model("a", "GGUF");
  start();
  const auto error = lease("a").error();
  EXPECT_EQ(error.code(), ErrorCode::engine_unfit);
  EXPECT_THAT(error.message(), HasSubstr("tiny/2-vulkan cannot run on this machine: not in this version"));
  EXPECT_THAT(logged("model.load"), ElementsAre());
}

TEST_F(Hosts, AModelThatWasChangedOnTheDiskIsNotLoaded) {
  const auto blob = fixture.add_model("a", "GGUF");
  start();
  overwrite(blob, "X", 1);
  EXPECT_EQ(lease("a").error().code(), ErrorCode::blob_corrupt);
  EXPECT_THAT(logged("model.load"), ElementsAre("failure blob-corrupt"));
  EXPECT_THAT(logged("engine.start"), ElementsAre());
  overwrite(blob, "G", 1);
  ASSERT_TRUE(lease("a").lease());  // repaired: no circuit stays open for that
}

TEST_F(Hosts, AnEngineThatIsHeldRunsNothingBeforeItsRelease) {
  fixture.add_model("a", "GGUF");
  const auto engine = newest_engine_with(fixture.engines(), "llama-server");
  const auto model = check_model(fixture.store, require_model(fixture.catalog, "a"));
  const auto folder = fixture.folder.path() / "run";
  auto spec = sandbox_for(engine, model.files, folder, fixture.folder.path() / "log");
  spec.argv = llama_server_arguments(engine, {.model_path = main_file(model), .alias = "a"});
  const auto socket = folder / k_socket_name;

  // Whoever holds it is killed: it must take that neither for the release, nor stay.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const Sandbox held(spec, Start::when_released);
    std::this_thread::sleep_for(300ms);
    write_all(ready[1], std::string_view(fs::exists(socket) ? "ran" : "waits"), "pipe");
    ::pause();
  }
  char text[16] = {};
  ASSERT_GT(::read(ready[0], text, sizeof text - 1), 0);
  EXPECT_STREQ(text, "waits");
  ::kill(child, SIGKILL);
  EXPECT_TRUE(soon([] {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    return errno == ECHILD;
  }));
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  EXPECT_FALSE(fs::exists(socket)) << "it ran when nobody held it any more";
  ::umount2(folder.c_str(), MNT_DETACH);  // what root's run leaves when it is killed

  Sandbox held(spec, Start::when_released);
  std::this_thread::sleep_for(300ms);
  EXPECT_FALSE(held.poll());
  EXPECT_FALSE(fs::exists(socket));
  held.release();
  wait_until_ready(held, 20s);
  held.release();
  EXPECT_TRUE(is_healthy(held.run_folder() / k_socket_name, 2s));
}

TEST_F(Hosts, AModelThatChangesWhileItLoadsIsNotServed) {
  const auto blob = fixture.add_model("a", "GGUF slow load");
  start();
  auto answer = lease("a");
  EXPECT_TRUE(soon([&] { return !logged("engine.start").empty(); }));
  overwrite(blob, "X", 1);
  EXPECT_EQ(answer.error().code(), ErrorCode::blob_corrupt);
  EXPECT_THAT(logged("engine.start"), ElementsAre("", "failure blob-corrupt"));
}

TEST_F(Hosts, AnEngineThatCrashesIsStartedAgain) {
  fixture.add_model("a", "GGUF");
  options.slots = 1;
  start();
  auto first = lease("a");
  auto held = first.lease();
  ASSERT_TRUE(held);
  auto second = lease("a");
  EXPECT_ANY_THROW(ask(held->socket(), "crash"));
  const auto next = second.lease();
  ASSERT_TRUE(next);
  EXPECT_NE(next->socket(), held->socket());
  EXPECT_THAT(ask(next->socket(), "hello"), HasSubstr("I stand in."));
  held.reset();
  first.drop();  // of the dead one: it frees no slot of its successor
  EXPECT_EQ(host->running().at(0).active, 1u);
  EXPECT_THAT(logged("engine.stop"), ElementsAre(HasSubstr("failure ended with status")));
}

TEST_F(Hosts, WhatAModelIsForIsToldBeforeItIsLoaded) {
  fixture.add_model("a", "GGUF a", {{"architecture", "llama"}, {"context_length", 100}});
  fixture.add_model("b", "GGUF b", {{"architecture", "qwen3"}, {"pooling_type", 3}});
  fixture.add_model("c", "GGUF c", {{"architecture", "bert"}, {"pooling_type", 4}});
  fixture.add_model("d", "GGUF d", {{"architecture", "nomic-bert"}});
  start();
  EXPECT_EQ(host->offer("a").task, ModelTask::text);
  EXPECT_EQ(host->offer("a").context, 100u);
  EXPECT_EQ(host->offer("b").task, ModelTask::embeddings);
  EXPECT_EQ(host->offer("c").task, ModelTask::reranking);
  EXPECT_EQ(host->offer("d").task, ModelTask::embeddings);
  EXPECT_TRUE(host->running().empty());
}

TEST_F(Hosts, WhatFailsAgainAndAgainIsLeftAlone) {
  fixture.add_model("a", "GGUF that will die at load");
  fixture.add_model("b", "GGUF");
  start();
  for (int i = 0; i < 3; ++i) {
    const auto error = lease("a").error();
    EXPECT_EQ(error.code(), ErrorCode::engine_failed);
    EXPECT_THAT(error.what(), HasSubstr("I cannot load this"));
  }
  EXPECT_TRUE(soon([&] { return state_of("a") == "failed"; }));
  const auto error = lease("a").error();
  EXPECT_EQ(error.code(), ErrorCode::engine_unavailable);
  EXPECT_THAT(error.what(), HasSubstr("tried again at"));
  const auto wait = error.retry_after().value_or(0s);
  EXPECT_TRUE(wait > 0s && wait <= BreakerTerms().rest) << wait.count();
  ASSERT_TRUE(lease("b").lease());
}

// 134 is 128 and SIGABRT.
TEST_F(Hosts, AModelThatCrashesItsEngineIsRefusedWithItsStatus) {
  fixture.add_model("a", "GGUF that has it abort at load");
  fixture.add_model("b", "GGUF");
  start();
  const auto error = lease("a").error();
  EXPECT_EQ(error.code(), ErrorCode::engine_failed);
  EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("ended with status 134"), HasSubstr("this cannot be")));
  ASSERT_TRUE(lease("b").lease());
}

TEST_F(Hosts, AnEngineThatHangsIsKilledAndStartedAgain) {
  fixture.add_model("a", "GGUF");
  options.probe_every = 100ms;
  options.stuck_after = 3s;
  start();
  auto first = lease("a");
  const auto held = first.lease();
  ASSERT_TRUE(held);
  EXPECT_ANY_THROW(ask(held->socket(), "hang"));
  EXPECT_TRUE(soon([&] { return state_of("a") == "ready" && logged("engine.stop").size() == 1; }));
  const auto next = lease("a").lease();
  ASSERT_TRUE(next);
  EXPECT_THAT(ask(next->socket(), "hello"), HasSubstr("I stand in."));
  EXPECT_THAT(logged("engine.stop"), ElementsAre("failure did not answer for 3 s"));
}

TEST_F(Hosts, ASlotMayIdleUnlessSomebodyWaitsForItsNextByte) {
  fixture.add_model("a", "GGUF");
  options.probe_every = 100ms;
  options.stuck_after = 3s;
  start();
  const auto held = lease("a").lease();
  ASSERT_TRUE(held);
  std::this_thread::sleep_for(4s);
  EXPECT_THAT(logged("engine.stop"), ElementsAre()) << "a client may read slowly";
  const Lease::Wait waits(held.get());
  EXPECT_TRUE(soon([&] { return logged("engine.stop").size() == 1; }));
  EXPECT_THAT(logged("engine.stop"),
              ElementsAre("failure left a request without an answer, and none of its slots worked on it for 3 s"));
}

TEST_F(Hosts, WhatNoServerOfModelsDoesEndsItAndIsSeen) {
  fixture.add_model("a", "GGUF");
  fixture.add_model("b", "GGUF");
  fixture.add_model("c", "GGUF that will mislead at load");
  start();
  const auto mislead = lease("a").lease();
  ASSERT_TRUE(mislead);
  EXPECT_THAT(ask(mislead->socket(), "mislead"), HasSubstr("I stand in."));
  EXPECT_TRUE(soon([&] { return logged("engine.stop").size() == 1; }));
  const auto clutter = lease("b").lease();
  ASSERT_TRUE(clutter);
  EXPECT_THAT(ask(clutter->socket(), "clutter"), HasSubstr("I stand in."));
  EXPECT_TRUE(soon([&] { return logged("engine.stop").size() == 2; }));
  EXPECT_THAT(lease("c").error().what(), HasSubstr("a symlink stood where its socket belongs"));
  auto stops = logged("engine.stop");
  std::erase(stops, "made room for another model");  // one that runs again
  EXPECT_THAT(stops, ElementsAre("failure a symlink stood where its socket belongs",
                                 "failure it filled the folder of its socket"));
  EXPECT_THAT(logged("engine.suspicious"), ElementsAre("failure a symlink stood where its socket belongs",
                                                       "failure it filled the folder of its socket",
                                                       "failure a symlink stood where its socket belongs"));
  for (const auto& one : host->loads()) EXPECT_EQ(one.suspicious, 1u) << one.model;
}

TEST_F(Hosts, BoundsThatItUsesUpEndItAndAreSeen) {
  fixture.add_model("a", "GGUF");
  options.memory_slack = 1ull << 40;  // what it forks counts as memory that it holds
  options.probe_every = 60s;          // whose answer would need a thread more
  start();
  const std::vector<std::pair<std::string, std::string>> uses = {
      {"hoard", "failure it filled its /tmp"},
      {"litter", "failure it filled its /dev/shm"},
      {"multiply", " processes and threads, and may have 512"}};
  for (std::size_t i = 0; i < uses.size(); ++i) {
    const auto& [words, seen] = uses[i];
    const auto held = lease("a", "who says " + words).lease();
    ASSERT_TRUE(held);
    EXPECT_THAT(ask(held->socket(), words), HasSubstr("I stand in."));
    ASSERT_TRUE(soon([&] { return logged("engine.stop").size() == i + 1; })) << words;
    EXPECT_THAT(logged("engine.stop").back(), HasSubstr(seen));
    EXPECT_EQ(logged("engine.suspicious"), logged("engine.stop"));
  }
}

/// The entry's words; where nobody but the kernel sees the call, without its name.
std::string trespassed(const std::string& call) {
  if (DeadlyCallWatch::sees(call))
    return "failure it made the system call " + call + ", which no engine makes, and was ended for it";
  return "failure it made a system call that no engine makes (mount, ptrace, bpf …), and ended by it";
}

TEST_F(Hosts, ACallThatNoEngineMakesEndsItAndIsSeen) {
  fixture.add_model("a", "GGUF");
  fixture.add_model("b", "GGUF that will trespass at load");
  start();
  const auto held = lease("a").lease();
  ASSERT_TRUE(held);
  EXPECT_ANY_THROW(ask(held->socket(), "trespass"));
  EXPECT_TRUE(soon([&] { return logged("engine.stop").size() == 1; }));
  const auto seen = trespassed("ptrace");
  EXPECT_THAT(logged("engine.stop"), ElementsAre(seen));
  EXPECT_THAT(logged("engine.suspicious"), ElementsAre(seen));
  EXPECT_THAT(lease("b").error().what(), HasSubstr("ended with status 159"));
  EXPECT_THAT(logged("engine.suspicious"), ElementsAre(seen, seen));
}

TEST_F(Hosts, ACallThatAChildOfAnEngineMakesEndsTheEngineAndIsSeen) {
  if (!DeadlyCallWatch::sees("mount")) GTEST_SKIP() << "before Linux 5.9 only the child ends";
  fixture.add_model("a", "GGUF");
  start();
  const auto held = lease("a").lease();
  ASSERT_TRUE(held);
  EXPECT_ANY_THROW(ask(held->socket(), "delegate"));
  EXPECT_TRUE(soon([&] { return logged("engine.stop").size() == 1; }));
  EXPECT_THAT(logged("engine.stop"), ElementsAre(trespassed("mount")));
  const auto start = log.find_last("engine.start", "model:a@1", [](const AuditEntry&) { return true; });
  ASSERT_TRUE(start);
  EXPECT_THAT(start->event.detail, testing::Not(HasSubstr("unwatched")));
  EXPECT_THAT(logged("engine.suspicious"), ElementsAre(trespassed("mount")));
}

TEST_F(Hosts, AFloodedLogIsBoundedAndHalfAChunkIsAnError) {
  fixture.add_model("a", "GGUF");
  start();
  const auto held = lease("a").lease();
  ASSERT_TRUE(held);
  EXPECT_THAT(ask(held->socket(), "flood"), HasSubstr("I stand in."));
  EXPECT_LE(fs::file_size(options.log_folder / "a.log"), 16u << 20);
  EXPECT_ANY_THROW(ask(held->socket(), "half"));
  EXPECT_THAT(ask(held->socket(), "hello"), HasSubstr("I stand in."));
}

TEST_F(Hosts, WhoWaitsWhenTheHostGoesIsTold) {
  fixture.add_model("a", "GGUF slow load");
  start();
  auto answer = lease("a");
  EXPECT_TRUE(soon([&] { return !logged("engine.start").empty(); }));
  host.reset();
  EXPECT_EQ(answer.error().code(), ErrorCode::engine_unavailable);
}

TEST_F(Hosts, EnginesEndWithAHostThatIsKilled) {
  fixture.add_model("a", "GGUF");
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    start();
    Answer answer = lease("a");
    const auto held = answer.lease();
    const auto socket = held ? held->socket().string() + "\n" : std::string("\n");
    write_all(ready[1], socket, "pipe");
    ::pause();
    ::_exit(0);
  }
  char text[256] = {};
  ASSERT_GT(::read(ready[0], text, sizeof text - 1), 1);
  const fs::path socket = std::string(text).substr(0, std::string(text).find('\n'));
  EXPECT_TRUE(is_healthy(socket, 20s));
  // A user's sandbox has its own folder, to which a link leads.
  const auto folder = ::geteuid() == 0 ? socket.parent_path() : socket.parent_path().parent_path();
  // Else whoever makes a run folder meanwhile takes this one away, before the test has seen it.
  std::optional<FileLock> sweep(std::in_place, folder.parent_path() / "sweep", "a test", FileLock::Wait::yes);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(soon([&] { return !is_healthy(socket, 2s); }));
  EXPECT_TRUE(fs::exists(folder));
  sweep.reset();
  const RunFolder next("next");
  EXPECT_FALSE(fs::exists(folder)) << "what a killed host leaves goes with the next run";
}

TEST_F(Hosts, EnginesEndWithAHostThatIsKilledWhileTheyAreStarted) {
  fixture.add_model("a", "GGUF");
  // What a killed host leaves comes to be ours, so that none escapes the count.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  for (int delay = 0; delay < 80; ++delay) {
    const auto child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      start();
      Answer answer = lease("a");
      ::pause();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(delay));
    ::kill(child, SIGKILL);
    ASSERT_TRUE(soon([] {
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      return errno == ECHILD;
    })) << "killed after "
        << delay << " ms";
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

}  // namespace
}  // namespace liftlock::engine
