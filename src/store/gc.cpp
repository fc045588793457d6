#include <algorithm>
#include <functional>
#include <set>

#include "base/error.hpp"
#include "store/maintenance.hpp"

namespace liftlock {
namespace {

/// As many removals as fit a hold of the write lock that nobody notices.
constexpr std::size_t k_at_once = 256;

}  // namespace

std::vector<SizedDigest> find_garbage(const BlobStore& store, const Catalog& catalog) {
  const auto referenced = catalog.referenced();
  std::vector<SizedDigest> garbage;
  store.for_each(
      [&](const Digest& digest, std::uint64_t size) {
        if (!referenced.contains(digest)) garbage.push_back({digest, size});
      },
      [](const std::string&) {});
  std::sort(garbage.begin(), garbage.end(), [](const auto& a, const auto& b) { return a.digest < b.digest; });
  return garbage;
}

std::vector<SizedDigest> remove_garbage(BlobStore& store, Catalog& catalog, const std::vector<SizedDigest>& garbage) {
  std::vector<SizedDigest> removed;
  for (std::size_t begin = 0; begin < garbage.size(); begin += k_at_once) {
    const auto end = std::min(begin + k_at_once, garbage.size());
    std::vector<Digest> candidates;
    for (auto i = begin; i < end; ++i) candidates.push_back(garbage[i].digest);
    auto next = begin;
    catalog.remove_unreferenced(candidates, [&](const Digest& digest) {
      while (garbage[next].digest != digest) ++next;
      store.remove(digest);
      removed.push_back(garbage[next]);
    });
  }
  // What it is about may be among what went. The next inspection looks again.
  if (!removed.empty()) catalog.forget_passed();
  return removed;
}

Abandoned find_abandoned(const BlobStore& store, const Catalog& catalog, Timestamp before) {
  Abandoned out{.before = before, .batches = {}, .pins = {}, .lists = {}};
  const auto waiting = waiting_batches(store);
  for (const auto& batch : waiting) {
    if (!batch.running && batch.touched < before) out.batches.push_back(batch);
  }
  for (const auto& pin : catalog.pins()) {
    const bool waits = std::any_of(waiting.begin(), waiting.end(), [&](const auto& b) { return b.name == pin.name; });
    if (!waits && pin.since < before) out.pins.push_back(pin);
  }
  const auto lists = store.references().lists();
  const auto referenced = lists.empty() ? std::set<Digest>() : catalog.referenced();
  for (const auto& list : lists) {
    const bool used = std::any_of(list.digests.begin(), list.digests.end(),
                                  [&](const auto& digest) { return referenced.contains(digest); });
    if (!used && list.touched < before) out.lists.push_back(list);
  }
  return out;
}

void remove_abandoned(BlobStore& store, Catalog& catalog, const Abandoned& abandoned) {
  const auto unless_held = [&](const std::string& name, const std::function<void()>& remove) {
    try {
      auto lock = lock_batch(store, name, FileLock::Wait::no);
      remove();
      catalog.unpin_older(name, abandoned.before);
      lock.remove();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::busy) throw;
    }
  };
  for (const auto& batch : abandoned.batches) {
    unless_held(batch.name, [&] { discard_batch(store, batch.name); });
  }
  for (const auto& pin : abandoned.pins) unless_held(pin.name, [] {});
  for (const auto& list : abandoned.lists) unless_held(list.name, [&] { store.references().remove(list.name); });
}

}  // namespace liftlock
