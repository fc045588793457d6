#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

using std::string_view_literals::operator""sv;

struct Beginning {
  std::string_view ending;
  std::string_view bytes;
  std::string_view words;
};
constexpr std::array k_beginnings = {
    Beginning{".gguf", "GGUF", "a GGUF model"},           Beginning{".whl", "PK\x03\x04"sv, "a wheel"},
    Beginning{".deb", "!<arch>\n", "a Debian package"},   Beginning{".tar.gz", "\x1f\x8b"sv, "a gzipped archive"},
    Beginning{".tgz", "\x1f\x8b"sv, "a gzipped archive"}, Beginning{".zip", "PK"sv, "a zip archive"},
};

/// The length of its header in eight bytes, the lowest first, and then a JSON object.
bool begins_as_safetensors(std::string_view head, std::uint64_t size) {
  if (head.size() < 9 || head[8] != '{') return false;
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(head[i]);
  return size >= 8 && length <= size - 8;
}

/// What the file begins otherwise than; empty where it begins well, or nobody knows how it should.
std::string_view begins_not_as(std::string_view name, std::string_view head, std::uint64_t size) {
  const auto lower = to_lower(name);
  if (lower.ends_with(".safetensors")) return begins_as_safetensors(head, size) ? ""sv : "safetensors"sv;
  for (const auto& one : k_beginnings) {
    if (!lower.ends_with(one.ending)) continue;
    return head.starts_with(one.bytes) ? ""sv : one.words;
  }
  return {};
}

}  // namespace

std::vector<std::string> doubts_about(const Found& found) {
  constexpr std::size_t k_head = 64;
  constexpr std::size_t k_most = 20;
  std::vector<std::string> out;
  std::size_t more = 0;
  for (const auto& file : found.files) {
    const auto as = begins_not_as(file.path, file.tree->head(file.path, k_head), file.tree->size(file.path));
    if (as.empty()) continue;
    if (out.size() == k_most) {
      ++more;
    } else {
      out.push_back(fmt::format("{} does not begin as {} does", printable(file.path), as));
    }
  }
  if (more > 0) out.push_back(fmt::format("and {} more of that kind", more));
  return out;
}

}  // namespace liftlock
