#include "engine/speech_host.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "base/encoding.hpp"
#include "engine/fair_queue.hpp"
#include "engine/memory_need.hpp"
#include "store/blob_store.hpp"

namespace liftlock::engine {
namespace {

using Clock = std::chrono::steady_clock;

/// Whatever the head of a recording says.
constexpr std::chrono::seconds k_longest_patience = std::chrono::hours(6);

SpeechOptions with_budget(SpeechOptions options) {
  if (options.memory == 0) options.memory = default_memory_budget();
  return options;
}

}  // namespace

struct SpeechHost::Impl {
  struct Job {
    std::uint64_t ticket = 0;
    std::string caller;
    std::shared_ptr<const Recording> recording;
    TranscribeTask task;
    Got got;
  };

  /// A model that somebody asked for; never goes away before the host, so that its failures are remembered.
  struct Model {
    Model(const Artifact& its_artifact, const SpeechOptions& options)
        : artifact(its_artifact),
          digest(main_digest(artifact).text()),
          queue(options.queue),
          breaker(options.terms),
          shown(unloaded()) {
      counts.model = artifact.name;
    }

    Running unloaded() const {
      Running out;
      out.model = artifact.name;
      out.digest = digest;
      out.slots = 1;
      return out;
    }

    const Artifact artifact;
    const std::string digest;
    std::atomic<bool> give_up = false;  ///< the recording at work

    // guarded by the host's mutex
    FairQueue<Job> queue;
    std::uint64_t at_work = 0;  ///< the recording's ticket; 0: there is none, or it was given up
    CircuitBreaker breaker;
    std::map<std::string, CircuitBreaker> callers;  ///< those at whose recordings its engine failed
    Clock::time_point not_before;                   ///< the next engine's start
    bool has_failed = false;                        ///< the next engine is a restart
    Running shown;                                  ///< of the recording at work
    LoadCounts counts;
    bool has_worker = false;
    std::thread worker;
  };

  const SpeechOptions options;
  AuditLog& log;
  const std::string actor;

  mutable std::mutex mutex;
  std::condition_variable changed;
  // guarded by the mutex
  std::map<std::string, std::unique_ptr<Model>> models;  ///< by id and digest
  std::uint64_t last_ticket = 0;
  bool ends = false;

  Impl(SpeechOptions given, AuditLog& audit_log, std::string who)
      : options(with_budget(std::move(given))), log(audit_log), actor(std::move(who)) {
    make_folders(options.log_folder);
  }

  ~Impl() {
    std::vector<std::thread> workers;
    {
      const std::lock_guard lock(mutex);
      ends = true;
      for (auto& [key, model] : models) {
        model->give_up = true;
        workers.push_back(std::move(model->worker));
      }
    }
    changed.notify_all();
    for (auto& worker : workers) {
      if (worker.joinable()) worker.join();
    }
    for (auto& [key, model] : models) {
      while (auto job = model->queue.pop()) job->got(stopping());
    }
  }

  // -- asking, on any thread

  std::uint64_t ask(const Artifact& artifact, Job job) {
    std::optional<std::pair<Got, Error>> refused;  // told once the lock is gone
    std::unique_lock lock(mutex);
    const auto ticket = job.ticket = ++last_ticket;
    if (ends) {
      refused.emplace(std::move(job.got), stopping());
    } else {
      refused = put(model_of(artifact), std::move(job));
    }
    lock.unlock();
    if (refused) refused->first(std::move(refused->second));
    return ticket;
  }

  void cancel(std::uint64_t ticket) {
    std::optional<Job> gone;  // outlives the lock: what its function holds may call us when it goes
    const std::lock_guard lock(mutex);
    for (auto& [key, model] : models) {
      if (model->at_work == ticket) {
        model->at_work = 0;
        model->give_up = true;
        changed.notify_all();
        return;
      }
      if ((gone = model->queue.remove(ticket))) return;
    }
  }

  std::vector<Running> running() const {
    const std::lock_guard lock(mutex);
    std::vector<Running> out;
    for (const auto& [key, model] : models) {
      const auto resting = model->breaker.open_until(Clock::now());
      if (!model->has_worker && !resting) continue;
      auto one = model->has_worker ? model->shown : model->unloaded();
      one.queued = model->queue.size();
      if (!model->has_worker) one.state = "failed";
      one.expires = resting && one.state != "ready" ? wall_time(*resting) : now();  // it ends with its recording
      out.push_back(std::move(one));
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.model < b.model; });
    return out;
  }

  std::vector<LoadCounts> loads() const {
    const std::lock_guard lock(mutex);
    std::vector<LoadCounts> all;
    for (const auto& [key, model] : models) all.push_back(model->counts);
    return by_model(all);
  }

  // -- with the mutex held

  static Error stopping() { return {ErrorCode::engine_unavailable, "the server is stopping"}; }

  Model& model_of(const Artifact& artifact) {
    auto& model = models[artifact.id() + " " + main_digest(artifact).hex()];
    if (!model) model = std::make_unique<Model>(artifact, options);
    return *model;
  }

  /// @return who has to be told that there is no place, and why
  std::optional<std::pair<Got, Error>> put(Model& model, Job job) {
    if (auto why = why_not(model, job.caller)) return std::pair(std::move(job.got), *std::move(why));
    const auto caller = job.caller;
    const auto ticket = job.ticket;
    auto displaced = model.queue.push(caller, ticket, std::move(job));
    if (!model.queue.empty() && !model.has_worker) start_worker(model);
    if (!displaced) return std::nullopt;
    return std::pair(std::move(displaced->got),
                     Error(ErrorCode::overloaded, fmt::format("{} recordings wait for '{}' already", model.queue.size(),
                                                              printable(model.artifact.name))));
  }

  static std::optional<Error> why_not(const Model& model, const std::string& caller) {
    if (auto why = why_it_rests(model.artifact.name, model.breaker)) return why;
    return why_it_rests_for(caller, model.artifact.name, model.callers);
  }

  void start_worker(Model& model) {
    // The one before has nothing more to do: it said so as its last act under the mutex.
    if (model.worker.joinable()) model.worker.join();
    model.worker = std::thread([this, &model] { work(model); });
    model.has_worker = true;
  }

  // -- one model, on its thread

  void work(Model& model) {
    while (const auto job = next(model)) {
      auto said = outcome(model, *job);
      if (is_wanted(model)) job->got(std::move(said));
    }
  }

  /// The recording whose turn it is; where there is none, nothing of this thread may touch the model any more.
  std::optional<Job> next(Model& model) {
    const std::lock_guard lock(mutex);
    std::optional<Job> job;
    if (!ends) job = model.queue.pop();
    model.has_worker = job.has_value();
    if (!job) return std::nullopt;
    model.at_work = job->ticket;
    model.give_up = false;
    model.shown = model.unloaded();
    model.shown.state = "loading";
    model.shown.active = 1;
    model.shown.since = now();
    return job;
  }

  bool is_wanted(Model& model) {
    const std::lock_guard lock(mutex);
    return std::exchange(model.at_work, 0) != 0;
  }

  std::variant<Transcribed, Error> outcome(Model& model, const Job& job) {
    try {
      return transcribe(model, job);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::engine_failed && !model.give_up) failed(model, job.caller);
      return error;
    } catch (const std::exception& error) {
      return Error(ErrorCode::internal, error.what());
    }
  }

  /// Who sends what ends engines shall not take the model from the others: of each caller's failures one counts for
  /// all, until it hears again.
  void failed(Model& model, const std::string& caller) {
    const std::lock_guard lock(mutex);
    const auto when = Clock::now();
    std::erase_if(model.callers, [&](const auto& one) { return one.second.is_over(when); });
    const auto [own, is_first] = model.callers.try_emplace(caller, options.terms);
    own->second.failed(when);
    if (is_first) model.breaker.failed(when);
    model.has_failed = true;
    model.not_before = when + model.breaker.backoff(when);
  }

  /// What failed meanwhile is known before the model is read for this recording, too.
  void wait_for_start(Model& model, const std::string& caller) {
    std::unique_lock lock(mutex);
    if (auto why = why_not(model, caller)) throw *std::move(why);
    changed.wait_until(lock, model.not_before, [&] { return model.give_up.load(); });
    go_on(model);
  }

  template <typename Change>
  void note(const Change& change) {
    const std::lock_guard lock(mutex);
    change();
  }

  static void go_on(const Model& model) {
    if (model.give_up) fail(ErrorCode::engine_unavailable, "the recording was given up");
  }

  /// @throws Error{model_unfit}
  std::uint64_t memory_for(const Artifact& model, std::chrono::seconds sound) const {
    const auto memory = options.gate.memory;
    const auto least = speech_memory_need(model, {}, memory).total();
    if (least > options.memory) throw larger_than_budget(model.name, least, options.memory);
    // How long what is compressed sounds is a guess, and a high one: with all the memory it is worth a try.
    return std::min(options.memory, speech_memory_need(model, sound, memory).total());
  }

  Transcribed transcribe(Model& model, const Job& job) {
    wait_for_start(model, job.caller);
    const auto engine = engine_for(options.engines_folder, Choices(options.defaults_file), "ggml");
    require_suited(engine, this_machine());
    const auto memory = memory_for(model.artifact, job.recording->length());
    const auto room =
        options.room ? options.room(model.artifact.name, memory, [&model] { go_on(model); }) : MemoryRoom();
    note([&] { model.shown.memory = memory; });
    AuditEvent start{.type = "engine.start",
                     .actor = actor,
                     .outcome = Outcome::intent,
                     .subject = model.artifact.id(),
                     .detail = dump_json_line({{"engine", full_name(engine)}, {"model", model.digest}})};
    const auto checked_engine = pass_gate(engine, log, options.gate, start);
    const BlobStore store(options.store_folder);
    const auto checked = pass_gate(store, log, options.gate, model.artifact, actor, Json::object(),
                                   [&model](std::uint64_t) { go_on(model); });
    const auto gate_passed = Clock::now();
    note([&] {
      ++model.counts.checks;
      model.counts.checking += checked.duration;
      if (std::exchange(model.has_failed, false)) ++model.counts.restarts;
    });
    auto task = job.task;
    task.log = options.log_folder / fmt::format("{}.log", portable_component(model.artifact.name));
    task.max_memory = memory / 2 * 3 + options.memory_slack;
    task.patience = std::min(k_longest_patience, options.patience + options.pace * job.recording->length());
    std::optional<Transcription> transcription;
    logged_effect(log, start, [&] { transcription.emplace(engine, checked, *job.recording, task); });
    note([&] {
      ++model.counts.loads;
      model.counts.starting += Clock::now() - gate_passed;
      model.shown.state = "ready";
      model.shown.engine = full_name(engine);
      model.shown.assurance = name(checked.assurance);
      model.shown.since = now();
    });
    auto transcript = hear(*transcription, model, start);
    if (checked_engine) check_again(engine, *checked_engine);
    note([&] {
      model.breaker = CircuitBreaker(options.terms);
      model.callers.erase(job.caller);
    });
    return {std::move(transcript), model.digest, full_name(engine)};
  }

  /// @param start the entry of its start, for those that follow
  Transcript hear(Transcription& transcription, Model& model, const AuditEvent& start) {
    std::string text;
    try {
      text = transcription.finish({.stopped = [&] { return model.give_up.load(); },
                                   .holds = [&](std::uint64_t bytes) { note([&] { model.shown.resident = bytes; }); },
                                   .suspect = [&](const std::string& what) { suspect(model, start, what); }});
    } catch (const Error& error) {
      // Who sends what is no sound is to blame, and no engine.
      const bool as_it_should = model.give_up || error.code() == ErrorCode::usage;
      tell("engine.stop", start, as_it_should ? Outcome::success : Outcome::failure, error.message());
      throw;
    }
    tell("engine.stop", start, Outcome::success, "it heard the recording");
    return read_transcript(text);
  }

  void suspect(Model& model, const AuditEvent& start, const std::string& what) {
    note([&] { ++model.counts.suspicious; });
    tell("engine.suspicious", start, Outcome::failure, what);
  }

  void tell(std::string type, const AuditEvent& start, Outcome outcome, const std::string& reason) {
    auto detail = parse_json(start.detail);
    detail["reason"] = reason;
    try {
      log.append({.type = std::move(type),
                  .actor = actor,
                  .outcome = outcome,
                  .subject = start.subject,
                  .detail = dump_json_line(detail)});
    } catch (const Error&) {
      // What happened, happened; the next start will be refused.
    }
  }
};

SpeechHost::SpeechHost(SpeechOptions options, AuditLog& log, std::string actor)
    : m_impl(std::make_unique<Impl>(std::move(options), log, std::move(actor))) {}
SpeechHost::~SpeechHost() = default;

std::uint64_t SpeechHost::transcribe(const Artifact& model, const std::string& caller,
                                     std::shared_ptr<const Recording> recording, TranscribeTask task, Got got) {
  return m_impl->ask(model, {.ticket = 0,
                             .caller = caller,
                             .recording = std::move(recording),
                             .task = std::move(task),
                             .got = std::move(got)});
}

void SpeechHost::cancel(std::uint64_t ticket) {
  m_impl->cancel(ticket);
}

std::vector<Running> SpeechHost::running() const {
  return m_impl->running();
}

std::vector<LoadCounts> SpeechHost::loads() const {
  return m_impl->loads();
}

}  // namespace liftlock::engine
