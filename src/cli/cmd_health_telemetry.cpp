#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/offline_settings.hpp"
#include "cli/whole_number.hpp"
#include "offline/sockets.hpp"
#include "quiet/switch_check.hpp"

namespace liftlock {
namespace {

using quiet::SwitchState;

/// What to set is listed in the table; so many are named in the hint.
constexpr std::size_t k_named = 6;

struct Options {
  std::vector<pid_t> pids;
  std::string unit;
  std::string mirror;
  bool engines = false;
};

struct Judged {
  pid_t pid = 0;
  std::string program;
  std::vector<SwitchState> states;
  std::size_t verified() const {
    return static_cast<std::size_t>(
        std::count_if(states.begin(), states.end(), [](const auto& one) { return one.in_force(); }));
  }
};

std::string_view name_of(SwitchState::How how) {
  switch (how) {
    case SwitchState::How::variable:
      return "variable";
    case SwitchState::How::file:
      return "file";
    case SwitchState::How::mirror:
      return "mirror";
    case SwitchState::How::none:
      return "none";
  }
  return "none";
}

/// Engines carry a mark in their environment, which what they start inherits.
std::vector<quiet::ProcessView> engines() {
  std::vector<quiet::ProcessView> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const auto pid = parse_uint(entry.path().filename().string());
    if (!pid) continue;
    try {
      auto view = quiet::look_at_process(static_cast<pid_t>(*pid));
      if (view.environment.contains("LIFTLOCK_ENGINE")) out.push_back(std::move(view));
    } catch (const Error&) {
      // It ended meanwhile, or is none of this user's.
    }
  }
  if (out.empty()) {
    throw Error(ErrorCode::not_found, "no engine runs, as far as this user can see",
                "load a model first, and look as the user who serves it; `liftlock ps` shows what is loaded");
  }
  return out;
}

std::vector<quiet::ProcessView> views(const Options& options) {
  if (options.engines) return engines();
  std::vector<quiet::ProcessView> out;
  std::set<pid_t> pids(options.pids.begin(), options.pids.end());
  if (!options.unit.empty()) {
    const auto of_unit = offline::processes_of_unit(options.unit);
    if (of_unit.empty()) {
      throw Error(ErrorCode::not_found, fmt::format("the unit '{}' has no process", printable(options.unit)),
                  "start it, then ask again");
    }
    pids.insert(of_unit.begin(), of_unit.end());
  }
  for (const auto pid : pids) out.push_back(quiet::look_at_process(pid));
  if (out.empty()) out.push_back(quiet::look_at_self());
  return out;
}

Json to_json(const Judged& judged) {
  auto switches = Json::array();
  for (const auto& one : judged.states) {
    switches.push_back({{"program", one.what->program},
                        {"variable", one.what->variable},
                        {"wanted", one.what->value},
                        {"in_force", one.in_force()},
                        {"how", name_of(one.how)},
                        {"found", printable(one.found)}});
  }
  return {{"pid", judged.pid},
          {"program", printable(judged.program)},
          {"verified", judged.verified()},
          {"switches", switches}};
}

std::string switches_text(const Judged& judged) {
  std::vector<std::vector<std::string>> rows{{"", "SWITCH", "PROGRAM", "BY", "STOPS"}};
  for (const auto& one : judged.states) {
    rows.push_back({one.in_force() ? "✓" : "✗", std::string(one.what->variable), std::string(one.what->program),
                    one.in_force()      ? std::string(name_of(one.how))
                    : one.found.empty() ? std::string("not set")
                                        : fmt::format("'{}'", printable(one.found)),
                    std::string(one.what->stops)});
  }
  return format_table(rows);
}

std::string to_text(const std::vector<Judged>& all, std::size_t verified, std::size_t total) {
  auto out =
      fmt::format("{} telemetry: Telemetry: {}/{} disables verified\n", verified == total ? "✓" : "✗", verified, total);
  for (const auto& one : all) {
    if (one.pid != 0)
      out += fmt::format("\n{} ({}): {}/{}\n", one.pid, printable(one.program), one.verified(), one.states.size());
    out += switches_text(one);
  }
  return out;
}

void run(Invocation& invocation, const Options& options) {
  std::vector<Judged> all;
  const bool of_self = options.pids.empty() && options.unit.empty() && !options.engines;
  // Where the mirror is, the judge says, not the judged: `liftlock offline` tells its own command, which may be us.
  auto mirror = options.mirror;
  if (const char* told = std::getenv("LIFTLOCK_MIRROR"); mirror.empty() && told != nullptr) mirror = told;
  if (const auto site = invocation.site();
      mirror.empty() && site.exists() && (site.config().zone == Zone::ingest || site.config().zone == Zone::production))
    mirror = mirror_url(site);
  if (!mirror.empty()) mirror = checked_mirror_url(mirror);
  for (const auto& view : views(options)) {
    all.push_back(
        {of_self ? 0 : view.pid, view.program, quiet::check_switches(view.environment, view.read_settings, mirror)});
  }
  // The worst process counts: one that reports is enough.
  const auto worst = std::min_element(all.begin(), all.end(),
                                      [](const auto& a, const auto& b) { return a.verified() < b.verified(); });
  const auto verified = worst->verified(), total = worst->states.size();
  auto processes = Json::array();
  for (const auto& one : all) processes.push_back(to_json(one));
  invocation.print({{"table_version", quiet::k_table_version},
                    {"good", verified == total},
                    {"verified", verified},
                    {"total", total},
                    {"processes", processes}},
                   [&] { return to_text(all, verified, total); });
  if (verified == total) return;
  std::string missing;
  std::size_t named = 0;
  for (const auto& one : worst->states) {
    if (one.in_force() || ++named > k_named) continue;
    missing += fmt::format("{}{}={}", missing.empty() ? "" : " ", one.what->variable, one.what->value);
  }
  if (named > k_named) missing += fmt::format(", and {} more that are listed above", named - k_named);
  if (!invocation.json()) {
    throw Error(
        ErrorCode::telemetry_on, fmt::format("{} of {} switches are not in force", total - verified, total),
        fmt::format("set: {}; `liftlock render telemetry` writes all of them, `liftlock offline -- COMMAND` sets them",
                    missing));
  }
  invocation.set_status(static_cast<int>(info(ErrorCode::telemetry_on).error_class));
}

}  // namespace

void add_health_telemetry(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("telemetry", "Are the switches for telemetry, updates and downloads in force?");
  auto options = std::make_shared<Options>();
  command->add_option("--pid", options->pids, "Of this process, as it was started, in place of this environment")
      ->check(whole_number(1, std::numeric_limits<pid_t>::max()))
      ->allow_extra_args(false)
      ->type_name("PID");
  command->add_option("--unit", options->unit, "Of every process of this systemd unit")->type_name("NAME");
  command->add_flag("--engines", options->engines, "Of every engine that runs");
  command
      ->add_option("--mirror", options->mirror,
                   "Address of the local mirror: a client that is pointed at it, and nowhere else, counts as kept at\n"
                   "home (default: LIFTLOCK_MIRROR of this environment, else the one that this installation serves)")
      ->type_name("URL");
  command->footer(
      "Judged by what is in force: the environment of the process, and the settings files of its user where a program "
      "has\n"
      "such. A value that the program does not accept is not in force. The table, with the source of each line, is\n"
      "docs/formats/telemetry.md; `liftlock render telemetry` writes the variables. Exit status 3: one is missing.\n"
      "A switch is a program's promise; what keeps programs in is `liftlock offline` and the sandbox of engines.\n"
      "Example: liftlock health telemetry --unit open-webui.service --mirror https://mirror.example:8443");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
