#include "cli/store_view.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/licenses.hpp"
#include "cli/program.hpp"
#include "store/content.hpp"

namespace liftlock {
namespace {

const Site& checked(const Site& site, std::string_view command, Access access) {
  site.require_zone(command, {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  if (access == Access::write) site.require_own();
  return site;
}

/// "ID@sha256:… or ID@sha256:…": as commands take them.
std::string contents_text(const std::vector<Artifact>& contents) {
  constexpr std::size_t k_shown = 4;
  std::string out;
  for (std::size_t i = 0; i < contents.size() && i < k_shown; ++i)
    out += (i == 0 ? "" : " or ") + content_name(contents[i]);
  if (contents.size() > k_shown) out += fmt::format(" or one of {} more", contents.size() - k_shown);
  return out;
}

/// For a name that nothing has: where "@sha256:…" stands behind one that something has, that part is the mistake.
void require_content_prefix(const Catalog& catalog, std::string_view text) {
  const auto at = text.rfind(k_content_mark);
  if (at == std::string_view::npos || at == 0) return;
  const auto called = text.substr(0, at);
  const auto there = catalog.contents_named(called);
  if (there.empty()) return;
  const auto hint = fmt::format("it is {}", printable(contents_text(there)));
  if (const auto named = parse_named_content(text)) {
    const bool is_one = there.front().id() == there.back().id();  // sorted by id
    throw Error(ErrorCode::not_found,
                fmt::format("no content of '{}' begins with sha256:{}", printable(is_one ? there.front().id() : called),
                            named->prefix),
                hint);
  }
  throw Error(ErrorCode::not_found,
              fmt::format("'{}' is no beginning of a SHA-256: that has 4 to 64 hex digits, a to f in lower case",
                          printable(text.substr(at + k_content_mark.size()))),
              hint);
}

/// "ingest demo/7 again: …": the newest bundle that brought the artifact.
std::string how_to_ingest_again(const Catalog& catalog, const Artifact& artifact) {
  const auto holders = catalog.holders(artifact);
  std::optional<PublicationSummary> newest;
  for (const auto& publication : catalog.publications()) {
    const auto held = fmt::format("{}/{}", publication.channel, publication.sequence);
    if (std::find(holders.begin(), holders.end(), held) == holders.end()) continue;
    if (!newest || newest->published_at < publication.published_at) newest = publication;
  }
  if (!newest) return "ingest the bundle that brought it again";
  return printable(fmt::format("ingest the bundle {}/{} again: liftlock ingest SOURCE --expect {}", newest->channel,
                               newest->sequence, newest->bundle_digest.text()));
}

}  // namespace

OpenStore::OpenStore(const Site& site, std::string_view command, Access access)
    : blobs(checked(site, command, access).store_folder()), catalog(site.catalog_file(), access) {}

std::string facts_text(const Json& facts, std::size_t width) {
  constexpr std::size_t k_shown = 12;
  const auto plain = [](const Json& value) {
    return value.is_string() ? value.get<std::string>() : dump_json_line(value);
  };
  std::string out;
  for (const auto& [key, value] : facts.items()) {
    std::string shown;
    if (value.is_array()) {
      const bool deep = std::any_of(value.begin(), value.end(), [](const Json& one) { return one.is_structured(); });
      for (std::size_t i = 0; i < value.size() && !deep; ++i) {
        if (i == k_shown) shown += fmt::format(" and {} more", value.size() - i);
        if (i >= k_shown) break;
        shown += (i == 0 ? "" : ", ") + plain(value[i]);
      }
    } else if (!value.is_object()) {
      shown = plain(value);
    } else if (const auto digest = value.find("sha256"); digest != value.end()) {
      shown = "sha256:" + plain(*digest);  // of something that is too long to be shown, such as a chat template
    }
    if (!shown.empty()) out += fmt::format("  {:<{}}{}\n", printable(key), width, printable(shown));
  }
  return out;
}

std::string describe_holders(const std::vector<std::string>& holders) {
  constexpr std::size_t k_shown = 3;
  const auto first = holders.size() > k_shown ? holders.size() - k_shown : 0;
  std::string out;
  for (auto i = first; i < holders.size(); ++i) out += (i > first ? ", " : "") + printable(holders[i]);
  return first > 0 ? fmt::format("{} and {} more", out, first) : out;
}

void require_blobs(const Site& site, const OpenStore& store, const Artifact& artifact) {
  for (const auto& file : artifact.files) {
    if (store.blobs.contains(file.digest)) continue;
    const bool low = site.config().zone == Zone::low;
    const bool quarantined = fs::exists(site.store_folder() / "quarantine" / file.digest.hex());
    const auto code = quarantined ? ErrorCode::blob_corrupt : low ? ErrorCode::not_fetched : ErrorCode::not_found;
    const auto what = fmt::format("'{}' ({})", file.path.text(), file.digest.text());
    throw Error(code,
                quarantined ? fmt::format("the store's copy of {} was corrupt and is in quarantine", what)
                            : fmt::format("the store does not hold {}", what),
                low ? "run `liftlock fetch`" : how_to_ingest_again(store.catalog, artifact));
  }
}

Artifact require_artifact(const Catalog& catalog, std::string_view id_or_name) {
  if (auto found = catalog.find(id_or_name)) return std::move(*found);
  std::vector<std::string> names;
  for (const auto& artifact : catalog.artifacts()) {
    names.push_back(artifact.name);
    names.push_back(artifact.id());
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const auto guess = nearest(id_or_name, known);
  require_content_prefix(catalog, id_or_name);
  throw Error(ErrorCode::not_found, fmt::format("the store holds no '{}'", printable(id_or_name)),
              guess ? fmt::format("did you mean '{}'? `liftlock ls` lists everything", printable(*guess)) : "");
}

void warn_of_other_contents(const Catalog& catalog, const Artifact& artifact, std::string_view named,
                            Reporter& reporter) {
  const auto contents = catalog.contents(artifact.id());
  if (contents.size() < 2) return;
  const auto by_content = parse_named_content(named);
  if (by_content && !with_digest({artifact}, by_content->prefix).empty()) return;
  reporter.warn(fmt::format("{} contents came under the id {}, and this is the one that was published last: name {}",
                            contents.size(), printable(artifact.id()), printable(contents_text(contents))));
}

CLI::Option* add_artifact_argument(CLI::App& command, const std::string& word, std::string& value) {
  return command
      .add_option(word, value,
                  "kind:name@version, or a name or name@version that only one artifact has; behind it @sha256:PREFIX, "
                  "where several contents came under one id")
      ->type_name(std::string(k_artifact_type));
}

CLI::Option* add_model_argument(CLI::App& command, const std::string& word, std::string& value,
                                std::string_view besides) {
  return command
      .add_option(word, value,
                  fmt::format("{}ame, name@version or id of a model of the store; behind it @sha256:PREFIX, where "
                              "several contents came under one id",
                              besides.empty() ? "N" : fmt::format("{}, n", besides)))
      ->type_name(std::string(k_model_type));
}

std::string license_of(const Catalog& catalog, const Artifact& artifact) {
  return artifact.license.empty() ? stated_license(artifact, catalog.inspection(artifact)) : artifact.license;
}

std::string label_of(const Site& site, const Artifact& model) {
  const auto& labels = site.config().model_labels;
  const auto found = labels.find(model.name);
  return found == labels.end() ? "-" : printable(found->second);
}

}  // namespace liftlock
