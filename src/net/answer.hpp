// From what a handler returned to what goes over the wire: conditional requests, ranges, the header block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "net/http.hpp"

namespace liftlock {

enum class Connection : std::uint8_t { keep, close };

/// Ready to send: `head` and then `size` bytes of the body, from `offset` on.
struct Answer {
  int status = 200;
  std::string head;  ///< status line and fields, with the empty line
  std::variant<std::string, std::shared_ptr<const std::string>, FileBody> body;
  std::uint64_t offset = 0;  ///< into the body (for a FileBody: into the file)
  std::uint64_t size = 0;    ///< 0 for HEAD, 304 and empty bodies

  /// The bytes of a body that is in memory.
  std::string_view text() const;
  const FileBody* file() const { return size > 0 ? std::get_if<FileBody>(&body) : nullptr; }
};

/// Applies HEAD, If-None-Match, Range and If-Range (200 answers to GET and HEAD only) and writes the head.
/// @param date the value of Date. Fields whose name or value holds control bytes are dropped: no response splitting.
Answer make_answer(const HttpRequest& request, HttpResponse&& response, Connection connection, std::string_view date);

/// The head of an answer whose size is not known yet. @param chunked with Transfer-Encoding: chunked
std::string make_stream_head(const HttpResponse& response, Connection connection, std::string_view date, bool chunked);

}  // namespace liftlock
