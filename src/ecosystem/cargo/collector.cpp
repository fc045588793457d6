#include "ecosystem/cargo/collector.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/cargo/cargo_client.hpp"
#include "ecosystem/cargo/crate_file.hpp"
#include "ecosystem/cargo/crate_name.hpp"
#include "ecosystem/cargo/fetch_check.hpp"
#include "ecosystem/cargo/lock_file.hpp"
#include "ecosystem/cargo/registry_config.hpp"
#include "ecosystem/cargo/vendor_archive.hpp"
#include "ecosystem/cargo/vendor_tree.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"
#include "os/parallel.hpp"

namespace liftlock::cargo {
namespace {

constexpr std::array k_keys = {
    KeySpec{"lock", ValueType::string, true,
            "A Cargo.lock, relative to the stack file; every crate that it names is taken.", "\"app/Cargo.lock\""},
    KeySpec{"index", ValueType::string, false,
            "Address of a sparse registry to take them from, without asking cargo; by default `cargo fetch` does it, "
            "with the user's own configuration.",
            "\"https://crates.example/index/\""},
    KeySpec{
        "vendor", ValueType::string, false,
        "A folder that `cargo vendor` made of this lock: it is compared with the lock and carried as one tar, instead "
        "of crates for the mirror.",
        "\"app/vendor\""},
    KeySpec{"build", ValueType::boolean, false,
            "`liftlock check` also builds the workspace where it lies, without a network, into a folder that is thrown "
            "away; default false.",
            "true"},
};

struct Crate {
  const LockedPackage* package;
  std::string filename;
  std::string origin;
  std::uint64_t size = 0;
};

/// The crates of registries, in the lock's order; refused what one registry could not serve.
std::vector<Crate> crates_of(const LockFile& lock, const std::string& where) {
  std::vector<Crate> out;
  std::map<std::string, const LockedPackage*> by_key;
  for (const auto& package : lock.packages) {
    if (!package.is_of_registry()) continue;
    const auto key = collision_key(package.name) + " " + package.version;
    if (const auto [other, is_new] = by_key.emplace(key, &package); !is_new) {
      throw Error(ErrorCode::unresolvable,
                  fmt::format("{}: {} of {} and {} of {} would be one crate of the mirror", where,
                              other->second->shown(), other->second->source, package.shown(), package.source),
                  "a mirror serves one registry: rename one of them, or lock them in two stacks");
    }
    out.push_back({&package, crate_file_name(package.name, package.version), {}});
  }
  return out;
}

std::string vendor_file_name(const StackEntry& entry) {
  return fs::path(vendor_path(portable_component(entry.name))).filename();
}

class Resolution {
 public:
  Resolution(const StackEntry& entry, CollectContext& context)
      : m_entry(entry), m_context(context), m_path(stack_path(entry.text("lock"), context.stack_folder)) {}

  Collected run() {
    const auto text = read_file(m_path, k_max_lock_file);
    m_lock_digest = sha256(text).hex();
    m_lock = with_context(m_entry.where(), [&] { return parse_lock_file(text); });
    if (const auto vendor = m_entry.text("vendor"); !vendor.empty()) {
      return vendored(stack_path(vendor, m_context.stack_folder), text);
    }
    m_crates = crates_of(m_lock, m_entry.where());
    if (const auto index = m_entry.text("index"); !index.empty()) {
      download(index);
    } else if (!m_crates.empty()) {
      let_cargo_download();
    }
    Collected out;
    out.artifacts.resize(m_crates.size());
    parallel_for(m_crates.size(), [&](std::size_t i) { out.artifacts[i] = artifact_of(m_crates[i]); });
    std::sort(out.artifacts.begin(), out.artifacts.end(),
              [](const Artifact& a, const Artifact& b) { return a.id() < b.id(); });
    // Without the address, which may hold a password: the lock is read by others.
    for (const auto& one : git_sources(m_lock)) {
      m_notes.push_back(fmt::format(
          "{}: {} from git at {} are not among the crates, for Cargo.lock states no checksum; `liftlock check` "
          "says which repository brings them",
          m_entry.where(), fmt::join(one.crates, ", "), one.commit.substr(0, 12)));
    }
    if (m_crates.empty())
      m_notes.push_back(fmt::format("{}: Cargo.lock names no crate of a registry", m_entry.where()));
    out.notes = std::move(m_notes);
    return out;
  }

 private:
  Collected vendored(const fs::path& folder, std::string_view lock) {
    const auto report = with_context(m_entry.where(), [&] { return check_vendor_folder(folder, m_lock); });
    if (!report.problems.empty()) {
      const auto& first = report.problems[0];
      throw Error(first.code,
                  fmt::format("{}: {}: {}{}", m_entry.where(), first.crate, first.message,
                              report.problems.size() == 1
                                  ? ""
                                  : fmt::format("; and {} more", counted(report.problems.size() - 1, "problem"))),
                  "`liftlock vendor check cargo` lists all; `cargo vendor --locked` makes the folder anew");
    }
    const auto at = m_context.scratch / vendor_file_name(m_entry);
    write_vendor_archive(folder, lock, open_file(at, O_WRONLY | O_CREAT | O_TRUNC, 0600).get());
    const std::array files = {LocalFile{vendor_file_name(m_entry), at, {}}};
    const auto taken = take_local_files(m_context, "lock-cargo-" + portable_component(m_entry.name), files)[0];
    fs::remove(at);
    Artifact out{.kind = std::string(k_vendor_kind),
                 .name = portable_component(m_entry.name),
                 .version = taken.digest.hex().substr(0, 12)};
    out.facts["crates"] = report.crates;
    // The lock proves .crate files; of an unpacked tree only its own list of checksums speaks.
    Evidence evidence = first_use_evidence();
    evidence.details["names_as_in"] = "Cargo.lock";
    evidence.details["lock_sha256"] = m_lock_digest;
    evidence.details["crates"] = report.crates;
    out.files.push_back(
        {RelPath::parse(vendor_path(out.name)), taken.size, taken.digest, m_entry.text("vendor"), {evidence}});
    Collected collected{.artifacts = {std::move(out)}, .notes = {}};
    for (const auto& crate : report.unproven) {
      collected.notes.push_back(fmt::format("{} comes from git: Cargo.lock states no checksum of it", crate));
    }
    return collected;
  }

  void download(std::string index) {
    if (index.starts_with("sparse+")) index = index.substr(7);
    if (!index.ends_with('/')) index += '/';
    refuse_credentials(index, m_entry.where());
    const auto config =
        parse_registry_config(m_context.downloader.get({.url = index + "config.json", .max_bytes = 1u << 20}).body);
    if (config.needs_login) {
      throw Error(ErrorCode::unresolvable, fmt::format("{}: the registry at {} wants a login", m_entry.where(), index),
                  "leave `index` out: then cargo asks it, with its own credentials");
    }
    std::vector<FetchJob> jobs;
    for (auto& crate : m_crates) {
      const auto& package = *crate.package;
      crate.origin = config.download_url(package.name, package.version, *package.checksum);
      jobs.push_back({.title = crate.filename,
                      .digest = package.checksum,
                      .size = {},
                      .url = crate.origin,
                      .headers = {},
                      .produce = {}});
    }
    const auto results = m_context.downloader.fetch(jobs);
    for (std::size_t i = 0; i < results.size(); ++i) m_crates[i].size = results[i].size;
  }

  void let_cargo_download() {
    const auto home = m_context.scratch / ("cargo-" + portable_component(m_entry.name));
    fs::create_directory(home);
    const auto downloads =
        with_context(m_entry.where(), [&] { return fetch_crates(fs::absolute(m_path).parent_path(), home); });
    std::vector<LocalFile> files;
    for (auto& crate : m_crates) {
      const auto found = downloads.crates.find(crate.filename);
      if (found == downloads.crates.end()) {
        throw Error(ErrorCode::unresolvable,
                    fmt::format("{}: cargo has {} without downloading it: its configuration replaces the registry by a "
                                "folder",
                                m_entry.where(), crate.package->shown()),
                    "name a sparse registry with `index`");
      }
      files.push_back({crate.filename, found->second.at, crate.package->checksum});
      const auto registry = downloads.registries.find(found->second.registry_folder);
      // An index in git keeps its config.json where we do not look; the store has the bytes from here on.
      crate.origin =
          registry == downloads.registries.end()
              ? crate.package->source
              : registry->second.download_url(crate.package->name, crate.package->version, *crate.package->checksum);
    }
    const auto taken = take_local_files(m_context, "lock-cargo-" + portable_component(m_entry.name), files);
    for (std::size_t i = 0; i < taken.size(); ++i) m_crates[i].size = taken[i].size;
    remove_tree(home);
  }

  Artifact artifact_of(const Crate& crate) const {
    const auto& package = *crate.package;
    const auto fd = m_context.store.open(*package.checksum);
    const auto content =
        with_context(package.shown(), [&] { return check_crate(fd.get(), package.name, package.version); });
    Artifact out{.kind = "crate", .name = package.name, .version = package.version};
    out.license = printable(content.manifest.license);
    out.facts["registry"] = package.source;
    for (const auto index : package.dependencies) {
      const auto& other = m_lock.packages[index];
      if (other.is_of_registry()) out.needs.push_back(fmt::format("crate:{}@{}", other.name, other.version));
    }
    std::sort(out.needs.begin(), out.needs.end());
    Evidence evidence{.type = "lock-hash", .details = Json::object()};
    evidence.details["lock"] = "Cargo.lock";
    evidence.details["lock_sha256"] = m_lock_digest;
    evidence.details["sha256"] = package.checksum->hex();
    out.files.push_back(
        {RelPath::parse("packages/cargo/" + crate.filename), crate.size, *package.checksum, crate.origin, {evidence}});
    return out;
  }

  const StackEntry& m_entry;
  CollectContext& m_context;
  fs::path m_path;
  std::string m_lock_digest;
  LockFile m_lock;
  std::vector<Crate> m_crates;
  std::vector<std::string> m_notes;
};

}  // namespace

std::string_view CargoCollector::table() const {
  return "cargo";
}
std::string_view CargoCollector::summary() const {
  return "Rust crates: all that a Cargo.lock names, with the checksums that stand there";
}
std::span<const KeySpec> CargoCollector::keys() const {
  return k_keys;
}

std::vector<fs::path> CargoCollector::input_files(const StackEntry& entry, const fs::path& stack_folder) const {
  // As the stack writes it, so that the declaration is the same wherever the stack lies.
  const auto lock = entry.text("lock");
  return {lock.starts_with('~') ? stack_path(lock, stack_folder) : fs::path(lock)};
}

Collected CargoCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  return Resolution(entry, context).run();
}

std::vector<FetchJob> CargoCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                           CollectContext& context) const {
  auto jobs = Collector::plan(artifact, entry, context);
  if (artifact.kind == k_vendor_kind) {
    for (auto& job : jobs) {
      job.url.clear();
      job.produce = [folder = stack_path(entry.text("vendor"), context.stack_folder),
                     lock = stack_path(entry.text("lock"), context.stack_folder)](int out) {
        write_vendor_archive(folder, read_file(lock, k_max_lock_file), out);
      };
    }
    return jobs;
  }
  for (const auto& job : jobs) {
    if (is_url(job.url) && !job.url.starts_with("registry+") && !job.url.starts_with("sparse+")) continue;
    throw Error(ErrorCode::unresolvable,
                fmt::format("{}: {} was downloaded by cargo from a registry whose address is not in the lock",
                            entry.where(), job.title),
                fmt::format("lock again here: `liftlock lock --update {}.{}`", entry.table, entry.name));
  }
  return jobs;
}

CheckResult CargoCollector::check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                                  CollectContext& context) const {
  return check_fetch(entry, fs::absolute(stack_path(entry.text("lock"), context.stack_folder)), artifacts, context);
}

}  // namespace liftlock::cargo
