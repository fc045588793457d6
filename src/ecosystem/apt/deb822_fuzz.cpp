#include <cstddef>
#include <cstdint>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/apt/deb822.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  using namespace liftlock::apt;
  for (const auto comments : {Comments::refuse, Comments::skip}) {
    try {
      ParagraphReader reader(as_text({data, size}), "fuzz", comments);
      Paragraph paragraph;
      while (reader.next(paragraph)) {
        for (const auto& [name, value] : paragraph.fields()) (void)words(value).size();
        (void)paragraph.field_or("Package", "");
      }
    } catch (const Error&) {
    }
  }
  return 0;
}
