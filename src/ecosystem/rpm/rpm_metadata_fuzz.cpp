// Arbitrary bytes as repomd.xml and as primary.xml: nothing but Error may come out.
#include <cstddef>
#include <cstdint>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/rpm/repository_metadata.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto text = as_text({data, size});
  try {
    (void)rpm::parse_repomd(text, "repomd.xml");
  } catch (const Error&) {
  }
  try {
    rpm::PrimaryReader reader("primary.xml");
    reader.feed(text.substr(0, size / 2));
    reader.feed(text.substr(size / 2));
    (void)reader.finish();
  } catch (const Error&) {
  }
  return 0;
}
