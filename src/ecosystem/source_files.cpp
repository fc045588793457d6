#include "ecosystem/source_files.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_files = 100'000;

/// Read in less time than anybody notices.
constexpr std::uint64_t k_always_read = 16u << 20;

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// fs::status(), with what cannot be reached as an Error. What is not there has the type not_found.
fs::file_status status_of(const fs::path& at) {
  std::error_code error;
  const auto status = fs::status(at, error);
  if (status.type() == fs::file_type::none) fail_errno(printable(at.string()), error.value());
  return status;
}

/// fs::canonical(), with an Error.
fs::path real_path(const fs::path& at) {
  std::error_code error;
  auto real = fs::canonical(at, error);
  if (error) fail_errno(printable(at.string()), error.value());
  return real;
}

/// The `models--X` folder that a snapshot folder belongs to.
std::optional<fs::path> cache_of_snapshot(const fs::path& folder) {
  const auto snapshots = folder.parent_path();
  const auto cache = snapshots.parent_path();
  const auto name = cache.filename().string();
  if (snapshots.filename() != "snapshots" || !name.starts_with("models--")) return std::nullopt;
  return cache;
}

/// Follows a link of a snapshot into blobs/, or refuses it.
LocalFile follow_link(const fs::path& folder, const std::string& path) {
  const auto link = folder / path;
  const auto cache = cache_of_snapshot(folder);
  const auto target = (link.parent_path() / fs::read_symlink(link)).lexically_normal();
  const auto blob = target.filename().string();
  const bool known = cache && target == *cache / "blobs" / blob && (is_hex(blob, 40) || is_hex(blob, 64));
  if (!known || !fs::is_regular_file(fs::symlink_status(target))) {
    throw Error(
        ErrorCode::not_regular, fmt::format("'{}' is a link", printable(link.string())),
        "links are followed only inside a Hugging Face cache (models--X/snapshots/REV); copy the file in its place");
  }
  LocalFile file{path, target, std::nullopt};
  if (is_hex(blob, 64)) file.named = Digest::parse_sha256_hex(blob);
  return file;
}

fs::path snapshot_of_cache(const fs::path& cache) {
  const auto main = cache / "refs" / "main";
  if (!fs::exists(status_of(main))) {
    throw Error(ErrorCode::stack_invalid,
                fmt::format("'{}' is a Hugging Face cache without refs/main", printable(cache.string())),
                "name one of its snapshots/ folders");
  }
  const auto commit = std::string(trim(read_file(main, 4096)));
  if (!is_hex(commit, 40)) fail(ErrorCode::stack_invalid, "'{}' does not hold a commit", printable(main.string()));
  return cache / "snapshots" / commit;
}

/// Folders that look like models and are not.
void refuse_stores(const fs::path& folder) {
  if (fs::is_directory(status_of(folder / "manifests")) && fs::is_directory(status_of(folder / "blobs"))) {
    throw Error(ErrorCode::stack_invalid,
                fmt::format("'{}' is the store of Ollama, not a model", printable(folder.string())),
                "write source = \"ollama:NAME:TAG\", as `ollama list` shows it, and store = \"this folder\"");
  }
  std::error_code error;
  fs::directory_iterator children(folder, error);
  for (const auto end = fs::directory_iterator(); !error && children != end; children.increment(error)) {
    const auto name = children->path().filename().string();
    if (name.starts_with("models--") && fs::is_directory(status_of(children->path()))) {
      throw Error(ErrorCode::stack_invalid,
                  fmt::format("'{}' is a cache of several repositories", printable(folder.string())),
                  fmt::format("name one of its folders, such as {}", printable(name)));
    }
  }
  if (error) fail_errno(fmt::format("read the folder {}", printable(folder.string())), error.value());
}

[[noreturn]] void refuse_special(const fs::path& at, fs::file_type type) {
  const auto* what = type == fs::file_type::fifo                                        ? "a pipe"
                     : type == fs::file_type::socket                                    ? "a socket"
                     : type == fs::file_type::character || type == fs::file_type::block ? "a device"
                                                                                        : "no regular file";
  throw Error(ErrorCode::not_regular, fmt::format("'{}' is {}", printable(at.string()), what),
              "a bundle carries files, whose bytes can be read twice: write what comes out of it into a file, or take "
              "it out of the folder");
}

bool is_hidden(std::string_view path) {
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

bool matches_path(const std::string& pattern, std::string_view path) {
  if (matches_glob(pattern, path)) return true;
  return pattern.find('/') == std::string::npos && matches_glob(pattern, path.substr(path.rfind('/') + 1));
}

/// As in a shell, "*" alone does not stand for a name that begins with a dot.
bool takes_hidden(std::string_view path, std::span<const std::string> include) {
  return std::any_of(include.begin(), include.end(),
                     [&](const auto& pattern) { return is_hidden(pattern) && matches_path(pattern, path); });
}

/// The folder itself, or the snapshot that it stands for.
fs::path folder_of(const fs::path& source) {
  auto folder = real_path(source);
  const bool cache =
      folder.filename().string().starts_with("models--") && fs::is_directory(status_of(folder / "snapshots"));
  return cache ? snapshot_of_cache(folder) : folder;
}

/// A clone where the file system makes one: it needs no room, and what it holds cannot change any more. Of a file that
/// grew since somebody asked for its size, `size` bytes, as of a copy.
Digest clone_or_copy(int in, int out, std::uint64_t size, std::string_view shown,
                     const std::function<void(std::uint64_t)>& progress) {
  if (::ioctl(out, FICLONE, in) != 0) return copy_hashed(in, 0, out, size, shown, progress);
  if (regular_size(out, shown) > size && ::ftruncate(out, static_cast<off_t>(size)) != 0)
    fail_errno(fmt::format("truncate the clone of {}", shown));
  return sha256_of_range(out, 0, size, shown, progress);
}

bool makes_clones(const BlobStore& store, const fs::path& file) {
  const UniqueFd in(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  const UniqueFd out(::open((store.folder() / "staging").c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  return in.valid() && out.valid() && ::ioctl(out.get(), FICLONE, in.get()) == 0;
}

bool can_refer(const fs::path& file) {
  return file.string().find('\n') == std::string::npos;
}

void require_named(const LocalFile& file, const Digest& digest) {
  if (!file.named || digest == *file.named) return;
  fail(ErrorCode::digest_mismatch, "'{}' has the SHA-256 {}, not {} as its name says", printable(file.at.string()),
       digest.hex(), file.named->hex());
}

TakenFile take(const LocalFile& file, const std::string& part, StagedBlobs& staged, CollectContext& context,
               ProgressTask& progress) {
  const auto shown = printable(file.at.string());
  const auto in = open_file(file.at, O_RDONLY | O_NOFOLLOW);
  const auto size = regular_size(in.get(), shown);
  progress.grow(size);
  const auto digest = [&] {
    if (file.named && context.store.holds(*file.named)) return sha256_of_file(in.get(), shown);
    const auto out = staged.create_named(part);
    const auto copied =
        clone_or_copy(in.get(), out.get(), size, shown, [&](std::uint64_t done) { progress.advance(done); });
    staged.seal_named(part, copied);
    return copied;
  }();
  require_named(file, digest);
  return {digest, size};
}

/// What is read is what has the identity, as far as the file system tells.
Reference refer(const LocalFile& file, ProgressTask& progress) {
  const auto shown = printable(file.at.string());
  const auto in = open_file(file.at, O_RDONLY | O_NOFOLLOW);
  const auto status = stat_of(in.get(), shown);
  if (!S_ISREG(status.st_mode)) fail(ErrorCode::not_regular, "'{}' is no regular file", shown);
  const auto before = identity_of(status);
  progress.grow(before.size);
  auto digest = sha256_of_range(in.get(), 0, before.size, shown, [&](std::uint64_t done) { progress.advance(done); });
  if (identity_of(stat_of(in.get(), shown)) != before) {
    throw Error(ErrorCode::upstream_changed, fmt::format("'{}' was written to while it was read", shown),
                "lock again once it is at rest; --copy takes it as it is read");
  }
  require_named(file, digest);
  return {.digest = digest, .file = file.at, .identity = before};
}

/// Each file is one of its own, so that two stacks with an entry of one name do not share a list.
std::string list_name(const CollectContext& context, std::string_view name) {
  const auto folder = sha256(fs::absolute(context.stack_folder).lexically_normal().string());
  return fmt::format("{}-{}", name, folder.hex().substr(0, 16));
}

std::vector<TakenFile> refer_to(CollectContext& context, const std::string& list, std::span<const LocalFile> files,
                                ProgressTask& progress) {
  auto lock = lock_batch(context.store, list, FileLock::Wait::no);
  std::vector<std::optional<Reference>> found(files.size());
  parallel_for(files.size(), [&](std::size_t i) { found[i] = refer(files[i], progress); });
  std::vector<TakenFile> out;
  std::vector<Reference> references;
  for (auto& reference : found) {
    out.push_back({reference->digest, reference->identity.size});
    if (!context.store.holds(reference->digest)) references.push_back(std::move(*reference));
  }
  if (!references.empty()) context.store.references().add(list, references);
  lock.remove();
  return out;
}

/// Where a locked file that came from a path lies now, if it holds what was locked.
std::optional<Reference> refer_again(const ArtifactFile& file, const fs::path& at) {
  std::error_code error;
  const auto real = fs::canonical(at, error);
  if (error || !can_refer(real)) return std::nullopt;
  const auto in = open_file_if_exists(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!in) return std::nullopt;
  const auto status = stat_of(in->get(), file.origin);
  const auto before = identity_of(status);
  if (!S_ISREG(status.st_mode) || before.size != file.size) return std::nullopt;
  if (sha256_of_file(in->get(), file.origin) != file.digest) return std::nullopt;
  if (identity_of(stat_of(in->get(), file.origin)) != before) return std::nullopt;
  return Reference{.digest = file.digest, .file = real, .identity = before};
}

}  // namespace

bool is_url(std::string_view source) {
  return source.find("://") != std::string_view::npos;
}

std::string file_name_of_url(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const auto begin = url.find("://");
  const auto slash = url.rfind('/');
  auto name = slash == std::string_view::npos || (begin != std::string_view::npos && slash < begin + 3)
                  ? std::string_view()
                  : url.substr(slash + 1);
  return portable_component(decode_percent(name).value_or(std::string(name)));
}

void refuse_credentials(std::string_view url, std::string_view where) {
  const auto begin = url.find("://");
  const auto authority = url.substr(begin + 3, url.find_first_of("/?#", begin + 3) - begin - 3);
  if (authority.find('@') == std::string_view::npos) return;
  throw Error(ErrorCode::stack_invalid, fmt::format("{}: the URL holds a user name or password", where),
              "put them in ~/.netrc: the stack and the lock are read by others");
}

fs::path stack_path(std::string_view text, const fs::path& stack_folder) {
  const char* home = std::getenv("HOME");
  if (text.starts_with("~/") && home != nullptr) return fs::path(home) / text.substr(2);
  return stack_folder / text;
}

std::vector<LocalFile> list_local_files(const fs::path& source, std::span<const std::string> include) {
  const auto what = status_of(source);
  if (!fs::exists(what)) {
    throw Error(ErrorCode::not_found, fmt::format("'{}' does not exist", printable(source.string())), "check the path");
  }
  if (!fs::is_directory(what)) {
    const auto at = real_path(source);
    if (!fs::is_regular_file(what)) refuse_special(source, what.type());
    return {{source.filename().string(), at, std::nullopt}};
  }
  const auto folder = folder_of(source);
  refuse_stores(folder);
  std::vector<LocalFile> files;
  bool hidden = false;
  for (const auto& entry : walk(folder, k_max_files)) {
    if (S_ISDIR(entry.status.st_mode)) continue;
    if (is_hidden(entry.path) && !takes_hidden(entry.path, include)) {
      hidden = true;
      continue;
    }
    if (S_ISLNK(entry.status.st_mode)) {
      files.push_back(follow_link(folder, entry.path));
    } else if (S_ISREG(entry.status.st_mode)) {
      files.push_back({entry.path, folder / entry.path, std::nullopt});
    } else {
      refuse_special(folder / entry.path, fs::symlink_status(folder / entry.path).type());
    }
  }
  if (files.empty() && hidden) {
    throw Error(ErrorCode::stack_invalid, fmt::format("'{}' holds hidden files only", printable(folder.string())),
                "`include` takes those that it names with their dot: include = [\".env\", \".conf/**\"]");
  }
  if (files.empty()) fail(ErrorCode::stack_invalid, "'{}' holds no files", printable(folder.string()));
  return files;
}

std::vector<std::string> hidden_left_out(const fs::path& source, std::span<const std::string> include,
                                         std::span<const std::string> exclude) {
  std::vector<std::string> out;
  if (!fs::is_directory(status_of(source))) return out;
  for (const auto& entry : walk(folder_of(source), k_max_files)) {
    if (S_ISDIR(entry.status.st_mode) || !is_hidden(entry.path) || takes_hidden(entry.path, include)) continue;
    if (is_selected(entry.path, include, exclude)) out.push_back(entry.path);
  }
  return out;
}

void require_portable(std::span<const LocalFile> files, std::string_view where) {
  constexpr std::size_t k_shown = 20;
  std::vector<std::string> refused;
  std::size_t count = 0;
  for (const auto& file : files) {
    const auto why = why_not_rel_path(file.path);
    if (why.empty() || ++count > k_shown) continue;
    refused.push_back(fmt::format("'{}' ({})", printable(std::string_view(file.path).substr(0, 200)), why));
  }
  if (count == 0) return;
  throw Error(
      ErrorCode::path_unsafe,
      fmt::format("{}: {} names that no bundle carries: {}{}", where, counted(count, "file has", "files have"),
                  fmt::join(refused, ", "), count > k_shown ? fmt::format(", and {} more", count - k_shown) : ""),
      "rename them, leave them out with `exclude`, or carry the folder as one tar or zip");
}

bool is_selected(std::string_view path, std::span<const std::string> include, std::span<const std::string> exclude) {
  const auto matches = [&](const std::string& pattern) { return matches_path(pattern, path); };
  if (std::any_of(exclude.begin(), exclude.end(), matches)) return false;
  return include.empty() || std::any_of(include.begin(), include.end(), matches);
}

std::string origin_below(const std::string& source, std::string_view path) {
  return fmt::format("{}{}{}", source, source.ends_with('/') ? "" : "/", path);
}

std::vector<std::string> selected_origins(const StackEntry& entry, const fs::path& stack_folder) {
  const auto source = entry.text("source");
  const auto at = stack_path(source, stack_folder);
  if (!fs::is_directory(status_of(at))) return {source};
  const auto include = entry.texts("include"), exclude = entry.texts("exclude");
  std::vector<std::string> out;
  for (const auto& file : list_local_files(at, include)) {
    if (is_selected(file.path, include, exclude)) out.push_back(origin_below(source, file.path));
  }
  return out;
}

std::vector<TakenFile> take_local_files(CollectContext& context, std::string_view batch,
                                        std::span<const LocalFile> files, FilesOf whose) {
  ProgressTask progress(context.reporter, "hashing " + counted(files.size(), "file"), Unit::bytes, 0);
  if (whose == FilesOf::user && context.local_files == LocalFiles::refer &&
      std::all_of(files.begin(), files.end(), [](const auto& file) { return can_refer(file.at); }) &&
      !makes_clones(context.store, files[0].at)) {
    return refer_to(context, list_name(context, batch), files, progress);
  }
  StagedBlobs staged(context.store, batch);
  std::vector<std::optional<TakenFile>> taken(files.size());
  try {
    parallel_for(files.size(), [&](std::size_t i) {
      taken[i] = take(files[i], fmt::format("file-{}", i), staged, context, progress);
    });
  } catch (const Error& error) {
    // A later run copies from the start: half a copy would only keep the disk full, for the audit log too.
    if (error.code() != ErrorCode::disk_full) throw;
    staged.discard();
    throw Error(ErrorCode::disk_full, error.message(),
                whose == FilesOf::user
                    ? "what was copied is dropped again; make room (`liftlock gc`), or lock without --copy: then the "
                      "store only refers to local files"
                    : "");
  }
  staged.commit();
  std::vector<TakenFile> out;
  for (auto& file : taken) out.push_back(std::move(*file));
  return out;
}

void refer_to_local_files(CollectContext& context, std::string_view stack, std::span<const Artifact> artifacts) {
  if (context.local_files != LocalFiles::refer) return;
  std::vector<const ArtifactFile*> lacking;
  for (const auto& artifact : artifacts) {
    if (artifact.kind != "file" && artifact.kind != "model" && artifact.kind != "dataset") continue;
    for (const auto& file : artifact.files) {
      if (!file.origin.empty() && !is_url(file.origin) && !context.store.contains(file.digest))
        lacking.push_back(&file);
    }
  }
  if (lacking.empty() || makes_clones(context.store, stack_path(lacking[0]->origin, context.stack_folder))) return;
  const auto list = list_name(context, "fetch-" + portable_component(stack));
  auto lock = lock_batch(context.store, list, FileLock::Wait::no);
  std::vector<std::optional<Reference>> found(lacking.size());
  parallel_for(lacking.size(), [&](std::size_t i) {
    found[i] = refer_again(*lacking[i], stack_path(lacking[i]->origin, context.stack_folder));
  });
  std::vector<Reference> references;
  for (auto& reference : found) {
    if (reference) references.push_back(std::move(*reference));
  }
  if (!references.empty()) context.store.references().add(list, references);
  lock.remove();
}

TakenFile take_url(CollectContext& context, const std::string& url, const std::optional<Digest>& stated) {
  if (stated) {
    if (const auto size = context.store.size(*stated)) return {*stated, *size};
    if (!url.starts_with("file:")) {
      const auto answer = context.downloader.get(
          {.url = url, .headers = {}, .head = true, .accepted_status = {200, 403, 404, 405, 501}});
      const auto length = answer.header("content-length");
      const auto size = length ? parse_uint(*length) : std::nullopt;
      if (answer.status == 200 && size && *size > 0) return {*stated, *size};
    }
  }
  const auto result = context.downloader.fetch({{.title = file_name_of_url(url),
                                                 .digest = stated,
                                                 .size = std::nullopt,
                                                 .url = url,
                                                 .headers = {},
                                                 .produce = {}}});
  return {result.at(0).digest, result.at(0).size};
}

fs::path gone_place(const fs::path& path) {
  auto gone = fs::absolute(path);
  std::error_code error;
  while (gone.has_relative_path() && fs::status(gone.parent_path(), error).type() == fs::file_type::not_found)
    gone = gone.parent_path();
  return gone;
}

bool has_changed(const ArtifactFile& file, const fs::path& stack_folder, Timestamp locked_at) {
  if (file.origin.empty() || is_url(file.origin)) return false;
  const auto at = stack_path(file.origin, stack_folder);
  if (::access(at.c_str(), R_OK) != 0) return false;
  const auto fd = open_file(at, O_RDONLY | O_NONBLOCK);
  const auto status = stat_of(fd.get(), file.origin);
  if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != file.size) return true;
  const bool touched = Timestamp(std::chrono::seconds(status.st_ctim.tv_sec)) >= locked_at;
  return (touched || file.size <= k_always_read) && sha256_of_file(fd.get(), file.origin) != file.digest;
}

FetchJob job_for(const ArtifactFile& file, const StackEntry& entry, const CollectContext& context,
                 std::function<std::vector<HttpHeader>()> headers) {
  FetchJob job{.title = std::string(file.path.filename()),
               .digest = file.digest,
               .size = file.size,
               .url = {},
               .headers = {},
               .produce = {}};
  if (is_url(file.origin)) {
    job.url = file.origin;
    job.headers = std::move(headers);
    return job;
  }
  job.produce = [at = stack_path(file.origin, context.stack_folder), id = entry.table + "." + entry.name,
                 file](int out) {
    const auto shown = printable(at.string());
    if (!fs::exists(status_of(at))) {
      const auto gone = gone_place(at);
      throw Error(
          ErrorCode::upstream_changed,
          fmt::format("'{}' is gone, or was moved, since it was locked{}", printable(gone.string()),
                      gone == fs::absolute(at) ? "" : fmt::format(", and '{}' with it", printable(file.origin))),
          fmt::format("put it back, or write its new place as the source of [{}], and run `liftlock lock`", id));
    }
    const auto in = open_file(real_path(at), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (regular_size(in.get(), shown) == file.size &&
        clone_or_copy(in.get(), out, file.size, shown, {}) == file.digest) {
      return;
    }
    throw Error(ErrorCode::upstream_changed, fmt::format("'{}' changed since it was locked", shown),
                fmt::format("`liftlock lock --update {}` takes the new one", id));
  };
  return job;
}

Digest parse_stated_digest(std::string_view text, std::string_view where) {
  if (text.starts_with("sha256:")) text.remove_prefix(7);
  const auto hex = to_lower(trim(text));
  if (!is_hex(hex, 64))
    fail(ErrorCode::stack_invalid, "{}: '{}' is no SHA-256 of 64 hexadecimal digits", where, printable(text));
  return Digest::parse_sha256_hex(hex);
}

Evidence stated_evidence(std::string_view by) {
  return {"stated", Json{{"by", std::string(by)}}};
}
Evidence first_use_evidence() {
  return {"first-use", Json::object()};
}

}  // namespace liftlock
