#include "ecosystem/npm/collector.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/npm/client_config.hpp"
#include "ecosystem/npm/inspector.hpp"
#include "ecosystem/npm/install_check.hpp"
#include "ecosystem/npm/package_lock.hpp"
#include "ecosystem/npm/package_name.hpp"
#include "ecosystem/source_files.hpp"
#include "fetch/worker_pool.hpp"
#include "os/file.hpp"
#include "os/parallel.hpp"

namespace liftlock::npm {
namespace {

constexpr std::uint64_t k_max_lock = 128u << 20;
/// Of one kind; a tree of a thousand packages says it a few times, and each package keeps its facts and its evidence.
constexpr std::size_t k_max_notes = 20;

constexpr std::array k_keys{
    KeySpec{.name = "lock",
            .required = true,
            .doc = "The project's package-lock.json or npm-shrinkwrap.json (lockfileVersion 2 or 3).",
            .example = R"("package-lock.json")"},
    KeySpec{.name = "platforms",
            .type = ValueType::strings,
            .doc =
                "For which machines optional packages are taken; the stack's platform when absent, [\"all\"] for every "
                "one.",
            .example = R"(["linux/amd64", "linux/arm64"])"},
    KeySpec{.name = "omit",
            .type = ValueType::strings,
            .doc = "Kinds of packages that stay behind, as in `npm ci --omit`: dev, optional, peer. By default none.",
            .example = R"(["dev"])"},
    KeySpec{.name = "registry",
            .doc = "Registry to take the tarballs from, in place of those that the lock names; by default npm's own "
                   "configuration decides.",
            .example = R"("https://registry.example/npm/")"},
};

/// Notes of one kind, the first few in full.
class Notes {
 public:
  void add(std::string text) {
    if (m_texts.size() < k_max_notes) m_texts.push_back(std::move(text));
    ++m_count;
  }
  void add_to(std::vector<std::string>& out, std::string_view rest) const {
    out.insert(out.end(), m_texts.begin(), m_texts.end());
    if (m_count > m_texts.size()) out.push_back(fmt::format("… and {} more {}", m_count - m_texts.size(), rest));
  }

 private:
  std::vector<std::string> m_texts;
  std::size_t m_count = 0;
};

struct Omit {
  bool dev = false, optional = false, peer = false;

  explicit Omit(const StackEntry& entry) {
    for (const auto& kind : entry.texts("omit")) {
      if (kind != "dev" && kind != "optional" && kind != "peer") {
        throw Error(ErrorCode::stack_invalid, fmt::format("{}: '{}' cannot be omitted", entry.where(), printable(kind)),
                    "omit takes dev, optional and peer");
      }
      (kind == "dev" ? dev : kind == "optional" ? optional : peer) = true;
    }
  }
  bool leaves_out(const LockedPackage& package) const {
    return (dev && package.dev) || (optional && package.optional) || (peer && package.peer) ||
           (dev && optional && package.dev_optional);
  }
};

/// Empty: every platform.
std::vector<NodePlatform> platforms_of(const StackEntry& entry, const std::string& of_stack) {
  auto texts = entry.texts("platforms");
  if (texts.empty()) texts.push_back(of_stack);
  std::vector<NodePlatform> out;
  if (texts.size() == 1 && texts[0] == "all") return out;
  for (const auto& text : texts) out.push_back(NodePlatform::of(text, entry.where()));
  return out;
}

/// Its .npmrc counts.
fs::path project_of(const StackEntry& entry, const CollectContext& context) {
  return fs::absolute(stack_path(entry.text("lock"), context.stack_folder)).parent_path();
}

/// An exact match with what a lock held: the same name, version and stated digest.
const Artifact* known_before(const CollectContext& context, const LockedPackage& package) {
  if (!package.integrity || !package.integrity->digest) return nullptr;
  for (const auto& artifact : context.before) {
    if (artifact.kind != k_kind || artifact.name != package.name || artifact.version != package.version) continue;
    for (const auto& evidence : artifact.files[0].evidence) {
      if (evidence.type == "lock-hash" && evidence.details.value("integrity", "") == package.integrity_text &&
          context.store.contains(artifact.files[0].digest)) {
        return &artifact;
      }
    }
  }
  return nullptr;
}

class Resolution {
 public:
  Resolution(const StackEntry& entry, CollectContext& context)
      : m_entry(entry), m_context(context), m_lock_name(entry.text("lock")) {}

  Collected run() {
    const auto file = stack_path(m_lock_name, m_context.stack_folder);
    if (!fs::exists(file)) {
      throw Error(ErrorCode::stack_invalid,
                  fmt::format("{}: '{}' does not exist", m_entry.where(), printable(m_lock_name)),
                  "name the project's package-lock.json; `npm install --package-lock-only` makes one");
    }
    m_lock = parse_package_lock(read_file(file, k_max_lock), m_lock_name);
    Notes elsewhere;
    for (auto& note : m_lock.notes) elsewhere.add(std::move(note));
    select();
    find_urls();
    fetch();
    finish_artifacts();
    Collected out;
    elsewhere.add_to(out.notes, "that are folders or files of the project");
    m_weak.add_to(out.notes, "without a sound digest");
    m_scripts.add_to(out.notes, "with install scripts");
    m_unusual.add_to(out.notes, "from unusual addresses");
    out.artifacts = std::move(m_artifacts);
    return out;
  }

 private:
  void select() {
    const Omit omit(m_entry);
    const auto platforms = platforms_of(m_entry, m_context.platform);
    for (std::size_t i = 0; i < m_lock.packages.size(); ++i) {
      const auto& package = m_lock.packages[i];
      const bool fits = platforms.empty() || std::any_of(platforms.begin(), platforms.end(), [&](const auto& platform) {
                          return is_for(package, platform);
                        });
      // npm passes over optional packages for other machines, and fails where such a one is needed.
      if (omit.leaves_out(package) || (package.optional && !fits)) continue;
      m_chosen.push_back(i);
    }
  }

  void find_urls() {
    auto registry = m_entry.text("registry");
    if (!registry.empty()) {
      if (!is_url(registry))
        fail(ErrorCode::stack_invalid, "{}: the registry '{}' is no URL", m_entry.where(), registry);
      refuse_credentials(registry, m_entry.where());
      if (!registry.ends_with('/')) registry += '/';
    }
    auto config = ClientConfig::read(project_of(m_entry, m_context), m_context.scratch);
    if (registry.empty()) {
      const bool needed = std::any_of(m_chosen.begin(), m_chosen.end(), [&](auto index) {
        return config.needs_default_registry(m_lock.packages[index].resolved);
      });
      if (needed) config.ask_default_registry(m_context.scratch);
    } else {
      config.registry = registry;
      config.replace_registry_host = "always";
      config.scopes.clear();
    }
    for (const auto index : m_chosen) {
      const auto& package = m_lock.packages[index];
      auto url = config.tarball_url(package.name, package.version, package.resolved);
      refuse_credentials(url, m_entry.where());
      if (url.find("/" + package.name + "/-/") == std::string::npos) {
        m_unusual.add(
            fmt::format("{}@{} is at {}, which is not how registries name tarballs: where npm asks the mirror for "
                        "that address, write the lock anew with --omit-lockfile-registry-resolved",
                        package.name, package.version, printable(url)));
      }
      m_urls.push_back(std::move(url));
    }
    m_credentials = std::make_shared<const Credentials>(std::move(config.credentials));
  }

  void fetch() {
    std::vector<FetchJob> jobs;
    std::vector<std::size_t> owners;
    m_contents.resize(m_chosen.size());
    m_before.resize(m_chosen.size());
    for (std::size_t i = 0; i < m_chosen.size(); ++i) {
      const auto& package = m_lock.packages[m_chosen[i]];
      if (const auto* before = known_before(m_context, package)) {
        m_before[i] = before;
        m_contents[i] = FetchResult{before->files[0].digest, before->files[0].size};
        continue;
      }
      owners.push_back(i);
      jobs.push_back({.title = tarball_name(package.name, package.version),
                      .digest = {},
                      .size = {},
                      .url = m_urls[i],
                      .headers = [all = m_credentials, url = m_urls[i]] { return all->headers_for(url); },
                      .produce = {},
                      .also = package.integrity ? package.integrity->digest : std::nullopt});
    }
    m_made.resize(m_chosen.size());
    m_failures.resize(m_chosen.size());
    WorkerPool looking(usable_cores());
    const auto look = [&](std::size_t i) { looking.post([this, i] { make_artifact(i); }); };
    for (std::size_t i = 0; i < m_chosen.size(); ++i) {
      if (m_before[i] != nullptr) look(i);
    }
    m_context.downloader.fetch(jobs, [&](std::size_t job, const FetchResult& result) {
      m_contents[owners[job]] = result;
      look(owners[job]);
    });
    looking.finish();
    // Whatever was done first, the first of the lock is named.
    for (const auto& failure : m_failures) {
      if (failure) std::rethrow_exception(failure);
    }
  }

  /// On a thread of its own for each core, while other tarballs are on their way.
  void make_artifact(std::size_t i) {
    try {
      m_made[i] = artifact_of(i);
    } catch (...) {
      m_failures[i] = std::current_exception();
    }
  }

  void finish_artifacts() {
    auto made = std::move(m_made);
    std::vector<std::string> ids(m_lock.packages.size());
    for (std::size_t i = 0; i < m_chosen.size(); ++i) ids[m_chosen[i]] = made[i].id();
    for (std::size_t i = 0; i < m_chosen.size(); ++i) {
      for (const auto need : m_lock.packages[m_chosen[i]].needs) {
        if (!ids[need].empty()) made[i].needs.push_back(ids[need]);
      }
      std::sort(made[i].needs.begin(), made[i].needs.end());
      remark(m_lock.packages[m_chosen[i]], made[i]);
    }
    std::sort(made.begin(), made.end(), [](const Artifact& a, const Artifact& b) { return a.id() < b.id(); });
    m_artifacts = std::move(made);
  }

  Artifact artifact_of(std::size_t i) const {
    const auto& package = m_lock.packages[m_chosen[i]];
    Artifact out{.kind = std::string(k_kind), .name = package.name, .version = package.version};
    out.files.push_back({RelPath::parse(path_in_bundle(package.name, package.version)),
                         m_contents[i]->size,
                         m_contents[i]->digest,
                         m_urls[i],
                         {evidence_of(package)}});
    if (m_before[i] != nullptr) {
      out.facts = m_before[i]->facts;
      out.license = m_before[i]->license;
    } else {
      auto inspection = m_context.inspect(out);
      if (!inspection.findings.empty()) {
        const auto& finding = inspection.findings[0];
        throw Error(finding.code, fmt::format("{} from {}: {}", out.id(), m_urls[i], finding.message));
      }
      if (package.integrity && !package.integrity->sha1.empty() &&
          inspection.facts.value(k_fact_shasum, "") != package.integrity->sha1) {
        throw Error(ErrorCode::digest_mismatch,
                    fmt::format("{} from {} has the SHA-1 {}, the lock states {}", out.id(), m_urls[i],
                                inspection.facts.value(k_fact_shasum, ""), package.integrity->sha1));
      }
      out.facts = std::move(inspection.facts);
      out.license = object_member(out.facts, k_fact_manifest, out.id()).value("license", "");
    }
    if (package.deprecated.empty()) {
      out.facts.erase("deprecated");
    } else {
      out.facts["deprecated"] = package.deprecated;
    }
    return out;
  }

  Evidence evidence_of(const LockedPackage& package) const {
    if (!package.integrity) return first_use_evidence();
    return {"lock-hash", {{"lock", m_lock_name}, {"integrity", package.integrity_text}}};
  }

  void remark(const LockedPackage& package, const Artifact& artifact) {
    if (!package.integrity) {
      m_weak.add(fmt::format("{} has no digest in the lock: it is believed on first use", artifact.id()));
    } else if (!package.integrity->digest) {
      m_weak.add(fmt::format("the lock states only the SHA-1 of {}, which can be forged", artifact.id()));
    }
    if (const auto scripts = artifact.facts.find("install_scripts"); scripts != artifact.facts.end()) {
      std::string list;
      for (const auto& [name, command] : scripts->items()) {
        const auto words = command.is_string() ? command.get<std::string>() : std::string();
        list += fmt::format("{}{}: {}", list.empty() ? "" : "; ", name, printable(words.substr(0, 100)));
      }
      m_scripts.add(fmt::format("{} runs code where it is installed ({})", artifact.id(), list));
    }
  }

  const StackEntry& m_entry;
  CollectContext& m_context;
  std::string m_lock_name;
  PackageLock m_lock;
  std::vector<std::size_t> m_chosen;  ///< indexes of the lock's packages; what follows has one element for each
  std::vector<std::string> m_urls;
  std::vector<const Artifact*> m_before;
  std::vector<std::optional<FetchResult>> m_contents;
  std::vector<Artifact> m_made;
  std::vector<std::exception_ptr> m_failures;
  std::shared_ptr<const Credentials> m_credentials;
  std::vector<Artifact> m_artifacts;
  Notes m_weak, m_scripts, m_unusual;
};

}  // namespace

std::string_view PackageCollector::table() const {
  return "npm";
}
std::string_view PackageCollector::summary() const {
  return "npm packages: the tarballs of a package-lock.json";
}
std::span<const KeySpec> PackageCollector::keys() const {
  return k_keys;
}

std::vector<fs::path> PackageCollector::input_files(const StackEntry& entry, const fs::path& stack_folder) const {
  const auto lock = entry.text("lock");
  return {lock.starts_with("~/") ? stack_path(lock, stack_folder) : fs::path(lock)};
}

Collected PackageCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  return Resolution(entry, context).run();
}

std::vector<FetchJob> PackageCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                             CollectContext& context) const {
  auto jobs = Collector::plan(artifact, entry, context);
  if (jobs.empty()) return jobs;
  const auto project = project_of(entry, context);
  const std::lock_guard lock(m_mutex);
  auto known = m_credentials.find(project);
  if (known == m_credentials.end()) {
    known = m_credentials.emplace(project, ClientConfig::read(project, context.scratch).credentials).first;
  }
  for (auto& job : jobs) {
    job.headers = [credentials = known->second, url = job.url] { return credentials.headers_for(url); };
  }
  return jobs;
}

CheckResult PackageCollector::check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                                    CollectContext& context) const {
  auto platforms = platforms_of(entry, context.platform);
  if (platforms.empty()) platforms.push_back(NodePlatform::of(context.platform, entry.where()));
  return check_install(entry, project_of(entry, context), artifacts, platforms, context);
}

}  // namespace liftlock::npm
