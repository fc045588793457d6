#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "access/failure_table.hpp"
#include "access/sshd_logins.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/config_record.hpp"
#include "os/program_pipe.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_login = "sshd.login", k_import = "sshd.import", k_subject = "sshd", k_journal = "journal";
/// Entries of one commit.
constexpr std::size_t k_batch = 4096;

struct Options {
  std::string from;
};

/// How far the log has the journal, and what came in files.
struct Position {
  std::string cursor;              ///< of the journal itself; empty: nothing was imported from it yet
  std::uint64_t journal = 0;       ///< microseconds of the journal's own newest line; none is ahead of the clock
  std::uint64_t microseconds = 0;  ///< the same of the newest line from wherever
};

/// It stands in the log with the entries up to it, in one commit: no crash parts them.
Position position_of(const AuditLog& log) {
  Position out;
  if (const auto newest = log.find_last(k_import, k_subject))
    out.microseconds = uint_member(parse_json(newest->event.detail), "microseconds", k_import);
  // A file may be of another journal: its cursors say nothing of this one.
  const auto own = log.find_last(k_import, k_subject, [](const AuditEntry& entry) {
    return parse_json(entry.event.detail).value("source", "") == k_journal;
  });
  if (!own) return out;
  const auto detail = parse_json(own->event.detail);
  out.cursor = string_member(detail, "cursor", k_import);
  out.journal = uint_member(detail, "journal", k_import);
  return out;
}

struct Counts {
  std::uint64_t accepted = 0, failed = 0;
  std::uint64_t slowed = 0;      ///< failed, and in the log by their count only
  std::uint64_t skipped = 0;     ///< not newer than what was imported
  std::uint64_t ahead = 0;       ///< of a file: dated ahead of the clock
  std::uint64_t cut = 0;         ///< of sshd, without what it said
  std::uint64_t unreadable = 0;  ///< lines
};

Json to_json(const Counts& counts) {
  return {{"accepted", counts.accepted},    {"failed", counts.failed}, {"slowed", counts.slowed},
          {"skipped", counts.skipped},      {"ahead", counts.ahead},   {"cut", counts.cut},
          {"unreadable", counts.unreadable}};
}

std::uint64_t microseconds_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

class LoginImport {
 public:
  /// @param file empty: the journal itself, which says what is new
  LoginImport(AuditLog& log, std::string actor, std::string file, Position position)
      : m_log(log), m_actor(std::move(actor)), m_file(std::move(file)), m_position(std::move(position)) {
    // Versions before 2026-12 took the time of a line of any day to come as the mark. One that is ahead by less may be
    // of a clock that was set back since: what came before it was taken.
    const auto now = microseconds_now();
    constexpr std::uint64_t k_day = 86'400'000'000;
    for (auto* mark : {&m_position.microseconds, &m_position.journal}) {
      if (*mark > now + k_day) *mark = now;
    }
    if (!m_file.empty()) m_begin = m_position.microseconds;
  }

  void add(std::string_view text) {
    if (text.starts_with("-- ")) return;  // what journalctl says to people
    const auto line = parse_journal_line(text);
    if (!line) {
      ++m_counts.unreadable;
      return;
    }
    m_any_read = true;
    if (line->microseconds <= m_begin) {
      ++m_counts.skipped;
      return;
    }
    const bool is_ahead = line->microseconds > microseconds_now();
    // Of a file the mark is the place to go on, and one ahead of the clock would end imports until the clock is there:
    // such a line waits for that time, when it is taken as any other.
    if (is_ahead && !m_file.empty()) {
      ++m_counts.ahead;
      return;
    }
    m_position.cursor = line->cursor;
    if (!is_ahead) {
      m_position.microseconds = std::max(m_position.microseconds, line->microseconds);
      if (m_file.empty()) m_position.journal = std::max(m_position.journal, line->microseconds);
    }
    if (line->lacks_message) ++m_counts.cut;
    if (line->login) add_login(*line->login, std::chrono::microseconds(line->microseconds));
    if (m_events.size() >= k_batch) commit();
  }

  /// Where the journal does not know the cursor: what is not newer than its own last line is passed over.
  void go_on_by_time() { m_begin = m_position.journal; }

  /// What was added so far is in the log when it returns.
  void commit() {
    // As if their minutes were over.
    m_failures.end_minutes(FailureTable::Clock::time_point::max());
    while (const auto slowed = m_failures.next_slowed()) {
      add_event(Outcome::failure, slowed->peer.empty() ? "other addresses" : slowed->peer, "anonymous",
                {{"why", "slowed"}, {"count", slowed->failures}});
    }
    m_failures = FailureTable();
    if (m_events.empty()) return;
    auto detail = to_json(m_counts);
    detail.update({{"source", m_file.empty() ? std::string(k_journal) : "file " + printable(m_file)},
                   {"cursor", m_position.cursor},
                   {"journal", m_position.journal},
                   {"microseconds", m_position.microseconds}});
    m_events.push_back({.type = std::string(k_import),
                        .actor = m_actor,
                        .outcome = Outcome::success,
                        .subject = std::string(k_subject),
                        .detail = dump_json_line(detail)});
    m_log.append(std::exchange(m_events, {}));
  }

  const Counts& counts() const { return m_counts; }
  /// Was at least one line an entry of a journal?
  bool any_read() const { return m_any_read; }

 private:
  void add_login(const SshdLogin& login, std::chrono::microseconds time) {
    const std::string peer = login.peer.empty() ? "unclear address" : login.peer;
    if (!login.accepted && m_failures.count(peer, FailureTable::Clock::time_point(time)).slowed) {
      ++m_counts.slowed;
      return;
    }
    ++(login.accepted ? m_counts.accepted : m_counts.failed);
    Json detail = {{"time", format_time(Timestamp(std::chrono::floor<std::chrono::seconds>(time)))}};
    if (login.unclear.empty()) {
      detail.update({{"user", login.user}, {"method", login.method}});
      if (!login.is_known_user) detail["invalid_user"] = true;
    } else {
      detail["said"] = login.unclear;
    }
    const bool is_named = login.accepted && !login.user.empty();
    add_event(login.accepted ? Outcome::success : Outcome::failure, peer, is_named ? login.user : "anonymous", detail);
  }

  void add_event(Outcome outcome, const std::string& subject, const std::string& actor, const Json& detail) {
    m_events.push_back({.type = std::string(k_login),
                        .actor = actor,
                        .outcome = outcome,
                        .subject = subject,
                        .detail = dump_json_line(detail)});
  }

  AuditLog& m_log;
  const std::string m_actor, m_file;
  Position m_position;
  std::uint64_t m_begin = 0;  ///< what is not newer is passed over
  bool m_any_read = false;
  Counts m_counts;  ///< since the run began
  FailureTable m_failures;
  std::vector<AuditEvent> m_events;
};

/// Of a line that is longer than any entry only as much as shows that.
void for_each_line(int fd, const std::function<void(std::string_view)>& visit) {
  std::string line;
  std::vector<char> buffer(k_max_journal_line);
  while (true) {
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno("read");
    if (got == 0) break;
    for (std::string_view rest(buffer.data(), static_cast<std::size_t>(got)); !rest.empty();) {
      const auto end = rest.find('\n');
      line += rest.substr(0, end);
      if (line.size() > k_max_journal_line) line.resize(k_max_journal_line + 1);
      if (end == std::string_view::npos) break;
      visit(line);
      line.clear();
      rest.remove_prefix(end + 1);
    }
  }
  if (!line.empty()) visit(line);
}

struct JournalEnd {
  int status = 0;
  bool said = false;  ///< a line at least
};

/// @param from an option that says where to begin; empty: at the beginning
JournalEnd read_journal_from(LoginImport& import, const std::string& from) {
  std::vector<std::string> argv = {"journalctl", "--output=json",     "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_UID",
                                   "--no-pager", "--identifier=sshd", "--identifier=sshd-session",
                                   "_UID=0"};
  if (!from.empty()) argv.push_back(from);
  ProgramPipe journal(argv);
  JournalEnd end;
  for_each_line(journal.output(), [&](std::string_view line) {
    end.said = true;
    import.add(line);
  });
  import.commit();
  end.status = journal.wait();
  return end;
}

void read_journal(LoginImport& import, const Position& position) {
  auto end = read_journal_from(import, position.cursor.empty() ? "" : "--after-cursor=" + position.cursor);
  // "Failed to seek to cursor": it was begun anew.
  if (end.status != 0 && !end.said && !position.cursor.empty()) {
    import.go_on_by_time();
    end = read_journal_from(import, fmt::format("--since=@{}", position.journal / 1'000'000));
  }
  if (end.status != 0) {
    throw Error(ErrorCode::tool_failed, fmt::format("journalctl ended with status {}", end.status),
                "who may read the journal (root, the group systemd-journal) can hand it over: journalctl --output=json "
                "| liftlock audit import-logins --from -");
  }
}

/// @throws Error{schema_violation} where all that was read is something else than a journal
void warn_of(const LoginImport& import, const Options& options, Reporter& reporter) {
  const auto& counts = import.counts();
  if (counts.unreadable > 0 && !import.any_read()) {
    throw Error(
        ErrorCode::schema_violation,
        fmt::format("{}: none of its lines ({}) is an entry of a journal",
                    options.from.empty() ? std::string("journalctl") : printable(options.from), counts.unreadable),
        "what is read is what `journalctl --output=json` writes, as docs/formats/access.md says; no login of it "
        "is in the audit log");
  }
  if (counts.unreadable > 0)
    reporter.warn(fmt::format("{} no entries of a journal", counted(counts.unreadable, "line is", "lines are")));
  if (counts.cut > 0) {
    reporter.warn(
        fmt::format("{} of sshd without what it said: journalctl leaves out what is long, unless it is given "
                    "--all",
                    counted(counts.cut, "line is", "lines are")));
  }
  if (counts.ahead > 0) {
    reporter.warn(fmt::format("{} dated ahead of this machine's clock, and left for an import after that time",
                              counted(counts.ahead, "line is", "lines are")));
  }
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("audit import-logins", {Zone::transfer, Zone::ingest, Zone::production});
  record_config(invocation, site);
  const FileLock lock(site.folder() / "sshd-import.lock", "an import of logins", FileLock::Wait::no);
  AuditLog log(site.audit_folder(), "");
  const auto position = position_of(log);
  LoginImport import(log, invocation.actor(), options.from, position);
  if (options.from.empty()) {
    read_journal(import, position);
  } else {
    const auto file = options.from == "-" ? UniqueFd(::dup(STDIN_FILENO)) : open_file(options.from, O_RDONLY);
    for_each_line(file.get(), [&](std::string_view line) { import.add(line); });
    import.commit();
  }
  warn_of(import, options, invocation.reporter());
  const auto& counts = import.counts();
  invocation.print(to_json(counts), [&] {
    return fmt::format("{} and {} of sshd are in the audit log now, {} more by their count\n{}",
                       counted(counts.accepted, "login"), counted(counts.failed, "failed one"), counts.slowed,
                       counts.skipped == 0 ? ""
                                           : fmt::format("{} not newer than the last import\n",
                                                         counted(counts.skipped, "line is", "lines are")));
  });
}

}  // namespace

void add_audit_import_logins(CLI::App& group, Invocation& invocation) {
  auto* command =
      group.add_subcommand("import-logins", "Take logins of this node's sshd, failed ones too, from its journal");
  auto options = std::make_shared<Options>();
  command
      ->add_option("--from", options->from,
                   "What `journalctl --output=json` wrote, in place of the journal; - for standard input")
      ->type_name("FILE");
  command->footer(
      "What is new since the last import: of the journal what lies behind the last entry, of a file what is newer. "
      "Each\n"
      "is an entry sshd.login of the audit log with user, method, address and time; of failed ones five a minute from\n"
      "an address, the others by their count. Only what sshd said as root is believed. Run it from a timer.\n"
      "Example: liftlock audit import-logins");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
