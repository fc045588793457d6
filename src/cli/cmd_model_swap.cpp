#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/canary.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/store_view.hpp"
#include "engine/choices.hpp"
#include "engine/load_gate.hpp"
#include "os/file.hpp"
#include "os/process.hpp"
#include "store/blob_store.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_last_words = 400;

struct Options {
  std::string alias, model;
  CanaryQuestion question{.prompt = "Say hello.", .expect = {}};
  std::string then;  ///< a line for the shell
};

Site site_for(Invocation& invocation, std::string_view command) {
  auto site = invocation.site();
  site.require_zone(command, {Zone::ingest, Zone::production});
  site.require_own();
  return site;
}

/// Why the command after a swap failed; nullopt where it did not, or there is none.
std::optional<std::string> failure_of(const Options& options, const engine::Choice& choice) {
  if (options.then.empty()) return std::nullopt;
  try {
    // What it leaves running in the background holds the file, and not our pipes, whose end is waited for.
    const TemporaryFolder folder;
    constexpr const char* k_run = "sh -c \"$0\" > \"$1\" 2>&1; status=$?; tail -c \"$2\" \"$1\" >&2; exit $status";
    const auto output = (folder.path() / "output").string();
    const auto ended = run_process({.argv = {"sh", "-c", k_run, options.then, output, std::to_string(k_last_words)},
                                    .input = {},
                                    .set_environment = {{"LIFTLOCK_ALIAS", options.alias},
                                                        {"LIFTLOCK_MODEL", choice.value},
                                                        {"LIFTLOCK_DIGEST", choice.digest}},
                                    .unset_environment = {},
                                    .clear_environment = false,
                                    .working_folder = {}});
    if (ended.status == 0) return std::nullopt;
    const auto said = trim(ended.error_output);
    return fmt::format("ended with status {}{}{}", ended.status, said.empty() ? "" : ": ", printable(said));
  } catch (const Error& error) {
    return error.message();
  }
}

/// Brings back what was there before the swap. false: there is nothing to bring back, or somebody chose again.
bool take_back(AuditLog& log, engine::Choices& aliases, const std::string& alias, const engine::Choice& choice,
               const std::optional<engine::Choice>& before) {
  const auto is_it = [&](const std::optional<engine::Choice>& one) {
    return one && one->value == choice.value && one->digest == choice.digest;
  };
  if (is_it(before) || !is_it(aliases.current(alias))) return false;
  try {
    // What the command said is no part of the log: it may be anything.
    logged_effect(log,
                  {.type = "model.rollback",
                   .actor = choice.actor,
                   .outcome = Outcome::intent,
                   .subject = alias,
                   .detail = dump_json_line({{"model", before ? before->value : std::string()},
                                             {"digest", before ? before->digest : std::string()},
                                             {"before", choice.value},
                                             {"reason", "the command of --then failed"}})},
                  [&] { aliases.take_back(alias, choice); });
  } catch (const Error& error) {
    if (error.code() != ErrorCode::busy) throw;
    return false;
  }
  return true;
}

/// Runs what --then names; where that fails, the alias is back where it was. @throws Error{tool_failed}
void run_then(AuditLog& log, engine::Choices& aliases, const Options& options, const engine::Choice& choice,
              const std::optional<engine::Choice>& before) {
  const auto failure = failure_of(options, choice);
  if (!failure) return;
  const bool is_back = take_back(log, aliases, options.alias, choice, before);
  const auto where = !is_back ? std::string("as it was set last")
                     : before ? fmt::format("{} again", printable(before->value))
                              : std::string("gone again");
  throw Error(
      ErrorCode::tool_failed, fmt::format("the command of --then {}", *failure),
      fmt::format("'{}' is {}; what the command started may still need to be told", printable(options.alias), where));
}

void swap(Invocation& invocation, const Options& options) {
  const auto site = site_for(invocation, "model swap");
  if (options.alias.empty() || options.alias.find_first_of(" \t\n/:@") != std::string::npos)
    fail(ErrorCode::usage, "'{}' cannot be an alias: it must not hold blanks, '/', ':' or '@'",
         printable(options.alias));
  const Catalog catalog(site.catalog_file(), Access::read);
  const auto model = engine::require_model(catalog, options.model);
  const auto task = engine::task_of(catalog.inspection(model));
  if (task != engine::ModelTask::text && !options.question.expect.empty())
    fail(ErrorCode::usage, "{} is made for {}: its answer holds no words to expect", printable(model.id()), name(task));
  engine::Choices aliases(site.aliases_file());
  const auto before = aliases.current(options.alias);
  const auto choice = engine::choice_of(model, invocation.actor());
  record_config(invocation, site);
  AuditLog log(site.audit_folder(), "");
  const Json detail = {
      {"model", choice.value}, {"digest", choice.digest}, {"before", before ? before->value : std::string()}};
  Json canary;
  logged_effect(log,
                {.type = "model.swap",
                 .actor = invocation.actor(),
                 .outcome = Outcome::intent,
                 .subject = options.alias,
                 .detail = dump_json_line(detail)},
                [&] {
                  canary = ask_canary(site, log, invocation.actor(), model, task, options.question);
                  aliases.choose(options.alias, choice);
                });
  run_then(log, aliases, options, choice, before);
  auto json = detail;
  json["alias"] = options.alias;
  json["canary"] = canary;
  invocation.print(json, [&] {
    const auto load = canary["load_ms"];
    return fmt::format("'{}' is {} from the next request on{}; its canary{} answered in {} ms",
                       printable(options.alias), printable(model.id()),
                       before ? fmt::format(", instead of {}", printable(before->value)) : "",
                       load.is_null() ? "" : fmt::format(" loaded in {} ms and", load.get<std::int64_t>()),
                       canary["answer_ms"].get<std::int64_t>());
  });
}

void roll_back(Invocation& invocation, const std::string& alias) {
  const auto site = site_for(invocation, "model rollback");
  engine::Choices aliases(site.aliases_file());
  const auto before = aliases.current(alias);
  const auto target = aliases.previous(alias);
  if (!before || !target) {
    throw Error(ErrorCode::not_found, fmt::format("no other model was behind '{}' before", printable(alias)),
                "`liftlock model ls` shows the aliases; choose a model: liftlock model swap ALIAS MODEL");
  }
  const BlobStore store(site.store_folder());
  const auto contents = Catalog(site.catalog_file(), Access::read).contents(target->value);
  const auto model = std::find_if(contents.begin(), contents.end(),
                                  [&](const auto& one) { return engine::main_digest(one).text() == target->digest; });
  if (model == contents.end())
    fail(ErrorCode::not_found, "{} ({}) is not in the store any more", printable(target->value), target->digest);
  for (const auto& file : model->files) {
    if (store.size(file.digest) != file.size)
      fail(ErrorCode::not_found, "'{}' of {} is not in the store any more", file.path.text(), printable(model->id()));
  }
  record_config(invocation, site);
  AuditLog log(site.audit_folder(), "");
  logged_effect(
      log,
      {.type = "model.rollback",
       .actor = invocation.actor(),
       .outcome = Outcome::intent,
       .subject = alias,
       .detail = dump_json_line({{"model", target->value}, {"digest", target->digest}, {"before", before->value}})},
      [&] { aliases.roll_back(alias); });
  invocation.print({{"alias", alias}, {"model", target->value}, {"before", before->value}}, [&] {
    return fmt::format("'{}' is {} again, instead of {}", printable(alias), printable(target->value),
                       printable(before->value));
  });
}

}  // namespace

void add_model_swap(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("swap", "Put a model behind an alias, after it answered a question");
  auto options = std::make_shared<Options>();
  command->add_option("ALIAS", options->alias, "The name that people and programs ask for")->required();
  add_model_argument(*command, "MODEL", options->model)->required();
  command->add_option("--prompt", options->question.prompt, "The question that it must answer first");
  command->add_option("--expect", options->question.expect, "Words that its answer must hold, in upper or lower case");
  command->add_option(
      "--then", options->then,
      "A line for the shell, run after the swap: what restarts an application, say. Where it fails, the alias "
      "goes back");
  command->footer(
      "The model is loaded through the load gate in an engine of its own, and asked a question: one for embeddings\n"
      "for a vector, one for reranking for an order; one of speech hears two seconds of silence. When it does not\n"
      "load or answer, or `serve` would have no memory for it with all its slots, the alias stays where it was. A\n"
      "running server follows with the next request; what runs on the old model ends there. The command of --then\n"
      "finds LIFTLOCK_ALIAS, LIFTLOCK_MODEL and LIFTLOCK_DIGEST in its environment, and has 30 minutes.\n"
      "Example: liftlock model swap chat demo --prompt 'What is Liftlock?' --expect 'air gap'");
  command->callback([&invocation, options] { swap(invocation, *options); });
}

void add_model_rollback(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("rollback", "Put the model behind an alias that was there before");
  auto alias = std::make_shared<std::string>();
  command->add_option("ALIAS", *alias, "The alias, as `liftlock model ls` shows it")->required();
  command->footer("Example: liftlock model rollback chat");
  command->callback([&invocation, alias] { roll_back(invocation, *alias); });
}

}  // namespace liftlock
