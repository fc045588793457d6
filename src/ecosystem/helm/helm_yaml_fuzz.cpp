// Arbitrary bytes as Chart.yaml: nothing but Error may come out, and names are names.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/helm/chart.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    const auto metadata = helm::parse_chart_yaml(as_text({data, size}));
    if (!helm::is_chart_name(metadata.at("name").get<std::string>()) ||
        !helm::is_chart_version(metadata.at("version").get<std::string>())) {
      std::abort();
    }
  } catch (const Error&) {
  }
  return 0;
}
