#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/withheld.hpp"
#include "cli/commands.hpp"
#include "cli/reason_option.hpp"
#include "cli/signing.hpp"
#include "os/leftovers.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string bundle;
  std::vector<std::string> files;
  std::string reason;
  SigningKey key;
};

/// "files/a.txt", or the same behind the bundle's folder, as a shell completes it.
RelPath path_in(const fs::path& bundle, const std::string& file) {
  const auto relative = fs::path(file).lexically_normal().lexically_relative(bundle.lexically_normal());
  const bool below = !relative.empty() && *relative.begin() != ".." && *relative.begin() != ".";
  return RelPath::parse(below ? relative.string() : file);
}

Withheld::File withheld_file(const BundleReader& bundle, const RelPath& path, const std::string& reason) {
  for (const auto& file : bundle.files()) {
    if (file.path == path) return {path, file.digest, reason};
  }
  throw Error(ErrorCode::not_found, fmt::format("the bundle carries no '{}'", path.text()),
              "name files as `liftlock inspect --files` lists them; what a delta leaves out does not travel, and is "
              "withheld where it is");
}

void run(Invocation& invocation, const Options& options) {
  const fs::path folder(options.bundle);
  if (options.reason.empty()) fail(ErrorCode::reason_required, "a file is withheld for a reason");
  require_bundle_to_write(
      folder, "mount it writable, or copy the bundle to a medium that can be written: the statement goes with it");
  BundleReader bundle(folder);
  bundle.load_lists();
  std::map<RelPath, Withheld::File> files;
  const auto root = root_to_ask(invocation.site(), folder);
  // What an earlier look found stays withheld; it is signed anew, with the rest. Only what a scanner signed.
  if (const auto before = read_withheld(folder)) {
    check_withheld(before->withheld, bundle);
    if (root) require_scanner(*before, *root, now());
    for (const auto& file : before->withheld.files) files.emplace(file.path, file);
  }
  for (const auto& file : options.files) {
    const auto path = path_in(folder, file);
    files.insert_or_assign(path, withheld_file(bundle, path, options.reason));
  }
  Withheld withheld{.bundle = bundle.digest(), .creator = invocation.actor(), .created = now(), .files = {}};
  for (auto& [path, file] : files) withheld.files.push_back(std::move(file));
  check_withheld(withheld, bundle);

  const auto text = write_withheld(withheld);
  parse_withheld(text);  // nobody signs what no receiver reads
  const auto place = folder / k_withheld_folder;
  const auto result = sign_beside(invocation, place, text, Role::scanner, options.key, root, "bundle.withhold");
  // Cut off before its end this leaves what no receiver accepts: better than a statement that does not say all.
  for (const auto& old : fs::directory_iterator(place / "signatures")) {
    if (old.path() != place / result["file"].get<std::string>()) remove_tree(old.path());
  }
  remove_leftovers(folder / k_withheld_path);
  write_file_atomically(folder / k_withheld_path, text);
  warn_unless_carried(invocation, folder, result.at("key_id").get<std::string>());
  const auto landing = judge_landing(bundle.artifacts(), paths_of(withheld));
  invocation.print({{"bundle", bundle.digest().text()},
                    {"files", withheld.files.size()},
                    {"artifacts", landing.left},
                    {"signature", result}},
                   [&] {
                     auto out = fmt::format("withheld: {} of {}/{}; these do not land:\n",
                                            counted(withheld.files.size(), "file"), bundle.info().channel,
                                            bundle.info().sequence);
                     for (const auto& left : landing.left) out += fmt::format("  {}\n", left);
                     return out;
                   });
}

}  // namespace

void add_withhold(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("withhold", "Keep files of a bundle from landing, by a scanner's key; the rest lands");
  auto options = std::make_shared<Options>();
  command->add_option("BUNDLE", options->bundle, "The bundle's folder")->required();
  command->add_option("FILE", options->files, "As the bundle lists it, like packages/pypi/idna-3.4-py3-none-any.whl")
      ->required();
  add_reason(*command, options->reason, "Why; people on the other side read it")->required();
  add_signing_options(*command, options->key, true);
  command->footer(
      "Writes withheld/ beside the bundle. The files may then be taken from the medium, or stay: nobody reads them.\n"
      "What needs them does not land either. Without withheld/ the same bundle brings them later.\n"
      "Example: liftlock withhold /mnt/transfer/demo-7 packages/pypi/idna-3.4-py3-none-any.whl --reason 'infected' "
      "--key scanner.pem");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
