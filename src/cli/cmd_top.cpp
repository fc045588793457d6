#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/status_view.hpp"

namespace liftlock {
namespace {

struct Options {
  unsigned interval = 2;
  bool once = false;
};

/// To the upper left corner, and away with what stood there.
constexpr const char* k_clear = "\x1b[H\x1b[2J\x1b[3J";

std::string heading(const Json& status) {
  return fmt::format("liftlock {} at {}, since {}", string_member(status, "version", "the server's status"),
                     string_member(status, "url", "the server's status"),
                     string_member(status, "started", "the server's status"));
}

void show(Invocation& invocation, const Json& status, const std::vector<Pace>& seen) {
  const auto at = format_time(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
  if (invocation.json()) {
    auto models = Json::array();
    for (const auto& pace : seen) models.push_back(pace_json(pace));
    std::printf("%s\n", dump_json_line({{"time", at}, {"models", std::move(models)}}).c_str());
  } else {
    if (::isatty(STDOUT_FILENO) != 0) std::fputs(k_clear, stdout);
    std::printf("%s\n%s, %s\n", pace_table(seen).c_str(), at.c_str(), heading(status).c_str());
  }
  if (std::fflush(stdout) != 0) fail(ErrorCode::io_error, "nobody reads the output any more");
}

void run(Invocation& invocation, const Options& options) {
  const std::chrono::seconds interval(options.interval);
  auto before = server_status(invocation, "top");
  auto looked = std::chrono::steady_clock::now();
  do {
    std::this_thread::sleep_for(interval);
    auto after = server_status(invocation, "top");
    const auto now = std::chrono::steady_clock::now();
    show(invocation, after, paces(before, after, now - looked));
    before = std::move(after);
    looked = now;
  } while (!options.once);
}

}  // namespace

void add_top(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("top", "Watch how fast the running server answers, model by model");
  auto options = std::make_shared<Options>();
  command->add_option("--interval", options->interval, "Seconds between two looks, which the numbers are for")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  command->add_flag("--once", options->once, "One look after one interval, then end");
  command->footer(
      "Ctrl-C ends it. On a terminal each look replaces the one before; elsewhere they follow each other, with --json "
      "as\n"
      "one line each. Tokens are counted when their answer ends, and the first token is the mean of those answers.\n"
      "Example: liftlock top --interval 5");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
