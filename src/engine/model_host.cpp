#include "engine/model_host.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "engine/hosted_model.hpp"
#include "engine/memory_need.hpp"
#include "engine/model_run.hpp"
#include "engine/named_models.hpp"

namespace liftlock::engine {
namespace {

using Clock = std::chrono::steady_clock;
using Got = ModelHost::Got;

}  // namespace

struct ModelHost::Impl : std::enable_shared_from_this<ModelHost::Impl> {
  Impl(HostOptions its_options, AuditLog& its_log, std::string its_actor)
      : options(std::move(its_options)),
        log(its_log),
        actor(std::move(its_actor)),
        store(options.store_folder),
        defaults(options.defaults_file),
        names(store, options.catalog_file, options.aliases_file, options.context, options.slots, options.gate.memory) {
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

  void refuse_all(HostedModel& model, const Error& error) {
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
    if (model.state != HostedModel::State::ready || !model.leave.empty()) return;
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
      one.state = model->state == HostedModel::State::ready ? "ready" : resting ? "failed" : "loading";
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
      one.expires = resting && model->state != HostedModel::State::ready ? wall_time(*resting)
                                                                         : wall_time(model->used + model->keep_alive);
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

  HostedModel& model_of(const NamedModel& found) {
    auto& model = models[found.key];
    if (!model) model = std::make_unique<HostedModel>(found, options.queue);
    return *model;
  }

  std::optional<Error> why_not(const HostedModel& model) const {
    if (stopping) return Error(ErrorCode::engine_unavailable, "the server is stopping");
    if (model.need.total() > options.memory_budget)
      return larger_than_budget(model.artifact.name, model.need.total(), options.memory_budget);
    if (model.state == HostedModel::State::ready) return std::nullopt;
    return resting(model);
  }

  std::optional<Error> resting(const HostedModel& model) const {
    return why_it_rests(model.artifact.name, model.breaker);
  }

  std::optional<Error> why_not_for(const HostedModel& model, const std::string& caller) const {
    return why_it_rests_for(caller, model.artifact.name, model.callers);
  }

  Error queue_full(const HostedModel& model) const {
    return Error(ErrorCode::overloaded,
                 fmt::format("{} requests wait for '{}' already", model.queue.size(), printable(model.artifact.name)));
  }

  void start_thread(HostedModel& model) {
    // The one before has nothing more to do: it said so as its last act under the mutex.
    if (model.thread.joinable()) model.thread.join();
    model.has_thread = true;
    model.state = HostedModel::State::loading;
    model.since = now();
    model.thread = std::thread([this, &model] { run(model); });
  }

  bool has_free_slot(const HostedModel& model) const {
    if (model.state != HostedModel::State::ready || !model.leave.empty() || stopping) return false;
    return model.process->uses.size() < (Clock::now() < model.one_by_one ? 1 : options.slots);
  }

  /// Gives free slots to those who wait.
  void grant(HostedModel& model, Afterwards& afterwards) {
    while (!model.queue.empty() && has_free_slot(model)) {
      auto next = *model.queue.pop();
      if (auto refusal = why_not_for(model, next.caller)) {
        afterwards.add([got = std::move(next.got), refusal = *std::move(refusal)] { got(refusal); });
        continue;
      }
      give(model, std::move(next), afterwards);
    }
  }

  void give(HostedModel& model, Waiting next, Afterwards& afterwards) {
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

  void release(HostedModel& model, EngineAtWork& process, const std::shared_ptr<SlotUse>& use, bool given_up) {
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

  void run(HostedModel& model) {
    while (true) {
      std::optional<Error> error;
      ModelRun::End end = ModelRun::End::left;
      try {
        const Room room(*this, model.artifact.name, model.need.total());
        end = ModelRun(share, model).run();
      } catch (const Error& caught) {
        error = caught;
      } catch (const std::exception& caught) {
        error = Error(ErrorCode::internal, caught.what());
      }
      if (!goes_on(model, end, error)) return;
    }
  }

  /// Decides what follows; nothing of this thread may touch the model once it said false.
  bool goes_on(HostedModel& model, ModelRun::End end, std::optional<Error> error) {
    std::unique_lock lock(mutex);
    model.state = HostedModel::State::loading;
    model.process.reset();
    model.leave.clear();
    const bool failed = error ? error->code() == ErrorCode::engine_failed
                              : end == ModelRun::End::failed || end == ModelRun::End::blamed;
    model.has_failed = failed;
    if (failed && end != ModelRun::End::blamed && !stopping) model.breaker.failed(Clock::now());
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
      model.state = HostedModel::State::unloaded;
      model.has_thread = false;
      return false;
    }
    if (failed) changed.wait_for(lock, model.breaker.backoff(Clock::now()), [&] { return stopping; });
    return true;
  }

  /// Memory for one engine, as long as it lives; asks the longest unused models to leave.
  struct Room {
    /// @param look called in between with the mutex, where there is one: what it throws ends the wait
    /// @param lent the same for memory that no model of this host has
    Room(Impl& its_host, std::string_view model, std::uint64_t its_size, const std::function<void()>& look = {},
         std::uint64_t its_lent = 0)
        : host(its_host), size(its_size), lent(its_lent) {
      std::unique_lock lock(host.mutex);
      const auto deadline = Clock::now() + host.options.patience;
      while (host.used_memory + size > host.options.memory_budget) {
        if (host.stopping) fail(ErrorCode::engine_unavailable, "the server is stopping");
        if (look) look();
        if (Clock::now() > deadline) {
          throw Error(ErrorCode::overloaded,
                      fmt::format("other models are at work, and for '{}' no memory became free within {} s",
                                  printable(model), host.options.patience.count()),
                      "ask again; `liftlock ps` lists what is loaded, `liftlock model unload NAME` takes one out once "
                      "its answers end, and memory under [models] of config.toml makes room for more at a time");
        }
        host.ask_to_leave(size);
        ++host.makers_of_room;
        host.changed.wait_for(lock, k_look);
        --host.makers_of_room;
      }
      host.used_memory += size;
      host.lent_memory += lent;
    }
    ~Room() {
      const std::lock_guard lock(host.mutex);
      host.used_memory -= size;
      host.lent_memory -= lent;
      host.changed.notify_all();
    }
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;
    Impl& host;
    const std::uint64_t size, lent;
  };

  void ask_to_leave(std::uint64_t size) {
    if (lent_memory + size > options.memory_budget) return;  // nor would it help if all models left
    auto remaining = used_memory;
    std::vector<HostedModel*> idle;
    for (auto& [key, model] : models) {
      if (model->state != HostedModel::State::ready) continue;
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
  NamedModels names;

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::unique_ptr<HostedModel>> models;  ///< by id and digest
  std::uint64_t used_memory = 0, lent_memory = 0;              ///< the second: of the first, what room() gave
  unsigned makers_of_room = 0;                                 ///< threads that wait for memory
  std::uint64_t last_ticket = 0;
  bool stopping = false;

  const HostShare share{.options = options,
                        .log = log,
                        .actor = actor,
                        .store = store,
                        .defaults = defaults,
                        .mutex = mutex,
                        .changed = changed,
                        .stopping = stopping,
                        .grant = [this](HostedModel& model, Afterwards& afterwards) { grant(model, afterwards); }};
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

MemoryRoom ModelHost::room(const std::string& model, std::uint64_t size, const std::function<void()>& look) {
  return std::make_shared<const Impl::Room>(*m_impl, model, size, look, size);
}

std::vector<LoadCounts> ModelHost::loads() const {
  return m_impl->loads();
}

std::vector<Running> ModelHost::running() const {
  return m_impl->running();
}

}  // namespace liftlock::engine
