#include "ecosystem/file/push.hpp"

#include <map>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

using Found = HttpRepository::Found;

class RawPush final : public PushTarget {
 public:
  RawPush(const PushSettings& settings, const BlobStore& store)
      : m_repository(settings.access.value(), settings.table), m_store(store) {
    const auto layout = settings.text("layout");
    if (!layout.empty() && layout != "tree" && layout != "flat") {
      throw Error(ErrorCode::config_invalid,
                  fmt::format("config.toml: 'layout' of {} cannot be '{}'", settings.table, printable(layout)),
                  "it is tree or flat");
    }
    m_is_flat = layout == "flat";
  }

  std::unique_ptr<PushPlan> plan(const Artifact& artifact) override {
    auto out = std::make_unique<FilesPlan>(
        [this](const ArtifactFile& file, const PushProgress& progress) { put(file, progress); });
    for (const auto& file : artifact.files) {
      const auto where = place(file);
      // Two artifacts of this run may want one place, and only one of them can have it.
      const auto [at, is_new] = m_planned.emplace(where, file.digest);
      const auto found = at->second != file.digest ? Found::other : m_repository.compare(where, file);
      out->add(file, found, where);
      if (out->place.empty()) out->place = where;
    }
    return out;
  }

 private:
  std::string place(const ArtifactFile& file) const {
    const std::string path(m_is_flat ? file.path.filename() : std::string_view(file.path.text()));
    return m_repository.below("/" + encode_percent_path(path));
  }

  void put(const ArtifactFile& file, const PushProgress& progress) {
    m_repository.put(place(file), m_store, file, progress);
  }

  HttpRepository m_repository;
  const BlobStore& m_store;
  bool m_is_flat = false;
  std::map<std::string, Digest> m_planned;
};

}  // namespace

std::unique_ptr<PushTarget> make_raw_push(const PushSettings& settings, const BlobStore& store) {
  return std::make_unique<RawPush>(settings, store);
}

}  // namespace liftlock
