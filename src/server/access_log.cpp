#include "server/access_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/shown_path.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_waiting = 8u << 20;
constexpr std::size_t k_max_field = 1000;
constexpr unsigned k_old_files = 4;
constexpr std::chrono::milliseconds k_gather{100};

std::string text_of(std::string_view text) {
  return printable(text.substr(0, k_max_field));
}

double milliseconds(std::chrono::nanoseconds time) {
  return std::round(static_cast<double>(time.count()) / 1000) / 1000;
}

/// RFC 3339 with milliseconds.
std::string time_of(std::chrono::system_clock::time_point when) {
  const auto second = std::chrono::floor<std::chrono::seconds>(when);
  auto text = format_time(second);
  text.pop_back();
  return fmt::format("{}.{:03}Z", text, std::chrono::floor<std::chrono::milliseconds>(when - second).count());
}

}  // namespace

std::string access_line(const HttpExchange& exchange, std::chrono::system_clock::time_point ended) {
  Json line = {{"time", time_of(ended)},
               {"status", exchange.status},
               {"bytes", exchange.bytes_sent},
               {"first_ms", milliseconds(exchange.first)},
               {"total_ms", milliseconds(exchange.total)}};
  const auto add = [&](const char* name, std::string_view value) {
    if (!value.empty()) line[name] = text_of(value);
  };
  add("request", exchange.id);
  add("peer", exchange.peer);
  add("method", exchange.method);
  add("path", shown_path(exchange.path));
  if (exchange.note != nullptr) {
    add("user", exchange.note->user);
    add("key", exchange.note->key_id);
    add("model", exchange.note->model);
    add("record", exchange.note->record);
  }
  if (!exchange.whole) line["whole"] = false;
  return dump_json_line(line);
}

AccessLog::AccessLog(AccessLogOptions options) : m_options(std::move(options)), m_thread([this] { run(); }) {}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(m_mutex);
    m_stop = true;
  }
  m_wake.notify_all();
  m_thread.join();
}

void AccessLog::write(const HttpExchange& exchange) {
  const auto line = access_line(exchange, std::chrono::system_clock::now());
  const std::lock_guard lock(m_mutex);
  if (m_waiting.size() + line.size() > k_max_waiting) {
    ++m_dropped;
    return;
  }
  if (m_waiting.empty()) m_wake.notify_all();
  m_waiting += line;
  m_waiting += '\n';
  ++m_count;
}

void AccessLog::run() {
  std::unique_lock lock(m_mutex);
  while (true) {
    m_wake.wait(lock, [this] { return m_stop || !m_waiting.empty(); });
    if (!m_stop) m_wake.wait_for(lock, k_gather, [this] { return m_stop; });
    if (m_waiting.empty()) return;
    const auto batch = std::exchange(m_waiting, {});
    const auto count = std::exchange(m_count, 0);
    lock.unlock();
    try {
      put(batch);
      m_lines += count;
    } catch (const std::exception&) {
      m_dropped += count;
      m_torn = true;
      m_file.reset();
    }
    lock.lock();
  }
}

void AccessLog::put(const std::string& batch) {
  if (!m_options.file) {
    write_all(STDERR_FILENO, batch, "standard error");
    return;
  }
  if (!m_file.valid() || is_moved_away()) open();
  if (const auto size = regular_size(m_file.get(), "the access log");
      size > 0 && size + batch.size() > m_options.max_bytes) {
    rotate();
  }
  write_all(m_file.get(), m_torn ? "\n" + batch : batch, "the access log");
  m_torn = false;
}

void AccessLog::open() {
  make_folders(m_options.file->parent_path());
  m_file = open_file(*m_options.file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0640);
}

bool AccessLog::is_moved_away() const {
  struct stat there {};
  const auto ours = stat_of(m_file.get(), "the access log");
  return ::lstat(m_options.file->c_str(), &there) != 0 || there.st_dev != ours.st_dev || there.st_ino != ours.st_ino;
}

void AccessLog::rotate() {
  const auto old = [&](unsigned number) { return fs::path(fmt::format("{}.{}", m_options.file->string(), number)); };
  for (auto number = k_old_files; number > 1; --number) {
    if (fs::exists(old(number - 1))) rename_file(old(number - 1), old(number));
  }
  rename_file(*m_options.file, old(1));
  open();
}

}  // namespace liftlock
