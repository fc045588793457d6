// A header of an RPM file: an index of tags over a block of data. Source: "RPM V4 Package format", rpm.org/docs, and
// lib/header.c of rpm, whose checks these are at least as strict as.
//
//   8E AD E8 01  00 00 00 00  IL DL            magic; number of entries, bytes of data: 32 bits, big-endian, as all is
//   IL × (TAG TYPE OFFSET COUNT)               32 bits each; OFFSET into the data
//   DL bytes of data
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::rpm {

/// What is read of a package. Numbers of rpm's include/rpm/rpmtag.h.
enum class Tag : std::uint32_t {
  region_signatures = 62,
  region_immutable = 63,
  name = 1000,
  version = 1001,
  release = 1002,
  epoch = 1003,
  summary = 1004,
  description = 1005,
  build_time = 1006,
  build_host = 1007,
  size = 1009,
  vendor = 1011,
  license = 1014,
  packager = 1015,
  group = 1016,
  url = 1020,
  architecture = 1022,
  pre_in = 1023,
  post_in = 1024,
  pre_un = 1025,
  post_un = 1026,
  old_filenames = 1027,
  file_modes = 1030,
  file_flags = 1037,
  source_rpm = 1044,
  provide_name = 1047,
  require_flags = 1048,
  require_name = 1049,
  require_version = 1050,
  conflict_flags = 1053,
  conflict_name = 1054,
  conflict_version = 1055,
  trigger_scripts = 1065,
  verify_script = 1079,
  changelog_time = 1080,
  changelog_name = 1081,
  changelog_text = 1082,
  pre_in_program = 1085,  ///< with or without a script for it
  post_in_program = 1086,
  pre_un_program = 1087,
  post_un_program = 1088,
  obsolete_name = 1090,
  verify_program = 1091,
  trigger_program = 1092,
  provide_flags = 1112,
  provide_version = 1113,
  obsolete_flags = 1114,
  obsolete_version = 1115,
  dir_indexes = 1116,
  basenames = 1117,
  dirnames = 1118,
  pre_trans = 1151,
  post_trans = 1152,
  pre_trans_program = 1153,
  post_trans_program = 1154,
  long_size = 5009,
  file_capabilities = 5010,
  recommend_name = 5046,
  recommend_version = 5047,
  recommend_flags = 5048,
  suggest_name = 5049,
  suggest_version = 5050,
  suggest_flags = 5051,
  supplement_name = 5052,
  supplement_version = 5053,
  supplement_flags = 5054,
  enhance_name = 5055,
  enhance_version = 5056,
  enhance_flags = 5057,
  file_trigger_scripts = 5066,
  file_trigger_program = 5067,
  transaction_file_trigger_scripts = 5076,
  transaction_file_trigger_program = 5077,
  payload_digest = 5092,
  payload_digest_algorithm = 5093,
  pre_untrans = 5103,
  post_untrans = 5104,
  pre_untrans_program = 5105,
  post_untrans_program = 5106,
};

/// Of the signature header, where numbers have other meanings.
enum class SignatureTag : std::uint32_t {
  dsa = 267,           ///< OpenPGP signature of the header
  rsa = 268,           ///< the same
  long_size = 270,     ///< of header and payload
  long_archive = 271,  ///< unpacked payload
  sha256 = 273,        ///< of the header, in hex
  openpgp = 278,       ///< OpenPGP signatures of the header, base64
  size = 1000,
  pgp = 1002,  ///< OpenPGP signature of header and payload
  gpg = 1005,  ///< the same
  archive = 1007,
};

enum class HeaderPart : std::uint8_t {
  signature,  ///< region tag 62, if any
  package,    ///< must be one immutable region (tag 63) from its first entry to its last byte: what signatures cover
};

/// The bytes of one header, checked when it is made: each entry's type, alignment, count and data lie within, in order,
/// without overlap; no tag twice. What the accessors return looks into it.
class RpmHeader {
 public:
  static constexpr std::uint64_t k_intro = 16;
  static constexpr std::uint32_t k_max_entries = 0xffff;
  static constexpr std::uint32_t k_max_data = 64u << 20;
  static constexpr std::uint32_t k_max_items = 4u << 20;  ///< strings or numbers of one entry

  /// Bytes of the whole header, by its first 16. @throws Error{package_malformed, limit_exceeded}
  static std::uint64_t size_by_intro(std::span<const std::uint8_t> intro);

  /// @param bytes a whole header and nothing else. @throws Error{package_malformed, limit_exceeded}
  RpmHeader(std::vector<std::uint8_t> bytes, HeaderPart part);

  std::span<const std::uint8_t> bytes() const { return m_bytes; }

  // Absent, or of another type than is asked for: nullopt, or empty.
  /// A string; of translated ones the first, which is that of the C locale.
  std::optional<std::string_view> text(Tag tag) const;
  std::vector<std::string_view> texts(Tag tag) const;
  /// One of 8 to 64 bits, unsigned.
  std::optional<std::uint64_t> number(Tag tag) const;
  std::vector<std::uint64_t> numbers(Tag tag) const;
  std::optional<std::span<const std::uint8_t>> binary(Tag tag) const;
  bool has(Tag tag) const { return find(static_cast<std::uint32_t>(tag)) != nullptr; }

  static Tag tag(SignatureTag tag) { return static_cast<Tag>(tag); }

 private:
  struct Entry {
    std::uint32_t tag = 0, type = 0, offset = 0, count = 0;
    std::uint64_t length = 0;
  };
  const Entry* find(std::uint32_t tag) const;
  Entry read_entry(std::size_t index) const;
  void check_region(std::uint32_t region, HeaderPart part) const;
  std::uint64_t data_length(const Entry& entry) const;
  std::span<const std::uint8_t> data() const { return std::span(m_bytes).subspan(k_intro + 16ull * m_entries_stated); }

  std::vector<std::uint8_t> m_bytes;
  std::uint32_t m_entries_stated = 0;
  std::vector<Entry> m_entries;  ///< sorted by tag, without the region
};

}  // namespace liftlock::rpm
