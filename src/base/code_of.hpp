// For tests: which error comes.
#pragma once

#include <optional>

#include "base/error.hpp"

namespace liftlock {

/// The code of the Error that f throws; nullopt: it throws none.
template <typename F>
std::optional<ErrorCode> code_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.code();
  }
  return std::nullopt;
}

}  // namespace liftlock
