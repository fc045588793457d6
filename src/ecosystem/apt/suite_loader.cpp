#include "ecosystem/apt/suite_loader.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "archive/decompress.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/apt/index_inspector.hpp"
#include "ecosystem/apt/release.hpp"

namespace liftlock::apt {
namespace {

constexpr std::uint64_t k_max_release = 32u << 20;

struct WantedIndex {
  std::string path;   ///< "main/binary-amd64/Packages", without the ending of a compression
  std::string found;  ///< with it
  IndexFile file;
};

std::optional<WantedIndex> find_index(const Release& release, const std::string& path) {
  for (const std::string_view ending : {".xz", ".gz", ".zst", ""}) {
    const auto found = release.files.find(path + std::string(ending));
    if (found != release.files.end()) return WantedIndex{path, found->first, found->second};
  }
  return std::nullopt;
}

bool contains(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::vector<WantedIndex> wanted_indexes(const Suite& suite, const Release& release, const LoadRequest& request,
                                        std::vector<std::string>& notes) {
  std::vector<WantedIndex> out;
  const auto add = [&](const std::string& path) {
    if (auto found = find_index(release, path))
      out.push_back(std::move(*found));
    else
      notes.push_back(fmt::format("suite {} has no {}", suite.name, path));
  };
  if (suite.is_flat()) {
    add("Packages");
    return out;
  }
  auto architectures = request.architectures;
  if (contains(release.architectures, "all") && !release.all_in_each_architecture) architectures.push_back("all");
  for (const auto& component : suite.components) {
    for (const auto& architecture : architectures) {
      if (!suite.architectures.empty() && architecture != "all" && !contains(suite.architectures, architecture))
        continue;
      add(fmt::format("{}/binary-{}/Packages", component, architecture));
    }
  }
  return out;
}

std::string index_url(const Suite& suite, const Release& release, const WantedIndex& wanted) {
  if (!release.by_hash) return suite.release_url() + encode_percent_path(wanted.found);
  const auto slash = wanted.found.rfind('/');
  const auto folder = slash == std::string::npos ? std::string() : wanted.found.substr(0, slash + 1);
  return suite.release_url() + encode_percent_path(folder) + "by-hash/SHA256/" + wanted.file.digest.hex();
}

std::string unpack_index(const Release& release, const WantedIndex& wanted, const BlobStore& store,
                         std::uint64_t limit) {
  const auto plain = release.files.find(wanted.path);
  auto text = decompress(store.open(wanted.file.digest).get(), wanted.found, limit);
  if (plain != release.files.end() && sha256(text) != plain->second.digest) {
    fail(ErrorCode::digest_mismatch, "{} does not have the digest that its Release states", wanted.path);
  }
  return text;
}

Json evidence_of(const Suite& suite, const Release& release, const VerifiedRelease& verified, const Digest& document) {
  Json out = {{"mirror", suite.uri},
              {"suite", suite.name},
              {"inrelease_sha256", document.hex()},
              {"signed_by", verified.fingerprints}};
  if (!release.origin.empty()) out["origin"] = release.origin;
  if (!release.codename.empty()) out["codename"] = release.codename;
  if (release.date) out["date"] = format_time(*release.date);
  if (release.valid_until) out["valid_until"] = format_time(*release.valid_until);
  return out;
}

/// What proves the digests of an index's packages to whoever has the keyring, without this machine.
Artifact proof_of(const Suite& suite, const Release& release, const WantedIndex& wanted, const ArtifactFile& document) {
  Artifact out{.kind = std::string(k_index_kind),
               .name = fmt::format("{}/{}", suite.is_flat() ? "flat" : suite.name, wanted.found),
               .version = document.digest.hex().substr(0, 16)};
  out.facts = {{"mirror", suite.uri}, {"suite", suite.name}, {"index", wanted.found}};
  const auto folder = std::string(document.path.parent());
  out.files = {document,
               {.path = RelPath::parse(folder + "/" + wanted.found),
                .size = wanted.file.size,
                .digest = wanted.file.digest,
                .origin = index_url(suite, release, wanted),
                .evidence = {{"index-hash", {{"inrelease_sha256", document.digest.hex()}}}}}};
  std::sort(out.files.begin(), out.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return out;
}

}  // namespace

std::vector<LoadedIndex> load_suites(const std::vector<Suite>& suites, const LoadRequest& request, PackageIndex& index,
                                     CollectContext& context, std::vector<std::string>& notes) {
  std::vector<LoadedIndex> out;
  // The real time: SOURCE_DATE_EPOCH makes documents reproducible, it must not make old signatures fresh.
  const auto when = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  for (const auto& suite : suites) {
    const auto url = suite.release_url() + "InRelease";
    const auto document = context.downloader.get({.url = url, .headers = {}, .max_bytes = k_max_release});
    const auto verified = verify_inrelease(document.body, suite.keyring, context.scratch, url);
    const auto release = parse_release(verified.text, url);
    const auto digest = context.store.put(document.body);
    auto evidence = evidence_of(suite, release, verified, digest);
    const ArtifactFile in_release{
        .path = RelPath::parse(fmt::format("evidence/apt/{}/InRelease", digest.hex().substr(0, 16))),
        .size = document.body.size(),
        .digest = digest,
        .origin = url,
        .evidence = {{"apt-release", {{"signed_by", verified.fingerprints}}}}};
    if (check_freshness(release, request.accept_expired, when, url) == Freshness::expired_but_accepted) {
      evidence["exception"] =
          fmt::format("Valid-Until had passed; accepted by accept_expired = \"{}\"", request.accept_expired_text);
      const auto note = fmt::format("suite {} was valid until {}; accepted by accept_expired", suite.name,
                                    format_time(*release.valid_until));
      notes.push_back(note);
      context.reporter.warn(note);
    }
    const auto wanted = wanted_indexes(suite, release, request, notes);
    std::vector<FetchJob> jobs;
    for (const auto& one : wanted) {
      (void)index_limit(release, one.path, url);  // before it is fetched
      if (one.file.size > k_max_index) fail(ErrorCode::limit_exceeded, "{} of {} is too large", one.found, url);
      jobs.push_back({.title = suite.name + " " + one.found,
                      .digest = one.file.digest,
                      .size = one.file.size,
                      .url = index_url(suite, release, one),
                      .headers = {},
                      .produce = {}});
    }
    (void)context.downloader.fetch(jobs);
    for (const auto& one : wanted) {
      auto details = evidence;
      details["packages"] = one.found;
      details["packages_sha256"] = one.file.digest.hex();
      const auto number = static_cast<std::uint32_t>(out.size());
      out.push_back({suite.uri, suite.name, std::move(details), proof_of(suite, release, one, in_release)});
      index.add(unpack_index(release, one, context.store, index_limit(release, one.path, url)), number,
                PackageIndex::Kind::offered, fmt::format("{}{}", suite.release_url(), one.found));
    }
  }
  if (out.empty())
    fail(ErrorCode::unresolvable, "none of the suites has an index for {}", fmt::join(request.architectures, ", "));
  return out;
}

}  // namespace liftlock::apt
