#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "cli/commands.hpp"
#include "cli/doctor_view.hpp"

namespace liftlock {
namespace {

std::string_view remedy_of(const Diagnosis& diagnosis) {
  return diagnosis.remedy.empty() ? info(diagnosis.code).remedy : std::string_view(diagnosis.remedy);
}

}  // namespace

Diagnosis diagnosis_of(const Finding& finding) {
  return {.code = finding.code, .subject = finding.path, .message = finding.message};
}

Json to_json(const std::vector<Diagnosis>& diagnoses) {
  auto out = Json::array();
  for (const auto& one : diagnoses) {
    out.push_back({{"code", info(one.code).slug},
                   {"subject", printable(one.subject)},
                   {"message", printable(one.message)},
                   {"remedy", printable(remedy_of(one))}});
  }
  return out;
}

std::string diagnoses_text(const std::vector<Diagnosis>& diagnoses) {
  std::string out;
  for (std::size_t i = 0; i < diagnoses.size(); ++i) {
    const auto& one = diagnoses[i];
    out += fmt::format("PROBLEM [{}] {}: {}\n", info(one.code).slug, printable(one.subject), printable(one.message));
    const bool repeated = i + 1 < diagnoses.size() && remedy_of(diagnoses[i + 1]) == remedy_of(one);
    if (!repeated) out += fmt::format("  remedy: {}\n", printable(remedy_of(one)));
  }
  return out;
}

int status_of(const std::vector<Diagnosis>& diagnoses) {
  constexpr ErrorClass k_gravest_first[] = {ErrorClass::integrity, ErrorClass::policy, ErrorClass::absent};
  for (const auto wanted : k_gravest_first) {
    const bool there = std::any_of(diagnoses.begin(), diagnoses.end(),
                                   [&](const auto& one) { return info(one.code).error_class == wanted; });
    if (there) return static_cast<int>(wanted);
  }
  return diagnoses.empty() ? 0 : static_cast<int>(info(diagnoses.front().code).error_class);
}

void add_doctor(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("doctor", "Find out why something does not work, and what to do about it");
  group->require_subcommand(1);
  add_doctor_wheelhouse(*group, invocation);
  add_doctor_model(*group, invocation);
  add_doctor_cache(*group, invocation);
  group->footer("Nothing is changed. The exit status is that of the gravest problem; 0: none was found.");
}

}  // namespace liftlock
