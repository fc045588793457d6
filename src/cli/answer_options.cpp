#include "cli/answer_options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_attachment = 4u << 20;

bool is_image(std::string_view content) {
  constexpr std::array<std::string_view, 5> k_magic = {"\x89PNG", "\xff\xd8\xff", "GIF8", "RIFF", "BM"};
  return std::any_of(k_magic.begin(), k_magic.end(), [&](auto magic) { return content.starts_with(magic); });
}

/// Longer than every run of backticks within, so that the text cannot end it.
std::string fence_around(std::string_view text) {
  std::size_t longest = 0, run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return std::string(std::max<std::size_t>(3, longest + 1), '`');
}

}  // namespace

void add_answer_options(CLI::App& command, AnswerOptions& options) {
  command.add_option("MODEL", options.model, "Name or id of a model of the store")->required();
  command.add_option("--system", options.system, "An instruction that stands before everything");
  command.add_option("--temperature", options.temperature, "0: the likeliest words; 1: as the model was trained");
  command.add_option("--max-tokens", options.max_tokens, "The longest answer");
}

Json first_messages(const AnswerOptions& options) {
  auto messages = Json::array();
  if (!options.system.empty()) messages.push_back({{"role", "system"}, {"content", options.system}});
  return messages;
}

Json chat_request(const AnswerOptions& options, const Json& messages) {
  Json request = {{"messages", messages}};
  if (options.temperature) request["temperature"] = *options.temperature;
  if (options.max_tokens) request["max_tokens"] = *options.max_tokens;
  return request;
}

std::string showable(std::string_view words) {
  std::string shown;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto byte = static_cast<unsigned char>(words[i]);
    const auto next = i + 1 < words.size() ? static_cast<unsigned char>(words[i + 1]) : 0;
    // U+0080 to U+009F steer some terminals as the bytes below 0x20 do.
    if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
      ++i;
    } else if ((byte >= 0x20 && byte != 0x7f) || byte == '\n' || byte == '\t') {
      shown += words[i];
    }
  }
  return shown;
}

void print_words(std::string_view words) {
  const auto shown = showable(words);
  std::fwrite(shown.data(), 1, shown.size(), stdout);
  std::fflush(stdout);
}

std::string read_standard_input(std::uint64_t max_bytes) {
  std::string out;
  std::array<char, 65536> block{};
  for (;;) {
    const auto got = ::read(STDIN_FILENO, block.data(), block.size());
    if (got == 0) return out;
    if (got < 0) fail_errno("read standard input");
    out.append(block.data(), static_cast<std::size_t>(got));
    if (out.size() > max_bytes) fail(ErrorCode::limit_exceeded, "standard input has more than {} bytes", max_bytes);
  }
}

std::string read_attachment(const std::string& path) {
  const bool standard_input = path == "-";
  const auto content = standard_input ? read_standard_input(k_max_attachment) : read_file(path, k_max_attachment);
  const auto name = printable(standard_input ? "standard input" : fs::path(path).filename().string());
  if (is_image(content)) {
    throw Error(ErrorCode::usage, fmt::format("{} is an image", name), "only text is attached here");
  }
  if (!is_utf8(content) || content.find('\0') != std::string::npos) {
    throw Error(ErrorCode::usage, fmt::format("{} is no text in UTF-8", name),
                "convert it first: iconv, pdftotext, pandoc");
  }
  const auto fence = fence_around(content);
  return fmt::format("{}:\n{}\n{}{}{}", name, fence, content, content.ends_with('\n') ? "" : "\n", fence);
}

std::string whole_question(std::string_view question, const std::vector<std::string>& attachments) {
  std::string whole;
  for (const auto& attachment : attachments) whole += attachment + "\n\n";
  if (trim(question).empty() && attachments.empty()) {
    throw Error(ErrorCode::usage, "the question is empty", "give it on the command line, or in standard input");
  }
  if (!is_utf8(question)) fail(ErrorCode::usage, "the question is not UTF-8");
  whole += question;
  return std::string(trim(whole));
}

}  // namespace liftlock
