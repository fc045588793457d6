#include "syslog/syslog_shipper.hpp"

#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "audit/signed_note.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/host.hpp"
#include "syslog/syslog_message.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_batch = 256;

std::string origin_of(const AuditLog& log) {
  return NoteKey::parse(log.verifier_key()).name;
}

/// 0 for another log, or when nothing was ever sent.
std::uint64_t read_position(const fs::path& folder, const std::string& origin) {
  const auto file = folder / "position";
  const auto fd = open_file_if_exists(file, O_RDONLY);
  if (!fd) return 0;
  const auto text = read_all(fd->get(), 4096, file.string());
  const auto blank = text.find(' ');
  const auto count = blank == std::string::npos ? std::nullopt : parse_uint(trim(std::string_view(text).substr(blank)));
  if (!count) fail(ErrorCode::schema_violation, "'{}' is no position in a log", printable(file.string()));
  return text.substr(0, blank) == origin ? *count : 0;
}

/// One run of a shipper: the lock, the log, and a connection while it stands.
class Shipping {
 public:
  Shipping(const fs::path& folder, const fs::path& audit_folder, const SyslogTarget& target)
      : m_folder(made(folder)),
        m_target(target),
        m_lock(folder / "lock", "sending audit entries to the collector", FileLock::Wait::no),
        m_log(AuditLog::open_to_read(audit_folder)),
        m_origin(origin_of(m_log)),
        m_position(read_position(folder, m_origin)) {}

  void begin_at(std::uint64_t entry) { m_position = entry; }

  /// Sends the next entries. 0: none waits.
  std::uint64_t send_batch() {
    const auto size = m_log.size();
    if (m_position > size) {
      fail(ErrorCode::log_rolled_back, "{} entries of the audit log were sent to the collector, and there are {}",
           m_position, size);
    }
    if (m_connection && !m_connection->stands()) m_connection.reset();
    if (m_position == size) return 0;
    if (!m_connection) m_connection = std::make_unique<SyslogConnection>(m_target);
    const auto end = std::min(size, m_position + k_batch);
    const auto host = host_name();
    m_log.for_each(m_position, end, [&](const AuditEntry& entry) {
      m_connection->send(syslog_message(entry, m_origin, host));
      return true;
    });
    m_connection->confirm();
    write_file_atomically(m_folder / "position", fmt::format("{} {}\n", m_origin, end));
    const auto count = end - m_position;
    m_position = end;
    return count;
  }

 private:
  static const fs::path& made(const fs::path& folder) {
    make_folders(folder);
    return folder;
  }

  const fs::path m_folder;
  const SyslogTarget& m_target;
  FileLock m_lock;
  AuditLog m_log;
  const std::string m_origin;
  std::uint64_t m_position;
  std::unique_ptr<SyslogConnection> m_connection;
};

}  // namespace

SyslogStanding syslog_standing(const fs::path& folder, const AuditLog& log) {
  SyslogStanding out;
  out.size = log.size();
  out.sent = read_position(folder, origin_of(log));
  if (out.sent < out.size) out.oldest = log.read(out.sent).time;
  return out;
}

std::uint64_t ship_audit(const fs::path& folder, const fs::path& audit_folder, const SyslogTarget& target,
                         std::optional<std::uint64_t> from) {
  ::signal(SIGPIPE, SIG_IGN);  // SSL_write has no MSG_NOSIGNAL
  Shipping shipping(folder, audit_folder, target);
  if (from) shipping.begin_at(*from);
  std::uint64_t sent = 0;
  while (const auto count = shipping.send_batch()) sent += count;
  return sent;
}

SyslogShipper::SyslogShipper(fs::path folder, fs::path audit_folder, SyslogTarget target, Reporter& reporter)
    : m_folder(std::move(folder)),
      m_audit_folder(std::move(audit_folder)),
      m_target(std::move(target)),
      m_reporter(reporter) {
  ::signal(SIGPIPE, SIG_IGN);
  m_thread = std::thread([this] { run(); });
}

SyslogShipper::~SyslogShipper() {
  {
    const std::lock_guard guard(m_mutex);
    m_stop = true;
  }
  m_wake.notify_all();
  m_thread.join();
}

bool SyslogShipper::rest(std::chrono::seconds time) {
  std::unique_lock guard(m_mutex);
  return !m_wake.wait_for(guard, time, [&] { return m_stop; });
}

void SyslogShipper::run() {
  constexpr std::chrono::seconds k_shortest(1), k_longest(60);
  auto pause = k_shortest;
  std::string told;  // an error is reported once, not at each try
  do {
    try {
      Shipping shipping(m_folder, m_audit_folder, m_target);
      do {
        while (shipping.send_batch() > 0) {
          pause = k_shortest;
          if (!rest(std::chrono::seconds(0))) return;
        }
        if (!told.empty()) m_reporter.note("audit entries reach the collector again");
        told.clear();
      } while (rest(k_shortest));
      return;
    } catch (const std::exception& error) {
      if (told != error.what()) m_reporter.warn(fmt::format("audit entries wait: {}", printable(error.what())));
      told = error.what();
    }
    if (!rest(pause)) return;
    pause = std::min(2 * pause, k_longest);
  } while (true);
}

}  // namespace liftlock
