#include "engine/model_run.hpp"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "engine/used_up.hpp"
#include "engine/work_probe.hpp"
#include "os/process_memory.hpp"
#include "os/run_folder.hpp"

namespace liftlock::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds k_probe_patience{1000};
constexpr std::chrono::milliseconds k_look_at_slots{250};
constexpr std::chrono::milliseconds k_look_at_bounds{1000};
/// After an engine ended with several requests at work, this long they come one by one, so that the next end tells
/// which.
constexpr std::chrono::seconds k_one_by_one{60};

std::int64_t seconds_of(std::chrono::milliseconds time) {
  return std::chrono::ceil<std::chrono::seconds>(time).count();
}

}  // namespace

ModelRun::End ModelRun::run() {
  const auto engine = engine_for(m_host.options.engines_folder, m_host.defaults, "gguf");
  require_suited(engine, this_machine());
  require_architecture(engine, m_model.architecture);
  auto start = event("engine.start", full_name(engine), Outcome::success, {});
  const auto checked_engine = pass_gate(engine, m_host.log, m_host.options.gate, start);
  const RunFolder folder("model");
  std::optional<Sandbox> sandbox;  // set up while the bytes are hashed; the engine is not started before
  const auto checked = pass_gate(
      m_host.store, m_host.log, m_host.options.gate, m_model.artifact, m_host.actor, Json::object(),
      [this](std::uint64_t) {
        if (is_stopping()) fail(ErrorCode::engine_unavailable, "the server is stopping");
      },
      [&](const CheckedModel& opened) {
        sandbox.emplace(spec_of(engine, opened, folder.path()), Start::when_released);
      });
  const std::jthread reader([&checked](const std::stop_token& stop) {
    if (checked.check != Check::every_byte) read_ahead(checked, stop);  // what was just hashed is in the page cache
  });
  const auto gate_passed = Clock::now();
  {
    const std::lock_guard lock(m_host.mutex);
    ++m_model.counts.checks;
    m_model.counts.checking += checked.duration;
    m_model.assurance = name(checked.assurance);
    if (std::exchange(m_model.has_failed, false)) ++m_model.counts.restarts;
  }
  tell_of_watch(*sandbox, start.detail);
  logged_effect(m_host.log, start, [&] {
    sandbox->release();
    try {
      wait_until_ready(*sandbox, m_host.options.patience, [this] { return is_stopping(); });
    } catch (const Error&) {
      if (const auto misuse = misuse_of_folder(*sandbox)) suspect(full_name(engine), *misuse);
      if (const auto misuse = misuse_at_end(*sandbox, sandbox->poll())) suspect(full_name(engine), *misuse);
      throw;
    }
    check_again(checked);
    if (checked_engine) check_again(engine, *checked_engine);
  });
  {
    const std::lock_guard lock(m_host.mutex);
    ++m_model.counts.loads;
    m_model.counts.starting += Clock::now() - gate_passed;
  }
  const auto end = supervise(*sandbox, full_name(engine));
  sandbox.reset();
  return end;
}

SandboxSpec ModelRun::spec_of(const InstalledEngine& engine, const CheckedModel& opened, const fs::path& folder) const {
  auto spec = sandbox_for(engine, opened.files, folder,
                          m_host.options.log_folder / fmt::format("{}.log", portable_component(m_model.artifact.name)));
  // watch() ends it before that; an engine that is quicker is ended by its own allocations.
  spec.max_memory = std::min(spec.max_memory, 2 * m_model.need.total() + (1u << 30));
  spec.argv = llama_server_arguments(engine, {.model_path = main_file(opened),
                                              .alias = m_model.artifact.name,
                                              .slots = m_host.options.slots,
                                              .context = m_model.need.context,
                                              .projector_path = projector_file(opened),
                                              .task = m_model.task});
  return spec;
}

ModelRun::End ModelRun::supervise(Sandbox& sandbox, const std::string& engine) {
  {
    Afterwards afterwards;
    const std::lock_guard lock(m_host.mutex);
    m_model.process = std::make_shared<EngineAtWork>(
        std::make_shared<const EngineRun>(EngineRun{.socket = sandbox.run_folder() / k_socket_name,
                                                    .model = m_model.artifact.name,
                                                    .digest = m_model.digest,
                                                    .engine = engine,
                                                    .loaded = Clock::now()}));
    m_model.state = HostedModel::State::ready;
    m_model.since = now();
    m_model.used = Clock::now();
    if (m_model.keep_alive.count() == 0) m_model.keep_alive = m_host.options.keep_alive;
    m_host.grant(m_model, afterwards);
  }
  std::string reason;
  const auto end = watch(sandbox, reason);
  const bool as_asked = end == End::left || end == End::stopped;
  tell(event("engine.stop", engine, as_asked ? Outcome::success : Outcome::failure, reason));
  return end;
}

ModelRun::End ModelRun::watch(Sandbox& sandbox, std::string& reason) {
  const auto process = m_model.process;
  auto healthy = Clock::now(), next_probe = healthy + m_host.options.probe_every, next_slots = healthy,
       next_look = healthy;
  WorkProbe work(process->run->socket, m_host.options.probe_every, healthy);
  std::optional<Clock::time_point> forgetful;
  std::unique_lock lock(m_host.mutex);
  while (true) {
    const auto when = Clock::now();
    if (m_host.stopping) {
      reason = "the server stopped";
      return End::stopped;
    }
    const bool is_idle = process->uses.empty();
    if (is_idle && m_model.queue.empty() && m_model.leave.empty() && when >= m_model.used + m_model.keep_alive)
      m_model.leave = "not used";
    if (process->count_given_up() > 0 && m_model.leave.empty() &&
        when > process->given_up + m_host.options.let_go_within) {
      m_model.leave =
          fmt::format("worked for {} s on a request that was given up", seconds_of(m_host.options.let_go_within));
    }
    // What was given up is ended with the engine.
    if (!process->is_at_work() && !m_model.leave.empty()) {
      reason = m_model.leave;
      return is_idle ? End::left : End::held;
    }
    lock.unlock();
    if (const auto status = sandbox.poll()) {
      const auto misuse = misuse_at_end(sandbox, status);
      reason = misuse.value_or(fmt::format("ended with status {}", *status));
      if (misuse) suspect(process->run->engine, reason);
      return failed();
    }
    if (when >= next_look) {
      auto misuse = misuse_of_folder(sandbox);
      if (!misuse) misuse = excess(*process, sandbox);
      if (misuse) {
        reason = *misuse;
        suspect(process->run->engine, reason);
        return failed();
      }
      next_look = when + k_look_at_bounds;
    }
    if (is_idle) {
      healthy = when;
      work.rest(when);
      forgetful.reset();
      next_probe = when + m_host.options.probe_every;
    } else if (when >= next_probe) {
      if (is_healthy(process->run->socket, k_probe_patience)) healthy = Clock::now();
      if (Clock::now() - healthy > m_host.options.stuck_after) {
        reason = fmt::format("did not answer for {} s", seconds_of(m_host.options.stuck_after));
        return failed();
      }
      if (forgot_a_request(*process, forgetful)) {
        reason = fmt::format("left a request without an answer, and none of its slots worked on it for {} s",
                             seconds_of(m_host.options.stuck_after));
        return failed();
      }
      next_probe = Clock::now() + m_host.options.probe_every;
    }
    work.look(when);
    if (when - work.answered() > m_host.options.work_patience) {
      reason = fmt::format("its work did not get on for {} s", seconds_of(m_host.options.work_patience));
      return failed();
    }
    if (when >= next_slots) {
      look_at_slots(*process);
      next_slots = Clock::now() + k_look_at_slots;
    }
    lock.lock();
    m_host.changed.wait_for(lock, k_look);
  }
}

std::optional<std::string> ModelRun::excess(EngineAtWork& process, const Sandbox& sandbox) const {
  const auto use = use_of(sandbox.pid());
  {
    const std::lock_guard lock(m_host.mutex);
    process.resident = use.memory;
  }
  // Many processes hold much memory, too: they are what it is ended for.
  if (auto what = used_up(sandbox, use)) return what;
  const auto most = m_model.need.total() / 2 * 3 + m_host.options.memory_slack;
  if (use.memory <= most) return std::nullopt;
  return fmt::format("held {} of memory, and may hold {}", format_size(use.memory), format_size(most));
}

void ModelRun::suspect(const std::string& engine, const std::string& what) {
  {
    const std::lock_guard lock(m_host.mutex);
    ++m_model.counts.suspicious;
  }
  tell(event("engine.suspicious", engine, Outcome::failure, what));
}

void ModelRun::tell(const AuditEvent& event) const {
  try {
    m_host.log.append(event);
  } catch (const Error&) {
    // Said in the header.
  }
}

bool ModelRun::forgot_a_request(const EngineAtWork& process, std::optional<Clock::time_point>& since) const {
  const auto from = since.value_or(Clock::now());
  std::size_t waiting = 0, served = 0;
  {
    const std::lock_guard lock(m_host.mutex);
    for (const auto& use : process.uses) {
      const auto begun = use->waits_since.load();
      if (use->given_up || begun == Clock::time_point()) continue;
      // What came later has no slot yet, unless its answer began.
      if (begun <= from)
        ++waiting;
      else if (use->is_answered)
        ++served;
    }
  }
  const auto slots = waiting == 0 ? std::nullopt : count_slots(process.run->socket, k_probe_patience);
  if (!slots || slots->told == 0 || slots->busy >= waiting + served) {
    since.reset();
    return false;
  }
  since = from;
  return Clock::now() - from > m_host.options.stuck_after;
}

void ModelRun::look_at_slots(EngineAtWork& process) {
  const auto look = [&] {
    const std::lock_guard lock(m_host.mutex);
    return process.count_given_up() > 0;
  };
  const auto slots = look() ? count_slots(process.run->socket, k_probe_patience) : std::nullopt;
  Afterwards afterwards;
  const std::lock_guard lock(m_host.mutex);
  if (slots && slots->busy + process.count_given_up() <= process.uses.size()) {
    std::erase_if(process.uses, [](const auto& use) { return use->given_up; });
  }
  m_host.grant(m_model, afterwards);  // also when those who came one by one need no longer do so
}

ModelRun::End ModelRun::failed() {
  const std::lock_guard lock(m_host.mutex);
  m_model.state = HostedModel::State::loading;
  const auto& uses = m_model.process->uses;
  if (uses.empty()) return End::failed;
  const auto& caller = uses[0]->caller;
  uses[0]->blamed = uses.size() == 1;
  if (std::any_of(uses.begin(), uses.end(), [&](const auto& use) { return use->caller != caller; })) {
    m_model.one_by_one = Clock::now() + k_one_by_one;
    return End::failed;
  }
  std::erase_if(m_model.callers, [](const auto& one) { return one.second.is_over(Clock::now()); });
  m_model.callers.try_emplace(caller, m_host.options.caller_terms).first->second.failed(Clock::now());
  return End::blamed;
}

bool ModelRun::is_stopping() const {
  const std::lock_guard lock(m_host.mutex);
  return m_host.stopping;
}

AuditEvent ModelRun::event(std::string type, const std::string& engine, Outcome outcome,
                           const std::string& reason) const {
  Json detail = {{"engine", engine}, {"model", m_model.digest}};
  if (!reason.empty()) detail["reason"] = reason;
  return {.type = std::move(type),
          .actor = m_host.actor,
          .outcome = outcome,
          .subject = m_model.artifact.id(),
          .detail = dump_json_line(detail)};
}

}  // namespace liftlock::engine
