#include "cli/inspection.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "artifact/artifact_lines.hpp"
#include "artifact/artifact_text.hpp"
#include "base/encoding.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/pypi/wheelhouse.hpp"
#include "engine/elf.hpp"
#include "intake/describe.hpp"
#include "os/build_id.hpp"
#include "os/cell.hpp"
#include "os/file.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

/// Its answer crosses back into a process that trusts it to be well-formed only: everything is checked again.
constexpr JsonLimits k_answer_limits{.max_bytes = 64u << 20, .max_depth = 64};

/// Descriptors are scarce (RLIMIT_NOFILE), and several artifacts are inspected at a time.
constexpr std::size_t k_most_files = 4000;

std::vector<std::string> cell_command() {
  return {"/proc/self/exe", "cell"};
}

const Inspector* inspector_of(std::string_view kind) {
  for (const auto* inspector : inspectors()) {
    const auto kinds = inspector->kinds();
    if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return inspector;
  }
  return nullptr;
}

/// The same on both sides of the cell's socket.
std::vector<std::size_t> indices_read(const Artifact& artifact) {
  const auto* inspector = inspector_of(artifact.kind);
  std::vector<std::size_t> read;
  for (std::size_t i = 0; i < artifact.files.size(); ++i) {
    if (inspector != nullptr && inspector->reads(artifact, i)) read.push_back(i);
  }
  return read;
}

Inspection refusal(const Artifact& artifact, ErrorCode code, std::string message) {
  return {.findings = {{code, artifact.files[0].path.text(), std::move(message)}}, .facts = Json::object()};
}

Json to_json(const Inspection& inspection) {
  auto findings = Json::array();
  for (const auto& finding : inspection.findings) {
    findings.push_back({{"code", info(finding.code).slug},
                        {"path", printable(finding.path)},
                        {"message", printable(finding.message)}});
  }
  return {{"findings", std::move(findings)}, {"facts", inspection.facts}};
}
std::string encode(const Inspection& inspection) {
  return dump_json_line(to_json(inspection));
}

Inspection inspection_from_json(const Json& json) {
  constexpr std::string_view where = "the answer of an inspector";
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
Inspection decode(std::string_view text) {
  return inspection_from_json(parse_json(text, k_answer_limits));
}

/// Instead of an artifact: unpack the wheelhouse of the first descriptor into the second.
constexpr std::string_view k_unpack_wheelhouse = "unpack wheelhouse";

std::string unpack_in_cell(std::span<const int> files) {
  Inspection out;
  if (files.size() != 2) fail(ErrorCode::internal, "{} descriptors instead of 2", files.size());
  try {
    auto& list = out.facts["files"] = Json::array();
    for (const auto& file : unpack_wheelhouse(files[0], files[1])) {
      list.push_back({{"name", printable(file.name)}, {"offset", file.offset}, {"size", file.size}});
    }
  } catch (const Error& error) {
    out.findings.push_back({error.code(), "", error.message()});
  }
  return encode(out);
}

/// Instead of an artifact, with a number behind it: what lies in the container of the first descriptor; a compressed
/// one is unpacked to the second, at most that many bytes of it.
constexpr std::string_view k_list_container = "list container ";

std::string list_in_cell(std::string_view most, std::span<const int> files) {
  Inspection out;
  ContainerLimits limits;
  limits.unpacked = parse_uint(most).value_or(0);
  if (files.size() != 2) fail(ErrorCode::internal, "{} descriptors instead of 2", files.size());
  try {
    out.facts = to_json(list_container(files[0], files[1], limits));
  } catch (const Error& error) {
    out.findings.push_back({error.code(), "", error.message()});
  }
  return encode(out);
}

/// Instead of an artifact, with a kind and a file name behind it: what the package says of itself.
constexpr std::string_view k_describe = "describe package ";

std::string describe_in_cell(std::string_view what, std::span<const int> files) {
  if (files.size() != 1) fail(ErrorCode::internal, "{} descriptors instead of 1", files.size());
  const auto blank = what.find(' ');
  Inspection out;
  try {
    out.facts = describe_package(what.substr(0, blank), files[0], what.substr(blank + 1));
  } catch (const Error& error) {
    out.findings.push_back({error.code(), "", error.message()});
  }
  return encode(out);
}

/// Instead of an artifact, with an offset and a size behind it: what a loader would read of that ELF file.
constexpr std::string_view k_read_elf = "read elf ";

std::string read_elf_in_cell(std::string_view where, std::span<const int> files) {
  if (files.size() != 1) fail(ErrorCode::internal, "{} descriptors instead of 1", files.size());
  const auto blank = where.find(' ');
  const auto offset = parse_uint(where.substr(0, blank)), size = parse_uint(where.substr(blank + 1));
  if (blank == std::string_view::npos || !offset || !size) fail(ErrorCode::internal, "no range of a file");
  Inspection out;
  try {
    out.facts = engine::to_json(engine::read_elf(files[0], *offset, *size));
  } catch (const Error& error) {
    out.findings.push_back({error.code(), "", error.message()});
  }
  return encode(out);
}

/// @throws Error of what was found there
Json ask_cell(CellPool& pool, std::string_view request, std::span<const int> files) {
  const auto answer = decode(pool.call(request, files));
  if (!answer.findings.empty()) throw Error(answer.findings[0].code, answer.findings[0].message);
  return answer.facts;
}

/// Instead of an artifact, with a kind behind it: inspect the one file by its bytes alone.
constexpr std::string_view k_inspect_file = "inspect file ";

std::string inspect_file_in_cell(std::string_view kind, std::span<const int> files) {
  const auto* inspector = inspector_of(kind);
  if (files.size() != 1 || inspector == nullptr) {
    fail(ErrorCode::internal, "{} files of kind '{}' to be inspected alone", files.size(), printable(kind));
  }
  try {
    return encode(inspector->inspect_file(files[0]));
  } catch (const Error& error) {
    return encode({.findings = {{error.code(), "", error.message()}}});
  }
}

/// Begins a request to look into the archive that the one descriptor is.
constexpr std::string_view k_look_inside = "look inside ";

/// Begins a request to search the databases of advisories that the descriptors are.
constexpr std::string_view k_match_advisories = "match advisories ";

std::string answer_in_cell(std::string_view request, std::span<const int> files) {
  if (request == k_unpack_wheelhouse) return unpack_in_cell(files);
  if (request.starts_with(k_list_container)) return list_in_cell(request.substr(k_list_container.size()), files);
  if (request.starts_with(k_describe)) return describe_in_cell(request.substr(k_describe.size()), files);
  if (request.starts_with(k_read_elf)) return read_elf_in_cell(request.substr(k_read_elf.size()), files);
  if (request.starts_with(k_inspect_file)) return inspect_file_in_cell(request.substr(k_inspect_file.size()), files);
  if (request.starts_with(k_look_inside)) {
    if (files.size() != 1) fail(ErrorCode::internal, "{} descriptors instead of 1", files.size());
    return answer_inside_request(request.substr(k_look_inside.size()), files[0]);
  }
  if (request.starts_with(k_match_advisories)) {
    return advisory::answer_match_request(request.substr(k_match_advisories.size()), files);
  }
  // An artifact on a line, and what is known of its files on the next.
  constexpr JsonLimits limits{.max_bytes = 512u << 20, .max_depth = 64};
  const auto end = request.find('\n');
  if (end == std::string_view::npos) fail(ErrorCode::internal, "a request of one line");
  const auto artifact = parse_artifact(request.substr(0, end), limits);
  FileInspections inspected;
  const auto known = parse_json(request.substr(end + 1), limits);
  for (const auto& [digest, inspection] : known.items())
    inspected.emplace(Digest::parse(digest), inspection_from_json(inspection));
  const auto read = indices_read(artifact);
  if (read.size() != files.size()) {
    fail(ErrorCode::internal, "{} descriptors where {} files are read", files.size(), read.size());
  }
  std::vector<int> by_index(artifact.files.size(), -1);
  for (std::size_t i = 0; i < read.size(); ++i) by_index[read[i]] = files[i];
  return encode(inspect_here(artifact, by_index, inspected));
}

}  // namespace

std::vector<std::string_view> inspected_kinds() {
  std::vector<std::string_view> all;
  for (const auto* inspector : inspectors()) {
    const auto kinds = inspector->kinds();
    all.insert(all.end(), kinds.begin(), kinds.end());
  }
  return all;
}

void require_known_kinds(const SiteConfig& config) {
  const auto known = inspected_kinds();
  for (const auto& kind : config.accept_kinds) {
    if (std::find(known.begin(), known.end(), kind) != known.end()) continue;
    const auto near = nearest(kind, known);
    throw Error(ErrorCode::config_invalid,
                fmt::format("accept_kinds of [policy] has '{}', which is no kind of artifact{}", printable(kind),
                            near ? fmt::format("; did you mean '{}'?", *near) : ""),
                fmt::format("the kinds are {}", fmt::join(known, ", ")));
  }
}

Inspection inspect_here(const Artifact& artifact, std::span<const int> files, const FileInspections& inspected) {
  const auto* inspector = inspector_of(artifact.kind);
  if (inspector == nullptr) {
    return refusal(artifact, ErrorCode::too_new,
                   fmt::format("nothing here can inspect the kind '{}'", printable(artifact.kind)));
  }
  try {
    return inspector->inspect_rest(artifact, files, inspected);
  } catch (const Error& error) {
    return refusal(artifact, error.code(), printable(error.what()));
  }
}

Inspection unpack_wheelhouse_in_cell(int archive, int out) {
  try {
    return decode(CellPool(cell_command(), 1).call(k_unpack_wheelhouse, std::array{archive, out}));
  } catch (const Error& error) {
    return {.findings = {{error.code(), "", error.message()}}, .facts = Json::object()};
  }
}

advisory::Match match_advisories_in_cell(const std::vector<advisory::Subject>& subjects,
                                         std::span<const int> databases) {
  const auto request = fmt::format("{}{}", k_match_advisories, advisory::match_request(subjects));
  return advisory::parse_match_answer(CellPool(cell_command(), 1).call(request, databases));
}

ImportCells make_import_cells(const fs::path& scratch, std::uint64_t reserve) {
  auto pool = std::make_shared<CellPool>(cell_command(), 1);
  ImportCells out{.scratch = scratch, .reserve = reserve, .list = {}, .describe = {}, .elf = {}};
  out.list = [pool](int file, int unpacked, std::uint64_t most) {
    const auto size = regular_size(file, "an archive");
    const auto json = ask_cell(*pool, fmt::format("{}{}", k_list_container, most), std::array{file, unpacked});
    return container_from_json(json, size, regular_size(unpacked, "the unpacked archive"));
  };
  out.describe = [pool](std::string_view kind, int file, std::string_view filename) {
    return ask_cell(*pool, fmt::format("{}{} {}", k_describe, kind, filename), std::array{file});
  };
  out.elf = [pool](int file, std::uint64_t offset, std::uint64_t size) {
    return engine::elf_from_json(ask_cell(*pool, fmt::format("{}{} {}", k_read_elf, offset, size), std::array{file}));
  };
  return out;
}

Inspect make_inspect() {
  auto pool = std::make_shared<CellPool>(cell_command(), usable_cores());
  Inspect out{.artifact = {}, .version = build_id()};
  out.artifact = [pool](const Artifact& artifact, const OpenChecked& open, const FileInspections& inspected) {
    const auto read = indices_read(artifact);
    if (read.size() > k_most_files) {
      return refusal(artifact, ErrorCode::limit_exceeded,
                     fmt::format("{} files are to be inspected, more than {}", read.size(), k_most_files));
    }
    std::vector<UniqueFd> files;
    std::vector<int> fds;
    for (const auto index : read) fds.push_back(files.emplace_back(open(artifact.files[index].digest)).get());
    auto known = Json::object();
    for (const auto& [digest, inspection] : inspected) known[digest.text()] = to_json(inspection);
    try {
      return decode(pool->call(artifact_line(artifact) + "\n" + dump_json_line(known), fds));
    } catch (const Error& error) {
      return refusal(artifact, error.code(), error.message());
    }
  };
  out.alone = [](const Artifact& artifact) {
    auto indices = indices_read(artifact);
    const auto* inspector = inspector_of(artifact.kind);
    std::erase_if(indices, [&](std::size_t index) { return !inspector->stands_alone(artifact, index); });
    return indices;
  };
  out.file = [pool](std::string_view kind, int file) -> Inspection {
    try {
      return decode(pool->call(fmt::format("{}{}", k_inspect_file, kind), std::array{file}));
    } catch (const Error& error) {
      return {.findings = {{error.code(), "", error.message()}}, .facts = Json::object()};
    }
  };
  return out;
}

LookInside make_look_inside() {
  auto pool = std::make_shared<CellPool>(cell_command(), usable_cores());
  return [pool](const std::string& request, int fd) {
    return pool->call(std::string(k_look_inside) + request, std::array{fd});
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
