#include "cli/mistakes.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/encoding.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

std::vector<std::string> names_of_commands(CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* child : app.get_subcommands({})) {
    if (!child->get_name().empty() && !child->get_group().empty()) names.push_back(child->get_name());
  }
  return names;
}

/// Where the words lead, as far as they are known.
struct Reading {
  CLI::App* at = nullptr;
  std::string spoken = "liftlock";  ///< "liftlock trust add-key"
  std::optional<std::string> unknown_command;
  std::optional<std::string> unknown_option;
  std::optional<std::string> flag_with_value;
};

/// Options of a command are also looked for in the commands above it.
CLI::Option* find_option(CLI::App* app, const std::string& name) {
  for (; app != nullptr; app = app->get_parent()) {
    if (auto* option = app->get_option_no_throw(name)) return option;
  }
  return nullptr;
}

Reading read_words(CLI::App& app, std::span<char* const> words) {
  Reading out{.at = &app, .spoken = "liftlock", .unknown_command = {}, .unknown_option = {}, .flag_with_value = {}};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string word = words[i];
    if (word == "--") break;
    if (word.size() > 1 && word[0] == '-') {
      const bool is_long = word[1] == '-';
      const auto name = is_long ? word.substr(0, word.find('=')) : word.substr(0, 2);
      const auto* option = find_option(out.at, name);
      if (option == nullptr) {
        if (!out.unknown_option) out.unknown_option = name;
      } else if (option->get_items_expected_max() > 0 && word.size() == name.size()) {
        ++i;
      } else if (option->get_items_expected_max() == 0 && word.size() > name.size() && is_long) {
        out.flag_with_value = name;
      }
      continue;
    }
    if (names_of_commands(*out.at).empty()) continue;
    const auto children = out.at->get_subcommands([&](const CLI::App* child) { return child->get_name() == word; });
    if (children.empty()) {
      out.unknown_command = word;
      break;
    }
    out.at = children.front();
    out.spoken += " " + word;
  }
  return out;
}

std::string guess(std::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  const auto near = nearest(word, views);
  return near ? fmt::format("did you mean '{}'? ", *near) : "";
}

/// A word for what needs the internet, where the high side is asked for it (B30).
struct OnlineWord {
  std::string_view word;
  std::string_view hint;  ///< empty: the remedy of the code
};
constexpr std::string_view k_low_side = "run it on the low side, with liftlock-low, and bring the bundle here";
constexpr std::string_view k_newer = "there is no updater: newer models, engines and programs come across in a bundle";
constexpr std::array k_online_words = {
    OnlineWord{"lock", k_low_side},
    OnlineWord{"fetch", k_low_side},
    OnlineWord{"search", "`liftlock ls` lists what is here; what is not comes in a bundle, from the low side"},
    OnlineWord{"download", ""},
    OnlineWord{"pull", ""},
    OnlineWord{"registry",
               "`liftlock engine ls` lists the engines that came; others come in a bundle, from the low side"},
    OnlineWord{"cloud",
               "`liftlock model ls` lists the models that run here; others come in a bundle, from the low side"},
    OnlineWord{"update", k_newer},
    OnlineWord{"updates", k_newer},
    OnlineWord{"upgrade", k_newer},
};

/// Of a word that is no command, where a command of models, of engines or of the program itself stands.
const OnlineWord* find_online_word(std::string_view group, std::string_view word) {
  if (group != "liftlock" && group != "liftlock engine" && group != "liftlock model") return nullptr;
  const auto* found = std::find_if(k_online_words.begin(), k_online_words.end(),
                                   [&](const OnlineWord& online) { return online.word == word; });
  return found == k_online_words.end() ? nullptr : found;
}

std::vector<std::string> names_of_options(CLI::App* app) {
  std::vector<std::string> names;
  for (; app != nullptr; app = app->get_parent()) {
    for (const auto* option : app->get_options()) {
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

}  // namespace

Error explain_mistake(CLI::App& app, std::span<char* const> words, const CLI::ParseError& error,
                      std::span<const std::string_view> elsewhere, std::string_view other_side) {
  const auto found = read_words(app, words);
  if (found.unknown_command) {
    const auto word = printable(*found.unknown_command);
    const auto* online = other_side == "low" ? find_online_word(found.spoken, word) : nullptr;
    if (online != nullptr) {
      return Error(ErrorCode::offline,
                   fmt::format("`{} {}` needs the internet, and this side has none", found.spoken, word),
                   std::string(online->hint));
    }
    if (found.at == &app && std::find(elsewhere.begin(), elsewhere.end(), word) != elsewhere.end()) {
      return Error(ErrorCode::usage, fmt::format("'{}' is a command of the {} side", word, other_side),
                   fmt::format("run it there, with that side's executable (liftlock-{})", other_side));
    }
    return Error(ErrorCode::usage, fmt::format("{} has no command '{}'", found.spoken, word),
                 fmt::format("{}`{} --help` lists all", guess(word, names_of_commands(*found.at)), found.spoken));
  }
  if (found.unknown_option) {
    const auto word = printable(*found.unknown_option);
    return Error(ErrorCode::usage, fmt::format("`{}` has no option '{}'", found.spoken, word),
                 fmt::format("{}`{} --help` lists all", guess(word, names_of_options(found.at)), found.spoken));
  }
  if (found.flag_with_value && dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
    return Error(ErrorCode::usage, fmt::format("{} of `{}` takes no value", *found.flag_with_value, found.spoken),
                 fmt::format("leave out what stands behind it; see `{} --help`", found.spoken));
  }
  const auto message =
      names_of_commands(*found.at).empty() ? printable(error.what()) : fmt::format("{} needs a command", found.spoken);
  return Error(ErrorCode::usage, message, fmt::format("see `{} --help`", found.spoken));
}

bool names_unknown_command(CLI::App& app, std::span<char* const> words) {
  return read_words(app, words).unknown_command.has_value();
}

}  // namespace liftlock
