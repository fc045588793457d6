#include "cli/inspection.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "cli/commands.hpp"
#include "crypto/hash.hpp"
#include "os/cell.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

/// Its answer crosses back into a process that trusts it to be well-formed only: everything is checked again.
constexpr JsonLimits k_answer_limits{.max_bytes = 64u << 20, .max_depth = 64};

std::string encode(const Inspection& inspection) {
  auto findings = Json::array();
  for (const auto& finding : inspection.findings) {
    findings.push_back({{"code", info(finding.code).slug},
                        {"path", printable(finding.path)},
                        {"message", printable(finding.message)}});
  }
  return dump_json_line({{"findings", std::move(findings)}, {"facts", inspection.facts}});
}

Inspection decode(std::string_view text) {
  constexpr std::string_view where = "the answer of an inspector";
  const auto json = parse_json(text, k_answer_limits);
  Inspection inspection;
  inspection.facts = object_member(json, "facts", where);
  for (const auto& finding : array_member(json, "findings", where)) {
    const auto code = parse_error_code(string_member(finding, "code", where));
    inspection.findings.push_back({code.value_or(ErrorCode::inspection_failed),
                                   printable(string_member(finding, "path", where)),
                                   printable(string_member(finding, "message", where))});
  }
  return inspection;
}

std::string answer_in_cell(std::string_view request, std::span<const int> files) {
  const auto artifact = artifact_from_json(parse_json(request, {.max_bytes = 512u << 20, .max_depth = 64}));
  if (artifact.files.size() != files.size())
    fail(ErrorCode::internal, "{} descriptors for {} files", files.size(), artifact.files.size());
  return encode(inspect_here(artifact, files));
}

}  // namespace

Inspection inspect_here(const Artifact& artifact, std::span<const int> files) {
  const auto& first = artifact.files[0].path.text();
  for (const auto* inspector : inspectors()) {
    const auto kinds = inspector->kinds();
    if (std::find(kinds.begin(), kinds.end(), artifact.kind) == kinds.end()) continue;
    try {
      return inspector->inspect(artifact, files);
    } catch (const Error& error) {
      return {.findings = {{error.code(), first, printable(error.what())}}, .facts = Json::object()};
    }
  }
  return {.findings = {{ErrorCode::too_new, first,
                        fmt::format("nothing here can inspect the kind '{}'", printable(artifact.kind))}},
          .facts = Json::object()};
}

InspectArtifact make_inspect() {
  auto pool = std::make_shared<CellPool>(std::vector<std::string>{"/proc/self/exe", "cell"}, usable_cores());
  return [pool](const Artifact& artifact, const std::vector<UniqueFd>& files) -> Inspection {
    std::vector<int> fds;
    for (const auto& file : files) fds.push_back(file.get());
    try {
      return decode(pool->call(dump_json_line(to_json(artifact)), fds));
    } catch (const Error& error) {
      return {.findings = {{error.code(), artifact.files[0].path.text(), error.message()}}, .facts = Json::object()};
    }
  };
}

void add_cell(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("cell", "Serve inspections on descriptor 3, without network and files");
  command->group("");  // not for people
  command->callback([&invocation] {
    sha256("");  // OpenSSL reads its configuration on first use, which a cell could not
    invocation.set_status(serve_cell(answer_in_cell, {}));
  });
}

}  // namespace liftlock
