#include "ecosystem/git/collector.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/git/git_program.hpp"
#include "ecosystem/git/lfs_collect.hpp"
#include "ecosystem/git/names.hpp"
#include "ecosystem/git/repository_copy.hpp"
#include "ecosystem/git/upstream.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock::git {
namespace {

constexpr std::size_t k_listed_refs = 20;

constexpr std::array k_keys = {
    KeySpec{"url", ValueType::string, true, "Where the repository is: https://, file://, or a local path.",
            "\"https://git.example/team/tool.git\""},
    KeySpec{
        "refs", ValueType::strings, false,
        "Branches, tags, full names (refs/…), patterns of them, and ids of commits (40 digits), each with all of its "
        "history. Default: the default branch.",
        "[\"main\", \"v1.*\"]"},
    KeySpec{"lfs", ValueType::boolean, false,
            "Whether the files of Git LFS that the refs and their history point to cross, too; true when absent.",
            "false"},
    KeySpec{"lfs_url", ValueType::string, false,
            "The server of Git LFS. Default: lfs.url of the repository's .lfsconfig, where that is at the host and "
            "port of `url`; else URL.git/info/lfs. A path's own files are taken first.",
            "\"https://lfs.example/team/tool\""},
    KeySpec{"license", ValueType::string, false, "Licence.", "\"MIT\""},
};

Json refs_json(const Selection& selection) {
  auto out = Json::object();
  for (const auto& [name, id] : selection.refs) out[name] = to_hex(id);
  return out;
}

std::string source_of(const StackEntry& entry, const fs::path& stack_folder) {
  const auto url = entry.text("url");
  if (url.starts_with("file://")) {
    const auto path = decode_percent(std::string_view(url).substr(7));
    if (!path || !path->starts_with('/'))
      fail(ErrorCode::stack_invalid, "{}: '{}' is no file URL", entry.where(), printable(url));
    return *path;
  }
  if (url.starts_with("https://") || url.starts_with("http://")) {
    refuse_credentials(url, entry.where());
    return url;
  }
  // "host:path" is what git takes for an address of ssh.
  if (is_url(url) || (url.find(':') != std::string::npos && !fs::exists(stack_path(url, stack_folder)))) {
    throw Error(ErrorCode::stack_invalid,
                fmt::format("{}: '{}' is neither https:// nor a local path", entry.where(), printable(url)),
                "clone it with the credentials that it needs, `git clone --mirror`, and name that folder");
  }
  const auto path = fs::absolute(stack_path(url, stack_folder)).lexically_normal();
  if (!fs::exists(path)) fail(ErrorCode::not_found, "{}: there is no '{}'", entry.where(), printable(url));
  return path;
}

/// What git says first, behind "fatal:"; empty where there is none.
std::string_view fatal_line(std::string_view message) {
  constexpr std::string_view k_fatal = "fatal: ";
  const auto at = message.find(k_fatal);
  if (at == std::string_view::npos) return {};
  const auto line = message.substr(at + k_fatal.size());
  return trim(line.substr(0, line.find('\n')));
}

/// Whole phrases of git and of those who serve repositories: "not found" is also what a shell says of a program, and
/// "not valid" what TLS says of a certificate.
bool says_no_repository(std::string_view message) {
  constexpr std::array<std::string_view, 5> k_phrases = {"does not appear to be a git repository",
                                                         "is this a git repository", "invalid gitfile format",
                                                         "error: unrecognized header", "remote: Repository not found"};
  const auto fatal = fatal_line(message);
  return (fatal.starts_with("repository '") && fatal.ends_with("' not found")) ||
         std::any_of(k_phrases.begin(), k_phrases.end(),
                     [&](auto phrase) { return message.find(phrase) != std::string_view::npos; });
}

/// What the upstream has. @throws Error{unresolvable} for what is no repository: git's own words do not say so
Upstream list_upstream(const GitProgram& git, const Wanted& wanted, const StackEntry& entry) {
  try {
    return parse_ls_remote(git.run({"ls-remote", "--quiet", "--symref", wanted.source}));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::tool_failed) throw;
    const bool local = wanted.source.starts_with('/');
    if (!says_no_repository(error.message())) throw;
    const auto words = fatal_line(error.message());
    throw Error(ErrorCode::unresolvable,
                fmt::format("{}: '{}' is no git repository{}", entry.where(), printable(entry.text("url")),
                            words.empty() ? std::string() : fmt::format(" (git: {})", printable(words))),
                local ? "name a folder of `git clone` or `git init`, or a file of `git bundle create`; a folder of "
                        "plain files crosses as [file.NAME]"
                      : "try `git ls-remote URL`; where it asks for a password, put that into ~/.netrc, which is what "
                        "git gets here");
  }
}

std::string version_of(const Selection& selection, Timestamp newest) {
  Hasher hasher;
  for (const auto& [name, id] : selection.refs) hasher.update(fmt::format("{} {}\n", to_hex(id), name));
  hasher.update(selection.head);
  // "2026-11-29T11:45:00Z" without what stands between its digits.
  std::string when = format_time(newest).substr(0, 19);
  std::erase_if(when, [](char c) { return c < '0' || c > '9'; });
  return fmt::format("{}-{}", when, hasher.finish().hex().substr(0, 12));
}

/// What the artifact of before is worth: the same names at the same commits of the same place, and of Git LFS what is
/// wanted now.
const Artifact* unchanged(const CollectContext& context, const StackEntry& entry, const Selection& selection) {
  for (const auto& artifact : context.before) {
    if (artifact.kind != "git" || artifact.files.empty() || artifact.files[0].origin != entry.text("url")) continue;
    const auto& facts = artifact.facts;
    if (facts.value("head", "") != selection.head || facts.value("refs", Json()) != refs_json(selection)) continue;
    if (has_lfs_as_wanted(artifact, entry, context)) return &artifact;
  }
  return nullptr;
}

void add_notes(Collected& out, const Artifact& artifact, const StackEntry& entry) {
  std::size_t listed = 0;
  const auto& refs = artifact.facts.at("refs");
  for (const auto& [name, id] : refs.items()) {
    if (++listed > k_listed_refs) {
      out.notes.push_back(fmt::format("{}: and {} more", entry.where(), refs.size() - k_listed_refs));
      break;
    }
    if (!name.starts_with(k_commit_refs))
      out.notes.push_back(fmt::format("{}: {} is pinned to {}", entry.where(), name, id.get<std::string>()));
  }
  if (const auto found = artifact.facts.find("submodules"); found != artifact.facts.end()) {
    for (const auto& one : *found) {
      out.notes.push_back(
          fmt::format("{}: the submodule {} ({}) is another repository, and does not cross with this one",
                      entry.where(), printable(one.value("path", "")), printable(one.value("url", "?"))));
    }
  }
  add_lfs_notes(out.notes, artifact, entry);
}

}  // namespace

std::string_view GitCollector::table() const {
  return "git";
}
std::string_view GitCollector::summary() const {
  return "git repositories: branches, tags and commits with their history, as bundles";
}
std::span<const KeySpec> GitCollector::keys() const {
  return k_keys;
}

Collected GitCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  if (!is_repository_name(entry.name)) {
    throw Error(ErrorCode::stack_invalid,
                fmt::format("{}: '{}' is no name for a repository", entry.where(), printable(entry.name)),
                "letters, digits and ._-, without .git at the end");
  }
  const auto scratch = fs::absolute(context.scratch);  // git is run elsewhere
  const GitProgram git(scratch / "home");
  Wanted wanted{.source = source_of(entry, context.stack_folder), .selection = {}};
  const auto listed = with_context(entry.where(), [&] { return list_upstream(git, wanted, entry); });
  wanted.selection = select_refs(listed, entry.texts("refs"), entry.where());
  Collected out;
  if (const auto* before = unchanged(context, entry, wanted.selection)) {
    out.artifacts.push_back(*before);
    out.artifacts[0].license = entry.text("license");
    add_notes(out, *before, entry);
    return out;
  }
  with_context(entry.where(), [&] {
    RepositoryCopy copy(git, scratch);
    copy.fetch(wanted);
    const auto bundle = scratch / (entry.name + ".bundle");
    copy.write_bundle(wanted.selection, bundle);
    const std::vector<LocalFile> files{{entry.name + ".bundle", bundle, {}}};
    const auto taken = take_local_files(context, "lock-git-" + portable_component(entry.name), files);
    fs::remove(bundle);
    Artifact artifact;
    artifact.kind = "git";
    artifact.name = entry.name;
    artifact.version = version_of(wanted.selection, copy.newest());
    artifact.license = entry.text("license");
    artifact.facts = {{"refs", refs_json(wanted.selection)}, {"head", wanted.selection.head}};
    for (const auto& one : copy.submodules(wanted.selection))
      artifact.facts["submodules"].push_back(
          {{"path", printable(one.path)}, {"url", printable(one.url)}, {"commit", one.commit}});
    Evidence derived{.type = "derived", .details = Json::object()};
    derived.details["from"] = "the commits that facts.refs names, as the upstream had them";
    derived.details["by"] = "git " + git.version();
    artifact.files.push_back({RelPath::parse("packages/git/" + entry.name + ".bundle"),
                              taken[0].size,
                              taken[0].digest,
                              entry.text("url"),
                              {derived}});
    bool points_to_lfs = true;
    if (context.inspect) {
      const auto inspection = context.inspect(artifact);
      if (!inspection.findings.empty()) {
        const auto& finding = inspection.findings[0];
        fail(finding.code, "{}", finding.message);
      }
      points_to_lfs = inspection.facts.value("lfs_pointers", 0u) > 0;
    }
    if (points_to_lfs) take_lfs_files(artifact, copy, git, wanted, entry, context);
    add_notes(out, artifact, entry);
    out.artifacts.push_back(std::move(artifact));
  });
  return out;
}

std::vector<FetchJob> GitCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                         CollectContext& context) const {
  const auto& file = artifact.files.at(0);
  auto jobs = plan_lfs_files(artifact, entry, context);
  if (context.store.contains(file.digest)) return jobs;
  Wanted wanted{.source = source_of(entry, context.stack_folder), .selection = {}};
  for (const auto& [name, id] : object_member(artifact.facts, "refs", "the lock").items()) {
    const auto parsed = id.is_string() ? parse_object_id(id.get<std::string>()) : std::nullopt;
    if (!parsed || !is_ref_name(name))
      fail(ErrorCode::lock_invalid, "{} has a ref that is none", printable(artifact.id()));
    wanted.selection.refs.emplace(name, *parsed);
  }
  wanted.selection.head = string_member(artifact.facts, "head", "the lock");
  FetchJob job{.title = std::string(file.path.filename()),
               .digest = file.digest,
               .size = {},
               .url = {},
               .headers = {},
               .produce = {}};
  job.produce = [wanted, where = entry.where(),
                 folder = fs::absolute(context.scratch) / ("git-" + entry.name)](int out) {
    remove_tree(folder);
    const GitProgram git(folder / "home");
    with_context(where, [&] {
      RepositoryCopy copy(git, folder);
      copy.fetch(wanted);
      const auto bundle = folder / "out.bundle";
      copy.write_bundle(wanted.selection, bundle);
      const auto in = open_file(bundle, O_RDONLY);
      copy_hashed(in.get(), 0, out, regular_size(in.get(), "the bundle"), "the bundle", [](std::uint64_t) {});
    });
    remove_tree(folder);
  };
  jobs.push_back(std::move(job));
  return jobs;
}

}  // namespace liftlock::git
