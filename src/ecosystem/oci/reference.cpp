#include "ecosystem/oci/reference.hpp"

#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::oci {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower_alnum(char c) {
  return (c >= 'a' && c <= 'z') || is_digit(c);
}
bool is_alnum(char c) {
  return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/// What stands between two runs of [a-z0-9]: ".", "_", "__" or dashes.
bool is_separator(std::string_view text) {
  if (text == "." || text == "_" || text == "__") return true;
  return !text.empty() && text.find_first_not_of('-') == std::string_view::npos;
}

bool is_component(std::string_view text) {
  if (text.empty() || !is_lower_alnum(text.front()) || !is_lower_alnum(text.back())) return false;
  std::size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && is_lower_alnum(text[at])) ++at;
    const auto start = at;
    while (at < text.size() && !is_lower_alnum(text[at])) ++at;
    if (at > start && !is_separator(text.substr(start, at - start))) return false;
  }
  return true;
}

bool is_port(std::string_view text) {
  const auto number = parse_uint(text);
  return number && *number > 0 && *number < 65536 && text.size() <= 5;
}

bool is_host(std::string_view text) {
  if (text.size() > 255) return false;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    const auto address = text.substr(1, end - 1);
    const auto is_v6 = [](char c) {
      return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':';
    };
    if (!std::all_of(address.begin(), address.end(), is_v6)) return false;
    const auto rest = text.substr(end + 1);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
  }
  const auto colon = text.find(':');
  if (colon != std::string_view::npos && !is_port(text.substr(colon + 1))) return false;
  for (const auto label : split(text.substr(0, colon), '.')) {
    if (label.empty() || !is_alnum(label.front()) || !is_alnum(label.back())) return false;
    if (!std::all_of(label.begin(), label.end(), [](char c) { return is_alnum(c) || c == '-'; })) return false;
  }
  return true;
}

bool looks_like_host(std::string_view component) {
  return component == "localhost" || component.find_first_of(".:[") != std::string_view::npos;
}

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  fail(ErrorCode::schema_violation, "'{}' is no image reference: {}", printable(text.substr(0, 300)), why);
}

}  // namespace

bool is_repository(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  const auto components = split(text, '/');
  return std::all_of(components.begin(), components.end(), is_component);
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > 128 || (!is_alnum(text.front()) && text.front() != '_')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

bool is_moving_tag(std::string_view tag) {
  static constexpr std::array<std::string_view, 16> k_moving = {
      "latest", "stable", "edge",    "nightly", "main", "master",  "dev",  "devel",
      "head",   "canary", "testing", "rolling", "lts",  "current", "beta", "unstable"};
  return std::find(k_moving.begin(), k_moving.end(), to_lower(tag)) != k_moving.end();
}

Reference parse_reference(std::string_view text) {
  const auto whole = text;
  Reference out;
  if (text.size() > 1024) refuse(whole, "it is longer than 1024 bytes");
  if (const auto at = text.find('@'); at != std::string_view::npos) {
    out.digest = Digest::try_parse(text.substr(at + 1));
    if (!out.digest) refuse(whole, "after '@' stands no sha256: digest");
    text = text.substr(0, at);
  }
  if (const auto slash = text.find('/'); slash != std::string_view::npos && looks_like_host(text.substr(0, slash))) {
    out.host = text.substr(0, slash);
    if (!is_host(out.host)) refuse(whole, "its first part is no HOST or HOST:PORT");
    text = text.substr(slash + 1);
  }
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    out.tag = text.substr(colon + 1);
    if (!is_tag(out.tag)) refuse(whole, "the tag must be 1 to 128 of [A-Za-z0-9._-]");
    text = text.substr(0, colon);
  }
  if (!is_repository(text)) refuse(whole, "the name must be lower-case letters, digits and . _ - / between them");
  out.repository = text;
  return out;
}

std::string Reference::text() const {
  auto out = host.empty() ? repository : host + "/" + repository;
  if (!tag.empty()) out += ":" + tag;
  if (digest) out += "@" + digest->text();
  return out;
}

std::string Reference::version() const {
  if (!tag.empty()) return tag;
  return digest ? digest->text() : "latest";
}

Source parse_source(std::string_view text) {
  Source out;
  const auto local = [&](std::string_view rest) {
    const auto colon = rest.find(':');
    out.path = rest.substr(0, colon);
    if (colon != std::string_view::npos) out.inner = rest.substr(colon + 1);
    if (out.path.empty() || out.path.find('\0') != std::string::npos || out.inner.size() > 1024) {
      fail(ErrorCode::stack_invalid, "the image source '{}' names no file", printable(text));
    }
  };
  if (text.starts_with("docker://")) {
    try {
      out.reference = parse_reference(text.substr(9));
    } catch (const Error& error) {
      throw Error(ErrorCode::stack_invalid, error.message());
    }
    if (out.reference.host.empty()) {
      throw Error(ErrorCode::stack_invalid, fmt::format("the image source '{}' names no registry", printable(text)),
                  "write docker://HOST/NAME:TAG; a short name means something else on every machine");
    }
  } else if (text.starts_with("docker-archive:")) {
    out.kind = Source::Kind::docker_archive;
    local(text.substr(15));
  } else if (text.starts_with("oci:")) {
    out.kind = Source::Kind::layout;
    local(text.substr(4));
  } else {
    throw Error(ErrorCode::stack_invalid, fmt::format("the image source '{}' has no known transport", printable(text)),
                "write docker://HOST/NAME:TAG, docker-archive:FILE or oci:FOLDER");
  }
  return out;
}

std::string Platform::text() const {
  return variant.empty() ? os + "/" + architecture : os + "/" + architecture + "/" + variant;
}

bool Platform::accepts(const Platform& other) const {
  if (os != other.os || architecture != other.architecture) return false;
  if (variant.empty() || variant == other.variant) return true;
  return architecture == "arm64" && variant == "v8" && other.variant.empty();
}

Platform parse_platform(std::string_view text) {
  const auto parts = split(text, '/');
  const auto word = [](std::string_view part) {
    return !part.empty() && part.size() <= 64 && std::all_of(part.begin(), part.end(), [](char c) {
      return is_alnum(c) || c == '_' || c == '.' || c == '-';
    });
  };
  if (parts.size() < 2 || parts.size() > 3 || !std::all_of(parts.begin(), parts.end(), word)) {
    fail(ErrorCode::schema_violation, "'{}' is no platform; write OS/ARCHITECTURE, such as linux/amd64",
         printable(text.substr(0, 100)));
  }
  return {std::string(parts[0]), std::string(parts[1]), parts.size() == 3 ? std::string(parts[2]) : ""};
}

}  // namespace liftlock::oci
