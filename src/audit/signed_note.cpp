#include "audit/signed_note.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_note = 64 * 1024;
constexpr std::size_t k_max_signatures = 100;
constexpr std::uint8_t k_ed25519 = 0x01;
constexpr std::string_view k_dash = "\xE2\x80\x94 ";  // EM DASH and a space begin every signature line

/// What SubjectPublicKeyInfo puts in front of an Ed25519 key (RFC 8410 section 4).
constexpr std::array<std::uint8_t, 12> k_spki_prefix = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                        0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

[[noreturn]] void malformed(std::string_view why) {
  fail(ErrorCode::schema_violation, "a signed note: {}", why);
}

}  // namespace

std::string why_not_note_name(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > 255) return "it is longer than 255 bytes";
  if (!is_utf8(name)) return "it is not UTF-8";
  for (const char c : name) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte <= 0x20 || byte == 0x7F || c == '+') return "it has a blank, a control byte or a '+'";
  }
  return {};
}

Ed25519PublicKey raw_ed25519(const PublicKey& key) {
  const auto& der = key.der();
  Ed25519PublicKey raw;
  if (key.algorithm() != KeyAlgorithm::ed25519 || der.size() != k_spki_prefix.size() + raw.size()) {
    fail(ErrorCode::schema_violation, "a signed note needs an Ed25519 key, not {}", name(key.algorithm()));
  }
  std::copy(der.begin() + k_spki_prefix.size(), der.end(), raw.begin());
  return raw;
}

PublicKey public_key_of(const Ed25519PublicKey& raw) {
  Bytes der(k_spki_prefix.begin(), k_spki_prefix.end());
  der.insert(der.end(), raw.begin(), raw.end());
  return PublicKey::from_der(der);
}

std::array<std::uint8_t, 4> note_key_id(std::string_view name, std::uint8_t type, const Ed25519PublicKey& key) {
  const std::array<std::uint8_t, 2> between = {'\n', type};
  Hasher hasher;
  hasher.update(name);
  hasher.update(between);
  hasher.update(key);
  const auto digest = hasher.finish();
  std::array<std::uint8_t, 4> out;
  std::copy_n(digest.bytes().begin(), out.size(), out.begin());
  return out;
}

std::string verifier_key_text(std::string_view name, std::uint8_t type, const Ed25519PublicKey& key) {
  Bytes typed{type};
  typed.insert(typed.end(), key.begin(), key.end());
  return fmt::format("{}+{}+{}", name, encode_hex(note_key_id(name, type, key)), encode_base64(typed));
}

NamedKey parse_verifier_key(std::string_view text, std::uint8_t type) {
  const auto refuse = [&] {
    fail(ErrorCode::schema_violation, "not a verifier key of the form NAME+HEX+BASE64 and of type {}", type);
  };
  const auto first = text.find('+');
  const auto second = first == std::string_view::npos ? first : text.find('+', first + 1);
  if (second == std::string_view::npos) refuse();
  NamedKey out;
  out.name = text.substr(0, first);
  const auto typed = decode_base64(text.substr(second + 1));
  if (!why_not_note_name(out.name).empty() || !typed || typed->size() != 33 || typed->front() != type) refuse();
  std::copy(typed->begin() + 1, typed->end(), out.key.begin());
  if (encode_hex(note_key_id(out.name, type, out.key)) != text.substr(first + 1, second - first - 1)) refuse();
  return out;
}

std::array<std::uint8_t, 4> NoteKey::id() const {
  return note_key_id(name, k_ed25519, key);
}

std::string NoteKey::text() const {
  return verifier_key_text(name, k_ed25519, key);
}

NoteKey NoteKey::parse(std::string_view text) {
  auto parsed = parse_verifier_key(text, k_ed25519);
  return {.name = std::move(parsed.name), .key = parsed.key};
}

SignedNote parse_signed_note(std::string_view note) {
  if (note.size() > k_max_note) fail(ErrorCode::limit_exceeded, "a signed note of {} bytes", note.size());
  if (!is_utf8(note)) malformed("it is not UTF-8");
  for (const char c : note) {
    if (static_cast<std::uint8_t>(c) < 0x20 && c != '\n') malformed("it has a control byte");
  }
  const auto gap = note.rfind("\n\n");
  if (gap == std::string_view::npos) malformed("no empty line stands before its signatures");
  SignedNote out;
  out.text = note.substr(0, gap + 1);
  auto rest = note.substr(gap + 2);
  if (rest.empty() || rest.back() != '\n') malformed("its last line is not ended");
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    auto line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (!line.starts_with(k_dash)) malformed("a signature line does not begin with a dash");
    line.remove_prefix(k_dash.size());
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos) malformed("a signature line without a signature");
    const auto name = line.substr(0, blank);
    auto bytes = decode_base64(line.substr(blank + 1));
    if (!why_not_note_name(name).empty() || !bytes || bytes->size() < 5) malformed("a broken signature line");
    if (out.signatures.size() == k_max_signatures) fail(ErrorCode::limit_exceeded, "a note with too many signatures");
    out.signatures.push_back({std::string(name), std::move(*bytes)});
  }
  return out;
}

std::string signature_line(std::string_view name, std::span<const std::uint8_t> bytes) {
  return fmt::format("{}{} {}\n", k_dash, name, encode_base64(bytes));
}

std::string sign_note(std::string_view text, const NoteKey& name, const PrivateKey& key) {
  const auto id = name.id();
  const auto signature = key.sign(text);
  Bytes bytes(id.begin(), id.end());
  bytes.insert(bytes.end(), signature.begin(), signature.end());
  return fmt::format("{}\n{}", text, signature_line(name.name, bytes));
}

bool is_signed_by(const SignedNote& note, const NoteKey& key) {
  const auto id = key.id();
  std::size_t found = 0;
  bool fits = false;
  for (const auto& signature : note.signatures) {
    if (signature.name != key.name || !std::equal(id.begin(), id.end(), signature.bytes.begin())) continue;
    ++found;
    fits = public_key_of(key.key).verify(note.text, std::span(signature.bytes).subspan(4));
  }
  return found == 1 && fits;
}

std::string Checkpoint::text() const {
  return fmt::format("{}\n{}\n{}\n", origin, size, encode_base64(root));
}

Checkpoint Checkpoint::parse(std::string_view note_text) {
  const auto lines = split(note_text, '\n');
  if (lines.size() != 4 || !lines[3].empty()) fail(ErrorCode::schema_violation, "a checkpoint has three lines");
  const auto size = parse_uint(lines[1]);
  const auto root = decode_base64(lines[2]);
  if (lines[0].empty() || !size || std::to_string(*size) != lines[1] || !root || root->size() != 32) {
    fail(ErrorCode::schema_violation, "a checkpoint names its origin, a size and a root of 32 bytes");
  }
  Checkpoint out;
  out.origin = lines[0];
  out.size = *size;
  std::copy(root->begin(), root->end(), out.root.begin());
  return out;
}

}  // namespace liftlock
