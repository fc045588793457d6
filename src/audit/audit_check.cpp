// verify() and export_to(): the parts of the log that look at all of it.
#include <fcntl.h>

#include <algorithm>
#include <map>

#include "audit/audit_entry.hpp"
#include "audit/audit_state.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "crypto/sha256sums.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_file = 32u << 20;

constexpr std::string_view k_readme = R"(An audit log of Liftlock, exported.

checkpoint          size and root hash of the log, signed (C2SP tlog-checkpoint)
key.pub             the key that signs it (a C2SP signed-note verifier key). Compare it with one you got another way
tile/entries/...    the entries, 256 to a file, each a line of JSON after its length as two bytes
tile/0/... 1/...    the Merkle tree over them (RFC 6962, C2SP tlog-tiles)
witness/...         earlier checkpoints that witnesses cosigned (C2SP tlog-cosignature), where there are some
check_log.py        checks all of it; needs Python 3 and nothing else
SHA256SUMS          the digests of the files, for a bit that a medium turned: sha256sum --check SHA256SUMS

    python3 check_log.py .                                every hash, the root, the signature
    python3 check_log.py . --key 'NAME+HEX+BASE64'        with the key that you trust
    python3 check_log.py . --earlier OLD/checkpoint       that this log continues the one you saw earlier
    python3 check_log.py . --witness 'NAME+HEX+BASE64'    that it continues what this witness cosigned
    python3 check_log.py . --print                        the entries as JSON Lines
)";

void expect_same(const fs::path& folder, const std::string& path, std::string_view expected) {
  const auto fd = open_file_if_exists(folder / path, O_RDONLY);
  if (!fd) fail(ErrorCode::audit_broken, "{} is missing", path);
  if (regular_size(fd->get(), path) != expected.size() || read_all(fd->get(), k_max_file, path) != expected) {
    fail(ErrorCode::audit_broken, "{} is not what the entries make it", path);
  }
}

void copy_small_file(const fs::path& from, const fs::path& to) {
  const auto out = open_file(to, O_WRONLY | O_CREAT | O_EXCL, 0644);
  write_all(out.get(), read_file(from, k_max_file), to.string());
}

void write_new_file(const fs::path& path, std::string_view content) {
  fs::create_directories(path.parent_path());
  const auto out = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
  write_all(out.get(), content, path.string());
}

void copy_full_tiles(const AuditSnapshot& snapshot, const fs::path& folder) {
  for (int level = -1; level < 8; ++level) {
    const auto height = 8 * (std::max(level, 0) + 1);
    const auto full = height < 64 ? snapshot.size() >> height : 0;
    for (std::uint64_t number = 0; number < full; ++number) {
      const auto path = tile_path(level, number, 0);
      fs::create_directories((folder / path).parent_path());
      copy_small_file(snapshot.folder / path, folder / path);
    }
  }
}

/// What witnesses stated: FOLDER/witness/*.checkpoint. docs/formats/witness.md
void copy_statements(const fs::path& from, const fs::path& to) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(from / "witness", none)) {
    if (entry.path().extension() != ".checkpoint") continue;
    make_folders(to / "witness");
    copy_small_file(entry.path(), to / "witness" / entry.path().filename());
  }
}

/// SHA256SUMS, of everything that lies in the folder.
void write_digests(const fs::path& folder) {
  std::map<std::string, Digest> digests;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    digests.emplace(entry.path().lexically_relative(folder).string(), sha256(read_file(entry.path(), k_max_file)));
  }
  std::string text;
  for (const auto& [path, digest] : digests) text += sha256sums_line(digest, path);
  write_new_file(folder / "SHA256SUMS", text);
}

}  // namespace

/// Compares the files that are derived from the journal with it, and returns the moment at which they fitted.
AuditSnapshot AuditLog::Impl::check_views() {
  const auto compare = [&] {
    check_checkpoint();
    AuditSnapshot now{folder, state};
    // Behind the journal they are when an append was cut off, or is under way: the next one makes them again.
    if (access == Access::read) {
      const auto views = look_at_views();
      if (!views.current && views.damaged.empty()) return now;
    }
    expect_same(folder, "checkpoint", state.checkpoint);
    for (const auto& [path, content] : now.partial_files()) expect_same(folder, path, content);
    return now;
  };
  const std::lock_guard guard(mutex);
  if (access == Access::write) {
    // With the lock held nobody is between the journal and the files that are derived from it.
    const FileLock lock(folder / "lock", "an append to the audit log", FileLock::Wait::yes);
    reload_locked();
    if (published != state.size()) publish(Publish::changes);
    return compare();
  }
  // Without the lock another process may append while we compare: then the journal, which it writes first, changed.
  constexpr int k_attempts = 1000;
  for (int i = 1;; ++i) {
    reload();
    try {
      return compare();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::audit_broken || i == k_attempts || !reload()) throw;
    }
  }
}

void AuditLog::verify(const std::function<void()>& between) const {
  const auto snapshot = m_impl->check_views();
  TreeEdge tree;
  for (std::uint64_t number = 0; number * k_tile_width < snapshot.size(); ++number) {
    if (between) between();
    const auto entries = snapshot.bundle(number);
    for (const auto& entry : entries) {
      for (const auto& tile : tree.append(leaf_hash(entry))) {
        if (snapshot.derives(tile)) continue;
        expect_same(snapshot.folder, tile_path(tile.level, tile.number, 0), tile_bytes(tile.hashes));
      }
    }
    // After the hashes, which say of a changed one that it was changed.
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const auto index = number * k_tile_width + i;
      with_context(fmt::format("in entry {} of the audit log", index), [&] { entry_from_bytes(entries[i], index); });
    }
  }
  if (tree.size() != snapshot.size() || tree.root() != snapshot.state.edge.root()) {
    fail(ErrorCode::audit_broken, "the entries do not have the root that the checkpoint states");
  }
}

void AuditLog::export_to(const fs::path& folder) const {
  make_folders(folder);
  if (!fs::is_empty(folder)) fail(ErrorCode::usage, "'{}' is not empty", printable(folder.string()));
  const auto snapshot = m_impl->snapshot();
  copy_full_tiles(snapshot, folder);
  for (const auto& [path, content] : snapshot.partial_files()) write_new_file(folder / path, content);
  copy_statements(snapshot.folder, folder);
  write_new_file(folder / "key.pub", m_impl->verifier.text() + "\n");
  write_new_file(folder / "check_log.py", k_check_log_script);
  write_new_file(folder / "README.txt", k_readme);
  write_new_file(folder / "checkpoint", snapshot.state.checkpoint);
  write_digests(folder);
  const auto fd = open_folder(folder);
  sync_file_system(fd.get(), folder.string());
}

}  // namespace liftlock
