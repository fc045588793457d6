#include "ecosystem/apt/copyright.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/apt/deb822.hpp"
#include "ecosystem/license_text.hpp"

namespace liftlock::apt {
namespace {

struct ShortName {
  std::string_view debian, spdx;
};

// Section 7.1 of the format. What is missing here is the same in both, or unknown to SPDX.
constexpr auto k_names = std::to_array<ShortName>({
    {"expat", "MIT"},
    {"cc0", "CC0-1.0"},
    {"gpl-1+", "GPL-1.0-or-later"},
    {"gpl-2", "GPL-2.0-only"},
    {"gpl-2.0", "GPL-2.0-only"},
    {"gpl-2+", "GPL-2.0-or-later"},
    {"gpl-2.0+", "GPL-2.0-or-later"},
    {"gpl-3", "GPL-3.0-only"},
    {"gpl-3.0", "GPL-3.0-only"},
    {"gpl-3+", "GPL-3.0-or-later"},
    {"gpl-3.0+", "GPL-3.0-or-later"},
    {"lgpl-2+", "LGPL-2.0-or-later"},
    {"lgpl-2.0+", "LGPL-2.0-or-later"},
    {"lgpl-2.1", "LGPL-2.1-only"},
    {"lgpl-2.1+", "LGPL-2.1-or-later"},
    {"lgpl-3", "LGPL-3.0-only"},
    {"lgpl-3.0", "LGPL-3.0-only"},
    {"lgpl-3+", "LGPL-3.0-or-later"},
    {"lgpl-3.0+", "LGPL-3.0-or-later"},
    {"agpl-3", "AGPL-3.0-only"},
    {"agpl-3+", "AGPL-3.0-or-later"},
    {"gfdl-1.3+", "GFDL-1.3-or-later"},
    {"psf-2", "PSF-2.0"},
});

struct Synopsis {
  std::string among_others;  ///< in brackets where it has several
  std::string alone;
  auto operator<=>(const Synopsis&) const = default;
};

bool joins(std::string_view word) {
  return word == "and" || word == "or";
}

std::string in_spdx(std::string_view word) {
  const auto lower = to_lower(word);
  if (joins(lower)) return lower == "and" ? "AND" : "OR";
  const auto found = std::find_if(k_names.begin(), k_names.end(), [&](const auto& one) { return one.debian == lower; });
  return std::string(found == k_names.end() ? word : found->spdx);
}

/// "GPL-2+ or Expat" as SPDX writes it. What has more than names, "and" and "or" ("with OpenSSL exception", a comma
/// that says what binds, brackets) stays as it is.
Synopsis read_synopsis(std::string_view text) {
  std::string spdx;
  bool several = false, plain = true;
  for (const auto word : words(text)) {
    const auto lower = to_lower(word);
    several = several || joins(lower);
    plain = plain && lower != "with" && word.find_first_of(",;()") == std::string_view::npos;
    spdx += (spdx.empty() ? "" : " ") + in_spdx(word);
  }
  auto alone = plain ? std::move(spdx) : std::string(text);
  return {several ? "(" + alone + ")" : alone, alone};
}

/// The first line of a field License: the rest is the text.
Synopsis synopsis_of(const Paragraph& paragraph) {
  const auto value = paragraph.field_or("License", "");
  return read_synopsis(trim(value.substr(0, value.find('\n'))));
}

bool is_packaging(const Paragraph& paragraph) {
  const auto patterns = words(paragraph.field_or("Files", ""));
  return !patterns.empty() && std::all_of(patterns.begin(), patterns.end(),
                                          [](std::string_view pattern) { return pattern.starts_with("debian/"); });
}

std::string licenses(std::string_view text) {
  ParagraphReader reader(text, "debian/copyright", Comments::skip);
  Paragraph paragraph;
  if (!reader.next(paragraph) || paragraph.field_or("Format", "").find("copyright-format") == std::string_view::npos)
    return {};
  std::set<Synopsis> found = {synopsis_of(paragraph)};
  found.erase(Synopsis{});
  const bool whole = !found.empty();
  while (!whole && reader.next(paragraph)) {
    // Paragraphs without Files are the texts of licences that others named.
    if (!paragraph.field("Files") || is_packaging(paragraph)) continue;
    if (auto synopsis = synopsis_of(paragraph); !synopsis.alone.empty()) found.insert(std::move(synopsis));
  }
  if (found.size() == 1) return found.begin()->alone;
  std::string out;
  for (const auto& one : found) out += (out.empty() ? "" : " AND ") + one.among_others;
  return out;
}

}  // namespace

std::string copyright_licenses(std::string_view text) {
  try {
    return license_text(licenses(text));
  } catch (const Error&) {
    return {};  // many are written by hand, and say nothing to machines
  }
}

}  // namespace liftlock::apt
