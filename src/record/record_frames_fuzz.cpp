#include <algorithm>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "record/segment_format.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  using namespace liftlock::record;
  const auto text = as_text({data, size});
  const ReadAt read = [&](std::uint64_t offset, std::span<std::uint8_t> buffer) {
    if (offset > size || size - offset < buffer.size()) return false;
    std::copy_n(data + offset, buffer.size(), buffer.begin());
    return true;
  };
  std::uint64_t end = 0;
  const auto how = walk_frames(read, 0, [&](const FrameHeader& header, std::uint64_t body) {
    if (header.bytes() != text.substr(end, FrameHeader::k_size)) std::abort();
    end = body + header.size;
    if (end > size) std::abort();
    return true;
  });
  if (how == FramesEnd::whole && end != size) std::abort();
  try {
    if (KeysHeader::parse(text).bytes() != text) std::abort();
  } catch (const Error&) {
  }
  if (size >= Slot::k_size) {
    const auto slot = Slot::parse(text.substr(0, Slot::k_size)).bytes();  // without what is unused
    if (slot.size() != Slot::k_size || Slot::parse(slot).bytes() != slot) std::abort();
  }
  try {
    if (text_of(parse_record_id(text)) != text) std::abort();
  } catch (const Error&) {
  }
  try {
    const auto parsed = head_from_bytes(text, {});
    const auto again = head_from_bytes(head_to_bytes(parsed.head, parsed.prompt_size), {});
    if (again.head.tags != parsed.head.tags || again.head.user != parsed.head.user) std::abort();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal) std::abort();
  }
  return 0;
}
