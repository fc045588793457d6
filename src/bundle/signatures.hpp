// The folder signatures/ beside a signed document: of a bundle, a receipt, a statement of what is withheld.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/rel_path.hpp"
#include "os/file.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// Directly in signatures/, with the ending of a signature file.
bool is_signature_path(const RelPath& path);

/// The files of FOLDER/signatures/, sorted by name; none without that folder. Never follows links; other names are left
/// out. @throws Error{limit_exceeded, not_regular}
std::vector<SignatureFile> read_signatures(const fs::path& folder);

/// Distinct people whose signatures count as an approver's, by what the trust root calls the owner of their key; a key
/// without one stands for itself.
std::set<std::string> approvers_of(const std::vector<JudgedSignature>& judged);

}  // namespace liftlock
