#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "intake/listing.hpp"
#include "intake/shape.hpp"
#include "intake/split_file.hpp"
#include "store/blob_store.hpp"

namespace liftlock {
namespace {

constexpr std::array k_recognisers = {
    Recogniser{"baimodel", "FILE.baimodel (zip without compression)", recognise_baimodel},
    Recogniser{"zarf", "a Zarf package (.tar.zst, .tar, .part000): its images, charts and files", recognise_zarf},
    Recogniser{"hauler", "a Hauler haul (.tar.zst, or its first chunk): its images, charts and files",
               recognise_hauler},
    Recogniser{"bundle-layout", "images/, models/, packages/ … with manifest/bundle.json or checksums.txt",
               recognise_bundle_layout},
    Recogniser{"docker-archive", "a `docker save` archive", recognise_docker_archive},
    Recogniser{"modelkit", "a ModelKit of KitOps or a ModelPack of the CNCF, in an OCI image layout",
               recognise_modelkit},
    Recogniser{"oci-layout", "an OCI image layout, as folder or archive", recognise_oci_layout},
    Recogniser{"ollama", "the models folder of Ollama", recognise_ollama},
    Recogniser{"hf-cache", "a Hugging Face cache (models--ORG--NAME, datasets--ORG--NAME)", recognise_hf_cache},
    Recogniser{"cargo-vendor", "a `cargo vendor` folder, with Cargo.lock in it, beside it, or without",
               recognise_cargo_vendor},
    Recogniser{"wheelhouse", "Python wheels and sdists, in a folder or an archive", recognise_wheelhouse},
    Recogniser{"debs", "Debian packages (.deb)", recognise_debs},
    Recogniser{"rpms", "RPM packages (.rpm)", recognise_rpms},
    Recogniser{"model", "GGUF, safetensors or ONNX files, with MODEL_MANIFEST.sha256 or without", recognise_model},
    Recogniser{"listed-files", "any files with SHA256SUMS, checksums.txt or the like", recognise_listed_files},
};

/// A file without a name on the file system of the store.
std::shared_ptr<const UniqueFd> unnamed_file(const fs::path& folder) {
  auto file = std::make_shared<UniqueFd>(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file->valid()) fail_errno("a file in " + folder.string());
  return file;
}

/// Is this folder one of those that `cargo vendor` writes?
bool is_crate(const Tree& tree, const std::string& folder) {
  return tree.has_hidden(folder + "/.cargo-checksum.json");
}

/// `cargo vendor` leaves Cargo.lock beside the folder that it makes. Where a list says what belongs to the folder, that
/// counts.
std::shared_ptr<const Tree> with_lock_beside(std::shared_ptr<const Tree> tree, const fs::path& folder) {
  constexpr std::string_view k_lock = "Cargo.lock";
  const auto lock = fs::canonical(folder).parent_path() / k_lock;
  const auto& paths = tree->paths();
  const bool vendored = std::any_of(paths.begin(), paths.end(), [&](const auto& path) {
    return path.ends_with("/Cargo.toml") && is_crate(*tree, path.substr(0, path.find('/')));
  });
  if (!vendored || tree->has(k_lock) || has_listing(*tree)) return tree;
  if (!fs::is_regular_file(fs::symlink_status(lock))) return tree;
  return tree->with_file(std::string(k_lock),
                         std::make_shared<const UniqueFd>(open_file(lock, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)));
}

/// A wrapping folder is taken off, as `tar` of a folder makes one; but not one that has a meaning.
std::shared_ptr<const Tree> unwrapped(std::shared_ptr<const Tree> tree) {
  constexpr std::array<std::string_view, 10> meaning = {"models", "images", "packages", "blobs",  "manifests",
                                                        "hub",    "model",  "binaries", "charts", "patterns"};
  const auto folder = tree->only_folder();
  if (folder.empty() || folder.starts_with("models--") || folder.starts_with("datasets--")) return tree;
  if (is_crate(*tree, folder)) return tree;
  if (std::find(meaning.begin(), meaning.end(), folder) != meaning.end()) return tree;
  return tree->below(folder);
}

/// What may be written besides what stays free.
std::uint64_t room_in(const ImportCells& cells) {
  const auto free = free_space(cells.scratch);
  return free > cells.reserve ? free - cells.reserve : 0;
}

[[noreturn]] void no_room(const std::string& name, std::string_view what, const ImportCells& cells) {
  throw Error(ErrorCode::disk_full,
              fmt::format("{} '{}' needs more than the {} that are free besides the {} that stay so", what,
                          printable(name), format_size(room_in(cells)), format_size(cells.reserve)),
              "free space, e.g. with `liftlock gc`, then run the same command again");
}

std::shared_ptr<const Tree> open_container(std::shared_ptr<const UniqueFd> file, const std::string& name,
                                           const ImportCells& cells) {
  const auto out = unnamed_file(cells.scratch);
  const auto size = regular_size(file->get(), printable(name));
  const ContainerLimits limits;
  const auto most = std::min(limits.unpacked, limits.free_size + limits.ratio * size);
  const auto room = room_in(cells);
  const auto list = [&] {
    try {
      return cells.list(file->get(), out->get(), std::min(room, most));
    } catch (const Error& error) {
      // It stops before the block that would be too much.
      constexpr std::uint64_t k_block = 1u << 20;
      if (error.code() == ErrorCode::limit_exceeded && room < most && regular_size(out->get(), name) + k_block > room)
        no_room(name, "unpacking", cells);
      throw;
    }
  };
  const auto found = with_context("in " + printable(name), list);
  return Tree::of_members(found.unpacked ? out : std::move(file), found.members, name);
}

std::shared_ptr<const Tree> single(std::shared_ptr<const UniqueFd> file, const std::string& name) {
  const auto size = regular_size(file->get(), name);
  return Tree::of_members(std::move(file), {{name, 0, size}}, name);
}

}  // namespace

std::uint64_t StagedFiles::size(const Digest& digest) const {
  return regular_size(open(digest).get(), digest.text());
}

std::string StagedFiles::read(const Digest& digest, std::uint64_t max_bytes) const {
  return read_all(open(digest).get(), max_bytes, digest.text());
}

std::span<const Recogniser> recognisers() {
  return k_recognisers;
}

Found recognise(const std::shared_ptr<const Tree>& tree, const ImportCells& cells) {
  for (const auto& one : k_recognisers) {
    if (auto found = one.recognise(tree, cells)) return std::move(*found);
  }
  if (tree->paths().empty()) {
    throw Error(ErrorCode::import_unknown, fmt::format("'{}' holds no file", printable(tree->name())),
                "hidden files do not count: look at what was carried with `ls -lA`");
  }
  std::vector<std::string_view> accepted;
  for (const auto& one : k_recognisers) accepted.push_back(one.accepts);
  const auto would_be = fmt::format("what would be taken: {}", fmt::join(accepted, "; "));
  if (tree->paths().size() == 1) {
    const auto& path = tree->paths().front();
    constexpr std::size_t k_head = 64;
    const auto looks = looks_of(path, tree->head(path, k_head), tree->size(path));
    throw Error(ErrorCode::import_unknown,
                fmt::format("'{}' {}, and is no file that is known here by its name and beginning", printable(path),
                            looks.words),
                fmt::format("{}; {}", looks.advice, would_be));
  }
  std::map<std::string, std::size_t> endings;
  for (const auto& path : tree->paths()) {
    const auto name = path.substr(path.rfind('/') + 1);
    const auto dot = name.rfind('.');
    ++endings[dot == std::string::npos ? std::string("no ending") : name.substr(dot)];
  }
  std::vector<std::string> seen;
  for (const auto& [ending, count] : endings) {
    if (seen.size() == 8) break;
    seen.push_back(fmt::format("{} with {}", count, printable(ending)));
  }
  throw Error(ErrorCode::import_unknown,
              fmt::format("'{}' holds {} ({}), and is nothing that is known here", printable(tree->name()),
                          counted(tree->paths().size(), "file"), fmt::join(seen, ", ")),
              fmt::format("any files are taken in with a list: run `{}` in the folder, and give the digest of that "
                          "list with --expect; {}",
                          k_make_list, would_be));
}

std::shared_ptr<const Tree> open_import(const fs::path& source, std::shared_ptr<const UniqueFd> file,
                                        const ImportCells& cells) {
  if (!file && fs::is_directory(source)) return unwrapped(with_lock_beside(Tree::of_folder(source), source));
  const auto split = split_file(source);
  const auto name = (split ? split->whole : source).filename().string();
  if (!file && split) {
    if (split->size > room_in(cells)) no_room(name, "joining the parts of", cells);
    file = std::make_shared<const UniqueFd>(join(*split, cells.scratch, {}).file);
  } else if (!file) {
    if (!fs::exists(source))
      throw Error(ErrorCode::not_found, fmt::format("'{}' does not exist", printable(source.string())),
                  "check the path");
    file = std::make_shared<const UniqueFd>(open_file(source, O_RDONLY | O_NONBLOCK));
  }
  return tree_of_file(std::move(file), name, cells);
}

std::shared_ptr<const Tree> tree_of_file(std::shared_ptr<const UniqueFd> file, const std::string& name,
                                         const ImportCells& cells) {
  (void)regular_size(file->get(), printable(name));
  if (is_one_file(name) || container_form(file->get()).empty()) return single(std::move(file), name);
  auto tree = unwrapped(open_container(file, name, cells));
  // One source distribution is an archive, too.
  if (tree->has("PKG-INFO") && to_lower(name).ends_with(".tar.gz")) return single(std::move(file), name);
  return tree;
}

std::shared_ptr<const Tree> open_archive(const WantedFile& wanted, const ImportCells& cells) {
  const auto& path = wanted.path;
  auto range = wanted.tree->open(path);
  std::shared_ptr<const UniqueFd> file;
  if (range.owned.valid() && !wanted.stated) {
    file = std::make_shared<const UniqueFd>(std::move(range.owned));
  } else {
    if (range.size > room_in(cells)) no_room(path, "a copy of", cells);
    file = unnamed_file(cells.scratch);
    const auto digest = copy_hashed(range.fd, range.offset, file->get(), range.size, path, {});
    if (wanted.stated && digest != *wanted.stated) {
      fail(ErrorCode::digest_mismatch, "'{}' has {} instead of {}, which {} states", printable(path), digest.text(),
           wanted.stated->text(), wanted.stated_by);
    }
  }
  if (container_form(file->get()).empty()) return nullptr;
  return open_container(std::move(file), path.substr(path.rfind('/') + 1), cells);
}

std::shared_ptr<const Tree> open_inner(const WantedFile& file, const ImportCells& cells) {
  auto inner = open_archive(file, cells);
  return inner ? unwrapped(std::move(inner)) : nullptr;
}

}  // namespace liftlock
