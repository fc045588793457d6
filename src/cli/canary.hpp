// What a model must do before an alias leads to it: answer once, loaded through the load gate into an engine of its
// own.
#pragma once

#include <string>

#include "artifact/artifact.hpp"
#include "audit/audit_log.hpp"
#include "base/json.hpp"
#include "engine/model_task.hpp"
#include "site/site.hpp"

namespace liftlock {

struct CanaryQuestion {
  std::string prompt;  ///< also what is made a vector, or two answers are ranked by; a model of speech hears silence
  std::string expect;  ///< words that the answer must hold, in upper or lower case; for texts only
};

/// @return engine, load_ms (null for speech), answer_ms, answer_bytes
/// @throws Error{model_unfit} before the load for what has no room with the slots that `serve` gives it,
///         Error{engine_failed} for what is no answer of such a model, and what a load throws
Json ask_canary(const Site& site, AuditLog& log, const std::string& actor, const Artifact& model,
                engine::ModelTask task, const CanaryQuestion& question);

}  // namespace liftlock
