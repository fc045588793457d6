// The line per transfer in STATE/transfers.log (requirement G34).
#pragma once

#include <string>
#include <string_view>

#include "site/site.hpp"

namespace liftlock {

/// "TIME EVENT USER SUBJECT sha256=HEX OUTCOME", durable when it returns.
/// @param outcome empty, or " error=SLUG"
void write_transfer_line(const Site& site, const std::string& actor, std::string_view event, std::string_view subject,
                         std::string_view digest_hex, std::string_view outcome);

}  // namespace liftlock
