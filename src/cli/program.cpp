#include "cli/program.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/console_reporter.hpp"
#include "cli/mistakes.hpp"

namespace liftlock {
namespace {

using std::literals::operator""sv;

class ConsoleInvocation final : public Invocation {
 public:
  GlobalOptions options;

  Reporter& reporter() const override {
    if (!m_reporter) {
      m_reporter = std::make_unique<ConsoleReporter>(options.quiet ? ConsoleReporter::Style::quiet
                                                                   : ConsoleReporter::style_for_stderr());
    }
    return *m_reporter;
  }
  bool json() const override { return options.json; }
  Site site() const override { return Site(options.state.empty() ? Site::default_folder() : fs::path(options.state)); }
  void print(const Json& json, const std::function<std::string()>& text) override {
    const auto out = options.json ? dump_json(json) : printable_lines(text());
    std::cout << out;
    if (!out.empty() && out.back() != '\n') std::cout << '\n';
    std::cout.flush();
    if (!std::cout) fail(ErrorCode::io_error, "standard output cannot be written");
  }
  void set_status(int status) override { m_status = status; }
  int status() const { return m_status; }
  bool confirm(std::string_view question) override {
    if (::isatty(STDIN_FILENO) != 1) return false;
    std::cerr << printable_lines(question) << " [y/N] " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
  }
  std::string actor() const override { return current_actor(); }

 private:
  mutable std::unique_ptr<ConsoleReporter> m_reporter;  ///< made when first asked for: --quiet decides how it tells
  int m_status = 0;
};

std::string error_json(const Error& error) {
  return dump_json({{"error",
                     {{"code", info(error.code()).slug},
                      {"message", printable(error.message())},
                      {"context", error.context()},
                      {"hint", error.hint()},
                      {"exit_status", error.exit_status()}}}});
}

/// Whoever threw may have taken words from a bundle, a server or the command line. Only those of another program have
/// lines; indented, none of them passes for one of ours.
std::string shown_message(const Error& error) {
  if (info(error.code()).error_class != ErrorClass::upstream) return printable(error.message());
  std::string out;
  for (const auto line : split(error.message(), '\n')) out += (out.empty() ? "" : "\n    ") + printable(line);
  return out;
}

/// A mistake of use whose hint would be a general one gets the name of the command that was given.
Error with_command(const Error& error, CLI::App& app) {
  if (error.code() != ErrorCode::usage || error.hint() != info(ErrorCode::usage).remedy) return error;
  std::string spoken = "liftlock";
  for (auto at = app.get_subcommands(); !at.empty(); at = at.front()->get_subcommands())
    spoken += " " + at.front()->get_name();
  Error out(error.code(), error.message(), fmt::format("see `{} --help`", spoken));
  for (const auto& line : error.context()) out.add_context(line);
  return out;
}

void render(const Error& error, bool json) {
  const auto& what = info(error.code());
  if (json) std::cout << error_json(error) << std::flush;
  std::string context;
  for (const auto& line : error.context()) context += "\n  " + printable(line);
  fmt::print(stderr, "liftlock: error[{}]: {}{}\n  hint: {}\n", what.slug, shown_message(error), context,
             printable(error.hint()));
}

/// On a terminal: one for each character, whatever its bytes.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (byte & '\xC0') != '\x80'; }));
}

/// How wide help may be: the terminal, else a width that people read.
std::size_t help_width() {
  constexpr std::size_t k_least = 60, k_elsewhere = 100;
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 1 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return k_elsewhere;
  return std::max<std::size_t>(size.ws_col, k_least);
}

/// CLI11 writes each description as one line, from its 30th column on. Examples stay whole.
std::string wrap_descriptions(std::string_view help, std::size_t width) {
  constexpr std::size_t k_column = 30;
  std::string out;
  for (const auto line : split(help, '\n')) {
    const bool described = line.size() > k_column && line.starts_with("  ") && line[k_column - 1] == ' ' &&
                           line[k_column] != ' ' && !trim(line).starts_with("liftlock ");
    if (!described || columns(line) <= width) {
      out += std::string(line) + "\n";
      continue;
    }
    std::string row(line.substr(0, k_column));
    bool is_empty = true;
    for (const auto word : split(line.substr(k_column), ' ')) {
      if (!is_empty && columns(row) + 1 + columns(word) > width) {
        out += row + "\n";
        row.assign(k_column, ' ');
        is_empty = true;
      }
      row += (is_empty ? "" : " ") + std::string(word);
      is_empty = false;
    }
    out += row + "\n";
  }
  if (!help.ends_with('\n') && !out.empty()) out.pop_back();
  return out;
}

/// A command line that ran no command: a wish for help or for the version, or a mistake.
int answer_unparsed(CLI::App& app, std::span<char* const> words, const CLI::ParseError& error) {
  const bool json = std::any_of(words.begin(), words.end(), [](const char* word) { return word == "--json"sv; });
  if (error.get_exit_code() == 0 && !names_unknown_command(app, words)) {
    if (dynamic_cast<const CLI::CallForVersion*>(&error) == nullptr) {
      std::ostringstream help;
      app.exit(error, help, help);
      const auto text = wrap_descriptions(help.str(), help_width());
      std::cout << (json ? dump_json({{"help", text}}) : text);
      return 0;
    }
    const auto text = fmt::format("liftlock {} ({} side)\n", LIFTLOCK_VERSION, side_name());
    std::cout << (json ? dump_json({{"version", LIFTLOCK_VERSION}, {"side", side_name()}}) : text);
    return 0;
  }
  const auto other_side = side_name() == "low" ? "high"sv : "low"sv;
  const auto mistake = explain_mistake(app, words, error, commands_of_other_side(), other_side);
  render(mistake, json);
  return mistake.exit_status();
}

constexpr const char* k_footer =
    "Exit status: 0 done, 1 internal or I/O, 2 usage, 3 policy, 4 integrity, 5 space, 6 upstream, 7 not found,\n"
    "130 ended by Ctrl-C. "
    "Every error has a code; `liftlock explain CODE` tells more.";

}  // namespace

std::string format_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - columns(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);  // the last cells may be empty
    out += line + "\n";
  }
  return out;
}

/// Artifacts of thousands of files are inspected through as many descriptors.
void raise_open_file_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

/// `--state "$UNSET"` must not mean another installation than the one that was meant. Behind `--` stands a command of
/// somebody else's.
void require_no_empty_argument(std::span<char*> arguments) {
  for (const std::string_view argument : arguments) {
    if (argument == "--") return;
    if (!argument.empty()) continue;
    throw Error(ErrorCode::usage, "an argument is empty",
                "a variable of the shell that is not set gives one: look for it");
  }
}

/// What --help puts under one heading, in this order of headings; each side has some of them.
constexpr std::pair<std::string_view, std::string_view> k_headings[] = {
    {"A crossing",
     " lock fetch check pack diff sign withhold transfer media verify inspect ingest import status acknowledge abandon "
     "receipt request "},
    {"What is here", " ls show export gc scrub retire report inventory store ring "},
    {"For others", " serve push render key record "},
    {"Models and engines", " model engine chain gate run ask embed translate transcribe ps top ollama "},
    {"This installation", " init trust settle audit "},
    {"Looking for trouble", " doctor health offline egress lint vendor checklist "},
    {"Help", " explain completion manual "},
};

void add_everything(CLI::App& app, GlobalOptions& options, Invocation& invocation) {
  app.set_version_flag("--version", "");
  app.add_option("--state", options.state,
                 "Folder of the installation (default: LIFTLOCK_STATE, else /var/lib/liftlock for root)")
      ->type_name("DIR");
  app.add_flag("--json", options.json, "Write the result as JSON to standard output");
  app.add_flag("--quiet,-q", options.quiet, "No progress and no remarks");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(k_footer);
  for (const auto add : commands_of_side()) add(app, invocation);
  for (const auto add : commands_of_both()) add(app, invocation);
  for (auto* command : app.get_subcommands({})) {
    for (const auto& [heading, names] : k_headings) {
      if (names.find(" " + command->get_name() + " ") != std::string_view::npos) command->group(std::string(heading));
    }
  }
}

int run_program(int argc, char** argv) {
  // Who started us may ignore it; then the kernel tells nobody that a child ended, and how.
  ::signal(SIGCHLD, SIG_DFL);
  raise_open_file_limit();
  ConsoleInvocation invocation;
  CLI::App app(fmt::format("Liftlock carries AI stacks across an air gap and runs them there ({} side).", side_name()),
               "liftlock");
  add_everything(app, invocation.options, invocation);
  try {
    require_no_empty_argument(std::span(argv, argv + argc).subspan(1));
    app.parse(argc, argv);
    return invocation.status();
  } catch (const CLI::ParseError& error) {
    return answer_unparsed(app, std::span(argv, argv + argc).subspan(1), error);
  } catch (const Error& error) {
    render(with_command(error, app), invocation.options.json);
    return error.exit_status();
  } catch (const std::filesystem::filesystem_error& error) {
    // A place that cannot be reached is no fault of the program.
    const Error told(ErrorCode::io_error, printable(error.what()));
    render(told, invocation.options.json);
    return told.exit_status();
  } catch (const std::exception& error) {
    render(Error(ErrorCode::internal, error.what()), invocation.options.json);
    return static_cast<int>(ErrorClass::internal);
  }
}

}  // namespace liftlock
