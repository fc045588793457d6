// What --help, completion and the manual say of every command of this side.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <regex>
#include <set>
#include <utility>

#include "base/reporter.hpp"
#include "base/text.hpp"
#include "cli/program.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

class NoInvocation final : public Invocation {
 public:
  Reporter& reporter() const override { return silent_reporter(); }
  bool json() const override { return false; }
  Site site() const override { return Site("/nonexistent"); }
  void print(const Json&, const std::function<std::string()>&) override {}
  void set_status(int) override {}
  bool confirm(std::string_view) override { return false; }
  std::string actor() const override { return "test"; }
};

struct Tree {
  NoInvocation invocation;
  GlobalOptions options;
  CLI::App app{"test", "liftlock"};

  Tree() { add_everything(app, options, invocation); }

  using Visit = std::function<void(CLI::App& command, const std::string& path)>;
  static void each(CLI::App& at, const std::string& path, const Visit& visit) {
    visit(at, path);
    for (auto* child : at.get_subcommands({})) {
      if (!child->get_name().empty() && !child->get_group().empty())
        each(*child, path + " " + child->get_name(), visit);
    }
  }
  void each(const Visit& visit) { each(app, "liftlock", visit); }
};

struct Commands : testing::Test {
  Tree tree;
};

/// The words of each `liftlock …` in a line of shell; what stands in quotes is one word.
std::vector<std::vector<std::string>> calls_in(std::string_view line) {
  std::vector<std::vector<std::string>> out;
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  const auto end_word = [&] {
    if (in_word) words.push_back(word);
    word.clear();
    in_word = false;
  };
  bool redirected = false;
  const auto end_call = [&] {
    if (std::exchange(redirected, false)) word.clear(), in_word = false;
    end_word();
    const auto begin = std::find(words.begin(), words.end(), "liftlock");
    if (begin != words.end()) out.emplace_back(begin + 1, words.end());
    words.clear();
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != '\0') {
      if (c == quote)
        quote = '\0';
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == '\\' || c == ' ') {
      if (redirected && in_word) {
        word.clear();
        in_word = redirected = false;
      }
      end_word();
    } else if (c == '|' || c == ';' || c == '&') {
      end_call();
    } else if (c == '>' || c == '<') {
      if (word == "2") word.clear(), in_word = false;
      end_word();
      redirected = true;
    } else {
      word += c;
      in_word = true;
    }
  }
  end_call();
  return out;
}

/// Thrown once all words were understood, before the command runs.
struct Parsed {};

/// What stands in a footer behind "Example:" and "Examples:", a line each; one that ends with '\' goes on.
std::vector<std::string> examples_of(const CLI::App& command) {
  std::vector<std::string> out;
  bool listed = false, goes_on = false;
  const auto footer = command.get_footer();
  for (const auto line : split(footer, '\n')) {
    const auto text = trim(line);
    if (text == "Examples:") {
      listed = true;
    } else if (text.starts_with("Example: ") || (listed && line.starts_with("  "))) {
      out.emplace_back(text.starts_with("Example: ") ? text.substr(9) : text);
    } else if (goes_on) {
      out.back() += " " + std::string(text);
    } else {
      listed = false;
    }
    goes_on = text.ends_with("\\");
  }
  return out;
}

TEST_F(Commands, EachHasAnExampleAndEveryExampleParses) {
  tree.each([&](CLI::App& command, const std::string& path) {
    if (!command.get_subcommands({}).empty()) return;  // its commands have them
    const auto examples = examples_of(command);
    EXPECT_FALSE(examples.empty()) << path << " has no example in its --help";
    bool itself = false;
    for (const auto& example : examples) {
      for (auto words : calls_in(example)) {
        Tree other;
        other.app.parse_complete_callback([] { throw Parsed(); });
        std::string spoken = "liftlock";
        for (const auto& word : words) {
          if (spoken + " " + word == path.substr(0, spoken.size() + 1 + word.size())) spoken += " " + word;
        }
        itself = itself || spoken == path;
        std::reverse(words.begin(), words.end());
        try {
          other.app.parse(words);
        } catch (const Parsed&) {
        } catch (const std::exception& error) {
          ADD_FAILURE() << path << ": '" << example << "': " << error.what();
        }
      }
    }
    EXPECT_TRUE(itself) << path << ": no example calls it";
  });
}

TEST_F(Commands, EveryOptionSaysWhatItIs) {
  tree.each([&](CLI::App& command, const std::string& path) {
    EXPECT_FALSE(command.get_description().empty()) << path;
    for (const auto* option : command.get_options()) {
      EXPECT_FALSE(option->get_description().empty()) << path << " " << option->get_name();
    }
  });
}

TEST_F(Commands, CompletionOffersEveryCommandAndOption) {
  const auto script = bash_completion(tree.app);
  tree.each([&](CLI::App& command, const std::string& path) {
    const auto line = fmt::format("    '{}') words='", path);
    const auto begin = script.find(line);
    ASSERT_NE(begin, std::string::npos) << path;
    const auto from = begin + line.size();
    const auto words = " " + script.substr(from, script.find('\'', from) - from) + " ";
    for (const auto* child : command.get_subcommands({})) {
      if (child->get_group().empty()) continue;
      EXPECT_NE(words.find(" " + child->get_name() + " "), std::string::npos) << path << " " << child->get_name();
    }
    for (const auto* option : command.get_options()) {
      if (option->get_group().empty()) continue;
      for (const auto& name : option->get_lnames())
        EXPECT_NE(words.find(" --" + name + " "), std::string::npos) << path << " --" << name;
    }
  });
}

// A value that only --help tells has to be typed by hand; so each option that wants one of a few words says so.
TEST_F(Commands, CompletionOffersTheWordsOfOptionsThatTakeOneOfAFew) {
  const auto script = bash_completion(tree.app);
  std::size_t offered = 0;
  tree.each([&](CLI::App& command, const std::string& path) {
    for (const auto* option : command.get_options()) {
      if (option->get_positional() || option->get_group().empty() || option->get_items_expected_max() == 0) continue;
      // "root, builder or ingest", "txt or md; …": how descriptions tell choices
      static const std::regex choices("(^|: |[(])[a-z0-9-]+( [(][^)]*[)])?(, [a-z0-9-]+)*,? or [a-z0-9-]+([ ;(].*|)$");
      const bool fixed = option->get_type_name().find('{') != std::string::npos;
      for (const auto& name : option->get_lnames()) {
        EXPECT_TRUE(fixed || !std::regex_search(option->get_description(), choices))
            << path << " --" << name << ": " << option->get_description();
        if (!fixed) continue;
        EXPECT_NE(script.find(fmt::format("    '{} --{}') kind=words words='", path, name)), std::string::npos);
        ++offered;
      }
    }
  });
  EXPECT_GE(offered, side_name() == "low" ? 9u : 16u);
  if (side_name() == "low") {
    EXPECT_NE(script.find("    'liftlock pack --form') kind=words words='tree tar' ;;"), std::string::npos);
    EXPECT_NE(script.find("    'liftlock sign --role') kind=words words='builder scanner approver' ;;"),
              std::string::npos);
    EXPECT_NE(script.find("    'liftlock init --zone') kind=words words='low transfer' ;;"), std::string::npos);
  } else {
    EXPECT_NE(script.find("    'liftlock key add --role') kind=words words='viewer operator admin auditor' ;;"),
              std::string::npos);
  }
  EXPECT_NE(script.find("    'liftlock trust threshold') kind=words ;;"), std::string::npos);
}

TEST_F(Commands, TheManualHasAPageOfEachWithItsOptions) {
  const TemporaryFolder folder;
  const auto pages = write_manual(tree.app, folder.path());
  std::size_t expected = 0;
  tree.each([&](CLI::App& command, const std::string& path) {
    ++expected;
    auto name = path;
    for (auto& c : name) c = c == ' ' ? '-' : c;
    const auto page = read_file(folder.path() / (name + ".1"), 1u << 20);
    const auto says = [&](std::string text) {
      for (std::size_t at = 0; (at = text.find('-', at)) != std::string::npos; at += 2) text.insert(at, "\\");
      return page.find(text) != std::string::npos;
    };
    for (const auto* option : command.get_options()) {
      if (option->get_group().empty()) continue;
      for (const auto& one : option->get_lnames()) EXPECT_TRUE(says("--" + one)) << name << " --" << one;
      if (option->get_positional()) {
        EXPECT_TRUE(says(option->get_single_name())) << name;
      }
    }
    for (const auto* child : command.get_subcommands({})) {
      if (!child->get_group().empty()) {
        EXPECT_TRUE(says("\\fB" + child->get_name() + "\\fR")) << name;
      }
    }
  });
  EXPECT_EQ(pages, expected);
}

}  // namespace
}  // namespace liftlock
