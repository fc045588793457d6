// How bundles, signatures and digests look to people; shared by verify, inspect, ingest and pack.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "bundle/manifest.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// Accepts "sha256:hex", bare hex, and hex in groups with blanks, as people copy it. @throws Error{usage}
Digest parse_digest(std::string_view text);

/// Channel, sequence, when, by whom, and the digest in groups of four.
std::string bundle_heading(const BundleInfo& info, const Digest& digest);

/// One line about what a delta leaves out; empty for any other bundle.
std::string left_out_text(const BundleInfo& info);

Json signatures_json(const std::vector<JudgedSignature>& signatures);
std::string signatures_text(const std::vector<JudgedSignature>& signatures);

}  // namespace liftlock
