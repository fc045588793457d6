#include "offline/dns.hpp"

#include <fmt/format.h>

namespace liftlock::offline {
namespace {

constexpr std::size_t k_header = 12;
constexpr std::size_t k_max_name = 255;
constexpr std::uint16_t k_response = 0x8000, k_opcode = 0x7800, k_recursion_desired = 0x0100;
constexpr std::uint16_t k_recursion_available = 0x0080, k_no_such_name = 3;

std::uint16_t number(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                                    static_cast<unsigned char>(bytes[at + 1]));
}

void put(std::string& out, std::uint16_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}

/// A name in a question is never compressed: there is nothing before it to point at.
bool take_name(std::string_view query, std::size_t& at, std::string& name) {
  for (;;) {
    if (at >= query.size()) return false;
    const auto size = static_cast<unsigned char>(query[at++]);
    if (size == 0) return true;
    if (size > 63 || at + size > query.size()) return false;
    if (!name.empty()) name += '.';
    for (const char c : query.substr(at, size)) {
      if (c >= 'A' && c <= 'Z') {
        name += static_cast<char>(c - 'A' + 'a');
      } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_') {
        name += c;
      } else {
        name += fmt::format("\\{:03}", static_cast<unsigned>(static_cast<unsigned char>(c)));
      }
    }
    at += size;
    if (at > k_header + k_max_name) return false;
  }
}

}  // namespace

std::optional<DnsQuestion> parse_dns_query(std::string_view query) {
  if (query.size() < k_header) return std::nullopt;
  const auto flags = number(query, 2);
  if ((flags & (k_response | k_opcode)) != 0 || number(query, 4) != 1) return std::nullopt;
  DnsQuestion question;
  auto at = k_header;
  if (!take_name(query, at, question.name) || at + 4 > query.size()) return std::nullopt;
  question.type = number(query, at);
  question.end = at + 4;
  return question;
}

std::string make_dns_answer(std::string_view query, const DnsQuestion& question,
                            const std::vector<IpAddress>* addresses) {
  std::string records;
  std::uint16_t count = 0;
  for (const auto& address : addresses != nullptr ? *addresses : std::vector<IpAddress>()) {
    if (question.type != (address.is_v4() ? k_dns_a : k_dns_aaaa)) continue;
    const std::size_t size = address.is_v4() ? 4 : 16;
    put(records, 0xc000 | k_header);  // the name of the question
    put(records, question.type);
    put(records, 1);  // IN
    put(records, 0), put(records, 60);
    put(records, static_cast<std::uint16_t>(size));
    records.append(reinterpret_cast<const char*>(address.bytes().data()), size);
    ++count;
  }
  std::string out(query.substr(0, 2));
  put(out, static_cast<std::uint16_t>(k_response | k_recursion_available | (number(query, 2) & k_recursion_desired) |
                                      (addresses == nullptr ? k_no_such_name : 0)));
  put(out, 1), put(out, count), put(out, 0), put(out, 0);
  out.append(query.substr(k_header, question.end - k_header));
  return out + records;
}

}  // namespace liftlock::offline
