#include "bundle/delta.hpp"

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "crypto/hash.hpp"

namespace liftlock {

DeltaBase base_of_artifacts(std::string kind, const Digest& digest, const std::vector<Artifact>& artifacts) {
  const auto held = std::make_shared<std::unordered_set<Digest>>();
  for (const auto& artifact : artifacts) {
    for (const auto& file : artifact.files) held->insert(file.digest);
  }
  return {std::move(kind), digest, [held](const Digest& file) { return held->contains(file); }};
}

DeltaBase base_of_receipt(const CarriedReceipt& carried) {
  const auto named = std::make_shared<std::vector<Digest>>(carried.receipt.files);
  const bool held = carried.receipt.kind == Receipt::Kind::receipt;
  return {std::string(name(carried.receipt.kind)), sha256(carried.text),
          [named, held](const Digest& file) { return std::binary_search(named->begin(), named->end(), file) == held; }};
}

}  // namespace liftlock
