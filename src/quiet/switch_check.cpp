#include "quiet/switch_check.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "base/toml_document.hpp"
#include "os/file.hpp"

namespace liftlock::quiet {
namespace {

constexpr std::uint64_t k_max_settings = 1u << 20;
constexpr std::uint64_t k_max_environment = 8u << 20;

bool accepts(const Switch& one, std::string_view value) {
  switch (one.match) {
    case Match::exact:
      return value == one.value;
    case Match::any_text:
      return !value.empty();
    case Match::any_case:
      break;
  }
  const auto lower = to_lower(value);
  const auto words = split(one.accepted, '|');
  return lower == to_lower(one.value) || std::find(words.begin(), words.end(), lower) != words.end();
}

/// Below the mirror: its address itself, or a path of it, with what a client puts in front ("sparse+"). Of a list
/// (GOPROXY) every member, or "off": a client goes on to the next.
bool is_of_mirror(std::string_view value, std::string_view mirror) {
  if (mirror.empty()) return false;
  if (const auto end = value.find_first_of(",|"); end != std::string_view::npos) {
    const auto rest = value.substr(end + 1);
    return is_of_mirror(value.substr(0, end), mirror) && (rest == "off" || is_of_mirror(rest, mirror));
  }
  if (value.starts_with("sparse+")) value.remove_prefix(7);
  if (!value.starts_with(mirror)) return false;
  value.remove_prefix(mirror.size());
  return value.empty() || value.front() == '/';
}

/// The first of the further places that is not the mirror's: "PIP_EXTRA_INDEX_URL=https://…"; empty: there is none.
std::string leads_elsewhere(const Switch& one, const Environment& environment, std::string_view mirror) {
  for (const auto variable : split(one.further_variables, '|')) {
    const auto given = environment.find(std::string(variable));
    if (given == environment.end()) continue;
    std::string places = given->second;
    std::replace_if(
        places.begin(), places.end(), [](char c) { return c == '\t' || c == '\n' || c == ','; }, ' ');
    for (auto place : split(places, ' ')) {
      // uv: NAME=URL
      const auto scheme = place.find("://"), equals = place.find('=');
      if (equals < scheme && scheme != std::string_view::npos) place.remove_prefix(equals + 1);
      const bool is_folder = place.starts_with('/') || place.starts_with('.') || place.starts_with("file:");
      if (!place.empty() && !is_folder && !is_of_mirror(place, mirror))
        return fmt::format("{}={}", variable, given->second);
    }
  }
  return {};
}

std::optional<std::string> json_setting(std::string_view text, std::string_view key) {
  const auto document = parse_json(text, {.max_bytes = k_max_settings, .max_depth = 16});
  const auto* at = &document;
  for (const auto part : split(key, '.')) {
    if (!at->is_object()) return std::nullopt;
    const auto found = at->find(part);
    if (found == at->end()) return std::nullopt;
    at = &*found;
  }
  return at->is_string() ? at->get<std::string>() : at->dump();
}

std::optional<std::string> toml_setting(std::string_view text, std::string_view key) {
  const auto document = parse_toml(text, ErrorCode::config_invalid);
  const auto node = document.at_path(key);
  if (const auto boolean = node.value_exact<bool>()) return *boolean ? "true" : "false";
  if (const auto word = node.value_exact<std::string>()) return *word;
  return std::nullopt;
}

/// npmrc and pip.conf: `key = value` in lines, the last one counts; sections of pip are [global] and commands'.
std::optional<std::string> key_value_setting(std::string_view text, std::string_view key) {
  std::optional<std::string> out;
  bool counts = true;
  for (auto line : split(text, '\n')) {
    line = trim(line);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line.front() == '[') {
      counts = line == "[global]";
      continue;
    }
    const auto equals = line.find('=');
    const auto name = trim(line.substr(0, equals));
    if (!counts || name != key) continue;
    auto value = equals == std::string_view::npos ? std::string_view("true") : trim(line.substr(equals + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.front() == value.back()) {
      value = value.substr(1, value.size() - 2);
    }
    out = std::string(value);
  }
  return out;
}

SwitchState state_of(const Switch& one, const Environment& environment, const ReadSettings& read_settings,
                     std::string_view mirror) {
  SwitchState state{.what = &one, .how = SwitchState::How::none, .found = {}};
  const auto variable = environment.find(std::string(one.variable));
  if (variable != environment.end() && accepts(one, variable->second)) {
    state.how = SwitchState::How::variable;
    return state;
  }
  if (!one.mirror_variable.empty()) {
    const auto pointed = environment.find(std::string(one.mirror_variable));
    if (pointed != environment.end() && is_of_mirror(pointed->second, mirror)) {
      state.found = leads_elsewhere(one, environment, mirror);
      if (state.found.empty()) state.how = SwitchState::How::mirror;
      return state;
    }
  }
  if (variable != environment.end()) {
    state.found = variable->second;
    return state;
  }
  if (one.file.form == FileForm::none) return state;
  const auto text = read_settings(one.file.path);
  if (!text) return state;
  const auto value = setting_of(*text, one.file);
  if (value && to_lower(*value) == one.file.value) {
    state.how = SwitchState::How::file;
  } else if (value) {
    state.found = fmt::format("{} in ~/{}", *value, one.file.path);
  }
  return state;
}

std::string link_target(const std::string& path) {
  std::string out(4096, '\0');
  const auto size = ::readlink(path.c_str(), out.data(), out.size());
  out.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return out;
}

/// Settings as the process sees them: below its own root. Absent, unreadable and too large are alike: not heeded.
ReadSettings settings_reader(std::string root, const Environment& environment) {
  const auto home = environment.find("HOME");
  if (home == environment.end() || !home->second.starts_with('/')) {
    return [](std::string_view) { return std::nullopt; };
  }
  return [folder = root + home->second](std::string_view path) -> std::optional<std::string> {
    try {
      return read_file(fs::path(folder) / path, k_max_settings);
    } catch (const Error&) {
      return std::nullopt;
    }
  };
}

}  // namespace

Environment parse_environment(std::string_view entries) {
  Environment out;
  while (!entries.empty()) {
    const auto end = std::min(entries.find('\0'), entries.size());
    const auto entry = entries.substr(0, end);
    entries.remove_prefix(std::min(end + 1, entries.size()));
    const auto equals = entry.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    out.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return out;
}

std::optional<std::string> setting_of(std::string_view text, const FileSetting& setting) {
  if (text.size() > k_max_settings) return std::nullopt;
  try {
    switch (setting.form) {
      case FileForm::none:
        return std::nullopt;
      case FileForm::json:
        return json_setting(text, setting.key);
      case FileForm::toml:
        return toml_setting(text, setting.key);
      case FileForm::key_value:
        return key_value_setting(text, setting.key);
    }
  } catch (const Error&) {
  }
  return std::nullopt;
}

std::vector<SwitchState> check_switches(const Environment& environment, const ReadSettings& read_settings,
                                        std::string_view mirror) {
  while (mirror.ends_with('/')) mirror.remove_suffix(1);
  std::vector<SwitchState> out;
  for (const auto& one : all_switches()) out.push_back(state_of(one, environment, read_settings, mirror));
  return out;
}

ProcessView look_at_process(pid_t pid) {
  const auto folder = fmt::format("/proc/{}", pid);
  const auto file = open_file_if_exists(folder + "/environ", O_RDONLY);
  if (!file) {
    throw Error(ErrorCode::not_found, fmt::format("there is no process {}", pid),
                "`ps -e` lists the processes there are");
  }
  ProcessView out;
  out.pid = pid;
  out.program = link_target(folder + "/exe");
  if (out.program.empty()) out.program = std::string(trim(read_file(folder + "/comm", 4096)));
  std::string entries;
  char buffer[65536];
  for (ssize_t got = 0; (got = ::read(file->get(), buffer, sizeof buffer)) != 0;) {
    if (got < 0) fail_errno("read " + folder + "/environ");
    entries.append(buffer, static_cast<std::size_t>(got));
    if (entries.size() > k_max_environment) fail(ErrorCode::limit_exceeded, "the environment of {} is too large", pid);
  }
  out.environment = parse_environment(entries);
  out.read_settings = settings_reader(folder + "/root", out.environment);
  return out;
}

ProcessView look_at_self() {
  ProcessView out;
  out.pid = ::getpid();
  out.program = "this environment";
  for (char** entry = environ; *entry != nullptr; ++entry) {
    out.environment.merge(parse_environment(*entry));
  }
  out.read_settings = settings_reader("", out.environment);
  return out;
}

}  // namespace liftlock::quiet
