// Low side: how an ecosystem turns one entry of the stack into artifacts.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/json.hpp"
#include "base/reporter.hpp"
#include "ecosystem/inspector.hpp"
#include "fetch/downloader.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

enum class ValueType : std::uint8_t { string, strings, boolean, string_map };

/// One key of a table of liftlock.toml. This one declaration yields the check, `liftlock init`'s comments and the
/// table in docs/formats/stack.md.
struct KeySpec {
  std::string_view name;
  ValueType type = ValueType::string;
  bool required = false;
  std::string_view doc;      ///< one sentence, with the default
  std::string_view example;  ///< TOML literal
};

/// One entry `[table.NAME]` of the stack, its keys checked against the collector's KeySpecs.
struct StackEntry {
  std::string table;
  std::string name;
  Json values;      ///< an object: strings, arrays of strings, booleans, objects of strings
  Digest declared;  ///< of values in canonical form, the platform and the content of local files it names as inputs

  std::string text(std::string_view key, std::string_view fallback = {}) const;
  std::vector<std::string> texts(std::string_view key) const;
  bool flag(std::string_view key, bool fallback) const;
  /// "[python.tools]": for messages.
  std::string where() const;
};

/// What becomes of the low side's own files that a stack names by path.
enum class LocalFiles : std::uint8_t {
  copy,   ///< into the store, as everything else
  refer,  ///< the store notes where they lie and what they were; a clone where the file system makes one
};

struct CollectContext {
  BlobStore& store;
  Downloader& downloader;
  Reporter& reporter;
  std::filesystem::path stack_folder;  ///< relative paths of the stack are relative to it
  std::filesystem::path scratch;       ///< an empty folder of the caller's, removed afterwards
  std::string platform;                ///< "linux/amd64"
  /// What the lock held for this entry until now: spares a download where the upstream states no SHA-256, so that the
  /// store cannot be asked for the file.
  std::span<const Artifact> before = {};
  /// Inspects an artifact whose files are in the store, in a cell: how a collector learns what foreign bytes hold.
  std::function<Inspection(const Artifact&)> inspect = {};
  LocalFiles local_files = LocalFiles::copy;
};

struct Collected {
  std::vector<Artifact> artifacts;  ///< sorted by id; equal input and upstream give equal artifacts
  std::vector<std::string> notes;   ///< "tag 3 of x/y is pinned to sha256:…": kept in the lock
};

/// Something that an entry needs on the other side and the stack does not have.
struct Missing {
  std::string what;  ///< one line
  std::string add;   ///< lines for liftlock.toml; empty when they cannot be known
};

/// What `liftlock check` finds of one entry.
struct CheckResult {
  std::string proven;  ///< "14 wheels install without a network (pip 23.2.1, Python 3.11.7)"; empty: nothing was tried
  std::vector<Missing> missing;
  /// Kubernetes objects that the entry makes on the other side ("image: x/y:1.0" in them counts); empty: none.
  std::string manifests = {};
};

class Collector {
 public:
  virtual ~Collector() = default;
  virtual std::string_view table() const = 0;
  virtual std::string_view summary() const = 0;
  virtual std::span<const KeySpec> keys() const = 0;
  /// Local files whose content decides what is resolved (a requirements.txt); they are part of StackEntry::declared.
  /// Relative ones are relative to the stack's folder, which is given to those that have to look.
  virtual std::vector<std::filesystem::path> input_files(const StackEntry& entry,
                                                         const std::filesystem::path& stack_folder) const;

  /// The local files that resolve() would take now, by the origins that it would give them (ArtifactFile::origin); none
  /// is read. The default, nullopt: what it carries are no local files.
  virtual std::optional<std::vector<std::string>> local_files(const StackEntry& entry,
                                                              const std::filesystem::path& stack_folder) const;

  /// Finds exact versions, sizes and digests. May put what it had to read into the store.
  /// @throws Error{unresolvable, …}
  virtual Collected resolve(const StackEntry& entry, CollectContext& context) const = 0;
  /// May resolve() of several entries run at once, each on a thread of its own? Where it only asks Downloader::get()
  /// and puts what it read into the store, for most of its time is waiting.
  virtual bool resolves_at_once() const { return false; }

  /// Jobs for those files of a locked artifact that the store lacks. The default downloads file.origin.
  virtual std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry& entry, CollectContext& context) const;

  /// Does what was fetched suffice? By the ecosystem's own client, without a network (ecosystem/without_network.hpp),
  /// in the scratch folder. All files of the artifacts are in the store. The default tries nothing.
  /// @throws Error{tool_missing, sandbox_unavailable}
  virtual CheckResult check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                            CollectContext& context) const;
};

}  // namespace liftlock
