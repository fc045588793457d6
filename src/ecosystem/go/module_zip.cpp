#include "ecosystem/go/module_zip.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "archive/zip_reader.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/go/go_mod.hpp"
#include "ecosystem/go/module_path.hpp"
#include "os/file.hpp"

namespace liftlock::go {
namespace {

std::string h1_of(std::string_view lines) {
  return "h1:" + encode_base64(sha256(lines).bytes());
}

}  // namespace

ModuleZip check_module_zip(int fd, std::string_view path, std::string_view version) {
  if (regular_size(fd, "a module") > k_max_module_size) {
    fail(ErrorCode::limit_exceeded, "the module's zip is larger than {}", format_size(k_max_module_size));
  }
  const ZipReader zip(fd, {.entry_size = k_max_module_size, .ratio = 0, .free_size = k_max_module_size});
  const auto top = fmt::format("{}@{}/", path, version);
  ModuleZip out;
  std::set<std::string> folded;
  std::vector<const ZipEntry*> entries;
  for (const auto& entry : zip.entries()) {
    const auto refuse = [&](ErrorCode code, std::string_view why) {
      fail(code, "the module's zip has an entry '{}' that {}", printable(entry.name.substr(0, 300)), why);
    };
    if (!entry.name.starts_with(top)) refuse(ErrorCode::path_unsafe, "does not begin with " + top);
    const auto below = std::string_view(entry.name).substr(top.size());
    if (!folded.insert(to_lower(below)).second) refuse(ErrorCode::path_collision, "differs from another only in case");
    const auto name = below.substr(below.rfind('/') + 1);
    if (to_lower(name) == "go.mod" && below != "go.mod") {
      refuse(ErrorCode::package_malformed, "is a go.mod, but not the one at the top");
    }
    entries.push_back(&entry);
  }
  std::sort(entries.begin(), entries.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  std::string lines;
  for (const auto* entry : entries) {
    Hasher hasher;
    const bool is_go_mod = std::string_view(entry->name).substr(top.size()) == "go.mod";
    if (is_go_mod && entry->size > k_max_go_mod) fail(ErrorCode::limit_exceeded, "the module's go.mod is too large");
    zip.stream(*entry, [&](std::span<const std::uint8_t> bytes) {
      hasher.update(bytes);
      if (is_go_mod) out.go_mod += as_text(bytes);
    });
    out.has_go_mod |= is_go_mod;
    out.files += entry->is_folder() ? 0 : 1;
    out.unpacked_size += entry->size;
    lines += hasher.finish().hex() + "  " + entry->name + "\n";
  }
  out.h1 = h1_of(lines);
  return out;
}

std::string h1_of_go_mod(std::string_view bytes) {
  return h1_of(sha256(bytes).hex() + "  go.mod\n");
}

std::string info_of(std::string_view version) {
  Json info = {{"Version", version}};
  if (const auto time = pseudo_version_time(version)) {
    const auto part = [&](std::size_t at, std::size_t size) { return std::string_view(*time).substr(at, size); };
    info["Time"] =
        fmt::format("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 2), part(6, 2), part(8, 2), part(10, 2), part(12, 2));
  }
  return dump_json_line(info);
}

}  // namespace liftlock::go
