#include "engine/countersignature.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"

namespace liftlock::engine {
namespace {

constexpr std::string_view k_statement = "statement.json";
constexpr std::uint64_t k_max_signature = 1u << 20;
constexpr std::size_t k_max_signatures = 64;

}  // namespace

std::string model_statement(const Artifact& model) {
  auto files = Json::array();
  for (const auto& file : model.files)
    files.push_back({{"path", file.path.text()}, {"size", file.size}, {"sha256", file.digest.hex()}});
  return dump_json({{"format", "liftlock.model-statement/1"}, {"model", model.id()}, {"files", std::move(files)}});
}

fs::path CountersignatureStore::folder_of(const Artifact& model) const {
  return m_folder / sha256(model_statement(model)).hex();
}

std::vector<SignatureFile> CountersignatureStore::signatures(const Artifact& model) const {
  std::vector<SignatureFile> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_of(model), ignored)) {
    const auto name = entry.path().filename().string();
    if (name == k_statement || name.starts_with('.')) continue;
    if (out.size() == k_max_signatures)
      fail(ErrorCode::limit_exceeded, "more than {} signatures over '{}'", k_max_signatures, printable(model.id()));
    out.push_back({name, read_file(entry.path(), k_max_signature)});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

void CountersignatureStore::add(const Artifact& model, const SignatureFile& signature) {
  const auto folder = folder_of(model);
  make_folders(folder);
  write_file_atomically(folder / k_statement, model_statement(model));
  write_file_atomically(folder / signature.name, signature.bytes);
}

std::vector<JudgedSignature> require_countersignatures(const Artifact& model,
                                                       const std::vector<SignatureFile>& signatures, TrustRoot root,
                                                       const std::set<Role>& roles, Timestamp when) {
  // A role that bundles need not have may be needed here.
  for (const auto role : roles) root.thresholds.try_emplace(role, 1u);
  auto judged = judge(model_statement(model), signatures, root, when, roles);
  try {
    require_thresholds(judged, root, roles);
  } catch (const Error& error) {
    throw Error(
        error.code(), fmt::format("'{}' is not countersigned: {}", printable(model.id()), error.message()),
        fmt::format("have it signed: liftlock model countersign {} --role ROLE --key KEY", printable(model.id())));
  }
  std::erase_if(judged, [](const auto& one) { return one.status != SignatureStatus::valid; });
  return judged;
}

}  // namespace liftlock::engine
