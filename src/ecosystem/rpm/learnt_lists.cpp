#include "ecosystem/rpm/learnt_lists.hpp"

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock::rpm {
namespace {

constexpr std::uint64_t k_max_kept = 64u << 20;

std::optional<IndexedPackage> lists_in(const Json& facts) {
  const auto lists = facts.find(k_fact_lists);
  return lists == facts.end() ? std::nullopt : indexed_package_from_facts(*lists);
}

}  // namespace

LearntLists::LearntLists(const RouteEnvironment& environment) : m_environment(environment) {
  if (!environment.cache_folder.empty()) m_folder = environment.cache_folder / "rpm";
}

std::optional<IndexedPackage> LearntLists::of(const Artifact& artifact) {
  if (m_environment.inspection) {
    if (auto found = lists_in(m_environment.inspection(artifact))) return found;
  }
  try {
    return asked(artifact);
  } catch (const Error&) {
    return std::nullopt;  // what is wrong with it, ingest or scrub says
  }
}

std::optional<IndexedPackage> LearntLists::asked(const Artifact& artifact) {
  const auto name = sha256(dump_json_line(to_json(artifact))).hex() + ".json";
  m_names.insert(name);
  if (!m_folder.empty() && fs::exists(m_folder / name)) {
    try {
      const auto kept = parse_json(read_file(m_folder / name, k_max_kept), {.max_bytes = k_max_kept, .max_depth = 8});
      if (auto lists = indexed_package_from_facts(kept)) return lists;
    } catch (const Error&) {
      // Half of one, or no file: as one that is no longer valid, it is made again.
    }
  }
  if (!m_environment.inspect) return std::nullopt;
  const auto facts = m_environment.inspect(artifact);
  auto found = lists_in(facts);
  if (!found || m_folder.empty()) return found;
  try {
    make_folders(m_folder);
    write_file_atomically(m_folder / name, dump_json_line(facts.at(k_fact_lists)));
  } catch (const Error&) {
    // Then the next view asks again.
  }
  return found;
}

void LearntLists::tidy() const noexcept {
  if (m_folder.empty()) return;
  std::error_code error;
  for (fs::directory_iterator at(m_folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (!m_names.contains(at->path().filename().string())) fs::remove(at->path(), ignored);
  }
}

}  // namespace liftlock::rpm
