#include "ecosystem/git/object.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::git {
namespace {

constexpr std::size_t k_hex = 40;

/// "KEY 40-digits\n" at the beginning of text, which moves past it; nullopt where it does not stand there.
std::optional<ObjectId> take_line(std::string_view& text, std::string_view key) {
  if (!text.starts_with(key) || text.size() < key.size() + k_hex + 1 || text[key.size() + k_hex] != '\n')
    return std::nullopt;
  const auto id = parse_object_id(text.substr(key.size(), k_hex));
  if (id) text.remove_prefix(key.size() + k_hex + 1);
  return id;
}

ObjectType type_called(std::string_view name) {
  for (const auto type : {ObjectType::commit, ObjectType::tree, ObjectType::blob, ObjectType::tag}) {
    if (name_of(type) == name) return type;
  }
  fail(ErrorCode::package_malformed, "a tag names the unknown type '{}'", printable(name.substr(0, 20)));
}

struct TreeEntry {
  std::string_view mode, name;
  ObjectId id;
  bool is_tree() const { return mode == "40000" || mode == "040000"; }
};

/// Git compares names of trees as if they ended in '/'.
bool comes_before(const TreeEntry& a, const TreeEntry& b) {
  const auto shared = std::min(a.name.size(), b.name.size());
  if (const int order = a.name.substr(0, shared).compare(b.name.substr(0, shared)); order != 0) return order < 0;
  const auto next = [&](const TreeEntry& entry) -> unsigned char {
    if (entry.name.size() > shared) return static_cast<unsigned char>(entry.name[shared]);
    return entry.is_tree() ? '/' : '\0';
  };
  return next(a) < next(b);
}

void check_name(const TreeEntry& entry) {
  const auto name = entry.name;
  const bool safe = !name.empty() && name != "." && name != ".." && to_lower(name) != ".git" &&
                    name.find('/') == std::string_view::npos;
  if (!safe) fail(ErrorCode::path_unsafe, "a tree has an entry called '{}'", printable(name.substr(0, 100)));
  if (entry.mode == "120000" && to_lower(name) == ".gitmodules")
    fail(ErrorCode::path_unsafe, "a tree has .gitmodules as a symbolic link");
}

TreeEntry take_entry(std::string_view& rest) {
  TreeEntry entry;
  const auto space = rest.substr(0, 8).find(' ');
  const auto end = space == std::string_view::npos ? space : rest.find('\0', space);
  if (end == std::string_view::npos || rest.size() < end + 1 + entry.id.size())
    fail(ErrorCode::package_malformed, "a tree ends within an entry");
  entry.mode = rest.substr(0, space);
  entry.name = rest.substr(space + 1, end - space - 1);
  std::copy_n(as_bytes(rest.substr(end + 1)).begin(), entry.id.size(), entry.id.begin());
  rest.remove_prefix(end + 1 + entry.id.size());
  return entry;
}

}  // namespace

std::optional<ObjectId> parse_object_id(std::string_view hex) {
  if (hex.size() != k_hex || hex.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  const auto bytes = decode_hex(hex);
  if (!bytes) return std::nullopt;
  ObjectId id;
  std::copy_n(bytes->begin(), id.size(), id.begin());
  return id;
}

std::string to_hex(const ObjectId& id) {
  return encode_hex(id);
}

std::string_view name_of(ObjectType type) {
  switch (type) {
    case ObjectType::commit:
      return "commit";
    case ObjectType::tree:
      return "tree";
    case ObjectType::blob:
      return "blob";
    case ObjectType::tag:
      return "tag";
  }
  return "?";
}

void links_of_commit(std::string_view content, const TakeLink& take) {
  const auto tree = take_line(content, "tree ");
  if (!tree) fail(ErrorCode::package_malformed, "a commit does not begin with its tree");
  take({*tree, ObjectType::tree});
  while (const auto parent = take_line(content, "parent ")) take({*parent, ObjectType::commit});
  if (!content.starts_with("author ")) fail(ErrorCode::package_malformed, "a commit has no author after its parents");
}

void links_of_tag(std::string_view content, const TakeLink& take) {
  const auto object = take_line(content, "object ");
  constexpr std::string_view k_type = "type ";
  const auto end = content.find('\n');
  if (!object || !content.starts_with(k_type) || end == std::string_view::npos)
    fail(ErrorCode::package_malformed, "a tag does not begin with its object and that one's type");
  take({*object, type_called(content.substr(k_type.size(), end - k_type.size()))});
}

std::uint64_t links_of_tree(std::string_view content, const TakeLink& take) {
  std::uint64_t submodules = 0;
  std::optional<TreeEntry> before;
  while (!content.empty()) {
    const auto entry = take_entry(content);
    check_name(entry);
    if (before && (!comes_before(*before, entry) || before->name == entry.name))
      fail(ErrorCode::package_malformed, "the entries of a tree are not in order");
    before = entry;
    if (entry.is_tree()) {
      take({entry.id, ObjectType::tree});
    } else if (entry.mode == "160000") {
      ++submodules;
    } else if (entry.mode == "100644" || entry.mode == "100755" || entry.mode == "100664" || entry.mode == "120000") {
      take({entry.id, ObjectType::blob});
    } else {
      fail(ErrorCode::package_malformed, "a tree has an entry of the unknown mode {}", printable(entry.mode));
    }
  }
  return submodules;
}

}  // namespace liftlock::git
