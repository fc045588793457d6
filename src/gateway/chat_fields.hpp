// Reading requests from outside, field by field: whatever was not asked for by name is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace liftlock {

/// @throws Error{bad_request} "messages[0].role: must be …"
[[noreturn]] void refuse_field(std::string_view path, std::string_view what);

/// The members of one object of a request. Each call names a member that is known; finish() refuses the rest, so that
/// the calls are the allow-list. A member that is null is as good as absent: clients write out what they did not set.
/// Members that are passed go to the result as they are.
/// All members @throw Error{bad_request} naming the field by its path.
class FieldReader {
 public:
  /// @param path of the object: "" for the request, "messages[0]". The object must outlive the reader.
  FieldReader(const Json& object, std::string path);

  /// nullptr: absent.
  const Json* find(std::string_view key);
  /// Where it must be there.
  const Json& need(std::string_view key);
  /// Empty when absent. Longer than max_bytes is refused.
  std::string text(std::string_view key, std::size_t max_bytes);
  std::string need_text(std::string_view key, std::size_t max_bytes);
  /// One of these words.
  std::string need_choice(std::string_view key, std::initializer_list<std::string_view> choices);
  bool boolean(std::string_view key, bool fallback);
  /// nullptr when absent; else an array of at most max members.
  const Json::array_t* array(std::string_view key, std::size_t max);

  void pass_boolean(std::string_view key);
  void pass_number(std::string_view key, double min, double max);
  void pass_integer(std::string_view key, std::int64_t min, std::int64_t max);
  void pass_text(std::string_view key, std::size_t max_bytes);
  /// Known, and of no meaning here.
  void ignore(std::initializer_list<std::string_view> keys);

  std::string path_of(std::string_view key) const;
  Json& out() { return m_out; }
  /// The result, when every member was known.
  Json finish();

 private:
  const std::string& string_at(std::string_view key, const Json& value, std::size_t max_bytes) const;
  const Json& m_object;
  std::string m_path;
  std::vector<std::string_view> m_known;
  Json m_out = Json::value_t::object;
};

/// @throws Error{bad_request} for another word. @return the word
std::string require_choice(std::string_view text, std::initializer_list<std::string_view> choices,
                           std::string_view path);
/// A number within the range. @throws Error{bad_request}
void require_number(const Json& value, double min, double max, std::string_view path);
/// @throws Error{bad_request}
std::int64_t require_integer(const Json& value, std::int64_t min, std::int64_t max, std::string_view path);
const std::string& require_string(const Json& value, std::size_t max_bytes, std::string_view path);

/// A JSON schema that an engine will make a grammar of: of bounded size, references within itself only, and no
/// repetition that the grammar would spell out without end. @throws Error{bad_request}
void require_schema(const Json& schema, std::string_view path);

/// "data:image/png;base64,…" of a kind and size that is passed; nothing is ever fetched. @throws Error{bad_request}
void require_image(std::string_view url, std::string_view path);

/// Names of models, of tools and ids are short.
inline constexpr std::size_t k_max_name = 256;
/// Texts are bounded by the request as a whole.
inline constexpr std::size_t k_any_text = 16u << 20;

}  // namespace liftlock
