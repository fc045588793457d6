#include "bundle/bundle_folder.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "bundle/manifest.hpp"

namespace liftlock {
namespace {

/// A medium may hold anything: no more entries than these are looked at, those of the nearest folders first.
constexpr std::size_t k_most_entries = 100'000;
constexpr const char* k_how_to_unpack =
    "a bundle is a folder: join the parts of an archive (`cat`), unpack it, and name the folder that holds "
    "manifest/bundle.json; what others packed `liftlock import` takes in, on the high side";

fs::file_type type_of(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type();
}

/// @param left how many may still be looked at
std::vector<fs::path> entries_of(const fs::path& folder, std::size_t& left) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end && left > 0; entry.increment(error)) {
    out.push_back(entry->path());
    --left;
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// The bundle that the place lies in.
std::optional<fs::path> bundle_around(const fs::path& place) {
  std::error_code error;
  const auto whole = fs::canonical(place, error);
  if (error) return std::nullopt;
  for (auto above = whole.parent_path(); above.has_relative_path(); above = above.parent_path()) {
    if (is_bundle(above)) return above;
  }
  return std::nullopt;
}

/// What stands in front of a bundle, or is all of its content.
bool is_piece(const std::string& name) {
  return name == "manifest" || name == "signatures" || name == "content.tar";
}

/// Or a part of one: "demo-7.tar.001", "demo-7.tar.partab".
bool is_archive(const std::string& name) {
  constexpr std::array<std::string_view, 3> k_endings = {".tar", ".tgz", ".zip"};
  const auto lower = to_lower(name);
  return std::any_of(k_endings.begin(), k_endings.end(), [&](const auto ending) {
    return lower.ends_with(ending) || lower.find(std::string(ending) + ".") != std::string::npos;
  });
}

/// "'a', 'b' and 3 more"
std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t k_named = 4;
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), k_named); ++i)
    out += fmt::format("{}'{}'", i == 0 ? "" : ", ", printable(names[i]));
  return out + (names.size() > k_named ? fmt::format(" and {} more", names.size() - k_named) : "");
}

}  // namespace

bool is_bundle(const fs::path& folder) {
  return type_of(folder) == fs::file_type::directory && type_of(folder / "manifest") == fs::file_type::directory &&
         type_of(folder / k_bundle_json_path) == fs::file_type::regular;
}

std::vector<fs::path> bundles_below(const fs::path& folder) {
  std::vector<fs::path> out;
  auto left = k_most_entries;
  for (const auto& entry : entries_of(folder, left)) {
    if (is_bundle(entry)) {
      out.push_back(entry);
    } else if (type_of(entry) == fs::file_type::directory) {
      const auto deeper = entries_of(entry, left);
      std::copy_if(deeper.begin(), deeper.end(), std::back_inserter(out), is_bundle);
    }
  }
  return out;
}

Error no_bundle(const fs::path& place) {
  const auto error = [](const std::string& message, const std::string& hint) {
    return Error(ErrorCode::not_a_bundle, message, hint);
  };
  const auto shown = printable(place.string());
  std::error_code ignored;
  const auto type = fs::status(place, ignored).type();
  if (type == fs::file_type::not_found) return error(fmt::format("there is no folder '{}'", shown), "");
  const bool is_folder = type == fs::file_type::directory;
  const auto what =
      is_folder ? fmt::format("'{}' holds no {}", shown, k_bundle_json_path) : fmt::format("'{}' is no folder", shown);
  if (const auto around = bundle_around(place))
    return error(fmt::format("{}; it lies in the bundle '{}'", what, printable(around->string())), "name that folder");
  if (!is_folder) return error(what, is_archive(place.filename().string()) ? k_how_to_unpack : "");

  std::vector<std::string> below, names, pieces, archives;
  for (const auto& bundle : bundles_below(place)) below.push_back(bundle.string());
  if (below.size() == 1) return error(fmt::format("{}; a bundle lies in {}", what, list_of(below)), "name that folder");
  if (!below.empty())
    return error(fmt::format("{}; bundles lie in {}", what, list_of(below)), "name one of these folders");
  auto left = k_most_entries;
  for (const auto& entry : entries_of(place, left)) names.push_back(entry.filename().string());
  std::copy_if(names.begin(), names.end(), std::back_inserter(pieces), is_piece);
  if (!pieces.empty()) {
    return error(fmt::format("{}, but of a bundle {}", what, list_of(pieces)),
                 "a bundle crosses as a whole folder: copy it again, with all that is in it");
  }
  std::copy_if(names.begin(), names.end(), std::back_inserter(archives), is_archive);
  if (!archives.empty()) return error(fmt::format("{}, but {}", what, list_of(archives)), k_how_to_unpack);
  if (!names.empty()) return error(fmt::format("{}, but {}", what, list_of(names)), "");
  if (!fs::is_empty(place, ignored) || ignored) return error(what, "");
  return error(what + ": it is empty", "mount the medium there, or name the folder of a bundle");
}

}  // namespace liftlock
