#include "bundle/pack.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "artifact/artifact_text.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/bundle_reader.hpp"
#include "bundle/readme_text.hpp"
#include "bundle/sbom.hpp"
#include "bundle/tar_layout.hpp"
#include "bundle/verify.hpp"
#include "crypto/hash.hpp"
#include "crypto/sha256sums.hpp"
#include "ecosystem/source_files.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_room_for_lists = 16u << 20;
/// A member of content.tar up to here is written with its header and its padding at once.
constexpr std::uint64_t k_one_write = 256u << 10;
/// So many bytes of small members, one behind the other, are one write.
constexpr std::uint64_t k_batch = 1u << 20;
/// From so many files of at most so many bytes on, a bundle is a content.tar (docs/formats/bundle.md).
constexpr std::size_t k_many = 5000;
constexpr std::uint64_t k_small = 64u << 10;

/// Everything of a bundle but its content and bundle.json: small, and the same for the same lock.
struct Front {
  std::map<RelPath, std::string> documents;
  std::map<RelPath, BoundFile> bound;
};

/// What a bundle carries, how, and what its receiver has.
struct Content {
  ContentForm form = ContentForm::tree;
  std::vector<FileEntry> carried;
  std::vector<FileEntry> left_out;
};

/// Files that are made while packing always travel: they are small, and no artifact of the receiver holds them.
Content plan(const PackRequest& request) {
  Content content;
  for (auto& file : plan_content(request.artifacts, request.generated)) {
    const bool has = request.base && !file.artifacts.empty() && request.base->has(file.digest);
    (has ? content.left_out : content.carried).push_back(std::move(file));
  }
  return content;
}

std::string files_list(const std::vector<FileEntry>& files) {
  std::string list;
  for (const auto& file : files) list += write_file_entry(file);
  return list;
}

Front make_front(const PackRequest& request, const Content& content) {
  Front front;
  const auto put = [&](std::string_view path, std::string text) {
    front.bound.emplace(RelPath::parse(path), BoundFile{text.size(), sha256(text)});
    front.documents.emplace(RelPath::parse(path), std::move(text));
  };
  put(k_files_list_path, files_list(content.carried));
  if (request.base) put(k_left_out_list_path, files_list(content.left_out));
  std::string artifacts;
  for (const auto& artifact : request.artifacts) artifacts += artifact_line(artifact) + "\n";
  put(k_artifacts_list_path, std::move(artifacts));
  put(k_sbom_path, write_sbom(request.stack, request.artifacts, request.inspected));
  put(k_spdx_path, write_spdx(request.stack, request.artifacts, request.inspected));
  put(k_readme_path, readme_text(content.form));
  for (std::size_t i = 0; i < request.trust_statements.size(); ++i) {
    put(fmt::format("manifest/trust/{}.root.json", request.first_trust_version + i), request.trust_statements[i]);
  }
  std::string checksums;
  for (const auto& [path, list] : front.bound) checksums += checksum_line(list.digest, path);
  for (const auto& file : content.carried) checksums += checksum_line(file.digest, file.path);
  put(k_checksums_path, std::move(checksums));
  return front;
}

/// What the shell recipe of requirement G24 computes over models/, for those who compare with it.
std::optional<std::string> models_hash(const std::vector<FileEntry>& files) {
  std::vector<ListedDigest> models;
  for (const auto& file : files) {
    if (file.path.is_under("models")) models.push_back({.path = file.path.text(), .digest = file.digest});
  }
  if (models.empty()) return std::nullopt;
  return directory_hash(models).hex();
}

BundleInfo make_info(const PackRequest& request, const Front& front, const Content& content) {
  BundleInfo info;
  info.channel = request.channel;
  info.sequence = request.sequence;
  info.pending = request.pending;
  info.previous = request.previous;
  info.creation_date = now();
  info.bundle_version = fmt::format("{}-{}", request.channel, request.sequence);
  info.creator = request.creator;
  info.expires = request.expires;
  info.low_side_host = request.low_side_host;
  info.stack = request.stack;
  info.lock = request.lock;
  info.models_directory_hash = models_hash(content.carried);
  info.form = content.form;
  info.content_files = content.carried.size();
  for (const auto& file : content.carried) info.content_bytes += file.size;
  if (request.base) {
    info.builds_on = LeftOut{request.base->kind, request.base->digest, content.left_out.size(), 0};
    for (const auto& file : content.left_out) info.builds_on->bytes += file.size;
  }
  info.lists = front.bound;
  return info;
}

/// Writes content files from the store (or from memory) into a folder or a tar.
class ContentWriter {
 public:
  ContentWriter(const BlobStore& store, const PackRequest& request, const Content& content, const fs::path& folder)
      : m_store(store), m_files(content.carried), m_folder_fd(open_folder(folder)) {
    for (const auto& [path, text] : request.generated) m_generated.emplace(path.text(), &text);
    if (content.form == ContentForm::tar) open_tar();
  }

  void write_all_files(Reporter& reporter, std::uint64_t total) {
    if (m_tar.valid()) {
      pwrite_all(m_tar.get(), std::string(1024, '\0'), m_layout.end_offset);
    } else {
      make_content_folders();
    }
    const auto work = pieces();
    ProgressTask progress(reporter, "pack", Unit::bytes, total);
    parallel_for(work.size(),
                 [&](std::size_t i) { write_piece(work[i], [&](std::uint64_t done) { progress.advance(done); }); });
  }

 private:
  using Advance = std::function<void(std::uint64_t)>;

  /// Files, by their indexes, that one thread writes.
  struct Piece {
    std::size_t first = 0;
    std::size_t end = 0;
    std::uint64_t size = 0;
  };

  /// The large ones first, the others as they stand. Small members of a new content.tar that follow each other are one
  /// piece.
  std::vector<Piece> pieces() const {
    std::vector<Piece> out;
    const bool joins = m_tar.valid() && !m_resuming;
    for (std::size_t i = 0; i < m_files.size(); ++i) {
      const auto end = i + 1 < m_files.size() && joins ? m_layout.members[i + 1].header_offset : m_layout.end_offset;
      const bool fits = joins && !out.empty() && out.back().end == i && m_files[i].size <= k_one_write &&
                        m_files[out.back().first].size <= k_one_write &&
                        end - m_layout.members[out.back().first].header_offset <= k_batch;
      if (!fits) out.push_back({.first = i, .end = i});
      out.back().end = i + 1;
      out.back().size += m_files[i].size;
    }
    const auto rank = [](const Piece& piece) { return std::max(piece.size, k_batch); };
    std::stable_sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return rank(a) > rank(b); });
    return out;
  }

  void write_piece(const Piece& piece, const Advance& advance) {
    if (piece.end - piece.first > 1) {
      write_members(piece, advance);
    } else {
      write_one(piece.first, advance);
    }
  }

  void open_tar() {
    auto tar = open_beneath(m_folder_fd.get(), RelPath::parse(k_content_tar_path), O_RDWR | O_CREAT);
    m_tar = std::move(tar.value());
    m_layout = tar_layout(m_files);
    m_resuming = regular_size(m_tar.get(), k_content_tar_path) == m_layout.total_size;
    // Bytes of another lock's tar must not stay between ours.
    if (!m_resuming && ::ftruncate(m_tar.get(), 0) != 0) fail_errno("empty content.tar");
    if (::ftruncate(m_tar.get(), static_cast<off_t>(m_layout.total_size)) != 0)
      fail_errno("set the size of content.tar");
  }

  void make_content_folders() {
    std::string_view last;
    for (const auto& file : m_files) {
      if (file.path.parent() == last) continue;
      last = file.path.parent();
      make_parents_beneath(m_folder_fd.get(), file.path);
    }
  }

  /// nullptr: it lies in the store.
  const std::string* generated(const FileEntry& file) const {
    const auto made = m_generated.find(file.path.text());
    return made == m_generated.end() ? nullptr : made->second;
  }

  void write_one(std::size_t index, const Advance& advance) {
    const auto& file = m_files[index];
    const auto* text = generated(file);
    if (m_tar.valid()) {
      write_member(file, m_layout.members[index], text, advance);
    } else {
      write_file(file, text, advance);
    }
  }

  void write_file(const FileEntry& file, const std::string* text, const Advance& advance) {
    const auto out = std::move(open_beneath(m_folder_fd.get(), file.path, O_RDWR | O_CREAT).value());
    // Left whole by a run that was killed? The files of a fresh run are empty, so there this costs one fstat.
    const auto there = regular_size(out.get(), file.path.text());
    if (there == file.size && is_whole(file, out.get(), 0)) return advance(file.size);
    // Most files are new, and truncating an empty one is a transaction of the file system all the same.
    if (there > 0 && ::ftruncate(out.get(), 0) != 0) fail_errno(fmt::format("truncate {}", file.path.text()));
    if (text != nullptr) {
      pwrite_all(out.get(), *text, 0);
      return advance(file.size);
    }
    copy_blob(file, out.get(), advance);
  }

  void write_members(const Piece& piece, const Advance& advance) {
    const auto begin = m_layout.members[piece.first].header_offset;
    thread_local std::string out;
    out.clear();
    for (auto i = piece.first; i < piece.end; ++i) add_member(m_files[i], out);
    pwrite_all(m_tar.get(), out, begin);
    // Only a hint: pack's syncfs is what makes it durable, and finds the disk busy with it already.
    ::sync_file_range(m_tar.get(), static_cast<off_t>(begin), static_cast<off_t>(out.size()), SYNC_FILE_RANGE_WRITE);
    advance(piece.size);
  }

  /// Header, bytes and padding.
  void add_member(const FileEntry& file, std::string& out) const {
    out += tar_header(file.path, file.size);
    if (const auto* text = generated(file)) {
      out += *text;
    } else {
      const auto begin = out.size();
      out.resize(begin + file.size);
      read_blob(file, {reinterpret_cast<std::uint8_t*>(out.data()) + begin, file.size});
    }
    out.append(tar_padding(file.size), '\0');
  }

  void write_member(const FileEntry& file, const TarMember& place, const std::string* text, const Advance& advance) {
    const auto padding = tar_padding(file.size);
    if (m_resuming && is_whole(file, m_tar.get(), place.data_offset)) {
      pwrite_all(m_tar.get(), tar_header(file.path, file.size), place.header_offset);
      pwrite_all(m_tar.get(), std::string(padding, '\0'), place.data_offset + file.size);
      return advance(file.size);
    }
    if (text != nullptr || file.size <= k_one_write) {
      std::string member;
      add_member(file, member);
      pwrite_all(m_tar.get(), member, place.header_offset);
      return advance(file.size);
    }
    pwrite_all(m_tar.get(), tar_header(file.path, file.size), place.header_offset);
    pwrite_all(m_tar.get(), std::string(padding, '\0'), place.data_offset + file.size);
    // A descriptor of its own: each has its own file offset.
    const auto at = std::move(open_beneath(m_folder_fd.get(), RelPath::parse(k_content_tar_path), O_RDWR).value());
    if (::lseek(at.get(), static_cast<off_t>(place.data_offset), SEEK_SET) < 0) fail_errno("seek in content.tar");
    copy_blob(file, at.get(), advance);
  }

  static bool is_whole(const FileEntry& file, int out, std::uint64_t offset) {
    return file.size == 0 || sha256_of_range(out, offset, file.size, file.path.text(), {}) == file.digest;
  }

  UniqueFd open_blob(const FileEntry& file) const {
    auto in = m_store.open(file.digest);
    if (regular_size(in.get(), file.digest.text()) != file.size) {
      fail_bytes(file, fmt::format("does not have {} bytes", file.size));
    }
    return in;
  }
  void require_digest(const FileEntry& file, const Digest& actual) const {
    if (actual != file.digest) fail_bytes(file, fmt::format("has {} instead of {}", actual.text(), file.digest.text()));
  }
  /// The store's own file is damaged, or the user's changed, may be just now.
  [[noreturn]] void fail_bytes(const FileEntry& file, std::string_view what) const {
    if (const auto reference = m_store.references().any(file.digest); reference && !m_store.holds(file.digest)) {
      fail_changed(*reference);
    }
    fail(ErrorCode::blob_corrupt, "the store's file for '{}' {}", file.path.text(), what);
  }

  void read_blob(const FileEntry& file, std::span<std::uint8_t> into) const {
    const auto in = open_blob(file);
    if (!pread_exact(in.get(), into, 0, file.path.text())) fail_bytes(file, "ends early");
    require_digest(file, sha256(into));
  }

  void copy_blob(const FileEntry& file, int out, const Advance& advance) const {
    const auto in = open_blob(file);
    try {
      require_digest(file, copy_hashed(in.get(), 0, out, file.size, file.path.text(), advance));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::size_mismatch) fail_bytes(file, "ends early");
      throw;
    }
  }

  static void pwrite_all(int fd, std::string_view bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
      const auto put = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) fail_errno("write the bundle");
      bytes.remove_prefix(static_cast<std::size_t>(put));
      offset += static_cast<std::uint64_t>(put);
    }
  }

  const BlobStore& m_store;
  const std::vector<FileEntry>& m_files;
  UniqueFd m_folder_fd;
  UniqueFd m_tar;
  TarLayout m_layout;
  bool m_resuming = false;  ///< content.tar was left by an earlier run
  std::map<std::string_view, const std::string*> m_generated;
};

void check_fetched(const BlobStore& store, const PackRequest& request) {
  std::vector<const ArtifactFile*> wanted;
  for (const auto& artifact : request.artifacts) {
    for (const auto& file : artifact.files) {
      if (!request.base || !request.base->has(file.digest)) wanted.push_back(&file);
    }
  }
  std::vector<std::uint8_t> there(wanted.size());
  parallel_for(wanted.size(), [&](std::size_t i) { there[i] = store.contains(wanted[i]->digest) ? 1 : 0; });
  const auto missing = static_cast<std::size_t>(std::count(there.begin(), there.end(), 0));
  if (missing == 0) return;
  const auto* first = wanted[static_cast<std::size_t>(std::find(there.begin(), there.end(), 0) - there.begin())];
  const auto lacked =
      fmt::format("the store lacks {} of the lock, the first is '{}'", counted(missing, "file"), first->path.text());
  const auto reference = store.references().any(first->digest);
  if (!reference) fail(ErrorCode::not_fetched, "{}", lacked);
  const auto entry = request.entry_of ? request.entry_of(first->digest) : std::string();
  std::error_code error;
  const bool is_there = fs::exists(reference->file, error) || error;
  const auto gone = is_there ? reference->file : gone_place(reference->file);
  throw Error(ErrorCode::not_fetched,
              fmt::format("{}: '{}' {}, and the store only refers to {}", lacked, printable(gone.string()),
                          is_there ? "changed" : "is gone, or was moved",
                          gone == fs::absolute(reference->file) ? "it" : "its files"),
              fmt::format("put it back, or {}; with --copy, `lock` and `fetch` keep copies",
                          is_there        ? fmt::format("lock what is there now: `liftlock lock --update{}`",
                                                 entry.empty() ? "-all" : " " + entry)
                          : entry.empty() ? "write its new place into the stack, and run `liftlock lock`"
                                          : fmt::format("write its new place as the source of [{}], and run `liftlock "
                                                        "lock` and `liftlock fetch`",
                                                        entry)));
}

/// Can the bundle be renamed to this place: is nothing there, or an empty folder?
/// @throws Error{usage} when there is something that is no bundle
bool is_free(const fs::path& output) {
  const auto status = fs::symlink_status(output);
  if (!fs::exists(status)) return true;
  const auto shown = printable(output.string());
  const auto refuse = [&](std::string_view why) {
    throw Error(ErrorCode::usage, fmt::format("'{}' {}", shown, why),
                fmt::format("a bundle is a folder that pack makes whole: name a new one, such as '{}'",
                            printable((output / "bundle-1").string())));
  };
  if (!fs::is_directory(output)) {
    throw Error(ErrorCode::usage, fmt::format("'{}' is no folder", shown),
                "a bundle is a folder that pack makes: name a new one with --output");
  }
  if (fs::exists(output / k_bundle_json_path)) return false;
  if (!fs::is_empty(output)) refuse("is a folder that holds other things than a bundle");
  if (fs::is_symlink(status) || is_mount_point(output)) refuse("is a mount or a link, which nothing can be renamed to");
  return true;
}

/// A bundle that is there already keeps its form, whatever the default was when it was made.
ContentForm form_of(const PackRequest& request, const std::vector<FileEntry>& carried) {
  if (request.form) return *request.form;
  if (!is_free(request.output)) return BundleReader(request.output).info().form;
  return form_for(carried);
}

/// Held while a bundle is packed; leaves no file behind, however that ends.
class OutputLock {
 public:
  explicit OutputLock(const fs::path& output)
      : m_lock(output.string() + ".lock", "a pack into this folder", FileLock::Wait::no) {}
  ~OutputLock() { m_lock.remove(); }
  OutputLock(const OutputLock&) = delete;
  OutputLock& operator=(const OutputLock&) = delete;

 private:
  FileLock m_lock;
};

/// What will lie in the folder, and in content.tar, and the signature that is made later. Refers to what it is given.
std::vector<GuardedFile> guarded_files(const BlobStore& store, const PackRequest& request, const Front& front,
                                       const Content& content, const BundleInfo& info) {
  const auto root = folder_name(request.output) + "/";
  std::vector<GuardedFile> files;
  // Texts stay where they are: the lists of a large bundle are large.
  const auto add_text = [&](std::string path, const std::string& text) {
    GuardedFile file{.path = std::move(path), .size = text.size()};
    file.text = std::shared_ptr<const std::string>(std::shared_ptr<void>(), &text);
    files.push_back(std::move(file));
  };
  for (const auto& [path, text] : front.documents) add_text(root + path.text(), text);
  GuardedFile bundle_json{.path = root + std::string(k_bundle_json_path), .size = 0};
  bundle_json.text = std::make_shared<const std::string>(write_bundle_info(info));
  bundle_json.size = bundle_json.text->size();
  files.push_back(std::move(bundle_json));
  GuardedFile signature{.path = root + "signatures/builder.0123456789abcdef.sigstore.json",
                        .size = bundle_limits::k_signature};
  signature.type = ContentType::json;
  signature.place = GuardedFile::Place::foreseen;
  files.push_back(std::move(signature));

  const bool in_tar = content.form == ContentForm::tar;
  const auto tar = root + std::string(k_content_tar_path);
  if (in_tar) {
    GuardedFile file{.path = tar, .size = tar_layout(content.carried).total_size};
    file.type = ContentType::tar;
    files.push_back(std::move(file));
  }
  std::map<std::string_view, const std::string*> generated;
  for (const auto& [path, text] : request.generated) generated.emplace(path.text(), &text);
  for (const auto& entry : content.carried) {
    auto path = in_tar ? tar + "!" + entry.path.text() : root + entry.path.text();
    if (const auto made = generated.find(entry.path.text()); made != generated.end()) {
      add_text(std::move(path), *made->second);
    } else {
      GuardedFile file{.path = std::move(path), .size = entry.size, .digest = entry.digest};
      file.open = [&store, digest = entry.digest] { return store.open(digest); };
      files.push_back(std::move(file));
    }
    if (in_tar) files.back().place = GuardedFile::Place::in_tar;
  }
  return files;
}

/// The folder is a bundle with exactly these lists, and every byte of it is right.
std::optional<PackResult> unchanged_bundle(const PackRequest& request, const Front& front, ContentForm form,
                                           Reporter& reporter) {
  if (is_free(request.output)) return std::nullopt;
  const BundleReader existing(request.output);
  const auto& wanted = front.bound;
  const auto& lists = existing.info().lists;
  const bool same =
      existing.info().channel == request.channel && existing.info().form == form &&
      std::equal(wanted.begin(), wanted.end(), lists.begin(), lists.end(),
                 [](const auto& a, const auto& b) { return a.first == b.first && a.second.digest == b.second.digest; });
  if (!same) {
    throw Error(ErrorCode::immutable, fmt::format("'{}' holds another bundle", printable(request.output.string())),
                "name a new folder with --output, or remove that one");
  }
  const auto report =
      verify_bundle(request.output, {.expect = {}, .pinned = {}, .when = existing.info().creation_date}, reporter);
  if (!report.problems.empty()) {
    fail(ErrorCode::immutable, "'{}' holds this bundle, but damaged: {}", printable(request.output.string()),
         report.problems[0].message);
  }
  return PackResult{existing.digest(), existing.info(), true};
}

/// An earlier run may have been killed while it packed another lock: what this one does not write must go.
/// What stays, in files and bytes.
std::pair<std::size_t, std::uint64_t> drop_leftovers(const fs::path& partial, const std::vector<FileEntry>& files,
                                                     ContentForm form) {
  std::set<std::string_view> wanted;
  if (form == ContentForm::tree) {
    for (const auto& file : files) wanted.insert(file.path.text());
  } else {
    wanted.insert(k_content_tar_path);
  }
  std::pair<std::size_t, std::uint64_t> kept{};
  for (const auto& entry : walk(partial, 2 * bundle_limits::k_files)) {
    if (!wanted.contains(entry.path) || !S_ISREG(entry.status.st_mode)) {
      remove_tree(partial / entry.path);
      continue;
    }
    ++kept.first;
    kept.second += static_cast<std::uint64_t>(entry.status.st_size);
  }
  return kept;
}

}  // namespace

std::vector<FileEntry> plan_content(const std::vector<Artifact>& artifacts,
                                    const std::vector<std::pair<RelPath, std::string>>& generated) {
  std::vector<FileEntry> all;
  for (const auto& artifact : artifacts) {
    const auto id = artifact.id();
    for (const auto& file : artifact.files) all.push_back({file.path, file.size, file.digest, {id}});
  }
  for (const auto& [path, text] : generated) all.push_back({path, text.size(), sha256(text), {}});
  const auto by_path = [](const auto& a, const auto& b) { return a.path < b.path; };
  if (!std::is_sorted(all.begin(), all.end(), by_path)) std::stable_sort(all.begin(), all.end(), by_path);

  std::vector<FileEntry> files;
  files.reserve(all.size());
  for (auto& entry : all) {
    if (files.empty() || files.back().path != entry.path) {
      files.push_back(std::move(entry));
      continue;
    }
    auto& known = files.back();
    if (entry.artifacts.empty()) {
      fail(ErrorCode::path_collision, "'{}' belongs to an artifact and is made while packing", entry.path.text());
    }
    if (known.digest != entry.digest) {
      fail(ErrorCode::path_collision, "{} and {} both want '{}' with different content", known.artifacts[0],
           entry.artifacts[0], entry.path.text());
    }
    known.artifacts.push_back(std::move(entry.artifacts[0]));
  }
  for (auto& entry : files) std::sort(entry.artifacts.begin(), entry.artifacts.end());
  return files;
}

ContentForm form_for(const std::vector<FileEntry>& carried) {
  const auto small =
      std::count_if(carried.begin(), carried.end(), [](const auto& file) { return file.size <= k_small; });
  return static_cast<std::size_t>(small) >= k_many ? ContentForm::tar : ContentForm::tree;
}

PackResult pack(const BlobStore& store, const PackRequest& request, Reporter& reporter) {
  check_fetched(store, request);
  auto content = plan(request);
  content.form = form_of(request, content.carried);
  const auto front = make_front(request, content);
  // What we write must be what a reader accepts.
  parse_files_list(front.documents.at(RelPath::parse(k_files_list_path)));
  const auto info = make_info(request, front, content);
  if (request.judge) request.judge(guarded_files(store, request, front, content, info));
  if (auto existing = unchanged_bundle(request, front, content.form, reporter)) return *existing;

  const auto partial = fs::path(request.output.string() + ".partial");
  std::error_code no_space;
  if (fs::space(fs::absolute(request.output).parent_path(), no_space).capacity == 0 && !no_space) {
    throw Error(ErrorCode::not_regular,
                fmt::format("'{}' is in no place for files", printable(request.output.string())),
                "it belongs to the kernel, as /proc and /sys do: name a folder of a disk or a medium");
  }
  if (const auto parent = request.output.parent_path(); !parent.empty()) make_folders(parent);
  const OutputLock lock(request.output);
  // In a tar each file has its header and its padding besides.
  const auto needed = content.form == ContentForm::tar ? tar_layout(content.carried).total_size : info.content_bytes;
  if (fs::exists(partial)) {
    const auto [files, bytes] = drop_leftovers(partial, content.carried, content.form);
    if (files > 0) {
      reporter.note(fmt::format(
          "an earlier run left {} ({}) in '{}': what of it is whole is kept, once it was read and hashed again",
          counted(files, "file"), format_size(bytes), printable(partial.string())));
    }
  } else if (const auto available = free_space(partial); available < needed + k_room_for_lists) {
    fail(ErrorCode::disk_full,
         "the bundle needs {} bytes of room ({} of content and {} for its lists), and '{}' has {}",
         needed + k_room_for_lists, needed, k_room_for_lists, printable(partial.parent_path().string()), available);
  }
  make_folders(partial);
  ContentWriter writer(store, request, content, partial);
  writer.write_all_files(reporter, info.content_bytes);

  const auto folder_fd = open_folder(partial);
  const auto put = [&](const RelPath& path, std::string_view text) {
    make_parents_beneath(folder_fd.get(), path);
    const auto fd = open_beneath(folder_fd.get(), path, O_WRONLY | O_CREAT | O_TRUNC).value();
    write_all(fd.get(), text, path.text());
  };
  for (const auto& [path, text] : front.documents) put(path, text);
  const auto bundle_json = write_bundle_info(info);
  put(RelPath::parse(k_bundle_json_path), bundle_json);
  sync_file_system(folder_fd.get(), partial.string());
  rename_file(partial, request.output);
  const auto parent = request.output.parent_path();
  sync_folder(parent.empty() ? fs::path(".") : parent);
  return {sha256(bundle_json), info, false};
}

}  // namespace liftlock
