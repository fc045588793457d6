#include "gateway/key_grant.hpp"

#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "record/record_policy.hpp"

namespace liftlock {
namespace {

[[noreturn]] void refuse(const ApiKey& maker, std::string_view member, std::string_view why) {
  throw Error(ErrorCode::forbidden,
              fmt::format("{}: the key {} {}, and makes none that may more", member, maker.id, why),
              "ask for less, or make the key on the server: `liftlock key add`");
}

/// A name, or a pattern that the maker has as it is: whether a pattern is part of another one is not guessed.
bool is_covered(const std::string& model, const std::vector<std::string>& patterns) {
  const bool is_pattern = model.find_first_of("*?") != std::string::npos;
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const auto& one) { return one == model || (!is_pattern && matches_glob(one, model)); });
}

void require_models(const ApiKey& wanted, const ApiKey& maker) {
  if (maker.models.empty()) return;
  if (wanted.models.empty()) refuse(maker, "models", "is not for all models");
  for (const auto& model : wanted.models) {
    if (!is_covered(model, maker.models)) refuse(maker, "models", fmt::format("is not for '{}'", printable(model)));
  }
}

/// 0: without a limit.
void require_limit(std::string_view member, std::uint64_t wanted, std::uint64_t own, const ApiKey& maker) {
  if (own == 0 || (wanted != 0 && wanted <= own)) return;
  refuse(maker, member, fmt::format("has at most {}", own));
}

void require_end(const ApiKey& wanted, const ApiKey& maker) {
  if (!maker.expires || (wanted.expires && *wanted.expires <= *maker.expires)) return;
  refuse(maker, "expires", fmt::format("ends at {}", format_time(*maker.expires)));
}

/// What the maker says holds for models, too, that have a mode of their own: where it says nothing, neither does that.
void require_record(const ApiKey& wanted, const ApiKey& maker, RecordMode site_mode) {
  if (wanted.record == maker.record) return;
  const auto own = parse_record_mode(maker.record).value_or(site_mode);
  const auto mode = parse_record_mode(wanted.record);
  if (mode && *mode <= own) return;  // from the fullest to the emptiest
  refuse(maker, "record", fmt::format("is recorded as {}", name(own)));
}

}  // namespace

bool is_within(UserRole other, UserRole maker) {
  constexpr std::array k_rights = {Right::ask, Right::load, Right::keys, Right::records};
  return std::all_of(k_rights.begin(), k_rights.end(),
                     [&](auto right) { return may(maker, right) || !may(other, right); });
}

void require_within(const ApiKey& wanted, const ApiKey& maker, const Labels& labels, RecordMode site_mode) {
  if (!is_within(wanted.role, maker.role))
    refuse(maker, "role", fmt::format("may not all that the role {} may", name(wanted.role)));
  require_models(wanted, maker);
  require_limit("requests_per_minute", wanted.limits.requests_per_minute, maker.limits.requests_per_minute, maker);
  require_limit("tokens_per_minute", wanted.limits.tokens_per_minute, maker.limits.tokens_per_minute, maker);
  require_limit("tokens_per_day", wanted.limits.tokens_per_day, maker.limits.tokens_per_day, maker);
  require_end(wanted, maker);
  if (labels.in_use() && !maker.label.empty() && !labels.knows(maker.label))
    refuse(maker, "label", "has a label that the site does not know any more");
  if (!labels.is_within(wanted.label, maker.label))
    refuse(maker, "label",
           maker.label.empty() ? std::string("has the lowest label")
                               : fmt::format("has the label {}", printable(maker.label)));
  require_record(wanted, maker, site_mode);
}

}  // namespace liftlock
