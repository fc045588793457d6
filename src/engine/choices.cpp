#include "engine/choices.hpp"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"

namespace liftlock::engine {
namespace {

constexpr std::string_view k_format = "liftlock.choices/1";
constexpr std::uint64_t k_max_bytes = 16u << 20;
constexpr std::size_t k_remembered = 32;  ///< of one name

Json json_of(const ChoiceMap& choices) {
  auto names = Json::object();
  for (const auto& [name, history] : choices) {
    auto& list = names[name] = Json::array();
    for (const auto& one : history) {
      list.push_back(
          {{"value", one.value}, {"digest", one.digest}, {"since", format_time(one.since)}, {"actor", one.actor}});
    }
  }
  return {{"format", k_format}, {"choices", std::move(names)}};
}

ChoiceMap choices_of(std::string_view text, std::string_view where) {
  const auto json = parse_json(text, {.max_bytes = k_max_bytes, .max_depth = 8});
  if (const auto format = string_member(json, "format", where); format != k_format)
    fail(ErrorCode::too_new, "{} is of format '{}', {} is read", where, printable(format), k_format);
  ChoiceMap out;
  for (const auto& [name, list] : object_member(json, "choices", where).items()) {
    auto& history = out[name];
    for (const auto& one : list) {
      history.push_back({.value = string_member(one, "value", where),
                         .digest = string_member(one, "digest", where),
                         .since = parse_time(string_member(one, "since", where)),
                         .actor = string_member(one, "actor", where)});
    }
    if (history.empty()) fail(ErrorCode::schema_violation, "{}: nothing was chosen for '{}'", where, printable(name));
  }
  return out;
}

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

ChoiceMap Choices::read() const {
  const auto file = open_file_if_exists(m_file, O_RDONLY);
  if (!file) return {};
  return choices_of(read_all(file->get(), k_max_bytes, m_file.string()), m_file.filename().string());
}

std::shared_ptr<const ChoiceMap> Choices::all() const {
  const std::lock_guard lock(m_mutex);
  struct stat status {};
  const bool there = ::stat(m_file.c_str(), &status) == 0;
  const auto inode = there ? static_cast<std::uint64_t>(status.st_ino) : 0;
  const auto size = there ? static_cast<std::uint64_t>(status.st_size) : 0;
  const auto changed = there ? nanoseconds(status.st_ctim) : 0;
  if (!m_known || m_seen.inode != inode || m_seen.size != size || m_seen.changed_ns != changed) {
    m_known = std::make_shared<const ChoiceMap>(read());
    m_seen = {inode, size, changed};
  }
  return m_known;
}

std::optional<Choice> Choices::current(std::string_view name) const {
  const auto known = all();
  const auto found = known->find(name);
  if (found == known->end()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> Choices::names_of(const Choice& choice) const {
  std::vector<std::string> out;
  for (const auto& [name, history] : *all()) {
    if (history.back().value == choice.value && history.back().digest == choice.digest) out.push_back(name);
  }
  return out;
}

std::optional<Choice> Choices::previous(std::string_view name) const {
  const auto known = all();
  const auto found = known->find(name);
  if (found == known->end() || found->second.size() < 2) return std::nullopt;
  return found->second.end()[-2];
}

void Choices::change(const std::function<void(ChoiceMap&)>& edit) {
  auto lock_path = m_file;
  lock_path += ".lock";
  const FileLock lock(lock_path, "a change of " + m_file.filename().string(), FileLock::Wait::yes);
  auto choices = read();
  edit(choices);
  write_file_atomically(m_file, dump_json(json_of(choices)), 0640);
}

void Choices::choose(const std::string& name, const Choice& choice) {
  change([&](ChoiceMap& choices) {
    auto& history = choices[name];
    if (!history.empty() && history.back().value == choice.value && history.back().digest == choice.digest) return;
    history.push_back(choice);
    if (history.size() > k_remembered) history.erase(history.begin());
  });
}

Choice Choices::roll_back(const std::string& name) {
  Choice now_used;
  change([&](ChoiceMap& choices) {
    const auto found = choices.find(name);
    if (found == choices.end() || found->second.size() < 2)
      fail(ErrorCode::not_found, "nothing was in use for '{}' before", printable(name));
    found->second.pop_back();
    now_used = found->second.back();
  });
  return now_used;
}

void Choices::take_back(const std::string& name, const Choice& choice) {
  change([&](ChoiceMap& choices) {
    const auto found = choices.find(name);
    if (found == choices.end() || found->second.back().value != choice.value ||
        found->second.back().digest != choice.digest)
      fail(ErrorCode::busy, "something else was chosen for '{}' meanwhile", printable(name));
    found->second.pop_back();
    if (found->second.empty()) choices.erase(found);
  });
}

void Choices::remove(const std::string& name) {
  change([&](ChoiceMap& choices) {
    if (choices.erase(name) == 0) fail(ErrorCode::not_found, "nothing is chosen for '{}'", printable(name));
  });
}

void Choices::forget(std::string_view value) {
  change([&](ChoiceMap& choices) {
    for (auto& [name, history] : choices) {
      history.erase(std::remove_if(history.begin(), history.end(), [&](const auto& one) { return one.value == value; }),
                    history.end());
    }
    std::erase_if(choices, [](const auto& one) { return one.second.empty(); });
  });
}

}  // namespace liftlock::engine
