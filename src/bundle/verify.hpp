// Is this bundle what its signers sealed? Reads every byte once, in parallel, unpacks nothing, reports every problem.
#pragma once

#include <optional>
#include <vector>

#include "base/reporter.hpp"
#include "bundle/bundle_reader.hpp"
#include "bundle/withheld.hpp"

namespace liftlock {

struct VerifyOptions {
  std::optional<Digest> expect;  ///< of bundle.json, as announced by another way
  /// The chain of root statements that is trusted; nullopt: signatures are listed, not judged, and the report says so
  std::optional<std::vector<std::string>> pinned;
  Timestamp when;                              ///< for expiry of keys and of the bundle
  std::vector<fs::path> signatures = {};       ///< folders with more signatures of it, each in FOLDER/signatures/
  std::vector<std::string> accept_kinds = {};  ///< of artifacts; empty: all
  bool io_errors_are_problems = false;         ///< a file that the medium does not give is one, and the rest is read
};

struct VerifyReport {
  BundleInfo info;
  Digest digest;
  bool signatures_judged = false;
  std::vector<JudgedSignature> signatures;
  std::vector<Problem> problems;         ///< empty: the bundle is good
  std::vector<Withheld::File> withheld;  ///< by a scanner
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  bool content_read = false;  ///< the lists were good, so that each file was compared with them
};

/// Problems are in the report. @throws only when there is no bundle to speak of (not_a_bundle, unreadable bundle.json)
/// or the machine fails.
VerifyReport verify_bundle(const fs::path& folder, const VerifyOptions& options, Reporter& reporter);

}  // namespace liftlock
