#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/inspection.hpp"
#include "cli/store_view.hpp"
#include "store/content.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string kind;
  std::string channel;
  bool publications = false;
  bool ids = false;
};

void check_kind(const std::string& kind) {
  const auto kinds = inspected_kinds();
  if (kind.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return;
  const auto near = nearest(kind, kinds);
  throw Error(
      ErrorCode::usage, fmt::format("there is no kind '{}'", printable(kind)),
      fmt::format("{}the kinds are {}", near ? fmt::format("did you mean '{}'? ", *near) : "", fmt::join(kinds, ", ")));
}

void check_channel(const Catalog& catalog, const std::string& channel) {
  if (channel.empty()) return;
  std::set<std::string> known;
  for (const auto& publication : catalog.publications()) known.insert(publication.channel);
  if (known.contains(channel)) return;
  throw Error(ErrorCode::not_found, fmt::format("no bundle of a channel '{}' landed here", printable(channel)),
              known.empty() ? "channels come with `liftlock ingest`; none has come yet"
                            : printable(fmt::format("the channels here are {}", fmt::join(known, ", "))));
}

void list_publications(Invocation& invocation, const Catalog& catalog, const Options& options) {
  Json json = Json::array();
  std::vector<std::vector<std::string>> rows{{"CHANNEL", "SEQUENCE", "", "PUBLISHED", "ARTIFACTS", "SIZE", "BUNDLE"}};
  for (const auto& publication : catalog.publications()) {
    if (!options.channel.empty() && publication.channel != options.channel) continue;
    json.push_back({{"channel", publication.channel},
                    {"sequence", publication.sequence},
                    {"latest", publication.latest},
                    {"published_at", format_time(publication.published_at)},
                    {"artifacts", publication.artifact_count},
                    {"size", publication.size},
                    {"bundle_digest", publication.bundle_digest.text()}});
    rows.push_back({printable(publication.channel), std::to_string(publication.sequence),
                    publication.latest ? "latest" : "", format_time(publication.published_at),
                    std::to_string(publication.artifact_count), format_size(publication.size),
                    publication.bundle_digest.hex().substr(0, 16)});
  }
  invocation.print({{"publications", json}},
                   [&] { return rows.size() == 1 ? "no publication is in use here" : format_table(rows); });
}

/// "channel/sequence" of a publication of the wanted channel, or everything when none is wanted.
bool is_wanted(const std::vector<std::string>& holders, const std::string& channel) {
  if (channel.empty()) return true;
  return std::any_of(holders.begin(), holders.end(), [&](const auto& h) {
    return h.starts_with(channel + "/") && parse_uint(std::string_view(h).substr(channel.size() + 1)).has_value();
  });
}

/// "yes", or what the store lacks: never fetched, or moved away by scrub.
std::string describe_stored(std::size_t missing, std::size_t files) {
  return missing == 0 ? "yes" : fmt::format("{} of {} missing", missing, files);
}

struct Listed {
  Artifact artifact;
  bool several = false;  ///< there are other contents under its id
};

/// Each id and content once; of one that came from several places what was published last.
std::vector<Listed> contents_of(const Catalog& catalog) {
  std::vector<Listed> out;
  auto all = catalog.artifacts();  // sorted by id
  for (std::size_t i = 0, end = 0; i < all.size(); i = end) {
    const auto id = all[i].id();
    for (end = i + 1; end < all.size() && all[end].id() == id;) ++end;
    if (end == i + 1) {
      out.push_back({std::move(all[i])});
      continue;
    }
    auto contents = catalog.contents(id);
    for (auto& content : contents) out.push_back({std::move(content), contents.size() > 1});
  }
  return out;
}

void list_artifacts(Invocation& invocation, const OpenStore& store, const Options& options) {
  Json json = Json::array();
  std::vector<std::vector<std::string>> rows{{"KIND", "NAME", "VERSION", "SIZE", "STORED", "HELD BY", "LICENCE"}};
  bool tells_apart = false;
  for (const auto& [artifact, several] : contents_of(store.catalog)) {
    if (!options.kind.empty() && artifact.kind != options.kind) continue;
    const auto holders = store.catalog.holders(artifact);
    if (!is_wanted(holders, options.channel)) continue;
    const auto license = license_of(store.catalog, artifact);
    const auto missing =
        static_cast<std::size_t>(std::count_if(artifact.files.begin(), artifact.files.end(),
                                               [&](const auto& file) { return !store.blobs.contains(file.digest); }));
    json.push_back({{"id", artifact.id()},
                    {"kind", artifact.kind},
                    {"name", artifact.name},
                    {"version", artifact.version},
                    {"content", content_digest(artifact).text()},
                    {"size", artifact.total_size()},
                    {"files", artifact.files.size()},
                    {"missing_files", missing},
                    {"held_by", holders},
                    {"license", license}});
    if (invocation.json()) json.back()["inspection"] = store.catalog.inspection(artifact);
    rows.push_back({printable(artifact.kind), printable(artifact.name), printable(artifact.version),
                    format_size(artifact.total_size()), describe_stored(missing, artifact.files.size()),
                    describe_holders(holders), license.empty() ? "-" : printable(license)});
    if (several) rows.back().push_back(short_content_digest(artifact));
    tells_apart = tells_apart || several;
  }
  if (tells_apart) rows[0].emplace_back("CONTENT");
  invocation.print({{"artifacts", json}}, [&] {
    if (rows.size() > 1) return format_table(rows);
    return std::string(options.kind.empty() && options.channel.empty() ? "the store is empty" : "nothing fits");
  });
}

/// A line for each, as commands take it; where an id has several contents, each by its own name.
void list_ids(Invocation& invocation, const OpenStore& store, const Options& options) {
  auto json = Json::array();
  std::string text;
  for (const auto& [artifact, several] : contents_of(store.catalog)) {
    if (!options.kind.empty() && artifact.kind != options.kind) continue;
    if (!is_wanted(store.catalog.holders(artifact), options.channel)) continue;
    const auto id = several ? content_name(artifact) : artifact.id();
    json.push_back(id);
    text += printable(id) + "\n";
  }
  invocation.print({{"ids", json}}, [&] { return text; });
}

void run(Invocation& invocation, const Options& options) {
  const OpenStore store(invocation.site(), "ls", Access::read);
  check_kind(options.kind);
  check_channel(store.catalog, options.channel);
  if (options.publications) return list_publications(invocation, store.catalog, options);
  if (options.ids) return list_ids(invocation, store, options);
  list_artifacts(invocation, store, options);
}

}  // namespace

void add_store_ls(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("ls", "List what the store holds");
  auto options = std::make_shared<Options>();
  command->add_option("--kind", options->kind, "Only this kind")
      ->type_name(fmt::format("{{{}}}", fmt::join(inspected_kinds(), ",")));
  command->add_option("--channel", options->channel, "Only what bundles of this channel brought");
  command->add_flag("--publications", options->publications, "The bundles that landed instead of the artifacts");
  command->add_flag("--ids", options->ids, "Only ids, a line each, as commands take them")->excludes("--publications");
  command->footer(
      "CONTENT is there where bundles brought several contents under one id: ID@CONTENT names one of them.\n"
      "STORED says whether the store holds every file; `liftlock scrub` tells more about what is missing.\n"
      "Examples:\n  liftlock ls --kind model\n  liftlock ls --publications --json");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
