#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <span>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/import_record.hpp"
#include "bundle/licenses.hpp"
#include "cli/commands.hpp"
#include "cli/long_list.hpp"
#include "cli/show.hpp"
#include "store/content.hpp"

namespace liftlock {
namespace {

std::string_view meaning(std::string_view type) {
  if (type == "apt-release") return "the signed release file of its archive leads to it";
  if (type == "rpm-repomd") return "the signed index of its repository leads to it";
  if (type == "rpm-signature") return "it carries a signature of its publisher, which was checked";
  if (type == "index-hash") return "the package index stated its digest";
  if (type == "lock-hash") return "the lock file of the project's own package manager states a digest of it";
  if (type == "registry-digest") return "it was addressed by its digest";
  if (type == "lfs-oid") return "its repository's LFS pointer states the digest";
  if (type == "stated") return "the stack file, or a document beside it, states its digest";
  if (type == "first-use") return "nothing but the first download says so";
  if (type == "import") return "`liftlock import` took it in, believed by";
  if (type == "derived") return "it was made by Liftlock from evidenced inputs";
  return "";
}

std::string flat(const Json& value) {
  return printable(value.is_string() ? value.get<std::string>() : dump_json_line(value));
}

std::string describe(const OpenStore& store, const Artifact& artifact, const Json& facts,
                     const std::vector<std::string>& holders, const LongList& list) {
  constexpr std::size_t k_most_files = 20;
  const auto license = stated_license(artifact, facts);
  auto out = fmt::format(
      "{}\n  kind      {}\n  name      {}\n  version   {}\n  content   {}\n  licence   {}\n  size      {}\n",
      printable(artifact.id()), printable(artifact.kind), printable(artifact.name), printable(artifact.version),
      content_digest(artifact).text(), license.empty() ? "not stated" : printable(license),
      format_size(artifact.total_size()));
  if (const auto label = import_label(artifact); !label.empty()) out = label + "\n" + out;
  for (const auto& holder : holders) out += fmt::format("  held by   {}\n", printable(holder));
  for (const auto& need : artifact.needs) out += fmt::format("  needs     {}\n", printable(need));
  for (const auto& [key, value] : artifact.facts.items())
    if (!value.is_structured() || !value.empty()) out += fmt::format("  {:<9} {}\n", printable(key), flat(value));
  if (const auto learnt = facts_text(facts, 18); !learnt.empty()) out += "\n  found by inspection:\n" + learnt;
  for (const auto& file : std::span(artifact.files).first(list.shown(artifact.files.size(), k_most_files))) {
    out += fmt::format(
        "\n  {}\n    size      {} ({} bytes)\n    sha256    {}\n    origin    {}\n    stored    {}\n", file.path.text(),
        format_size(file.size), file.size, file.digest.hex(),
        file.origin.empty() ? "not stated" : printable(file.origin),
        store.blobs.contains(file.digest) ? store.blobs.path(file.digest).string() : "no: run `liftlock scrub`");
    if (file.evidence.empty()) out += "    evidence  none of its own: the bundle's signature speaks for it\n";
    for (const auto& evidence : file.evidence) {
      const auto words = meaning(evidence.type);
      out += fmt::format("    evidence  {}{}{}\n", printable(evidence.type), words.empty() ? "" : ": ", words);
      for (const auto& [key, value] : evidence.details.items())
        out += fmt::format("      {:<12} {}\n", printable(key), flat(value));
    }
  }
  const auto rest = list.rest(artifact.files.size(), k_most_files, "file");
  return rest.empty() ? out : out + "\n  " + rest;
}

}  // namespace

void show_artifact(Invocation& invocation, const ShowOptions& options, std::string_view kind, const ShowMore& more) {
  const OpenStore store(invocation.site(), "show", Access::read);
  const auto artifact = require_artifact(store.catalog, options.name);
  if (!kind.empty() && artifact.kind != kind)
    fail(ErrorCode::not_found, "'{}' is no {}", printable(artifact.id()), kind);
  warn_of_other_contents(store.catalog, artifact, options.name, invocation.reporter());
  const auto holders = store.catalog.holders(artifact);
  const auto facts = store.catalog.inspection(artifact);
  auto json = to_json(artifact);
  json["id"] = artifact.id();
  json["content"] = content_digest(artifact).text();
  json["license"] = stated_license(artifact, facts);
  json["size"] = artifact.total_size();
  json["held_by"] = holders;
  if (const auto belief = imported_by(artifact)) json["import"] = {{"believed_by", name(*belief)}};
  json["inspection"] = facts;
  const auto behind = more ? more(store, artifact, json) : std::string();
  for (std::size_t i = 0; i < artifact.files.size(); ++i) {
    json["files"][i]["stored"] = store.blobs.contains(artifact.files[i].digest);
  }
  invocation.print(json, [&] { return describe(store, artifact, facts, holders, LongList(options.all)) + behind; });
}

void add_store_show(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("show", "Show everything known about one artifact: files, origin, evidence");
  auto options = std::make_shared<ShowOptions>();
  add_artifact_argument(*command, "ID", options->name)->required();
  add_all_flag(*command, options->all);
  command->footer(
      "Examples:\n  liftlock show wheel:idna@3.4\n  liftlock show tinyllama --json\n"
      "  liftlock show file:notes@1.0@sha256:0123456789ab");
  command->callback([&invocation, options] { show_artifact(invocation, *options); });
}

}  // namespace liftlock
