#include "bundle/transfer_line.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/clock.hpp"

namespace liftlock {

void write_transfer_line(const Site& site, const std::string& actor, std::string_view event, std::string_view subject,
                         std::string_view digest_hex, std::string_view outcome) {
  auto user = actor;
  std::replace(user.begin(), user.end(), ' ', '_');
  const auto line = fmt::format("{} {} {} {} sha256={}{}\n", format_time(now()), event, user,
                                portable_component(subject), digest_hex, outcome);
  const auto fd = open_file(site.transfers_log(), O_WRONLY | O_CREAT | O_APPEND, 0640);
  write_all(fd.get(), line, site.transfers_log().string());
  sync_file(fd.get(), site.transfers_log().string());
}

}  // namespace liftlock
