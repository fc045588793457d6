// The six steps of a model's custody, from the registry to the engine, each with its evidence.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/reporter.hpp"
#include "site/site.hpp"

namespace liftlock {

enum class StepStatus : std::uint8_t {
  good,      ///< the evidence is there, and what was checked of it holds
  unproven,  ///< a record is there, and says that nobody vouched: believed on first use
  absent,    ///< there is no such evidence (yet); see the step's words
  refuted,   ///< the evidence contradicts what is here
};
std::string_view name(StepStatus status);

struct ChainStep {
  std::string name;  ///< "registry", "bundle", "medium", "ingest", "node", "load"
  StepStatus status = StepStatus::good;
  std::vector<std::string> words;
  Json evidence;
};

struct ModelChain {
  std::string id;
  std::vector<ChainStep> steps;
  bool is_good() const;  ///< nothing is refuted, and nothing but the load is absent
};

enum class ChainDepth : std::uint8_t {
  show,    ///< what is recorded, judged as a load judges it: signatures and the lists that they bind
  replay,  ///< also every byte in the store and of the engine, and the whole audit log
};

/// Reads only, offline. @throws Error{not_found, ambiguous} for the name
ModelChain model_chain(const Site& site, const std::string& name, ChainDepth depth, Reporter& reporter);

}  // namespace liftlock
