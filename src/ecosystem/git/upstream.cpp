#include "ecosystem/git/upstream.hpp"

#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/git/names.hpp"

namespace liftlock::git {
namespace {

constexpr std::string_view k_heads = "refs/heads/", k_tags = "refs/tags/";

bool is_pattern(std::string_view text) {
  return text.find_first_of("*?") != std::string_view::npos;
}

/// The part that people say: "main" of "refs/heads/main".
std::string_view short_name(std::string_view name) {
  return name.substr(name.starts_with(k_heads) ? k_heads.size() : k_tags.size());
}

std::vector<std::string> matching(const Upstream& upstream, const std::string& wanted) {
  std::vector<std::string> out;
  for (const auto& [name, id] : upstream.refs) {
    const bool fits = is_pattern(wanted) ? matches_glob(wanted, name) || matches_glob(wanted, short_name(name))
                                         : name == wanted || short_name(name) == wanted;
    if (fits) out.push_back(name);
  }
  return out;
}

std::string known_names(const Upstream& upstream) {
  std::string out;
  std::size_t count = 0;
  for (const auto& [name, id] : upstream.refs) {
    if (++count > 8) return out + ", …";
    out += (out.empty() ? "" : ", ") + std::string(short_name(name));
  }
  return out.empty() ? "none" : out;
}

}  // namespace

Upstream parse_ls_remote(std::string_view text) {
  Upstream out;
  constexpr std::string_view k_symref = "ref: ";
  for (const auto line : split(text, '\n')) {
    if (line.empty()) continue;
    const auto tab = line.find('\t');
    const auto name = tab == std::string_view::npos ? std::string_view() : line.substr(tab + 1);
    if (line.starts_with(k_symref)) {
      if (name == "HEAD") out.head = line.substr(k_symref.size(), tab - k_symref.size());
      continue;
    }
    const auto id = parse_object_id(line.substr(0, tab));
    if (!id || name.empty())
      fail(ErrorCode::package_malformed, "git ls-remote said '{}'", printable(line.substr(0, 200)));
    if (name.ends_with("^{}") || (!name.starts_with(k_heads) && !name.starts_with(k_tags))) continue;
    if (is_ref_name(name)) out.refs.insert_or_assign(std::string(name), *id);
  }
  // An unborn default branch, or one that has a name that cannot cross.
  if (out.refs.find(out.head) == out.refs.end()) out.head.clear();
  return out;
}

Selection select_refs(const Upstream& upstream, std::span<const std::string> wanted, std::string_view where) {
  Selection out;
  std::string first;
  const auto add = [&](const std::string& name, const ObjectId& id) {
    if (first.empty()) first = name;
    out.refs.insert_or_assign(name, id);
  };
  if (wanted.empty()) {
    if (upstream.refs.empty()) {
      throw Error(ErrorCode::unresolvable, fmt::format("{}: the repository is empty", where),
                  "commit something there first; a branch that nobody committed to does not exist yet");
    }
    if (upstream.head.empty()) {
      throw Error(ErrorCode::unresolvable, fmt::format("{}: the repository has no default branch", where),
                  fmt::format("name what is wanted with `refs`; it has: {}", known_names(upstream)));
    }
    add(upstream.head, upstream.refs.at(upstream.head));
  }
  for (const auto& one : wanted) {
    if (const auto id = parse_object_id(one)) {
      add(std::string(k_commit_refs) + one, *id);
      continue;
    }
    const auto names = matching(upstream, one);
    if (names.empty()) {
      throw Error(ErrorCode::unresolvable,
                  fmt::format("{}: the repository has no branch or tag '{}'", where, printable(one)),
                  fmt::format("it has: {}; a commit is named by all 40 digits of its id", known_names(upstream)));
    }
    if (names.size() > 1 && !is_pattern(one)) {
      throw Error(ErrorCode::ambiguous, fmt::format("{}: '{}' is a branch and a tag", where, printable(one)),
                  fmt::format("name it in full: {} or {}", names[0], names[1]));
    }
    for (const auto& name : names) add(name, upstream.refs.at(name));
  }
  out.head = out.refs.count(upstream.head) != 0 ? upstream.head : first;
  return out;
}

}  // namespace liftlock::git
