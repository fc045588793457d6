// A change of config.toml is in the audit log before anything is done under it.
#pragma once

#include <string_view>

#include "cli/command.hpp"

namespace liftlock {

/// The type of the entry; its detail has `changed` (key → [old, new]) where it is not the first.
inline constexpr std::string_view k_config_event = "site.config";

/// Called by each command that has effects, before the first: appends `site.config` when config.toml is not the one
/// that the log knows. The entry's actor is who ran the command that noticed. Nothing without an installation.
/// @throws Error{wrong_user, audit_unwritable, audit_broken}, the last also where the log is lost: nothing makes
/// another. Warns of files of the log that were damaged and made again
void record_config(const Invocation& invocation, const Site& site);

/// Can the audit log be read and never be written again, because its private key is gone?
bool audit_key_is_lost(const Site& site);
/// For people who then ask what to do.
inline constexpr std::string_view k_way_out_of_lost_key =
    "restore audit/key from a backup; where there is none, `liftlock init --zone ZONE --new-audit-log --reason TEXT` "
    "puts this log aside, and begins another";
/// Is there no audit log that can be written, although there was one: its key is gone, or the rest of it is there, or
/// something was done here that a log held, a publication, a set, a user's key, a server?
bool audit_log_is_lost(const Site& site);
/// For what appends without record_config(). @throws Error{audit_broken} where it is lost
void require_audit_log(const Site& site);

}  // namespace liftlock
