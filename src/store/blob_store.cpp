#include "store/blob_store.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

std::string fan_out(unsigned index) {
  return fmt::format("{:02x}", index);
}

/// "ab/abcd…", beneath blobs/sha256.
std::string name_of(const Digest& digest) {
  if (digest.algorithm() != DigestAlgorithm::sha256) fail(ErrorCode::internal, "a blob is named by its SHA-256");
  const auto hex = digest.hex();
  return hex.substr(0, 2) + "/" + hex;
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

/// Calls visit for each name in a folder but "." and "..". false when the folder does not exist.
bool list_folder(int base, const std::string& name, const std::function<void(int folder, const char* entry)>& visit) {
  const int fd = ::openat(base, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return false;
  if (fd < 0) fail_errno(fmt::format("open the folder {}", printable(name)));
  const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(fd));
  if (!folder) fail_errno(fmt::format("read the folder {}", printable(name)));
  while (true) {
    errno = 0;
    const auto* entry = ::readdir(folder.get());
    if (entry == nullptr && errno != 0) fail_errno(fmt::format("read the folder {}", printable(name)));
    if (entry == nullptr) return true;
    const std::string_view text = entry->d_name;
    if (text != "." && text != "..") visit(::dirfd(folder.get()), entry->d_name);
  }
}

std::optional<Digest> digest_of_name(std::string_view name, std::string_view folder) {
  if (name.size() != 64 || !name.starts_with(folder)) return std::nullopt;
  return Digest::try_parse("sha256:" + std::string(name));
}

}  // namespace

BlobStore::BlobStore(fs::path folder)
    : m_folder(std::move(folder)), m_references(std::make_unique<References>(m_folder / "references")) {
  const auto blobs = m_folder / "blobs" / "sha256";
  make_folders(blobs);
  make_folders(m_folder / "staging");
  m_blobs = open_folder(blobs);
  // They are made in order, so the last one stands for all.
  if (::faccessat(m_blobs.get(), fan_out(255).c_str(), F_OK, 0) == 0) return;
  for (unsigned i = 0; i < 256; ++i) {
    if (::mkdirat(m_blobs.get(), fan_out(i).c_str(), 0755) != 0 && errno != EEXIST) {
      fail_errno(fmt::format("mkdir {}/{}", blobs.string(), fan_out(i)));
    }
  }
  sync_file(m_blobs.get(), blobs.string());
}

bool BlobStore::contains(const Digest& digest) const {
  return m_references->live(digest) || holds(digest);
}

bool BlobStore::holds(const Digest& digest) const {
  if (::faccessat(m_blobs.get(), name_of(digest).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno != ENOENT) fail_errno(fmt::format("look up {}", digest.text()));
  return false;
}

std::optional<std::uint64_t> BlobStore::size(const Digest& digest) const {
  struct stat status {};
  if (::fstatat(m_blobs.get(), name_of(digest).c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    return static_cast<std::uint64_t>(status.st_size);
  }
  if (errno != ENOENT) fail_errno(fmt::format("stat {}", digest.text()));
  if (const auto reference = m_references->live(digest)) return reference->identity.size;
  return std::nullopt;
}

UniqueFd BlobStore::open(const Digest& digest) const {
  const int fd = ::openat(m_blobs.get(), name_of(digest).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0) return UniqueFd(fd);
  if (errno != ENOENT) fail_errno(fmt::format("open {}", digest.text()));
  if (auto file = m_references->open(digest)) return std::move(*file);
  fail(ErrorCode::not_found, "the store does not hold {}", digest.text());
}

fs::path BlobStore::place(const Digest& digest) const {
  return m_folder / "blobs" / "sha256" / name_of(digest);
}

fs::path BlobStore::path(const Digest& digest) const {
  if (!holds(digest)) {
    if (const auto file = m_references->open(digest)) {
      make(digest, [&](int out) {
        const auto size = regular_size(file->get(), digest.text());
        try {
          if (copy_hashed(file->get(), 0, out, size, digest.text(), {}) == digest) return;
        } catch (const Error& error) {
          if (error.code() != ErrorCode::size_mismatch) throw;
        }
        fail_changed(*m_references->any(digest));
      });
    }
  }
  return place(digest);
}

void BlobStore::make(const Digest& digest, const std::function<void(int out)>& write) const {
  static std::atomic<unsigned> counter{0};
  const auto staging = m_folder / "staging";
  const auto name = fmt::format("put.{}.{}.tmp", ::getpid(), counter.fetch_add(1));
  const auto folder = open_folder(staging);
  ::unlinkat(folder.get(), name.c_str(), 0);
  const auto fd = open_file(staging / name, O_WRONLY | O_CREAT | O_EXCL, 0444);
  try {
    write(fd.get());
    sync_file(fd.get(), name);
    adopt(folder.get(), name, digest);
  } catch (...) {
    ::unlinkat(folder.get(), name.c_str(), 0);
    throw;
  }
  sync_folder(place(digest).parent_path());
}

Digest BlobStore::put(std::span<const std::uint8_t> bytes) {
  const auto digest = sha256(bytes);
  if (!holds(digest)) make(digest, [&](int out) { write_all(out, bytes, digest.text()); });
  return digest;
}

Digest BlobStore::put(std::string_view text) {
  return put(as_bytes(text));
}

void BlobStore::sync() const {
  sync_file_system(m_blobs.get(), m_folder.string());
}

void BlobStore::adopt(int from_folder, const std::string& from, const Digest& digest) const {
  const auto to = name_of(digest);
  if (::renameat(from_folder, from.c_str(), m_blobs.get(), to.c_str()) == 0) return;
  // Somebody tidied an empty folder away.
  if (errno == ENOENT && ::mkdirat(m_blobs.get(), to.substr(0, 2).c_str(), 0755) == 0) {
    sync_file(m_blobs.get(), "blobs/sha256");
    if (::renameat(from_folder, from.c_str(), m_blobs.get(), to.c_str()) == 0) return;
  }
  fail_errno(fmt::format("rename {} to {}", from, to));
}

void BlobStore::for_each(const std::function<void(const Digest&, std::uint64_t size)>& visit,
                         const std::function<void(const std::string& path)>& stray) const {
  const auto tell_stray = [&](const std::string& path) {
    if (!stray) fail(ErrorCode::store_invalid, "'{}' in the store is no blob", printable(path));
    stray(path);
  };
  const auto visit_entry = [&](const std::string& name, int folder, const char* entry) {
    struct stat status {};
    if (::fstatat(folder, entry, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return;
      fail_errno(fmt::format("stat {}", printable(entry)));
    }
    const auto digest = digest_of_name(entry, name);
    if (!digest || !S_ISREG(status.st_mode)) return tell_stray(fmt::format("blobs/sha256/{}/{}", name, entry));
    visit(*digest, static_cast<std::uint64_t>(status.st_size));
  };
  list_folder(m_blobs.get(), ".", [&](int folder, const char* entry) {
    const std::string name = entry;
    struct stat status {};
    const bool fan = name.size() == 2 && decode_hex(name).has_value();
    if (!fan || ::fstatat(folder, entry, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(status.st_mode)) {
      return tell_stray("blobs/sha256/" + name);
    }
    list_folder(folder, name, [&](int inner, const char* blob) { visit_entry(name, inner, blob); });
  });
}

void BlobStore::remove(const Digest& digest) {
  if (::unlinkat(m_blobs.get(), name_of(digest).c_str(), 0) != 0 && errno != ENOENT) {
    fail_errno(fmt::format("remove {}", digest.text()));
  }
}

fs::path BlobStore::quarantine(const Digest& digest) {
  const auto folder = m_folder / "quarantine";
  make_folders(folder);
  const auto target = folder / digest.hex();
  rename_file(place(digest), target);
  sync_folder(folder);
  sync_folder(place(digest).parent_path());
  return target;
}

}  // namespace liftlock
