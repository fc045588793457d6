#include "engine/engine_builder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/apt/deb_reader.hpp"
#include "engine/package_path.hpp"
#include "engine/release_archive.hpp"
#include "engine/tar_writer.hpp"
#include "os/file.hpp"

namespace liftlock::engine {
namespace {

using apt::DebEntry;
using apt::EntryType;

constexpr std::array<std::string_view, 6> k_merged = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};
constexpr std::array<std::string_view, 6> k_left_out_roots = {"var", "run", "tmp", "dev", "proc", "sys"};
constexpr std::array<std::string_view, 6> k_left_out_share = {"info", "lintian", "locale",
                                                              "man",  "bug",     "bash-completion"};

/// What an archive is looked through for unless the plan names commands.
constexpr std::array<std::string_view, 2> k_servers = {"llama-server", "whisper-cli"};

std::string_view first_part(std::string_view path) {
  return path.substr(0, path.find('/'));
}

bool contains(std::span<const std::string_view> list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

bool is_left_out(std::string_view path) {
  if (contains(k_left_out_roots, first_part(path)) || path == "usr/include" || path.starts_with("usr/include/"))
    return true;
  if (path.ends_with(".a") && path.starts_with("usr/lib")) return true;
  constexpr std::string_view k_share = "usr/share/";
  if (!path.starts_with(k_share)) return false;
  const auto below = path.substr(k_share.size());
  if (first_part(below) == "doc") return !path.ends_with("/copyright");
  return contains(k_left_out_share, first_part(below));
}

std::string join(const std::vector<std::string_view>& parts) {
  std::string out;
  for (const auto part : parts) {
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

/// The path with "." and ".." gone; nullopt when it leaves the root.
std::optional<std::string> normalised(std::string_view path) {
  std::vector<std::string_view> parts;
  for (const auto part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (parts.empty()) {
      return std::nullopt;
    } else {
      parts.pop_back();
    }
  }
  return join(parts);
}

/// As merged-usr has it.
std::string merged(const std::string& path) {
  return contains(k_merged, first_part(path)) ? "usr/" + path : path;
}

void refuse_traversal(const DebEntry& entry) {
  if (entry.absolute || normalised(entry.path) != entry.path)
    fail(ErrorCode::path_unsafe, "the path '{}' is absolute or traverses", printable(entry.path));
}

void refuse_bad_path(const std::string& path) {
  if (const auto why = why_not_engine_path(path); !why.empty())
    fail(ErrorCode::engine_malformed, "the path '{}': {}", printable(path), why);
}

struct Planned {
  Member member;
  std::optional<Digest> digest;  ///< of files: two packages may bring the same
};

class Builder {
 public:
  Builder(const BuildPlan& plan, const std::vector<BuildInput>& inputs, const std::string& scratch)
      : m_plan(plan), m_inputs(inputs), m_folder("engine", scratch) {}

  EngineManifest run(int out) {
    for (const auto& input : m_inputs) {
      with_context(fmt::format("while unpacking {} {}", input.source.name, input.source.version), [&] { take(input); });
    }
    add_merged_links();
    add_parents();
    auto manifest = describe();
    EngineWriter writer(out);
    writer.add_manifest(manifest);
    for (const auto& [path, planned] : m_members) write(writer, planned);
    writer.finish();
    return manifest;
  }

 private:
  fs::path content_path(const Digest& digest) const { return m_folder.path() / digest.hex(); }

  void take(const BuildInput& input) { input.form == InputForm::archive ? take_archive(input) : take_deb(input); }

  void take_deb(const BuildInput& input) {
    const auto layout = apt::read_deb_layout(input.file.get());
    apt::DebTar tar(input.file.get(), layout.data);
    DebEntry entry;
    std::map<std::string, std::string> seen;  ///< path in the .deb → path here, for its hard links
    while (tar.next(entry)) {
      if (entry.path.empty()) continue;
      refuse_traversal(entry);
      const auto path = engine_path(entry.path);
      if (!path || entry.type == EntryType::folder) continue;
      refuse_bad_path(*path);
      take_entry(tar, entry, {*path, entry.path}, seen);
      seen[entry.path] = *path;
      if (input.source.name == m_plan.main_package && path->starts_with("usr/bin/"))
        m_commands.push_back(path->substr(8));
    }
  }

  bool is_wanted(std::string_view command) const {
    const auto& named = m_plan.executables;
    return named.empty() ? contains(k_servers, command) : std::find(named.begin(), named.end(), command) != named.end();
  }

  /// Where in the archive the engine's programs are: "build/bin", "llama-b8146", or its top (empty).
  std::string find_programs(const BuildInput& input) const {
    ReleaseArchive archive(input.file.get(), input.source.name);
    DebEntry entry;
    while (archive.next(entry)) {
      if (entry.type == EntryType::file && is_wanted(name_of_path(entry.path)))
        return std::string(folder_of_path(entry.path));
    }
    const std::vector<std::string> servers(k_servers.begin(), k_servers.end());
    fail(ErrorCode::engine_malformed, "the archive holds no program named {}",
         fmt::join(m_plan.executables.empty() ? servers : m_plan.executables, " or "));
  }

  /// The folder of its programs, and what is below; the rest (sources, licences of others) stays out.
  void take_archive(const BuildInput& input) {
    const auto folder = find_programs(input);
    const auto from = folder.empty() ? std::string() : folder + "/";
    m_programs = fmt::format("usr/libexec/{}/", portable_component(m_plan.name));
    ReleaseArchive archive(input.file.get(), input.source.name);
    DebEntry entry;
    std::map<std::string, std::string> seen;
    while (archive.next(entry)) {
      if (entry.path.empty()) continue;
      refuse_traversal(entry);
      if (!entry.path.starts_with(from) || entry.type == EntryType::folder) continue;
      const auto below = entry.path.substr(from.size());
      const auto path = m_programs + below;
      refuse_bad_path(path);
      if (entry.type == EntryType::symlink) refuse_leaving(entry, from);
      if (entry.type == EntryType::file && is_wanted(below)) {
        entry.mode |= 0111u;  // a zip need not know
        m_commands.push_back(below);
      }
      take_entry(archive, entry, {path, path}, seen);
      seen[entry.path] = path;
    }
  }

  static void refuse_leaving(const DebEntry& entry, const std::string& from) {
    const auto to = normalised(fmt::format("{}/{}", folder_of_path(entry.path), entry.target));
    if (entry.target.starts_with('/') || !to || !to->starts_with(from))
      fail(ErrorCode::path_unsafe, "the symlink '{}' leaves the engine's folder", printable(entry.path));
  }

  /// Where an entry goes, and where its symlink stands for the sake of a target that goes up.
  struct Place {
    const std::string& path;
    const std::string& link;
  };

  template <typename Reader>
  void take_entry(Reader& reader, const DebEntry& entry, const Place& place_of_entry,
                  const std::map<std::string, std::string>& seen) {
    const auto& path = place_of_entry.path;
    Planned planned;
    planned.member.path = path;
    switch (entry.type) {
      case EntryType::symlink: {
        const auto target = engine_link(place_of_entry.link, entry.target);
        if (!target) fail(ErrorCode::path_unsafe, "the symlink '{}' leaves the package", printable(entry.path));
        planned.member.type = MemberType::symlink;
        planned.member.target = *target;
        break;
      }
      case EntryType::hardlink: {
        const auto first = seen.find(entry.target);
        if (first == seen.end())
          fail(ErrorCode::package_malformed, "the hard link '{}' has no file", printable(entry.path));
        planned = m_members.at(first->second);
        planned.member.path = path;
        break;
      }
      case EntryType::file:
        planned.member.executable = (entry.mode & 0111u) != 0;
        save_content(reader, planned);
        break;
      default:
        fail(ErrorCode::package_malformed, "'{}' is a device or another special file", printable(entry.path));
    }
    const auto [place, fresh] = m_members.try_emplace(path, planned);
    const auto& old = place->second;
    if (!fresh && (old.member.type != planned.member.type || old.member.target != planned.member.target ||
                   old.digest != planned.digest)) {
      fail(ErrorCode::engine_malformed, "two inputs bring a different '{}'", printable(path));
    }
  }

  template <typename Reader>
  void save_content(Reader& reader, Planned& planned) {
    const auto part = m_folder.path() / "part";
    Hasher hasher;
    {
      const auto file = open_file(part, O_WRONLY | O_CREAT | O_TRUNC);
      std::vector<std::uint8_t> buffer(1u << 18);
      while (const auto got = reader.read(buffer)) {
        const std::span bytes(buffer.data(), got);
        hasher.update(bytes);
        write_all(file.get(), bytes, part.string());
        planned.member.size += got;
      }
    }
    planned.digest = hasher.finish();
    rename_file(part, content_path(*planned.digest));
  }

  void add_merged_links() {
    for (const auto name : k_merged) {
      const auto target = "usr/" + std::string(name);
      const auto below = m_members.lower_bound(target + "/");
      if (below == m_members.end() || !below->first.starts_with(target + "/")) continue;
      Planned link;
      link.member = {
          .path = std::string(name), .type = MemberType::symlink, .executable = false, .size = 0, .target = target};
      m_members[link.member.path] = link;
    }
  }

  void add_parents() {
    std::set<std::string> folders;
    for (const auto& [path, planned] : m_members) {
      for (auto slash = path.rfind('/'); slash != std::string::npos;
           slash = slash == 0 ? slash : path.rfind('/', slash - 1)) {
        if (!folders.insert(path.substr(0, slash)).second) break;
      }
    }
    for (const auto& folder : folders) {
      Planned planned;
      planned.member.path = folder;
      planned.member.type = MemberType::folder;
      if (!m_members.try_emplace(folder, planned).second) {
        fail(ErrorCode::engine_malformed, "'{}' is a folder in one package and not in another", printable(folder));
      }
    }
  }

  EngineManifest describe() {
    EngineManifest out;
    out.name = m_plan.name;
    out.version = m_plan.version;
    out.variant = m_plan.variant;
    out.architecture = m_plan.architecture;
    out.files = m_members.size();
    for (const auto& [path, planned] : m_members) out.unpacked_size += planned.member.size;
    for (const auto& input : m_inputs) out.inputs.push_back(input.source);
    std::sort(out.inputs.begin(), out.inputs.end(), [](const auto& a, const auto& b) {
      return std::tie(a.name, a.architecture) < std::tie(b.name, b.architecture);
    });
    const auto& commands = m_plan.executables.empty() ? m_commands : m_plan.executables;
    for (const auto& command : commands) add_executable(out, command);
    if (out.executables.empty()) fail(ErrorCode::engine_malformed, "'{}' brings no executable", m_plan.name);
    out.loader = find_loader();
    out.library_path = m_plan.library_path.empty() ? find_library_path() : m_plan.library_path;
    return out;
  }

  void add_executable(EngineManifest& out, const std::string& command) {
    const auto programs = m_programs.empty() ? std::string("usr/bin/") : m_programs;
    const auto path = command.find('/') == std::string::npos ? programs + command : command;
    const auto found = m_members.find(path);
    const bool good =
        found != m_members.end() && found->second.member.type == MemberType::file && found->second.member.executable;
    if (good)
      out.executables[std::string(name_of_path(command))] = path;
    else if (!m_plan.executables.empty())
      fail(ErrorCode::engine_malformed, "no input brings the executable '{}'", printable(path));
  }

  std::string find_loader() const {
    for (const auto& [path, planned] : m_members) {
      const auto name = name_of_path(path);
      const bool place =
          path.starts_with("usr/lib64/") || (path.starts_with("usr/lib/") && path.find('/', 8) == std::string::npos);
      if (place && name.starts_with("ld-linux") && name.find(".so.") != std::string_view::npos) return path.substr(4);
    }
    throw Error(ErrorCode::engine_malformed, "no package brings the dynamic loader",
                "name libc6 under packages: an engine brings its own C library");
  }

  /// Folders of an archive, and those one below usr/lib/TRIPLET/, that hold libraries; gconv's are modules of libc.
  std::vector<std::string> find_library_path() const {
    std::set<std::string> out;
    for (const auto& [path, planned] : m_members) {
      if (!m_programs.empty() && path.starts_with(m_programs)) {
        if (is_library(name_of_path(path))) out.emplace(folder_of_path(path));
        continue;
      }
      const auto parts = split(path, '/');
      if (parts.size() != 5 || parts[0] != "usr" || parts[1] != "lib" || parts[3] == "gconv") continue;
      if (parts[2].find("-linux-") != std::string_view::npos && is_library(parts[4])) out.emplace(folder_of_path(path));
    }
    return {out.begin(), out.end()};
  }

  void write(EngineWriter& writer, const Planned& planned) const {
    if (planned.member.type != MemberType::file) return writer.add(planned.member);
    const auto file = open_file(content_path(*planned.digest), O_RDONLY);
    writer.add_file(planned.member, [&](std::span<std::uint8_t> buffer) {
      const auto got = ::read(file.get(), buffer.data(), buffer.size());
      if (got < 0) fail_errno("read a scratch file");
      return static_cast<std::size_t>(got);
    });
  }

  const BuildPlan& m_plan;
  const std::vector<BuildInput>& m_inputs;
  TemporaryFolder m_folder;
  std::map<std::string, Planned> m_members;  ///< by path, which is the order of the format
  std::vector<std::string> m_commands;
  std::string m_programs;  ///< where an archive's go, with a '/' behind; empty without one
};

}  // namespace

std::optional<std::string> engine_path(std::string_view path) {
  auto out = merged(std::string(path));
  // What Debian's base-files has as links at the top is made by the builder itself.
  if (contains(k_merged, path) || is_left_out(out)) return std::nullopt;
  return out;
}

std::optional<std::string> engine_link(std::string_view link, std::string_view target) {
  const std::string folder(folder_of_path(link));
  // Links between merged folders count from where the link will stand.
  const auto from = merged(folder);
  const bool absolute = target.starts_with('/');
  auto to = normalised(absolute ? std::string(target) : fmt::format("{}/{}", folder, target));
  if (!to && !absolute) to = normalised(fmt::format("{}/{}", from, target));
  if (!to) return std::nullopt;
  const auto wanted = merged(*to);
  const auto up = from.empty() ? std::vector<std::string_view>() : split(from, '/');
  const auto down = wanted.empty() ? std::vector<std::string_view>() : split(wanted, '/');
  std::size_t same = 0;
  while (same < up.size() && same < down.size() && up[same] == down[same]) ++same;
  std::vector<std::string_view> parts(up.size() - same, "..");
  parts.insert(parts.end(), down.begin() + static_cast<std::ptrdiff_t>(same), down.end());
  return parts.empty() ? std::string(".") : join(parts);
}

EngineManifest build_engine(const BuildPlan& plan, const std::vector<BuildInput>& inputs, int out,
                            const std::string& scratch) {
  return Builder(plan, inputs, scratch).run(out);
}

}  // namespace liftlock::engine
