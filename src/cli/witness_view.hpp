// What witnesses of the audit log say, for people and in --json.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "witness/meetings.hpp"

namespace liftlock {

Json witnesses_json(const std::vector<WitnessStanding>& standings);
/// A table, and a sentence for each state that needs one; empty without witnesses.
std::string witnesses_text(const std::vector<WitnessStanding>& standings, Timestamp when);
/// The exit status: 0 when all is well, that of the class integrity when the log is not what one saw, else policy.
int status_of(const std::vector<WitnessStanding>& standings);
/// @throws Error{log_rolled_back, log_forked, audit_broken} for the first whose statement does not fit the log
void require_unbroken(const std::vector<WitnessStanding>& standings);
/// At most 80 KiB of a file, or of standard input for "-". @throws Error{not_found, limit_exceeded}
std::string get_carried(const std::string& path);

}  // namespace liftlock
