// What every command is given, and how it joins the program. One command = one cmd_<noun>_<verb>.cpp that exports one
// add function, and one line in the table of its side (commands_both.cpp, commands_low.cpp, commands_high.cpp).
//
//   void add_store_ls(CLI::App& app, Invocation& invocation) {
//     auto* command = app.add_subcommand("ls", "List what the store holds");
//     auto options = std::make_shared<Options>();
//     command->add_option("NAME", options->name, "…");
//     command->callback([&invocation, options] { run(invocation, *options); });
//   }
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/reporter.hpp"
#include "site/site.hpp"

namespace CLI {
class App;
}

namespace liftlock {

/// The state of one run of the program. Results go to stdout, as text or (with --json) one JSON document; progress and
/// remarks go to stderr through reporter(). Commands throw Error; only main exits.
class Invocation {
 public:
  virtual ~Invocation() = default;
  virtual Reporter& reporter() const = 0;
  virtual bool json() const = 0;
  /// Opens the installation that --state or LIFTLOCK_STATE names.
  virtual Site site() const = 0;
  /// Writes to stdout: JSON when --json was given, else the text.
  virtual void print(const Json& json, const std::function<std::string()>& text) = 0;
  /// The exit status of a run that ends without an error but with bad news (verify found problems).
  virtual void set_status(int status) = 0;
  /// Asks a yes/no question on the terminal; false when there is none.
  virtual bool confirm(std::string_view question) = 0;
  /// The name of the user as the audit log has it.
  virtual std::string actor() const = 0;
};

using AddCommand = void (*)(CLI::App& app, Invocation& invocation);

/// Aligned columns for people; the first row is the header.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace liftlock
