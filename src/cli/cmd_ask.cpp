#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/chat_session.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string model;
  std::string question;
  std::string system;
  std::optional<double> temperature;
  std::optional<unsigned> max_tokens;
};

std::atomic<bool> g_stop{false};

/// Ctrl-C ends an answer; the program goes on.
void stop_answers_on_interrupt() {
  struct sigaction action {};
  action.sa_handler = [](int) { g_stop = true; };
  ::sigaction(SIGINT, &action, nullptr);
}

ChatSession open_session(Invocation& invocation, const Options& options, std::string_view command) {
  const auto site = invocation.site();
  site.require_zone(command, {Zone::ingest, Zone::production});
  site.require_own();
  record_config(invocation, site);
  try {
    return {site, invocation.actor(), options.model};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::busy) throw;
    throw Error(ErrorCode::busy, "a server answers for the models of this installation",
                "ask it at its address, with a key (`liftlock key add`); or stop it first");
  }
}

Json request_of(const Options& options, const Json& messages) {
  Json request = {{"messages", messages}};
  if (options.temperature) request["temperature"] = *options.temperature;
  if (options.max_tokens) request["max_tokens"] = *options.max_tokens;
  return request;
}

Json first_messages(const Options& options) {
  auto messages = Json::array();
  if (!options.system.empty()) messages.push_back({{"role", "system"}, {"content", options.system}});
  return messages;
}

/// What a model says may hold anything; a terminal must not be steered by it.
void print_piece(std::string_view piece) {
  std::string shown;
  for (const char c : piece) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= 0x20 && byte != 0x7f) || c == '\n' || c == '\t') shown += c;
  }
  std::fwrite(shown.data(), 1, shown.size(), stdout);
  std::fflush(stdout);
}

void ask(Invocation& invocation, const Options& options) {
  auto question = options.question;
  if (question.empty() || question == "-") {
    question.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  }
  auto session = open_session(invocation, options, "ask");
  stop_answers_on_interrupt();
  auto messages = first_messages(options);
  messages.push_back({{"role", "user"}, {"content", question}});
  const auto show = invocation.json() ? [](std::string_view) {} : print_piece;
  const auto said = session.ask(request_of(options, messages), show, g_stop);
  if (invocation.json()) {
    invocation.print({{"answer", said.text},
                      {"record", said.record},
                      {"prompt_tokens", said.prompt_tokens},
                      {"completion_tokens", said.completion_tokens},
                      {"stopped", said.stopped}},
                     [] { return std::string(); });
  } else {
    std::puts("");
  }
  if (said.stopped) invocation.set_status(130);
}

// -- the conversation at the terminal

constexpr std::string_view k_help = R"(/help            this
/clear           forget what was said
/system TEXT     an instruction that stands before everything
/record          the id of the last answer's record
/bye             leave (or Ctrl-D)
"""              begins and ends a message of several lines
Ctrl-C           stops the answer)";

/// One message, of several lines between """ and """; nullopt at the end of the input.
std::optional<std::string> read_message(bool prompts) {
  const auto line_after = [&](const char* prompt) -> std::optional<std::string> {
    if (prompts) {
      std::fputs(prompt, stdout);
      std::fflush(stdout);
    }
    std::string line;
    while (!std::getline(std::cin, line)) {
      // Ctrl-C interrupts the read: a fresh prompt, as in a shell.
      if (!g_stop.exchange(false)) return std::nullopt;
      std::cin.clear();
      std::clearerr(stdin);
      if (prompts) {
        std::fputs("\n", stdout);
        std::fputs(prompt, stdout);
        std::fflush(stdout);
      }
    }
    return line;
  };
  constexpr std::string_view k_fence = "\"\"\"";
  auto first = line_after(">>> ");
  if (!first || !first->starts_with(k_fence)) return first;
  auto text = first->substr(k_fence.size());
  while (!text.ends_with(k_fence)) {
    const auto more = line_after("... ");
    if (!more) return text;
    text += "\n" + *more;
  }
  return text.substr(0, text.size() - k_fence.size());
}

void run(Invocation& invocation, Options options) {
  auto session = open_session(invocation, options, "run");
  stop_answers_on_interrupt();
  const bool prompts = ::isatty(STDIN_FILENO) != 0;
  session.load();
  if (prompts) std::puts("/help says what there is; every question and answer goes on record.");
  auto messages = first_messages(options);
  std::string record;
  while (auto message = read_message(prompts)) {
    const auto text = std::string(trim(*message));
    if (text.empty()) continue;
    if (text == "/bye") return;
    if (text == "/help") {
      std::puts(k_help.data());
    } else if (text == "/clear") {
      messages = first_messages(options);
    } else if (text == "/record") {
      std::puts(record.empty() ? "nothing was asked yet" : record.c_str());
    } else if (text.starts_with("/system ")) {
      options.system = text.substr(8);
      messages = first_messages(options);
    } else if (text.starts_with('/')) {
      invocation.reporter().note(fmt::format("there is no '{}'; /help lists what there is", text));
    } else {
      messages.push_back({{"role", "user"}, {"content", text}});
      g_stop = false;
      const auto said = session.ask(request_of(options, messages), print_piece, g_stop);
      std::puts(said.stopped ? " [stopped]" : "");
      g_stop = false;
      record = said.record;
      messages.push_back({{"role", "assistant"}, {"content", said.text}});
    }
  }
}

void add_options(CLI::App& command, Options& options) {
  command.add_option("MODEL", options.model, "Name or id of a model of the store")->required();
  command.add_option("--system", options.system, "An instruction that stands before everything");
  command.add_option("--temperature", options.temperature, "0: the likeliest words; 1: as the model was trained");
  command.add_option("--max-tokens", options.max_tokens, "The longest answer");
}

}  // namespace

void add_ask(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("ask", "Ask a model one question, here in the terminal");
  auto options = std::make_shared<Options>();
  add_options(*command, *options);
  command->add_option("QUESTION", options->question, "The question; - or nothing: standard input");
  command->footer(
      "The model is checked and runs as under `serve`; question and answer go on record. Ctrl-C stops the answer.\n"
      "Example: liftlock ask demo \"What is Liftlock?\"");
  command->callback([&invocation, options] { ask(invocation, *options); });
}

void add_run(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("run", "Talk with a model, here in the terminal");
  auto options = std::make_shared<Options>();
  add_options(*command, *options);
  command->footer(
      "The model is checked and runs as under `serve`; questions and answers go on record. /help says what there is.\n"
      "Example: liftlock run demo");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
