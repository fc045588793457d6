// parse_ring_document: what a peer answers ends in a document, which written again is the same, or in an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "sync/sync_documents.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    const auto text = write_ring_document(parse_ring_document(as_text({data, size})));
    if (write_ring_document(parse_ring_document(text)) != text) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
