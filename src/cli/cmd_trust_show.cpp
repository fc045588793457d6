#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/trust_change.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string path;
};

/// Also where it is not what the audit log tells of: whoever mends it has to see it.
TrustRoot pinned_root(Invocation& invocation) {
  const auto site = invocation.site();
  try {
    return trust_of(site).current();
  } catch (const Error& error) {
    std::optional<TrustRoot> root;
    try {
      root = TrustStore(site.trust_folder()).current();
    } catch (const Error&) {  // the first one says more
    }
    if (!root) throw;
    invocation.reporter().warn(error.what());
    return *root;
  }
}

void run(Invocation& invocation, const Options& options) {
  const auto root = options.path.empty() ? pinned_root(invocation) : decode_root(read_chain(options.path).back()).root;
  auto json = root_json(root);
  json["pinned"] = options.path.empty();
  invocation.print(json, [&] {
    return (options.path.empty() ? std::string() : "NOT PINNED BY THIS: only shown from " + options.path + "\n") +
           root_text(root);
  });
}

}  // namespace

void add_trust_show(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("show", "Show the pinned root: fingerprint, keys, roles, thresholds");
  auto options = std::make_shared<Options>();
  command->add_option("FILE_OR_BUNDLE", options->path, "Show this statement instead, without trusting it");
  command->footer("Example: liftlock trust show --json");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
