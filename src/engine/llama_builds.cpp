#include "engine/llama_builds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace liftlock::engine {
namespace {

struct Known {
  std::string_view architecture;
  LlamaBuild first;
};

#define LIFTLOCK_LLAMA_HISTORY_ENDS(number, date) constexpr LlamaBuild k_end{number, date};
#define LIFTLOCK_LLAMA_ARCHITECTURE(name, number, date)
#include "engine/llama_architectures.def"
#undef LIFTLOCK_LLAMA_HISTORY_ENDS
#undef LIFTLOCK_LLAMA_ARCHITECTURE

#define LIFTLOCK_LLAMA_HISTORY_ENDS(number, date)
#define LIFTLOCK_LLAMA_ARCHITECTURE(name, number, date) Known{name, {number, date}},
constexpr std::array k_known{
#include "engine/llama_architectures.def"
};
#undef LIFTLOCK_LLAMA_HISTORY_ENDS
#undef LIFTLOCK_LLAMA_ARCHITECTURE

}  // namespace

std::optional<LlamaBuild> first_build_with(std::string_view architecture) {
  const auto found =
      std::find_if(k_known.begin(), k_known.end(), [&](const Known& one) { return one.architecture == architecture; });
  return found == k_known.end() ? std::nullopt : std::optional(found->first);
}

std::string who_knows(std::string_view architecture) {
  if (const auto first = first_build_with(architecture))
    return fmt::format("llama.cpp knows it since b{} ({})", first->number, first->date);
  return fmt::format("llama.cpp up to b{} ({}) does not know it either", k_end.number, k_end.date);
}

}  // namespace liftlock::engine
