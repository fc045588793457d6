#include "bundle/source.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

/// A folder without anything in it, where a medium is to be mounted.
bool is_bare_mount_point(const fs::path& folder) {
  return fs::is_empty(folder) && !is_mount_point(folder);
}

void require_present(const Source& source, const std::string& source_name, const fs::path& bundle) {
  const auto shown = printable(source.path.string());
  if (!fs::is_directory(source.path)) {
    throw Error(ErrorCode::not_found, fmt::format("the folder '{}' of source '{}' does not exist", shown, source_name),
                "mount the medium there, or correct 'path' in config.toml");
  }
  if (source.require_read_only && is_bare_mount_point(source.path)) {
    throw Error(ErrorCode::not_found,
                fmt::format("nothing is mounted on '{}', the folder of source '{}'", shown, source_name),
                "mount the medium there with -o ro, then run the same command again");
  }
  if (fs::is_directory(bundle)) return;
  throw Error(ErrorCode::not_found,
              fmt::format("source '{}' has no folder '{}'", source_name,
                          printable(bundle.lexically_relative(source.path).string())),
              fmt::format("list what came with `ls {}`", shown));
}

}  // namespace

fs::path resolve_source(const SiteConfig& config, const std::string& source) {
  const auto check = [](const Source& found, const fs::path& bundle, const std::string& source_name) {
    require_present(found, source_name, bundle);
    if (found.require_read_only && !is_on_read_only_mount(bundle)) {
      throw Error(
          ErrorCode::source_writable,
          fmt::format("source '{}' is on a file system that is mounted writable", source_name),
          fmt::format("mount it with -o ro; only for a trial, with a folder of this machine: require_read_only = "
                      "false below [source.{}] of config.toml",
                      source_name));
    }
    return bundle;
  };
  const auto slash = source.find('/');
  if (const auto found = config.sources.find(source.substr(0, slash)); found != config.sources.end()) {
    auto below = slash == std::string::npos ? std::string() : source.substr(slash + 1);
    while (below.ends_with('/')) below.pop_back();  // as shells complete a folder
    if (!below.empty() && !RelPath::try_parse(below))
      fail(ErrorCode::source_unknown, "'{}' leads out of its source", printable(source));
    const auto bundle = below.empty() ? found->second.path : found->second.path / below;
    return check(found->second, bundle, found->first);
  }
  std::error_code error;
  const auto path = fs::weakly_canonical(source, error);
  if (!error) {
    for (const auto& [source_name, candidate] : config.sources) {
      const auto base = fs::weakly_canonical(candidate.path, error);
      if (error) continue;
      const auto relative = path.lexically_relative(base);
      if (!relative.empty() && *relative.begin() != "..")
        return check({base, candidate.require_read_only}, path, source_name);
    }
  }
  throw Error(ErrorCode::source_unknown, fmt::format("'{}' is in no configured source", printable(source)),
              "add [source.NAME] with its path to config.toml, and name it: liftlock ingest NAME/FOLDER");
}

}  // namespace liftlock
