#include "engine/model_host.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "engine/fair_queue.hpp"
#include "engine/memory_need.hpp"
#include "os/process_memory.hpp"
#include "os/run_folder.hpp"

namespace liftlock::engine {
namespace {

using Clock = std::chrono::steady_clock;
using Got = ModelHost::Got;

constexpr std::chrono::milliseconds k_look{50};  ///< how soon a crash, or a time that is up, is noticed
constexpr std::chrono::milliseconds k_probe_patience{1000};
constexpr std::chrono::seconds k_names_stay{1};
constexpr std::chrono::milliseconds k_look_at_slots{250};
constexpr std::chrono::milliseconds k_look_at_memory{1000};
/// After an engine ended with several requests at work, this long they come one by one, so that the next end tells
/// which.
constexpr std::chrono::seconds k_one_by_one{60};

/// The wall clock's reading at that moment, as people are told it.
Timestamp wall_time(Clock::time_point when) {
  return std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(when - Clock::now()));
}

/// Calls to run once the lock is gone: declare it before the lock.
class Afterwards {
 public:
  Afterwards() = default;
  ~Afterwards() {
    for (const auto& call : m_calls) call();
  }
  Afterwards(const Afterwards&) = delete;
  Afterwards& operator=(const Afterwards&) = delete;
  void add(std::function<void()> call) { m_calls.push_back(std::move(call)); }

 private:
  std::vector<std::function<void()>> m_calls;
};

struct Waiting {
  Got got;
  std::string caller;
  std::chrono::seconds keep_alive;
};

/// An engine at work; leases hold on to it.
struct Process {
  explicit Process(std::shared_ptr<const EngineRun> its_run) : run(std::move(its_run)) {}

  const std::shared_ptr<const EngineRun> run;
  std::vector<std::shared_ptr<SlotUse>> uses;  ///< slots that are taken; those given up until the engine let go
  Clock::time_point given_up;                  ///< when the first of these was
  std::uint64_t resident = 0;

  bool is_at_work() const {
    return std::any_of(uses.begin(), uses.end(), [](const auto& use) { return !use->given_up; });
  }
  std::size_t count_given_up() const {
    return static_cast<std::size_t>(
        std::count_if(uses.begin(), uses.end(), [](const auto& use) { return use->given_up; }));
  }
};

enum class State : std::uint8_t { unloaded, loading, ready };

/// A model that somebody asked for; never goes away before the host, so that its failures are remembered.
struct Model {
  Model(Artifact one, MemoryNeed its_need, const Json& facts, std::size_t capacity)
      : artifact(std::move(one)),
        digest(main_digest(artifact).text()),
        need(its_need),
        architecture(facts.value("architecture", std::string())),
        task(task_of(facts)),
        queue(capacity) {}

  const Artifact artifact;
  const std::string digest;
  const MemoryNeed need;
  const std::string architecture;  ///< empty when nobody inspected it
  const ModelTask task;

  // guarded by the host's mutex
  State state = State::unloaded;
  FairQueue<Waiting> queue;
  std::shared_ptr<Process> process;  ///< while ready
  CircuitBreaker breaker;
  std::map<std::string, CircuitBreaker> callers;  ///< those at whose requests alone the engine ended
  Clock::time_point one_by_one;                   ///< until then
  std::chrono::seconds keep_alive{};
  Clock::time_point used;
  Timestamp since{};
  std::string leave;           ///< why it shall stop once nobody uses it
  std::string_view assurance;  ///< of the bytes that its engine has
  LoadCounts counts;
  bool has_failed = false;  ///< the next engine is a restart
  bool has_thread = false;
  std::thread thread;
};

}  // namespace

struct NamedModel {
  Artifact artifact;
  Json facts;
  std::string key;  ///< of the host's models: id and digest
  MemoryNeed need;
  ModelTask task;
};

namespace {

/// Names as the catalog resolves them. Reads it at most once a second while nothing changes.
class Names {
 public:
  explicit Names(const HostOptions& options)
      : m_catalog(options.catalog_file, Access::read),
        m_aliases(options.aliases_file),
        m_context(options.context),
        m_slots(options.slots),
        m_memory(options.gate.memory) {}

  std::shared_ptr<const NamedModel> find(const std::string& name) {
    const std::lock_guard lock(m_mutex);
    // An alias that was put elsewhere counts from the next request on.
    if (auto choices = m_aliases.all(); choices != m_choices) {
      m_known.clear();
      m_choices = std::move(choices);
    }
    if (const auto when = Clock::now(); when - m_looked > k_names_stay) {
      const auto generation = m_catalog.generation();
      if (generation != m_generation) m_known.clear();
      m_generation = generation;
      m_looked = when;
    }
    if (const auto at = m_known.find(name); at != m_known.end()) return at->second;
    auto artifact = require_model(m_catalog, m_aliases, name);
    auto facts = m_catalog.inspection(artifact);
    auto key = artifact.id() + " " + main_digest(artifact).hex();
    const auto need = memory_need(artifact, facts, m_context, m_slots, m_memory);
    const auto task = task_of(facts);
    return m_known[name] = std::make_shared<NamedModel>(
               NamedModel{std::move(artifact), std::move(facts), std::move(key), need, task});
  }

 private:
  std::mutex m_mutex;
  Catalog m_catalog;
  const Choices m_aliases;
  const unsigned m_context, m_slots;
  const ModelMemory m_memory;
  std::shared_ptr<const ChoiceMap> m_choices;
  std::uint64_t m_generation = 0;
  Clock::time_point m_looked{};
  std::map<std::string, std::shared_ptr<const NamedModel>> m_known;
};

}  // namespace

Lease::Lease(std::shared_ptr<const EngineRun> run, std::shared_ptr<SlotUse> use, std::function<void(bool)> release)
    : m_run(std::move(run)), m_use(std::move(use)), m_release(std::move(release)) {}

Lease::~Lease() {
  m_release(m_given_up);
}

struct ModelHost::Impl : std::enable_shared_from_this<ModelHost::Impl> {
  Impl(HostOptions its_options, AuditLog& its_log, std::string its_actor)
      : options(std::move(its_options)),
        log(its_log),
        actor(std::move(its_actor)),
        store(options.store_folder),
        defaults(options.defaults_file),
        names(options) {
    if (options.memory_budget == 0) options.memory_budget = default_memory_budget();
    make_folders(options.log_folder);
  }

  // -- asking, on any thread

  std::uint64_t lease(const std::string& name, const std::string& caller, std::chrono::seconds keep_alive, Got got) {
    std::shared_ptr<const NamedModel> found;
    try {
      found = names.find(name);
    } catch (const Error& error) {
      got(error);
      return 0;
    }
    return lease(*found, caller, keep_alive, std::move(got));
  }

  std::uint64_t lease(const NamedModel& named, const std::string& caller, std::chrono::seconds keep_alive, Got got) {
    Afterwards afterwards;
    const std::lock_guard lock(mutex);
    const auto ticket = ++last_ticket;
    auto& model = model_of(named);
    auto refusal = why_not(model);
    if (!refusal) refusal = why_not_for(model, caller);
    if (refusal) {
      afterwards.add([got = std::move(got), refusal = *std::move(refusal)] { got(refusal); });
      return ticket;
    }
    const auto stay = keep_alive.count() > 0 ? keep_alive : options.keep_alive;
    if (model.queue.empty() && has_free_slot(model)) {
      give(model, Waiting{std::move(got), caller, stay}, afterwards);
      return ticket;
    }
    if (auto displaced = model.queue.push(caller, ticket, Waiting{std::move(got), caller, stay}))
      afterwards.add([got = std::move(displaced->got), error = queue_full(model)] { got(error); });
    grant(model, afterwards);
    if (!model.has_thread) start_thread(model);
    return ticket;
  }

  void refuse_all(Model& model, const Error& error) {
    Afterwards afterwards;
    const std::lock_guard lock(mutex);
    while (auto waiting = model.queue.pop()) afterwards.add([got = std::move(waiting->got), error] { got(error); });
  }

  void cancel(std::uint64_t ticket) {
    std::optional<Waiting> gone;  // outlives the lock: what its function holds may call us when it goes
    const std::lock_guard lock(mutex);
    for (auto& [key, model] : models) {
      if ((gone = model->queue.remove(ticket))) return;
    }
  }

  void unload(const std::string& name) {
    const auto found = names.find(name);
    const std::lock_guard lock(mutex);
    auto& model = model_of(*found);
    if (model.state != State::ready || !model.leave.empty()) return;
    model.leave = "unloaded";
    changed.notify_all();
  }

  Offer offer(const std::string& name) {
    const auto found = names.find(name);
    return {.model = found->artifact.name, .task = found->task, .context = found->need.context, .named = found};
  }

  std::vector<Running> running() const {
    const std::lock_guard lock(mutex);
    const auto when = Clock::now();
    std::vector<Running> out;
    for (const auto& [key, model] : models) {
      const auto resting = model->breaker.open_until(when);
      if (!model->has_thread && !resting) continue;
      Running one;
      one.model = model->artifact.name;
      one.digest = model->digest;
      one.state = model->state == State::ready ? "ready" : resting ? "failed" : "loading";
      one.memory = model->has_thread ? model->need.total() : 0;
      one.slots = options.slots;
      one.queued = model->queue.size();
      one.since = model->since;
      if (model->process) {
        one.engine = model->process->run->engine;
        one.assurance = model->assurance;
        one.active = static_cast<unsigned>(model->process->uses.size());
        one.resident = model->process->resident;
      }
      one.expires =
          resting && model->state != State::ready ? wall_time(*resting) : wall_time(model->used + model->keep_alive);
      out.push_back(std::move(one));
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.model < b.model; });
    return out;
  }

  std::vector<LoadCounts> loads() const {
    const std::lock_guard lock(mutex);
    std::map<std::string, LoadCounts> by_name;
    for (const auto& [key, model] : models) {
      auto& sum = by_name[model->artifact.name];
      const auto& one = model->counts;
      sum.loads += one.loads;
      sum.restarts += one.restarts;
      sum.checks += one.checks;
      sum.checking += one.checking;
      sum.starting += one.starting;
    }
    std::vector<LoadCounts> out;
    for (auto& [name, counts] : by_name) {
      counts.model = name;
      out.push_back(std::move(counts));
    }
    return out;
  }

  void stop() {
    std::vector<std::thread> threads;
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      for (auto& [key, model] : models) threads.push_back(std::move(model->thread));
      changed.notify_all();
    }
    for (auto& thread : threads) {
      if (thread.joinable()) thread.join();
    }
  }

  // -- with the mutex held

  Model& model_of(const NamedModel& found) {
    auto& model = models[found.key];
    if (!model) model = std::make_unique<Model>(found.artifact, found.need, found.facts, options.queue);
    return *model;
  }

  std::optional<Error> why_not(const Model& model) const {
    if (stopping) return Error(ErrorCode::engine_unavailable, "the server is stopping");
    if (model.need.total() > options.memory_budget) {
      return Error(ErrorCode::model_unfit,
                   fmt::format("'{}' needs about {}, and engines may use {}", printable(model.artifact.name),
                               format_size(model.need.total()), format_size(options.memory_budget)));
    }
    if (model.state == State::ready) return std::nullopt;
    return resting(model);
  }

  std::optional<Error> resting(const Model& model) const {
    const auto until = model.breaker.open_until(Clock::now());
    if (!until) return std::nullopt;
    return Error(
        ErrorCode::engine_unavailable,
        fmt::format("the engine of '{}' failed {} times within a minute; it is tried again at {}",
                    printable(model.artifact.name), model.breaker.terms().failures, format_time(wall_time(*until))));
  }

  /// Others may go on asking it.
  std::optional<Error> why_not_for(const Model& model, const std::string& caller) const {
    const auto found = model.callers.find(caller);
    const auto until = found == model.callers.end() ? std::nullopt : found->second.open_until(Clock::now());
    if (!until) return std::nullopt;
    return Error(
        ErrorCode::engine_unavailable,
        fmt::format("the engine of '{}' ended {} times at requests of this key; it may ask again at {}",
                    printable(model.artifact.name), options.caller_terms.failures, format_time(wall_time(*until))),
        "find out which request ends the engine, and do not send it again");
  }

  Error queue_full(const Model& model) const {
    return Error(ErrorCode::overloaded,
                 fmt::format("{} requests wait for '{}' already", model.queue.size(), printable(model.artifact.name)));
  }

  void start_thread(Model& model) {
    // The one before has nothing more to do: it said so as its last act under the mutex.
    if (model.thread.joinable()) model.thread.join();
    model.has_thread = true;
    model.state = State::loading;
    model.since = now();
    model.thread = std::thread([this, &model] { run(model); });
  }

  bool has_free_slot(const Model& model) const {
    if (model.state != State::ready || !model.leave.empty() || stopping) return false;
    return model.process->uses.size() < (Clock::now() < model.one_by_one ? 1 : options.slots);
  }

  /// Gives free slots to those who wait.
  void grant(Model& model, Afterwards& afterwards) {
    while (!model.queue.empty() && has_free_slot(model)) {
      auto next = *model.queue.pop();
      if (auto refusal = why_not_for(model, next.caller)) {
        afterwards.add([got = std::move(next.got), refusal = *std::move(refusal)] { got(refusal); });
        continue;
      }
      give(model, std::move(next), afterwards);
    }
  }

  void give(Model& model, Waiting next, Afterwards& afterwards) {
    const auto& process = model.process;
    model.keep_alive = next.keep_alive;
    model.used = Clock::now();
    auto use = std::make_shared<SlotUse>();
    use->caller = std::move(next.caller);
    process->uses.push_back(use);
    auto lease =
        std::make_shared<Lease>(process->run, use, [self = shared_from_this(), &model, process, use](bool given_up) {
          self->release(model, *process, use, given_up);
        });
    afterwards.add([got = std::move(next.got), lease = std::move(lease)]() mutable { got(std::move(lease)); });
  }

  void release(Model& model, Process& process, const std::shared_ptr<SlotUse>& use, bool given_up) {
    Afterwards afterwards;
    const std::lock_guard lock(mutex);
    if (given_up) {
      if (process.count_given_up() == 0) process.given_up = Clock::now();
      use->given_up = true;
    } else {
      std::erase(process.uses, use);
    }
    if (model.process.get() != &process) return;
    model.used = Clock::now();
    grant(model, afterwards);
    if (given_up || !model.leave.empty() || makers_of_room > 0) changed.notify_all();
  }

  // -- one model, on its thread

  /// Why an engine's run ended.
  enum class End : std::uint8_t { left, stopped, failed, blamed, held };

  void run(Model& model) {
    while (true) {
      std::optional<Error> error;
      End end = End::left;
      try {
        end = run_once(model);
      } catch (const Error& caught) {
        error = caught;
      } catch (const std::exception& caught) {
        error = Error(ErrorCode::internal, caught.what());
      }
      if (!goes_on(model, end, error)) return;
    }
  }

  /// Decides what follows; nothing of this thread may touch the model once it said false.
  bool goes_on(Model& model, End end, std::optional<Error> error) {
    std::unique_lock lock(mutex);
    model.state = State::loading;
    model.process.reset();
    model.leave.clear();
    const bool failed = error ? error->code() == ErrorCode::engine_failed : end == End::failed || end == End::blamed;
    model.has_failed = failed;
    if (failed && end != End::blamed && !stopping) model.breaker.failed(Clock::now());
    if (stopping) error = Error(ErrorCode::engine_unavailable, "the server is stopping");
    if (!error) error = resting(model);
    bool is_wanted = !model.queue.empty() || (failed && Clock::now() < model.used + model.keep_alive);
    if (error) {
      lock.unlock();
      refuse_all(model, *error);  // before the end is told: who starts the next thread waits for the end of this one
      lock.lock();
      is_wanted = !model.queue.empty() && !stopping && !resting(model);
    }
    if (!is_wanted) {
      model.state = State::unloaded;
      model.has_thread = false;
      return false;
    }
    if (failed) changed.wait_for(lock, model.breaker.backoff(Clock::now()), [&] { return stopping; });
    return true;
  }

  /// Loads the model, keeps it running and says why it no longer does. @throws Error when it could not be loaded
  End run_once(Model& model) {
    const Room room(*this, model);
    const auto engine = engine_for(options.engines_folder, defaults, "gguf");
    if (!model.architecture.empty() && !knows_architecture(engine, model.architecture)) {
      throw Error(
          ErrorCode::model_unsupported,
          fmt::format("the engine {} does not know the architecture '{}': it needs a newer one than {}",
                      printable(full_name(engine)), printable(model.architecture), printable(engine.manifest.version)),
          "carry a newer engine, install it beside this one and make it the default: liftlock engine install "
          "NAME, liftlock engine default NAME/VERSION");
    }
    const RunFolder folder("model");
    std::optional<Sandbox> sandbox;  // set up while the bytes are hashed; the engine is not started before
    const auto checked = pass_gate(
        store, log, options.gate, model.artifact, actor, Json::object(),
        [this](std::uint64_t) {
          if (is_stopping()) fail(ErrorCode::engine_unavailable, "the server is stopping");
        },
        [&](const CheckedModel& opened) {
          sandbox.emplace(spec_of(model, engine, opened, folder.path()), Start::when_released);
        });
    const std::jthread reader([&checked](const std::stop_token& stop) {
      if (checked.check == Check::untouched) read_ahead(checked, stop);
    });
    const auto gate_passed = Clock::now();
    {
      const std::lock_guard lock(mutex);
      ++model.counts.checks;
      model.counts.checking += checked.duration;
      model.assurance = name(checked.assurance);
      if (std::exchange(model.has_failed, false)) ++model.counts.restarts;
    }
    logged_effect(log, event("engine.start", model, engine, {}), [&] {
      sandbox->release();
      wait_until_ready(*sandbox, options.patience, [this] { return is_stopping(); });
      check_again(checked);
    });
    {
      const std::lock_guard lock(mutex);
      ++model.counts.loads;
      model.counts.starting += Clock::now() - gate_passed;
    }
    const auto end = supervise(model, *sandbox, full_name(engine));
    sandbox.reset();
    return end;
  }

  AuditEvent event(std::string type, const Model& model, const InstalledEngine& engine,
                   const std::string& reason) const {
    Json detail = {{"engine", full_name(engine)}, {"model", model.digest}};
    if (!reason.empty()) detail["reason"] = reason;
    return {.type = std::move(type),
            .actor = actor,
            .outcome = Outcome::success,
            .subject = model.artifact.id(),
            .detail = dump_json_line(detail)};
  }

  SandboxSpec spec_of(const Model& model, const InstalledEngine& engine, const CheckedModel& opened,
                      const fs::path& folder) const {
    auto spec = sandbox_for(engine, opened.files, folder,
                            options.log_folder / fmt::format("{}.log", portable_component(model.artifact.name)));
    // watch() ends it before that; an engine that is quicker is ended by its own allocations.
    spec.max_memory = std::min(spec.max_memory, 2 * model.need.total() + (1u << 30));
    // Its shape follows: how many at a time, how long, and what it is for.
    spec.argv = llama_server_arguments(
        engine,
        {.model_path = main_file(opened), .alias = model.artifact.name, .projector_path = projector_file(opened)});
    const auto shape = llama_server_shape(model.task, options.slots, model.need.context);
    spec.argv.insert(spec.argv.end(), shape.begin(), shape.end());
    return spec;
  }

  /// Says what is to be said about the end of a run, before it is brought about where that is ours to do.
  End supervise(Model& model, Sandbox& sandbox, const std::string& engine) {
    {
      Afterwards afterwards;
      const std::lock_guard lock(mutex);
      model.process = std::make_shared<Process>(
          std::make_shared<const EngineRun>(EngineRun{.socket = socket_of(sandbox.spec(), std::string(k_socket_name)),
                                                      .model = model.artifact.name,
                                                      .digest = model.digest,
                                                      .engine = engine,
                                                      .loaded = Clock::now()}));
      model.state = State::ready;
      model.since = now();
      model.used = Clock::now();
      if (model.keep_alive.count() == 0) model.keep_alive = options.keep_alive;
      grant(model, afterwards);
    }
    std::string reason;
    const auto end = watch(model, sandbox, reason);
    try {
      log.append({.type = "engine.stop",
                  .actor = actor,
                  .outcome = end == End::left || end == End::stopped ? Outcome::success : Outcome::failure,
                  .subject = model.artifact.id(),
                  .detail = dump_json_line({{"engine", engine}, {"model", model.digest}, {"reason", reason}})});
    } catch (const Error&) {
      // A log that cannot be written must not keep an engine alive; the next start will be refused.
    }
    return end;
  }

  End watch(Model& model, Sandbox& sandbox, std::string& reason) {
    const auto process = model.process;
    auto healthy = Clock::now(), next_probe = healthy + options.probe_every, next_slots = healthy,
         next_memory = healthy;
    std::unique_lock lock(mutex);
    while (true) {
      const auto when = Clock::now();
      if (stopping) {
        reason = "the server stopped";
        return End::stopped;
      }
      const bool is_idle = process->uses.empty();
      if (is_idle && model.queue.empty() && model.leave.empty() && when >= model.used + model.keep_alive)
        model.leave = "not used";
      if (process->count_given_up() > 0 && model.leave.empty() && when > process->given_up + options.let_go_within) {
        model.leave = fmt::format("worked for {} s on a request that was given up", seconds_of(options.let_go_within));
      }
      // What was given up is ended with the engine.
      if (!process->is_at_work() && !model.leave.empty()) {
        reason = model.leave;
        return is_idle ? End::left : End::held;
      }
      lock.unlock();
      if (const auto status = sandbox.poll()) {
        reason = fmt::format("ended with status {}", *status);
        return failed(model);
      }
      if (when >= next_memory) {
        if (eats_too_much(model, *process, sandbox.pid(), reason)) return failed(model);
        next_memory = when + k_look_at_memory;
      }
      if (is_idle) {
        healthy = when;
        next_probe = when + options.probe_every;
      } else if (when >= next_probe) {
        if (is_healthy(process->run->socket, k_probe_patience)) healthy = Clock::now();
        if (Clock::now() - healthy > options.stuck_after) {
          reason = fmt::format("did not answer for {} s", seconds_of(options.stuck_after));
          return failed(model);
        }
        next_probe = Clock::now() + options.probe_every;
      }
      if (when >= next_slots) {
        look_at_slots(model, *process);
        next_slots = Clock::now() + k_look_at_slots;
      }
      lock.lock();
      changed.wait_for(lock, k_look);
    }
  }

  static std::int64_t seconds_of(std::chrono::milliseconds time) {
    return std::chrono::ceil<std::chrono::seconds>(time).count();
  }

  bool eats_too_much(const Model& model, Process& process, pid_t pid, std::string& reason) const {
    const auto resident = resident_memory(pid);
    {
      const std::lock_guard lock(mutex);
      process.resident = resident;
    }
    const auto most = model.need.total() / 2 * 3 + options.memory_slack;
    if (resident <= most) return false;
    reason = fmt::format("held {} of memory, and may hold {}", format_size(resident), format_size(most));
    return true;
  }

  /// Frees the slots whose request was given up once the engine works on no more than what is asked of it.
  void look_at_slots(Model& model, Process& process) {
    const auto look = [&] {
      const std::lock_guard lock(mutex);
      return process.count_given_up() > 0;
    };
    const auto busy = look() ? busy_slots(process.run->socket, k_probe_patience) : std::nullopt;
    Afterwards afterwards;
    const std::lock_guard lock(mutex);
    if (busy && *busy + process.count_given_up() <= process.uses.size()) {
      std::erase_if(process.uses, [](const auto& use) { return use->given_up; });
    }
    grant(model, afterwards);  // also when those who came one by one need no longer do so
  }

  /// From here on nobody gets a slot of the engine, which ended or will be. Says whose fault it was where that is
  /// known: who sends what ends engines shall not take the model from the others.
  End failed(Model& model) {
    const std::lock_guard lock(mutex);
    model.state = State::loading;
    const auto& uses = model.process->uses;
    if (uses.empty()) return End::failed;
    const auto& caller = uses[0]->caller;
    uses[0]->blamed = uses.size() == 1;
    if (std::any_of(uses.begin(), uses.end(), [&](const auto& use) { return use->caller != caller; })) {
      model.one_by_one = Clock::now() + k_one_by_one;
      return End::failed;
    }
    std::erase_if(model.callers, [](const auto& one) { return one.second.is_over(Clock::now()); });
    model.callers.try_emplace(caller, options.caller_terms).first->second.failed(Clock::now());
    return End::blamed;
  }

  bool is_stopping() const {
    const std::lock_guard lock(mutex);
    return stopping;
  }

  /// Memory for one model, as long as its engine lives; asks the longest unused ones to leave.
  struct Room {
    Room(Impl& its_host, Model& its_model) : host(its_host), size(its_model.need.total()) {
      std::unique_lock lock(host.mutex);
      const auto deadline = Clock::now() + host.options.patience;
      while (host.used_memory + size > host.options.memory_budget) {
        if (host.stopping) fail(ErrorCode::engine_unavailable, "the server is stopping");
        if (Clock::now() > deadline) {
          fail(ErrorCode::overloaded, "other models are at work, and for '{}' no memory became free within {} s",
               printable(its_model.artifact.name), host.options.patience.count());
        }
        host.ask_to_leave(size);
        ++host.makers_of_room;
        host.changed.wait_for(lock, k_look);
        --host.makers_of_room;
      }
      host.used_memory += size;
    }
    ~Room() {
      const std::lock_guard lock(host.mutex);
      host.used_memory -= size;
      host.changed.notify_all();
    }
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;
    Impl& host;
    const std::uint64_t size;
  };

  void ask_to_leave(std::uint64_t size) {
    auto remaining = used_memory;
    std::vector<Model*> idle;
    for (auto& [key, model] : models) {
      if (model->state != State::ready) continue;
      if (!model->leave.empty()) {
        remaining -= model->need.total();
      } else if (!model->process->is_at_work() && model->queue.empty()) {
        idle.push_back(model.get());
      }
    }
    std::sort(idle.begin(), idle.end(), [](const auto* a, const auto* b) { return a->used < b->used; });
    for (auto* model : idle) {
      if (remaining + size <= options.memory_budget) break;
      model->leave = "made room for another model";
      remaining -= model->need.total();
    }
    changed.notify_all();
  }

  HostOptions options;
  AuditLog& log;
  const std::string actor;
  const BlobStore store;
  const Choices defaults;
  Names names;

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::unique_ptr<Model>> models;  ///< by id and digest
  std::uint64_t used_memory = 0;
  unsigned makers_of_room = 0;  ///< threads that wait for memory
  std::uint64_t last_ticket = 0;
  bool stopping = false;
};

ModelHost::ModelHost(HostOptions options, AuditLog& log, std::string actor)
    : m_impl(std::make_shared<Impl>(std::move(options), log, std::move(actor))) {}

ModelHost::~ModelHost() {
  m_impl->stop();
}

std::uint64_t ModelHost::lease(const std::string& model, const std::string& caller, std::chrono::seconds keep_alive,
                               Got got) {
  return m_impl->lease(model, caller, keep_alive, std::move(got));
}

std::uint64_t ModelHost::lease(const Offer& offer, const std::string& caller, std::chrono::seconds keep_alive,
                               Got got) {
  return m_impl->lease(*offer.named, caller, keep_alive, std::move(got));
}

void ModelHost::cancel(std::uint64_t ticket) {
  m_impl->cancel(ticket);
}

Offer ModelHost::offer(const std::string& model) {
  return m_impl->offer(model);
}

void ModelHost::unload(const std::string& model) {
  m_impl->unload(model);
}

std::vector<LoadCounts> ModelHost::loads() const {
  return m_impl->loads();
}

std::vector<Running> ModelHost::running() const {
  return m_impl->running();
}

}  // namespace liftlock::engine
