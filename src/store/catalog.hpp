// What the blobs mean: artifacts, the publications (bundles that landed) and sets (locked stacks) that hold them, pins.
// SQLite in WAL mode; every change is one transaction (BEGIN IMMEDIATE). Format: docs/formats/store.md.
// One object per thread; several processes may use the same file.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/clock.hpp"
#include "base/digest.hpp"
#include "os/access.hpp"
#include "os/file.hpp"

namespace liftlock {

/// A bundle that landed; immutable once published.
struct Publication {
  std::string channel;
  std::uint64_t sequence = 0;
  Digest bundle_digest;     ///< SHA-256 of bundle.json
  std::string bundle_json;  ///< its exact bytes
  Timestamp published_at;
  std::vector<Artifact> artifacts;
  /// Files of the bundle that belong to no artifact: manifest/…, signatures/…, README.txt, images/index.json.
  std::vector<ArtifactFile> other_files;
  /// What the inspector learnt of artifacts[i], as one line of JSON; empty where that is nothing. May be shorter than
  /// artifacts; not read back: see Catalog::inspection().
  std::vector<std::string> facts = {};
};

struct PublicationSummary {
  std::string channel;
  std::uint64_t sequence = 0;
  Digest bundle_digest;
  Timestamp published_at;
  std::size_t artifact_count = 0;
  std::uint64_t size = 0;
  bool latest = false;
};

/// Digests that one batch pinned.
struct PinSummary {
  std::string name;
  std::size_t count = 0;
  Timestamp since;
};

class Catalog {
 public:
  /// Bytes of facts of one artifact. Longer ones are not kept: they come from foreign bytes, and what needs them asks
  /// the inspector again.
  static constexpr std::size_t k_max_facts = 1u << 20;

  /// Opens; with Access::write creates and migrates older schemas. A catalog that is not there is made even for a
  /// reader: an empty store is no error, but one that holds blobs has lost it. @throws Error{store_invalid, too_new}
  explicit Catalog(const fs::path& file, Access access = Access::write);
  ~Catalog();
  Catalog(Catalog&&) noexcept;
  Catalog& operator=(Catalog&&) noexcept;

  /// One transaction: the publication appears whole and `latest` of its channel moves to it if its sequence is higher.
  /// The same publication again is no error and changes nothing, unless it brings an artifact that is not in it (what
  /// was withheld before); those that are in it stay. One that was retired, and what was withdrawn of one, comes back
  /// only on demand.
  /// @param instead_of artifacts that go out of use with it, in the same transaction: where a publication says all of
  /// them in the same words, for the new ones may be the same bytes
  /// @throws Error{immutable} when the channel has, or once had, another bundle with this sequence, or retired this
  /// one;
  ///         Error{not_found} when no publication holds one of instead_of: then nothing was published
  enum class Retired : std::uint8_t { refuse, restore };
  void publish(const Publication& publication, Retired retired = Retired::refuse,
               std::span<const Artifact> instead_of = {});
  std::vector<PublicationSummary> publications() const;
  std::optional<Publication> publication(std::string_view channel, std::uint64_t sequence) const;
  std::optional<Publication> latest(std::string_view channel) const;
  /// Takes a publication out of use: its artifacts are no longer live and gc may have its blobs; its sequence stays
  /// taken for ever. @throws Error{not_found}
  void retire(std::string_view channel, std::uint64_t sequence);
  /// Takes these very bytes under their id out of every publication, whatever each says of them besides (origin,
  /// licence): they are no longer live, and gc may have the blobs. The publications stay in use without them.
  /// @throws Error{not_found} when no publication holds them
  void withdraw(const Artifact& artifact);
  /// A publication that was taken out of use: only its name and its bundle are still known.
  struct RetiredPublication {
    std::string channel;
    std::uint64_t sequence = 0;
    Digest bundle_digest;
  };
  /// Sorted by channel and sequence.
  std::vector<RetiredPublication> retired() const;
  /// Was it retired, or a part of it withdrawn?
  bool is_retired(std::string_view channel, std::uint64_t sequence) const;

  /// The low side's sets: what the lock of a stack holds. Replaces the set of that name whole.
  /// @param facts as in Publication
  void replace_set(std::string_view name, const std::vector<Artifact>& artifacts,
                   const std::vector<std::string>& facts = {});
  void remove_set(std::string_view name);
  std::vector<std::string> sets() const;
  /// The files of the artifacts that sets hold, each file of a set once, with its size; sorted by digest.
  struct SetFile {
    std::string set;
    Digest digest;
    std::uint64_t size = 0;
  };
  std::vector<SetFile> set_files() const;

  /// Every live artifact (of sets and publications), each id and content once, sorted by id.
  std::vector<Artifact> artifacts() const;
  /// By id, or by "name" or "name@version" where only one live id has it; the content that was published last when
  /// several publications hold the id (sets come after publications), or, behind any of them, that of "@sha256:PREFIX"
  /// (store/content.hpp). @throws Error{ambiguous} naming the ids, or the contents
  std::optional<Artifact> find(std::string_view id_or_name) const;
  /// What the inspector learnt of this very artifact; an empty object when nobody inspected it.
  Json inspection(const Artifact& artifact) const;
  /// Who holds an artifact of this id: "channel/sequence" of publications, "set NAME" of sets.
  std::vector<std::string> holders(std::string_view id) const;
  /// Who holds these very bytes under its id.
  std::vector<std::string> holders(const Artifact& artifact) const;
  /// The contents of its id, each once, whatever is said of where they came from; the one that was published last
  /// first.
  std::vector<Artifact> contents(std::string_view id) const;
  /// The same of all ids that an "id", "name" or "name@version" may mean, of the strictest of these forms that has a
  /// match.
  std::vector<Artifact> contents_named(std::string_view id_or_name) const;
  /// Would the first of them stay that, if a publication of this channel and sequence brought another one now? A bundle
  /// that was overtaken counts as if it had landed before those that overtook it.
  bool stays_first(std::string_view id, std::string_view channel, std::uint64_t sequence) const;

  /// Digests that must stay although nothing references them yet; adds to what the name pins. Survive the process;
  /// `name` as in StagedBlobs. Once it returned, BlobStore::contains() stays true for each of them where it is true.
  void pin(std::string_view name, const std::vector<Digest>& digests);
  void unpin(std::string_view name);
  /// Drops those of its pins that nobody renewed since `before`; pin() renews.
  void unpin_older(std::string_view name, Timestamp before);
  std::vector<PinSummary> pins() const;

  /// Every digest that something references or pins.
  std::set<Digest> referenced() const;
  /// Every digest that a live publication or set references, with its size: blobs that have to be there.
  std::map<Digest, std::uint64_t> required() const;
  /// The ids of live artifacts, or "channel/sequence path" of other files, that hold this digest.
  std::vector<std::string> users_of(const Digest& digest) const;
  /// Calls remove for each candidate that nothing references or pins, holding the write lock: no pin can be added
  /// between the look and the removal. Keep the candidates few (hundreds), for writers wait meanwhile.
  void remove_unreferenced(std::span<const Digest> candidates, const std::function<void(const Digest&)>& remove);

  /// What an inspection found good and what it learnt, under a key that the caller derives from all that it depends on.
  std::optional<std::string> passed(const Digest& key) const;
  /// One transaction.
  void add_passed(const std::vector<std::pair<Digest, std::string>>& keys_and_facts);
  void forget_passed();

  /// Small facts of the installation (e.g. scrub's last run).
  std::optional<std::string> fact(std::string_view key) const;
  void set_fact(std::string_view key, std::string_view value);

  /// Changes with every committed change of publications and sets by any process: compare to know whether to reload.
  /// Costs one small read; pins and facts leave it as it is.
  std::uint64_t generation() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace liftlock
