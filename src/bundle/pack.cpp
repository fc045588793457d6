#include "bundle/pack.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>

#include "artifact/artifact_text.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/bundle_reader.hpp"
#include "bundle/content_writer.hpp"
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
  info.expedited = request.expedited;
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
  throw Error(
      ErrorCode::not_fetched,
      fmt::format("{}: '{}' {}, and the store only refers to {}", lacked, printable(gone.string()),
                  is_there ? "changed" : "is gone, or was moved",
                  gone == fs::absolute(reference->file) ? "it" : "its files"),
      fmt::format("put it back, or {}; with --copy, `lock` and `fetch` keep copies",
                  is_there        ? fmt::format("lock what is there now: `liftlock lock --update{}`",
                                         entry.empty() ? "-all" : " " + entry)
                  : entry.empty() ? "write its new place into the stack, and run `liftlock lock`"
                                  : fmt::format("write its new place as the source of [{0}] and run "
                                                "`liftlock lock` and `liftlock fetch`, or, where only a part of "
                                                "it is gone, `liftlock lock --update {0}`",
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

}  // namespace

std::vector<FileEntry> plan_content(const std::vector<Artifact>& artifacts, const GeneratedFiles& generated) {
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
  if (const auto parent = request.output.parent_path(); !parent.empty() && !fs::exists(parent)) {
    // A mount point that was mistyped becomes a folder of the system's disk.
    reporter.note(fmt::format("'{}' was not there and is made: if it is to be a medium, see that it is mounted",
                              printable(parent.string())));
    make_folders(parent);
  }
  const OutputLock lock(request.output);
  // In a tar each file has its header and its padding besides.
  const auto needed = content.form == ContentForm::tar ? tar_layout(content.carried).total_size : info.content_bytes;
  if (fs::exists(partial)) {
    const auto [files, bytes] = keep_leftovers(partial, content.carried, content.form);
    if (files > 0) {
      reporter.note(fmt::format(
          "an earlier run left {} ({}) in '{}': what of it is whole is kept, once it was read and hashed again",
          counted(files, "file"), format_size(bytes), printable(partial.string())));
    }
  } else if (const auto available = free_space(partial); available < needed + k_room_for_lists) {
    fail(ErrorCode::disk_full, "the bundle needs {} of room ({} of content and {} for its lists), and '{}' has {}",
         format_size(needed + k_room_for_lists), format_size(needed), format_size(k_room_for_lists),
         printable(partial.parent_path().string()), format_size(available));
  }
  make_folders(partial);
  // Opened before anything is written: the sync tells of errors since then, also of those that another process met
  // first.
  const auto folder_fd = open_folder(partial);
  write_content(store, content.carried, request.generated, content.form, partial, reporter);

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
