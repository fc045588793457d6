#include "gateway/request_tags.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_most_tags = 16;
constexpr std::size_t k_longest_tag = 256;

class Tags {
 public:
  void add(std::string_view text) {
    const auto tag = trim(text);
    if (tag.empty() || std::find(m_tags.begin(), m_tags.end(), tag) != m_tags.end()) return;
    if (tag.size() > k_longest_tag) fail(ErrorCode::bad_request, "a tag has at most {} bytes", k_longest_tag);
    if (!is_utf8(tag)) fail(ErrorCode::bad_request, "a tag is not UTF-8");
    if (m_tags.size() == k_most_tags) fail(ErrorCode::bad_request, "a request has at most {} tags", k_most_tags);
    m_tags.emplace_back(tag);
  }
  std::vector<std::string> take() { return std::move(m_tags); }

 private:
  std::vector<std::string> m_tags;
};

}  // namespace

std::vector<std::string> tags_of(const HttpRequest& request, const Json& document) {
  Tags tags;
  for (auto rest = request.header("X-Liftlock-Tags"); !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    tags.add(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  if (!document.is_object()) return tags.take();
  if (const auto metadata = document.find("metadata"); metadata != document.end() && metadata->is_object()) {
    for (const auto& [key, value] : metadata->items()) {
      if (value.is_string()) tags.add(key + ":" + value.get_ref<const std::string&>());
    }
  }
  if (const auto user = document.find("user"); user != document.end() && user->is_string())
    tags.add("end-user:" + user->get<std::string>());
  return tags.take();
}

}  // namespace liftlock
