#include "ecosystem/model/protobuf.hpp"

#include "base/error.hpp"

namespace liftlock {
namespace {

std::uint64_t varint(ForwardReader& in, std::uint64_t end) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (in.offset() >= end) fail(ErrorCode::model_malformed, "protobuf: a number ends early, at byte {}", end);
    const auto byte = in.u8();
    if (shift == 63 && byte > 1) fail(ErrorCode::model_malformed, "protobuf: a number past 2^64");
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  fail(ErrorCode::model_malformed, "protobuf: a number of more than ten bytes, at byte {}", in.offset());
}

}  // namespace

void walk_message(ForwardReader& in, std::uint64_t end, const std::function<void(const ProtoField&)>& field) {
  while (in.offset() < end) {
    const auto tag = varint(in, end);
    ProtoField found{static_cast<std::uint32_t>(tag >> 3), static_cast<std::uint32_t>(tag & 7), 0};
    if (tag >> 3 == 0 || tag >> 32 != 0)
      fail(ErrorCode::model_malformed, "protobuf: a bad field number, at byte {}", in.offset());
    if (found.wire == 0) {
      found.value = varint(in, end);
      field(found);
      continue;
    }
    if (found.wire == 1 || found.wire == 5) {
      const std::uint64_t size = found.wire == 1 ? 8 : 4;
      if (end - in.offset() < size) fail(ErrorCode::model_malformed, "protobuf: a field ends early, at byte {}", end);
      found.value = found.wire == 1 ? in.u64() : in.u32();
      field(found);
      continue;
    }
    if (found.wire != 2)
      fail(ErrorCode::model_malformed, "protobuf: the wire type {}, at byte {}", found.wire, in.offset());
    found.value = varint(in, end);
    if (found.value > end - in.offset())
      fail(ErrorCode::model_malformed, "protobuf: a field longer than its message, at byte {}", in.offset());
    const auto until = in.offset() + found.value;
    field(found);
    if (in.offset() > until) fail(ErrorCode::internal, "a field was read past its end");
    in.skip(until - in.offset());
  }
}

}  // namespace liftlock
