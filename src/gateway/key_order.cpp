#include "gateway/key_order.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace liftlock {
namespace {

using Keys = std::vector<std::string>;

/// Of keys that are sorted; no two lists have the same one.
void append_key(std::string& out, std::string_view key) {
  out.append(std::to_string(key.size())).append(":").append(key);
}

class KeyReader final : public nlohmann::json_sax<Json> {
 public:
  explicit KeyReader(std::unordered_map<std::string, Keys>& found) : m_found(found) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(std::int64_t) override { return true; }
  bool number_unsigned(std::uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(Json::binary_t&) override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) override { return false; }

  bool start_object(std::size_t) override {
    m_open.emplace_back();
    return true;
  }

  bool key(std::string& name) override {
    m_open.back().push_back(std::move(name));
    return true;
  }

  bool end_object() override {
    auto keys = std::move(m_open.back());
    m_open.pop_back();
    if (std::is_sorted(keys.begin(), keys.end())) return true;
    auto sorted = keys;
    std::sort(sorted.begin(), sorted.end());
    std::string name;
    for (const auto& key : sorted) append_key(name, key);
    m_found.try_emplace(std::move(name), std::move(keys));
    return true;
  }

 private:
  std::unordered_map<std::string, Keys>& m_found;
  std::vector<Keys> m_open;
};

void write(const std::unordered_map<std::string, Keys>& by_keys, const Json& value, std::string& out) {
  if (value.is_array()) {
    out += '[';
    for (const auto& one : value) {
      if (&one != &value.front()) out += ',';
      write(by_keys, one, out);
    }
    out += ']';
  } else if (value.is_object()) {
    std::string name;
    Keys sorted;
    for (const auto& [key, ignored] : value.items()) {
      append_key(name, key);
      sorted.push_back(key);
    }
    const auto found = by_keys.find(name);
    const auto& keys = found == by_keys.end() ? sorted : found->second;
    out += '{';
    for (const auto& key : keys) {
      if (&key != &keys.front()) out += ',';
      out.append(dump_json_line(key)).append(":");
      write(by_keys, value.at(key), out);
    }
    out += '}';
  } else {
    out += dump_json_line(value);
  }
}

}  // namespace

KeyOrder::KeyOrder(std::string_view text) {
  KeyReader reader(m_by_keys);
  Json::sax_parse(text, &reader);
}

std::string KeyOrder::dump(const Json& value) const {
  if (m_by_keys.empty()) return dump_json_line(value);
  std::string out;
  write(m_by_keys, value, out);
  return out;
}

}  // namespace liftlock
