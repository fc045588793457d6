// What a file is by its bytes, never by its name: the table of docs/formats/profile.md. Says how a file begins and
// ends, not that it is sound; inspectors do that.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "guard/text_scan.hpp"

namespace liftlock {

enum class ContentType : std::uint8_t {
  empty,
  zip,
  gzip,
  bzip2,
  xz,
  zstd,
  tar,
  deb,
  ar,
  seven_zip,
  rar,
  cab,
  elf,
  pe,
  pdf,
  png,
  jpeg,
  gguf,
  ggml,
  safetensors,
  openpgp_armor,
  pem,
  script,
  json,
  oci_json,
  text,
  unknown,
  link,    ///< symbolic or hard: in archives only
  device,  ///< and pipes: in archives only
};

/// As profiles and lists spell it: "7z", "oci-json".
std::string_view name(ContentType type);
std::optional<ContentType> parse_content_type(std::string_view text);
/// All names, for suggestions.
std::span<const std::string_view> content_type_names();

/// Does something come out of it when it is unpacked?
bool is_archive(ContentType type);
/// An ar allows a deb, json allows oci-json; nothing else more than itself.
bool allows(const std::set<ContentType>& allowed, ContentType type);

/// Takes the bytes of one file from its beginning to its end, in pieces of any size. Memory: two blocks of 64 KiB.
class ContentSniffer {
 public:
  static constexpr std::size_t k_head = 64u << 10;
  static constexpr std::size_t k_tail = (64u << 10) + 22;  ///< the end record of a zip and the longest comment

  void feed(std::span<const std::uint8_t> bytes);
  /// Could bytes between the first k_head and the last k_tail still change the type? Only of what may be text.
  bool needs_middle() const;
  /// Passes over bytes that are not read; never where needs_middle().
  void skip(std::uint64_t bytes);
  /// Of what was fed so far, taken as the whole file.
  ContentType type() const;

 private:
  std::optional<ContentType> by_head() const;
  bool ends_as_zip() const;

  std::vector<std::uint8_t> m_head;
  std::vector<std::uint8_t> m_tail;
  std::uint64_t m_size = 0;
  TextScan m_text;
  JsonScan m_json;
};

ContentType type_of_bytes(std::string_view bytes);
/// Reads the beginning and the end; of text everything. The offset of fd is neither used nor moved.
/// @throws Error{io_error, not_regular}
ContentType type_of_file(int fd, std::string_view what);

}  // namespace liftlock
