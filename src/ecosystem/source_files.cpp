#include "ecosystem/source_files.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

/// Read in less time than anybody notices.
constexpr std::uint64_t k_always_read = 16u << 20;

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
  std::vector<std::uint8_t> held(files.size());
  parallel_for(files.size(), [&](std::size_t i) {
    found[i] = refer(files[i], progress);
    held[i] = context.store.holds(found[i]->digest) ? 1 : 0;
  });
  std::vector<TakenFile> out;
  std::vector<Reference> references;
  for (std::size_t i = 0; i < files.size(); ++i) {
    out.push_back({found[i]->digest, found[i]->identity.size});
    if (held[i] == 0) references.push_back(std::move(*found[i]));
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

bool is_of_registry(std::string_view source) {
  constexpr std::array<std::string_view, 5> k_transports = {
      "docker:", "oci:", "docker-archive:", "oci-archive:", "docker-daemon:"};
  return std::any_of(k_transports.begin(), k_transports.end(),
                     [&](const auto transport) { return source.starts_with(transport); });
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
  job.produce = [at = stack_path(file.origin, context.stack_folder), folder = context.stack_folder, entry,
                 id = entry.table + "." + entry.name, file](int out) {
    const auto shown = printable(at.string());
    if (!fs::exists(status_of(at))) {
      const auto gone = gone_place(at);
      throw Error(
          ErrorCode::upstream_changed,
          fmt::format("'{}' is gone, or was moved, since it was locked{}", printable(gone.string()),
                      gone == fs::absolute(at) ? "" : fmt::format(", and '{}' with it", printable(file.origin))),
          source_is_gone(entry, folder)
              ? fmt::format("put it back, or write its new place as the source of [{}], and run `liftlock lock`", id)
              : fmt::format("put it back, or `liftlock lock --update {}` leaves it out", id));
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
  if (hex.size() != 64 || !decode_hex(hex))
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
