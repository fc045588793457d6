#include "engine/install.hpp"

#include <unistd.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "engine/engine_files.hpp"
#include "engine/unpack.hpp"
#include "os/run_folder.hpp"

namespace liftlock::engine {
namespace {

constexpr std::chrono::seconds k_patience{60};
constexpr std::uint64_t k_max_answer = 4u << 20;

struct Answer {
  int status = 0;
  std::string text;
};

/// What a program of the engine says to one option, in the sandbox that it will run in.
Answer ask(const InstalledEngine& engine, const std::string& program, const std::string& option, const fs::path& work) {
  const auto log = work / "answer";
  const RunFolder run_folder("install");
  auto spec = sandbox_for(engine, {}, run_folder.path(), log);
  spec.argv = {"/" + program, option};
  spec.max_log_bytes = k_max_answer;
  Answer out;
  {
    Sandbox sandbox(std::move(spec));
    const auto deadline = std::chrono::steady_clock::now() + k_patience;
    auto status = sandbox.poll();
    for (; !status && std::chrono::steady_clock::now() < deadline; status = sandbox.poll())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (!status) sandbox.kill();
    out.status = sandbox.wait();
  }
  out.text = read_file(log, 2 * k_max_answer);
  return out;
}

std::string last_words(const std::string& text) {
  constexpr std::size_t k_shown = 400;
  return printable(trim(text.size() > k_shown ? std::string_view(text).substr(text.size() - k_shown) : text));
}

std::string why_it_ended(int status) {
  if (status == 128 + SIGILL) return "it was ended by an instruction that this CPU does not have";
  if (status == 128 + SIGKILL) return fmt::format("it did not answer within {} s", k_patience.count());
  return fmt::format("it ended with status {}", status);
}

std::string first_line_with_version(const std::string& text) {
  for (const auto line : split(text, '\n')) {
    if (line.starts_with("version")) return printable(trim(line).substr(0, 200));
  }
  return {};
}

void ask_all(InstalledEngine& engine, const fs::path& work) {
  for (const auto& [name, program] : engine.manifest.executables) {
    if (flag_needs(name).empty()) continue;
    const auto help = ask(engine, program, "--help", work);
    auto flags = flags_of_help(help.text);
    if (flags.empty()) {
      throw Error(ErrorCode::engine_unfit,
                  fmt::format("'{}' did not say what options it has: {}: {}", printable(name),
                              why_it_ended(help.status), last_words(help.text)),
                  "lock a variant or version that runs on this machine; `liftlock engine hardware` says what it has");
    }
    if (const auto missing = missing_flags(name, flags); !missing.empty()) {
      throw Error(ErrorCode::engine_unfit,
                  fmt::format("this version of {} has no option for {}", printable(name), fmt::join(missing, ", ")),
                  "bring a version that has it, or a newer Liftlock that knows its new name");
    }
    engine.facts.flags[name] = std::move(flags);
    if (engine.facts.says.empty())
      engine.facts.says = first_line_with_version(ask(engine, program, "--version", work).text);
  }
}

/// That nobody tried it is a rule overridden, which the auditor's report begins with.
AuditEvent with_override(AuditEvent event, int tar_fd, const Machine& machine) {
  const auto manifest = EngineReader(tar_fd).manifest();
  const auto suited = judge_variant(manifest.variant, manifest.architecture, machine);
  if (suited.runs()) return event;
  auto detail = parse_json(event.detail);
  const auto before = detail.value("remark", "");
  detail["remark"] = fmt::format("{}{}anyway: not tried, for this machine cannot run it: {}", before,
                                 before.empty() ? "" : "; ", fmt::join(suited.lacking, "; "));
  event.detail = dump_json_line(detail);
  return event;
}

}  // namespace

InstalledEngine install_engine(int tar_fd, const fs::path& engines, EngineFacts facts, const Machine& machine,
                               Unsuited unsuited,
                               const std::function<void(const std::string&, std::string_view)>& listed) {
  const auto manifest = EngineReader(tar_fd).manifest();
  const auto place = folder_of(engines, manifest);
  if (fs::exists(fs::symlink_status(place)))
    fail(ErrorCode::immutable, "'{}' exists already", printable(place.string()));
  const auto suited = judge_variant(manifest.variant, manifest.architecture, machine);
  if (!suited.runs() && unsuited == Unsuited::refuse) {
    throw Error(ErrorCode::engine_unfit,
                fmt::format("the variant '{}' of {} cannot run on this machine: {}", printable(manifest.variant),
                            printable(manifest.name), fmt::join(suited.lacking, "; ")),
                "install the variant cpu; --anyway is for hardware, or a version, that is still to come. GPUs serve "
                "through an inference server that is a pool (docs/guides/gateway.md)");
  }
  make_folders(place.parent_path());
  const TemporaryFolder work(".trial", place.parent_path());
  if (::chmod(work.path().c_str(), 0755) != 0) fail_errno("chmod " + work.path().string());
  InstalledEngine engine{.manifest = manifest, .folder = work.path() / "engine", .facts = std::move(facts)};
  unpack_engine(tar_fd, engine.folder);
  if (suited.runs()) ask_all(engine, work.path());
  engine.facts.installed = now();
  write_file_atomically(engine.folder / k_facts_file, encode_facts(engine.facts), 0444);
  // Of the package, not of what lies there: its programs ran already.
  const auto list = encode_files(files_of_package(tar_fd));
  write_file_atomically(engine.folder / k_files_file, list, 0444);
  const auto unpacked = std::exchange(engine.folder, place);
  if (listed) listed(full_name(engine), list);
  rename_file(unpacked, place);
  sync_folder(place.parent_path());
  return engine;
}

InstalledEngine install_engine(AuditLog& log, const AuditEvent& event, int tar_fd, const fs::path& engines,
                               EngineFacts facts, const Machine& machine, Unsuited unsuited) {
  std::optional<InstalledEngine> installed;
  logged_effect(log, unsuited == Unsuited::install ? with_override(event, tar_fd, machine) : event, [&] {
    installed = install_engine(
        tar_fd, engines, std::move(facts), machine, unsuited,
        [&](const std::string& name, std::string_view list) { log.append(files_event(name, list, event.actor)); });
  });
  return *std::move(installed);
}

}  // namespace liftlock::engine
