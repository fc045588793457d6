#include "ecosystem/rpm/repository.hpp"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "archive/decompress.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/rpm/inspector.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock::rpm {
namespace {

constexpr std::uint64_t k_max_repomd = 4u << 20;
constexpr std::uint64_t k_max_list = 2ull << 30;  ///< unpacked

/// A repository as dnf reads it, of lists that are not packed.
class PlainRepository {
 public:
  explicit PlainRepository(const fs::path& folder) : m_folder(folder / "repodata") { fs::create_directories(m_folder); }
  void begin(std::string_view type) {
    m_type = type;
    m_size = 0;
    m_file = open_file(m_folder / file_name(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  }
  void add(std::string_view block) {
    write_all(m_file.get(), block, file_name());
    m_hasher.update(block);
    m_size += block.size();
  }
  void end() {
    m_file.reset();
    m_entries += fmt::format(
        "  <data type=\"{0}\">\n    <checksum type=\"sha256\">{1}</checksum>\n    <location href=\"repodata/{2}\"/>\n"
        "    <timestamp>1</timestamp>\n    <size>{3}</size>\n  </data>\n",
        m_type, m_hasher.finish().hex(), file_name(), m_size);
  }
  void finish() const {
    write_file_atomically(m_folder / "repomd.xml",
                          fmt::format("<repomd xmlns=\"http://linux.duke.edu/metadata/repo\">\n"
                                      "  <revision>1</revision>\n{}</repomd>\n",
                                      m_entries));
  }

 private:
  std::string file_name() const { return m_type + ".xml"; }

  fs::path m_folder;
  std::string m_type, m_entries;
  UniqueFd m_file;
  Hasher m_hasher;
  std::uint64_t m_size = 0;
};

class Loader {
 public:
  Loader(const StackEntry& entry, CollectContext& context, const Keyring& keyring, std::vector<std::string>& notes)
      : m_entry(entry), m_context(context), m_keyring(keyring), m_notes(notes) {}

  Repository load(std::string url, const fs::path& folder) {
    if (!is_url(url)) no_address(url);
    refuse_credentials(url, m_entry.where());
    if (!url.ends_with('/')) url += '/';
    const auto at = url + "repodata/repomd.xml";
    const auto repomd = document(at, k_max_repomd);
    if (!repomd) no_repository(url);
    const auto& text = repomd->body;
    const auto signature = document(at + ".asc", k_max_repomd);
    std::vector<std::string> signed_by;
    if (signature) {
      const TemporaryFolder checked("repomd", m_context.scratch);
      write_file_atomically(checked.path() / "repomd.xml", text);
      signed_by = verify_detached(checked.path() / "repomd.xml", signature->body, m_keyring, checked.path(), at);
    } else if (m_entry.flag("signed_index", false)) {
      fail(ErrorCode::release_unsigned, "{} has no signature: there is no repomd.xml.asc beside it", at);
    } else {
      m_notes.push_back(
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
                   .packages = {},
                   .folder = folder,
                   .proof = {}};
    const auto filelists = indexes.find("filelists");
    std::vector<FetchJob> jobs = {list_job(url, primary->second)};
    if (filelists != indexes.end()) jobs.push_back(list_job(url, filelists->second));
    const auto fetched = m_context.downloader.fetch(jobs);
    PlainRepository lists(folder);
    PrimaryReader reader(url + primary->second.location);
    unpack(primary->second, fetched[0], lists, "primary", [&](std::string_view block) { reader.feed(block); });
    if (filelists != indexes.end()) unpack(filelists->second, fetched[1], lists, "filelists", [](auto) {});
    lists.finish();
    out.packages = reader.finish();
    out.proof = proof_of(out, text, signature, primary->second, fetched[0]);
    return out;
  }

 private:
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

  [[noreturn]] void no_address(const std::string& text) const {
    throw Error(ErrorCode::stack_invalid, fmt::format("{}: '{}' is no address", m_entry.where(), printable(text)),
                text.starts_with('/')
                    ? fmt::format("a folder of this machine is written \"file://{}\"", printable(text))
                    : "write https://… of the folder that holds repodata/, or file:///…");
  }

  [[noreturn]] static void no_repository(const std::string& url) {
    std::string hint = "name the folder that holds repodata/: as a rule it is one of a version and an architecture";
    if (url.starts_with("file:")) hint = "`createrepo_c FOLDER` makes a repository of a folder of packages";
    if (url.find("metalink") != std::string::npos || url.find("mirrorlist") != std::string::npos)
      hint = "a list of mirrors is not followed: name one of the addresses in it";
    throw Error(ErrorCode::not_found,
                fmt::format("{} is no RPM repository: it has no repodata/repomd.xml", printable(url)), hint);
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

  FetchJob list_job(const std::string& url, const ListedIndex& index) const {
    return job_of(index.location, location_url(url, index.location), index.digest, index.size);
  }

  template <typename Read>
  void unpack(const ListedIndex& index, const FetchResult& fetched, PlainRepository& lists, std::string_view type,
              Read&& read) const {
    const auto limit = std::min(index.open_size.value_or(k_max_list), k_max_list);
    lists.begin(type);
    decompress(m_context.store.open(fetched.digest).get(), index.location, limit, [&](std::string_view block) {
      lists.add(block);
      read(block);
    });
    lists.end();
  }

  Artifact proof_of(const Repository& repository, const std::string& repomd, const std::optional<Document>& signature,
                    const ListedIndex& listed, const FetchResult& primary) const {
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
    const auto& location = listed.location;
    out.files.push_back({RelPath::parse(folder + file_name_of(location)),
                         primary.size,
                         primary.digest,
                         location_url(repository.url, location),
                         {{"index-hash", {{"repomd_sha256", repository.repomd.hex()}}}}});
    std::sort(out.files.begin(), out.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return out;
  }

  const StackEntry& m_entry;
  CollectContext& m_context;
  const Keyring& m_keyring;
  std::vector<std::string>& m_notes;
};

}  // namespace

Repository load_repository(std::string url, const StackEntry& entry, CollectContext& context, const Keyring& keyring,
                           const fs::path& folder, std::vector<std::string>& notes) {
  return Loader(entry, context, keyring, notes).load(std::move(url), folder);
}

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

}  // namespace liftlock::rpm
