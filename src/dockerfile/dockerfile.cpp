#include "dockerfile/dockerfile.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::dockerfile {
namespace {

constexpr std::size_t k_max_documents = 64;
constexpr std::array<std::string_view, 18> k_names = {
    "ADD",   "ARG",        "CMD",     "COPY", "ENTRYPOINT", "ENV",        "EXPOSE", "FROM",   "HEALTHCHECK",
    "LABEL", "MAINTAINER", "ONBUILD", "RUN",  "SHELL",      "STOPSIGNAL", "USER",   "VOLUME", "WORKDIR"};

std::string to_upper(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

std::string_view trim_left(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

std::string_view trim_right(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

class Lines {
 public:
  explicit Lines(std::string_view text) : m_rest(text) {}
  std::optional<std::string_view> next() {
    if (m_over) return std::nullopt;
    const auto end = m_rest.find('\n');
    const auto line = m_rest.substr(0, end);
    if (end == std::string_view::npos) {
      m_over = true;
    } else {
      m_rest.remove_prefix(end + 1);
    }
    ++m_number;
    return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
  }
  std::size_t number() const { return m_number; }

 private:
  std::string_view m_rest;
  bool m_over = false;
  std::size_t m_number = 0;
};

/// `# name=value` before anything else. false: the time of directives is over.
bool take_directive(std::string_view line, Dockerfile& out, std::size_t number) {
  line = trim_left(line);
  if (!line.starts_with('#')) return false;
  line.remove_prefix(1);
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) return false;
  const auto name = to_lower(trim(line.substr(0, equals)));
  const auto value = trim(line.substr(equals + 1));
  if (name == "syntax") {
    out.syntax = std::string(value);
  } else if (name == "escape") {
    if (value != "\\" && value != "`") fail(ErrorCode::usage, "line {}: the escape character is \\ or `", number);
    out.escape = value[0];
  } else {
    return name == "check";
  }
  return true;
}

/// Cuts the escape character off a line that goes on.
bool is_continued(std::string_view& line, char escape) {
  const auto trimmed = trim_right(line);
  if (trimmed.empty() || trimmed.back() != escape) return false;
  line = trimmed.substr(0, trimmed.size() - 1);
  return true;
}

void take_flags(Instruction& instruction) {
  std::string_view rest = trim_left(instruction.arguments);
  while (rest.starts_with("--")) {
    std::string flag;
    char quote = 0;
    std::size_t at = 0;
    for (; at < rest.size() && (quote != 0 || !is_blank(rest[at])); ++at) {
      if (quote == 0 && (rest[at] == '"' || rest[at] == '\'')) {
        quote = rest[at];
      } else if (rest[at] == quote) {
        quote = 0;
      } else {
        flag += rest[at];
      }
    }
    if (flag.size() == 2) break;
    const auto equals = flag.find('=');
    instruction.flags.emplace_back(to_lower(flag.substr(2, equals == std::string::npos ? equals : equals - 2)),
                                   equals == std::string::npos ? std::string() : flag.substr(equals + 1));
    rest = trim_left(rest.substr(at));
  }
  instruction.arguments = std::string(trim_right(rest));
}

struct HereMark {
  std::string name;
  bool strips_tabs = false;
};

/// `<<NAME`, `<<-NAME`, `<<"NAME"` outside of quotes; `<<<` is something else.
std::vector<HereMark> here_marks(std::string_view text) {
  std::vector<HereMark> out;
  char quote = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (quote != 0) {
      if (text[at] == '\\' && quote == '"')
        ++at;
      else if (text[at] == quote)
        quote = 0;
      continue;
    }
    if (text[at] == '\\') {
      ++at;
      continue;
    }
    if (text[at] == '"' || text[at] == '\'') {
      quote = text[at];
      continue;
    }
    if (!text.substr(at).starts_with("<<")) continue;
    at += 2;
    if (at < text.size() && text[at] == '<') {
      while (at < text.size() && text[at] == '<') ++at;
      --at;
      continue;
    }
    HereMark mark;
    if (at < text.size() && text[at] == '-') mark.strips_tabs = true, ++at;
    const char around = at < text.size() && (text[at] == '"' || text[at] == '\'') ? text[at] : '\0';
    if (around != 0) ++at;
    while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '_' ||
                                (around != 0 && text[at] != around && text[at] != '\n'))) {
      mark.name += text[at++];
    }
    if (around == 0 && at > 0) --at;
    if (!mark.name.empty()) out.push_back(std::move(mark));
  }
  return out;
}

void take_documents(Lines& lines, Instruction& instruction) {
  const auto marks = here_marks(instruction.arguments);
  if (marks.size() > k_max_documents)
    fail(ErrorCode::limit_exceeded, "line {}: too many here-documents", instruction.line);
  for (const auto& mark : marks) {
    HereDocument document{.name = mark.name, .body = {}};
    for (;;) {
      auto line = lines.next();
      if (!line)
        fail(ErrorCode::usage, "line {}: the here-document {} does not end", instruction.line, printable(mark.name));
      if (mark.strips_tabs) {
        while (line->starts_with('\t')) line->remove_prefix(1);
      }
      if (*line == mark.name) break;
      document.body += fmt::format("{}\n", *line);
    }
    instruction.documents.push_back(std::move(document));
  }
}

Instruction make_instruction(std::string_view text, std::size_t line) {
  Instruction out{.line = line};
  text = trim_left(text);
  const auto end = std::min(text.find_first_of(" \t"), text.size());
  out.name = to_upper(text.substr(0, end));
  if (std::find(k_names.begin(), k_names.end(), out.name) == k_names.end()) {
    const auto near = nearest(out.name, k_names);
    throw Error(ErrorCode::usage, fmt::format("line {}: there is no instruction '{}'", line, printable(out.name)),
                near ? fmt::format("did you mean {}?", *near) : std::string());
  }
  out.arguments = std::string(text.substr(end));
  take_flags(out);
  return out;
}

}  // namespace

std::string Instruction::shell_text() const {
  auto out = arguments;
  for (const auto& document : documents) out += "\n" + document.body;
  return out;
}

Dockerfile parse_dockerfile(std::string_view text) {
  if (text.size() > k_max_bytes) fail(ErrorCode::limit_exceeded, "the Dockerfile is larger than {} bytes", k_max_bytes);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (text.find('\0') != std::string_view::npos)
    fail(ErrorCode::usage, "there is a zero byte in it: this is no Dockerfile");
  Dockerfile out;
  Lines lines(text);
  bool directives = true;
  while (auto line = lines.next()) {
    directives = directives && take_directive(*line, out, lines.number());
    const auto trimmed = trim_left(*line);
    if (directives || trimmed.empty() || trimmed.front() == '#') continue;
    const auto begin = lines.number();
    std::string joined;
    auto piece = *line;
    bool goes_on = is_continued(piece, out.escape);
    joined += piece;
    while (goes_on) {
      auto more = lines.next();
      if (!more) break;
      const auto start = trim_left(*more);
      if (start.empty() || start.front() == '#') continue;  // neither ends the instruction
      goes_on = is_continued(*more, out.escape);
      joined += *more;
    }
    if (out.instructions.size() >= k_max_instructions)
      fail(ErrorCode::limit_exceeded, "more than {} instructions", k_max_instructions);
    auto instruction = make_instruction(joined, begin);
    if (instruction.name == "RUN" || instruction.name == "COPY" || instruction.name == "ADD") {
      take_documents(lines, instruction);
    }
    out.instructions.push_back(std::move(instruction));
  }
  if (out.instructions.empty()) fail(ErrorCode::usage, "there is no instruction in it");
  return out;
}

Mount::Mount(std::string_view text) {
  for (const auto part : split(text, ',')) {
    const auto equals = part.find('=');
    m_values.emplace_back(to_lower(trim(part.substr(0, equals))), equals == std::string_view::npos
                                                                      ? std::string()
                                                                      : std::string(trim(part.substr(equals + 1))));
  }
}

std::string_view Mount::value(std::string_view key) const {
  const auto is = [&](std::string_view name) {
    return name == key || (key == "target" && (name == "dst" || name == "destination"));
  };
  for (const auto& [name, value] : m_values) {
    if (is(name)) return value;
  }
  return {};
}

}  // namespace liftlock::dockerfile
