#include "base/json.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

[[noreturn]] void wrong_type(std::string_view key, std::string_view where, std::string_view wanted) {
  fail(ErrorCode::schema_violation, "{}: '{}' must be {}", where, key, wanted);
}

/// "line 3, column 14" of the byte that could not be read; bytes count from 1.
std::string place_of(std::string_view text, std::size_t byte) {
  const auto before = text.substr(0, byte == 0 ? 0 : byte - 1);
  const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const auto start = before.rfind('\n');
  return fmt::format("line {}, column {}", line, before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1);
}

/// What the parser missed, without its own name, the place (which we say) and the bytes it read last.
std::string reason_of(const Json::exception& error) {
  std::string_view words = error.what();
  if (const auto dash = words.find(" - "); dash != std::string_view::npos) words.remove_prefix(dash + 3);
  if (const auto bracket = words.find("] "); words.starts_with('[') && bracket != std::string_view::npos) {
    words.remove_prefix(bracket + 2);
  }
  return printable(words.substr(0, words.find("; last read")));
}

/// Builds the value while it is read. The library's own builder with a callback looks through the whole surrounding
/// array at the end of each object, which is quadratic in what a stranger sent.
class StrictBuilder final : public nlohmann::json_sax<Json> {
 public:
  StrictBuilder(std::string_view text, int max_depth) : m_text(text), m_max_depth(max_depth) {
    m_open.reserve(static_cast<std::size_t>(std::max(max_depth, 0)));
  }

  Json take() { return std::move(m_root); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(Json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::value_t::object); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::value_t::array); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    const auto [place, is_new] = m_open.back()->get_ref<Json::object_t&>().try_emplace(name);
    if (!is_new) fail(ErrorCode::json_duplicate_key, "the key '{}' stands twice in one object", printable(name));
    m_member = &place->second;
    return true;
  }

  bool parse_error(std::size_t byte, const std::string&, const Json::exception& error) override {
    fail(ErrorCode::json_invalid, "not valid JSON at {}: {}", place_of(m_text, byte), reason_of(error));
  }

 private:
  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  Json& place(Json value) {
    if (m_open.empty()) return m_root = std::move(value);
    if (m_open.back()->is_array()) return m_open.back()->get_ref<Json::array_t&>().emplace_back(std::move(value));
    return *m_member = std::move(value);
  }

  bool open(Json::value_t container) {
    if (std::ssize(m_open) >= m_max_depth) {
      fail(ErrorCode::limit_exceeded, "JSON nested deeper than {}", m_max_depth);
    }
    m_open.push_back(&place(container));
    return true;
  }

  bool close() {
    m_open.pop_back();
    return true;
  }

  std::string_view m_text;
  int m_max_depth;
  Json m_root;
  std::vector<Json*> m_open;  ///< from the root inwards; a container does not move while one within it is open
  Json* m_member = nullptr;   ///< of the innermost object, between its key and its value
};

/// Hands what Boost.JSON reads to a StrictBuilder. Its parser is several times as fast as the library's own, but says
/// less of what it refuses and rounds some numbers wrong: those are read here, and what it does not take is declined.
class QuickReader {
 public:
  static constexpr std::size_t max_object_size = SIZE_MAX, max_array_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX, max_string_size = SIZE_MAX;
  using Text = boost::json::string_view;
  using Code = boost::system::error_code;

  explicit QuickReader(StrictBuilder& builder) : m_builder(builder) {}

  static bool on_document_begin(Code&) { return true; }
  static bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) { return m_builder.start_object(0); }
  bool on_object_end(std::size_t, Code&) { return m_builder.end_object(); }
  bool on_array_begin(Code&) { return m_builder.start_array(0); }
  bool on_array_end(std::size_t, Code&) { return m_builder.end_array(); }
  bool on_key_part(Text part, std::size_t, Code&) { return add(part); }
  bool on_key(Text part, std::size_t, Code&) { return add(part) && m_builder.key(m_text) && begin_text(); }
  bool on_string_part(Text part, std::size_t, Code&) { return add(part); }
  bool on_string(Text part, std::size_t, Code&) { return add(part) && m_builder.string(m_text) && begin_text(); }
  static bool on_number_part(Text, Code& code) { return decline(code); }  // the text is given whole
  bool on_int64(std::int64_t value, Text text, Code&) {
    return text.starts_with('-') ? m_builder.number_integer(value)
                                 : m_builder.number_unsigned(static_cast<std::uint64_t>(value));
  }
  bool on_uint64(std::uint64_t value, Text, Code&) { return m_builder.number_unsigned(value); }
  bool on_double(double, Text text, Code& code) {
    // A whole number that fits no integer, and minus zero, are the other reader's to judge.
    if (text.find_first_of(".eE") == Text::npos) return decline(code);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return decline(code);
    return m_builder.number_float(value, {});
  }
  bool on_bool(bool value, Code&) { return m_builder.boolean(value); }
  bool on_null(Code&) { return m_builder.null(); }
  static bool on_comment_part(Text, Code& code) { return decline(code); }
  static bool on_comment(Text, Code& code) { return decline(code); }

 private:
  bool add(Text part) {
    m_text.append(part.data(), part.size());
    return true;
  }
  bool begin_text() {
    m_text.clear();
    return true;
  }
  static bool decline(Code& code) {
    code = boost::json::error::syntax;
    return false;
  }

  StrictBuilder& m_builder;
  std::string m_text;  ///< of a key or a string that comes in parts
};

/// nullopt: it is not valid, or not for the quick reader. @throws what StrictBuilder throws
std::optional<Json> read_quickly(std::string_view text, int max_depth) {
  StrictBuilder builder(text, max_depth);
  boost::json::parse_options options;
  options.max_depth = static_cast<std::size_t>(max_depth) + 1;  // the builder refuses before
  boost::json::basic_parser<QuickReader> parser(options, builder);
  QuickReader::Code code;
  const auto used = parser.write_some(false, text.data(), text.size(), code);
  if (code || used != text.size()) return std::nullopt;
  return builder.take();
}

}  // namespace

Json parse_json(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.max_bytes) {
    fail(ErrorCode::limit_exceeded, "a JSON document of {} bytes; at most {} are read", text.size(), limits.max_bytes);
  }
  if (auto value = read_quickly(text, limits.max_depth)) return *std::move(value);
  // This reader says what is wrong, and where; a NUL is the end of the text to it, whatever follows.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    fail(ErrorCode::json_invalid, "not valid JSON at {}: a NUL", place_of(text, nul + 1));
  StrictBuilder builder(text, limits.max_depth);
  Json::sax_parse(text, &builder);
  return builder.take();
}

std::string dump_json(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string dump_json_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json& member(const Json& object, std::string_view key, std::string_view where) {
  if (!object.is_object()) fail(ErrorCode::schema_violation, "{}: an object is expected", where);
  const auto found = object.find(std::string(key));
  if (found == object.end()) fail(ErrorCode::schema_violation, "{}: '{}' is missing", where, key);
  return *found;
}

std::string string_member(const Json& object, std::string_view key, std::string_view where) {
  const auto& value = member(object, key, where);
  if (!value.is_string()) wrong_type(key, where, "a string");
  return value.get<std::string>();
}

std::uint64_t uint_member(const Json& object, std::string_view key, std::string_view where) {
  const auto& value = member(object, key, where);
  if (!value.is_number_unsigned()) wrong_type(key, where, "a whole number that is not negative");
  return value.get<std::uint64_t>();
}

bool bool_member(const Json& object, std::string_view key, std::string_view where) {
  const auto& value = member(object, key, where);
  if (!value.is_boolean()) wrong_type(key, where, "true or false");
  return value.get<bool>();
}

const Json& array_member(const Json& object, std::string_view key, std::string_view where) {
  const auto& value = member(object, key, where);
  if (!value.is_array()) wrong_type(key, where, "an array");
  return value;
}

const Json& object_member(const Json& object, std::string_view key, std::string_view where) {
  const auto& value = member(object, key, where);
  if (!value.is_object()) wrong_type(key, where, "an object");
  return value;
}

std::string string_member_or(const Json& object, std::string_view key, std::string_view fallback,
                             std::string_view where) {
  if (object.is_object() && !object.contains(std::string(key))) return std::string(fallback);
  return string_member(object, key, where);
}

void only_members(const Json& object, std::initializer_list<std::string_view> allowed, std::string_view where) {
  if (!object.is_object()) fail(ErrorCode::schema_violation, "{}: an object is expected", where);
  for (const auto& [key, value] : object.items()) {
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) {
      fail(ErrorCode::schema_violation, "{}: the key '{}' is unknown", where, printable(key));
    }
  }
}

}  // namespace liftlock
