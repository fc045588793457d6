#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/resolve.hpp"
#include "cli/collectors.hpp"
#include "cli/commands.hpp"
#include "cli/stack_session.hpp"
#include "ecosystem/cargo/lock_file.hpp"
#include "ecosystem/hidden_downloads.hpp"
#include "ecosystem/local_files.hpp"
#include "ecosystem/oci/image.hpp"
#include "ecosystem/oci/named_images.hpp"
#include "os/file.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_yaml = 4u << 20;

struct Options {
  StackOptions stack;
  bool strict = false;
};

/// One entry of the stack, and what is known of it.
struct CheckedEntry {
  std::string where;
  std::string proven;              ///< what was done, and held
  std::vector<std::string> notes;  ///< may be meant so: "there is no tokenizer beside …"
  std::vector<Missing> missing;
};

void require_fetched(const StackSession& session, const Lock& lock, const BlobStore& store) {
  if (const auto why = why_stale(session.stack(), lock); !why.empty()) {
    throw Error(ErrorCode::lock_stale, fmt::format("the lock is not that of the stack: {}", why));
  }
  for (const auto& artifact : artifacts_of(lock)) {
    for (const auto& file : artifact.files) {
      if (store.contains(file.digest)) continue;
      throw Error(ErrorCode::not_fetched, fmt::format("{} of {} is not in the store", file.path.text(), artifact.id()));
    }
  }
}

/// What fetch's inspection proves already, and what it noted.
CheckedEntry inspected(const LockedEntry& entry, const Catalog& catalog) {
  std::uint64_t files = 0;
  CheckedEntry out{.where = entry.where()};
  for (const auto& artifact : entry.artifacts) {
    files += artifact.files.size();
    const auto facts = catalog.inspection(artifact);
    if (!facts.contains("notes") || !facts.at("notes").is_array()) continue;
    for (const auto& note : facts.at("notes")) {
      if (note.is_string()) out.notes.push_back(fmt::format("{}: {}", artifact.id(), note.get<std::string>()));
    }
  }
  out.proven = fmt::format("{} in {}: whole, as fetch inspected them; no client was run",
                           counted(entry.artifacts.size(), "artifact"), counted(files, "file"));
  return out;
}

/// " (image:a/b@1 is of one.example)": what was meant, perhaps, of another registry. Else empty.
std::string namesake(const oci::Reference& reference, const std::vector<Artifact>& stack) {
  for (const auto& one : stack) {
    if (one.kind != "image" || !one.name.ends_with(reference.repository)) continue;
    const auto upstream = oci::upstream_of(one.facts.value("ref", ""));
    if (upstream) return fmt::format(" ({} is of {})", one.id(), upstream->host);
  }
  return {};
}

/// Images that a text of Kubernetes objects or a compose file asks for, and no entry brings.
void check_images_of(std::string_view text, const std::string& by, const std::vector<Artifact>& stack,
                     CheckedEntry& checked) {
  for (const auto& reference : oci::images_named_in(text)) {
    const bool brought = std::any_of(stack.begin(), stack.end(), [&](const Artifact& one) {
      return one.kind == "image" && oci::is_asked_for(one, reference);
    });
    if (brought) continue;
    auto name = reference.repository;
    std::replace(name.begin(), name.end(), '/', '-');
    const bool official = reference.host.empty();
    checked.missing.push_back(
        {fmt::format("{} asks for the image {}, which the stack does not bring under that name{}", by, reference.text(),
                     namesake(reference, stack)),
         fmt::format("[image.{}]\nsource = \"docker://{}{}\"", portable_component(name),
                     official && reference.repository.find('/') == std::string::npos ? "docker.io/library/"
                                                                                     : (official ? "docker.io/" : ""),
                     reference.text())});
  }
}

void check_images(const LockedEntry& entry, const std::vector<Artifact>& stack, const BlobStore& store,
                  CheckedEntry& checked) {
  for (const auto& artifact : entry.artifacts) {
    if (artifact.kind != "file") continue;
    for (const auto& file : artifact.files) {
      const auto& path = file.path.text();
      if (file.size > k_max_yaml || !(path.ends_with(".yaml") || path.ends_with(".yml"))) continue;
      const auto text = read_all(store.open(file.digest).get(), k_max_yaml, path);
      check_images_of(text, path, stack, checked);
    }
  }
}

/// "https://h/p/x.git/" and "https://h/p/x" are one repository.
std::string_view plain_url(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  if (url.starts_with("file://")) url.remove_prefix(7);
  return url.ends_with(".git") ? url.substr(0, url.size() - 4) : url;
}

/// Relative ones are relative to the repository that has the submodule (gitsubmodules(7)).
std::string submodule_url(std::string_view url, std::string_view origin) {
  if (!url.starts_with("./") && !url.starts_with("../")) return std::string(url);
  while (origin.ends_with('/')) origin.remove_suffix(1);
  for (;;) {
    if (url.starts_with("./")) {
      url.remove_prefix(2);
    } else if (url.starts_with("../")) {
      url.remove_prefix(3);
      origin = origin.substr(0, std::max<std::size_t>(origin.rfind('/'), 1));
    } else {
      return fmt::format("{}/{}", origin, url);
    }
  }
}

/// A commit of a repository that something of the stack needs.
struct NeededCommit {
  std::string what;  ///< who needs it, and how
  std::string url, commit;
  std::string name;  ///< for the entry that brings it
  std::vector<std::string> refs;
};

bool is_brought(const NeededCommit& needed, const std::vector<Artifact>& stack) {
  return std::any_of(stack.begin(), stack.end(), [&](const Artifact& one) {
    if (one.kind != "git" || one.files.empty()) return false;
    const auto refs = one.facts.value("refs", Json::object());
    return plain_url(one.files[0].origin) == plain_url(needed.url) &&
           std::any_of(refs.begin(), refs.end(), [&](const Json& id) { return id == needed.commit; });
  });
}

Missing missing_commit(const NeededCommit& needed) {
  auto name = needed.name;
  std::replace(name.begin(), name.end(), '/', '-');
  const bool takes = needed.url.starts_with("https://") || needed.url.starts_with('/');  // as [git.NAME] does
  return {needed.what,
          fmt::format("[git.{}]\nurl = \"{}\"\nrefs = {}", portable_component(name),
                      takes ? needed.url : "FOLDER OF A CLONE (git clone --mirror)", Json(needed.refs).dump())};
}

/// Repositories that others have as submodules, and no entry brings.
void check_submodules(const LockedEntry& entry, const std::vector<Artifact>& stack, CheckedEntry& checked) {
  for (const auto& artifact : entry.artifacts) {
    if (artifact.kind != "git" || artifact.files.empty()) continue;
    for (const auto& one : artifact.facts.value("submodules", Json::array())) {
      const auto path = one.value("path", ""), commit = one.value("commit", "");
      const auto url = submodule_url(one.value("url", ""), artifact.files[0].origin);
      const NeededCommit needed{
          .what = fmt::format("{} has the submodule {}, which is another repository: {} at {}", artifact.name, path,
                              url.empty() ? "its address is not stated" : url, commit.substr(0, 12)),
          .url = url,
          .commit = commit,
          .name = path,
          .refs = {commit}};
      if (!is_brought(needed, stack)) checked.missing.push_back(missing_commit(needed));
    }
  }
}

/// Files of Git LFS that a checkout of a repository needs, and its upstream did not have.
void check_lfs(const LockedEntry& entry, CheckedEntry& checked) {
  for (const auto& artifact : entry.artifacts) {
    if (artifact.kind != "git") continue;
    const auto of = [&](const char* key) { return artifact.facts.value(key, Json::object()); };
    if (const auto left = of("lfs_left_out").value("count", 0u); left > 0) {
      checked.notes.push_back(
          fmt::format("{} has {} of Git LFS, left out by lfs = false", artifact.name, counted(left, "file")));
    }
    if (artifact.facts.contains("lfs_pointers") && !artifact.facts.contains("lfs_files") &&
        !artifact.facts.contains("lfs_left_out")) {
      checked.notes.push_back(
          fmt::format("{} has files of Git LFS, and was locked by a Liftlock that did not carry them: "
                      "`liftlock lock --update {}.{}`",
                      artifact.name, entry.table, entry.name));
    }
    const auto missing = of("lfs_missing");
    const auto all = missing.value("count", std::uint64_t{0}), needed = missing.value("with_path", std::uint64_t{0});
    std::uint64_t listed = 0;
    for (const auto& one : missing.value("first", Json::array())) {
      const auto path = one.value("path", "");
      if (path.empty()) continue;
      ++listed;
      checked.missing.push_back(
          {fmt::format("{} has {} in Git LFS, {} that its upstream did not have when it was locked (a clone has them "
                       "after `git lfs fetch --all`; `lfs = false` leaves all of them out)",
                       artifact.name, path, format_size(one.value("size", std::uint64_t{0}))),
           {}});
    }
    if (needed > listed) {
      checked.missing.push_back(
          {fmt::format("{} has {} more in Git LFS that its upstream did not have when it was locked", artifact.name,
                       counted(needed - listed, "file")),
           {}});
    }
    if (const auto history = all - std::min(all, std::max(needed, listed)); history > 0) {
      checked.notes.push_back(fmt::format("{}: {} of Git LFS in its history that its upstream did not have",
                                          artifact.name, counted(history, "file")));
    }
  }
}

/// Repositories that a Cargo.lock takes crates from, and no entry brings; a vendored tree has those crates.
void check_git_crates(const StackEntry& entry, const fs::path& stack_folder, const std::vector<Artifact>& stack,
                      CheckedEntry& checked) {
  if (entry.table != "cargo" || !entry.text("vendor").empty()) return;
  const auto lock =
      cargo::parse_lock_file(read_file(stack_path(entry.text("lock"), stack_folder), cargo::k_max_lock_file));
  for (const auto& source : cargo::git_sources(lock)) {
    const auto url = std::string(plain_url(source.url));
    NeededCommit needed{.what = fmt::format("Cargo.lock takes {} from a git repository: {} at {}",
                                            fmt::join(source.crates, ", "), source.url, source.commit.substr(0, 12)),
                        .url = source.url.starts_with("file://") ? source.url.substr(7) : source.url,
                        .commit = source.commit,
                        .name = url.substr(url.rfind('/') + 1),
                        .refs = {source.commit}};
    // cargo asks for the branch or tag, too.
    if (!source.reference.empty()) needed.refs.push_back(source.reference);
    if (!is_brought(needed, stack)) checked.missing.push_back(missing_commit(needed));
  }
}

std::vector<CheckedEntry> check_entries(StackSession& session, const Lock& lock, const Catalog& catalog) {
  std::vector<CheckedEntry> out;
  const auto stack = artifacts_of(lock);
  ProgressTask progress(session.context().reporter, "checking", Unit::items, lock.entries.size());
  for (const auto& entry : lock.entries) {
    auto checked = inspected(entry, catalog);
    const auto* collector = find_collector(collectors(), entry.table);
    const auto* wanted = session.stack().find(entry.table, entry.name);
    if (collector != nullptr && wanted != nullptr) {
      auto proof = collector->check(*wanted, entry.artifacts, session.context());
      if (!proof.proven.empty()) checked.proven = std::move(proof.proven);
      checked.missing = std::move(proof.missing);
      const auto by = entry.artifacts.empty() ? checked.where : entry.artifacts[0].id();
      check_images_of(proof.manifests, by, stack, checked);
      check_git_crates(*wanted, session.context().stack_folder, stack, checked);
    }
    check_images(entry, stack, session.context().store, checked);
    check_submodules(entry, stack, checked);
    check_lfs(entry, checked);
    out.push_back(std::move(checked));
    progress.advance(1);
  }
  return out;
}

Json to_json(const std::vector<CheckedEntry>& entries) {
  Json out = Json::array();
  for (const auto& entry : entries) {
    Json missing = Json::array();
    for (const auto& one : entry.missing) missing.push_back({{"what", one.what}, {"add", one.add}});
    out.push_back({{"entry", entry.where},
                   {"proven", entry.missing.empty() ? entry.proven : ""},
                   {"notes", entry.notes},
                   {"missing", missing}});
  }
  return out;
}

Json to_json(const std::vector<HiddenNeed>& needs) {
  Json out = Json::array();
  for (const auto& need : needs) {
    out.push_back({{"needed_by", need.needed_by},
                   {"package", need.download->name},
                   {"downloads", need.download->what},
                   {"add", need.download->add},
                   {"there", need.download->there},
                   {"perhaps", need.perhaps},
                   {"source", need.download->source}});
  }
  return out;
}

void print_lines(std::string& out, std::string_view lines) {
  for (const auto line : split(lines, '\n')) out += fmt::format("        {}\n", line);
}

std::string to_text(const std::vector<CheckedEntry>& entries, const std::vector<HiddenNeed>& needs) {
  std::string out;
  if (entries.empty()) out += "the stack names nothing to carry: there is nothing to check\n";
  for (const auto& entry : entries) {
    if (entry.missing.empty()) out += fmt::format("✓ {}  {}\n", entry.where, entry.proven);
    for (const auto& missing : entry.missing) {
      out += fmt::format("✗ {}  {}\n", entry.where, missing.what);
      if (missing.add.empty()) continue;
      out += "      add to liftlock.toml:\n";
      print_lines(out, missing.add);
    }
    for (const auto& note : entry.notes) out += fmt::format("  note: {}\n", note);
  }
  for (const auto& need : needs) {
    out += need.in_image
               ? fmt::format("! {}  {} in it downloads {}\n", need.needed_by, need.download->name, need.download->what)
               : fmt::format("! {}  it downloads {}\n", need.needed_by, need.download->what);
    if (!need.perhaps.empty()) {
      out += need.perhaps.size() == 1 ? fmt::format("      the stack brings {}: is it that one?\n", need.perhaps[0])
                                      : fmt::format("      the stack brings {} and {} more: is it one of them?\n",
                                                    need.perhaps[0], need.perhaps.size() - 1);
    }
    if (!need.download->add.empty()) {
      out += "      add to liftlock.toml, if it is used:\n";
      print_lines(out, need.download->add);
    }
    out +=
        fmt::format("      on the other side{}: {}\n", need.in_image ? ", in the container" : "", need.download->there);
  }
  return out;
}

void run(Invocation& invocation, Options& options) {
  options.stack.offline = true;
  StackSession session(invocation, "check", options.stack);
  const auto lock = read_lock(session.lock_file());
  require_fetched(session, lock, session.context().store);
  const Catalog catalog(session.site().catalog_file());
  const auto entries = check_entries(session, lock, catalog);
  const auto needs = hidden_needs(artifacts_of(lock), [&](const Artifact& one) { return catalog.inspection(one); });
  std::size_t missing = 0;
  for (const auto& entry : entries) missing += entry.missing.size();
  const Json json = {{"stack", session.stack().name},
                     {"complete", missing == 0},
                     {"entries", to_json(entries)},
                     {"hidden_downloads", to_json(needs)}};
  invocation.print(json, [&] { return to_text(entries, needs); });
  // A model that the stack brings may be the right one, which nobody but a person knows.
  const auto unmet = static_cast<std::size_t>(
      std::count_if(needs.begin(), needs.end(), [](const HiddenNeed& need) { return need.perhaps.empty(); }));
  const bool incomplete = missing > 0 || (options.strict && unmet > 0);
  if (invocation.json()) {  // one document, which has it all
    if (incomplete) invocation.set_status(static_cast<int>(ErrorClass::policy));
    return;
  }
  if (missing > 0) fail(ErrorCode::stack_incomplete, "{} missing", counted(missing, "thing is", "things are"));
  if (options.strict && unmet > 0) {
    fail(ErrorCode::stack_incomplete, "{} when used, and the stack does not bring what",
         counted(unmet, "package downloads", "packages download"));
  }
}

}  // namespace

void add_check(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("check", "Look, with the network off, for what the stack lacks on the other side");
  auto options = std::make_shared<Options>();
  command->add_option("--stack", options->stack.stack_file, "The stack file (default liftlock.toml)")
      ->type_name("FILE");
  command->add_flag("--strict", options->strict,
                    "Fail, too, where a package downloads something when it is first used");
  command->footer(
      "Run it after fetch, before pack. Your own pip, npm, cargo, go, mvn and helm are given what the stack has, in "
      "an\n"
      "empty network namespace and a folder that is thrown away; where one is not installed, and for other kinds, no\n"
      "client is run: they are what the lock names, whole.\n"
      "✗ is missing, and exit status 3 says so; ! downloads when it is first used (a vocabulary, an embedding model),\n"
      "which no dependency list shows: bring it, or do not use it.\n"
      "Example: liftlock fetch && liftlock check && liftlock pack --output /media/out/demo-7");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
