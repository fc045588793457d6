#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/ollama/modelfile.hpp"
#include "intake/listing.hpp"
#include "intake/model_artifact.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

std::string top_of(std::string_view path) {
  const auto slash = path.find('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

/// Which files are one model: all of them, or one model in each folder of the top when weights lie only there.
std::map<std::string, std::vector<std::string>> models_of(const Tree& tree, const std::optional<Listing>& listing) {
  std::set<std::string> tops;
  for (const auto& path : tree.paths()) {
    if (is_weights_name(path)) tops.insert(top_of(path));
  }
  const bool apart = tops.size() > 1 && !tops.contains("");
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& path : tree.paths()) {
    if (is_of_listing(listing, path)) continue;
    if (!apart) {
      out[""].push_back(path);
    } else if (tops.contains(top_of(path))) {
      out[top_of(path)].push_back(path);
    }
  }
  return out;
}

/// What a Modelfile beside the weights brings to Ollama, and what of it is not used.
void tell_of_modelfile(const Tree& tree, const std::string& folder, const std::vector<std::string>& files,
                       Found& found) {
  std::vector<std::string> paths;
  const std::string* modelfile = nullptr;
  for (const auto& path : files) {
    paths.push_back(folder.empty() ? path : path.substr(folder.size() + 1));
    if (ollama::is_modelfile(paths.back())) modelfile = &path;
  }
  if (modelfile == nullptr) return;
  if (tree.size(*modelfile) > ollama::k_max_modelfile) {
    found.notes.push_back(
        fmt::format("{} is not used: it has {}", printable(*modelfile), format_size(tree.size(*modelfile))));
    return;
  }
  const auto report = ollama::report_on_modelfile(tree.read(*modelfile, ollama::k_max_modelfile), paths);
  const auto where = folder.empty() ? std::string() : printable(folder) + ": ";
  for (const auto& note : report.notes) found.notes.push_back(where + note);
  if (!report.brings.empty()) found.preview["modelfile"].push_back(where + report.brings);
}

}  // namespace

std::optional<Found> recognise_model(const std::shared_ptr<const Tree>& tree, const ImportCells&) {
  const auto& paths = tree->paths();
  if (std::none_of(paths.begin(), paths.end(), [](const auto& path) { return is_weights_name(path); }))
    return std::nullopt;
  const auto listing = find_listing(*tree);
  const auto models = models_of(*tree, listing);
  Found found{.shape = "model",
              .words = models.size() == 1 ? fmt::format("a model ({})", printable(plain_title(*tree)))
                                          : fmt::format("{} models", models.size()),
              .preview = {{"models", Json::array()}}};
  std::set<std::string> wanted;
  for (const auto& [folder, files] : models) {
    found.preview["models"].push_back(folder.empty() ? plain_title(*tree) : folder);
    for (const auto& path : files) {
      if (const auto why = why_unsafe_model_file(path); !why.empty()) {
        found.notes.push_back(fmt::format("{} is left out: {}", printable(path), why));
      } else {
        wanted.insert(path);
      }
    }
  }
  for (auto& file : wanted_files(tree, listing)) {
    if (wanted.contains(file.path)) found.files.push_back(std::move(file));
  }
  keep_listing(found, listing);
  for (const auto& [folder, files] : models) tell_of_modelfile(*tree, folder, files, found);
  found.make = [tree, models, wanted, listing](StagedFiles& staged) {
    std::vector<Artifact> out;
    for (const auto& [folder, files] : models) {
      ModelParts parts{.name = folder.empty() ? plain_title(*tree) : folder,
                       .version = {},
                       .license = {},
                       .facts = {{"source", "local"}},
                       .files = {}};
      for (const auto& path : files) {
        if (!wanted.contains(path)) continue;
        parts.files.push_back({.path = folder.empty() ? path : path.substr(folder.size() + 1),
                               .digest = staged.digest(*tree, path),
                               .origin = tree->name() + "/" + path,
                               .evidence = listing_evidence(listing, path)});
      }
      if (!parts.files.empty()) out.push_back(make_model(parts, staged));
    }
    return out;
  };
  return found;
}

}  // namespace liftlock
