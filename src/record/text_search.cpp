#include "record/text_search.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "record/answer_parts.hpp"

namespace liftlock {
namespace {

/// JSON in a string of JSON in a string of JSON: a tool's result that a client put into a message.
constexpr int k_levels = 3;

std::optional<std::uint32_t> hex4(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return std::nullopt;
  std::uint32_t out = 0;
  for (const char c : text.substr(at, 4)) {
    out <<= 4;
    if (c >= '0' && c <= '9')
      out |= static_cast<std::uint32_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      out |= static_cast<std::uint32_t>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F')
      out |= static_cast<std::uint32_t>(c - 'A' + 10);
    else
      return std::nullopt;
  }
  return out;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto low = [&](unsigned shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    low(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    low(6);
    low(0);
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    low(12);
    low(6);
    low(0);
  }
}

/// The character of \uXXXX, of two where they are surrogates, and how many bytes follow the \u.
std::optional<std::pair<std::uint32_t, std::size_t>> character(std::string_view text, std::size_t at) {
  const auto first = hex4(text, at);
  if (!first || *first < 0xd800 || *first > 0xdfff)
    return first ? std::optional(std::pair(*first, std::size_t{4})) : std::nullopt;
  if (*first > 0xdbff || text.substr(at + 4, 2) != "\\u") return std::nullopt;
  const auto second = hex4(text, at + 6);
  if (!second || *second < 0xdc00 || *second > 0xdfff) return std::nullopt;
  return std::pair(0x10000 + ((*first - 0xd800) << 10) + (*second - 0xdc00), std::size_t{10});
}

/// The content with the escapes of JSON's strings resolved, as if all of it stood in one; what is no escape stays.
std::string unescaped(std::string_view text) {
  constexpr std::string_view k_escapes = "\"\\/bfnrt", k_meant = "\"\\/\b\f\n\r\t";
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\\', at), text.size());
    out.append(text, at, end - at);
    at = end;
    if (at + 1 >= text.size()) {
      out.append(text, at);
      break;
    }
    if (const auto known = k_escapes.find(text[at + 1]); known != std::string_view::npos) {
      out += k_meant[known];
      at += 2;
    } else if (const auto found = text[at + 1] == 'u' ? character(text, at + 2) : std::nullopt) {
      append_utf8(out, found->first);
      at += 2 + found->second;
    } else {
      out += text[at++];
    }
  }
  return out;
}

}  // namespace

bool holds_text(std::string_view content, std::string_view text) {
  if (content.find(text) != std::string_view::npos) return true;
  std::string inner;
  for (int level = 0; level < k_levels && content.find('\\') != std::string_view::npos; ++level) {
    inner = unescaped(content);
    content = inner;
    if (content.find(text) != std::string_view::npos) return true;
  }
  return false;
}

bool answer_holds(std::string_view answer, std::string_view text) {
  const auto parts = answer_parts(answer);
  return std::any_of(parts.begin(), parts.end(), [&](const auto& part) { return holds_text(part.text, text); });
}

bool tags_hold(const RecordHead& head, std::string_view text) {
  return std::any_of(head.tags.begin(), head.tags.end(),
                     [&](const auto& tag) { return tag.find(text) != std::string::npos; });
}

}  // namespace liftlock
