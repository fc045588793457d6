#include "audit/audit_state.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "audit/view_files.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/rel_path.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_journal = 256u << 20;
/// Zeros behind a new journal, twice what the one before it took.
constexpr std::uint64_t k_min_room = 64u << 10, k_max_room = 8u << 20;

bool is_blank(std::string_view content) {
  return std::all_of(content.begin(), content.end(), [](char c) { return c == '\0'; });
}

/// Is it what a power cut leaves of a file that was not synced: cut, or with blocks that never were written?
bool may_be_lost(std::string_view found, std::string_view content) {
  constexpr std::size_t k_sector = 512;
  for (std::size_t at = 0; at < found.size(); at += k_sector) {
    const auto block = found.substr(at, k_sector);
    if (block != content.substr(at, block.size()) && !is_blank(block)) return false;
  }
  return true;
}

SignedNote parse_own_note(std::string_view text, std::string_view place) {
  try {
    return parse_signed_note(text);
  } catch (const Error& error) {
    fail(ErrorCode::audit_broken, "{}: {}", place, error.what());
  }
}

/// "liftlock/HOST/8 random hex digits": two logs of one machine have different names.
std::string default_origin() {
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) != 0 || host[0] == 0) std::strcpy(host, "host");
  std::array<std::uint8_t, 4> random{};
  if (::getentropy(random.data(), random.size()) != 0) fail_errno("getentropy");
  return fmt::format("liftlock/{}/{}", portable_component(host), encode_hex(random));
}

/// Has nobody appended behind the first `whole` bytes of a journal, and nobody cut them?
bool ends_at(int fd, std::uint64_t size, std::uint64_t whole) {
  std::array<std::uint8_t, 4> next{};
  const auto count = std::min<std::uint64_t>(next.size(), size - std::min(size, whole));
  const bool there = pread_exact(fd, std::span(next).first(count), whole, "the audit journal");
  return size >= whole && there && next == std::array<std::uint8_t, 4>{};
}

void remove_other_files(const fs::path& folder, std::string_view keep) {
  std::error_code ignored;
  for (fs::directory_iterator at(folder, ignored), end; at != end; at.increment(ignored)) {
    if (at->path().filename() != keep) fs::remove(at->path(), ignored);
  }
}

/// The public key of a log that has lost its key.pub: its name is in the journal's checkpoint.
NoteKey verifier_of(std::string_view journal, const PublicKey& key) {
  const auto note = parse_own_note(parse_journal(journal).checkpoint, "the audit journal");
  NoteKey verifier{.name = Checkpoint::parse(note.text).origin, .key = raw_ed25519(key)};
  if (!is_signed_by(note, verifier)) fail(ErrorCode::audit_broken, "the checkpoint is not signed by the log's key");
  return verifier;
}

[[noreturn]] void no_journal(const fs::path& folder) {
  throw Error(ErrorCode::audit_broken, fmt::format("'{}' has lost its journal", printable(folder.string())),
              "restore the whole folder from the newest backup; where there is none, `liftlock init --zone ZONE "
              "--new-audit-log --reason TEXT` puts aside what is left, and begins another log");
}

}  // namespace

void AuditLog::Impl::create(std::string_view origin) {
  // In this order, so that a crash in between leaves a folder that the next run completes.
  const bool has_views = fs::exists(checkpoint_path()) || fs::exists(folder / "tile");
  const bool has_journal = fs::exists(journal_path());
  if (!fs::exists(folder / "key")) {
    if (has_views || has_journal) {
      throw Error(ErrorCode::audit_broken, fmt::format("'{}' holds a log without its key", printable(folder.string())),
                  "restore its file `key` from a backup");
    }
    write_file_atomically(folder / "key", PrivateKey::generate(KeyAlgorithm::ed25519).to_pem(), 0600);
  }
  if (has_views && !has_journal) no_journal(folder);
  if (!fs::exists(folder / "key.pub")) {
    const auto key_of_log = PrivateKey::from_pem(read_file(folder / "key", 4096)).public_key();
    const auto chosen = origin.empty() ? default_origin() : std::string(origin);
    if (const auto why = why_not_note_name(chosen); !why.empty()) {
      fail(ErrorCode::usage, "'{}' cannot name an audit log: {}", printable(chosen), why);
    }
    const auto name = has_journal ? verifier_of(read_file(journal_path(), k_max_journal), key_of_log)
                                  : NoteKey{.name = chosen, .key = raw_ed25519(key_of_log)};
    write_file_atomically(folder / "key.pub", name.text() + "\n");
  }
  if (has_journal) return;
  load_key();
  begin_journal(journal_header({}) + journal_record(0, {}, sign({})), k_min_room);
}

void AuditLog::Impl::load_key() {
  key = PrivateKey::from_pem(read_file(folder / "key", 4096));
  load_verifier();
  if (verifier.key != raw_ed25519(key->public_key()))
    fail(ErrorCode::audit_broken, "the audit log's key and key.pub differ");
}

void AuditLog::Impl::load_verifier() {
  const auto text = read_if_exists(folder / "key.pub", 4096);
  if (!text && fs::exists(journal_path())) {
    throw Error(
        ErrorCode::audit_broken, fmt::format("'{}' has lost its key.pub", printable(folder.string())),
        "the next command that writes to the log makes it again from `key`, as `liftlock serve` does at its start");
  }
  if (!text) {
    throw Error(ErrorCode::not_found, fmt::format("there is no audit log in '{}'", printable(folder.string())),
                "`liftlock init` made one: restore it from a backup; a new one would hold nothing of what was done");
  }
  verifier = NoteKey::parse(trim(*text));
}

std::string AuditLog::Impl::sign(const CompactRange& tree) const {
  const Checkpoint checkpoint{.origin = verifier.name, .size = tree.size(), .root = tree.root()};
  return sign_note(checkpoint.text(), verifier, *key);
}

bool AuditLog::Impl::reload() {
  auto fd = open_file_if_exists(journal_path(), access == Access::read ? O_RDONLY : O_RDWR);
  if (!fd) no_journal(folder);
  const auto found = stat_of(fd->get(), "the audit journal");
  if (journal.valid()) {
    const auto known = stat_of(journal.get(), "the audit journal");
    const bool same_file = found.st_dev == known.st_dev && found.st_ino == known.st_ino;
    if (same_file && ends_at(fd->get(), static_cast<std::uint64_t>(found.st_size), state.whole_bytes)) return false;
  }
  state = parse_journal(read_all(fd->get(), k_max_journal, "the audit journal"));
  range = CompactRange(state.edge);
  journal = std::move(*fd);
  check_checkpoint();
  return true;
}

void AuditLog::Impl::check_checkpoint() const {
  const auto note = parse_own_note(state.checkpoint, "the audit journal");
  const auto checkpoint = Checkpoint::parse(note.text);
  if (!is_signed_by(note, verifier)) fail(ErrorCode::audit_broken, "the checkpoint is not signed by the log's key");
  if (checkpoint.origin != verifier.name || checkpoint.size != state.size() || checkpoint.root != state.edge.root()) {
    fail(ErrorCode::audit_broken, "the journal does not fit its checkpoint");
  }
}

AuditLog::Impl::Views AuditLog::Impl::look_at_views() const {
  const auto file = read_if_exists(checkpoint_path(), 64 * 1024);
  if (!file || is_blank(*file)) return {};
  if (*file != state.checkpoint) {
    const auto note = parse_own_note(*file, "the checkpoint file");
    const auto seen = Checkpoint::parse(note.text);
    if (!is_signed_by(note, verifier))
      fail(ErrorCode::audit_broken, "the checkpoint file is not signed by the log's key");
    if (seen.size > state.size()) {
      fail(ErrorCode::audit_broken, "the log was cut: its checkpoint covers {} entries, {} are left", seen.size,
           state.size());
    }
    const AuditSnapshot now{folder, state};
    if (seen.size == state.size() || seen.root != liftlock::root_at(seen.size, now.reader())) {
      fail(ErrorCode::audit_broken, "the log was forked: the checkpoint file has another history");
    }
    return {};
  }
  const AuditSnapshot now{folder, state};
  Views views{.current = state.tail.size() < k_tile_width, .damaged = {}};
  for (const auto& [path, content] : now.partial_files()) {
    std::error_code missing;
    const auto size = fs::file_size(folder / path, missing);
    if (!missing && size > content.size()) {
      views.damaged.push_back(path);
      continue;
    }
    const auto found = read_if_exists(folder / path, k_max_bundle);
    if (found == content) continue;
    // A power cut can lose these files, which are never synced: gone, cut, or blank in part.
    if (!found || may_be_lost(*found, content))
      views.current = false;
    else
      views.damaged.push_back(path);
  }
  return views;
}

void AuditLog::Impl::reload_locked() {
  try {
    reload_and_check();
  } catch (...) {
    // What did not pass must be checked again, not taken for known.
    journal.reset();
    throw;
  }
}

void AuditLog::Impl::reload_and_check() {
  if (!reload() && state.torn_bytes == 0) return;
  const auto views = look_at_views();
  if (state.torn_bytes > 0) {
    if (::ftruncate(journal.get(), static_cast<off_t>(state.whole_bytes)) != 0)
      fail_errno("truncate the audit journal");
    sync_once(failed, [&] { sync_file(journal.get(), "the audit journal"); });
    dropped_bytes += std::exchange(state.torn_bytes, 0);
  }
  published = state.size();
  if (!views.damaged.empty()) {
    // Before they are mended: who is killed in between leaves the entry, not a mended log that nobody knows of.
    damaged = views.damaged;
    tell_news();
  }
  if (!views.current || !views.damaged.empty()) publish(Publish::everything);
}

void AuditLog::Impl::commit(const std::vector<std::string>& entries) {
  auto edge = state.edge;
  auto grown = range;
  std::vector<FullTile> filled;
  for (const auto& entry : entries) {
    const auto leaf = leaf_hash(entry);
    grown.append(leaf);
    auto tiles = edge.append(leaf);
    std::move(tiles.begin(), tiles.end(), std::back_inserter(filled));
  }
  auto checkpoint = sign(grown);
  const auto record = journal_record(state.size(), entries, checkpoint);
  if (::lseek(journal.get(), static_cast<off_t>(state.whole_bytes), SEEK_SET) < 0)
    fail_errno("seek in the audit journal");
  try {
    write_all(journal.get(), record, "the audit journal");
  } catch (const Error&) {
    // Part of a record: taken back if possible, and torn bytes for the next run if not.
    if (::ftruncate(journal.get(), static_cast<off_t>(state.whole_bytes)) != 0) failed = true;
    throw;
  }
  sync_once(failed, [&] {
    if (::fdatasync(journal.get()) != 0) fail_errno("fdatasync of the audit journal");
  });
  state.edge = std::move(edge);
  range = std::move(grown);
  state.tail.insert(state.tail.end(), entries.begin(), entries.end());
  std::move(filled.begin(), filled.end(), std::back_inserter(state.filled));
  state.checkpoint = std::move(checkpoint);
  state.whole_bytes += record.size();
}

std::vector<std::pair<fs::path, std::string>> AuditLog::Impl::full_files() const {
  std::vector<std::pair<fs::path, std::string>> files;
  for (const auto& tile : state.filled) {
    files.emplace_back(folder / tile_path(tile.level, tile.number, 0), tile_bytes(tile.hashes));
  }
  const auto full = state.size() / k_tile_width;
  for (auto number = state.base / k_tile_width; number < full; ++number) {
    const auto begin = number * k_tile_width - state.base;
    files.emplace_back(folder / tile_path(-1, number, 0), bundle_bytes(state.tail, begin, begin + k_tile_width));
  }
  return files;
}

void AuditLog::Impl::publish_full_tiles() {
  std::vector<std::pair<fs::path, std::string>> files;
  {
    const std::lock_guard guard(mutex);
    files = full_files();
  }
  publish_files(folder, files, failed);
}

void AuditLog::Impl::publish(Publish what) {
  const auto old_size = published;
  const bool filled = !state.filled.empty();
  publish_files(folder, full_files(), failed);

  const AuditSnapshot now{folder, state};
  for (const auto& [name, content] : now.partial_files()) {
    const auto path = folder / name;
    // Levels above the leaves change only when a tile below them is full.
    const bool leaves = name.starts_with("tile/0/") || name.starts_with("tile/entries/");
    if (!leaves && !filled && what == Publish::changes) continue;
    if (!fs::is_directory(path.parent_path())) fs::create_directories(path.parent_path());
    write_view(path, content);
    if (what == Publish::everything) remove_other_files(path.parent_path(), path.filename().string());
  }
  write_view(checkpoint_path(), state.checkpoint);

  if (what == Publish::changes && old_size % k_tile_width != 0 && old_size != state.size()) {
    std::error_code ignored;
    for (const int level : {-1, 0}) {
      fs::remove(folder / tile_path(level, old_size / k_tile_width, old_size % k_tile_width), ignored);
    }
  }
  if (filled) settle();
  published = state.size();
}

void AuditLog::Impl::begin_journal(const std::string& content, std::uint64_t room) {
  const auto temporary = folder / ".journal.new";
  try {
    const auto fd = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    write_all(fd.get(), content + std::string(room, '\0'), temporary.string());
    sync_once(failed, [&] { sync_file(fd.get(), temporary.string()); });
    rename_file(temporary, journal_path());
  } catch (const Error&) {
    ::unlink(temporary.c_str());  // on a full disk it is in the way
    throw;
  }
  sync_once(failed, [&] { sync_folder(folder); });
}

void AuditLog::Impl::renew_journal() {
  reload_locked();
  auto content = read_all(journal.get(), k_max_journal, "the audit journal");
  content.resize(std::min<std::uint64_t>(content.size(), state.whole_bytes));
  begin_journal(content, std::clamp(2 * state.whole_bytes, k_min_room, k_max_room));
  // Another file now. What it says is what counts: pages that were not written may have been dropped meanwhile.
  journal.reset();
  reload_locked();
}

void AuditLog::Impl::settle() {
  // Every full bundle and tile is durable by now: the journal can begin anew at the last one.
  auto levels = state.edge.levels();
  if (!levels.empty()) levels[0].clear();
  const auto base = state.size() - state.size() % k_tile_width;
  const auto header = journal_header(TreeEdge::restore(base, std::move(levels)));
  const std::vector<std::string> tail(state.tail.begin() + static_cast<std::ptrdiff_t>(base - state.base),
                                      state.tail.end());
  const auto content = header + journal_record(base, tail, state.checkpoint);
  begin_journal(content, std::clamp(2 * state.whole_bytes, k_min_room, k_max_room));
  for (const auto& tile : state.filled) {
    remove_tree(folder / (tile_path(tile.level, tile.number, 0) + ".p"));
    if (tile.level == 0) remove_tree(folder / (tile_path(-1, tile.number, 0) + ".p"));
  }
  journal = open_file(journal_path(), O_RDWR);
  state.base = base;
  state.tail = tail;
  state.filled.clear();
  state.whole_bytes = content.size();
}

AuditSnapshot AuditLog::Impl::snapshot() {
  const std::lock_guard guard(mutex);
  reload();
  return {folder, state};
}

}  // namespace liftlock
