#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/model_session.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_batch = 32;
constexpr std::size_t k_max_line = 1u << 20;
constexpr int k_interrupted = 130;

struct Options {
  std::string model;
  std::vector<std::string> texts;
  std::string file;
  bool compare = false;
};

/// 1: the same direction; 0 for a vector without length.
double cosine(const std::vector<double>& one, const std::vector<double>& other) {
  double product = 0, square = 0, other_square = 0;
  for (std::size_t i = 0; i < std::min(one.size(), other.size()); ++i) {
    product += one[i] * other[i];
    square += one[i] * one[i];
    other_square += other[i] * other[i];
  }
  const double both = std::sqrt(square) * std::sqrt(other_square);
  return both > 0 ? product / both : 0;
}

std::vector<double> embed_one(ModelSession& session, const std::string& text) {
  auto said = session.embed({text});
  return said.vectors.empty() ? std::vector<double>() : std::move(said.vectors.front());
}

void compare(Invocation& invocation, ModelSession& session, const std::vector<std::string>& texts) {
  if (texts.size() != 2) fail(ErrorCode::usage, "--compare takes two texts");
  const auto one = embed_one(session, texts[0]), other = embed_one(session, texts[1]);
  if (one.empty() || other.empty()) return invocation.set_status(k_interrupted);
  const auto similarity = cosine(one, other);
  invocation.print({{"model", session.model()}, {"similarity", similarity}},
                   [&] { return fmt::format("{:.4f}", similarity); });
}

/// One line for each text, as it comes: {"index", "embedding"} or the numbers alone.
class Lines {
 public:
  explicit Lines(bool json) : m_json(json) {}

  void print(const std::vector<std::vector<double>>& vectors) {
    for (const auto& vector : vectors) {
      if (m_json) {
        std::puts(dump_json_line({{"index", m_index}, {"embedding", vector}}).c_str());
      } else {
        std::puts(fmt::format("{}", fmt::join(vector, " ")).c_str());
      }
      ++m_index;
    }
    std::fflush(stdout);
  }

 private:
  bool m_json;
  std::size_t m_index = 0;
};

void run(Invocation& invocation, const Options& options) {
  std::ifstream file;
  if (!options.file.empty() && options.file != "-") {
    file.open(options.file);
    if (!file) fail_errno(options.file);
  }
  auto session = open_model_session(invocation, options.model, "embed");
  if (options.compare) return compare(invocation, session, options.texts);
  auto& input = file.is_open() ? static_cast<std::istream&>(file) : std::cin;
  std::size_t next = 0;
  const bool lines = options.texts.empty() || !options.file.empty();
  const auto take = [&](std::string& text) {
    if (next < options.texts.size()) {
      text = options.texts[next++];
      return true;
    }
    return lines && static_cast<bool>(std::getline(input, text));
  };
  Lines out(invocation.json());
  std::vector<std::string> batch;
  std::string text;
  for (bool more = true; more;) {
    more = take(text);
    if (more) {
      if (text.empty() || text.size() > k_max_line || !is_utf8(text)) {
        fail(ErrorCode::usage, "a text must have 1 byte to 1 MiB of UTF-8: '{}'", printable(text.substr(0, 40)));
      }
      batch.push_back(text);
    }
    if (batch.empty() || (more && batch.size() < k_batch)) continue;
    const auto said = session.embed(batch);
    if (said.vectors.empty()) return invocation.set_status(k_interrupted);
    out.print(said.vectors);
    batch.clear();
  }
}

}  // namespace

void add_embed(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("embed", "Turn texts into vectors with an embedding model");
  auto options = std::make_shared<Options>();
  command->add_option("MODEL", options->model, "Name or id of an embedding model of the store")->required();
  command->add_option("TEXT", options->texts, "Texts; none: the lines of standard input");
  command->add_option("--file", options->file, "The lines of a file; - is standard input");
  command->add_flag("--compare", options->compare,
                    "Only how similar two texts are: 1 is equal, 0 has nothing to do with");
  command->footer(
      "Prints one line for each text, in order: its numbers, or with --json {\"index\", \"embedding\"}. The model is "
      "checked\n"
      "and runs as under `serve`; the texts and their vectors go on record.\n"
      "Example: liftlock embed --compare MODEL \"a boat lift\" \"a lock in a canal\"\n"
      "Example: liftlock --json embed MODEL --file titles.txt > titles.ndjson");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
