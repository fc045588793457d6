// Low side: what a repository has, as `git ls-remote --symref` tells, and which of it the stack wants.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ecosystem/git/object.hpp"

namespace liftlock::git {

struct Upstream {
  std::map<std::string, ObjectId> refs;  ///< by full name; what begins with "refs/heads/" or "refs/tags/"
  std::string head;                      ///< the default branch, "refs/heads/main"; empty: none
};

/// Lines "ref: REF\tHEAD" and "ID\tREF"; peeled tags ("REF^{}") are left out. @throws Error{package_malformed}
Upstream parse_ls_remote(std::string_view text);

struct Selection {
  std::map<std::string, ObjectId> refs;  ///< what crosses, by full name; ids of the stack as refs/commits/ID
  std::string head;                      ///< one of them: what a clone checks out
};

/// @param wanted branches, tags, full names, patterns ("v1.*", "refs/tags/*") and ids of commits; empty: the default
///        branch. HEAD is the default branch where it is among them, else the first that is named.
/// @throws Error{unresolvable, ambiguous} naming `where`
Selection select_refs(const Upstream& upstream, std::span<const std::string> wanted, std::string_view where);

}  // namespace liftlock::git
