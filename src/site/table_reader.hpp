// Private to the room: a table of config.toml, read key by key. Include it in .cpp files only: toml++ is large.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml_document.hpp"

namespace liftlock {

/// One table of config.toml. Its members' errors name the line; a key that is absent is none.
class TableReader {
 public:
  /// @param table outlives the reader
  /// @param where how messages call it: "[serve]"
  /// @throws Error{unknown_key} for a key that is not among `known`, with the nearest that is
  TableReader(const toml::table& table, std::string where, std::vector<std::string_view> known)
      : m_table(table), m_where(std::move(where)), m_known(std::move(known)) {
    for (const auto& [key, value] : m_table) {
      if (std::find(m_known.begin(), m_known.end(), key.str()) != m_known.end()) continue;
      const auto near = nearest(key.str(), m_known);
      throw Error(ErrorCode::unknown_key,
                  fmt::format("config.toml line {}: {} has no key '{}'{}", key.source().begin.line, m_where,
                              printable(key.str()), near ? fmt::format("; did you mean '{}'?", *near) : ""),
                  "correct its spelling or remove it; docs/formats/config.md lists all keys");
    }
  }

  /// T: std::string, std::int64_t, double or bool, as TOML has them. @throws Error{config_invalid} for another type
  template <typename T>
  std::optional<T> get(std::string_view key) const {
    const auto* node = m_table.get(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->value_exact<T>();
    if (!value) {
      fail(ErrorCode::config_invalid, "config.toml line {}: '{}' of {} has the wrong type", node->source().begin.line,
           key, m_where);
    }
    return value;
  }

  /// Empty when absent. @throws Error{config_invalid} for anything but an array of texts
  std::vector<std::string> texts(std::string_view key) const {
    const auto* node = m_table.get(key);
    if (node == nullptr) return {};
    std::vector<std::string> out;
    if (const auto* array = node->as_array()) {
      for (const auto& one : *array) {
        if (const auto text = one.value_exact<std::string>()) out.push_back(*text);
      }
      if (out.size() == array->size()) return out;
    }
    fail(ErrorCode::config_invalid, "config.toml line {}: '{}' of {} must be an array of strings", line(key), key,
         m_where);
  }

  /// Of a key that is there.
  toml::source_index line(std::string_view key) const { return m_table.get(key)->source().begin.line; }

  /// nullptr when absent. @throws Error{config_invalid} for anything but a table
  const toml::table* table(std::string_view key) const {
    const auto* node = m_table.get(key);
    if (node == nullptr) return nullptr;
    if (!node->is_table()) fail(ErrorCode::config_invalid, "config.toml line {}: '{}' must be a table", line(key), key);
    return node->as_table();
  }

 private:
  const toml::table& m_table;
  std::string m_where;
  std::vector<std::string_view> m_known;
};

/// Gives each text of an array to take; what that throws gets the line. @throws Error{config_invalid}
void read_strings(const TableReader& reader, std::string_view key, const toml::table& table,
                  const std::function<void(const std::string&)>& take);
/// A table of texts, by any keys. @throws Error{config_invalid}
std::map<std::string, std::string> read_names(const toml::table& table, std::string_view where);

}  // namespace liftlock
