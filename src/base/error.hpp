// The one exception type of the program, and the closed list of what can go wrong.
//
// Every edge (a command, an HTTP handler, a worker) catches once and renders: an exit status and a hint, or
// problem+json. Layers in between may add a line of context as the error passes. Absence is std::optional, not an
// error.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace liftlock {

/// What class of trouble it is; the exit status of the program follows from it (docs/manual/errors.md).
enum class ErrorClass : std::uint8_t {
  internal = 1,   ///< a bug, or the machine failed us (I/O error)
  usage = 2,      ///< the command line or a file that the user wrote is wrong
  policy = 3,     ///< allowed by nobody: zone, signature roles, channel rules, missing approval
  integrity = 4,  ///< bytes are not what a trusted statement says they are, or are malformed
  space = 5,      ///< disk, quota or memory ran out
  upstream = 6,   ///< another machine or program did not do what was asked
  absent = 7,     ///< the thing that was named does not exist here
};

enum class ErrorCode : std::uint16_t {
#define LIFTLOCK_ERROR(id, slug, error_class, http, title, remedy) id,
#include "base/error_codes.def"
#undef LIFTLOCK_ERROR
};

struct ErrorInfo {
  ErrorCode code;
  std::string_view slug;  ///< stable name, e.g. "extra-file"
  ErrorClass error_class;
  int http_status;
  std::string_view title;   ///< what happened, in one sentence
  std::string_view remedy;  ///< what to do next, in general
};

/// All codes in the order of error_codes.def; lives for the whole program.
std::span<const ErrorInfo> all_errors();
const ErrorInfo& info(ErrorCode code);
std::optional<ErrorCode> parse_error_code(std::string_view slug);

class Error : public std::exception {
 public:
  /// @param message what happened to which thing, lower case, no full stop
  /// @param hint what to do next in this very case; empty: the code's general remedy is shown
  Error(ErrorCode code, std::string message, std::string hint = {});

  /// Adds where we were when it happened ("while reading models/x.gguf"); returns *this to rethrow.
  Error& add_context(std::string line);
  /// Says when to ask again, where that is known: for the header Retry-After. At least a second, at most a day; returns
  /// *this to throw.
  Error& set_retry_after(std::chrono::nanoseconds wait);

  ErrorCode code() const { return m_code; }
  const std::string& message() const { return m_message; }
  std::string_view hint() const;
  const std::vector<std::string>& context() const { return m_context; }
  std::optional<std::chrono::seconds> retry_after() const { return m_retry_after; }
  int exit_status() const { return static_cast<int>(info(m_code).error_class); }
  int http_status() const { return info(m_code).http_status; }

  /// message, then context lines from the inside out, on one line.
  const char* what() const noexcept override { return m_what.c_str(); }

 private:
  ErrorCode m_code;
  std::string m_message;
  std::string m_hint;
  std::vector<std::string> m_context;
  std::string m_what;
  std::optional<std::chrono::seconds> m_retry_after;
};

/// Throws Error with a formatted message.
template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

/// Throws the Error for a failed system call: disk-full for ENOSPC, EDQUOT and EFBIG, io-error otherwise.
/// @param what "open /path/of/it"
[[noreturn]] void fail_errno(std::string_view what, int error_number);
/// The same with the current errno.
[[noreturn]] void fail_errno(std::string_view what);

/// Runs f; an Error that passes gains the context line.
template <typename F>
auto with_context(std::string_view line, F&& f) -> decltype(f()) {
  try {
    return std::forward<F>(f)();
  } catch (Error& error) {
    error.add_context(std::string(line));
    throw;
  }
}

}  // namespace liftlock
