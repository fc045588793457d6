#include "ecosystem/git/collector.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/clock.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/git/git_program.hpp"
#include "ecosystem/git/names.hpp"
#include "ecosystem/git/tolerated.hpp"
#include "ecosystem/git/upstream.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock::git {
namespace {

/// A pack up to here is made anew from its objects, so that it does not depend on how the upstream had packed them.
constexpr std::uint64_t k_max_repacked = 2ull << 30;
/// Refs that are searched for submodules; the history of thousands of tags names the same ones.
constexpr std::size_t k_searched_refs = 20;
constexpr std::size_t k_listed_refs = 20;

constexpr std::array k_keys = {
    KeySpec{"url", ValueType::string, true, "Where the repository is: https://, file://, or a local path.",
            "\"https://git.example/team/tool.git\""},
    KeySpec{
        "refs", ValueType::strings, false,
        "Branches, tags, full names (refs/…), patterns of them, and ids of commits (40 digits), each with all of its "
        "history. Default: the default branch.",
        "[\"main\", \"v1.*\"]"},
    KeySpec{"license", ValueType::string, false, "Licence.", "\"MIT\""},
};

/// One bundle as the stack and the upstream have it.
struct Wanted {
  std::string source;  ///< what git is told: a URL, or an absolute path
  Selection selection;
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

/// A bare repository in the scratch folder with what is wanted and nothing else.
class Copy {
 public:
  Copy(const GitProgram& git, const fs::path& folder) : m_git(git), m_folder(folder / "repository.git") {
    m_git.run({"init", "--quiet", "--bare", "--template=", "--initial-branch=main", m_folder});
  }

  /// The exact objects, whatever the names mean by now. @throws Error{tool_failed}
  void fetch(const Wanted& wanted) {
    std::string refspecs;
    for (const auto& [name, id] : wanted.selection.refs) refspecs += fmt::format("+{}:{}\n", to_hex(id), name);
    auto arguments = fsck_settings("fetch");
    for (const auto* one : {"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--stdin"})
      arguments.emplace_back(one);
    arguments.push_back(wanted.source);
    run(std::move(arguments), refspecs);
    // Out of a bundle git 2.39 fetches without looking at the objects.
    if (fs::is_regular_file(wanted.source)) check_objects();
    const auto& head = wanted.selection.head;
    if (head.starts_with("refs/heads/")) {
      run({"symbolic-ref", "HEAD", head});
    } else {
      run({"update-ref", "--no-deref", "HEAD", commit_of(head)});
    }
  }

  std::string commit_of(const std::string& ref) const {
    return std::string(trim(run({"rev-parse", "--verify", "--quiet", ref + "^{commit}"})));
  }

  /// Of the newest commit or tag that a ref names.
  Timestamp newest() const {
    std::uint64_t newest = 0;
    const auto dates = run({"for-each-ref", "--format=%(creatordate:unix)"});
    for (const auto line : split(dates, '\n')) newest = std::max(newest, parse_uint(line).value_or(0));
    return Timestamp(std::chrono::seconds(std::min<std::uint64_t>(newest, 253'402'300'799)));
  }

  /// Equal commits give equal bytes, as long as git and its zlib are the same.
  void write_bundle(const Selection& selection, const fs::path& out) const {
    std::vector<std::string> settings;
    for (const auto* one :
         {"pack.threads=1", "pack.window=10", "pack.depth=50", "pack.compression=6", "pack.writeReverseIndex=false",
          "core.bigFileThreshold=64m", "repack.writeBitmaps=false", "repack.useDeltaBaseOffset=true"}) {
      settings.emplace_back("-c");
      settings.emplace_back(one);
    }
    auto repack = settings;
    for (const auto* one : {"repack", "-a", "-d", "-q"}) repack.emplace_back(one);
    if (pack_bytes() <= k_max_repacked) repack.emplace_back("-F");
    run(std::move(repack));
    std::string names = "HEAD\n";
    for (const auto& [name, id] : selection.refs) names += name + "\n";
    auto bundle = std::move(settings);
    for (const auto* one : {"bundle", "create", "--quiet", "--version=2"}) bundle.emplace_back(one);
    bundle.push_back(out);
    bundle.emplace_back("--stdin");
    run(std::move(bundle), names);
  }

  struct Submodule {
    std::string path, url, commit;
    auto operator<=>(const Submodule&) const = default;
  };
  std::set<Submodule> submodules(const Selection& selection) const {
    std::vector<std::string> refs{selection.head};
    for (const auto& [name, id] : selection.refs) {
      if (name != selection.head && refs.size() < k_searched_refs) refs.push_back(name);
    }
    std::set<Submodule> out;
    for (const auto& ref : refs) submodules_of(commit_of(ref), out);
    return out;
  }

 private:
  std::string run(std::vector<std::string> arguments, const std::string& input = {}) const {
    arguments.insert(arguments.begin(), "--git-dir=" + m_folder.string());
    return m_git.run(std::move(arguments), input);
  }

  void check_objects() const {
    std::vector<std::string> arguments;
    for (const auto message : k_tolerated) {
      arguments.emplace_back("-c");
      arguments.push_back(fmt::format("fsck.{}=ignore", message));
    }
    for (const auto* one : {"fsck", "--strict", "--full", "--no-dangling", "--no-progress"})
      arguments.emplace_back(one);
    run(std::move(arguments));
  }

  std::uint64_t pack_bytes() const {
    std::uint64_t out = 0;
    for (const auto& found : walk(m_folder / "objects", 1'000'000))
      out += static_cast<std::uint64_t>(found.status.st_size);
    return out;
  }

  void submodules_of(const std::string& commit, std::set<Submodule>& out) const {
    std::map<std::string, std::string> places;  // their commits, by path
    bool described = false;
    const auto files = run({"ls-tree", "-r", "-z", "--full-tree", commit});
    for (const auto line : split(files, '\0')) {
      const auto tab = line.find('\t');
      if (tab == std::string_view::npos) continue;
      constexpr std::string_view k_submodule = "160000 commit ";
      if (line.starts_with(k_submodule))
        places[std::string(line.substr(tab + 1))] = line.substr(k_submodule.size(), tab - k_submodule.size());
      described = described || line.substr(tab + 1) == ".gitmodules";
    }
    if (places.empty()) return;
    std::map<std::string, Submodule> by_name;
    if (described) {
      const auto settings =
          run({"config", "--blob", commit + ":.gitmodules", "-z", "--get-regexp", "^submodule\\..*\\.(path|url)$"});
      for (const auto setting : split(settings, '\0')) {
        const auto end = setting.find('\n');
        if (end == std::string_view::npos) continue;
        const auto key = setting.substr(0, end);
        auto& one = by_name[std::string(key.substr(0, key.rfind('.')))];
        (key.ends_with(".url") ? one.url : one.path) = setting.substr(end + 1);
      }
    }
    for (const auto& [path, submodule] : places) {
      const auto named =
          std::find_if(by_name.begin(), by_name.end(), [&](const auto& one) { return one.second.path == path; });
      out.insert({path, named == by_name.end() ? "" : named->second.url, submodule});
    }
  }

  const GitProgram& m_git;
  fs::path m_folder;
};

std::string version_of(const Selection& selection, Timestamp newest) {
  Hasher hasher;
  for (const auto& [name, id] : selection.refs) hasher.update(fmt::format("{} {}\n", to_hex(id), name));
  hasher.update(selection.head);
  // "2026-11-29T11:45:00Z" without what stands between its digits.
  std::string when = format_time(newest).substr(0, 19);
  std::erase_if(when, [](char c) { return c < '0' || c > '9'; });
  return fmt::format("{}-{}", when, hasher.finish().hex().substr(0, 12));
}

/// What the artifact of before is worth: the same names at the same commits of the same place.
const Artifact* unchanged(const CollectContext& context, const StackEntry& entry, const Selection& selection) {
  for (const auto& artifact : context.before) {
    if (artifact.kind != "git" || artifact.files.size() != 1 || artifact.files[0].origin != entry.text("url")) continue;
    const auto& facts = artifact.facts;
    if (facts.value("head", "") == selection.head && facts.value("refs", Json()) == refs_json(selection))
      return &artifact;
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
  if (const auto pointers = artifact.facts.value("lfs_pointers", 0u); pointers > 0) {
    out.notes.push_back(fmt::format("{}: {} of Git LFS; what they point to does not cross", entry.where(),
                                    counted(pointers, "pointer")));
  }
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
    Copy copy(git, scratch);
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
    if (context.inspect) {
      const auto inspection = context.inspect(artifact);
      if (!inspection.findings.empty()) {
        const auto& finding = inspection.findings[0];
        fail(finding.code, "{}", finding.message);
      }
      if (const auto pointers = inspection.facts.value("lfs_pointers", 0u); pointers > 0)
        artifact.facts["lfs_pointers"] = pointers;
    }
    add_notes(out, artifact, entry);
    out.artifacts.push_back(std::move(artifact));
  });
  return out;
}

std::vector<FetchJob> GitCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                         CollectContext& context) const {
  std::vector<FetchJob> jobs;
  const auto& file = artifact.files.at(0);
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
      Copy copy(git, folder);
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
