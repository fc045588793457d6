#include "cli/stack_session.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/collectors.hpp"
#include "cli/config_record.hpp"
#include "cli/inspection.hpp"
#include "cli/interrupt.hpp"
#include "ecosystem/source_files.hpp"

namespace liftlock {
namespace {

Site low_site(const Invocation& invocation, std::string_view command) {
  resume_after_interrupt();
  auto site = invocation.site();
  site.require_zone(command, {Zone::low});
  site.require_own();
  return site;
}

}  // namespace

void add_stack_options(CLI::App& command, StackOptions& options) {
  command.add_option("--stack", options.stack_file, "The stack file (default liftlock.toml); the lock lies beside it")
      ->type_name("FILE");
  command.add_flag("--offline", options.offline, "Contact nobody: fail where something would have to be asked for");
  command.add_flag("--copy", options.copy,
                   "Keep copies of local files in the store; else it refers to them, and pack needs them as they are");
}

StackSession::StackSession(Invocation& invocation, std::string_view command, const StackOptions& options)
    : m_invocation(invocation),
      m_site(low_site(invocation, command)),
      m_lock_file(fs::path(options.stack_file).replace_extension(".lock")),
      m_stack(read_stack(options.stack_file, collectors())),
      m_store(m_site.store_folder()),
      m_downloader(m_store, invocation.reporter(), {.offline = options.offline}),
      m_scratch("scratch", m_site.folder()),
      m_context{m_store,
                m_downloader,
                invocation.reporter(),
                m_stack.folder,
                m_scratch.path(),
                m_stack.platform,
                {},
                [this, inspect = make_inspect()](const Artifact& artifact) {
                  return inspect.artifact(artifact, [this](const Digest& digest) { return m_store.open(digest); }, {});
                },
                options.copy ? LocalFiles::copy : LocalFiles::refer} {}

StackSession::Locked StackSession::lock(const ResolveOptions& options) {
  std::optional<Locked> out;
  audited("stack.lock", [&] {
    const auto old = read_lock_if_exists(m_lock_file);
    auto result = resolve_stack(m_stack, old, options, collectors(), m_context);
    auto changed = old ? changed_files(result) : std::vector<Locked::Drift>();
    const auto saved = save_lock(m_lock_file, result.lock);
    out = Locked{std::move(result), saved, std::move(changed)};
    return Json{{"lock", saved.digest.text()},
                {"kept", out->result.kept.size()},
                {"resolved", out->result.resolved},
                {"removed", out->result.removed}};
  });
  return std::move(*out);
}

namespace {

/// What became of a locked file's place, as Drift::change says it; empty: it may be as it was.
std::string lost(const fs::path& at) {
  std::error_code error;
  const auto status = fs::status(at, error);
  if (status.type() == fs::file_type::none) return "unreachable";
  if (!fs::exists(status)) return "gone";
  return ::access(at.c_str(), R_OK) == 0 ? "" : "unreachable";
}

/// Of one entry that stays as it was locked.
void compare_with_disk(const LockedEntry& locked, const StackEntry& wanted, const fs::path& folder, Timestamp locked_at,
                       std::vector<StackSession::Locked::Drift>& out) {
  const auto id = fmt::format("{}.{}", locked.table, locked.name);
  std::set<std::string> known;
  for (const auto& artifact : locked.artifacts) {
    if (artifact.kind != "file" && artifact.kind != "model" && artifact.kind != "dataset") continue;
    for (const auto& file : artifact.files) {
      if (file.origin.empty() || is_url(file.origin)) continue;
      known.insert(file.origin);
      auto change = lost(stack_path(file.origin, folder));
      try {
        if (change.empty() && has_changed(file, folder, locked_at)) change = "changed";
      } catch (const std::exception&) {
        change = "unreachable";
      }
      if (!change.empty()) out.push_back({id, file.origin, change});
    }
  }
  try {
    const auto now = find_collector(collectors(), locked.table)->local_files(wanted, folder);
    if (!now) return;
    for (const auto& origin : *now) {
      // A source that is gone is not new.
      if (!known.contains(origin) && lost(stack_path(origin, folder)).empty()) out.push_back({id, origin, "new"});
    }
  } catch (const std::exception&) {
    // The folder holds what cannot be carried, or is gone: no reason to refuse what is locked.
  }
}

/// So many of one kind are told one by one.
constexpr std::size_t k_one_by_one = 3;

/// The folder that all of these lie in; empty: the stack's own, or the root.
std::string common_folder(const std::vector<std::string>& paths) {
  auto common = fs::path(paths.front()).parent_path().string();
  for (const auto& path : paths) {
    while (!common.empty() && common != "/" && !path.starts_with(common + "/"))
      common = fs::path(common).parent_path().string();
  }
  return common == "/" ? "" : common;
}

/// "'a', 'b', 'c' and 7 more"
std::string some_of(const std::vector<std::string>& paths) {
  std::string out;
  for (std::size_t i = 0; i < std::min(paths.size(), k_one_by_one); ++i)
    out += fmt::format("{}'{}'", i == 0 ? "" : ", ", printable(paths[i]));
  return paths.size() > k_one_by_one ? fmt::format("{} and {} more", out, paths.size() - k_one_by_one) : out;
}

/// What people read of files of one entry that all became one thing.
std::vector<std::string> drift_lines(const std::string& entry, const std::string& change,
                                     const std::vector<std::string>& paths, const fs::path& stack_folder,
                                     bool source_is_gone) {
  const auto update = fmt::format("`liftlock lock --update {}`", entry);
  if (change == "gone" && source_is_gone) {
    const auto gone = gone_place(stack_path(paths.front(), stack_folder));
    const bool itself = paths.size() == 1 && gone == fs::absolute(stack_path(paths.front(), stack_folder));
    return {
        fmt::format("{}: '{}' is gone, or was moved{}; put it back, or write its new place as the source of [{}], and "
                    "run `liftlock lock`: until then what was locked stays",
                    entry, printable(gone.string()),
                    itself ? "" : fmt::format(", and {} with it", counted(paths.size(), "locked file")), entry)};
  }
  const bool many = paths.size() > k_one_by_one;
  const auto is = [&](std::string_view what) { return fmt::format("{} {}", many ? "are" : "is", what); };
  std::string what, remedy;
  if (change == "unreachable") {
    what = fmt::format("cannot be read, so {} may have changed", many ? "they" : "it");
    remedy = many ? "they stay as they were locked" : "it stays as it was locked";
  } else {
    what = fmt::format("{} since {} locked", change == "changed" ? change : is(change), many ? "they were" : "it was");
    if (change == "new") what = many ? "are new since the lock" : "is new since it was locked";
    remedy = change == "changed" ? fmt::format("{} takes the new {}", update, many ? "ones" : "one")
             : change == "new"   ? fmt::format("{} takes {}, too", update, many ? "them" : "it")
                                 : fmt::format("{} leaves {} out; until then {} locked", update, many ? "them" : "it",
                                             many ? "they stay" : "it stays");
  }
  std::vector<std::string> out;
  if (!many) {
    for (const auto& path : paths) out.push_back(fmt::format("{}: '{}' {}; {}", entry, printable(path), what, remedy));
    return out;
  }
  const auto folder = common_folder(paths);
  out.push_back(fmt::format("{}: {}{} {}: {}; {} (--json lists them all)", entry, counted(paths.size(), "file"),
                            folder.empty() ? "" : fmt::format(" below '{}'", printable(folder)), what, some_of(paths),
                            remedy));
  return out;
}

}  // namespace

// What is locked stays, whatever its files are by now; but who edited them should know.
std::vector<StackSession::Locked::Drift> StackSession::changed_files(const ResolveResult& result) {
  std::vector<Locked::Drift> out;
  const auto locked_at =
      Timestamp(std::chrono::seconds(stat_of(open_file(m_lock_file, O_RDONLY).get(), "lock").st_mtime));
  for (const auto& entry : result.lock.entries) {
    const auto id = fmt::format("{}.{}", entry.table, entry.name);
    if (std::find(result.kept.begin(), result.kept.end(), id) == result.kept.end()) continue;
    if (const auto* wanted = m_stack.find(entry.table, entry.name))
      compare_with_disk(entry, *wanted, m_stack.folder, locked_at, out);
  }
  warn_of(out);
  return out;
}

// Also with --quiet: what is packed is not what lies there.
void StackSession::warn_of(const std::vector<Locked::Drift>& drifts) {
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> groups;  // entry, change
  for (const auto& drift : drifts) groups[{drift.entry, drift.change}].push_back(drift.path);
  for (const auto& [of, paths] : groups) {
    const auto dot = of.first.find('.');
    const auto* entry = m_stack.find(of.first.substr(0, dot), of.first.substr(dot + 1));
    const bool is_gone = entry != nullptr && source_is_gone(*entry, m_stack.folder);
    for (const auto& line : drift_lines(of.first, of.second, paths, m_stack.folder, is_gone))
      m_invocation.reporter().warn(line);
  }
}

void StackSession::audited(std::string_view type, const std::function<Json()>& work) {
  record_config(m_invocation, m_site);
  AuditLog log(m_site.audit_folder(), "");
  AuditEvent event{.type = std::string(type),
                   .actor = m_invocation.actor(),
                   .outcome = Outcome::intent,
                   .subject = m_stack.name,
                   .detail = {}};
  log.append(event);
  try {
    const auto detail = work();
    // A list of many entries would not fit; how many there are always does.
    auto text = dump_json_line(detail);
    if (text.size() > 32'000) text = dump_json_line(Json{{"lock", detail.value("lock", "")}, {"shortened", true}});
    event.outcome = Outcome::success;
    event.detail = std::move(text);
  } catch (const std::exception& error) {
    const auto* known = dynamic_cast<const Error*>(&error);
    const bool unreachable = dynamic_cast<const fs::filesystem_error*>(&error) != nullptr;  // as run_program() says
    const auto code = known != nullptr ? known->code() : unreachable ? ErrorCode::io_error : ErrorCode::internal;
    event.outcome = Outcome::failure;
    event.detail = dump_json_line(
        Json{{"code", info(code).slug}, {"message", printable(std::string_view(error.what()).substr(0, 4000))}});
    log.append(event);
    throw;
  }
  log.append(event);
}

}  // namespace liftlock
