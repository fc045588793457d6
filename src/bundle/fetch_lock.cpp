#include "bundle/fetch_lock.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "artifact/artifact_text.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/rel_path.hpp"
#include "bundle/resolve.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/source_files.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

/// The jobs for what the store lacks; equal contents once.
std::vector<FetchJob> plan_jobs(const Stack& stack, const Lock& lock, Collectors collectors, CollectContext& context) {
  std::vector<FetchJob> jobs;
  std::set<Digest> planned;
  for (const auto& locked : lock.entries) {
    const auto* entry = stack.find(locked.table, locked.name);
    const auto* collector = find_collector(collectors, locked.table);
    if (entry == nullptr || collector == nullptr) fail(ErrorCode::lock_stale, "{} is not in the stack", locked.where());
    for (const auto& artifact : locked.artifacts) {
      const bool complete = std::all_of(artifact.files.begin(), artifact.files.end(),
                                        [&](const auto& file) { return context.store.contains(file.digest); });
      if (complete) continue;
      with_context("while planning " + printable(artifact.id()), [&] {
        for (auto& job : collector->plan(artifact, *entry, context)) {
          // A job without a digest makes something that no lock names; what the lock names is checked afterwards.
          if (!job.digest || planned.insert(*job.digest).second) jobs.push_back(std::move(job));
        }
      });
    }
  }
  return jobs;
}

/// Every content that a lock names, once, sorted.
class Contents {
 public:
  explicit Contents(const std::vector<Artifact>& artifacts) {
    for (const auto& artifact : artifacts) {
      for (const auto& file : artifact.files) m_all.push_back({file.digest, file.size});
    }
    std::sort(m_all.begin(), m_all.end());
    m_all.erase(std::unique(m_all.begin(), m_all.end()), m_all.end());
    for (std::size_t i = 0; i < m_all.size(); ++i) {
      if (i == 0 || m_all[i - 1].digest != m_all[i].digest) ++m_count;
    }
  }

  std::size_t count() const { return m_count; }

  /// What of it the store has, asked file by file.
  struct Look {
    std::uint64_t bytes = 0;  ///< of all
    std::vector<Digest> lacking;
    std::uint64_t lacking_bytes = 0;
    std::vector<Digest> held;      ///< as the store's own
    std::vector<Digest> referred;  ///< there, and not the store's own
    bool complete = true;          ///< all are there, as large as the lock says
  };
  Look look(const BlobStore& store) const {
    struct Found {
      bool held = false;
      std::optional<std::uint64_t> size;
    };
    std::vector<Found> found(m_all.size());
    parallel_for(m_all.size(), [&](std::size_t i) {
      const auto& digest = m_all[i].digest;
      if (store.holds(digest)) {
        found[i] = {true, store.size(digest)};
      } else if (const auto reference = store.references().live(digest)) {
        found[i].size = reference->identity.size;
      }
    });
    Look out;
    for (std::size_t i = 0; i < m_all.size(); ++i) {
      const auto& [digest, size] = m_all[i];
      if (found[i].size != size) out.complete = false;
      if (i > 0 && m_all[i - 1].digest == digest) continue;
      out.bytes += size;
      (!found[i].size ? out.lacking : found[i].held ? out.held : out.referred).push_back(digest);
      if (!found[i].size) out.lacking_bytes += size;
    }
    return out;
  }

 private:
  struct One {
    Digest digest;
    std::uint64_t size;
    auto operator<=>(const One&) const = default;
  };
  std::vector<One> m_all;   ///< one digest has several sizes where the lock is wrong
  std::size_t m_count = 0;  ///< of digests
};

/// What of them the store lacks; nothing: it holds them all.
std::optional<Error> why_incomplete(const std::vector<Artifact>& artifacts, const BlobStore& store) {
  for (const auto& artifact : artifacts) {
    for (const auto& file : artifact.files) {
      const auto size = store.size(file.digest);
      if (!size) {
        return Error(ErrorCode::not_fetched,
                     fmt::format("'{}' of {} did not arrive", file.path.text(), printable(artifact.id())));
      }
      if (*size != file.size) {
        return Error(ErrorCode::size_mismatch,
                     fmt::format("'{}' of {} has {} bytes, the lock says {}", file.path.text(),
                                 printable(artifact.id()), *size, file.size));
      }
    }
  }
  return std::nullopt;
}

void keep_copy(const BlobStore& store, StagedBlobs& staged, const Digest& digest) {
  const auto in = store.open(digest);
  const auto part = staged.create(digest);
  const auto size = regular_size(in.get(), digest.text());
  staged.seal(digest, copy_hashed(in.get(), 0, part.get(), size, digest.text(), {}));
}

/// What is only referred to becomes the store's own: for who wants copies of local files. A file that changed since
/// somebody looked is left out: its digest is lacking then, and the file's job says what is wrong with it.
/// @throws Error{upstream_changed} for a file that is by all that the file system tells what it was, and is not
void keep_copies(BlobStore& store, std::string_view batch, const std::vector<Digest>& digests) {
  StagedBlobs staged(store, batch);
  parallel_for(digests.size(), [&](std::size_t i) {
    if (staged.is_sealed(digests[i])) return;
    try {
      keep_copy(store, staged, digests[i]);
    } catch (const Error& error) {
      const auto code = error.code();
      if (code != ErrorCode::upstream_changed && code != ErrorCode::size_mismatch && code != ErrorCode::digest_mismatch)
        throw;
      if (const auto reference = store.references().live(digests[i])) fail_changed(*reference);
    }
  });
  staged.commit();
}

/// Changes when any artifact does: what was inspected under it need not be again.
std::string digest_of(const std::vector<Artifact>& artifacts) {
  Hasher hasher;
  for (const auto& artifact : artifacts) hasher.update(artifact_line(artifact) + "\n");
  return hasher.finish().text();
}

}  // namespace

std::string set_of_stack(std::string_view stack) {
  return fmt::format("stack/{}", stack);
}

FetchLockResult fetch_lock(const Stack& stack, const Lock& lock, Collectors collectors, CollectContext& context,
                           Catalog& catalog, const Inspect& inspect) {
  if (const auto why = why_stale(stack, lock); !why.empty()) {
    fail(ErrorCode::lock_stale, "the lock is not that of the stack: {}", why);
  }
  const auto artifacts = artifacts_of(lock);
  FetchLockResult result;
  result.artifacts = artifacts.size();
  const Contents contents(artifacts);
  auto seen = contents.look(context.store);
  result.files = contents.count();
  result.bytes = seen.bytes;
  result.fetched = seen.lacking.size();
  result.fetched_bytes = seen.lacking_bytes;
  const bool copies = context.local_files == LocalFiles::copy && !seen.referred.empty();

  const auto pin = fmt::format("fetch/{}", stack.name);
  const auto fact = fmt::format("inspected/{}", set_of_stack(stack.name));
  const auto content = digest_of(artifacts);
  const bool passed_before = catalog.fact(fact) == content;
  const auto sets = catalog.sets();
  const bool registered = std::find(sets.begin(), sets.end(), set_of_stack(stack.name)) != sets.end();
  if (passed_before && registered && seen.lacking.empty() && !copies) return result;

  auto hold = lock_batch(context.store, pin, FileLock::Wait::yes);
  // What the store only refers to needs no pin: gc drops a list of references that nobody used for its horizon, and
  // the next fetch makes it again.
  auto pinned = std::move(seen.held);
  pinned.insert(pinned.end(), seen.lacking.begin(), seen.lacking.end());
  if (copies) pinned.insert(pinned.end(), seen.referred.begin(), seen.referred.end());
  std::sort(pinned.begin(), pinned.end());
  if (!pinned.empty()) catalog.pin(pin, pinned);
  if (copies) keep_copies(context.store, "keep-" + portable_component(stack.name), seen.referred);
  // Only what is there once it is pinned stays there.
  if (!pinned.empty()) seen = contents.look(context.store);
  // A local file may have changed between the two looks.
  if (!seen.lacking.empty()) catalog.pin(pin, seen.lacking);
  if (!seen.complete) {
    refer_to_local_files(context, stack.name, artifacts);
    if (const auto jobs = plan_jobs(stack, lock, collectors, context); !jobs.empty()) context.downloader.fetch(jobs);
    if (const auto why = why_incomplete(artifacts, context.store)) throw *why;
  }
  std::vector<std::string> facts;
  if (!passed_before && inspect.artifact) {
    facts = inspect_all(
        artifacts, inspect, [&](const Digest& digest) { return context.store.open(digest); }, catalog,
        context.reporter);
    result.inspected = artifacts.size();
  }
  context.store.sync();
  catalog.replace_set(set_of_stack(stack.name), artifacts, facts);
  // Only now: whoever dies before this inspects again.
  if (inspect.artifact) catalog.set_fact(fact, content);
  catalog.unpin(pin);
  hold.remove();
  return result;
}

}  // namespace liftlock
