#include "offline/attempt.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/encoding.hpp"
#include "base/text.hpp"

namespace liftlock::offline {
namespace {

constexpr std::size_t k_max_command = 200;

std::string program_of(pid_t pid) {
  char path[4096];
  const auto size = ::readlink(fmt::format("/proc/{}/exe", pid).c_str(), path, sizeof path);
  if (size > 0) return std::string(path, static_cast<std::size_t>(size));
  std::ifstream in(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(in, name);
  return name.empty() ? "?" : name;
}

std::string command_of(pid_t pid) {
  std::ifstream in(fmt::format("/proc/{}/cmdline", pid), std::ios::binary);
  std::string text(k_max_command + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  if (!text.empty() && text.back() == '\0') text.pop_back();
  std::replace(text.begin(), text.end(), '\0', ' ');
  if (text.size() > k_max_command) text = text.substr(0, k_max_command) + " …";
  return text;
}

}  // namespace

std::string_view name_of(AttemptKind kind) {
  switch (kind) {
    case AttemptKind::connect:
      return "connect";
    case AttemptKind::send:
      return "send";
    case AttemptKind::name:
      return "name";
    case AttemptKind::socket:
      return "socket";
    case AttemptKind::door:
      return "door";
  }
  return "connect";
}

void Attempts::add(AttemptKind kind, pid_t pid, std::string target) {
  ++m_total;
  auto program = pid > 0 ? program_of(pid) : "?";
  const auto [at, is_new] = m_index.emplace(std::tuple(kind, program, target), m_all.size());
  if (!is_new) {
    ++m_all[at->second].times;
    return;
  }
  if (m_all.size() == k_max) {
    m_index.erase(at);
    ++m_left_out;
    return;
  }
  m_all.push_back({kind, pid, std::move(program), pid > 0 ? command_of(pid) : "", std::move(target), 1});
}

void Attempts::add_unknown(AttemptKind kind, std::string target) {
  const bool known = std::any_of(m_all.begin(), m_all.end(),
                                 [&](const auto& one) { return one.kind == kind && one.target == target; });
  if (!known) add(kind, 0, std::move(target));
}

}  // namespace liftlock::offline
