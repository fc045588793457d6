#include "trust/openpgp.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

std::uint32_t crc24(const Bytes& bytes) {  // RFC 4880 §6.1
  std::uint32_t crc = 0xB704CE;
  for (const auto byte : bytes) {
    crc ^= static_cast<std::uint32_t>(byte) << 16;
    for (int i = 0; i < 8; ++i) {
      crc <<= 1;
      if ((crc & 0x1000000) != 0) crc ^= 0x1864CFB;
    }
  }
  return crc & 0xFFFFFF;
}

std::string_view without_cr(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  return line;
}

struct Header {
  int tag = 0;
  std::size_t header_size = 0;
  std::size_t body_size = 0;
};

std::size_t big_endian(const Bytes& bytes, std::size_t at, std::size_t count) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | bytes[at + i];
  return value;
}

/// nullopt for packets of indeterminate or partial length and for broken ones.
std::optional<Header> first_header(const Bytes& p) {
  if (p.size() < 2 || (p[0] & 0x80) == 0) return std::nullopt;
  if ((p[0] & 0x40) == 0) {  // old format
    if ((p[0] & 3) == 3) return std::nullopt;
    const std::size_t count = std::size_t{1} << (p[0] & 3);
    if (p.size() < 1 + count) return std::nullopt;
    return Header{(p[0] >> 2) & 15, 1 + count, big_endian(p, 1, count)};
  }
  const int tag = p[0] & 63;
  if (p[1] < 192) return Header{tag, 2, p[1]};
  if (p[1] < 224 && p.size() >= 3) return Header{tag, 3, ((p[1] - 192u) << 8) + p[2] + 192u};
  if (p[1] == 255 && p.size() >= 6) return Header{tag, 6, big_endian(p, 2, 4)};
  return std::nullopt;
}

}  // namespace

Bytes dearmor(std::string_view text, std::string_view kind, std::size_t max_bytes) {
  if (text.size() > max_bytes * 2 + 4096) fail(ErrorCode::limit_exceeded, "an armored block of {} bytes", text.size());
  const auto refuse = [&](std::string_view why) {
    fail(ErrorCode::schema_violation, "not an armored PGP {}: {}", kind, why);
  };
  const auto trimmed = trim(text);
  const auto lines = split(trimmed, '\n');
  if (lines.size() < 3 || without_cr(lines.front()) != fmt::format("-----BEGIN PGP {}-----", kind) ||
      without_cr(lines.back()) != fmt::format("-----END PGP {}-----", kind)) {
    refuse("its first or last line is another one");
  }
  std::size_t i = 1;
  while (i + 1 < lines.size() && !without_cr(lines[i]).empty()) {
    if (lines[i].find(": ") == std::string_view::npos) refuse("the empty line after its headers is missing");
    ++i;
  }
  std::string base64;
  std::optional<Bytes> checksum;
  for (++i; i + 1 < lines.size(); ++i) {
    const auto line = without_cr(lines[i]);
    if (checksum) refuse("something follows its checksum");
    if (line.size() == 5 && line[0] == '=') {
      checksum = decode_base64(line.substr(1));
      if (!checksum) refuse("its checksum is no base64");
    } else {
      base64 += line;
    }
  }
  auto bytes = decode_base64(base64);
  if (!bytes || bytes->empty()) {
    refuse("it is not base64");
  } else if (bytes->size() > max_bytes) {
    fail(ErrorCode::limit_exceeded, "an armored block of {} bytes", bytes->size());
  } else if (checksum && big_endian(*checksum, 0, checksum->size()) != crc24(*bytes)) {
    refuse("its checksum is wrong");
  }
  return *bytes;
}

bool is_one_signature_packet(const Bytes& packets) {
  const auto header = first_header(packets);
  return header && header->tag == 2 && header->header_size + header->body_size == packets.size();
}

}  // namespace liftlock
