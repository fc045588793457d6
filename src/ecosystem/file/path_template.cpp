#include "ecosystem/file/path_template.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr std::array<std::string_view, 5> k_places = {"path", "file", "name", "version", "arch"};

/// Calls `literal` and `place` for the parts of the text, in their order. False where a brace is alone.
template <typename Literal, typename Place>
bool each_part(std::string_view text, Literal&& literal, Place&& place) {
  while (!text.empty()) {
    const auto open = text.find('{');
    literal(text.substr(0, open));
    if (text.substr(0, open).find('}') != std::string_view::npos) return false;
    if (open == std::string_view::npos) return true;
    const auto close = text.find('}', open);
    if (close == std::string_view::npos) return false;
    place(text.substr(open + 1, close - open - 1));
    text.remove_prefix(close + 1);
  }
  return true;
}

/// "amd64" of "hello_1.0-1_amd64.deb", "x86_64" of "hello-1.0-1.el9.x86_64.rpm".
std::string_view architecture_in(std::string_view filename) {
  const auto end = filename.rfind('.');
  if (end == std::string_view::npos) return {};
  const auto is_deb = filename.substr(end) == ".deb";
  if (!is_deb && filename.substr(end) != ".rpm") return {};
  const auto stem = filename.substr(0, end);
  const auto before = stem.rfind(is_deb ? '_' : '.');
  return before == std::string_view::npos ? std::string_view() : stem.substr(before + 1);
}

}  // namespace

PathTemplate::PathTemplate(std::string text, std::string where) : m_text(std::move(text)), m_where(std::move(where)) {
  const auto refuse = [&](std::string_view what) {
    throw Error(ErrorCode::config_invalid, fmt::format("config.toml: {} {}", m_where, what),
                fmt::format("its places are {{{}}}", fmt::join(k_places, "}, {")));
  };
  const bool whole = each_part(
      m_text, [](std::string_view) {},
      [&](std::string_view place) {
        if (std::find(k_places.begin(), k_places.end(), place) == k_places.end())
          refuse(fmt::format("has no place {{{}}}", printable(place)));
      });
  if (!whole) refuse("has a brace without its other");
}

std::string PathTemplate::fill(const Artifact& artifact, const ArtifactFile& file, Values values) const {
  std::string out;
  each_part(
      m_text, [&](std::string_view text) { out += text; },
      [&](std::string_view place) {
        const auto text = value(place, artifact, file);
        out += values == Values::percent ? encode_percent_path(text) : text;
        // A name or a version may hold "../", with which a server would leave the place that was looked at.
        if (values == Values::percent && place != "path" && text.find('/') != std::string::npos) {
          throw Error(ErrorCode::schema_violation,
                      fmt::format("{} of {} holds a '/', and stands in {} of a repository", place,
                                  printable(file.path.text()), m_where),
                      "leave the artifact out, or take that place out of the suffix");
        }
      });
  return out;
}

std::string PathTemplate::value(std::string_view place, const Artifact& artifact, const ArtifactFile& file) const {
  if (place == "path") return file.path.text();
  if (place == "file") return std::string(file.path.filename());
  if (place == "name") return artifact.name;
  if (place == "version") return artifact.version;
  const std::string architecture(architecture_in(file.path.filename()));
  if (architecture.empty()) {
    throw Error(ErrorCode::config_invalid,
                fmt::format("config.toml: {} asks for {{arch}}, and the name of {} has none", m_where,
                            printable(file.path.text())),
                "only names of .deb and .rpm files have one: takes = [\"deb\"] or [\"rpm\"]");
  }
  return architecture;
}

}  // namespace liftlock
