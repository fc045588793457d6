#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/answer_options.hpp"
#include "cli/commands.hpp"
#include "cli/model_session.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_question = 4u << 20;
constexpr int k_interrupted = 130;

struct Options : AnswerOptions {
  std::string question;
  std::vector<std::string> files;
};

std::string question_of(const Options& options) {
  std::vector<std::string> attachments;
  for (const auto& file : options.files) attachments.push_back(read_attachment(file));
  auto question = options.question;
  // With something attached a question on the command line is enough, and so is none.
  if (question == "-" || (question.empty() && attachments.empty())) {
    question = read_standard_input(k_max_question);
  }
  return whole_question(question, attachments);
}

void run(Invocation& invocation, const Options& options) {
  const auto question = question_of(options);
  auto session = open_model_session(invocation, options.model, "ask");
  auto messages = first_messages(options);
  messages.push_back({{"role", "user"}, {"content", question}});
  const auto ignore = [](std::string_view) {};
  const auto said = invocation.json() ? session.ask(chat_request(options, messages), ignore)
                                      : session.ask(chat_request(options, messages), print_words);
  if (invocation.json()) {
    invocation.print({{"answer", said.text},
                      {"record", said.record},
                      {"finish", said.finish},
                      {"prompt_tokens", said.prompt_tokens},
                      {"completion_tokens", said.completion_tokens},
                      {"stopped", said.stopped}},
                     [] { return std::string(); });
  } else {
    std::puts("");
  }
  if (said.stopped) invocation.set_status(k_interrupted);
}

}  // namespace

void add_ask(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("ask", "Ask a model one question, here in the terminal");
  auto options = std::make_shared<Options>();
  add_answer_options(*command, *options);
  command->add_option("QUESTION", options->question, "The question; - or nothing: standard input");
  command->add_option("--file", options->files,
                      "A text file that the question is about; - is standard input; may be given again");
  command->footer(
      "The model is checked and runs as under `serve`; question and answer go on record. Ctrl-C stops the answer.\n"
      "Example: liftlock ask demo \"What is Liftlock?\"\n"
      "Example: dmesg | liftlock ask demo \"What went wrong?\" --file -");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
