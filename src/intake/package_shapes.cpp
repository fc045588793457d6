// Folders and archives of packages: wheelhouses, .deb and .rpm files.
#include <sys/utsname.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/pypi/distribution.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/wheel_filename.hpp"
#include "ecosystem/pypi/wheelhouse.hpp"
#include "intake/listing.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_notes = 20;

std::string base_name(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

bool is_wheel(std::string_view path) {
  return is_wheel_name(base_name(path)) && WheelFilename::parse(base_name(path)).has_value();
}
bool is_sdist(std::string_view path) {
  return is_sdist_name(base_name(path)) && SdistFilename::parse(base_name(path)).has_value();
}
bool is_deb(std::string_view path) {
  return path.ends_with(".deb");
}

bool is_rpm(std::string_view path) {
  return path.ends_with(".rpm");
}

/// Wants those files that `take` names; tells of the others, and refuses two of one name: they go to one folder.
void want(Found& found, const std::shared_ptr<const Tree>& tree, const std::optional<Listing>& listing,
          bool (*take)(std::string_view), std::string_view what) {
  std::set<std::string> names;
  std::size_t left = 0;
  for (auto& file : wanted_files(tree, listing)) {
    if (!take(file.path)) {
      if (++left <= k_max_notes)
        found.notes.push_back(fmt::format("{} is left out: it is no {}", printable(file.path), what));
      continue;
    }
    if (!names.insert(base_name(file.path)).second)
      fail(ErrorCode::path_collision, "there are two files called '{}'", printable(base_name(file.path)));
    found.files.push_back(std::move(file));
  }
  keep_listing(found, listing);
}

Artifact make_python(const WantedFile& file, const std::optional<Listing>& listing, StagedFiles& staged,
                     const ImportCells& cells) {
  const auto filename = base_name(file.path);
  const bool wheel = is_wheel_name(filename);
  const auto& digest = staged.digest(*file.tree, file.path);
  const auto about = cells.describe(wheel ? "wheel" : "sdist", staged.open(digest).get(), filename);
  Artifact out{.kind = wheel ? "wheel" : "sdist",
               .name = normalize_project_name(string_member(about, "name", filename)),
               .version = string_member(about, "version", filename),
               .license = string_member(about, "license", filename),
               .facts = Json::object(),
               .needs = {},
               .files = {}};
  if (const auto python = string_member(about, "requires_python", filename); !python.empty())
    out.facts["requires_python"] = python;
  out.files.push_back({.path = RelPath::parse("packages/pypi/" + filename),
                       .size = staged.size(digest),
                       .digest = digest,
                       .origin = file.tree->name() + "/" + file.path,
                       .evidence = listing_evidence(listing, file.path)});
  return out;
}

/// Names that are one wheel, or one source distribution, to an installer. @throws Error{path_collision} where their
/// content differs, as far as `same` knows
using SameBytes = std::function<bool(const WantedFile&, const WantedFile&)>;
std::vector<WantedFile> without_twins(const std::vector<WantedFile>& files, const SameBytes& same,
                                      const std::function<void(std::string)>& remark) {
  std::map<Distribution, const WantedFile*> known;
  std::vector<WantedFile> out;
  for (const auto& file : files) {
    const auto distribution = Distribution::of_filename(base_name(file.path));
    const auto [other, fresh] = distribution ? known.emplace(*distribution, &file) : std::pair(known.end(), true);
    if (fresh) {
      out.push_back(file);
    } else if (same(*other->second, file)) {
      remark(fmt::format("{} is left out: {} has the same bytes, and both are {}", printable(file.path),
                         printable(other->second->path), distribution->shown()));
    } else {
      throw Error(ErrorCode::path_collision, one_distribution_twice(*distribution, other->second->path, file.path),
                  "pip would take either: find out which one is meant, and take the other out");
    }
  }
  return out;
}

/// What dpkg calls this machine.
std::string native_architecture() {
  utsname machine{};
  if (::uname(&machine) != 0) fail_errno("uname");
  const std::string_view name(machine.machine);
  if (name == "x86_64") return "amd64";
  return name == "aarch64" ? "arm64" : std::string(name);
}

/// "libc6 (>= 2.34) | libc6.1, zlib1g" → {{"libc6", "libc6.1"}, {"zlib1g"}}
std::vector<std::vector<std::string>> names_in(std::string_view depends) {
  std::vector<std::vector<std::string>> out;
  for (const auto clause : split(depends, ',')) {
    auto& names = out.emplace_back();
    for (const auto alternative : split(clause, '|')) {
      const auto name = trim(alternative);
      if (!name.empty()) names.emplace_back(name.substr(0, name.find_first_of(" (:\n\t")));
    }
    if (names.empty()) out.pop_back();
  }
  return out;
}

/// Do the packages need others than each other? By name only: versions are apt's business.
class DebClosure {
 public:
  void add(const Json& about) {
    m_present.insert(about.value("name", ""));
    for (const auto& names : names_in(about.value("provides", ""))) m_present.insert(names.front());
    for (const auto* field : {"depends", "pre_depends"}) {
      for (auto& names : names_in(about.value(field, ""))) m_needed.insert(std::move(names));
    }
  }
  /// Empty when they need nobody else.
  std::string missing() const {
    std::set<std::string> lacking;
    for (const auto& names : m_needed) {
      const bool here =
          std::any_of(names.begin(), names.end(), [&](const auto& name) { return m_present.contains(name); });
      if (!here) lacking.insert(fmt::format("{}", fmt::join(names, " | ")));
    }
    if (lacking.empty()) return {};
    std::vector<std::string> shown(lacking.begin(),
                                   std::next(lacking.begin(), std::min<std::ptrdiff_t>(12, std::ssize(lacking))));
    return fmt::format("the packages need {} that {} not among them, and must be on the machine already: {}{}",
                       counted(lacking.size(), "other"), lacking.size() == 1 ? "is" : "are",
                       printable(fmt::format("{}", fmt::join(shown, ", "))), lacking.size() > shown.size() ? " …" : "");
  }

 private:
  std::set<std::string> m_present;
  std::set<std::vector<std::string>> m_needed;
};

}  // namespace

std::optional<Found> recognise_wheelhouse(const std::shared_ptr<const Tree>& tree, const ImportCells& cells) {
  const auto& paths = tree->paths();
  const auto wheels = std::count_if(paths.begin(), paths.end(), [](const auto& path) { return is_wheel(path); });
  const auto sdists = std::count_if(paths.begin(), paths.end(), [](const auto& path) { return is_sdist(path); });
  // NAME-VERSION.tar.gz alone says little: so are many archives called.
  if (wheels == 0 && (sdists == 0 || static_cast<std::size_t>(sdists) != paths.size())) return std::nullopt;
  const auto listing = find_listing(*tree);
  Found found{.shape = "wheelhouse",
              .words = fmt::format("a wheelhouse: {} wheels, {} source distributions", wheels, sdists),
              .preview = {{"wheels", wheels}, {"sdists", sdists}}};
  want(
      found, tree, listing, [](std::string_view path) { return is_wheel(path) || is_sdist(path); },
      "wheel and no source distribution");
  // Before anything is hashed the sizes tell most of those that differ.
  const SameBytes by_size = [](const WantedFile& a, const WantedFile& b) {
    return a.tree->size(a.path) == b.tree->size(b.path);
  };
  (void)without_twins(found.files, by_size, [](const std::string&) {});
  found.make = [files = found.files, listing, cells](StagedFiles& staged) {
    const SameBytes by_digest = [&](const WantedFile& a, const WantedFile& b) {
      return staged.digest(*a.tree, a.path) == staged.digest(*b.tree, b.path);
    };
    const auto taken = without_twins(files, by_digest, [&](std::string text) { staged.remark(std::move(text)); });
    std::vector<Artifact> out;
    for (const auto& file : taken) out.push_back(make_python(file, listing, staged, cells));
    // One project may come as several wheels: for other targets, all of one version.
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id() < b.id(); });
    std::vector<Artifact> joined;
    for (auto& artifact : out) {
      if (joined.empty() || joined.back().id() != artifact.id()) {
        joined.push_back(std::move(artifact));
        continue;
      }
      joined.back().files.push_back(std::move(artifact.files.front()));
      std::sort(joined.back().files.begin(), joined.back().files.end(),
                [](const auto& a, const auto& b) { return a.path < b.path; });
    }
    return joined;
  };
  return found;
}

std::optional<Found> recognise_debs(const std::shared_ptr<const Tree>& tree, const ImportCells& cells) {
  const auto& paths = tree->paths();
  const auto debs = std::count_if(paths.begin(), paths.end(), [](const auto& path) { return is_deb(path); });
  if (debs == 0) return std::nullopt;
  const auto listing = find_listing(*tree);
  Found found{.shape = "debs",
              .words = "a folder of " + counted(static_cast<std::size_t>(debs), "Debian package"),
              .preview = {{"debs", debs}}};
  want(found, tree, listing, is_deb, "Debian package");
  found.notes.emplace_back("no InRelease signature leads to these packages: only what vouches for the import does");
  found.make = [files = found.files, listing, cells](StagedFiles& staged) {
    std::vector<Artifact> out;
    const auto native = native_architecture();
    DebClosure closure;
    for (const auto& file : files) {
      const auto filename = base_name(file.path);
      const auto& digest = staged.digest(*file.tree, file.path);
      const auto about = cells.describe("deb", staged.open(digest).get(), filename);
      closure.add(about);
      const auto architecture = string_member(about, "architecture", filename);
      auto name = string_member(about, "name", filename);
      if (architecture != "all" && architecture != native) name += ":" + architecture;
      out.push_back({.kind = "deb",
                     .name = std::move(name),
                     .version = string_member(about, "version", filename),
                     .license = {},
                     .facts = {{"architecture", architecture}, {"stanza", string_member(about, "stanza", filename)}},
                     .needs = {},
                     .files = {{.path = RelPath::parse("packages/apt/" + filename),
                                .size = staged.size(digest),
                                .digest = digest,
                                .origin = file.tree->name() + "/" + file.path,
                                .evidence = listing_evidence(listing, file.path)}}});
    }
    if (auto missing = closure.missing(); !missing.empty()) staged.remark(std::move(missing));
    return out;
  };
  return found;
}

std::optional<Found> recognise_rpms(const std::shared_ptr<const Tree>& tree, const ImportCells& cells) {
  const auto& paths = tree->paths();
  const auto rpms = std::count_if(paths.begin(), paths.end(), [](const auto& path) { return is_rpm(path); });
  if (rpms == 0) return std::nullopt;
  const auto listing = find_listing(*tree);
  Found found{.shape = "rpms",
              .words = "a folder of " + counted(static_cast<std::size_t>(rpms), "RPM package"),
              .preview = {{"rpms", rpms}}};
  want(found, tree, listing, is_rpm, "RPM package");
  found.notes.emplace_back(
      "the publishers' signatures in these packages are not checked here: dnf does, with their keys");
  found.make = [files = found.files, listing, cells](StagedFiles& staged) {
    std::vector<Artifact> out;
    struct utsname machine {};
    (void)::uname(&machine);
    for (const auto& file : files) {
      const auto filename = base_name(file.path);
      const auto& digest = staged.digest(*file.tree, file.path);
      const auto about = cells.describe("rpm", staged.open(digest).get(), filename);
      const auto architecture = string_member(about, "architecture", filename);
      auto name = string_member(about, "name", filename);
      if (architecture != "noarch" && architecture != machine.machine) name += "." + architecture;
      out.push_back({.kind = "rpm",
                     .name = std::move(name),
                     .version = string_member(about, "version", filename),
                     .license = string_member(about, "license", filename),
                     .facts = object_member(about, "facts", filename),
                     .needs = {},
                     .files = {{.path = RelPath::parse("packages/rpm/" + filename),
                                .size = staged.size(digest),
                                .digest = digest,
                                .origin = file.tree->name() + "/" + file.path,
                                .evidence = listing_evidence(listing, file.path)}}});
    }
    return out;
  };
  return found;
}

}  // namespace liftlock
