#include "ecosystem/yaml.hpp"

#include <yaml.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

class Reader {
 public:
  Reader(std::string_view text, std::string_view what, YamlLimits limits) : m_what(what), m_limits(limits) {
    if (text.size() > limits.max_bytes) {
      fail(ErrorCode::limit_exceeded, "{} is larger than {}", what, format_size(limits.max_bytes));
    }
    if (!is_utf8(text)) fail(ErrorCode::package_malformed, "{} is not UTF-8", what);
    if (yaml_parser_initialize(&m_parser) == 0) fail(ErrorCode::internal, "libyaml has no parser");
    yaml_parser_set_encoding(&m_parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&m_parser, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~Reader() { yaml_parser_delete(&m_parser); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Json read() {
    bool ended = false;
    bool begun = false;
    while (!ended) {
      yaml_event_t event;
      if (yaml_parser_parse(&m_parser, &event) == 0) {
        fail(ErrorCode::package_malformed, "{} is no sound YAML at line {}: {}", m_what, m_parser.problem_mark.line + 1,
             printable(m_parser.problem != nullptr ? m_parser.problem : "unknown"));
      }
      const std::unique_ptr<yaml_event_t, decltype(&yaml_event_delete)> owner(&event, yaml_event_delete);
      if (event.type == YAML_DOCUMENT_START_EVENT) {
        if (begun) fail(ErrorCode::package_malformed, "{} holds more than one document", m_what);
        begun = true;
      }
      ended = event.type == YAML_STREAM_END_EVENT;
      take(event);
    }
    return std::move(m_root);
  }

 private:
  [[noreturn]] void anchor() const {
    fail(ErrorCode::package_malformed, "{} uses anchors, which are not read: they can unfold to any size", m_what);
  }

  void take(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_ALIAS_EVENT:
        anchor();
      case YAML_SCALAR_EVENT:
        if (event.data.scalar.anchor != nullptr) anchor();
        return scalar(event);
      case YAML_SEQUENCE_START_EVENT:
        if (event.data.sequence_start.anchor != nullptr) anchor();
        return open(Json::array());
      case YAML_MAPPING_START_EVENT:
        if (event.data.mapping_start.anchor != nullptr) anchor();
        return open(Json::object());
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        m_open.pop_back();
        return;
      default:
        return;
    }
  }

  void scalar(const yaml_event_t& event) {
    std::string text(reinterpret_cast<const char*>(event.data.scalar.value), event.data.scalar.length);
    if (wants_key()) {
      const auto [place, is_new] = m_open.back().container->get_ref<Json::object_t&>().try_emplace(text);
      if (!is_new) {
        fail(ErrorCode::json_duplicate_key, "the key '{}' stands twice in {}",
             printable(std::string_view(text).substr(0, 100)), m_what);
      }
      m_open.back().member = &place->second;
      return;
    }
    const bool plain = event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const bool null = plain && (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL");
    place(null ? Json() : Json(std::move(text)));
  }

  bool wants_key() const {
    return !m_open.empty() && m_open.back().container->is_object() && m_open.back().member == nullptr;
  }

  Json& place(Json value) {
    if (m_open.empty()) return m_root = std::move(value);
    auto& top = m_open.back();
    if (top.container->is_array()) return top.container->get_ref<Json::array_t&>().emplace_back(std::move(value));
    if (top.member == nullptr) fail(ErrorCode::package_malformed, "{} has a key that is no scalar", m_what);
    auto& out = *std::exchange(top.member, nullptr) = std::move(value);
    return out;
  }

  void open(Json container) {
    if (std::ssize(m_open) >= m_limits.max_depth) {
      fail(ErrorCode::limit_exceeded, "{} is nested deeper than {}", m_what, m_limits.max_depth);
    }
    m_open.push_back({&place(std::move(container)), nullptr});
  }

  struct Open {
    Json* container;
    Json* member;  ///< of an object: where the value of the last key goes; nullptr when a key is next
  };
  std::string_view m_what;
  YamlLimits m_limits;
  yaml_parser_t m_parser{};
  Json m_root;
  std::vector<Open> m_open;  ///< from the root inwards; a container does not move while one within it is open
};

}  // namespace

Json parse_yaml(std::string_view text, std::string_view what, YamlLimits limits) {
  if (text.empty()) return {};  // libyaml ends the process where there is no input at all
  return Reader(text, what, limits).read();
}

}  // namespace liftlock
