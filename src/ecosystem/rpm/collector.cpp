#include "ecosystem/rpm/collector.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/rpm/inspector.hpp"
#include "ecosystem/rpm/package_signature.hpp"
#include "ecosystem/rpm/repository.hpp"
#include "ecosystem/rpm/resolver.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock::rpm {
namespace {

constexpr std::uint64_t k_max_key = 1u << 20;

constexpr std::array<KeySpec, 9> k_keys = {{
    {"url", ValueType::string, true, "Address of the repository: what repodata/repomd.xml is below.",
     "\"https://repo.example/el9/x86_64\""},
    {"packages", ValueType::strings, true,
     "What is wanted, as dnf reads it: NAME, NAME-VERSION, NAME.ARCH; what these need and recommend comes along.",
     "[\"tool\", \"lib-1.2\"]"},
    {"key", ValueType::string, true,
     "The publishers' OpenPGP public keys, armored, in one file: they must have signed the packages and, where it is "
     "signed, repomd.xml.",
     "\"keys/vendor.asc\""},
    {"with", ValueType::strings, false,
     "Further repositories, signed by keys of the same file, that what is needed may come from.",
     "[\"https://mirror.example/el9/BaseOS/x86_64/os\"]"},
    {"architecture", ValueType::string, false, "rpm's name of it; by default that of the stack's platform.",
     "\"x86_64\""},
    {"dependencies", ValueType::boolean, false,
     "Take what the packages need, too; true by default. Without it what is missing must be on the machines already.",
     "false"},
    {"signed_index", ValueType::boolean, false, "Refuse a repository whose repomd.xml is not signed; false by default.",
     "true"},
    {"unsigned_packages", ValueType::boolean, false,
     "Accept packages without a signature of their own where the signed repomd.xml leads to them; false by default.",
     "true"},
    {"evidence", ValueType::boolean, false,
     "Carry the signed indexes that prove each package's digest; true by default.", "false"},
}};

class Resolution {
 public:
  Resolution(const StackEntry& entry, CollectContext& context)
      : m_entry(entry),
        m_context(context),
        m_native(entry.text("architecture").empty() ? rpm_architecture(context.platform) : entry.text("architecture")) {
  }

  Collected run() {
    read_key();
    auto urls = m_entry.texts("with");
    urls.insert(urls.begin(), m_entry.text("url"));
    const TemporaryFolder folder("dnf", m_context.scratch);
    const auto scratch = fs::canonical(folder.path());
    for (auto& url : urls) {
      const auto own = scratch / fmt::format("r{}", m_repositories.size());
      m_repositories.push_back(load_repository(std::move(url), m_entry, m_context, m_keyring, own, m_out.notes));
    }
    const auto wanted = m_entry.texts("packages");
    if (wanted.empty()) fail(ErrorCode::stack_invalid, "{}: 'packages' is empty", m_entry.where());
    take(resolve_with_dnf(m_repositories, wanted, m_native,
                          m_entry.flag("dependencies", true) ? Dependencies::take : Dependencies::leave, scratch));
    add_needs();
    m_out.artifacts.push_back(key_artifact());
    std::sort(m_out.artifacts.begin(), m_out.artifacts.end(),
              [](const auto& a, const auto& b) { return a.id() < b.id(); });
    check_names();
    return std::move(m_out);
  }

 private:
  void read_key() {
    m_key_text = read_file(stack_path(m_entry.text("key"), m_context.stack_folder), k_max_key);
    if (m_key_text.find("-----BEGIN PGP PUBLIC KEY BLOCK-----") == std::string::npos ||
        m_key_text.find("PRIVATE KEY") != std::string::npos) {
      throw Error(ErrorCode::config_invalid,
                  fmt::format("{}: '{}' is no armored OpenPGP public key", m_entry.where(), m_entry.text("key")),
                  "`gpg --armor --export` writes one");
    }
    m_keyring = {binary_keyring(m_key_text, m_entry.text("key")), m_entry.text("key")};
  }

  void take(std::vector<Choice> choices) {
    std::stable_sort(choices.begin(), choices.end(),
                     [](const Choice& a, const Choice& b) { return a.repository < b.repository; });
    struct Taken {
      const Repository* repository;
      const ListedPackage* package;
      const std::string* location;
    };
    std::map<std::string, Taken> taken;  // by id: of two repositories with one package the first counts
    for (const auto& choice : choices) {
      const auto& repository = m_repositories.at(choice.repository);
      const auto found = repository.packages.find(choice.location);
      if (found == repository.packages.end()) {
        throw Error(ErrorCode::unresolvable,
                    fmt::format("{}{} has no SHA-2 in its index, or lies elsewhere", repository.url,
                                printable(choice.location)),
                    "ask the publisher for an index with SHA-256");
      }
      Artifact named{.kind = std::string(k_kind), .name = artifact_name(found->second), .version = found->second.evr};
      taken.try_emplace(named.id(), Taken{&repository, &found->second, &found->first});
    }
    std::vector<FetchJob> jobs;
    for (const auto& [id, one] : taken) {
      jobs.push_back(job_of(file_name_of(*one.location), location_url(one.repository->url, *one.location),
                            one.package->digest, one.package->size));
    }
    const auto fetched = m_context.downloader.fetch(jobs);
    std::set<const Repository*> used;
    std::size_t i = 0;
    for (const auto& [id, one] : taken) {
      with_context("while looking at " + id, [&] {
        m_out.artifacts.push_back(artifact(*one.repository, *one.package, *one.location, fetched[i]));
      });
      ++i;
      used.insert(one.repository);
    }
    if (!m_entry.flag("evidence", true)) return;
    for (const auto& repository : m_repositories) {
      if (used.contains(&repository)) m_out.artifacts.push_back(repository.proof);
    }
  }

  std::string artifact_name(const ListedPackage& package) const {
    const bool foreign = package.architecture != "noarch" && package.architecture != m_native;
    return foreign ? fmt::format("{}.{}", package.name, package.architecture) : package.name;
  }

  Artifact artifact(const Repository& repository, const ListedPackage& package, const std::string& location,
                    const FetchResult& fetched) {
    Artifact out{.kind = std::string(k_kind), .name = artifact_name(package), .version = package.evr};
    out.facts = {{"architecture", package.architecture}};
    out.files.push_back({RelPath::parse("packages/rpm/" + file_name_of(location)),
                         fetched.size,
                         fetched.digest,
                         location_url(repository.url, location),
                         {}});
    const auto inspection = m_context.inspect(out);
    if (!inspection.findings.empty()) throw Error(inspection.findings[0].code, inspection.findings[0].message);
    out.license = string_member_or(inspection.facts, "license", "", out.id());
    for (const auto* key : {k_fact_vendor, k_fact_source}) out.facts[key] = inspection.facts.at(key);
    Json details = {{"repository", repository.url}, {"repomd_sha256", repository.repomd.hex()}};
    if (repository.revision) details["revision"] = *repository.revision;
    auto type = "index-hash";
    if (!repository.signed_by.empty()) {
      type = "rpm-repomd";
      details["signed_by"] = repository.signed_by;
    }
    auto own = own_signature(out, inspection.facts, repository, m_entry, m_context, m_keyring, m_out.notes);
    if (!own) details["exception"] = "no signature of the publisher; accepted by unsigned_packages = true";
    out.files[0].evidence.push_back({type, std::move(details)});
    if (own) out.files[0].evidence.push_back(std::move(*own));
    m_facts[out.id()] = {{"provides", inspection.facts.at("provides")}, {"requires", inspection.facts.at("requires")}};
    return out;
  }

  /// Names only: which version is meant, and what is needed by path or on conditions, dnf alone knows.
  void add_needs() {
    std::map<std::string, std::set<std::string>> providers;
    for (const auto& [id, facts] : m_facts) {
      for (const auto& name : array_member(facts, "provides", id)) providers[name.get<std::string>()].insert(id);
    }
    for (auto& artifact : m_out.artifacts) {
      const auto facts = m_facts.find(artifact.id());
      if (facts == m_facts.end()) continue;
      std::set<std::string> needs;
      for (const auto& name : array_member(facts->second, "requires", artifact.id())) {
        const auto found = providers.find(name.get<std::string>());
        if (found == providers.end() || found->second.contains(artifact.id())) continue;
        needs.insert(*found->second.begin());
      }
      artifact.needs.assign(needs.begin(), needs.end());
    }
  }

  Artifact key_artifact() const {
    const auto digest = m_context.store.put(m_key_text);
    const auto stem = portable_component(fs::path(m_entry.text("key")).stem().string());
    const auto version = digest.hex().substr(0, 16);
    Artifact out{.kind = std::string(k_key_kind), .name = stem, .version = version};
    out.files.push_back({RelPath::parse(fmt::format("{}/{}-{}.asc", k_key_folder, stem, version)),
                         m_key_text.size(),
                         digest,
                         m_entry.text("key"),
                         {stated_evidence("stack")}});
    return out;
  }

  void check_names() const {
    std::map<std::string, const Artifact*> seen;
    for (const auto& one : m_out.artifacts) {
      if (one.kind != k_kind) continue;
      const auto [place, fresh] = seen.emplace(one.files[0].path.case_folded(), &one);
      if (!fresh) fail(ErrorCode::path_collision, "{} and {} have the same file name", place->second->id(), one.id());
    }
  }

  const StackEntry& m_entry;
  CollectContext& m_context;
  std::string m_native;
  std::string m_key_text;
  Keyring m_keyring;
  std::vector<Repository> m_repositories;
  std::map<std::string, Json> m_facts;  ///< what packages provide and require, by id
  Collected m_out;
};

}  // namespace

std::string_view RpmCollector::summary() const {
  return "packages of an RPM repository, with everything they need";
}

std::span<const KeySpec> RpmCollector::keys() const {
  return k_keys;
}

std::vector<fs::path> RpmCollector::input_files(const StackEntry& entry, const fs::path&) const {
  return {entry.text("key")};
}

Collected RpmCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  return with_context("while resolving " + entry.where(), [&] { return Resolution(entry, context).run(); });
}

std::vector<FetchJob> RpmCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                         CollectContext& context) const {
  std::vector<FetchJob> jobs;
  for (const auto& file : artifact.files) {
    if (!context.store.contains(file.digest)) jobs.push_back(job_for(file, entry, context, {}));
  }
  return jobs;
}

std::string rpm_architecture(std::string_view platform) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> k_map = {{{"linux/amd64", "x86_64"},
                                                                                          {"linux/arm64", "aarch64"},
                                                                                          {"linux/arm64/v8", "aarch64"},
                                                                                          {"linux/arm/v7", "armv7hl"},
                                                                                          {"linux/386", "i686"},
                                                                                          {"linux/ppc64le", "ppc64le"},
                                                                                          {"linux/riscv64", "riscv64"},
                                                                                          {"linux/s390x", "s390x"}}};
  for (const auto& [oci, rpm] : k_map) {
    if (oci == platform) return std::string(rpm);
  }
  throw Error(ErrorCode::stack_invalid, fmt::format("the platform '{}' is none that rpm has", printable(platform)),
              "write linux/amd64, linux/arm64, …");
}

}  // namespace liftlock::rpm
