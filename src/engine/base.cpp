#include "engine/base.hpp"

#include <fcntl.h>

#include <algorithm>
#include <deque>
#include <set>
#include <tuple>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "engine/package_path.hpp"
#include "engine/tar_writer.hpp"

namespace liftlock::engine {
namespace {

constexpr std::size_t k_most_named = 12;  ///< missing things in one message

/// The library of the base, with symlinks followed; nullopt when it has none, or one that leads out of it.
std::optional<fs::path> file_of_base(const InstalledEngine& base, const fs::path& path) {
  std::error_code error;
  const auto root = fs::canonical(base.folder / "usr", error);
  if (error) return std::nullopt;
  const auto place = fs::canonical(base.folder / path, error);
  if (error || !fs::is_regular_file(place, error)) return std::nullopt;
  const auto inside = place.lexically_relative(root);
  if (inside.empty() || *inside.begin() == "..") return std::nullopt;
  return place;
}

/// Where the loader looks without being told: not where an engine has its own libraries.
std::vector<std::string> library_folders(const InstalledEngine& base) {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(base.folder / "usr/lib", ignored)) {
    const auto name = entry.path().filename().string();
    if (entry.is_directory() && name.find("-linux-") != std::string::npos) out.push_back("usr/lib/" + name);
  }
  std::sort(out.begin(), out.end());
  out.insert(out.end(), {"usr/lib64", "usr/lib"});
  return out;
}

class Resolver {
 public:
  Resolver(const OwnPrograms& own, const InstalledEngine& base, const ReadElf& read_elf)
      : m_own(own), m_base(base), m_read_elf(read_elf), m_folders(library_folders(base)) {
    for (const auto& [path, facts] : own.files) m_by_name.emplace(name_of_path(path), &facts);
  }

  BaseFit run() {
    for (const auto& path : m_own.programs) {
      const auto& program = m_own.files.at(path);
      if (program.interpreter.empty() && !program.needed.empty())
        fail(ErrorCode::engine_malformed, "'{}' wants libraries and names no loader", printable(path));
      if (!program.interpreter.empty()) take_loader(path, program.interpreter);
      for (auto& one : take(path, program)) m_fit.missing.push_back(std::move(one));
    }
    for (const auto& [path, library] : m_own.files) {
      if (m_seen.contains(std::string(name_of_path(path)))) continue;
      m_added.clear();
      m_added_files.clear();
      const auto missing = take(path, library);
      if (missing.empty()) continue;
      m_fit.notes.push_back(fmt::format("{} will not load: {}", path, missing.front()));
      for (const auto& name : m_added) m_seen.erase(name);
      for (const auto& file : m_added_files) m_fit.files.erase(file);
    }
    std::sort(m_fit.missing.begin(), m_fit.missing.end());
    m_fit.missing.erase(std::unique(m_fit.missing.begin(), m_fit.missing.end()), m_fit.missing.end());
    return std::move(m_fit);
  }

 private:
  void take_loader(const std::string& path, const std::string& loader) {
    const bool plain = loader.starts_with("/lib") && why_not_engine_path(loader.substr(1)).empty();
    const auto file = plain ? file_of_base(m_base, "usr" + loader) : std::nullopt;
    if (file) {
      m_fit.files["usr" + loader] = *file;
    } else {
      m_fit.missing.push_back(fmt::format("the loader {} (for {})", printable(loader), path));
    }
  }

  /// What is missing for this file and for all that it wants.
  std::vector<std::string> take(const std::string& path, const ElfFacts& first) {
    std::vector<std::string> missing;
    std::deque<std::pair<std::string, ElfFacts>> queue = {{path, first}};
    see(std::string(name_of_path(path)), first);
    for (; !queue.empty(); queue.pop_front()) {
      const auto [by, facts] = queue.front();
      for (const auto& name : facts.needed) {
        if (m_seen.contains(name)) continue;
        auto found = find(name, facts.architecture);
        if (!found) {
          missing.push_back(fmt::format("{} (for {})", name, by));
          continue;
        }
        see(name, *found);
        queue.emplace_back(name, *std::move(found));
      }
      for (const auto& [file, versions] : facts.wants) {
        const auto there = m_seen.find(file);
        // Without any versions the loader takes it as it is.
        if (there == m_seen.end() || there->second.defines.empty()) continue;
        for (const auto& version : versions) {
          if (!there->second.defines.contains(version))
            missing.push_back(fmt::format("{} of {} (for {})", version, file, by));
        }
      }
    }
    return missing;
  }

  void see(const std::string& name, const ElfFacts& facts) {
    if (m_seen.emplace(name, facts).second) m_added.push_back(name);
  }

  std::optional<ElfFacts> find(const std::string& name, const std::string& architecture) {
    const auto [begin, end] = m_by_name.equal_range(name);
    for (auto one = begin; one != end; ++one) {
      if (one->second->architecture == architecture) return *one->second;
    }
    for (const auto& folder : m_folders) {
      const auto path = folder + "/" + name;
      const auto file = file_of_base(m_base, path);
      if (!file) continue;
      const auto fd = open_file(*file, O_RDONLY | O_NOFOLLOW);
      auto facts = m_read_elf(fd.get(), 0, regular_size(fd.get(), path));
      if (facts.architecture != architecture) continue;
      if (m_fit.files.emplace(path, *file).second) m_added_files.push_back(path);
      return facts;
    }
    return std::nullopt;
  }

  const OwnPrograms& m_own;
  const InstalledEngine& m_base;
  const ReadElf& m_read_elf;
  const std::vector<std::string> m_folders;
  std::multimap<std::string, const ElfFacts*, std::less<>> m_by_name;  ///< of the engine's own
  std::map<std::string, ElfFacts> m_seen;           ///< by name, as the loader knows what it has loaded
  std::vector<std::string> m_added, m_added_files;  ///< since it began with one library
  BaseFit m_fit;
};

std::string some_of(const std::vector<std::string>& all) {
  const std::vector<std::string> first(all.begin(),
                                       all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), k_most_named)));
  const auto more = all.size() - first.size();
  return more == 0 ? fmt::format("{}", fmt::join(first, ", "))
                   : fmt::format("{} and {} more", fmt::join(first, ", "), more);
}

std::map<std::string, Digest> digests_of(const BaseFit& fit) {
  std::map<std::string, Digest> out;
  for (const auto& [path, file] : fit.files)
    out.emplace(path, sha256_of_file(open_file(file, O_RDONLY | O_NOFOLLOW).get(), path));
  return out;
}

constexpr std::string_view k_hint =
    "install an engine that was made of .debs of a suite as new as the one that this was built on, and name it: --base "
    "ENGINE; the docs say how (docs/guides/engines.md)";

/// The files of a package while they are collected: path → what stands there.
class Package {
 public:
  void add(const std::string& path, const PackedFile& file) {
    require(path);
    const Member member{
        .path = path, .type = MemberType::file, .executable = file.executable, .size = file.size, .target = {}};
    put(member, file);
  }
  void link(const std::string& path, std::string target) {
    require(path);
    put({.path = path, .type = MemberType::symlink, .executable = false, .size = 0, .target = std::move(target)}, {});
  }

  void write(EngineManifest manifest, int out) {
    add_folders();
    manifest.files = m_members.size();
    manifest.unpacked_size = 0;
    for (const auto& [path, one] : m_members) manifest.unpacked_size += one.first.size;
    EngineWriter writer(out);
    writer.add_manifest(manifest);
    for (const auto& [path, one] : m_members) {
      const auto& [member, file] = one;
      if (member.type != MemberType::file) {
        writer.add(member);
        continue;
      }
      std::uint64_t done = 0;
      writer.add_file(member, [&, &from = file](std::span<std::uint8_t> buffer) {
        const auto block = buffer.first(std::min<std::uint64_t>(buffer.size(), from.size - done));
        if (!block.empty() && !pread_exact(from.fd, block, from.offset + done, "a file of an engine"))
          fail(ErrorCode::size_mismatch, "a file of an engine became shorter while it was read");
        done += block.size();
        return block.size();
      });
    }
    writer.finish();
  }

 private:
  static void require(const std::string& path) {
    if (const auto why = why_not_engine_path(path); !why.empty())
      fail(ErrorCode::path_unsafe, "the path '{}' cannot stand in an engine: {}", printable(path), why);
  }

  void put(const Member& member, const PackedFile& file) {
    if (!m_members.try_emplace(member.path, member, file).second)
      fail(ErrorCode::engine_malformed, "'{}' stands twice in the engine", printable(member.path));
  }

  void add_folders() {
    std::set<std::string> folders;
    for (const auto& [path, one] : m_members) {
      for (auto folder = folder_of_path(path); !folder.empty(); folder = folder_of_path(folder))
        folders.emplace(folder);
    }
    for (const auto& folder : folders)
      put({.path = folder, .type = MemberType::folder, .executable = false, .size = 0, .target = {}}, {});
  }

  std::map<std::string, std::pair<Member, PackedFile>> m_members;
};

}  // namespace

bool OwnPrograms::is_static() const {
  return std::all_of(programs.begin(), programs.end(), [&](const auto& path) {
    const auto& one = files.at(path);
    return one.interpreter.empty() && one.needed.empty();
  });
}

BaseFit fit_base(const OwnPrograms& own, const InstalledEngine& base, const ReadElf& read_elf) {
  return Resolver(own, base, read_elf).run();
}

std::pair<InstalledEngine, BaseFit> choose_base(const OwnPrograms& own, const std::string& architecture,
                                                const fs::path& engines, const std::string& name,
                                                const ReadElf& read_elf) {
  if (!name.empty()) {
    auto base = find_engine(engines, name);
    const auto refuse = [&](std::string_view why) {
      throw Error(ErrorCode::engine_unfit,
                  fmt::format("the engine {} is no base for it: {}", printable(full_name(base)), why),
                  std::string(k_hint));
    };
    if (base.manifest.architecture != architecture)
      refuse(
          fmt::format("it is for {}, and not for {}", printable(base.manifest.architecture), printable(architecture)));
    if (base.facts.base) refuse(fmt::format("it stands on {} itself", printable(base.facts.base->engine)));
    auto fit = fit_base(own, base, read_elf);
    if (!fit.fits()) refuse(fmt::format("it lacks {}", some_of(fit.missing)));
    return {std::move(base), std::move(fit)};
  }
  std::vector<std::pair<InstalledEngine, BaseFit>> fitting;
  std::vector<std::string> others;
  for (auto& base : installed_engines(engines)) {
    if (base.manifest.architecture != architecture || base.facts.base) continue;
    auto fit = fit_base(own, base, read_elf);
    if (fit.fits()) {
      fitting.emplace_back(std::move(base), std::move(fit));
    } else {
      others.push_back(fmt::format("{} lacks {}", printable(full_name(base)), some_of(fit.missing)));
    }
  }
  // Engines of one suite have the same C library: then it does not matter whose is taken.
  const auto same = [&](const auto& one) { return digests_of(one.second) == digests_of(fitting.front().second); };
  if (!fitting.empty() && std::all_of(fitting.begin() + 1, fitting.end(), same)) return std::move(fitting.front());
  if (fitting.empty()) {
    throw Error(ErrorCode::engine_unfit,
                others.empty()
                    ? fmt::format("it brings no C library, and no engine is installed for {} that has one",
                                  printable(architecture))
                    : fmt::format("it brings no C library, and no installed engine has all that it wants: {}",
                                  fmt::join(others, "; ")),
                std::string(k_hint));
  }
  std::vector<std::string> names;
  for (const auto& [base, fit] : fitting) names.push_back(full_name(base));
  throw Error(ErrorCode::ambiguous,
              fmt::format("it brings no C library, and several installed engines have one that fits: {}",
                          printable(fmt::format("{}", fmt::join(names, ", ")))),
              "name one: --base ENGINE");
}

void write_on_base(EngineManifest manifest, const std::map<std::string, PackedFile>& own,
                   const std::map<std::string, std::string>& links, const InstalledEngine* base, const BaseFit& fit,
                   int out) {
  Package package;
  std::map<std::tuple<std::string, int, std::uint64_t, std::uint64_t>, std::string> first;
  for (const auto& [path, file] : own) {
    const auto [at, fresh] =
        first.try_emplace({std::string(folder_of_path(path)), file.fd, file.offset, file.size}, path);
    if (fresh || file.size == 0 || file.executable) {
      package.add(path, file);
    } else {
      package.link(path, std::string(name_of_path(at->second)));
    }
  }
  for (const auto& [path, target] : links) package.link(path, target);
  std::vector<UniqueFd> open;
  const auto add_file = [&](const std::string& path, const fs::path& from, bool executable) {
    const auto& fd = open.emplace_back(open_file(from, O_RDONLY | O_NOFOLLOW));
    package.add(path, {fd.get(), 0, regular_size(fd.get(), path), executable});
  };
  for (const auto& [path, file] : fit.files) add_file(path, file, name_of_path(path).starts_with("ld-"));
  if (base != nullptr) {
    const auto docs = base->folder / "usr/share/doc";
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(docs, ignored)) {
      const auto path = "usr/share/doc/" + entry.path().filename().string() + "/copyright";
      if (const auto file = file_of_base(*base, path)) add_file(path, *file, false);
    }
  }
  // The sandbox binds usr/ alone, and makes the links at the top itself.
  package.write(std::move(manifest), out);
}

}  // namespace liftlock::engine
