#include "gateway/record_desk.hpp"

#include <boost/asio/this_coro.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <variant>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "gateway/chat_fields.hpp"
#include "gateway/dialect.hpp"
#include "gateway/reply.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_most_waiting = 16;
constexpr std::size_t k_longest_name = 4096;
constexpr std::size_t k_longest_text = 1u << 20;
constexpr std::int64_t k_most_found = 10'000;

using Found = std::variant<Json, Error>;
using Taker = std::function<void(Found)>;
/// @param stop asked between two records
using Look = std::function<Json(const std::stop_token& stop)>;

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
  struct Waiting {
    Look look;
    Taker taker;
    std::stop_source stop;
  };

  RecordReader reader;
  AuditLog& log;
  std::mutex mutex;
  std::condition_variable_any changed;
  std::deque<Waiting> queue;
  std::jthread thread;

  Impl(RecordReader its_reader, AuditLog& its_log) : reader(std::move(its_reader)), log(its_log) {
    thread = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  void run(const std::stop_token& stop) {
    for (;;) {
      Waiting next;
      {
        std::unique_lock lock(mutex);
        if (!changed.wait(lock, stop, [&] { return !queue.empty(); })) break;
        next = std::move(queue.front());
        queue.pop_front();
      }
      // The desk's own end stops the look that is under way, too.
      const std::stop_callback end(stop, [&] { next.stop.request_stop(); });
      next.taker(answer_of(next));
    }
    const std::lock_guard lock(mutex);
    for (const auto& one : queue) one.taker(Error(ErrorCode::engine_unavailable, "the server is stopping"));
    queue.clear();
  }

  static Found answer_of(const Waiting& waiting) {
    try {
      if (waiting.stop.stop_requested()) return Json::object();  // nobody is there any more
      return waiting.look(waiting.stop.get_token());
    } catch (const Error& error) {
      return error;
    } catch (const std::exception& error) {
      return Error(ErrorCode::internal, error.what());
    }
  }

  void ask(Waiting waiting) {
    {
      const std::lock_guard lock(mutex);
      const bool ends = thread.get_stop_token().stop_requested();
      if (!ends && queue.size() < k_most_waiting) {
        queue.push_back(std::move(waiting));
        changed.notify_one();
        return;
      }
      if (ends) waiting.stop.request_stop();
    }
    if (waiting.stop.stop_requested())
      return waiting.taker(Error(ErrorCode::engine_unavailable, "the server is stopping"));
    waiting.taker(Error(ErrorCode::overloaded, "too many look into the records already"));
  }

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

namespace {

class Reading final : public LiveAnswer {
 public:
  using Ask = std::function<void(Taker, std::stop_source)>;
  explicit Reading(Ask ask) : m_ask(std::move(ask)) {}
  // The client is gone: what is looked for nobody wants any more.
  ~Reading() override { m_stop.request_stop(); }

  asio::awaitable<void> run(AnswerSink& sink) override {
    Reply<Found> reply(co_await asio::this_coro::executor);
    m_ask(reply.taker(), m_stop);
    const auto found = co_await reply.wait();
    if (const auto* error = std::get_if<Error>(&found)) {
      co_await sink.respond(api_problem(Api::openai, *error));
      co_return;
    }
    auto response = text_response(200, "application/json", dump_json_line(std::get<Json>(found)) + "\n");
    response.set("Cache-Control", "no-store");
    co_await sink.respond(std::move(response));
  }

 private:
  Ask m_ask;
  std::stop_source m_stop;
};

}  // namespace

RecordDesk::RecordDesk(RecordReader reader, AuditLog& log) : m_impl(std::make_shared<Impl>(std::move(reader), log)) {}

RecordDesk::~RecordDesk() {
  m_impl->thread.request_stop();
  m_impl->thread.join();
}

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
  const auto look = [impl = m_impl.get(), filter, most, actor, detail](const std::stop_token& stop) {
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
  };
  return std::make_shared<Reading>([impl = m_impl, look](Taker taker, std::stop_source stop) {
    impl->ask({look, std::move(taker), std::move(stop)});
  });
}

std::shared_ptr<LiveAnswer> RecordDesk::read(const std::string& id, const std::string& actor) {
  if (!is_record_id(id)) {
    throw Error(ErrorCode::not_found, fmt::format("'{}' is no record's id: 26 letters and digits", printable(id)),
                fmt::format("POST {} finds ids", k_search_path));
  }
  const auto look = [impl = m_impl.get(), id, actor](const std::stop_token&) {
    return impl->logged("record.read", id, actor, Json::object(), [&] { return to_json(impl->reader.read(id)); });
  };
  return std::make_shared<Reading>([impl = m_impl, look](Taker taker, std::stop_source stop) {
    impl->ask({look, std::move(taker), std::move(stop)});
  });
}

}  // namespace liftlock
