#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/doctor_view.hpp"
#include "dockerfile/build_log.hpp"
#include "dockerfile/lint.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using dockerfile::BuildStep;

struct Options {
  std::string file = "Dockerfile";
  std::string log;
};

constexpr std::uint64_t k_max_log = 64u << 20;

struct Client {
  std::string text;
  bool buildkit = false;  ///< it builds with BuildKit unless told otherwise
  bool on_wish = false;   ///< it does with DOCKER_BUILDKIT=1
};

std::string first_line_of(const std::vector<std::string>& argv) {
  try {
    const auto told = run_process({.argv = argv,
                                   .input = {},
                                   .set_environment = {},
                                   .unset_environment = {},
                                   .max_output = 1u << 20,
                                   .timeout = std::chrono::seconds(20)});
    if (told.status != 0) return {};
    return printable(trim(split(told.output, '\n').front()));
  } catch (const Error&) {
    return {};
  }
}

std::optional<Client> find_client() {
  if (find_program("docker")) {
    const auto version = first_line_of({"docker", "--version"}),
               buildx = first_line_of({"docker", "buildx", "version"});
    // "Docker version 27.3.1, build …"
    const auto word = version.rfind("ersion ");
    const auto text = word == std::string::npos ? std::string() : version.substr(word + 7);
    const auto number = parse_uint(text.substr(0, text.find('.')));
    return Client{.text = fmt::format("{}{}", version.empty() ? "docker, which does not tell its version" : version,
                                      buildx.empty() ? ", without buildx" : ", " + buildx),
                  .buildkit = !buildx.empty(),
                  .on_wish = !buildx.empty() || (number && *number < 23)};
  }
  for (const auto* name : {"buildah", "podman"}) {
    if (find_program(name))
      return Client{.text = first_line_of({name, "--version"}), .buildkit = true, .on_wish = true};
  }
  return std::nullopt;
}

void look_at_client(const std::optional<Client>& client, std::vector<Diagnosis>& diagnoses) {
  if (!client) {
    diagnoses.push_back({ErrorCode::tool_missing, "docker", "no program that builds images is installed",
                         "install docker with buildx, or buildah"});
    return;
  }
  const char* wish = std::getenv("DOCKER_BUILDKIT");
  if (wish != nullptr && std::string_view(wish) == "0") {
    diagnoses.push_back({ErrorCode::usage, "DOCKER_BUILDKIT", "it is 0: the old builder knows no cache mounts",
                         "export DOCKER_BUILDKIT=1"});
  } else if (!client->buildkit && !client->on_wish) {
    diagnoses.push_back({ErrorCode::tool_missing, "docker",
                         fmt::format("{}: since version 23 that builds with the old builder", client->text),
                         "install buildx (docker-buildx, docker-buildx-plugin)"});
  } else if (!client->buildkit && (wish == nullptr || std::string_view(wish) != "1")) {
    diagnoses.push_back({ErrorCode::usage, "DOCKER_BUILDKIT",
                         fmt::format("{} builds without BuildKit unless told to", client->text),
                         "export DOCKER_BUILDKIT=1, or install buildx"});
  }
}

void look_at_file(const Options& options, std::vector<Diagnosis>& diagnoses) {
  const auto text = read_file(options.file, dockerfile::k_max_bytes);
  const auto file = with_context(options.file, [&] { return dockerfile::parse_dockerfile(text); });
  for (const auto& one : dockerfile::lint(file, {})) {
    const bool of_caches = one.rule->id.starts_with("apt-") || one.rule->id.starts_with("pip-");
    if (!of_caches || one.rule->level == dockerfile::Level::note) continue;
    diagnoses.push_back({ErrorCode::usage, fmt::format("{}:{}", options.file, one.line),
                         fmt::format("[{}] {}: {}", one.rule->id, one.rule->what, one.message),
                         std::string(one.rule->remedy)});
  }
}

std::string_view name_of(BuildStep::Fate fate) {
  switch (fate) {
    case BuildStep::Fate::cached:
      return "cached";
    case BuildStep::Fate::done:
      return "built";
    case BuildStep::Fate::failed:
      return "failed";
    case BuildStep::Fate::unknown:
      return "?";
  }
  return "?";
}

void look_at_log(const std::string& log, const std::vector<BuildStep>& steps, std::vector<Diagnosis>& diagnoses) {
  if (steps.empty()) {
    diagnoses.push_back(
        {ErrorCode::usage, log, "no step of BuildKit is in it", "docker build --progress=plain . 2> build.log"});
    return;
  }
  for (const auto& step : steps) {
    if (step.fate != BuildStep::Fate::done) continue;
    diagnoses.push_back(
        {ErrorCode::usage, log, fmt::format("the first step that was built again: {}", step.name),
         "everything after it is built again, too: what it copies or its own text changed. Copy what changes "
         "often last"});
    return;
  }
}

void run(Invocation& invocation, const Options& options) {
  std::vector<Diagnosis> diagnoses;
  const auto client = find_client();
  look_at_client(client, diagnoses);
  look_at_file(options, diagnoses);
  std::vector<BuildStep> steps;
  if (!options.log.empty()) {
    steps = dockerfile::parse_build_log(read_file(options.log, k_max_log));
    look_at_log(options.log, steps, diagnoses);
  }
  auto json = Json::array();
  std::vector<std::vector<std::string>> rows{{"STEP", "", "SECONDS"}};
  for (const auto& step : steps) {
    json.push_back({{"step", printable(step.name)}, {"fate", name_of(step.fate)}, {"seconds", step.seconds}});
    rows.push_back({printable(step.name), std::string(name_of(step.fate)),
                    step.fate == BuildStep::Fate::done ? fmt::format("{:.1f}", step.seconds) : ""});
  }
  invocation.print({{"good", diagnoses.empty()},
                    {"client", client ? client->text : ""},
                    {"steps", json},
                    {"problems", to_json(diagnoses)}},
                   [&] {
                     auto out = fmt::format("{}\n", client ? client->text : "no builder of images");
                     if (!steps.empty()) out += format_table(rows);
                     out += diagnoses_text(diagnoses);
                     return diagnoses.empty() ? out + "good: nothing is wrong with the caches\n" : out;
                   });
  invocation.set_status(status_of(diagnoses));
}

}  // namespace

void add_doctor_cache(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("cache", "Why does a build of an image download again?");
  auto options = std::make_shared<Options>();
  command->add_option("DOCKERFILE", options->file, "The Dockerfile")->capture_default_str();
  command->add_option("--log", options->log, "What `docker build --progress=plain` wrote in the second build")
      ->type_name("FILE");
  command->footer(
      "Asks whether BuildKit is what builds, what in the Dockerfile keeps caches from working (`liftlock lint\n"
      "dockerfile`), and, with --log, which step was the first that did not come from the cache.\n"
      "Example: docker build --progress=plain . 2> build.log; liftlock doctor cache Dockerfile --log build.log");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
