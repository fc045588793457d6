#include "bundle/fetch_lock.hpp"

#include <algorithm>
#include <map>
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
  std::map<Digest, std::uint64_t> contents;
  for (const auto& artifact : artifacts) {
    for (const auto& file : artifact.files) contents.emplace(file.digest, file.size);
  }
  std::vector<Digest> digests, referred;
  for (const auto& [digest, size] : contents) {
    digests.push_back(digest);
    result.bytes += size;
    if (!context.store.contains(digest)) {
      ++result.fetched;
      result.fetched_bytes += size;
    } else if (context.local_files == LocalFiles::copy && !context.store.holds(digest)) {
      referred.push_back(digest);
    }
  }
  result.files = contents.size();

  const auto pin = fmt::format("fetch/{}", stack.name);
  const auto fact = fmt::format("inspected/{}", set_of_stack(stack.name));
  const auto content = digest_of(artifacts);
  const bool passed_before = catalog.fact(fact) == content;
  const auto sets = catalog.sets();
  const bool registered = std::find(sets.begin(), sets.end(), set_of_stack(stack.name)) != sets.end();
  if (passed_before && registered && result.fetched == 0 && referred.empty()) return result;

  auto hold = lock_batch(context.store, pin, FileLock::Wait::yes);
  catalog.pin(pin, digests);
  if (!referred.empty()) keep_copies(context.store, "keep-" + portable_component(stack.name), referred);
  if (why_incomplete(artifacts, context.store)) {
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
