// The metadata of a GGUF file: keys and typed values, read once from the front and kept as far as somebody may ask for
// them. Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/error.hpp"
#include "ecosystem/model/byte_source.hpp"
#include "ecosystem/model/gguf.hpp"

namespace liftlock::gguf {

enum ValueKind : std::uint32_t {
  k_u8,
  k_i8,
  k_u16,
  k_i16,
  k_u32,
  k_i32,
  k_f32,
  k_bool,
  k_string,
  k_array,
  k_u64,
  k_i64,
  k_f64,
  k_kinds
};

/// @throws Error{model_malformed}, always
template <typename... Args>
[[noreturn]] void malformed(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorCode::model_malformed, "GGUF: " + fmt::format(format, std::forward<Args>(args)...));
}

/// @throws Error{model_malformed} on overflow
std::uint64_t checked_product(std::uint64_t a, std::uint64_t b, std::string_view what);

struct ArrayShape {
  std::uint32_t kind = 0;
  std::uint64_t count = 0;
};

/// One value as far as it was kept.
struct Value {
  std::uint32_t kind = 0;
  std::uint64_t number = 0;  ///< bits of a scalar
  std::string text;          ///< of a string, cut at max_held_string
  std::uint64_t length = 0;  ///< of a string
  std::uint64_t offset = 0;  ///< where a string begins in the file
  std::optional<Digest> digest;
  ArrayShape array;
};

class Values {
 public:
  /// What is odd and no error goes to notes. All three outlive it.
  Values(ForwardReader& in, const GgufLimits& limits, std::vector<std::string>& notes)
      : m_in(in), m_limits(limits), m_notes(notes) {}

  /// One key and its value. @throws Error{model_malformed}
  void read_pair();

  // What was read; absence is no error, and another type than these ask for is Error{model_malformed}.
  const Value* find(const std::string& key, std::uint32_t kind) const;
  std::optional<std::uint64_t> unsigned_fact(const std::string& key) const;
  /// nullopt also for what is a list in some architectures (a number per layer).
  std::optional<std::uint64_t> unsigned_if_one(const std::string& key) const;
  std::string text_fact(const std::string& key) const;
  /// PREFIX0.name, PREFIX1.name …, each with its organization; remarks, so that what breaks their form is left out.
  std::vector<std::string> names_of(const std::string& prefix) const;
  std::optional<std::uint64_t> array_fact(const std::string& key, std::initializer_list<std::uint32_t> kinds) const;

 private:
  Value value(std::string_view key);
  Value scalar(std::uint32_t kind, std::string_view key);
  Value string(std::string_view key);
  ArrayShape array(std::string_view key);
  void string_array(std::uint64_t count, std::string_view key);

  ForwardReader& m_in;
  const GgufLimits& m_limits;
  std::vector<std::string>& m_notes;
  std::uint64_t m_key_bytes = 0;
  std::map<std::string, Value, std::less<>> m_values;
};

}  // namespace liftlock::gguf
