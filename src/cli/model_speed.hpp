// How fast models answered here, as the audit log's entries of prompts have it.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "audit/audit_log.hpp"

namespace liftlock {

struct ModelSpeed {
  double tokens_per_second = 0;  ///< of an answer, from the moment its engine had room; the median
  std::size_t answers = 0;       ///< that it is the median of, at most 100
};

/// By the digests of the models, as records have them: of the newest 20,000 entries of the log. Answers of less than 16
/// tokens say nothing of speed; models of pools have no digest. @throws Error{audit_broken, io_error}
std::map<std::string, ModelSpeed> measured_speeds(const AuditLog& log);

}  // namespace liftlock
