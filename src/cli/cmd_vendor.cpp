#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/doctor_view.hpp"
#include "ecosystem/cargo/vendor_tree.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string folder;
  std::string lock;
};

std::string_view remedy_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::missing_file:
      return "make the folder anew in its workspace: `cargo vendor --locked`";
    case ErrorCode::extra_file:
      return "find out who added it; `cargo vendor --locked` makes the folder without it";
    default:
      return "do not build it: find out who changed it, then make the folder anew with `cargo vendor --locked`";
  }
}

void run(Invocation& invocation, const Options& options) {
  const fs::path folder = options.folder;
  auto tree = fs::absolute(folder).lexically_normal();
  if (!tree.has_filename()) tree = tree.parent_path();  // "vendor/"
  if (!fs::is_directory(folder)) {
    throw Error(ErrorCode::not_found, fmt::format("there is no folder '{}'", printable(folder.string())),
                "name the folder that `cargo vendor` made, as a rule vendor beside Cargo.toml");
  }
  const auto lock_path = options.lock.empty() ? tree.parent_path() / "Cargo.lock" : fs::path(options.lock);
  const auto lock = cargo::parse_lock_file(read_file(lock_path, cargo::k_max_lock_file));
  const auto report = cargo::check_vendor_folder(folder, lock);
  std::vector<Diagnosis> diagnoses;
  for (const auto& problem : report.problems) {
    diagnoses.push_back({problem.code, problem.crate, problem.message, std::string(remedy_of(problem.code))});
  }
  const Json json = {{"good", diagnoses.empty()},
                     {"folder", printable(folder.string())},
                     {"lock", printable(lock_path.string())},
                     {"crates", report.crates},
                     {"files", report.files},
                     {"from_git", report.unproven},
                     {"problems", to_json(diagnoses)}};
  invocation.print(json, [&] {
    auto out = fmt::format("{}: {} as {} says, {}\n", printable(folder.string()), counted(report.crates, "crate"),
                           printable(lock_path.string()), counted(report.files, "file"));
    for (const auto& crate : report.unproven) {
      out += fmt::format("note: {} comes from git: Cargo.lock states no checksum of it\n", crate);
    }
    out += diagnoses_text(diagnoses);
    if (diagnoses.empty()) out += "good: the tree names what the lock names, and its files are those that it lists\n";
    return out;
  });
  invocation.set_status(status_of(diagnoses));
}

}  // namespace

void add_vendor(CLI::App& app, Invocation& invocation) {
  auto* vendor = app.add_subcommand("vendor", "Vendored dependencies: are they what the lock file names?");
  vendor->require_subcommand(1);
  auto* check = vendor->add_subcommand("check", "Compare a vendored folder with its lock file");
  check->require_subcommand(1);
  auto* command = check->add_subcommand("cargo", "A folder that `cargo vendor` made, against Cargo.lock");
  auto options = std::make_shared<Options>();
  command->add_option("FOLDER", options->folder, "The folder of `cargo vendor`, as a rule vendor")->required();
  command->add_option("--lock", options->lock, "Cargo.lock; by default the one beside the folder")->type_name("FILE");
  command->footer(
      "Each crate's .cargo-checksum.json is compared with the lock, each file with .cargo-checksum.json; missing and "
      "extra\n"
      "crates and files are named. Needs no installation and no cargo.\n"
      "Example: liftlock vendor check cargo app/vendor");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
