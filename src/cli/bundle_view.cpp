#include "cli/bundle_view.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {

Digest parse_digest(std::string_view text) {
  std::string hex;
  for (const char c : to_lower(text)) {
    if (c != ' ' && c != '\t') hex += c;
  }
  if (hex.starts_with("sha256:")) hex.erase(0, 7);
  const auto digest = Digest::try_parse("sha256:" + hex);
  if (!digest) fail(ErrorCode::usage, "'{}' is no SHA-256: 64 hex digits are expected", printable(text));
  return *digest;
}

std::string bundle_heading(const BundleInfo& info, const Digest& digest) {
  return fmt::format("channel {} sequence {} (stack {}), made {} by {} on {}\nbundle.json is {}\n{}", info.channel,
                     info.sequence, printable(info.stack), format_time(info.creation_date), printable(info.creator),
                     printable(info.low_side_host), digest.spoken(),
                     info.expires ? fmt::format("valid until {}\n", format_end(*info.expires)) : "") +
         (info.expedited.empty() ? "" : fmt::format("EXPEDITED: {}\n", printable(info.expedited)));
}

std::string left_out_text(const BundleInfo& info) {
  if (!info.builds_on) return "";
  return fmt::format("left out, for the receiver has it ({} {}): {}, {}\n", info.builds_on->base,
                     info.builds_on->digest.hex().substr(0, 16), counted(info.builds_on->files, "file"),
                     format_size(info.builds_on->bytes));
}

Json signatures_json(const std::vector<JudgedSignature>& signatures) {
  auto out = Json::array();
  for (const auto& signature : signatures) {
    out.push_back({{"file", signature.file},
                   {"key", signature.key_id},
                   {"owner", signature.owner},
                   {"role", signature.role ? Json(name(*signature.role)) : Json()},
                   {"status", name(signature.status)},
                   {"message", signature.message}});
  }
  return out;
}

std::string signatures_text(const std::vector<JudgedSignature>& signatures) {
  if (signatures.empty()) return "no signatures\n";
  std::string out;
  for (const auto& signature : signatures) {
    out += fmt::format("signature {}: {}{}{}\n", printable(signature.file),
                       signature.message == "not judged" ? "not judged" : name(signature.status),
                       signature.role ? fmt::format(", {} {}", name(*signature.role), printable(signature.owner)) : "",
                       signature.status == SignatureStatus::valid || signature.message.empty()
                           ? ""
                           : fmt::format(" ({})", printable(signature.message)));
  }
  return out;
}

}  // namespace liftlock
