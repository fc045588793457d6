// Which build of llama.cpp first loads an architecture: what its history says, in llama_architectures.def.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace liftlock::engine {

struct LlamaBuild {
  unsigned number = 0;    ///< its releases are named after it: b4875
  std::string_view date;  ///< "2025-03-12"
};

/// nullopt: none up to the end of the history that we know.
std::optional<LlamaBuild> first_build_with(std::string_view architecture);

/// For a sentence: "llama.cpp knows it since b4875 (2025-03-12)".
std::string who_knows(std::string_view architecture);

}  // namespace liftlock::engine
