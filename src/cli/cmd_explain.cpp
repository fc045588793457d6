#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string code;
  bool markdown = false;
};

std::string_view class_name(ErrorClass error_class) {
  static constexpr std::array<std::string_view, 8> k_names = {"",          "internal", "usage",    "policy",
                                                              "integrity", "space",    "upstream", "absent"};
  return k_names.at(static_cast<std::size_t>(error_class));
}

std::string markdown() {
  std::string out =
      "# Errors\n\nEvery error has a stable code, a class and a remedy. The exit status is the class's number; the "
      "HTTP\n"
      "status is what the mirror answers. Made by `liftlock explain --markdown`; a test keeps it current.\n\n"
      "| exit status | class |\n|---|---|\n";
  for (unsigned i = 1; i <= 7; ++i) out += fmt::format("| {} | {} |\n", i, class_name(static_cast<ErrorClass>(i)));
  for (const auto& error : all_errors()) {
    out += fmt::format(
        "\n## {}\n\n{}. Exit status {} ({}), HTTP {}.\n\n*What to do:* {}.\n", error.slug,
        std::string(1, static_cast<char>(std::toupper(error.title[0]))) + std::string(error.title.substr(1)),
        static_cast<int>(error.error_class), class_name(error.error_class), error.http_status, error.remedy);
  }
  return out;
}

Json to_json(const ErrorInfo& error) {
  return {{"code", error.slug},
          {"class", class_name(error.error_class)},
          {"exit_status", static_cast<int>(error.error_class)},
          {"http_status", error.http_status},
          {"title", error.title},
          {"remedy", error.remedy}};
}

void run(Invocation& invocation, const Options& options) {
  if (options.markdown) {
    invocation.print(Json(markdown()), markdown);
    return;
  }
  if (options.code.empty()) {
    auto all = Json::array();
    std::vector<std::vector<std::string>> rows{{"CODE", "CLASS", "WHAT HAPPENED"}};
    for (const auto& error : all_errors()) {
      all.push_back(to_json(error));
      rows.push_back({std::string(error.slug), std::string(class_name(error.error_class)), std::string(error.title)});
    }
    invocation.print(all, [&] { return format_table(rows); });
    return;
  }
  const auto code = parse_error_code(options.code);
  if (!code) {
    std::vector<std::string_view> known;
    for (const auto& error : all_errors()) known.push_back(error.slug);
    const auto near = nearest(options.code, known);
    throw Error(
        ErrorCode::not_found, fmt::format("there is no error code '{}'", printable(options.code)),
        fmt::format("{}`liftlock explain` lists all codes", near ? fmt::format("did you mean '{}'? ", *near) : ""));
  }
  const auto& error = info(*code);
  invocation.print(to_json(error), [&] {
    return fmt::format("{}: {}\nclass: {} (exit status {}), HTTP {}\nwhat to do: {}\n", error.slug, error.title,
                       class_name(error.error_class), static_cast<int>(error.error_class), error.http_status,
                       error.remedy);
  });
}

}  // namespace

void add_explain(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("explain", "Explain an error code, or list them all");
  auto options = std::make_shared<Options>();
  command->add_option("CODE", options->code, "The code in the brackets of an error message");
  command->add_flag("--markdown", options->markdown, "The page of the manual, whole");
  command->footer("Example: liftlock explain extra-file");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
