#include "engine/speech_host.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "engine/fair_queue.hpp"
#include "engine/memory_need.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"

namespace liftlock::engine {
namespace {

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
    std::string model;
    std::shared_ptr<const Recording> recording;
    TranscribeTask task;
    Got got;
  };

  const SpeechOptions options;
  AuditLog& log;
  const std::string actor;

  std::mutex mutex;
  std::condition_variable changed;
  // guarded by the mutex
  FairQueue<Job> waiting;
  std::uint64_t last_ticket = 0, at_work = 0;
  std::map<std::string, std::uint64_t> suspicious;
  bool ends = false;
  std::atomic<bool> give_up = false;  ///< what is at work
  std::thread thread;

  Impl(SpeechOptions given, AuditLog& audit_log, std::string who)
      : options(with_budget(std::move(given))), log(audit_log), actor(std::move(who)), waiting(options.queue) {
    thread = std::thread([this] { work(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      ends = true;
      give_up = true;
    }
    changed.notify_all();
    thread.join();
    while (auto job = waiting.pop()) job->got(Error(ErrorCode::engine_unavailable, "the server is stopping"));
  }

  void suspect(const std::string& model, const AuditEvent& start, const std::string& what) {
    {
      const std::lock_guard lock(mutex);
      ++suspicious[model];
    }
    tell("engine.suspicious", start, Outcome::failure, what);
  }

  /// @param start the entry of its start, for those that follow
  Transcript hear(Transcription& transcription, const std::string& model, const AuditEvent& start) {
    std::string text;
    try {
      text = transcription.finish([this] { return give_up.load(); },
                                  [&](const std::string& what) { suspect(model, start, what); });
    } catch (const Error& error) {
      // Who sends what is no sound is to blame, and no engine.
      const bool as_it_should = give_up || error.code() == ErrorCode::usage;
      tell("engine.stop", start, as_it_should ? Outcome::success : Outcome::failure, error.message());
      throw;
    }
    tell("engine.stop", start, Outcome::success, "it heard the recording");
    return read_transcript(text);
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

  void go_on() const {
    if (give_up) fail(ErrorCode::engine_unavailable, "the recording was given up");
  }

  /// @throws Error{model_unfit}
  std::uint64_t memory_for(const Artifact& model, std::chrono::seconds sound) const {
    const auto memory = options.gate.memory;
    const auto least = speech_memory_need(model, {}, memory).total();
    if (least > options.memory) throw larger_than_budget(model.name, least, options.memory);
    // How long what is compressed sounds is a guess, and a high one: with all the memory it is worth a try.
    return std::min(options.memory, speech_memory_need(model, sound, memory).total());
  }

  Transcribed transcribe(const Job& job) {
    const Catalog catalog(options.catalog_file, Access::read);
    const auto model = require_model(catalog, Choices(options.aliases_file), job.model);
    const auto engine = engine_for(options.engines_folder, Choices(options.defaults_file), "ggml");
    require_suited(engine, this_machine());
    const auto memory = memory_for(model, job.recording->length());
    const auto room = options.room ? options.room(model.name, memory, [this] { go_on(); }) : MemoryRoom();
    AuditEvent start{.type = "engine.start",
                     .actor = actor,
                     .outcome = Outcome::intent,
                     .subject = model.id(),
                     .detail = dump_json_line({{"engine", full_name(engine)}, {"model", main_digest(model).text()}})};
    const auto checked_engine = pass_gate(engine, log, options.gate, start);
    const BlobStore store(options.store_folder);
    const auto checked =
        pass_gate(store, log, options.gate, model, actor, Json::object(), [this](std::uint64_t) { go_on(); });
    auto task = job.task;
    task.log = options.log;
    task.max_memory = memory / 2 * 3 + options.memory_slack;
    task.patience = std::min(k_longest_patience, options.patience + options.pace * job.recording->length());
    std::optional<Transcription> transcription;
    logged_effect(log, start, [&] { transcription.emplace(engine, checked, *job.recording, task); });
    auto transcript = hear(*transcription, model.name, start);
    if (checked_engine) check_again(engine, *checked_engine);
    return {std::move(transcript), main_digest(model).text(), full_name(engine)};
  }

  std::variant<Transcribed, Error> outcome(const Job& job) {
    try {
      return transcribe(job);
    } catch (const Error& error) {
      return error;
    } catch (const std::exception& error) {
      return Error(ErrorCode::internal, error.what());
    }
  }

  void cancel(std::uint64_t ticket) {
    std::optional<Job> gone;  // outlives the lock: what its function holds may call us when it goes
    const std::lock_guard lock(mutex);
    if (at_work == ticket) {
      at_work = 0;
      give_up = true;
    } else {
      gone = waiting.remove(ticket);
    }
  }

  void work() {
    for (;;) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return ends || !waiting.empty(); });
      if (ends) return;
      const auto job = *waiting.pop();
      at_work = job.ticket;
      give_up = false;
      lock.unlock();
      auto said = outcome(job);
      lock.lock();
      const bool is_wanted = at_work == job.ticket;
      at_work = 0;
      lock.unlock();
      if (is_wanted) job.got(std::move(said));
    }
  }
};

SpeechHost::SpeechHost(SpeechOptions options, AuditLog& log, std::string actor)
    : m_impl(std::make_unique<Impl>(std::move(options), log, std::move(actor))) {}
SpeechHost::~SpeechHost() = default;

std::uint64_t SpeechHost::transcribe(const std::string& model, const std::string& caller,
                                     std::shared_ptr<const Recording> recording, TranscribeTask task, Got got) {
  std::unique_lock lock(m_impl->mutex);
  const auto ticket = ++m_impl->last_ticket;
  const auto displaced =
      m_impl->waiting.push(caller, ticket, {ticket, model, std::move(recording), std::move(task), std::move(got)});
  m_impl->changed.notify_all();
  lock.unlock();
  if (displaced) displaced->got(Error(ErrorCode::overloaded, "too many recordings wait"));
  return ticket;
}

void SpeechHost::cancel(std::uint64_t ticket) {
  m_impl->cancel(ticket);
}

std::map<std::string, std::uint64_t> SpeechHost::suspicious() const {
  const std::lock_guard lock(m_impl->mutex);
  return m_impl->suspicious;
}

}  // namespace liftlock::engine
