#include "gateway/completions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/answer_fields.hpp"

namespace liftlock {
namespace {

/// What a token is made of; a part of a character is no text, and stands in `bytes` only.
std::string bytes_of(const Json& token) {
  auto text = answer_text(token, "token");
  const auto* bytes = answer_member(token, "bytes");
  if (bytes == nullptr || !bytes->is_array()) return text;
  std::string out;
  for (const auto& byte : *bytes) {
    if (!byte.is_number_unsigned() || byte.get<std::uint64_t>() > 255) return text;
    out += static_cast<char>(byte.get<std::uint64_t>());
  }
  return out;
}

/// OpenAI's way to write a token that is no text: bytes:\xe2\x80
std::string name_of(const Json& token, const std::string& bytes) {
  auto text = answer_text(token, "token");
  if (text == bytes) return text;
  std::string out = "bytes:";
  for (const unsigned char byte : bytes) out += fmt::format("\\x{:02x}", byte);
  return out;
}

std::uint64_t characters_begun(std::string_view bytes) {
  return static_cast<std::uint64_t>(std::count_if(
      bytes.begin(), bytes.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

Json logprob_of(const Json& token) {
  const auto* value = answer_member(token, "logprob");
  return value != nullptr && value->is_number() ? *value : Json();
}

}  // namespace

Json CompletionTranslator::feed(Json answer) {
  if (!answer.is_object()) return answer;
  answer["id"] = m_id;
  answer["object"] = "text_completion";
  const auto choices = answer.find("choices");
  if (choices == answer.end() || !choices->is_array()) return answer;
  for (auto& choice : *choices) {
    const auto* given = answer_member(choice, "logprobs");
    const auto* content = given == nullptr ? nullptr : answer_member(*given, "content");
    if (content != nullptr && content->is_array()) choice["logprobs"] = logprobs(*content);
  }
  return answer;
}

Json CompletionTranslator::logprobs(const Json& content) {
  auto tokens = Json::array(), chosen = Json::array(), likely = Json::array(), offsets = Json::array();
  for (const auto& token : content) {
    const auto bytes = bytes_of(token);
    auto alternatives = Json::object();
    if (const auto* top = answer_member(token, "top_logprobs"); top != nullptr && top->is_array()) {
      for (std::size_t i = 0; i < std::min(top->size(), m_most_alternatives); ++i) {
        alternatives[name_of((*top)[i], bytes_of((*top)[i]))] = logprob_of((*top)[i]);
      }
    }
    const auto name = name_of(token, bytes);
    alternatives[name] = logprob_of(token);
    tokens.push_back(name);
    chosen.push_back(logprob_of(token));
    likely.push_back(std::move(alternatives));
    offsets.push_back(m_offset);
    m_offset += characters_begun(bytes);
  }
  return {{"tokens", std::move(tokens)},
          {"token_logprobs", std::move(chosen)},
          {"top_logprobs", std::move(likely)},
          {"text_offset", std::move(offsets)}};
}

}  // namespace liftlock
