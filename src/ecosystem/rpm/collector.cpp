#include "ecosystem/rpm/collector.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "archive/decompress.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/openpgp.hpp"
#include "ecosystem/rpm/inspector.hpp"
#include "ecosystem/rpm/repository_metadata.hpp"
#include "ecosystem/rpm/resolver.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock::rpm {
namespace {

constexpr std::uint64_t k_max_repomd = 4u << 20;
constexpr std::uint64_t k_max_list = 2ull << 30;  ///< unpacked
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

struct Repository {
  std::string url;                     ///< ends with '/'
  std::vector<std::string> signed_by;  ///< of repomd.xml; empty: unsigned
  Digest repomd;
  std::optional<std::uint64_t> revision;
  ListedIndex primary;
  PackageList packages;
  RepositoryLists lists;
  Artifact proof;
};

std::string location_url(const std::string& base, const std::string& location) {
  // A location with an escape in it is an address already.
  return base + (location.find('%') == std::string::npos ? encode_percent_path(location) : location);
}

std::string file_name_of(const std::string& location) {
  const auto name = location.substr(location.rfind('/') + 1);
  return decode_percent(name).value_or(name);
}

FetchJob job_of(std::string title, const std::string& url, const Digest& digest, std::optional<std::uint64_t> size) {
  FetchJob job{.title = std::move(title), .digest = {}, .size = size, .url = url, .headers = {}, .produce = {}};
  if (digest.algorithm() == DigestAlgorithm::sha256) {
    job.digest = digest;
  } else {
    job.also = digest;
  }
  return job;
}

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
    for (auto& url : urls) m_repositories.push_back(load(std::move(url)));
    const auto wanted = m_entry.texts("packages");
    if (wanted.empty()) fail(ErrorCode::stack_invalid, "{}: 'packages' is empty", m_entry.where());
    std::vector<RepositoryLists> lists;
    for (auto& repository : m_repositories) lists.push_back(std::move(repository.lists));
    const TemporaryFolder folder("dnf", m_context.scratch);
    take(resolve_with_dnf(lists, wanted, m_native,
                          m_entry.flag("dependencies", true) ? Dependencies::take : Dependencies::leave,
                          fs::canonical(folder.path())));
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
    m_keyring = binary_keyring(m_key_text, m_entry.text("key"));
  }

  std::optional<Document> document(const std::string& url, std::uint64_t max_bytes) {
    try {
      auto found = m_context.downloader.get(
          {.url = url, .headers = {}, .max_bytes = max_bytes, .accepted_status = {200, 404, 403}});
      if (found.status != 200) return std::nullopt;
      return found;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::not_found) return std::nullopt;  // file:
      throw;
    }
  }

  /// Whoever answers for the repository cannot take back what the lock has seen of it.
  void refuse_steps_back(const std::string& url, bool is_signed, std::optional<std::uint64_t> revision) const {
    const auto hint = fmt::format("where the publisher did that, remove {} from the lock", m_entry.where());
    for (const auto& artifact : m_context.before) {
      if (artifact.kind != k_kind || artifact.files.size() != 1) continue;
      for (const auto& evidence : artifact.files[0].evidence) {
        const bool was_signed = evidence.type == "rpm-repomd";
        if (!was_signed && evidence.type != "index-hash") continue;
        if (string_member_or(evidence.details, "repository", "", artifact.id()) != url) continue;
        if (was_signed && !is_signed) {
          throw Error(ErrorCode::release_unsigned,
                      fmt::format("{}repodata/repomd.xml has no signature, and was signed when {} was locked", url,
                                  artifact.id()),
                      hint);
        }
        if (!evidence.details.contains("revision") || !revision) continue;
        const auto seen = uint_member(evidence.details, "revision", artifact.id());
        if (*revision < seen) {
          throw Error(ErrorCode::replayed,
                      fmt::format("{}repodata/repomd.xml is older than the one that {} was locked from: revision {}, "
                                  "before it {}",
                                  url, artifact.id(), *revision, seen),
                      hint);
        }
      }
    }
  }

  Repository load(std::string url) {
    if (!is_url(url)) fail(ErrorCode::stack_invalid, "{}: '{}' is no address", m_entry.where(), printable(url));
    refuse_credentials(url, m_entry.where());
    if (!url.ends_with('/')) url += '/';
    const auto at = url + "repodata/repomd.xml";
    const auto text = m_context.downloader.get({.url = at, .headers = {}, .max_bytes = k_max_repomd}).body;
    const auto signature = document(at + ".asc", k_max_repomd);
    std::vector<std::string> signed_by;
    if (signature) {
      const TemporaryFolder folder("repomd", m_context.scratch);
      write_file_atomically(folder.path() / "repomd.xml", text);
      signed_by = verify_detached(folder.path() / "repomd.xml", signature->body, m_keyring, folder.path(), at);
    } else if (m_entry.flag("signed_index", false)) {
      fail(ErrorCode::release_unsigned, "{} has no signature, repomd.xml.asc", at);
    } else {
      m_out.notes.push_back(
          fmt::format("{} is not signed: each package is believed by its own signature, and an index that is old or "
                      "leaves packages out would not be noticed",
                      at));
    }
    const auto revision = repomd_revision(text, at);
    refuse_steps_back(url, !signed_by.empty(), revision);
    auto indexes = parse_repomd(text, at);
    const auto primary = indexes.find("primary");
    if (primary == indexes.end()) fail(ErrorCode::schema_violation, "{} names no primary list with a SHA-2", at);
    Repository out{.url = url,
                   .signed_by = std::move(signed_by),
                   .repomd = m_context.store.put(text),
                   .revision = revision,
                   .primary = primary->second,
                   .packages = {},
                   .lists = {},
                   .proof = {}};
    const auto filelists = indexes.find("filelists");
    std::vector<FetchJob> jobs = {list_job(url, primary->second)};
    if (filelists != indexes.end()) jobs.push_back(list_job(url, filelists->second));
    const auto fetched = m_context.downloader.fetch(jobs);
    out.lists.primary = unpacked(primary->second, fetched[0]);
    if (filelists != indexes.end()) out.lists.filelists = unpacked(filelists->second, fetched[1]);
    out.packages = parse_primary(out.lists.primary, url + primary->second.location);
    out.proof = proof_of(out, text, signature, fetched[0]);
    return out;
  }

  FetchJob list_job(const std::string& url, const ListedIndex& index) const {
    return job_of(index.location, location_url(url, index.location), index.digest, index.size);
  }

  std::string unpacked(const ListedIndex& index, const FetchResult& fetched) const {
    const auto limit = std::min(index.open_size.value_or(k_max_list), k_max_list);
    return decompress(m_context.store.open(fetched.digest).get(), index.location, limit);
  }

  /// What proves the digests of a repository's packages to whoever has the key, without this machine.
  Artifact proof_of(const Repository& repository, const std::string& repomd, const std::optional<Document>& signature,
                    const FetchResult& primary) const {
    const auto version = repository.repomd.hex().substr(0, 16);
    const auto folder = fmt::format("evidence/rpm/{}/", version);
    const auto at = repository.url + "repodata/repomd.xml";
    Artifact out{.kind = std::string(k_index_kind), .name = repository.url, .version = version};
    out.facts = {{"url", repository.url}};
    const auto evidence = repository.signed_by.empty() ? first_use_evidence()
                                                       : Evidence{"rpm-repomd", {{"signed_by", repository.signed_by}}};
    out.files.push_back({RelPath::parse(folder + "repomd.xml"), repomd.size(), repository.repomd, at, {evidence}});
    if (signature) {
      out.files.push_back({RelPath::parse(folder + "repomd.xml.asc"),
                           signature->body.size(),
                           m_context.store.put(signature->body),
                           at + ".asc",
                           {evidence}});
    }
    const auto& location = repository.primary.location;
    out.files.push_back({RelPath::parse(folder + file_name_of(location)),
                         primary.size,
                         primary.digest,
                         location_url(repository.url, location),
                         {{"index-hash", {{"repomd_sha256", repository.repomd.hex()}}}}});
    std::sort(out.files.begin(), out.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return out;
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
    Json details = {{"repository", repository.url}, {"repomd_sha256", repository.repomd.hex()}};
    if (repository.revision) details["revision"] = *repository.revision;
    auto type = "index-hash";
    if (!repository.signed_by.empty()) {
      type = "rpm-repomd";
      details["signed_by"] = repository.signed_by;
    }
    out.files[0].evidence.push_back({type, std::move(details)});
    if (auto own = own_signature(repository, out, inspection.facts)) out.files[0].evidence.push_back(std::move(*own));
    m_facts.emplace(out.id(), inspection.facts);
    return out;
  }

  /// The package's own signature; nullopt where it may have none.
  std::optional<Evidence> own_signature(const Repository& repository, const Artifact& package, const Json& facts) {
    if (!facts.contains("signature")) {
      if (!repository.signed_by.empty() && m_entry.flag("unsigned_packages", false)) {
        m_out.notes.push_back(fmt::format("{} is not signed: dnf takes it with gpgcheck = 0 only", package.id()));
        return std::nullopt;
      }
      throw Error(ErrorCode::release_unsigned, fmt::format("{} is not signed", package.id()),
                  repository.signed_by.empty()
                      ? "neither is its repository: nothing says where it comes from"
                      : "accept it by the repository's signature alone with unsigned_packages = true");
    }
    const auto& signature = facts.at("signature");
    const auto packet = decode_base64(string_member(signature, "openpgp", package.id()));
    const auto start = uint_member(signature, "start", package.id()), end = uint_member(signature, "end", package.id());
    const auto& file = package.files[0];
    if (!packet || start >= end || end > file.size)
      fail(ErrorCode::internal, "the inspection of a signature is broken");
    const TemporaryFolder folder("rpm", m_context.scratch);
    const auto signed_part = folder.path() / "signed";
    {
      const auto in = m_context.store.open(file.digest);
      const auto out = open_file(signed_part, O_WRONLY | O_CREAT | O_EXCL, 0600);
      std::vector<std::uint8_t> block(1u << 20);
      for (auto at = start; at < end;) {
        const std::span part(block.data(), static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), end - at)));
        if (!pread_exact(in.get(), part, at, file.path.text())) fail(ErrorCode::blob_corrupt, "a package is too short");
        write_all(out.get(), part, "a package");
        at += part.size();
      }
    }
    const auto keys = verify_detached(signed_part, as_text(*packet), m_keyring, folder.path(), package.id());
    return Evidence{"rpm-signature",
                    {{"signed_by", keys}, {"covers", end == file.size ? "header and payload" : "header"}}};
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
  std::string m_key_text, m_keyring;
  std::vector<Repository> m_repositories;
  std::map<std::string, Json> m_facts;  ///< what inspection said, by id
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
