// As much of DNS (RFC 1035 §4) as a resolver needs that knows two names and refuses all others.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.hpp"

namespace liftlock::offline {

struct DnsQuestion {
  std::string name;  ///< "files.example"; lower case, without the last dot; bytes that are no host name's as \DDD
  std::uint16_t type = 0;
  std::size_t end = 0;  ///< of the question section, in the query
};

constexpr std::uint16_t k_dns_a = 1, k_dns_aaaa = 28;

/// The one question of a query; nullopt for anything that is no plain query.
std::optional<DnsQuestion> parse_dns_query(std::string_view query);

/// The answer: with addresses of the asked type, without any (the name is there, the type is not), or, for nullptr,
/// that there is no such name (NXDOMAIN: programs give up at once, and do not ask the next server).
std::string make_dns_answer(std::string_view query, const DnsQuestion& question,
                            const std::vector<IpAddress>* addresses);

}  // namespace liftlock::offline
