#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/model_config.hpp"
#include "crypto/hash.hpp"
#include "offline/run_history.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string wheelhouse = "wheelhouse.tgz";
  std::string digest;
  std::string config = "config.toml";
  std::string dockerfile = "Dockerfile";
  std::string python = "3.11";
  std::vector<std::string> require;
};

constexpr std::uint64_t k_max_answer = 64u << 20;
constexpr std::size_t k_max_histories = 10'000;

/// One box of the list, and what it is judged by.
struct Box {
  std::string title;
  enum class State : std::uint8_t { done, open, unknown } state = State::unknown;
  std::string evidence;
  std::string next;  ///< what to do while it is not done
};

std::string_view name_of(Box::State state) {
  switch (state) {
    case Box::State::done:
      return "done";
    case Box::State::open:
      return "open";
    case Box::State::unknown:
      return "not judged";
  }
  return "not judged";
}

/// What one of our own doctors says, as JSON.
struct Answer {
  int status = 0;
  Json json;
  std::string first_problem;
};

Answer ask(std::vector<std::string> words) {
  words.insert(words.begin(), {"/proc/self/exe", "--json", "--quiet"});
  const auto told = run_process({.argv = std::move(words),
                                 .input = {},
                                 .set_environment = {},
                                 .unset_environment = {},
                                 .max_output = k_max_answer});
  Answer out{.status = told.status, .json = parse_json(told.output, {.max_bytes = k_max_answer}), .first_problem = {}};
  if (const auto error = out.json.find("error"); error != out.json.end()) {
    out.first_problem = error->value("message", "");
  } else if (const auto problems = out.json.find("problems"); problems != out.json.end() && !problems->empty()) {
    out.first_problem =
        fmt::format("{}: {}", problems->front().value("subject", ""), problems->front().value("message", ""));
  }
  return out;
}

/// A box whose judgement fails is open, with the reason.
template <typename F>
Box judged(std::string title, std::string next, F&& judge) {
  Box box{.title = std::move(title), .state = Box::State::open, .evidence = {}, .next = std::move(next)};
  try {
    judge(box);
  } catch (const Error& error) {
    box.state = Box::State::open;
    box.evidence = error.message();
  } catch (const Json::exception& error) {
    box.state = Box::State::open;
    box.evidence = fmt::format("what it is judged by cannot be read: {}", error.what());
  }
  return box;
}

Box wheelhouse_built(const Options& options) {
  const auto next = fmt::format(
      "a wheelhouse is an archive of wheels, as `pip download` on the connected machine gathers them: name yours with "
      "--wheelhouse (now '{0}'); `liftlock doctor wheelhouse {0}` lists all that it lacks",
      options.wheelhouse);
  return judged("Build wheelhouse on internet-connected machine", next, [&](Box& box) {
    std::vector<std::string> words = {"doctor", "wheelhouse", options.wheelhouse, "--python", options.python};
    for (const auto& one : options.require) words.insert(words.end(), {"--require", one});
    const auto answer = ask(words);
    if (answer.status != 0) {
      box.evidence = answer.first_problem;
      return;
    }
    box.state = Box::State::done;
    box.evidence = fmt::format("{}: {}, closed for Python {}", options.wheelhouse,
                               counted(answer.json.at("wheels").size(), "wheel"), options.python);
  });
}

Box wheelhouse_carried(const Options& options) {
  const auto next = fmt::format(
      "run this on the isolated machine, beside the archive that was carried, with --digest and the SHA-256 that the "
      "other side read out (`sha256sum {}` there)",
      options.wheelhouse);
  return judged("Transfer wheelhouse.tgz to air-gapped environment", next, [&](Box& box) {
    if (fs::is_directory(options.wheelhouse)) {
      box.state = Box::State::unknown;
      box.evidence = fmt::format("'{}' is a folder: name the archive that was carried", options.wheelhouse);
      return;
    }
    const auto file = open_file(options.wheelhouse, O_RDONLY);
    const auto digest = sha256_of_file(file.get(), options.wheelhouse).hex();
    box.evidence = fmt::format("{} has SHA-256 {}", options.wheelhouse, digest);
    if (options.digest.empty()) {
      box.state = Box::State::unknown;
      box.evidence += "; give --digest, as the other side read it out";
      return;
    }
    const auto wanted = options.digest.starts_with("sha256:") ? options.digest.substr(7) : options.digest;
    if (to_lower(wanted) == digest) {
      box.state = Box::State::done;
      box.evidence += ", as announced";
    } else {
      box.evidence += fmt::format(", and not {}", wanted);
    }
  });
}

Box models_there(const Options& options) {
  const auto next = fmt::format(
      "carry the models, and write their places into [models] of a TOML file: name it with --config (now '{0}'); "
      "`liftlock doctor model {0}` lists all that is wrong with them",
      options.config);
  return judged("Download models to local storage", next, [&](Box& box) {
    const auto answer = ask({"doctor", "model", options.config});
    if (answer.status != 0) {
      box.evidence = answer.first_problem;
      if (const auto models = answer.json.find("models"); box.evidence.empty() && models != answer.json.end()) {
        for (const auto& model : *models) {
          for (const auto& problem : model.at("problems")) {
            if (box.evidence.empty())
              box.evidence = model.at("model").get<std::string>() + ": " + problem.at("message").get<std::string>();
          }
        }
      }
      return;
    }
    box.state = Box::State::done;
    for (const auto& model : answer.json.at("models")) {
      box.evidence +=
          fmt::format("{}{}", box.evidence.empty() ? "sound: " : ", ", model.at("model").get<std::string>());
    }
  });
}

Box paths_configured(const Options& options) {
  const auto next = fmt::format(
      "write paths of this machine into [models] of '{}': llm_path = \"/srv/models/chat.gguf\"", options.config);
  return judged("Configure config.toml with local paths", next, [&](Box& box) {
    for (const auto& [key, path] : model_paths(options.config)) {
      if (path.string().find(":/") != std::string::npos) {
        box.evidence = fmt::format("{} = '{}' is no local path", key, path.string());
        return;
      }
      std::error_code error;
      if (!fs::exists(path, error)) {
        box.evidence = fmt::format("{} = '{}' is not there", key, path.string());
        return;
      }
      box.evidence += fmt::format("{}{} = {}", box.evidence.empty() ? "" : ", ", key, path.string());
    }
    box.state = Box::State::done;
  });
}

Box images_built(const Options& options) {
  const auto next = fmt::format(
      "name the Dockerfile with --dockerfile (now '{0}'); `liftlock doctor cache {0}` lists what keeps BuildKit from "
      "building it, and says what is missing on this machine",
      options.dockerfile);
  return judged("Build Docker images with DOCKER_BUILDKIT=1", next, [&](Box& box) {
    const auto answer = ask({"doctor", "cache", options.dockerfile});
    if (answer.status != 0) {
      box.evidence = answer.first_problem;
      return;
    }
    box.state = Box::State::done;
    box.evidence = fmt::format("{}; nothing in {} keeps its caches from working", answer.json.value("client", ""),
                               options.dockerfile);
  });
}

/// The newest run of `liftlock offline` in this folder.
std::optional<std::pair<Json, offline::RunRecord>> newest_run() {
  const auto folder = offline::history_folder();
  if (!folder) return std::nullopt;
  const auto here = printable(fs::current_path().string());
  std::optional<std::pair<Json, offline::RunRecord>> out;
  std::error_code error;
  std::size_t looked = 0;
  for (const auto& entry : fs::directory_iterator(*folder, error)) {
    if (++looked > k_max_histories) break;
    try {
      const auto text = read_file(entry.path(), 1u << 20);
      const auto history = offline::parse_history(text);
      if (!history.last) continue;
      auto json = parse_json(text);
      if (json.value("folder", "") != here) continue;
      // Of two in one second, the one that tried to leave counts.
      const auto is_newer = [&](const offline::RunRecord& other) {
        return other.started < history.last->started ||
               (other.started == history.last->started && other.attempts < history.last->attempts);
      };
      if (!out || is_newer(out->second)) out.emplace(std::move(json), *history.last);
    } catch (const Error&) {
      // none of ours
    } catch (const Json::exception&) {
      // nor this
    }
  }
  return out;
}

Box no_calls() {
  const auto* next =
      "run the program that is to be used, from this folder, with the network off: `liftlock offline -- COMMAND`; it "
      "names each attempt to leave, and must end with 0";
  return judged("Verify no external network calls", next, [&](Box& box) {
    const auto newest = newest_run();
    if (!newest) {
      box.state = Box::State::unknown;
      box.evidence = "no command was run with `liftlock offline -- COMMAND` in this folder yet";
      return;
    }
    std::string command;
    for (const auto& word : newest->first.at("command"))
      command += (command.empty() ? "" : " ") + word.get<std::string>();
    const auto& run = newest->second;
    box.evidence = fmt::format("`liftlock offline -- {}` of {}: {} to leave, status {}", command,
                               format_time(run.started), counted(run.attempts, "attempt"), run.status);
    if (run.attempts == 0 && run.status == 0) box.state = Box::State::done;
  });
}

void run(Invocation& invocation, const Options& options) {
  const std::vector<Box> boxes = {wheelhouse_built(options), wheelhouse_carried(options), models_there(options),
                                  paths_configured(options), images_built(options),       no_calls()};
  const auto done = static_cast<std::size_t>(
      std::count_if(boxes.begin(), boxes.end(), [](const auto& box) { return box.state == Box::State::done; }));
  auto json = Json::array();
  std::string text;
  for (const auto& box : boxes) {
    const bool is_done = box.state == Box::State::done;
    json.push_back({{"title", box.title},
                    {"state", name_of(box.state)},
                    {"evidence", printable(box.evidence)},
                    {"next", is_done ? Json() : Json(printable(box.next))}});
    const auto* mark = is_done ? "x" : box.state == Box::State::open ? " " : "?";
    text += fmt::format("- [{}] {}\n      {}\n", mark, box.title, printable(box.evidence));
    if (!is_done) text += fmt::format("      next: {}\n", printable(box.next));
  }
  text += fmt::format("{} of {} done{}\n", done, counted(boxes.size(), "box", "boxes"),
                      done == boxes.size() ? "" : "; [ ] is not so, [?] could not be judged");
  invocation.print({{"good", done == boxes.size()}, {"done", done}, {"boxes", json}}, [&] { return text; });
  if (done != boxes.size()) invocation.set_status(static_cast<int>(ErrorClass::policy));
}

}  // namespace

void add_checklist(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("checklist", "The six boxes of an air-gapped deployment, each judged by what is there");
  auto options = std::make_shared<Options>();
  command->add_option("--wheelhouse", options->wheelhouse, "The archive of wheels, or their folder")
      ->capture_default_str();
  command->add_option("--digest", options->digest, "SHA-256 of the archive, as the other side read it out");
  command->add_option("--config", options->config, "TOML with the paths of models in [models]")
      ->allow_extra_args(false)
      ->type_name("FILE")
      ->capture_default_str();
  command->add_option("--dockerfile", options->dockerfile, "The Dockerfile")->type_name("FILE")->capture_default_str();
  command->add_option("--python", options->python, "Python of the target")->type_name("VERSION")->capture_default_str();
  command->add_option("--require", options->require, "A requirement that the wheels must satisfy")
      ->type_name("REQUIREMENT");
  command->footer(
      "Each box is judged: by `liftlock doctor wheelhouse`, the digest of the archive, `liftlock doctor model`, the "
      "paths\n"
      "in config.toml, `liftlock doctor cache`, and the last run of `liftlock offline` in this folder. [x] it is so, [ "
      "] it\n"
      "is not, [?] there is nothing to judge it by. Exit status 3: not all are [x].\n"
      "Example: liftlock checklist --digest sha256:… --require 'uvicorn[standard]'");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
