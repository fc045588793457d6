// What runs and what was answered, as one document: docs/formats/local-door.md.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "engine/model_host.hpp"
#include "gateway/gateway_metrics.hpp"

namespace liftlock {

/// The members "models" and "counts" of the document.
Json status_document(const std::vector<engine::Running>& running, const std::vector<engine::LoadCounts>& loads,
                     const std::map<std::string, ModelCounts>& counts);

}  // namespace liftlock
