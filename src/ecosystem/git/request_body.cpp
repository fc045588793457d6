#include "ecosystem/git/request_body.hpp"

#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <memory>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock::git {
namespace {

constexpr std::string_view k_what = "the body of a request";

void inflate_into(int out, std::string_view body) {
  z_stream stream{};
  constexpr int k_gzip_only = 15 + 16;
  if (::inflateInit2(&stream, k_gzip_only) != Z_OK) fail(ErrorCode::memory_limit, "there is no memory to inflate with");
  const std::unique_ptr<z_stream, decltype(&::inflateEnd)> end(&stream, ::inflateEnd);
  std::vector<std::uint8_t> piece(64u << 10);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  std::uint64_t made = 0;
  for (int state = Z_OK; state != Z_STREAM_END;) {
    stream.next_out = piece.data();
    stream.avail_out = static_cast<uInt>(piece.size());
    state = ::inflate(&stream, Z_NO_FLUSH);
    const auto got = piece.size() - stream.avail_out;
    if ((state != Z_OK && state != Z_STREAM_END) || (state == Z_OK && got == 0 && stream.avail_in == 0))
      fail(ErrorCode::bad_request, "the body of the request is no whole gzip stream");
    made += got;
    if (made > k_max_inflated)
      fail(ErrorCode::body_too_large, "the body of the request inflates to more than {} bytes", k_max_inflated);
    write_all(out, std::span(piece).first(got), k_what);
  }
  if (stream.avail_in > 0) fail(ErrorCode::bad_request, "bytes follow the gzip stream of the request");
}

}  // namespace

UniqueFd body_in_memory(std::string_view body, std::string_view encoding) {
  UniqueFd out(::memfd_create("git-request", MFD_CLOEXEC));
  if (!out.valid()) fail_errno("memfd_create");
  const auto name = to_lower(trim(encoding));
  if (name == "gzip" || name == "x-gzip") {
    inflate_into(out.get(), body);
  } else if (name.empty() || name == "identity") {
    write_all(out.get(), body, k_what);
  } else {
    fail(ErrorCode::encoding_unsupported, "the body of the request is encoded as '{}'", printable(name.substr(0, 40)));
  }
  if (::lseek(out.get(), 0, SEEK_SET) != 0) fail_errno("lseek");
  return out;
}

}  // namespace liftlock::git
