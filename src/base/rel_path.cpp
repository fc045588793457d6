#include "base/rel_path.hpp"

#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr auto k_refused = [] {
  std::array<bool, 128> out{};
  for (const char c : std::string_view("<>:\"|?*\\")) out[static_cast<std::size_t>(c)] = true;
  return out;
}();

bool is_dos_device(std::string_view component) {
  const auto end = std::min(component.find('.'), component.size());
  if (end != 3 && end != 4) return false;
  const auto stem = to_lower(component.substr(0, end));
  static constexpr std::array k_names = {"con", "prn", "aux", "nul"};
  if (std::find(k_names.begin(), k_names.end(), stem) != k_names.end()) return true;
  return stem.size() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) && stem[3] >= '0' && stem[3] <= '9';
}

std::string why_not_component(std::string_view component) {
  if (component.empty()) return "it has an empty component";
  if (component == "." || component == "..") return "it has a '.' or '..' component";
  if (component.size() > 200) return "a component is longer than 200 bytes";
  if (component.back() == ' ' || component.back() == '.') return "a component ends in a space or a dot";
  if (is_dos_device(component)) return "a component is a DOS device name";
  return {};
}

}  // namespace

std::string why_not_rel_path(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (text.size() > 1024) return "it is longer than 1024 bytes";
  for (const char c : text) {
    if (c < 0x20 || c > 0x7E) return "it has a byte outside printable ASCII";
    if (k_refused[static_cast<std::size_t>(c)]) return "it has one of <>:\"|?*\\";
  }
  while (true) {
    const auto slash = text.find('/');
    if (auto why = why_not_component(text.substr(0, slash)); !why.empty()) return why;
    if (slash == std::string_view::npos) return {};
    text.remove_prefix(slash + 1);
  }
}

RelPath RelPath::parse(std::string_view text) {
  if (const auto why = why_not_rel_path(text); !why.empty()) {
    fail(ErrorCode::path_unsafe, "the path '{}' is refused: {}", printable(text.substr(0, 200)), why);
  }
  return RelPath(std::string(text));
}

std::optional<RelPath> RelPath::try_parse(std::string_view text) {
  if (!why_not_rel_path(text).empty()) return std::nullopt;
  return RelPath(std::string(text));
}

std::string_view RelPath::filename() const {
  const auto slash = m_text.rfind('/');
  return slash == std::string::npos ? std::string_view(m_text) : std::string_view(m_text).substr(slash + 1);
}

std::string_view RelPath::parent() const {
  const auto slash = m_text.rfind('/');
  return slash == std::string::npos ? std::string_view() : std::string_view(m_text).substr(0, slash);
}

bool RelPath::is_under(std::string_view folder) const {
  return m_text.size() > folder.size() && m_text.starts_with(folder) && m_text[folder.size()] == '/';
}

std::string RelPath::case_folded() const {
  return to_lower(m_text);
}

std::string portable_component(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 180)) {
    const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("._+~=@-").find(c) != std::string_view::npos;
    out += keep ? c : '_';
  }
  while (!out.empty() && out.back() == '.') out.back() = '_';
  if (out.empty() || out.front() == '.' || !why_not_component(out).empty()) out.insert(out.begin(), '_');
  return out;
}

}  // namespace liftlock
