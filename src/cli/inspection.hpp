// Every artifact of a kind goes to the inspector of that kind.
#pragma once

#include <string_view>
#include <vector>

#include "advisory/match.hpp"
#include "bundle/inspect_all.hpp"
#include "ecosystem/inspector.hpp"
#include "guard/guard.hpp"
#include "intake/shape.hpp"
#include "site/site.hpp"

namespace liftlock {

/// One per ecosystem; adding an ecosystem is one line in ecosystems_both.cpp.
const std::vector<const Inspector*>& inspectors();

/// Every kind that an inspector answers for, in their order.
std::vector<std::string_view> inspected_kinds();
/// [policy] accept_kinds has no other. @throws Error{config_invalid} with the nearest that there is
void require_known_kinds(const SiteConfig& config);

/// Finds the inspector of the artifact's kind and runs it here, in this process. A kind without inspector is a finding.
Inspection inspect_here(const Artifact& artifact, std::span<const int> files, const FileInspections& inspected);

/// What fetch and ingest are given: inspection in a process without network and write access.
Inspect make_inspect();

/// Looks into archives for a guard profile, there too.
LookInside make_look_inside();

/// unpack_wheelhouse() there: facts hold "files" of "name", "offset" and "size", or there is a finding.
Inspection unpack_wheelhouse_in_cell(int archive, int out);

/// Searches databases of advisories there. @throws Error{inspection_failed, package_malformed, …}
advisory::Match match_advisories_in_cell(const std::vector<advisory::Subject>& subjects,
                                         std::span<const int> databases);

/// list_container() and describe_package() there.
/// @param scratch where compressed archives are unpacked to; nothing with a name is ever there
ImportCells make_import_cells(const fs::path& scratch, std::uint64_t reserve);

}  // namespace liftlock
