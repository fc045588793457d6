#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/text.hpp"
#include "bundle/bundle_reader.hpp"
#include "cli/bundle_view.hpp"
#include "cli/commands.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string bundle;
  bool files = false;
};

struct Medium {
  std::string_view name;
  std::uint64_t capacity;
};

/// Nominal capacities; a file system takes a little of each.
constexpr std::array k_media = {Medium{"DVD-R", 4'700'000'000},        Medium{"BD-R", 25'000'000'000},
                                Medium{"BD-R DL", 50'000'000'000},     Medium{"USB 32 GB", 32'000'000'000},
                                Medium{"USB 128 GB", 128'000'000'000}, Medium{"USB 1 TB", 1'000'000'000'000}};

std::uint64_t pieces(std::uint64_t bytes, const Medium& medium) {
  const auto usable = medium.capacity / 100 * 97;
  return std::max<std::uint64_t>(1, (bytes + usable - 1) / usable);
}

Json to_json(const BundleReader& bundle, const Options& options) {
  auto artifacts = Json::array();
  for (const auto& artifact : bundle.artifacts()) {
    artifacts.push_back({{"id", artifact.id()},
                         {"kind", artifact.kind},
                         {"name", artifact.name},
                         {"version", artifact.version},
                         {"license", artifact.license},
                         {"files", artifact.files.size()},
                         {"size", artifact.total_size()}});
  }
  auto media = Json::array();
  for (const auto& medium : k_media) {
    media.push_back({{"medium", medium.name}, {"count", pieces(bundle.info().content_bytes, medium)}});
  }
  Json out = {{"digest", bundle.digest().text()},
              {"bundle", parse_json(bundle.bundle_json())},
              {"artifacts", std::move(artifacts)},
              {"media", std::move(media)}};
  if (options.files) {
    out["files"] = Json::array();
    for (const auto& file : bundle.files()) {
      out["files"].push_back({{"path", file.path.text()}, {"size", file.size}, {"sha256", file.digest.hex()}});
    }
  }
  return out;
}

std::string to_text(const BundleReader& bundle, const Options& options) {
  std::vector<std::vector<std::string>> rows{{"KIND", "NAME", "VERSION", "FILES", "SIZE", "LICENCE"}};
  for (const auto& artifact : bundle.artifacts()) {
    rows.push_back({printable(artifact.kind), printable(artifact.name), printable(artifact.version),
                    std::to_string(artifact.files.size()), format_size(artifact.total_size()),
                    printable(artifact.license)});
  }
  std::string out = bundle_heading(bundle.info(), bundle.digest()) + "\n" + format_table(rows);
  if (options.files) {
    for (const auto& file : bundle.files())
      out += fmt::format("{}  {:>12}  {}\n", file.digest.hex(), file.size, file.path.text());
  }
  out += fmt::format("\n{}, {}, {} ({})\nfits on:", counted(bundle.artifacts().size(), "artifact"),
                     counted(bundle.files().size(), "file"), format_size(bundle.info().content_bytes),
                     bundle.info().form == ContentForm::tree ? "plain folders" : "content.tar");
  for (const auto& medium : k_media)
    out += fmt::format(" {} {};", pieces(bundle.info().content_bytes, medium), medium.name);
  out.back() = '\n';
  out += left_out_text(bundle.info());
  return out + "nothing of this was verified; `liftlock verify` does that\n";
}

void run(Invocation& invocation, const Options& options) {
  BundleReader bundle(options.bundle);
  bundle.load_lists();
  invocation.print(to_json(bundle, options), [&] { return to_text(bundle, options); });
}

}  // namespace

void add_inspect(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("inspect", "Show what a bundle holds, with sizes and the media it fits on");
  auto options = std::make_shared<Options>();
  command->add_option("BUNDLE", options->bundle, "Folder of the bundle")->required();
  command->add_flag("--files", options->files, "List every file with its digest too");
  command->footer("Example: liftlock inspect /mnt/transfer/demo-7 --json");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
