// Is a crate what its name claims, and safe to unpack? Is a vendored tree what the Cargo.lock in it names?
// Kinds "crate" and "cargo-vendor".
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock::cargo {

/// Of a crate's facts: index_facts().
inline constexpr const char* k_fact_index = "index";

class CrateInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock::cargo
