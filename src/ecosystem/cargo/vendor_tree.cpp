#include "ecosystem/cargo/vendor_tree.hpp"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/json.hpp"
#include "ecosystem/cargo/manifest.hpp"
#include "os/file.hpp"

namespace liftlock::cargo {
namespace {

constexpr std::size_t k_max_files = 2'000'000;
constexpr std::size_t k_max_checksums = 16u << 20;
constexpr std::size_t k_block = 256u << 10;
constexpr std::string_view k_checksums = ".cargo-checksum.json", k_manifest = "Cargo.toml";
constexpr std::string_view k_lock = "Cargo.lock", k_vendor = "vendor/";

struct Checksums {
  std::map<std::string, std::string, std::less<>> files;
  std::optional<std::string> package;  ///< nullopt: from git
};

Checksums parse_checksums(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = k_max_checksums});
  Checksums out;
  for (const auto& [path, digest] : object_member(json, "files", k_checksums).items()) {
    if (!digest.is_string()) fail(ErrorCode::schema_violation, "it has a digest that is no text");
    out.files.emplace(path, digest.get<std::string>());
  }
  if (const auto package = json.find("package"); package != json.end() && !package->is_null()) {
    out.package = string_member(json, "package", k_checksums);
  }
  return out;
}

}  // namespace

TarSink VendorCheck::file(std::string_view path, std::uint64_t size) {
  end_file();
  if (++m_files > k_max_files) fail(ErrorCode::limit_exceeded, "the tree has more than {} files", k_max_files);
  m_path = path;
  m_open = true;
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return [](auto) {};
  auto& crate = m_crates[std::string(path.substr(0, slash))];
  const auto below = path.substr(slash + 1);
  auto* kept = below == k_checksums ? &crate.checksums : below == k_manifest ? &crate.manifest : nullptr;
  if (kept != nullptr) {
    if (size > k_max_checksums) fail(ErrorCode::limit_exceeded, "'{}' is too large", printable(path));
    kept->emplace();
  }
  return [this, kept](std::span<const std::uint8_t> bytes) {
    m_hasher.update(bytes);
    if (kept != nullptr) **kept += as_text(bytes);
  };
}

void VendorCheck::end_file() {
  if (!std::exchange(m_open, false)) return;
  const auto digest = m_hasher.finish();
  const auto slash = m_path.find('/');
  if (slash == std::string::npos) {
    m_stray.push_back(m_path);
  } else {
    m_crates[m_path.substr(0, slash)].files.insert_or_assign(m_path.substr(slash + 1), digest);
  }
}

void VendorCheck::judge(const std::string& folder, const Crate& crate, Names& names, const LockFile* lock,
                        VendorReport& report) {
  const auto problem = [&](ErrorCode code, const std::string& whose, std::string message) {
    report.problems.push_back({code, printable(whose), printable(message)});
  };
  if (!crate.checksums || !crate.manifest) {
    problem(ErrorCode::missing_file, folder,
            fmt::format("the folder has no {}", crate.manifest ? k_checksums : k_manifest));
    return;
  }
  Manifest manifest;
  Checksums checksums;
  try {
    manifest = parse_manifest(*crate.manifest);
    checksums = parse_checksums(*crate.checksums);
  } catch (const Error& error) {
    problem(ErrorCode::package_malformed, folder, error.what());
    return;
  }
  const auto shown = manifest.name + " " + manifest.version;
  const LockedPackage* package = nullptr;
  if (lock == nullptr) {
    if (!names.emplace(shown, nullptr).second) {
      problem(ErrorCode::extra_file, folder, fmt::format("{} is there twice", shown));
      return;
    }
  } else if (const auto found = names.find(shown); found != names.end()) {
    package = found->second;
    names.erase(found);
  } else {
    problem(ErrorCode::extra_file, folder, fmt::format("{} is not in Cargo.lock, or is there twice", shown));
    return;
  }
  const auto before = report.problems.size();
  if (package == nullptr || !package->checksum) {
    report.unproven.push_back(shown);
  } else if (checksums.package != package->checksum->hex()) {
    problem(ErrorCode::digest_mismatch, shown,
            fmt::format("{} says that it came from a .crate of {}, Cargo.lock wants {}", k_checksums,
                        checksums.package.value_or("git"), package->checksum->hex()));
  }
  for (const auto& [path, stated] : checksums.files) {
    const auto file = crate.files.find(path);
    if (file == crate.files.end()) {
      problem(ErrorCode::missing_file, shown, fmt::format("'{}' is missing", path));
    } else if (file->second.hex() != stated) {
      problem(ErrorCode::digest_mismatch, shown, fmt::format("'{}' was changed", path));
    }
  }
  for (const auto& [path, digest] : crate.files) {
    if (path != k_checksums && checksums.files.count(path) == 0) {
      problem(ErrorCode::extra_file, shown, fmt::format("'{}' is not in {}", path, k_checksums));
    }
  }
  if (report.problems.size() == before) ++report.crates;
}

VendorReport VendorCheck::finish(const LockFile& lock) {
  return finish(&lock);
}
VendorReport VendorCheck::finish() {
  return finish(nullptr);
}

VendorReport VendorCheck::finish(const LockFile* lock) {
  end_file();
  VendorReport out;
  out.files = m_files;
  Names names;  // with a lock: what is still wanted; without: what was there
  if (lock != nullptr) {
    for (const auto& package : lock->packages) {
      if (!package.source.empty()) names.emplace(package.shown(), &package);
    }
  }
  for (const auto& path : m_stray) {
    out.problems.push_back({ErrorCode::extra_file, printable(path), "it belongs to no crate"});
  }
  for (const auto& [folder, crate] : m_crates) judge(folder, crate, names, lock, out);
  if (lock != nullptr) {
    for (const auto& [shown, package] : names) {
      out.problems.push_back({ErrorCode::missing_file, shown, "Cargo.lock names it, and the tree lacks it"});
    }
  }
  std::stable_sort(out.problems.begin(), out.problems.end(),
                   [](const auto& a, const auto& b) { return a.crate < b.crate; });
  return out;
}

VendorReport check_vendor_folder(const fs::path& folder, const LockFile& lock) {
  if (!fs::is_directory(folder)) {
    throw Error(ErrorCode::not_found, fmt::format("there is no folder '{}'", printable(folder.string())),
                "make it with `cargo vendor --locked` in the workspace");
  }
  VendorCheck check;
  std::vector<VendorProblem> irregular;
  std::vector<std::uint8_t> block(k_block);
  for (const auto& entry : walk(folder, k_max_files)) {
    if (S_ISDIR(entry.status.st_mode)) continue;
    if (!S_ISREG(entry.status.st_mode)) {
      irregular.push_back({ErrorCode::not_regular, printable(entry.path.substr(0, entry.path.find('/'))),
                           fmt::format("'{}' is a link or a special file", printable(entry.path))});
      continue;
    }
    const auto fd = open_file(folder / entry.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    auto left = regular_size(fd.get(), entry.path);
    const auto sink = check.file(entry.path, left);
    for (std::uint64_t offset = 0; left > 0;) {
      const std::span part(block.data(), std::min<std::uint64_t>(block.size(), left));
      if (!pread_exact(fd.get(), part, offset, entry.path)) {
        fail(ErrorCode::io_error, "'{}' changed while it was read", printable(entry.path));
      }
      sink(part);
      offset += part.size();
      left -= part.size();
    }
  }
  auto out = check.finish(lock);
  out.problems.insert(out.problems.end(), irregular.begin(), irregular.end());
  return out;
}

VendorReport check_vendor_archive(int fd, WithLock with_lock) {
  VendorCheck check;
  std::optional<std::string> lock;
  // What was vendored is packed without compression: nothing in it unpacks to more than the tar.
  read_tar(fd, "the tree", {.entries = k_max_files, .ratio = 1, .free_size = 0}, [&](const TarEntry& entry) -> TarSink {
    if (entry.is_folder) return {};
    if (with_lock == WithLock::yes && entry.name == k_lock && !lock && entry.size <= k_max_lock_file) {
      lock.emplace();
      return [&](std::span<const std::uint8_t> bytes) { *lock += as_text(bytes); };
    }
    if (!entry.name.starts_with(k_vendor)) {
      fail(ErrorCode::package_malformed, "the tree has an entry '{}' beside {}vendor/",
           printable(entry.name.substr(0, 200)), with_lock == WithLock::yes ? "Cargo.lock and " : "");
    }
    return check.file(std::string_view(entry.name).substr(k_vendor.size()), entry.size);
  });
  if (with_lock == WithLock::no) return check.finish();
  if (!lock) fail(ErrorCode::package_malformed, "the tree has no Cargo.lock");
  try {
    return check.finish(parse_lock_file(*lock));
  } catch (const Error& error) {
    fail(ErrorCode::package_malformed, "{}", error.what());
  }
}

}  // namespace liftlock::cargo
