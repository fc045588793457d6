#include <cstdint>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/model/hub_protocol.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto text = as_text({data, size});
  next_link(text);
  origin_of_url(text);
  try {
    parse_hub_tree(text);
  } catch (const Error&) {
  }
  try {
    parse_hub_revision(text);
  } catch (const Error&) {
  }
  return 0;
}
