#include "ecosystem/pypi/simple_reader.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_page = 64u << 20;
constexpr std::size_t k_max_files = 1'000'000;
constexpr std::string_view k_where = "the repository's index";
constexpr std::string_view k_blank = " \t\r\n\f";

using Links = std::map<std::string, SimpleLink, std::less<>>;

/// The references that indexes write; others stay as they are, and then name no file.
std::string unescape(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, char>, 7> k_references = {{{"&amp;", '&'},
                                                                              {"&lt;", '<'},
                                                                              {"&gt;", '>'},
                                                                              {"&quot;", '"'},
                                                                              {"&#34;", '"'},
                                                                              {"&#39;", '\''},
                                                                              {"&#x27;", '\''}}};
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    bool found = false;
    for (const auto& [reference, c] : k_references) {
      if (text.substr(at).starts_with(reference)) {
        out += c;
        at += reference.size();
        found = true;
        break;
      }
    }
    if (!found) out += text[at++];
  }
  return out;
}

std::optional<Digest> sha256_of_hex(std::string_view hex) {
  return Digest::try_parse("sha256:" + to_lower(hex));
}

std::optional<Digest> sha256_of_fragment(std::string_view href) {
  constexpr std::string_view k_name = "sha256=";
  const auto hash = href.find('#');
  if (hash == std::string_view::npos) return std::nullopt;
  const auto fragment = href.substr(hash + 1);
  for (const auto part : split(fragment, '&')) {
    if (part.starts_with(k_name)) return sha256_of_hex(part.substr(k_name.size()));
  }
  return std::nullopt;
}

void add(Links& links, std::string name, SimpleLink link) {
  if (name.empty() || name.find_first_of("/\\") != std::string::npos || link.href.empty()) return;
  if (links.size() >= k_max_files) fail(ErrorCode::limit_exceeded, "{} lists too many files", k_where);
  links.emplace(std::move(name), std::move(link));
}

/// The value of href among the attributes of one tag; empty when there is none.
std::string_view href_of(std::string_view tag) {
  while (true) {
    const auto begin = tag.find_first_not_of(k_blank);
    if (begin == std::string_view::npos) return {};
    tag.remove_prefix(begin);
    const auto end = std::min(tag.find_first_of(" \t\r\n\f="), tag.size());
    const auto name = tag.substr(0, end);
    tag.remove_prefix(end);
    const auto after = tag.find_first_not_of(k_blank);
    if (after == std::string_view::npos) return {};
    if (tag[after] != '=') {
      tag.remove_prefix(after);
      continue;
    }
    tag.remove_prefix(after + 1);
    const auto value_at = tag.find_first_not_of(k_blank);
    if (value_at == std::string_view::npos) return {};
    tag.remove_prefix(value_at);
    std::string_view value;
    if (tag[0] == '"' || tag[0] == '\'') {
      const auto close = tag.find(tag[0], 1);
      if (close == std::string_view::npos) return {};
      value = tag.substr(1, close - 1);
      tag.remove_prefix(close + 1);
    } else {
      const auto stop = std::min(tag.find_first_of(k_blank), tag.size());
      value = tag.substr(0, stop);
      tag.remove_prefix(stop);
    }
    if (to_lower(name) == "href") return value;
  }
}

/// Where the tag that begins at `at` ends: a '>' outside of quotes.
std::size_t end_of_tag(std::string_view page, std::size_t at) {
  char quote = 0;
  for (; at < page.size(); ++at) {
    const char c = page[at];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      return at;
    }
  }
  return std::string_view::npos;
}

Links read_html(std::string_view page) {
  Links out;
  for (std::size_t at = page.find('<'); at != std::string_view::npos; at = page.find('<', at)) {
    if (page.substr(at).starts_with("<!--")) {
      const auto end = page.find("-->", at);
      if (end == std::string_view::npos) break;
      at = end + 3;
      continue;
    }
    const auto end = end_of_tag(page, at + 1);
    if (end == std::string_view::npos) break;
    const auto tag = page.substr(at + 1, end - at - 1);
    at = end + 1;
    if (tag.size() < 2 || (tag[0] != 'a' && tag[0] != 'A') || k_blank.find(tag[1]) == std::string_view::npos) continue;
    const auto text = page.substr(at, std::min(page.find('<', at), page.size()) - at);
    auto href = unescape(href_of(tag.substr(2)));
    auto digest = sha256_of_fragment(href);
    add(out, unescape(trim(text)), {std::move(href), digest});
  }
  return out;
}

Links read_json(std::string_view page) {
  Links out;
  const auto json = parse_json(page, {.max_bytes = k_max_page, .max_depth = 32});
  for (const auto& file : array_member(json, "files", k_where)) {
    SimpleLink link{string_member(file, "url", k_where), std::nullopt};
    const auto hashes = file.find("hashes");
    if (hashes != file.end() && hashes->is_object())
      link.sha256 = sha256_of_hex(string_member_or(*hashes, "sha256", "", k_where));
    add(out, string_member(file, "filename", k_where), std::move(link));
  }
  return out;
}

}  // namespace

Links read_simple_page(std::string_view page, std::string_view content_type) {
  if (page.size() > k_max_page) fail(ErrorCode::limit_exceeded, "{} has a page of more than 64 MiB", k_where);
  return content_type.find("json") != std::string_view::npos ? read_json(page) : read_html(page);
}

}  // namespace liftlock
