#include "guard/guard_profile.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml_document.hpp"

namespace liftlock {
namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t k_max_profile = 64u << 10;
constexpr std::size_t k_max_name = 100;
constexpr std::int64_t k_deepest_nesting = 16;

struct RuleInfo {
  std::string_view name;
  std::string_view remedy;
};
constexpr std::array k_rules = {
    RuleInfo{"type"sv, "leave it out of the stack, or have the type allowed"sv},
    RuleInfo{"file-size"sv, "choose a smaller model or one in several files, or have the limit raised"sv},
    RuleInfo{"bundle-size"sv, "pack with --since, or make two stacks of this one"sv},
    RuleInfo{"file-count"sv, "pack with --since, with --form tar, or make two stacks of this one"sv},
    RuleInfo{"name-length"sv, "rename it at its origin, or pack with --form tar"sv},
    RuleInfo{"path-length"sv,
             "give the bundle's folder or the stack's entry a shorter name, or pack with --form tar"sv},
    RuleInfo{"name-characters"sv, "rename it at its origin, or pack with --form tar"sv},
    RuleInfo{"depth"sv, "move it up at its origin, or pack with --form tar"sv},
    RuleInfo{"nesting"sv, "unpack it at its origin, or have deeper nesting allowed"sv},
    RuleInfo{"nested-type"sv, "leave it out of the stack, or have the type allowed in archives"sv},
    RuleInfo{"unpacked-size"sv, "leave it out of the stack, or have the limit raised"sv},
    RuleInfo{"unpacked-count"sv, "leave it out of the stack, or have the limit raised"sv},
    RuleInfo{"unreadable"sv, "get it again from its origin, or unpack it there"sv},
    RuleInfo{"unsafe-name"sv, "do not unpack it with anything; get it again from its origin"sv},
};
static_assert(k_rules.size() == static_cast<std::size_t>(GuardRule::unsafe_name) + 1);

int line_of(const toml::node& node) {
  return static_cast<int>(node.source().begin.line);
}

/// One table, whose keys are all known.
class ProfileTable {
 public:
  ProfileTable(const toml::table& table, std::string_view where, std::span<const std::string_view> known)
      : m_table(table), m_where(where) {
    for (const auto& [key, node] : table) {
      if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
      const auto near = nearest(key.str(), known);
      throw Error(ErrorCode::unknown_key,
                  fmt::format("line {}: {} has no key '{}'{}", key.source().begin.line, where, printable(key.str()),
                              near ? fmt::format("; did you mean '{}'?", *near) : ""),
                  "correct its spelling or remove it; docs/formats/profile.md lists all keys");
    }
  }

  const toml::node* get(std::string_view key) const { return m_table.get(key); }

  std::string text(std::string_view key, std::string_view example) const {
    const auto* node = required(key, example);
    const auto value = node->value_exact<std::string>();
    if (!value) wrong(*node, key, "a string", example);
    return *value;
  }

  std::set<ContentType> types(std::string_view key) const {
    constexpr auto example = "[\"text\", \"json\"]"sv;
    const auto* node = required(key, example);
    const auto* array = node->as_array();
    if (array == nullptr || array->empty()) wrong(*node, key, "an array of types", example);
    std::set<ContentType> out;
    for (const auto& item : *array) {
      const auto word = item.value_exact<std::string>();
      if (!word) wrong(item, key, "an array of strings", example);
      const auto type = parse_content_type(*word);
      if (!type) {
        const auto near = nearest(*word, content_type_names());
        throw Error(ErrorCode::profile_invalid,
                    fmt::format("line {}: '{}' is no type{}", line_of(item), printable(*word),
                                near ? fmt::format("; did you mean '{}'?", *near) : ""),
                    "docs/formats/profile.md has the table of types");
      }
      out.insert(*type);
    }
    return out;
  }

  /// Where the key is not there, `value` stays.
  void number(std::string_view key, std::uint64_t& value, std::int64_t least, std::int64_t most) const {
    const auto* node = get(key);
    if (node == nullptr) return;
    const auto given = node->value_exact<std::int64_t>();
    if (!given || *given < least || *given > most) {
      fail(ErrorCode::profile_invalid, "line {}: '{}' of {} must be a whole number from {} to {}", line_of(*node), key,
           m_where, least, most);
    }
    value = static_cast<std::uint64_t>(*given);
  }

  void size(std::string_view key, std::uint64_t& value) const {
    const auto* node = get(key);
    if (node == nullptr) return;
    const auto given = node->value_exact<std::string>();
    const auto bytes = given ? parse_size(*given) : std::nullopt;
    if (!bytes || *bytes == 0) wrong(*node, key, "a size", "\"4GB\" or \"2GiB\"");
    value = *bytes;
  }

  const toml::node* required(std::string_view key, std::string_view example) const {
    const auto* node = get(key);
    if (node == nullptr) {
      fail(ErrorCode::profile_invalid, "line {}: {} needs the key '{}', such as {}", line_of(m_table), m_where, key,
           example);
    }
    return node;
  }

 private:
  [[noreturn]] void wrong(const toml::node& node, std::string_view key, std::string_view kind,
                          std::string_view example) const {
    fail(ErrorCode::profile_invalid, "line {}: '{}' of {} must be {}, such as {}", line_of(node), key, m_where, kind,
         example);
  }

  const toml::table& m_table;
  std::string_view m_where;
};

constexpr auto k_most = std::numeric_limits<std::int64_t>::max();

void read_profile_table(const ProfileTable& table, GuardProfile& profile) {
  profile.name = table.text("name", "\"Scan kiosk, plant 4\"");
  if (profile.name.empty() || profile.name.size() > k_max_name) {
    fail(ErrorCode::profile_invalid, "line {}: 'name' of [profile] must have 1 to {} bytes",
         line_of(*table.get("name")), k_max_name);
  }
  profile.types = table.types("types");
  for (const auto type : {ContentType::link, ContentType::device}) {
    if (!profile.types.contains(type)) continue;
    throw Error(ErrorCode::profile_invalid,
                fmt::format("line {}: a bundle holds no '{}'", line_of(*table.get("types")), name(type)),
                "links and devices are in archives only: name them under types of [unpack]");
  }
  table.size("max_file_size", profile.max_file_size);
  table.size("max_bundle_size", profile.max_bundle_size);
  table.number("max_files", profile.max_files, 1, k_most);
  table.number("max_name_length", profile.max_name_length, 1, k_most);
  table.number("max_path_length", profile.max_path_length, 1, k_most);
  table.number("max_depth", profile.max_depth, 1, k_most);
  if (const auto* node = table.get("name_characters")) {
    const auto characters = parse_characters(table.text("name_characters", "\"A-Za-z0-9._-\""));
    if (!characters) {
      throw Error(ErrorCode::profile_invalid,
                  fmt::format("line {}: 'name_characters' of [profile] is no set of characters", line_of(*node)),
                  "printable ASCII without '/', single or in rising ranges, '-' first or last: \"A-Za-z0-9._-\"");
    }
    profile.name_characters = *characters;
  }
}

UnpackRules read_unpack_table(const ProfileTable& table, const GuardProfile& profile) {
  UnpackRules rules;
  (void)table.required("max_nesting", "1");
  std::uint64_t nesting = 0;
  table.number("max_nesting", nesting, 0, k_deepest_nesting);
  rules.max_nesting = static_cast<unsigned>(nesting);
  rules.types = table.get("types") != nullptr ? table.types("types") : profile.types;
  table.number("max_files", rules.max_files, 1, k_most);
  table.size("max_size", rules.max_bytes);
  table.number("max_ratio", rules.max_ratio, 1, k_most);
  return rules;
}

const toml::table* table_of(const toml::table& document, std::string_view key) {
  const auto* node = document.get(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) fail(ErrorCode::profile_invalid, "line {}: '{}' must be a table", line_of(*node), key);
  return node->as_table();
}

}  // namespace

std::string_view name(GuardRule rule) {
  return k_rules.at(static_cast<std::size_t>(rule)).name;
}

std::string_view remedy(GuardRule rule) {
  return k_rules.at(static_cast<std::size_t>(rule)).remedy;
}

std::optional<GuardRule> parse_guard_rule(std::string_view text) {
  for (std::size_t i = 0; i < k_rules.size(); ++i) {
    if (k_rules[i].name == text) return static_cast<GuardRule>(i);
  }
  return std::nullopt;
}

std::optional<std::bitset<256>> parse_characters(std::string_view text) {
  std::bitset<256> out;
  const auto is_one = [](char c) { return c > 0x20 && c < 0x7F && c != '/'; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char first = text[i];
    if (!is_one(first) && first != ' ') return std::nullopt;
    if (i + 2 >= text.size() || text[i + 1] != '-') {
      if (first == '-' && i != 0 && i + 1 != text.size()) return std::nullopt;
      out.set(static_cast<unsigned char>(first));
      continue;
    }
    const char last = text[i + 2];
    if (first == '-' || last <= first || !is_one(last)) return std::nullopt;
    for (char c = first; c <= last; ++c) out.set(static_cast<unsigned char>(c));
    i += 2;
  }
  out.reset('/');
  if (out.none()) return std::nullopt;
  return out;
}

GuardProfile parse_guard_profile(std::string_view text) {
  if (text.size() > k_max_profile) fail(ErrorCode::profile_invalid, "larger than {} bytes", k_max_profile);
  const auto document = parse_toml(text, ErrorCode::profile_invalid);
  static constexpr std::array k_tables = {"profile"sv, "unpack"sv};
  static constexpr std::array k_profile_keys = {
      "name"sv,           "types"sv,           "max_file_size"sv,   "max_bundle_size"sv,
      "max_files"sv,      "max_name_length"sv, "max_path_length"sv, "max_depth"sv,
      "name_characters"sv};
  static constexpr std::array k_unpack_keys = {"max_nesting"sv, "types"sv, "max_files"sv, "max_size"sv, "max_ratio"sv};
  (void)ProfileTable(document, "a profile", k_tables);
  GuardProfile profile;
  const auto* main = table_of(document, "profile");
  if (main == nullptr) fail(ErrorCode::profile_invalid, "the table [profile] is missing");
  read_profile_table(ProfileTable(*main, "[profile]", k_profile_keys), profile);
  if (const auto* unpack = table_of(document, "unpack")) {
    profile.unpack = read_unpack_table(ProfileTable(*unpack, "[unpack]", k_unpack_keys), profile);
  }
  return profile;
}

GuardProfile read_guard_profile(const fs::path& file) {
  // Looked at before it is opened: a pipe would wait for its writer.
  const auto fd = fs::is_regular_file(file) ? open_file_if_exists(file, O_RDONLY) : std::nullopt;
  if (!fd) {
    throw Error(ErrorCode::not_found, fmt::format("there is no profile '{}'", printable(file.string())),
                "docs/guides/guards.md has one to begin with");
  }
  try {
    return parse_guard_profile(read_all(fd->get(), k_max_profile + 1, file.string()));
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", printable(file.filename().string()), error.message()),
                std::string(error.hint()));
  }
}

}  // namespace liftlock
