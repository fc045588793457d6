#include "ecosystem/npm/cache_layout.hpp"

#include "base/error.hpp"
#include "base/loose_json.hpp"
#include "ecosystem/npm/inspector.hpp"
#include "ecosystem/npm/integrity.hpp"

namespace liftlock::npm {

PlainLayout cache_layout(std::span<const Artifact> artifacts) {
  PlainLayout out;
  for (const auto& artifact : artifacts) {
    if (artifact.kind != k_kind || artifact.files.size() != 1) continue;
    const auto integrity =
        with_context(artifact.id(), [&] { return Integrity::parse(text_in(artifact.facts, k_fact_integrity)); });
    if (!integrity.digest) fail(ErrorCode::schema_violation, "{}: its integrity is SHA-1 alone", artifact.id());
    const auto hex = integrity.digest->hex();
    out.files.insert_or_assign(fmt::format("_cacache/content-v2/{}/{}/{}/{}", name(integrity.digest->algorithm()),
                                           hex.substr(0, 2), hex.substr(2, 2), hex.substr(4)),
                               artifact.files[0]);
  }
  return out;
}

}  // namespace liftlock::npm
