// The organisation's own signature over a model, beside the one over the bundle that brought it: kept in a folder of
// the installation, outside the models. Format: docs/formats/countersignatures.md.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/clock.hpp"
#include "os/file.hpp"
#include "trust/trust.hpp"

namespace liftlock::engine {

/// What is signed: id and files of the model, and nothing else that could differ between two bundles. Canonical JSON.
std::string model_statement(const Artifact& model);

/// The signatures over the statements of models: FOLDER/SHA-256 of the statement/ROLE.KEY.sigstore.json or .asc.
class CountersignatureStore {
 public:
  explicit CountersignatureStore(fs::path folder) : m_folder(std::move(folder)) {}

  std::vector<SignatureFile> signatures(const Artifact& model) const;
  /// Adds a signature, or replaces that of the same key.
  void add(const Artifact& model, const SignatureFile& signature);
  fs::path folder_of(const Artifact& model) const;

 private:
  fs::path m_folder;
};

/// Each of `roles` must have signed, by as many keys as the root's threshold of the role says, at least one.
/// @return what was judged good
/// @throws Error{unsigned_document} for what is missing, Error{signature_invalid, key_revoked, key_expired,
/// key_unknown,
///         key_role} for what is bad
std::vector<JudgedSignature> require_countersignatures(const Artifact& model,
                                                       const std::vector<SignatureFile>& signatures, TrustRoot root,
                                                       const std::set<Role>& roles, Timestamp when);

}  // namespace liftlock::engine
