#include "base/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace liftlock {
namespace {

constexpr std::array k_errors = {
#define LIFTLOCK_ERROR(id, slug, error_class, http, title, remedy) \
  ErrorInfo{ErrorCode::id, slug, ErrorClass::error_class, http, title, remedy},
#include "base/error_codes.def"
#undef LIFTLOCK_ERROR
};

}  // namespace

std::span<const ErrorInfo> all_errors() {
  return k_errors;
}

const ErrorInfo& info(ErrorCode code) {
  return k_errors.at(static_cast<std::size_t>(code));
}

std::optional<ErrorCode> parse_error_code(std::string_view slug) {
  for (const auto& error : k_errors) {
    if (error.slug == slug) return error.code;
  }
  return std::nullopt;
}

Error::Error(ErrorCode code, std::string message, std::string hint)
    : m_code(code), m_message(std::move(message)), m_hint(std::move(hint)), m_what(m_message) {}

Error& Error::add_context(std::string line) {
  m_what += fmt::format(" ({})", line);
  m_context.push_back(std::move(line));
  return *this;
}

Error& Error::set_retry_after(std::chrono::nanoseconds wait) {
  using std::chrono::seconds;
  m_retry_after = std::clamp(std::chrono::ceil<seconds>(wait), seconds(1), seconds(std::chrono::days(1)));
  return *this;
}

std::string_view Error::hint() const {
  return m_hint.empty() ? info(m_code).remedy : std::string_view(m_hint);
}

void fail_errno(std::string_view what, int error_number) {
  const bool space = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  throw Error(space ? ErrorCode::disk_full : ErrorCode::io_error,
              fmt::format("{}: {}", what, std::generic_category().message(error_number)));
}

void fail_errno(std::string_view what) {
  fail_errno(what, errno);
}

}  // namespace liftlock
