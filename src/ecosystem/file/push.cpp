#include "ecosystem/file/push.hpp"

#include <algorithm>
#include <map>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/file/path_template.hpp"

namespace liftlock {
namespace {

using Found = HttpRepository::Found;

std::string path_of(const PushSettings& settings) {
  auto path = settings.text("path");
  const auto layout = settings.text("layout");
  const auto refuse = [&](std::string_view what, std::string_view hint) {
    throw Error(ErrorCode::config_invalid, fmt::format("config.toml: {} {}", settings.table, what), std::string(hint));
  };
  if (!layout.empty() && layout != "tree" && layout != "flat")
    refuse(fmt::format("cannot have the 'layout' '{}'", printable(layout)), "it is tree or flat");
  if (!path.empty() && !layout.empty())
    refuse("has both 'layout' and 'path'", "layout tree is the path {path}, and flat is {file}");
  if (path.empty()) path = layout == "flat" ? "{file}" : "{path}";
  return path;
}

class RawPush final : public PushTarget {
 public:
  RawPush(const PushSettings& settings, const BlobStore& store)
      : m_repository(settings.access.value(), settings.table),
        m_store(store),
        m_path(path_of(settings), fmt::format("'path' of {}", settings.table)),
        m_suffix(settings.text("suffix"), fmt::format("'suffix' of {}", settings.table)) {
    const auto suffix = settings.text("suffix");
    const bool sound =
        std::all_of(suffix.begin(), suffix.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
    if (!suffix.empty() && (!sound || (suffix[0] != ';' && suffix[0] != '?'))) {
      throw Error(ErrorCode::config_invalid,
                  fmt::format("config.toml: 'suffix' of {} cannot be '{}'", settings.table, printable(suffix)),
                  "it begins with ; or ?, and is written as an address has it");
    }
  }

  std::unique_ptr<PushPlan> plan(const Artifact& artifact) override {
    auto out = std::make_unique<FilesPlan>(
        [this, artifact](const ArtifactFile& file, const PushProgress& progress) { put(artifact, file, progress); });
    for (const auto& file : artifact.files) {
      const auto where = place(artifact, file);
      (void)m_suffix.fill(artifact, file, PathTemplate::Values::percent);  // what it cannot do is told before all else
      // Two artifacts of this run may want one place, and only one of them can have it.
      const auto [at, is_new] = m_planned.emplace(where, file.digest);
      const auto found = at->second != file.digest ? Found::other : m_repository.compare(where, file);
      out->add(file, found, where);
      if (out->place.empty()) out->place = where;
    }
    return out;
  }

 private:
  std::string place(const Artifact& artifact, const ArtifactFile& file) const {
    // A name or a version of somebody else's may hold anything: what leads elsewhere is no path.
    const auto path = RelPath::parse(m_path.fill(artifact, file, PathTemplate::Values::plain));
    return m_repository.below("/" + encode_percent_path(path.text()));
  }

  void put(const Artifact& artifact, const ArtifactFile& file, const PushProgress& progress) {
    m_repository.put(place(artifact, file), m_store, file, progress,
                     m_suffix.fill(artifact, file, PathTemplate::Values::percent));
  }

  HttpRepository m_repository;
  const BlobStore& m_store;
  PathTemplate m_path, m_suffix;
  std::map<std::string, Digest> m_planned;
};

}  // namespace

std::unique_ptr<PushTarget> make_raw_push(const PushSettings& settings, const BlobStore& store) {
  return std::make_unique<RawPush>(settings, store);
}

}  // namespace liftlock
