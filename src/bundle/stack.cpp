#include "bundle/stack.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml_document.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_stack = 1u << 20;
constexpr std::size_t k_max_entries = 10'000;
constexpr std::size_t k_max_name = 100;
constexpr std::string_view k_unknown_hint = "correct its spelling or remove it; docs/formats/stack.md lists all keys";

constexpr std::array<KeySpec, 3> k_stack_keys = {{
    {"name", ValueType::string, true, "The stack's name: letters, digits, '.', '_' and '-'.", "\"demo\""},
    {"channel", ValueType::string, false,
     "The line of bundles that receivers follow, with its own sequence numbers; by default the stack's name.",
     "\"demo\""},
    {"platform", ValueType::string, false,
     "What the receiving machines are, as os/architecture[/variant]; by default \"linux/amd64\".", "\"linux/amd64\""},
}};

/// The line of a value, of a [table]'s header, or of a key: 1 is the first.
template <typename T>
int line_of(const T& node) {
  return static_cast<int>(node.source().begin.line);
}

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
  if (const auto near = nearest(word, known)) return fmt::format("; did you mean '{}'?", *near);
  std::string all;
  for (const auto& one : known) all += fmt::format("{}{}", all.empty() ? "" : ", ", one);
  return "; known are: " + all;
}

std::string_view type_name(ValueType type) {
  switch (type) {
    case ValueType::string:
      return "a string";
    case ValueType::strings:
      return "an array of strings";
    case ValueType::boolean:
      return "true or false";
    case ValueType::string_map:
      return "a table of strings";
  }
  return "";
}

std::optional<std::string> text_value(const toml::node& node) {
  const auto* text = node.as_string();
  if (text == nullptr || text->get().size() > 16 * 1024 || text->get().find('\0') != std::string::npos) {
    return std::nullopt;
  }
  return text->get();
}

/// nullopt when the node does not have that type.
std::optional<Json> value_of(const toml::node& node, ValueType type) {
  switch (type) {
    case ValueType::string:
      if (auto text = text_value(node)) return Json(std::move(*text));
      return std::nullopt;
    case ValueType::boolean:
      if (const auto* flag = node.as_boolean()) return Json(flag->get());
      return std::nullopt;
    case ValueType::strings: {
      const auto* array = node.as_array();
      if (array == nullptr) return std::nullopt;
      auto out = Json::array();
      for (const auto& item : *array) {
        auto text = text_value(item);
        if (!text) return std::nullopt;
        out.push_back(std::move(*text));
      }
      return out;
    }
    case ValueType::string_map: {
      const auto* table = node.as_table();
      if (table == nullptr) return std::nullopt;
      auto out = Json::object();
      for (const auto& [key, item] : *table) {
        auto text = text_value(item);
        if (!text) return std::nullopt;
        out[std::string(key.str())] = std::move(*text);
      }
      return out;
    }
  }
  return std::nullopt;
}

/// The keys of one table as JSON, each checked against its KeySpec.
Json read_keys(const toml::table& table, const std::string& where, std::span<const KeySpec> specs) {
  std::vector<std::string_view> known;
  for (const auto& spec : specs) known.push_back(spec.name);
  auto values = Json::object();
  for (const auto& [key, node] : table) {
    const auto spec = std::find_if(specs.begin(), specs.end(), [&](const auto& one) { return one.name == key.str(); });
    if (spec == specs.end()) {
      throw Error(ErrorCode::unknown_key,
                  fmt::format("line {}: {} has no key '{}'{}", line_of(key), where, printable(key.str()),
                              suggestion(key.str(), known)),
                  std::string(k_unknown_hint));
    }
    auto value = value_of(node, spec->type);
    if (!value) {
      fail(ErrorCode::stack_invalid, "line {}: '{}' of {} must be {}, such as {}", line_of(key), spec->name, where,
           type_name(spec->type), spec->example);
    }
    // As a path it would be the stack's own folder.
    if (spec->required && value->is_string() && value->get_ref<const std::string&>().empty())
      fail(ErrorCode::stack_invalid, "line {}: '{}' of {} is empty: {}", line_of(key), spec->name, where, spec->doc);
    values[std::string(spec->name)] = std::move(*value);
  }
  for (const auto& spec : specs) {
    if (spec.required && !values.contains(std::string(spec.name))) {
      fail(ErrorCode::stack_invalid, "line {}: {} needs the key '{}': {}", line_of(table), where, spec.name, spec.doc);
    }
  }
  return values;
}

Digest digest_of_input(const fs::path& path, const std::string& where) {
  // A pipe would be waited for.
  const auto fd = open_file_if_exists(path, O_RDONLY | O_NONBLOCK);
  if (!fd) {
    fail(ErrorCode::stack_invalid, "{} names the file '{}', which does not exist", where, printable(path.string()));
  }
  if (!S_ISREG(stat_of(fd->get(), path.string()).st_mode)) {
    throw Error(ErrorCode::not_regular,
                fmt::format("{} names '{}', which is no regular file", where, printable(path.string())),
                "name a file: it is read more than once, which no pipe and no device can be");
  }
  return sha256_of_file(fd->get(), path.string());
}

/// What decides on the outcome of resolving, apart from the world outside.
Digest declaration_of(const StackEntry& entry, const Collector& collector, const Stack& stack) {
  auto inputs = Json::object();
  for (const auto& path : collector.input_files(entry, stack.folder)) {
    inputs[path.generic_string()] = digest_of_input(stack.folder / path, entry.where()).hex();
  }
  const Json declaration = {{"table", entry.table},
                            {"name", entry.name},
                            {"platform", stack.platform},
                            {"values", entry.values},
                            {"inputs", std::move(inputs)}};
  return sha256(dump_json_line(declaration));
}

const toml::table& table_of(const toml::node& node, std::string_view what) {
  if (!node.is_table()) {
    fail(ErrorCode::stack_invalid, "line {}: {} must be a table, such as [{}]", line_of(node), what, what);
  }
  return *node.as_table();
}

void check_name(std::string_view name, int line, std::string_view what) {
  if (const auto why = why_not_stack_name(name); !why.empty()) {
    fail(ErrorCode::stack_invalid, "line {}: '{}' cannot be {}: {}", line, printable(name), what, why);
  }
}

void read_entries(const toml::node& node, const Collector& collector, Stack& stack) {
  const auto table_name = std::string(collector.table());
  for (const auto& [name, entry_node] : table_of(node, fmt::format("{}.NAME", table_name))) {
    const StackEntry named{.table = table_name, .name = std::string(name.str()), .values = {}, .declared = sha256("")};
    check_name(named.name, line_of(name), "the name of an entry");
    auto entry = named;
    entry.values =
        read_keys(table_of(entry_node, fmt::format("{}.{}", table_name, named.name)), named.where(), collector.keys());
    entry.declared = declaration_of(entry, collector, stack);
    stack.entries.push_back(std::move(entry));
    if (stack.entries.size() > k_max_entries) fail(ErrorCode::stack_invalid, "more than {} entries", k_max_entries);
  }
}

bool is_platform(std::string_view text) {
  const auto parts = split(text, '/');
  return (parts.size() == 2 || parts.size() == 3) && std::all_of(parts.begin(), parts.end(), [](auto part) {
           return !part.empty() && part.size() <= 32 && std::all_of(part.begin(), part.end(), [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
           });
         });
}

void read_stack_table(const toml::table& document, Stack& stack) {
  const auto* node = document.get("stack");
  if (node == nullptr) fail(ErrorCode::stack_invalid, "the table [stack] with the stack's name is missing");
  const auto& table = table_of(*node, "stack");
  const auto values = read_keys(table, "[stack]", k_stack_keys);
  const auto line = [&](std::string_view key) { return line_of(table.contains(key) ? *table.get(key) : *node); };
  stack.name = values.at("name").get<std::string>();
  stack.channel = values.value("channel", stack.name);
  stack.platform = values.value("platform", std::string("linux/amd64"));
  check_name(stack.name, line("name"), "a stack's name");
  check_name(stack.channel, line("channel"), "a channel's name");
  if (!is_platform(stack.platform)) {
    fail(ErrorCode::stack_invalid, "line {}: '{}' is no platform such as linux/amd64", line("platform"),
         printable(stack.platform));
  }
}

}  // namespace

std::span<const KeySpec> stack_keys() {
  return k_stack_keys;
}

std::string why_not_stack_name(std::string_view name) {
  if (name.empty() || name.size() > k_max_name) return fmt::format("it must have 1 to {} bytes", k_max_name);
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (!is_alphanumeric(name.front())) return "it must begin with a letter or a digit";
  for (const char c : name) {
    if (!is_alphanumeric(c) && c != '.' && c != '_' && c != '-')
      return "it has more than letters, digits, '.', '_', '-'";
  }
  return {};
}

const StackEntry* Stack::find(std::string_view table, std::string_view entry_name) const {
  for (const auto& entry : entries) {
    if (entry.table == table && entry.name == entry_name) return &entry;
  }
  return nullptr;
}

const Collector* find_collector(Collectors collectors, std::string_view table) {
  for (const auto* collector : collectors) {
    if (collector->table() == table) return collector;
  }
  return nullptr;
}

Stack parse_stack(std::string_view text, const fs::path& folder, Collectors collectors) {
  if (text.size() > k_max_stack) fail(ErrorCode::stack_invalid, "larger than {} bytes", k_max_stack);
  const auto document = parse_toml(text, ErrorCode::stack_invalid);
  std::vector<std::string_view> known{"stack"};
  for (const auto* collector : collectors) known.push_back(collector->table());
  Stack stack{.name = {}, .channel = {}, .platform = {}, .entries = {}, .folder = folder};
  for (const auto& [key, node] : document) {
    if (std::find(known.begin(), known.end(), key.str()) == known.end()) {
      throw Error(ErrorCode::unknown_key,
                  fmt::format("line {}: there is no table '{}'{}", line_of(key), printable(key.str()),
                              suggestion(key.str(), known)),
                  std::string(k_unknown_hint));
    }
  }
  read_stack_table(document, stack);
  for (const auto* collector : collectors) {
    if (const auto* node = document.get(collector->table())) read_entries(*node, *collector, stack);
  }
  std::sort(stack.entries.begin(), stack.entries.end(),
            [](const auto& a, const auto& b) { return std::tie(a.table, a.name) < std::tie(b.table, b.name); });
  return stack;
}

Stack read_stack(const fs::path& file, Collectors collectors) {
  // A pipe would be waited for.
  const auto fd = open_file_if_exists(file, O_RDONLY | O_NONBLOCK);
  if (!fd) {
    throw Error(ErrorCode::not_found, fmt::format("there is no stack file '{}'", printable(file.string())),
                "write one with `liftlock init --stack-file liftlock.toml`, or name another with --stack");
  }
  (void)regular_size(fd->get(), printable(file.string()));
  const auto text = read_all(fd->get(), k_max_stack, file.string());
  try {
    return parse_stack(text, fs::absolute(file).parent_path(), collectors);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: {}", printable(file.filename().string()), error.message()),
                std::string(error.hint()));
  }
}

}  // namespace liftlock
