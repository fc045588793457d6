#include "gateway/multipart.hpp"

#include <algorithm>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_boundary = 70;  // RFC 2046

[[noreturn]] void refuse(std::string_view what) {
  throw Error(ErrorCode::bad_request, fmt::format("the form {}", what), "send it as multipart/form-data (RFC 7578)");
}

/// The value of ;key=value or ;key="value" behind the first word of a header. A backslash makes the next byte plain.
std::optional<std::string> parameter(std::string_view header, std::string_view key) {
  for (auto at = header.find(';'); at != std::string_view::npos && at < header.size();) {
    auto rest = trim(header.substr(at + 1));
    const auto equals = rest.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const auto name = trim(rest.substr(0, equals));
    rest = rest.substr(equals + 1);
    std::string value;
    std::size_t used = 0;
    if (rest.starts_with('"')) {
      for (used = 1; used < rest.size() && rest[used] != '"'; ++used) {
        if (rest[used] == '\\' && used + 1 < rest.size()) ++used;
        value += rest[used];
      }
      if (used == rest.size()) return std::nullopt;
    } else {
      used = std::min(rest.find(';'), rest.size());
      value = trim(rest.substr(0, used));
    }
    if (to_lower(name) == key) return value;
    at = rest.find(';', used);
    header = rest;
  }
  return std::nullopt;
}

std::string boundary_of(std::string_view content_type) {
  if (to_lower(trim(content_type.substr(0, content_type.find(';')))) != "multipart/form-data") {
    refuse("is no multipart/form-data");
  }
  const auto boundary = parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > k_max_boundary) refuse("names no boundary of 1 to 70 bytes");
  return *boundary;
}

FormPart part_of(std::string_view text) {
  const auto end = text.find("\r\n\r\n");
  if (end == std::string_view::npos || end > k_max_part_head) refuse("has a part without a head, or with one too long");
  FormPart part;
  part.body = text.substr(end + 4);
  for (auto head = text.substr(0, end); !head.empty();) {
    const auto line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(line.size() + 2, head.size()));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) refuse("has a part with a line that is no header");
    const auto key = to_lower(trim(line.substr(0, colon)));
    if (key == "content-transfer-encoding") refuse("has a part with a transfer encoding");
    if (key != "content-disposition") continue;
    const auto value = trim(line.substr(colon + 1));
    if (to_lower(trim(value.substr(0, value.find(';')))) != "form-data") refuse("has a part that is no form-data");
    part.name = parameter(value, "name").value_or("");
    part.filename = parameter(value, "filename").value_or("");
  }
  if (part.name.empty()) refuse("has a part without a name");
  return part;
}

}  // namespace

std::vector<FormPart> parse_form(std::string_view content_type, std::string_view body) {
  const auto delimiter = "\r\n--" + boundary_of(content_type);
  if (!body.starts_with(std::string_view(delimiter).substr(2))) refuse("does not begin with its boundary");
  std::vector<FormPart> parts;
  for (body.remove_prefix(delimiter.size() - 2);;) {
    if (body == "--" || body == "--\r\n") return parts;
    if (!body.starts_with("\r\n")) refuse("has bytes behind a boundary");
    body.remove_prefix(2);
    const auto end = body.find(delimiter);
    if (end == std::string_view::npos) refuse("is cut off");
    if (parts.size() == k_max_form_parts) refuse(fmt::format("has more than {} parts", k_max_form_parts));
    parts.push_back(part_of(body.substr(0, end)));
    body.remove_prefix(end + delimiter.size());
  }
}

}  // namespace liftlock
