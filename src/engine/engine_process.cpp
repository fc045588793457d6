#include "engine/engine_process.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "engine/llama_builds.hpp"
#include "net/unix_client.hpp"
#include "quiet/switches.hpp"

namespace liftlock::engine {
namespace {

constexpr std::uint64_t k_max_manifest = 4u << 20;
constexpr std::size_t k_log_tail = 1500;
constexpr std::uint64_t k_max_library = 256u << 20;
constexpr std::chrono::milliseconds k_probe_patience{2000};
constexpr std::chrono::milliseconds k_shortest_look{1}, k_longest_look{50};
constexpr std::string_view k_newer_engine =
    "carry a newer engine, install it beside this one and make it the default: liftlock engine install NAME, liftlock "
    "engine default NAME/VERSION";
constexpr std::array<ModelFormat, 2> k_formats = {{{"gguf", "llama-server"}, {"ggml", "whisper-cli"}}};

/// As it was written.
std::string log_tail(const fs::path& log) {
  const auto file = open_file_if_exists(log, O_RDONLY);
  if (!file) return {};
  const auto size = regular_size(file->get(), log.string());
  std::string tail(std::min<std::uint64_t>(size, k_log_tail), '\0');
  pread_exact(file->get(), {reinterpret_cast<std::uint8_t*>(tail.data()), tail.size()}, size - tail.size(),
              log.string());
  return tail;
}

/// What an engine's program is told, in the spellings that its version has.
class CommandLine {
 public:
  CommandLine(const InstalledEngine& engine, std::string_view program) : m_engine(engine), m_program(program) {
    const auto found = engine.manifest.executables.find(m_program);
    if (found == engine.manifest.executables.end())
      fail(ErrorCode::engine_malformed, "the engine {} has no {}", printable(engine.manifest.name), program);
    m_words = {"/" + found->second};
  }

  /// false: it has no option for this.
  bool say(std::string_view purpose, const std::string& value = {}) {
    for (const auto& need : flag_needs(m_program)) {
      if (need.purpose != purpose) continue;
      const auto flag = spelling(need, flags_of(m_engine, m_program));
      if (flag.empty()) return false;
      m_words.emplace_back(flag);
      if (!value.empty()) m_words.push_back(value);
      return true;
    }
    return false;
  }
  void require(std::string_view purpose, const std::string& value = {}) {
    if (say(purpose, value)) return;
    throw Error(ErrorCode::model_unsupported,
                fmt::format("the engine {} has no option for {}, which the model needs", printable(full_name(m_engine)),
                            purpose),
                std::string(k_newer_engine));
  }
  std::vector<std::string> words() && { return std::move(m_words); }

 private:
  const InstalledEngine& m_engine;
  const std::string m_program;
  std::vector<std::string> m_words;
};

/// Numbers within versions count as numbers: b9999 is older than b10000.
void take_newer(std::optional<InstalledEngine>& newest, InstalledEngine& other) {
  if (!newest || ::strverscmp(newest->manifest.version.c_str(), other.manifest.version.c_str()) <= 0)
    newest = std::move(other);
}

}  // namespace

std::string full_name(const InstalledEngine& engine) {
  return engine.folder.parent_path().filename().string() + "/" + engine.folder.filename().string();
}

const Flags* flags_of(const InstalledEngine& engine, const std::string& executable) {
  const auto found = engine.facts.flags.find(executable);
  return found == engine.facts.flags.end() ? nullptr : &found->second;
}

std::span<const ModelFormat> model_formats() {
  return k_formats;
}

fs::path folder_of(const fs::path& engines, const EngineManifest& manifest) {
  return engines / portable_component(manifest.name) /
         portable_component(fmt::format("{}-{}", manifest.version, manifest.variant));
}

std::vector<InstalledEngine> installed_engines(const fs::path& engines) {
  std::vector<InstalledEngine> out;
  std::error_code ignored;
  for (const auto& by_name : fs::directory_iterator(engines, ignored)) {
    for (const auto& version : fs::directory_iterator(by_name.path(), ignored)) {
      // One that is still being tried has a name with a dot.
      const auto manifest = version.path() / "engine.json";
      if (version.path().filename().string().starts_with('.') || !fs::is_regular_file(manifest)) continue;
      InstalledEngine engine{parse_engine_manifest(read_file(manifest, k_max_manifest)), version.path(), {}};
      const auto facts = version.path() / k_facts_file;
      if (fs::is_regular_file(facts)) engine.facts = parse_facts(read_file(facts, k_max_manifest));
      out.push_back(std::move(engine));
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.folder < b.folder; });
  return out;
}

InstalledEngine find_engine(const fs::path& engines, const std::string& name) {
  const auto slash = name.find('/');
  std::optional<InstalledEngine> found;
  for (auto& engine : installed_engines(engines)) {
    if (engine.manifest.name != name.substr(0, slash)) continue;
    if (slash != std::string::npos && engine.folder.filename() != name.substr(slash + 1)) continue;
    take_newer(found, engine);
  }
  if (!found) {
    throw Error(ErrorCode::not_found, fmt::format("no engine '{}' is installed", printable(name)),
                fmt::format("`liftlock engine ls` lists those that are; install it: liftlock engine install {}",
                            printable(name.substr(0, slash))));
  }
  return *std::move(found);
}

InstalledEngine newest_engine_with(const fs::path& engines, const std::string& executable) {
  std::optional<InstalledEngine> newest;
  for (auto& engine : installed_engines(engines)) {
    if (engine.manifest.executables.contains(executable)) take_newer(newest, engine);
  }
  if (!newest) {
    throw Error(ErrorCode::engine_unavailable, fmt::format("no engine with {} is installed", executable),
                "`liftlock ls --kind engine` lists what the store holds; install one: liftlock engine install NAME");
  }
  return *std::move(newest);
}

InstalledEngine engine_for(const fs::path& engines, const Choices& defaults, std::string_view format) {
  const auto known = std::find_if(k_formats.begin(), k_formats.end(), [&](auto& one) { return one.name == format; });
  if (known == k_formats.end()) fail(ErrorCode::not_found, "no engine loads the format '{}'", printable(format));
  const auto chosen = defaults.current(format);
  if (!chosen) return newest_engine_with(engines, std::string(known->executable));
  try {
    return find_engine(engines, chosen->value);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    throw Error(ErrorCode::engine_unavailable,
                fmt::format("the default engine of {} is {}, which is gone", format, printable(chosen->value)),
                "choose another one: liftlock engine default NAME");
  }
}

void require_suited(const InstalledEngine& engine, const Machine& machine) {
  const auto suited = judge_variant(engine.manifest.variant, engine.manifest.architecture, machine);
  if (suited.runs()) return;
  throw Error(
      ErrorCode::engine_unfit,
      fmt::format("{} cannot run on this machine: {}", printable(full_name(engine)), fmt::join(suited.lacking, "; ")),
      "choose one that `liftlock engine ls` says runs here: liftlock engine default NAME; what lacks hardware can "
      "be chosen once that is there");
}

bool knows_architecture(const InstalledEngine& engine, std::string_view architecture) {
  const std::string text(architecture);
  bool looked = false;
  std::set<fs::path> folders;
  for (const auto& folder : engine.manifest.library_path) {
    folders.insert(engine.folder / folder);
    folders.insert((engine.folder / folder).parent_path());  // Debian's: the loader searches there by itself
  }
  for (const auto& folder : folders) {
    std::error_code ignored;
    for (const auto& file : fs::directory_iterator(folder, ignored)) {
      if (!file.path().filename().string().starts_with("libllama.so") || file.is_symlink() || !file.is_regular_file())
        continue;
      const auto library = read_file(file.path(), k_max_library);
      looked = true;
      // A name ends with a zero byte; the linker may have made it the tail of a longer one.
      if (library.find(text.c_str(), 0, text.size() + 1) != std::string::npos) return true;
    }
  }
  return !looked;
}

void require_architecture(const InstalledEngine& engine, std::string_view architecture) {
  if (architecture.empty() || knows_architecture(engine, architecture)) return;
  throw Error(ErrorCode::model_unsupported,
              fmt::format("the engine {} does not know the architecture '{}'; {}", printable(full_name(engine)),
                          printable(architecture), who_knows(architecture)),
              std::string(k_newer_engine));
}

SandboxSpec sandbox_for(const InstalledEngine& engine, const std::vector<SharedFile>& files, const fs::path& run_folder,
                        const fs::path& log) {
  SandboxSpec spec;
  spec.root = engine.folder;
  spec.run_folder = run_folder;
  spec.log = log;
  spec.deadly_calls = DeadlyCalls::end_all;
  std::string library_path;
  for (const auto& folder : engine.manifest.library_path)
    library_path += fmt::format("{}/{}", library_path.empty() ? "" : ":", folder);
  // There is no network in there anyway: the switches spare its programs the attempts, and their time.
  spec.environment = quiet::quiet_environment(quiet::Mirror::none);
  spec.environment.insert({{"PATH", "/usr/bin"},
                           {"HOME", "/tmp"},
                           {"LANG", "C.UTF-8"},
                           {"LD_LIBRARY_PATH", library_path},
                           {"LIFTLOCK_ENGINE", full_name(engine)}});
  spec.max_memory = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                    static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 4 * 3;
  for (const auto& file : files)
    (file.in_memory ? spec.memory_files : spec.files).emplace_back(file.path, file.file.get());
  return spec;
}

std::vector<std::string> llama_server_arguments(const InstalledEngine& engine, const LlamaServerSettings& settings) {
  CommandLine out(engine, "llama-server");
  out.say("the socket", fmt::format("/run/liftlock/{}", k_socket_name));
  out.say("the model", settings.model_path);
  out.say("the name", settings.alias);
  if (settings.slots != 0) out.say("the slots", std::to_string(settings.slots));
  if (settings.context != 0) out.say("the context", std::to_string(settings.context * std::max(settings.slots, 1u)));
  if (!settings.projector_path.empty()) out.require("the projector", settings.projector_path);
  // Somebody waits for the first answer: an answer to nothing before it would only come in between.
  for (const auto* purpose : {"no downloads", "no pages", "no trial run"}) out.say(purpose);
  out.say(settings.task ? "the view of its work" : "no view of others' prompts");
  if (settings.task == ModelTask::embeddings || settings.task == ModelTask::reranking) {
    out.require(name(*settings.task));
    // An encoder sees a text at once, so all of it must fit into one batch.
    for (const auto* purpose : {"the batch", "the step"}) out.require(purpose, std::to_string(settings.context));
  }
  return std::move(out).words();
}

bool is_healthy(const fs::path& socket, std::chrono::milliseconds patience) {
  try {
    const UnixClient client(socket,
                            {.max_header = 16u << 10, .max_body = 64u << 10, .idle = patience, .total = 2 * patience});
    return client.request({.method = "GET", .target = "/health", .headers = {}, .body = {}}).status == 200;
  } catch (const Error&) {
    return false;  // not there, or not in its mind; who asks decides what that means
  }
}

std::optional<SlotCount> count_slots(const fs::path& socket, std::chrono::milliseconds patience) {
  try {
    const UnixClient client(socket,
                            {.max_header = 16u << 10, .max_body = 1u << 20, .idle = patience, .total = patience});
    const auto answer = client.request({.method = "GET", .target = "/slots", .headers = {}, .body = {}});
    const auto slots = answer.status == 200 ? parse_json(answer.body) : Json();
    SlotCount count;
    if (!slots.is_array()) return count;
    for (const auto& slot : slots) {
      const auto at_work = slot.is_object() ? slot.value("is_processing", Json()) : Json();
      if (at_work.is_boolean()) ++count.told;
      if (at_work == Json(true)) ++count.busy;
    }
    return count;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<std::string> misuse_of_folder(const Sandbox& sandbox) {
  const auto folder = sandbox.run_folder();
  struct stat found {};
  if (::lstat((folder / k_socket_name).c_str(), &found) == 0 && !S_ISSOCK(found.st_mode)) {
    return fmt::format("{} stood where its socket belongs", S_ISLNK(found.st_mode)   ? "a symlink"
                                                            : S_ISREG(found.st_mode) ? "a file"
                                                                                     : "something else");
  }
  struct statvfs space {};
  if (::statvfs(folder.c_str(), &space) != 0) return std::nullopt;
  // Where no file system of its own could be mounted, others fill it, too.
  if (space.f_blocks > sandbox.spec().run_bytes / space.f_frsize + 1) return std::nullopt;
  const bool is_full = space.f_bfree == 0 || (space.f_files != 0 && space.f_ffree == 0);
  return is_full ? std::optional<std::string>("it filled the folder of its socket") : std::nullopt;
}

std::optional<std::string> misuse_at_end(const Sandbox& sandbox, std::optional<int> status) {
  if (const auto call = sandbox.deadly_call())
    return fmt::format("it made the system call {}, which no engine makes, and was ended for it", *call);
  if (status != 128 + SIGSYS) return std::nullopt;
  return "it made a system call that no engine makes (mount, ptrace, bpf …), and ended by it";
}

void tell_of_watch(const Sandbox& sandbox, std::string& detail) {
  if (sandbox.is_watched()) return;
  auto told = parse_json(detail);
  told["unwatched"] = true;
  detail = dump_json_line(told);
}

void wait_until_ready(Sandbox& sandbox, std::chrono::seconds patience, const std::function<bool()>& given_up) {
  const auto socket = sandbox.run_folder() / k_socket_name;
  const auto begun = std::chrono::steady_clock::now();
  const auto deadline = begun + patience;
  while (!is_healthy(socket, k_probe_patience)) {
    if (const auto status = sandbox.poll()) {
      const auto said = log_tail(sandbox.spec().log);
      // What bubblewrap could not do is no fault of the engine's; but that it has no such program is.
      const auto lines = trim(said);
      const auto last = lines.substr(lines.rfind('\n') + 1);
      if (last.starts_with("bwrap: ") && !last.starts_with("bwrap: execvp ")) {
        fail(ErrorCode::sandbox_unavailable, "the engine's sandbox cannot be set up here: {}", printable(last));
      }
      fail(ErrorCode::engine_failed, "the engine ended with status {}: {}", *status, printable(said));
    }
    if (const auto misuse = misuse_of_folder(sandbox))
      fail(ErrorCode::engine_failed, "the engine does what no server of models does: {}", *misuse);
    if (given_up && given_up()) fail(ErrorCode::engine_failed, "the engine was stopped while it loaded");
    if (std::chrono::steady_clock::now() > deadline) {
      fail(ErrorCode::engine_failed, "the engine did not get ready within {} s: {}", patience.count(),
           printable(log_tail(sandbox.spec().log)));
    }
    // A fiftieth of what it took until now: no wait is longer than it must be by more, and slow engines are not asked
    // more often than they can answer.
    const auto waited = std::chrono::steady_clock::now() - begun;
    std::this_thread::sleep_for(
        std::clamp<std::chrono::steady_clock::duration>(waited / 50, k_shortest_look, k_longest_look));
  }
}

}  // namespace liftlock::engine
