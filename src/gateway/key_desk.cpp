#include "gateway/key_desk.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "access/key_document.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "gateway/chat_fields.hpp"
#include "gateway/key_grant.hpp"
#include "record/record_policy.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_longest_text = 200;
constexpr std::size_t k_longest_reason = 2000;
constexpr std::size_t k_most_models = 1000;
constexpr std::int64_t k_most_requests = 1'000'000;
/// The largest number that every reader of JSON keeps exact (RFC 8259 §6).
constexpr std::int64_t k_most_tokens = 9'007'199'254'740'991;

/// 0, as a listed key has it, is no limit.
std::uint64_t limit(FieldReader& fields, std::string_view key, std::int64_t most) {
  const auto* value = fields.find(key);
  return value == nullptr ? 0 : static_cast<std::uint64_t>(require_integer(*value, 0, most, key));
}

std::optional<Timestamp> end_of(FieldReader& fields) {
  const auto text = fields.text("expires", 64);
  if (text.empty()) return std::nullopt;
  std::optional<Timestamp> end;
  try {
    end = parse_time(text);
  } catch (const Error&) {
    refuse_field("expires", "must be a time such as 2027-01-31T00:00:00Z");
  }
  if (*end <= now()) refuse_field("expires", "is past: an end is a time to come");
  return end;
}

std::vector<std::string> models_of(FieldReader& fields) {
  std::vector<std::string> out;
  const auto* models = fields.array("models", k_most_models);
  if (models == nullptr) return out;
  for (std::size_t i = 0; i < models->size(); ++i)
    out.push_back(require_string((*models)[i], k_longest_text, fmt::format("models[{}]", i)));
  return out;
}

ApiKey key_of(const Json& wanted, const Labels& labels) {
  FieldReader fields(wanted, "");
  ApiKey key;
  key.id = KeyRing::new_id();
  key.created = now();
  key.user = fields.need_text("user", k_longest_text);
  if (fields.find("role") != nullptr)
    key.role = parse_user_role(fields.need_choice("role", {"viewer", "operator", "admin", "auditor"})).value();
  key.models = models_of(fields);
  key.limits.requests_per_minute = static_cast<unsigned>(limit(fields, "requests_per_minute", k_most_requests));
  key.limits.tokens_per_minute = limit(fields, "tokens_per_minute", k_most_tokens);
  key.limits.tokens_per_day = limit(fields, "tokens_per_day", k_most_tokens);
  key.expires = end_of(fields);
  key.label = fields.text("label", k_longest_text);
  key.record = fields.text("record", k_longest_text);
  key.note = fields.text("note", k_longest_text);
  fields.finish();
  if (!key.label.empty() && !labels.knows(key.label)) refuse_field("label", "is no label of this site");
  if (!key.record.empty()) require_choice(key.record, {"full", "hash-only", "off"}, "record");
  try {
    KeyRing::require_valid(key);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::usage) throw;
    throw Error(ErrorCode::bad_request, error.message());
  }
  return key;
}

std::string reason_of(const Json& wanted) {
  FieldReader fields(wanted, "");
  std::string reason(trim(fields.need_text("reason", k_longest_reason)));
  fields.finish();
  if (reason.empty()) refuse_field("reason", "must not be empty");
  return reason;
}

/// Of ids that no KeyRing made the audit log need not hold what others wrote.
bool is_key_id(std::string_view id) {
  constexpr std::size_t k_longest = 64;
  const auto is_fit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return !id.empty() && id.size() <= k_longest && std::all_of(id.begin(), id.end(), is_fit);
}

std::optional<ApiKey> find(const KeyRing& ring, const std::string& id) {
  const auto keys = ring.list();
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key.id == id; });
  return found == keys.end() ? std::nullopt : std::optional(*found);
}

/// As the ring has it now: the server may take half a second to hear of a revocation, and nobody makes keys meanwhile.
ApiKey standing(const KeyRing& ring, const std::string& id) {
  auto key = find(ring, id);
  if (!key || key_state(*key) != "valid" || !may(key->role, Right::keys))
    fail(ErrorCode::unauthorized, "the key {} is not valid any more", id);
  return *std::move(key);
}

[[noreturn]] void no_key(std::string_view id) {
  throw Error(ErrorCode::not_found, fmt::format("there is no key '{}'", printable(id)),
              fmt::format("GET {} lists them", KeyDesk::k_keys_path));
}

void revoke_in(KeyRing& ring, const ApiKey& maker, const std::string& id, const std::string& reason) {
  const auto key = find(ring, id);
  // One that cannot be read is nobody's.
  if (key && !is_within(key->role, maker.role)) {
    throw Error(ErrorCode::forbidden,
                fmt::format("{} is the key of an {}: no {} revokes it", id, name(key->role), name(maker.role)),
                "revoke it on the server: `liftlock key revoke`");
  }
  ring.revoke(id, now(), reason);
}

}  // namespace

struct KeyDesk::Impl {
  fs::path file;
  Labels labels;
  RecordMode site_mode;
  AuditLog& log;

  void logged(const std::string& type, const std::string& subject, const std::string& actor, const Json& detail,
              const std::function<void(KeyRing& ring)>& change) const {
    logged_effect(log,
                  {.type = type,
                   .actor = actor,
                   .outcome = Outcome::intent,
                   .subject = subject,
                   .detail = dump_json_line(detail)},
                  [&] {
                    KeyRing ring(file);
                    change(ring);
                  });
  }
};

KeyDesk::KeyDesk(fs::path file, Labels labels, RecordMode site_mode, AuditLog& log)
    : m_impl(std::make_unique<Impl>(Impl{std::move(file), std::move(labels), site_mode, log})),
      m_desk("too many change the keys already") {}

KeyDesk::~KeyDesk() = default;

std::shared_ptr<LiveAnswer> KeyDesk::list() {
  return m_desk.answer([impl = m_impl.get()](const std::stop_token&) {
    return Json{{"keys", keys_json(KeyRing(impl->file, Access::read))}};
  });
}

std::shared_ptr<LiveAnswer> KeyDesk::make(const Json& wanted, const Caller& maker, const std::string& actor) {
  const auto key = key_of(wanted, m_impl->labels);
  return m_desk.answer([impl = m_impl.get(), key, maker = maker.key.id, actor](const std::stop_token&) {
    const auto secret = KeyRing::new_secret();
    impl->logged("key.add", key.id, actor, key_entry(key, sha256(secret)), [&](KeyRing& ring) {
      require_within(key, standing(ring, maker), impl->labels, impl->site_mode);
      ring.add(key, secret);
    });
    auto json = key_json(key);
    json["secret"] = secret;
    return json;
  });
}

std::shared_ptr<LiveAnswer> KeyDesk::revoke(std::string_view path, const Json& wanted, const Caller& maker,
                                            const std::string& actor) {
  const std::string id(path.substr(0, path.find('/')));
  if (path.substr(id.size()) != k_revoke)
    fail(ErrorCode::not_found, "the gateway has no '{}{}'", k_key_path, printable(path));
  if (!is_key_id(id)) no_key(id);
  const auto reason = reason_of(wanted);
  return m_desk.answer([impl = m_impl.get(), id, reason, maker = maker.key.id, actor](const std::stop_token&) {
    if (!KeyRing(impl->file, Access::read).contains(id)) no_key(id);
    impl->logged("key.revoke", id, actor, {{"reason", reason}},
                 [&](KeyRing& ring) { revoke_in(ring, standing(ring, maker), id, reason); });
    return Json{{"id", id}, {"reason", reason}};
  });
}

}  // namespace liftlock
