// Git's objects: their names, and what the content of commits, trees and tags says of other objects.
// Source: gitformat-pack(5), git-hash-object(1), fsck.c of git; https://git-scm.com/docs/gitformat-pack
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace liftlock::git {

/// The name of an object: the SHA-1 of "TYPE SIZE", a zero byte and the content. It tells objects apart; that nobody
/// made two with one name is not what we rely on: the SHA-256 of the whole bundle is.
using ObjectId = std::array<std::uint8_t, 20>;

/// 40 lower-case hexadecimal digits.
std::optional<ObjectId> parse_object_id(std::string_view hex);
std::string to_hex(const ObjectId& id);

/// The numbers are those of a pack.
enum class ObjectType : std::uint8_t { commit = 1, tree = 2, blob = 3, tag = 4 };
std::string_view name_of(ObjectType type);

/// What an object says of another one: its name, and the type it must have.
struct Link {
  ObjectId id;
  ObjectType type;
};
using TakeLink = std::function<void(const Link&)>;

/// The links of a commit: its tree and parents. @throws Error{package_malformed}
void links_of_commit(std::string_view content, const TakeLink& take);
/// The one link of an annotated tag. @throws Error{package_malformed}
void links_of_tag(std::string_view content, const TakeLink& take);
/// The links of a tree, and how many submodules it names: commits of other repositories, which are nowhere here.
/// Refused: names that are empty, ".", "..", ".git" in any case or hold a '/'; entries out of order or twice; modes
/// that git does not write; .gitmodules as a symbolic link.
/// @throws Error{package_malformed, path_unsafe}
std::uint64_t links_of_tree(std::string_view content, const TakeLink& take);

}  // namespace liftlock::git
