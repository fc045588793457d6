// What the commands of `liftlock record` share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_log.hpp"
#include "cli/command.hpp"
#include "record/record_reader.hpp"

namespace liftlock {

/// The site, with its config.toml in the log: reading records, like changing them, writes to the audit log.
/// @throws Error{state_missing, wrong_zone, wrong_user}
Site record_site(const Invocation& invocation, std::string_view command);
RecordReader open_record_reader(const Site& site);

/// Which records, as `find` and what is done to many of them are told.
struct WantedRecords {
  RecordReader::Filter filter;
  std::string from, to;  ///< as they were typed
  bool any() const;      ///< any of it was given
};
void add_wanted_records(CLI::App& command, WantedRecords& wanted);
/// With its times, and a text from standard input where it is "-".
/// @param log outlives the filter. @throws Error{usage}
RecordReader::Filter filter_of(const WantedRecords& wanted, const AuditLog& log);
/// For the audit log. The text that is looked for is content itself, and so is a tag: it holds only that there was one.
Json wanted_entry(const RecordReader::Filter& filter);

/// "-" reads it from standard input, without its last newline: what leaked should not stand in a command line.
std::string text_or_stdin(const std::string& text);

/// Puts counts of a search into json, and a warning and exit status 4 where records were damaged.
void report_findings(Invocation& invocation, const RecordReader::Findings& findings, Json& json);

void add_record_find(CLI::App& group, Invocation& invocation);
void add_record_show(CLI::App& group, Invocation& invocation);
void add_record_verify(CLI::App& group, Invocation& invocation);
/// erase, hold, release
void add_record_keep(CLI::App& group, Invocation& invocation);
void add_record_expire(CLI::App& group, Invocation& invocation);

}  // namespace liftlock
