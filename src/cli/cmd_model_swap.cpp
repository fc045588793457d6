#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <variant>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/model_serving.hpp"
#include "cli/store_view.hpp"
#include "net/unix_client.hpp"
#include "store/content.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string alias, model;
  std::string prompt = "Say hello.";
  std::string expect;
};

Site site_for(Invocation& invocation, std::string_view command) {
  auto site = invocation.site();
  site.require_zone(command, {Zone::ingest, Zone::production});
  site.require_own();
  return site;
}

std::shared_ptr<engine::Lease> lease(engine::ModelHost& host, const std::string& model, const std::string& actor) {
  using Leased = std::variant<std::shared_ptr<engine::Lease>, Error>;
  const auto promise = std::make_shared<std::promise<Leased>>();
  host.lease(model, actor, std::chrono::seconds(0),
             [promise](Leased leased) { promise->set_value(std::move(leased)); });
  auto leased = promise->get_future().get();
  if (const auto* error = std::get_if<Error>(&leased)) throw *error;
  return std::get<std::shared_ptr<engine::Lease>>(std::move(leased));
}

/// One question through the load gate to an engine of its own, as a client would ask it.
/// @param model names one content, where several came under one id
/// @return for the log. @throws Error{engine_failed} for what is no answer, and what a load throws
Json ask_canary(const Site& site, AuditLog& log, const std::string& actor, const std::string& model,
                const Options& options) {
  auto settings = host_options(site);
  settings.aliases_file.clear();  // the model itself, whatever is called by its name
  settings.slots = 1;
  settings.log_folder = site.logs_folder() / "canary";
  engine::ModelHost host(std::move(settings), log, actor);
  const auto begin = std::chrono::steady_clock::now();
  const auto slot = lease(host, model, actor);
  const auto loaded = std::chrono::steady_clock::now();
  const Json request = {
      {"messages", {{{"role", "user"}, {"content", options.prompt}}}}, {"max_tokens", 64}, {"temperature", 0}};
  const UnixClient client(slot->socket(), {.max_header = 16u << 10,
                                           .max_body = 4u << 20,
                                           .idle = std::chrono::minutes(5),
                                           .total = std::chrono::minutes(10)});
  const auto response = client.request({.method = "POST",
                                        .target = "/v1/chat/completions",
                                        .headers = {{"Content-Type", "application/json"}},
                                        .body = dump_json_line(request)});
  std::string answer;
  if (response.status == 200) {
    const auto document = parse_json(response.body, {.max_bytes = 4u << 20, .max_depth = 32});
    const auto& choices = array_member(document, "choices", "the canary's answer");
    if (!choices.empty() && choices[0].contains("message")) {
      const auto& message = choices[0]["message"];
      for (const auto* part : {"reasoning_content", "content"}) {
        if (const auto text = message.find(part); text != message.end() && text->is_string())
          answer += text->get<std::string>();
      }
    }
  }
  if (trim(answer).empty())
    fail(ErrorCode::engine_failed, "the canary got no answer (HTTP status {}): {}", response.status,
         printable(response.body.substr(0, 200)));
  if (to_lower(answer).find(to_lower(options.expect)) == std::string::npos)
    fail(ErrorCode::engine_failed, "the canary's answer does not hold '{}': {}", printable(options.expect),
         printable(answer.substr(0, 200)));
  const auto milliseconds = [](auto duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  };
  return {{"engine", slot->engine()},
          {"load_ms", milliseconds(loaded - begin)},
          {"answer_ms", milliseconds(std::chrono::steady_clock::now() - loaded)},
          {"answer_bytes", answer.size()}};
}

void swap(Invocation& invocation, const Options& options) {
  const auto site = site_for(invocation, "model swap");
  if (options.alias.empty() || options.alias.find_first_of(" \t\n/:@") != std::string::npos)
    fail(ErrorCode::usage, "'{}' cannot be an alias: it must not hold blanks, '/', ':' or '@'",
         printable(options.alias));
  const auto model = engine::require_model(Catalog(site.catalog_file(), Access::read), options.model);
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
                  canary = ask_canary(site, log, invocation.actor(), content_name(model), options);
                  aliases.choose(options.alias, choice);
                });
  auto json = detail;
  json["alias"] = options.alias;
  json["canary"] = canary;
  invocation.print(json, [&] {
    return fmt::format("'{}' is {} from the next request on{}; its canary loaded in {} ms and answered in {} ms",
                       printable(options.alias), printable(model.id()),
                       before ? fmt::format(", instead of {}", printable(before->value)) : "",
                       canary["load_ms"].get<std::int64_t>(), canary["answer_ms"].get<std::int64_t>());
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
  command->add_option("--prompt", options->prompt, "The question that it must answer first");
  command->add_option("--expect", options->expect, "Words that its answer must hold, in upper or lower case");
  command->footer(
      "The model is loaded through the load gate in an engine of its own. When it does not load or answer, the alias\n"
      "stays where it was. A running server follows with the next request; what runs on the old model ends there.\n"
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
