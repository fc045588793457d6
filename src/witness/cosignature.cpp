#include "witness/cosignature.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::uint8_t k_type = 0x04;
constexpr std::size_t k_signature_bytes = 4 + 8 + 64;
constexpr std::size_t k_max_answer = 64 * 1024;
constexpr std::string_view k_dash = "\xE2\x80\x94 ";

std::string cosigned_message(std::string_view checkpoint_text, std::uint64_t seconds) {
  return fmt::format("cosignature/v1\ntime {}\n{}", seconds, checkpoint_text);
}

}  // namespace

std::array<std::uint8_t, 4> CosignerKey::id() const {
  return note_key_id(name, k_type, key);
}

std::string CosignerKey::text() const {
  return verifier_key_text(name, k_type, key);
}

CosignerKey CosignerKey::parse(std::string_view text) {
  auto parsed = parse_verifier_key(text, k_type);
  return {.name = std::move(parsed.name), .key = parsed.key};
}

std::string cosign(std::string_view checkpoint_text, const CosignerKey& name, const PrivateKey& key, Timestamp time) {
  const auto seconds = static_cast<std::uint64_t>(time.time_since_epoch().count());
  const auto signature = key.sign(cosigned_message(checkpoint_text, seconds));
  const auto id = name.id();
  Bytes bytes(id.begin(), id.end());
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(seconds >> shift));
  bytes.insert(bytes.end(), signature.begin(), signature.end());
  return signature_line(name.name, bytes);
}

std::optional<Timestamp> cosigned_at(const SignedNote& note, const CosignerKey& key) {
  // The last second of the year 9999: what is later has no RFC 3339 form.
  constexpr std::uint64_t k_last_second = 253402300799;
  const auto id = key.id();
  std::optional<Timestamp> found;
  for (const auto& signature : note.signatures) {
    if (signature.name != key.name || !std::equal(id.begin(), id.end(), signature.bytes.begin())) continue;
    const auto refuse = [&](std::string_view why) {
      fail(ErrorCode::signature_invalid, "the cosignature of {} {}", printable(key.name), why);
    };
    if (found) refuse("stands there twice");
    if (signature.bytes.size() != k_signature_bytes) refuse("has the wrong length");
    std::uint64_t seconds = 0;
    for (std::size_t i = 4; i < 12; ++i) seconds = seconds << 8 | signature.bytes[i];
    if (seconds == 0 || seconds > k_last_second) refuse("has no possible time");
    const auto message = cosigned_message(note.text, seconds);
    if (!public_key_of(key.key).verify(message, std::span(signature.bytes).subspan(12))) refuse("does not fit");
    found = Timestamp(std::chrono::seconds(seconds));
  }
  return found;
}

SignedNote parse_answer(std::string_view answer, std::string_view checkpoint_text) {
  if (answer.size() > k_max_answer) fail(ErrorCode::limit_exceeded, "a witness's answer of {} bytes", answer.size());
  if (answer.find("\n\n") != std::string_view::npos) return parse_signed_note(answer);
  std::string note(checkpoint_text);
  note += '\n';
  for (auto line : split(answer, '\n')) {
    line = trim(line);
    if (line.empty()) continue;
    for (const auto mark : {k_dash, std::string_view("- ")}) {
      if (!line.starts_with(mark)) continue;
      line.remove_prefix(mark.size());
      break;
    }
    note += fmt::format("{}{}\n", k_dash, line);
  }
  return parse_signed_note(note);
}

}  // namespace liftlock
