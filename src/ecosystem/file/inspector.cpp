#include "ecosystem/file/inspector.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/encoding.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::array<std::string_view, 1> k_kinds = {"file"};
constexpr std::size_t k_listed = 100;  // facts stay small: a folder may hold thousands

struct Magic {
  std::string_view bytes;
  std::string_view what;
};

constexpr std::array k_magics = {
    Magic{"\x7f"
          "ELF"sv,
          "program (ELF)"},
    Magic{"MZ"sv, "program (PE)"},
    Magic{"#!"sv, "script"},
    Magic{"PK\x03\x04"sv, "zip"},
    Magic{"\x1f\x8b"sv, "gzip"},
    Magic{"\x28\xb5\x2f\xfd"sv, "zstd"},
    Magic{"\xfd"
          "7zXZ"sv,
          "xz"},
    Magic{"!<arch>\n"sv, "ar"},
    Magic{"%PDF"sv, "PDF"},
    Magic{"-----BEGIN "sv, "PEM"},
};

std::string_view looks_like(int fd, std::string_view path) {
  std::vector<std::uint8_t> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(512, regular_size(fd, path))));
  if (!pread_exact(fd, buffer, 0, path)) return "unknown";
  const auto head = as_text(buffer);
  if (head.empty()) return "empty";
  for (const auto& magic : k_magics) {
    if (head.starts_with(magic.bytes)) return magic.what;
  }
  if (head.size() > 262 && head.substr(257, 5) == "ustar") return "tar";
  const bool control = head.find_first_of("\0\1\2\3\4\5\6\7\x0e\x1b"sv) != std::string_view::npos;
  return control ? "binary" : "text";
}

}  // namespace

std::span<const std::string_view> FileInspector::kinds() const {
  return k_kinds;
}

bool FileInspector::reads(const Artifact&, std::size_t index) const {
  return index < k_listed;
}

Inspection FileInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  Inspection out;
  auto looks = Json::object();
  for (std::size_t i = 0; i < std::min(artifact.files.size(), k_listed); ++i) {
    const auto& path = artifact.files[i].path.text();
    looks[path] = std::string(looks_like(files[i], path));
  }
  out.facts = {{"files", artifact.files.size()}, {"looks_like", std::move(looks)}};
  return out;
}

}  // namespace liftlock
