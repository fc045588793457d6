#include "dockerfile/shell_commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace liftlock::dockerfile {
namespace {

/// Does it run a shell, or another program that runs what it reads?
bool is_interpreter(const Words& words) {
  constexpr std::array<std::string_view, 11> k_interpreters = {"sh",     "bash",    "dash", "ash",  "zsh", "ksh",
                                                               "python", "python3", "perl", "ruby", "node"};
  for (const auto& word : words) {
    const auto name = base_name(word);
    if (name == "sudo" || name == "env" || name == "exec" || name == "command" || word.starts_with('-') ||
        word.find('=') != std::string::npos)
      continue;
    return std::find(k_interpreters.begin(), k_interpreters.end(), name) != k_interpreters.end();
  }
  return false;
}

}  // namespace

Words words_of(std::string_view text) {
  Words out;
  std::string word;
  char quote = 0;
  bool any = false;
  const auto end = [&] {
    if (any) out.push_back(word);
    word.clear(), any = false;
  };
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c, any = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      end();
    } else {
      word += c, any = true;
    }
  }
  end();
  return out;
}

std::string plain_form(std::string arguments) {
  if (arguments.starts_with('[')) {
    std::replace_if(
        arguments.begin(), arguments.end(), [](char c) { return c == '[' || c == ']' || c == ','; }, ' ');
  }
  return arguments;
}

std::vector<Command> commands_of(const Instruction& run) {
  const auto text = plain_form(run.shell_text());
  std::vector<Command> out;
  std::string command;
  char quote = 0, before = 0;
  unsigned bars = 0;
  const auto end = [&] {
    auto words = words_of(command);
    if (!words.empty()) {
      out.push_back({std::move(words), bars == 1});
      bars = 0;
    }
    command.clear();
  };
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote) quote = 0;
      command += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      command += c;
    } else if (c == ';' || (c == '&' && before != '>') || c == '|' || c == '\n' || c == '(' || c == ')') {
      end();
      // Of "|&" the bar counts, of "||" none.
      if (c == '|') ++bars;
      if (c != '|' && c != '(' && !(c == '&' && before == '|')) bars = 0;
    } else {
      command += c;
    }
    before = c;
  }
  end();
  return out;
}

bool has(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool has_prefix(const Words& words, std::string_view prefix) {
  return std::any_of(words.begin(), words.end(), [&](const auto& word) { return word.starts_with(prefix); });
}

std::string base_name(std::string_view path) {
  return std::string(path.substr(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1));
}

bool calls(const Words& words, std::initializer_list<std::string_view> programs, std::string_view verb) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto name = base_name(words[i]);
    if (std::find(programs.begin(), programs.end(), name) == programs.end()) continue;
    return verb.empty() || std::find(words.begin() + static_cast<std::ptrdiff_t>(i), words.end(), verb) != words.end();
  }
  return false;
}

bool is_download(const Words& words) {
  return (calls(words, {"curl"}, "") || calls(words, {"wget"}, "")) &&
         std::any_of(words.begin(), words.end(),
                     [](const auto& word) { return word.find("://") != std::string::npos; });
}

bool asks_to_fail(const Words& words) {
  return std::any_of(words.begin(), words.end(), [](const auto& word) {
    return word.starts_with("--fail") ||
           (word.size() > 1 && word[0] == '-' && word[1] != '-' && word.find('f') != std::string::npos &&
            word.find_first_not_of("-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ#0123456789") ==
                std::string::npos);
  });
}

const Words* shell_of_download(const std::vector<Command>& commands) {
  bool downloads = false;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const auto& words = commands[i].words;
    if (!commands[i].is_fed) downloads = false;
    if (is_interpreter(words)) {
      const bool reads_next =
          words.back().ends_with('<') && i + 1 < commands.size() && is_download(commands[i + 1].words);
      const bool holds = std::any_of(words.begin(), words.end(), [](const auto& word) {
        return word.find("$(curl") != std::string::npos || word.find("$(wget") != std::string::npos ||
               word.find("`curl") != std::string::npos || word.find("`wget") != std::string::npos;
      });
      if (downloads || reads_next || holds) return &words;
    }
    downloads = downloads || calls(words, {"curl", "wget"}, "");
  }
  return nullptr;
}

std::string goes_out(const Words& words) {
  struct Client {
    std::string_view program;
    std::vector<std::string_view> verbs;
  };
  static const std::array<Client, 13> k_clients = {{{"git", {"clone", "fetch", "pull", "submodule"}},
                                                    {"npm", {"ci", "install", "i"}},
                                                    {"pnpm", {"install", "i", "add"}},
                                                    {"yarn", {"install", "add"}},
                                                    {"go", {"mod", "get", "install", "build"}},
                                                    {"cargo", {"fetch", "build", "install"}},
                                                    {"apk", {"add", "update", "upgrade"}},
                                                    {"dnf", {"install", "update", "upgrade", "makecache"}},
                                                    {"microdnf", {"install", "update", "upgrade"}},
                                                    {"yum", {"install", "update", "upgrade"}},
                                                    {"zypper", {"install", "in", "refresh"}},
                                                    {"mvn", {""}},
                                                    {"uv", {"sync", "add"}}}};
  for (const auto* told : {"--offline", "--no-network", "-mod=vendor", "--cacheonly"}) {
    if (has(words, told)) return {};
  }
  if (has(words, "mvn") && has(words, "-o")) return {};
  if (has_prefix(words, "GOPROXY=off") || has_prefix(words, "GOFLAGS=-mod=vendor")) return {};
  for (const auto& client : k_clients) {
    for (const auto verb : client.verbs) {
      if (!calls(words, {client.program}, verb)) continue;
      if (client.program == "go" && verb == "mod" && !has(words, "download") && !has(words, "vendor")) continue;
      return verb.empty() ? std::string(client.program) : fmt::format("{} {}", client.program, verb);
    }
  }
  return {};
}

}  // namespace liftlock::dockerfile
