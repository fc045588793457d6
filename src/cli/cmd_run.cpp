#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/answer_options.hpp"
#include "cli/commands.hpp"
#include "cli/line_reader.hpp"
#include "cli/model_session.hpp"
#include "cli/output_file.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_help = R"(/help               this
/clear              forget what was said
/model [NAME]       the model that is asked; or ask another one
/system [TEXT]      an instruction that stands before everything
/set [NAME VALUE]   temperature, max-tokens; "default" as the value
/file FILE          attach a text to the next message
/save FILE          write the talk to a new file (.json, or Markdown)
/record             the id of the last answer's record
/bye                leave (or Ctrl-D)
"""                 begins and ends a message of several lines
Ctrl-C              stops the answer)";

struct Options : AnswerOptions {
  std::string history;
};

/// As Markdown, or as the messages of a request.
std::string written_talk(const fs::path& file, const std::string& model, const Json& messages) {
  if (file.extension() == ".json") return dump_json({{"model", model}, {"messages", messages}});
  std::string text;
  for (const auto& message : messages) {
    const auto role = message.at("role").get<std::string>();
    text +=
        fmt::format("## {}\n\n{}\n\n", role == "assistant" ? model : role, message.at("content").get<std::string>());
  }
  return text;
}

class Talk {
 public:
  Talk(Invocation& invocation, Options options)
      : m_invocation(invocation),
        m_options(std::move(options)),
        m_session(open_model_session(invocation, m_options.model, "run")),
        m_stop(stop_on_interrupt()),
        m_lines(m_options.history.empty() ? std::nullopt : std::optional<fs::path>(m_options.history), m_stop),
        m_messages(first_messages(m_options)) {}

  void run() {
    if (!m_session.load()) return;
    if (m_lines.interactive()) say("/help says what there is; every question and answer goes on record.");
    while (auto message = read_message()) {
      const auto text = std::string(trim(*message));
      if (text.empty()) continue;
      m_lines.remember(text);
      if (text == "/bye") return;
      try {
        if (text.starts_with('/')) {
          obey(text);
        } else {
          answer(text);
        }
      } catch (const Error& error) {
        // The talk goes on; in a pipe the status tells.
        // The program's --help is not what one needs here.
        const bool general = error.code() == ErrorCode::usage && error.hint() == info(ErrorCode::usage).remedy;
        const auto hint = general ? "/help says what there is" : error.hint();
        m_invocation.reporter().warn(fmt::format("{}; {}", printable(error.message()), hint));
        if (!m_lines.interactive()) m_invocation.set_status(error.exit_status());
      }
    }
  }

 private:
  /// One message, of several lines between """ and """.
  std::optional<std::string> read_message() {
    constexpr std::string_view k_fence = "\"\"\"";
    auto first = m_lines.read(">>> ");
    if (!first || !first->starts_with(k_fence)) return first;
    auto text = first->substr(k_fence.size());
    while (!text.ends_with(k_fence)) {
      const auto more = m_lines.read("... ");
      if (!more) return text;
      text += "\n" + *more;
    }
    return text.substr(0, text.size() - k_fence.size());
  }

  void say(const std::string& text) const {
    if (!m_invocation.json()) std::printf("%s\n", text.c_str());
  }

  void obey(const std::string& line) {
    const auto space = std::min(line.find(' '), line.size());
    const auto name = line.substr(0, space);
    const auto rest = std::string(trim(std::string_view(line).substr(space)));
    if (name == "/help") {
      say(std::string(k_help));
    } else if (name == "/clear") {
      m_messages = first_messages(m_options);
      m_attachments.clear();
      say("forgotten");
    } else if (name == "/model") {
      if (!rest.empty()) m_session.use(rest);
      m_stop = false;
      say(m_session.model());
    } else if (name == "/system") {
      set_system(rest);
    } else if (name == "/set") {
      set(rest);
    } else if (name == "/file") {
      m_attachments.push_back(read_attachment(rest));
      say(fmt::format("{} goes with the next message", rest));
    } else if (name == "/save") {
      save(rest);
    } else if (name == "/record") {
      say(m_record.empty() ? "nothing was asked yet" : m_record);
    } else {
      constexpr std::array<std::string_view, 9> k_names = {"/help", "/clear", "/model",  "/system", "/set",
                                                           "/file", "/save",  "/record", "/bye"};
      const auto meant = nearest(name, k_names);
      throw Error(ErrorCode::usage, fmt::format("there is no '{}'", name),
                  meant ? fmt::format("did you mean {}?", *meant) : "/help lists what there is");
    }
  }

  void set_system(const std::string& text) {
    if (text.empty()) return say(m_options.system.empty() ? "no instruction is set" : m_options.system);
    m_options.system = text;
    const auto before = std::exchange(m_messages, first_messages(m_options));
    for (const auto& message : before) {
      if (message.at("role") != "system") m_messages.push_back(message);
    }
  }

  void set(const std::string& rest) {
    const auto space = std::min(rest.find(' '), rest.size());
    const auto name = rest.substr(0, space);
    const auto value = std::string(trim(std::string_view(rest).substr(space)));
    const bool unset = value == "default";
    const auto wrong = [&] { fail(ErrorCode::usage, "'{}' is no value for {}", value, name); };
    if (name == "temperature") {
      char* end = nullptr;
      const double number = std::strtod(value.c_str(), &end);
      if (!unset && (value.empty() || *end != '\0' || !(number >= 0 && number <= 2))) wrong();
      m_options.temperature = unset ? std::nullopt : std::optional(number);
    } else if (name == "max-tokens") {
      const auto number = parse_uint(value);
      if (!unset && (!number || *number == 0 || *number > 1'000'000)) wrong();
      m_options.max_tokens = unset ? std::nullopt : std::optional(static_cast<unsigned>(*number));
    } else if (!name.empty()) {
      fail(ErrorCode::usage, "there is no setting '{}': temperature, max-tokens", name);
    }
    say(fmt::format("temperature {}, max-tokens {}",
                    m_options.temperature ? fmt::format("{}", *m_options.temperature) : "default",
                    m_options.max_tokens ? fmt::format("{}", *m_options.max_tokens) : "default"));
  }

  void save(const std::string& path) const {
    if (path.empty()) fail(ErrorCode::usage, "name a file: /save FILE");
    const auto text = written_talk(path, m_session.model(), m_messages);
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.valid() && errno == EEXIST) fail(ErrorCode::usage, "{} is there already", path);
    if (!file.valid()) fail_errno(path);
    write_all(file.get(), text, path);
    say(fmt::format("wrote {}: it is not encrypted, as the record is", path));
  }

  void answer(const std::string& text) {
    auto messages = m_messages;
    messages.push_back({{"role", "user"}, {"content", whole_question(text, m_attachments)}});
    m_stop = false;
    const auto ignore = [](std::string_view) {};
    const auto request = chat_request(m_options, messages);
    const auto said = m_invocation.json() ? m_session.ask(request, ignore) : m_session.ask(request, print_words);
    m_stop = false;
    if (m_invocation.json()) {
      std::printf("%s\n", dump_json_line({{"answer", said.text},
                                          {"record", said.record},
                                          {"prompt_tokens", said.prompt_tokens},
                                          {"completion_tokens", said.completion_tokens},
                                          {"stopped", said.stopped}})
                              .c_str());
      std::fflush(stdout);
    } else {
      say(said.stopped ? " [stopped]" : "");
    }
    m_record = said.record;
    m_attachments.clear();
    m_messages = std::move(messages);
    m_messages.push_back({{"role", "assistant"}, {"content", said.text}});
  }

  Invocation& m_invocation;
  Options m_options;
  ModelSession m_session;
  std::atomic<bool>& m_stop;
  LineReader m_lines;
  Json m_messages;
  std::vector<std::string> m_attachments;
  std::string m_record;
};

}  // namespace

void add_run(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("run", "Talk with a model, here in the terminal");
  auto options = std::make_shared<Options>();
  add_answer_options(*command, *options);
  command->add_option("--history", options->history,
                      "A file (mode 0600, not encrypted) that keeps what was typed for the arrow keys of later talks");
  command->footer(
      "The model is checked and runs as under `serve`; questions and answers go on record. /help says what there is.\n"
      "With --json each answer is one line of JSON.\n"
      "Example: liftlock run demo");
  command->callback([&invocation, options] {
    require_file_name(options->history, "--history");
    Talk(invocation, *options).run();
  });
}

}  // namespace liftlock
