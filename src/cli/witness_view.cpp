#include "cli/witness_view.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/command.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_carried = 80 * 1024;

std::string age(std::chrono::seconds since) {
  if (since < std::chrono::minutes(2))
    return counted(static_cast<std::uint64_t>(std::max<long>(since.count(), 0)), "second");
  if (since < std::chrono::hours(2)) return counted(static_cast<std::uint64_t>(since.count() / 60), "minute");
  if (since < std::chrono::hours(48)) return counted(static_cast<std::uint64_t>(since.count() / 3600), "hour");
  return counted(static_cast<std::uint64_t>(since.count() / 86400), "day");
}

std::string_view sentence(WitnessState state) {
  switch (state) {
    case WitnessState::ok:
      return "";
    case WitnessState::never_met:
      return "the witness was never met by this installation";
    case WitnessState::old:
      return "the witness was not met within [audit] witness_max_age";
    case WitnessState::clock:
      return "this machine's clock is behind the witness's, so the age of what it stated cannot be judged";
    case WitnessState::to_meet:
      return "the machine was booted, or the state folder restored, since the witness was met: ingest waits for it";
    case WitnessState::rolled_back:
      return "the audit log is shorter than what the witness saw: an old copy was restored, or it was cut";
    case WitnessState::forked:
      return "the audit log has another history than the witness saw";
    case WitnessState::broken:
      return "what is kept of the witness's statement is not what log and witness signed";
  }
  fail(ErrorCode::internal, "unknown state of a witness");
}

}  // namespace

Json witnesses_json(const std::vector<WitnessStanding>& standings) {
  auto out = Json::array();
  for (const auto& one : standings) {
    out.push_back({{"witness", one.key.name},
                   {"key", one.key.text()},
                   {"state", name(one.state)},
                   {"size", one.time ? Json(one.size) : Json()},
                   {"time", one.time ? Json(format_time(*one.time)) : Json()}});
  }
  return out;
}

std::string witnesses_text(const std::vector<WitnessStanding>& standings, Timestamp when) {
  if (standings.empty()) return {};
  std::vector<std::vector<std::string>> rows{{"WITNESS", "ENTRIES", "TIME", "AGE", "STATE"}};
  std::set<WitnessState> states;
  for (const auto& one : standings) {
    rows.push_back({printable(one.key.name), one.time ? std::to_string(one.size) : "-",
                    one.time ? format_time(*one.time) : "-", one.time ? age(when - *one.time) : "-",
                    std::string(name(one.state))});
    states.insert(one.state);
  }
  auto out = format_table(rows);
  for (const auto state : states) {
    if (state != WitnessState::ok) out += fmt::format("{}: {}\n", name(state), sentence(state));
  }
  return out;
}

int status_of(const std::vector<WitnessStanding>& standings) {
  const auto any = [&](const auto& is) { return std::any_of(standings.begin(), standings.end(), is); };
  if (any([](const auto& one) { return is_broken(one.state); })) return static_cast<int>(ErrorClass::integrity);
  return any([](const auto& one) { return one.state != WitnessState::ok; }) ? static_cast<int>(ErrorClass::policy) : 0;
}

void require_unbroken(const std::vector<WitnessStanding>& standings) {
  for (const auto& one : standings) {
    if (!is_broken(one.state)) continue;
    const auto code = one.state == WitnessState::rolled_back ? ErrorCode::log_rolled_back
                      : one.state == WitnessState::forked    ? ErrorCode::log_forked
                                                             : ErrorCode::audit_broken;
    fail(code, "witness {}{}: {}", printable(one.key.name), one.time ? fmt::format(", {} entries", one.size) : "",
         sentence(one.state));
  }
}

std::string get_carried(const std::string& path) {
  if (path != "-") return read_file(path, k_max_carried);
  std::string text(k_max_carried + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = ::read(STDIN_FILENO, text.data() + size, text.size() - size);
    if (got < 0) fail_errno("read standard input");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > k_max_carried) fail(ErrorCode::limit_exceeded, "standard input has more than {} bytes", k_max_carried);
  text.resize(size);
  return text;
}

}  // namespace liftlock
