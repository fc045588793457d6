// A change of config.toml is in the audit log before anything is done under it.
#pragma once

#include "cli/command.hpp"

namespace liftlock {

/// Called by each command that has effects, before the first: appends `site.config` when config.toml is not the one
/// that the log knows. The entry's actor is who ran the command that noticed. Nothing without an installation.
/// @throws Error{wrong_user, audit_unwritable, audit_broken}, the last also where the log is lost: nothing makes
/// another. Warns of files of the log that were damaged and made again
void record_config(const Invocation& invocation, const Site& site);

/// Is there no audit log although something was done here that a log held: a publication, a set, a user's key, a
/// server?
bool audit_log_is_lost(const Site& site);
/// For what appends without record_config(). @throws Error{audit_broken} where it is lost
void require_audit_log(const Site& site);

}  // namespace liftlock
