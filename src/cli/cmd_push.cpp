#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/ecosystems_high.hpp"
#include "cli/inspection.hpp"
#include "cli/interrupt.hpp"
#include "cli/push_repository.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string repository;
  std::vector<std::string> artifacts;
  std::string bundle;
  bool dry_run = false;
};

bool contains(const std::vector<std::string_view>& list, std::string_view one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

/// The targets of one repository: each kind of artifact goes to the first line of the table that takes it.
class Targets {
 public:
  Targets(const Site& site, const RepositoryConfig& config, const BlobStore& store)
      : m_settings(push_settings(site, config)), m_store(store) {
    for (auto& kind : push_kinds()) {
      if (kind.repository == config.kind) m_kinds.push_back(std::move(kind));
    }
    for (const auto& kind : config.takes) {
      if (takes(kind) && contains(inspected_kinds(), kind)) continue;
      throw Error(ErrorCode::config_invalid,
                  fmt::format("config.toml: {} cannot take artifacts of kind '{}'", config.table, printable(kind)),
                  fmt::format("a repository of kind {} takes {}", config.kind, fmt::join(by_default(), ", ")));
    }
    m_unasked = config.takes.empty() ? by_default() : config.takes;
  }

  /// Whether artifacts of this kind may go there at all, and whether they do when nothing is named.
  bool takes(std::string_view kind) const { return find(kind) != nullptr; }
  bool takes_unasked(std::string_view kind) const {
    return std::find(m_unasked.begin(), m_unasked.end(), kind) != m_unasked.end();
  }
  std::string unasked() const { return fmt::format("{}", fmt::join(m_unasked, ", ")); }

  PushTarget& of(std::string_view kind) {
    const auto* line = find(kind);
    auto& target = m_targets[line];
    if (!target) target = line->make(m_settings, m_store);
    return *target;
  }
  std::vector<PushTarget*> all() const {
    std::vector<PushTarget*> out;
    for (const auto& [line, target] : m_targets) out.push_back(target.get());
    return out;
  }

 private:
  std::vector<std::string> by_default() const {
    std::vector<std::string> out;
    for (const auto& kind : m_kinds) out.insert(out.end(), kind.artifacts.begin(), kind.artifacts.end());
    return out;
  }
  const PushKind* find(std::string_view kind) const {
    for (const auto& one : m_kinds) {
      if (contains(one.artifacts, kind) || contains(one.if_asked, kind) || contains(one.if_asked, "*")) return &one;
    }
    return nullptr;
  }

  PushSettings m_settings;
  const BlobStore& m_store;
  std::vector<PushKind> m_kinds;
  std::vector<std::string> m_unasked;
  std::map<const PushKind*, std::unique_ptr<PushTarget>> m_targets;
};

Publication publication_of(const Catalog& catalog, const std::string& text) {
  const auto slash = text.rfind('/');
  const auto sequence = slash == std::string::npos ? std::nullopt : parse_uint(text.substr(slash + 1));
  if (!sequence) fail(ErrorCode::usage, "'{}' is no bundle: write CHANNEL/SEQUENCE", printable(text));
  auto found = catalog.publication(text.substr(0, slash), *sequence);
  if (!found) {
    throw Error(ErrorCode::not_found, fmt::format("no bundle {} landed here", printable(text)),
                "`liftlock status` lists those that did");
  }
  return std::move(*found);
}

Artifact find_named(const Catalog& catalog, const Targets& targets, const std::string& name) {
  auto found = catalog.find(name);
  // As the plan writes images, and clients do.
  const auto colon = name.rfind(':');
  if (!found && colon != std::string::npos) found = catalog.find(name.substr(0, colon) + "@" + name.substr(colon + 1));
  if (!found) fail(ErrorCode::not_found, "nothing here is called '{}'", printable(name));
  if (!targets.takes(found->kind)) {
    throw Error(ErrorCode::usage, fmt::format("'{}' does not go into such a repository", printable(found->id())),
                fmt::format("it takes {}", targets.unasked()));
  }
  return std::move(*found);
}

/// Those that were named, or all that the repository is for; of an id in several bundles the newest.
std::vector<Artifact> chosen(const Catalog& catalog, const Targets& targets, const Options& options) {
  std::map<std::string, Artifact> out;
  for (const auto& name : options.artifacts) {
    auto found = find_named(catalog, targets, name);
    out.emplace(found.id(), std::move(found));
  }
  if (options.artifacts.empty()) {
    const auto all = options.bundle.empty() ? catalog.artifacts() : publication_of(catalog, options.bundle).artifacts;
    for (const auto& artifact : all) {
      const auto id = artifact.id();
      if (targets.takes_unasked(artifact.kind) && !out.contains(id))
        out.emplace(id, options.bundle.empty() ? *catalog.find(id) : artifact);
    }
  }
  std::vector<Artifact> list;
  for (auto& [id, artifact] : out) list.push_back(std::move(artifact));
  return list;
}

Json json_of(const Artifact& artifact, const PushPlan& plan) {
  auto out = plan.details;
  out.update({{"id", artifact.id()},
              {"place", plan.place},
              {"lacking", plan.lacking},
              {"known", plan.known},
              {"bytes", plan.bytes},
              {"other", plan.other}});
  if (!plan.rival.empty()) out["rival"] = plan.rival;
  if (!plan.left_out.empty()) out["left_out"] = plan.left_out;
  return out;
}

std::string line_of(const Artifact& artifact, const std::string& where, const PushPlan& plan) {
  auto out = fmt::format("{} -> {} {}: ", printable(artifact.id()), where, printable(plan.place));
  if (!plan.left_out.empty()) return out + fmt::format("is left out: {}\n", printable(plan.left_out));
  if (!plan.rival.empty()) return out + fmt::format("is the place of {}\n", printable(plan.rival));
  if (!plan.other.empty())
    return out +
           fmt::format("is there with other bytes ({})\n", printable(fmt::format("{}", fmt::join(plan.other, ", "))));
  if (plan.is_done())
    return out + (plan.differs.empty() ? "is there\n" : fmt::format("is there as {}\n", plan.differs));
  return out + fmt::format("{} of {}, {} to send\n", plan.lacking, counted(plan.lacking + plan.known, "file"),
                           format_size(plan.bytes));
}

/// Which of the two the place is of, a person has to say.
void require_no_rivals(const std::vector<std::unique_ptr<PushPlan>>& plans, const std::vector<Artifact>& artifacts,
                       const std::string& where) {
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const auto& plan = *plans[i];
    if (plan.rival.empty()) continue;
    throw Error(ErrorCode::immutable,
                fmt::format("{} and {} are both {} of {}", printable(plan.rival), printable(artifacts[i].id()),
                            printable(plan.place), where),
                "nothing was sent: names that differ only in what the repository does not allow are one name there. "
                "Name the artifacts that may go, with one of the two");
  }
}

/// What is there is never written over: nothing is sent before a person has looked.
void require_no_other(const std::vector<std::unique_ptr<PushPlan>>& plans, const std::vector<Artifact>& artifacts,
                      const std::string& where) {
  std::string first;
  std::size_t count = 0;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (plans[i]->other.empty() || !plans[i]->rival.empty()) continue;
    if (count++ == 0) first = fmt::format("{} ({})", artifacts[i].id(), plans[i]->other[0]);
  }
  if (count == 0) return;
  throw Error(
      ErrorCode::immutable,
      fmt::format("{} has {} with other bytes: {}{}", where, count == 1 ? "this" : fmt::format("{} of them", count),
                  printable(first), count == 1 ? "" : ", …"),
      "nothing was sent, and nothing is ever written over: `--dry-run` lists them. Find out who put the other "
      "bytes there; then remove them there, or name only the artifacts that may go");
}

/// Something else than the artifact's own digest is found at its place now: nobody is to be surprised by that.
void tell_difference(Invocation& invocation, AuditLog& log, const Artifact& artifact, const PushPlan& plan,
                     std::string detail) {
  log.append({.type = artifact.kind + ".stand-in",
              .actor = invocation.actor(),
              .outcome = Outcome::success,
              .subject = artifact.id(),
              .detail = std::move(detail)});
  invocation.reporter().warn(fmt::format("{} is there as {}", artifact.id(), plan.differs));
}

void send_all(Invocation& invocation, const Site& site, const NamedRepository& repository, const std::string& where,
              const std::vector<Artifact>& artifacts, const std::vector<std::unique_ptr<PushPlan>>& plans,
              std::uint64_t bytes) {
  invocation.reporter().note(fmt::format("to {}: {}", where, format_size(bytes)));
  AuditLog log(site.audit_folder(), "");
  ProgressTask progress(invocation.reporter(), "push", Unit::bytes, bytes);
  for (std::size_t i = 0; i < artifacts.size(); ++i) {
    auto& plan = *plans[i];
    if (plan.is_done()) continue;
    const Json there = {{"to", repository.name}, {"address", where}, {"place", plan.place}};
    auto detail = plan.details;
    detail.update(there);
    auto& files = detail["files"] = Json::array();
    for (const auto& file : artifacts[i].files) {
      if (files.size() < 20) files.push_back(file.digest.text());
    }
    logged_effect(log,
                  {.type = artifacts[i].kind + ".push",
                   .actor = invocation.actor(),
                   .outcome = Outcome::intent,
                   .subject = artifacts[i].id(),
                   .detail = dump_json_line(detail)},
                  [&] { plan.send([&](std::uint64_t done) { progress.advance(done); }); });
    if (plan.differs.empty()) continue;
    detail = plan.details;
    detail.update(there);
    tell_difference(invocation, log, artifacts[i], plan, dump_json_line(detail));
  }
}

/// Also where there is nothing to send: a run that was cut off may have left its end undone.
void finish_all(const Invocation& invocation, const Site& site, const NamedRepository& repository,
                const std::string& where, const Targets& targets) {
  for (auto* target : targets.all()) {
    auto detail = target->to_finish();
    if (!detail) continue;
    detail->update({{"to", repository.name}, {"address", where}});
    AuditLog log(site.audit_folder(), "");
    logged_effect(log,
                  {.type = "repository.publish",
                   .actor = invocation.actor(),
                   .outcome = Outcome::intent,
                   .subject = repository.name,
                   .detail = dump_json_line(*detail)},
                  [&] { target->finish(); });
  }
}

void run(Invocation& invocation, const Options& options) {
  resume_after_interrupt();
  const auto site = invocation.site();
  site.require_zone("push", {Zone::ingest, Zone::production});
  if (!options.bundle.empty() && !options.artifacts.empty())
    fail(ErrorCode::usage, "--bundle names all of a bundle: name no artifacts besides");
  const auto repository = find_repository(site, options.repository);
  record_config(invocation, site);
  const auto& config = repository.config;
  const auto address = HttpAddress::parse(config.address);
  const auto where = config.folder ? config.folder->string() : address ? address->authority() + address->path : "";
  const BlobStore store(site.store_folder());
  Targets targets(site, config, store);
  const auto artifacts = chosen(Catalog(site.catalog_file(), Access::read), targets, options);
  std::vector<std::unique_ptr<PushPlan>> plans;
  std::string text;
  std::uint64_t bytes = 0;
  std::size_t lacking = 0, stopped = 0;
  for (const auto& artifact : artifacts) {
    const auto& plan = *plans.emplace_back(targets.of(artifact.kind).plan(artifact));
    text += line_of(artifact, where, plan);
    bytes += plan.bytes;
    lacking += plan.lacking;
    if (!plan.other.empty() || !plan.left_out.empty()) ++stopped;
    if (!plan.left_out.empty())
      invocation.reporter().warn(fmt::format("{} is left out: {}", artifact.id(), plan.left_out));
  }
  if (!options.dry_run) {
    require_no_other(plans, artifacts, where);
    require_no_rivals(plans, artifacts, where);
    if (lacking > 0) send_all(invocation, site, repository, where, artifacts, plans, bytes);
    finish_all(invocation, site, repository, where, targets);
  }
  if (stopped > 0) invocation.set_status(static_cast<int>(info(ErrorCode::immutable).error_class));
  auto listed = Json::array();
  for (std::size_t i = 0; i < artifacts.size(); ++i) listed.push_back(json_of(artifacts[i], *plans[i]));
  const Json json = {{"repository", repository.name},
                     {"kind", config.kind},
                     {"address", where},
                     {"pushed", !options.dry_run},
                     {"artifacts", std::move(listed)}};
  invocation.print(json, [&] {
    if (artifacts.empty()) return fmt::format("there is nothing here of what it takes ({})\n", targets.unasked());
    if (options.dry_run) return text + "dry run: nothing was sent\n";
    return text + (lacking > 0 ? fmt::format("sent: {}\n", format_size(bytes)) : "nothing to send\n");
  });
}

}  // namespace

void add_push(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("push", "Put artifacts into a repository that the site runs already");
  auto options = std::make_shared<Options>();
  command
      ->add_option("REPOSITORY", options->repository,
                   "NAME of a [repository.NAME] of config.toml; oci://HOST:PORT of one of kind oci")
      ->required();
  command->add_option("ARTIFACT", options->artifacts,
                      "As `liftlock ls` names them (default: all that the repository is for)");
  command->add_option("--bundle", options->bundle,
                      "CHANNEL/SEQUENCE: all of what this bundle brought, as it brought it");
  command->add_flag("--dry-run", options->dry_run, "Only say what is lacking there");
  command->footer(
      "First it asks what the repository has, then it sends what is lacking. What is there with other bytes is an\n"
      "error, and never written over (but a tag of an image is moved). Again it sends nothing; cut off, the same\n"
      "command goes on. Kinds: oci, pypi, npm, maven, helm, aptly, reprepro, raw (docs/formats/push.md).\n"
      "Example: liftlock push pypi --dry-run");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
