// The documents of the Hugging Face Hub API (huggingface_hub hf_api.py): revisions and file trees. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"

namespace liftlock {

/// "hf:ORG/NAME", or "hf:NAME" for the few repositories without an owner.
/// @throws Error{stack_invalid}
std::string parse_hub_repository(std::string_view source, std::string_view where);

/// /api/models/REPO/revision/REV
struct HubRevision {
  std::string commit;  ///< 40 hexadecimal digits
  std::string license;
  bool gated = false;  ///< terms have to be accepted first
};
/// @throws Error{json_invalid, schema_violation, limit_exceeded}
HubRevision parse_hub_revision(std::string_view json);

/// One file of /api/models/REPO/tree/COMMIT?recursive=true
struct HubFile {
  std::string path;
  std::uint64_t size = 0;
  std::string git_oid;           ///< SHA-1 of the git blob; of LFS files that of the pointer
  std::optional<Digest> sha256;  ///< of LFS files: lfs.oid
};
/// One page. Folders are left out; paths are not yet checked to be safe.
/// @throws Error{json_invalid, schema_violation, limit_exceeded}
std::vector<HubFile> parse_hub_tree(std::string_view json);

/// The target of rel="next" of a Link header (RFC 8288); nullopt when there is none.
std::optional<std::string> next_link(std::string_view header);

/// Scheme, host and port: "https://host:8443". Empty for what is no URL.
std::string origin_of_url(std::string_view url);

}  // namespace liftlock
