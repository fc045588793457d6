#include "gateway/record_desk.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "gateway/chat_fields.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_longest_name = 4096;
constexpr std::size_t k_longest_text = 1u << 20;
constexpr std::int64_t k_most_found = 10'000;

std::optional<Timestamp> moment(FieldReader& fields, std::string_view key) {
  const auto text = fields.text(key, 64);
  if (text.empty()) return std::nullopt;
  try {
    return parse_time(text);
  } catch (const Error&) {
    fail(ErrorCode::bad_request, "{}: must be a time such as 2026-11-23T06:00:00Z", key);
  }
}

}  // namespace

struct RecordDesk::Impl {
  RecordReader reader;
  AuditLog& log;

  /// A look between its audit entries.
  Json logged(const std::string& type, const std::string& subject, const std::string& actor, const Json& detail,
              const std::function<Json()>& look) {
    Json out;
    logged_effect(log,
                  {.type = type,
                   .actor = actor,
                   .outcome = Outcome::intent,
                   .subject = subject,
                   .detail = dump_json_line(detail)},
                  [&] { out = look(); });
    return out;
  }
};

RecordDesk::RecordDesk(RecordReader reader, AuditLog& log)
    : m_impl(std::make_unique<Impl>(Impl{std::move(reader), log})), m_desk("too many look into the records already") {}

RecordDesk::~RecordDesk() = default;

std::shared_ptr<LiveAnswer> RecordDesk::search(const Json& wanted, const std::string& actor) {
  FieldReader fields(wanted, "");
  RecordReader::Filter filter;
  filter.user = fields.text("user", k_longest_name);
  filter.model = fields.text("model", k_longest_name);
  filter.tag = fields.text("tag", k_longest_name);
  filter.text = fields.text("text", k_longest_text);
  filter.from = moment(fields, "from");
  filter.to = moment(fields, "to");
  const auto* count = fields.find("count");
  const auto most = count == nullptr ? 100 : require_integer(*count, 1, k_most_found, "count");
  fields.finish();
  // The text that is looked for is content itself, and so is a tag: the log holds only that there was one.
  const Json detail = {
      {"user", filter.user}, {"model", filter.model}, {"tag", !filter.tag.empty()}, {"text", !filter.text.empty()}};
  return m_desk.answer([impl = m_impl.get(), filter, most, actor, detail](const std::stop_token& stop) {
    return impl->logged("record.find", "records", actor, detail, [&] {
      auto records = Json::array();
      auto asked = filter;
      asked.stop = stop;
      asked.log = &impl->log;
      bool more = false;
      const auto findings = impl->reader.find(asked, [&](const RecordHead& head) {
        more = std::cmp_equal(records.size(), most);
        if (!more) records.push_back(to_json(head));
        return !more;
      });
      return Json{{"records", std::move(records)},
                  {"more", more},
                  {"searched", findings.searched},
                  {"without_content", findings.without_content},
                  {"damaged", findings.damaged}};
    });
  });
}

std::shared_ptr<LiveAnswer> RecordDesk::read(const std::string& id, const std::string& actor) {
  if (!is_record_id(id)) {
    throw Error(ErrorCode::not_found, fmt::format("'{}' is no record's id: 26 letters and digits", printable(id)),
                fmt::format("POST {} finds ids", k_search_path));
  }
  return m_desk.answer([impl = m_impl.get(), id, actor](const std::stop_token&) {
    return impl->logged("record.read", id, actor, Json::object(), [&] { return to_json(impl->reader.read(id)); });
  });
}

}  // namespace liftlock
