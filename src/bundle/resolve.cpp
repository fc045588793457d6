#include "bundle/resolve.hpp"

#include <fcntl.h>

#include <algorithm>

#include "artifact/artifact_lines.hpp"
#include "artifact/artifact_text.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

/// No artifact is larger than a lock may be, or nested deeper than one within it.
constexpr JsonLimits k_written{.max_bytes = 256u << 20, .max_depth = 28};

/// Entries that wait for a registry at a time.
constexpr unsigned k_at_once = 16;

std::string id_of(std::string_view table, std::string_view name) {
  return fmt::format("{}.{}", table, name);
}

/// The entry that --update names.
std::string updated_entry(const Stack& stack, const std::string& wanted) {
  std::vector<std::string> found;
  std::vector<std::string> known, ids;
  for (const auto& entry : stack.entries) {
    const auto id = id_of(entry.table, entry.name);
    known.push_back(id);
    ids.push_back(id);
    known.push_back(entry.name);
    if (id == wanted) return id;
    if (entry.name == wanted) found.push_back(id);
  }
  if (found.size() == 1) return found[0];
  if (found.size() > 1) {
    fail(ErrorCode::usage, "'{}' is the name of {} entries; say '{}' or '{}'", wanted, found.size(), found[0],
         found[1]);
  }
  const std::vector<std::string_view> views(known.begin(), known.end());
  const auto near = nearest(wanted, views);
  constexpr std::size_t k_shown = 12;
  const bool many = ids.size() > k_shown;
  if (many) ids.resize(k_shown);
  throw Error(ErrorCode::usage,
              fmt::format("the stack has no entry '{}'{}", printable(wanted),
                          near ? fmt::format("; did you mean '{}'?", *near) : ""),
              ids.empty() ? "it names nothing to carry yet"
                          : printable(fmt::format("its entries are {}{}", fmt::join(ids, ", "), many ? " …" : "")));
}

/// What a collector returned, in the order and the form that the lock has.
LockedEntry checked(const StackEntry& entry, Collected collected) {
  if (collected.artifacts.empty()) {
    const auto notes = fmt::format("{}", fmt::join(collected.notes, "; "));
    fail(ErrorCode::unresolvable, "{} resolves to nothing{}{}", entry.where(), notes.empty() ? "" : ": ",
         printable(notes));
  }
  std::sort(collected.artifacts.begin(), collected.artifacts.end(),
            [](const auto& a, const auto& b) { return a.id() < b.id(); });
  for (std::size_t i = 0; i < collected.artifacts.size(); ++i) {
    const auto& artifact = collected.artifacts[i];
    if (i > 0 && collected.artifacts[i - 1].id() == artifact.id()) {
      fail(ErrorCode::unresolvable, "{} resolves to two different things called {}", entry.where(),
           printable(artifact.id()));
    }
    // What could not be read again must not be written.
    if (parse_artifact(artifact_line(artifact), k_written) != artifact) {
      fail(ErrorCode::internal, "{} of {} does not survive being written", printable(artifact.id()), entry.where());
    }
  }
  return {.table = entry.table,
          .name = entry.name,
          .declared = entry.declared,
          .artifacts = std::move(collected.artifacts),
          .notes = std::move(collected.notes)};
}

}  // namespace

ResolveResult resolve_stack(const Stack& stack, const std::optional<Lock>& old, const ResolveOptions& options,
                            Collectors collectors, CollectContext& context) {
  std::set<std::string> update;
  for (const auto& wanted : options.update) update.insert(updated_entry(stack, wanted));
  ResolveResult result;
  result.lock = {.stack = stack.name, .channel = stack.channel, .platform = stack.platform, .entries = {}};
  ProgressTask progress(context.reporter, "lock", Unit::items, stack.entries.size());
  std::vector<std::optional<LockedEntry>> locked(stack.entries.size());
  std::vector<std::size_t> at_once, in_turn;
  std::vector<bool> is_new(stack.entries.size());
  for (std::size_t i = 0; i < stack.entries.size(); ++i) {
    const auto& entry = stack.entries[i];
    const auto id = id_of(entry.table, entry.name);
    const auto* known = old ? old->find(entry.table, entry.name) : nullptr;
    const bool again = options.scope == ResolveOptions::Update::all || update.contains(id);
    if (known != nullptr && known->declared == entry.declared && !again) {
      locked[i] = *known;
      result.kept.push_back(id);
      progress.advance(1);
      continue;
    }
    const auto* collector = find_collector(collectors, entry.table);
    if (collector == nullptr) fail(ErrorCode::internal, "nobody resolves {}", entry.where());
    (collector->resolves_at_once() ? at_once : in_turn).push_back(i);
    result.resolved.push_back(id);
    is_new[i] = true;
  }
  const auto resolve = [&](std::size_t i) {
    const auto& entry = stack.entries[i];
    const auto* known = old ? old->find(entry.table, entry.name) : nullptr;
    auto own = context;
    own.scratch = context.scratch / id_of(entry.table, entry.name);
    own.before = known != nullptr ? std::span<const Artifact>(known->artifacts) : std::span<const Artifact>();
    make_folders(own.scratch);
    locked[i] = with_context("while locking " + entry.where(), [&] {
      return checked(entry, find_collector(collectors, entry.table)->resolve(entry, own));
    });
    progress.advance(1);
  };
  parallel_for(
      at_once.size(), [&](std::size_t n) { resolve(at_once[n]); }, k_at_once);
  for (const auto i : in_turn) resolve(i);
  for (auto& entry : locked) result.lock.entries.push_back(*std::move(entry));
  for (std::size_t i = 0; i < stack.entries.size(); ++i) {
    if (!is_new[i]) continue;
    for (const auto& note : result.lock.entries[i].notes) context.reporter.note(note);
  }
  if (old) {
    for (const auto& entry : old->entries) {
      if (stack.find(entry.table, entry.name) == nullptr) result.removed.push_back(id_of(entry.table, entry.name));
    }
  }
  check_artifacts(result.lock);  // refuses colliding paths before anything is written
  return result;
}

std::string why_stale(const Stack& stack, const Lock& lock) {
  if (stack.name != lock.stack || stack.channel != lock.channel || stack.platform != lock.platform) {
    return "[stack] changed";
  }
  for (const auto& entry : stack.entries) {
    const auto* locked = lock.find(entry.table, entry.name);
    if (locked == nullptr) return entry.where() + " is not in the lock";
    if (locked->declared != entry.declared) return entry.where() + " changed, or a file that it names did";
  }
  for (const auto& entry : lock.entries) {
    if (stack.find(entry.table, entry.name) == nullptr) return entry.where() + " is no longer in the stack";
  }
  return {};
}

SavedLock save_lock(const fs::path& file, const Lock& lock) {
  const auto text = write_lock(lock);
  const auto digest = sha256(text);
  if (const auto fd = open_file_if_exists(file, O_RDONLY)) {
    if (regular_size(fd->get(), file.string()) == text.size() && sha256_of_file(fd->get(), file.string()) == digest) {
      return {false, digest};
    }
  }
  write_file_atomically(file, text);
  return {true, digest};
}

}  // namespace liftlock
