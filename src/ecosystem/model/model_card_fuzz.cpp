#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "ecosystem/model/model_card.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto card = liftlock::read_model_card({reinterpret_cast<const char*>(data), size});
    if (!card.is_object()) __builtin_trap();
    static_cast<void>(card.dump());  // strict: throws for what is not UTF-8
  } catch (const liftlock::Error&) {
  }
  return 0;
}
