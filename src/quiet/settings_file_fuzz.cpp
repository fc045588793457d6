#include <cstddef>
#include <cstdint>

#include "base/encoding.hpp"
#include "quiet/switch_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  using namespace liftlock::quiet;
  const auto text = as_text({data, size});
  for (const auto& one : all_switches()) {
    if (one.file.form != FileForm::none) (void)setting_of(text, one.file);
  }
  const auto environment = parse_environment(text);
  (void)check_switches(
      environment, [&](std::string_view) { return std::string(text); }, "http://m");
  return 0;
}
