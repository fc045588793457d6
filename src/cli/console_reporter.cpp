#include "cli/console_reporter.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "base/encoding.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr auto k_terminal_interval = std::chrono::milliseconds(100);
constexpr auto k_plain_interval = std::chrono::seconds(5);

std::string amount(Unit unit, std::uint64_t value) {
  return unit == Unit::bytes ? format_size(value) : fmt::format("{}", value);
}

}  // namespace

std::string format_seconds(double seconds) {
  const auto whole = static_cast<std::uint64_t>(seconds + 0.5);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

ConsoleReporter::Style ConsoleReporter::style_for_stderr() {
  return ::isatty(STDERR_FILENO) == 1 ? Style::terminal : Style::plain;
}

ConsoleReporter::~ConsoleReporter() {
  clear_line();
}

Reporter::TaskId ConsoleReporter::begin(std::string_view title, Unit unit, std::uint64_t total) {
  const std::lock_guard lock(m_mutex);
  const auto started = Clock::now();
  m_tasks[m_next] = {printable(title), unit, total, 0, started, started};
  return m_next++;
}

void ConsoleReporter::grow(TaskId task, std::uint64_t more) {
  const std::lock_guard lock(m_mutex);
  if (const auto found = m_tasks.find(task); found != m_tasks.end()) found->second.total += more;
}

void ConsoleReporter::advance(TaskId task, std::uint64_t done) {
  const std::lock_guard lock(m_mutex);
  const auto found = m_tasks.find(task);
  if (found == m_tasks.end()) return;
  found->second.done += done;
  const auto interval =
      m_style == Style::terminal ? Clock::duration(k_terminal_interval) : Clock::duration(k_plain_interval);
  if (Clock::now() - found->second.shown >= interval) show(found->second);
}

void ConsoleReporter::end(TaskId task) {
  const std::lock_guard lock(m_mutex);
  const auto found = m_tasks.find(task);
  if (found == m_tasks.end()) return;
  const double seconds = std::chrono::duration<double>(Clock::now() - found->second.started).count();
  clear_line();
  if (m_style != Style::quiet && found->second.done > 0) {
    const auto& ended = found->second;
    const auto rate =
        ended.unit == Unit::bytes && seconds > 0.05
            ? fmt::format(", {}/s", format_size(static_cast<std::uint64_t>(static_cast<double>(ended.done) / seconds)))
            : std::string();
    line(fmt::format("{}: {} in {:.1f}s{}", ended.title, amount(ended.unit, ended.done), seconds, rate));
  }
  m_tasks.erase(found);
}

void ConsoleReporter::note(std::string_view text) {
  const std::lock_guard lock(m_mutex);
  if (m_style != Style::quiet) line(printable(text));
}

void ConsoleReporter::warn(std::string_view text) {
  const std::lock_guard lock(m_mutex);
  line(fmt::format("warning: {}", printable(text)));
}

std::string ConsoleReporter::describe(const Task& task) const {
  const double seconds = std::chrono::duration<double>(Clock::now() - task.started).count();
  const double rate = seconds > 0 ? static_cast<double>(task.done) / seconds : 0;
  std::string out = fmt::format("{}: {}", task.title, amount(task.unit, task.done));
  if (task.total > 0) {
    out += fmt::format(" of {} ({}%)", amount(task.unit, task.total), task.done * 100 / task.total);
  }
  if (rate > 0 && (task.unit == Unit::bytes || rate >= 1))
    out += fmt::format(", {}/s", amount(task.unit, static_cast<std::uint64_t>(rate)));
  if (rate > 0 && task.total > task.done) {
    out += fmt::format(", {} left", format_seconds(static_cast<double>(task.total - task.done) / rate));
  }
  return out;
}

void ConsoleReporter::show(Task& task) {
  task.shown = Clock::now();
  if (m_style == Style::quiet) return;
  if (m_style == Style::plain) {
    line(describe(task));
    return;
  }
  std::fprintf(stderr, "\r\033[K%s", describe(task).c_str());
  std::fflush(stderr);
  m_line_open = true;
}

void ConsoleReporter::clear_line() {
  if (!m_line_open) return;
  std::fprintf(stderr, "\r\033[K");
  m_line_open = false;
}

void ConsoleReporter::line(std::string_view text) {
  clear_line();
  std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  std::fflush(stderr);
}

}  // namespace liftlock
