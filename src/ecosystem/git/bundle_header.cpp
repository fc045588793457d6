#include "ecosystem/git/bundle_header.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/git/names.hpp"
#include "os/file.hpp"

namespace liftlock::git {
namespace {

constexpr std::uint64_t k_max_header = 16u << 20;
constexpr std::uint64_t k_first_piece = 64u << 10;
constexpr std::size_t k_max_refs = 100'000;
constexpr std::size_t k_id = 40;

void check_capability(std::string_view line, int version) {
  if (version != 3) fail(ErrorCode::package_malformed, "a bundle of version 2 has a capability");
  if (line == "@object-format=sha1") return;
  if (line.starts_with("@filter")) {
    throw Error(ErrorCode::package_malformed, "the bundle was made with a filter, so objects are missing from it",
                "make it without --filter: a repository crosses whole");
  }
  fail(ErrorCode::package_malformed, "the bundle needs '{}', which is not known here", printable(line.substr(0, 100)));
}

void add_ref(BundleHeader& header, std::string_view line) {
  const auto id = parse_object_id(line.substr(0, k_id));
  if (!id || line.size() < k_id + 2 || line[k_id] != ' ')
    fail(ErrorCode::package_malformed, "'{}' is no ref of a bundle", printable(line.substr(0, 100)));
  const auto name = line.substr(k_id + 1);
  if (name == "HEAD") {
    if (header.head) fail(ErrorCode::package_malformed, "the bundle has HEAD twice");
    header.head = *id;
    return;
  }
  if (!is_ref_name(name))
    fail(ErrorCode::package_malformed, "'{}' is no name of a ref", printable(name.substr(0, 100)));
  if (!header.refs.try_emplace(std::string(name), *id).second)
    fail(ErrorCode::package_malformed, "the bundle has {} twice", name);
  if (header.refs.size() > k_max_refs) fail(ErrorCode::limit_exceeded, "the bundle has more than {} refs", k_max_refs);
}

/// nullopt: the bytes end before the head does.
std::optional<BundleHeader> try_parse(std::string_view bytes) {
  BundleHeader header;
  auto rest = bytes;
  for (bool first = true;; first = false) {
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (first) {
      if (line != "# v2 git bundle" && line != "# v3 git bundle")
        fail(ErrorCode::package_malformed, "this is no git bundle of version 2 or 3");
      header.version = line[3] - '0';
    } else if (line.empty()) {
      break;
    } else if (line[0] == '@') {
      if (header.head || !header.refs.empty())
        fail(ErrorCode::package_malformed, "a capability of the bundle comes after a ref");
      check_capability(line, header.version);
    } else if (line[0] == '-') {
      throw Error(ErrorCode::package_malformed,
                  fmt::format("the bundle builds on {}, which the receiver would have to have",
                              printable(line.substr(1, k_id))),
                  "make the bundle without a range: a repository crosses whole");
    } else {
      add_ref(header, line);
    }
  }
  if (header.refs.empty()) fail(ErrorCode::package_malformed, "the bundle has no ref");
  header.pack_offset = bytes.size() - rest.size();
  return header;
}

}  // namespace

BundleHeader parse_bundle_header(std::string_view bytes) {
  const bool cut = bytes.size() > k_max_header;
  auto header = try_parse(bytes.substr(0, k_max_header));
  if (!header && cut) fail(ErrorCode::limit_exceeded, "the head of the bundle is longer than {} bytes", k_max_header);
  if (!header) fail(ErrorCode::package_malformed, "the bundle ends within its head");
  return *std::move(header);
}

BundleHeader read_bundle_header(int file) {
  const auto size = regular_size(file, "a git bundle");
  // Most heads are short, and those that are not are read again.
  for (const auto most : {k_first_piece, k_max_header + 1}) {
    std::string bytes(std::min(size, most), '\0');
    if (!pread_exact(file, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}, 0, "a git bundle"))
      fail(ErrorCode::package_malformed, "the bundle ends within its head");
    if (size <= most || most > k_max_header) return parse_bundle_header(bytes);
    if (auto header = try_parse(bytes)) return *std::move(header);
  }
  fail(ErrorCode::internal, "the head of a bundle was read without an end");
}

}  // namespace liftlock::git
