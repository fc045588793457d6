// What the doctors find, and how it looks to people and in --json.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "ecosystem/inspector.hpp"

namespace liftlock {

/// One thing that is wrong.
struct Diagnosis {
  ErrorCode code;
  std::string subject;  ///< the file or project
  std::string message;
  std::string remedy = {};  ///< empty: the general one of the code
};

Diagnosis diagnosis_of(const Finding& finding);
Json to_json(const std::vector<Diagnosis>& diagnoses);
/// Each with its remedy; one remedy for neighbours that share it.
std::string diagnoses_text(const std::vector<Diagnosis>& diagnoses);
/// The exit status: 0 without a diagnosis, else the class of the gravest, integrity before policy before the rest.
int status_of(const std::vector<Diagnosis>& diagnoses);

}  // namespace liftlock
