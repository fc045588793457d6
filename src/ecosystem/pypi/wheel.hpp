// A wheel: https://packaging.python.org/en/latest/specifications/binary-distribution-format/ (PEP 427) and
// https://packaging.python.org/en/latest/specifications/recording-installed-packages/ (RECORD).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/zip_reader.hpp"
#include "ecosystem/pypi/core_metadata.hpp"
#include "ecosystem/pypi/wheel_filename.hpp"

namespace liftlock {

/// One line of RECORD.
struct RecordLine {
  std::string path;
  std::string algorithm;  ///< "sha256"; empty when there is no hash
  std::string hash;       ///< base64url without padding
  std::string size;       ///< decimal; may be empty
};

/// CSV (RFC 4180, with '\n' or "\r\n"): three columns. @throws Error{package_malformed, limit_exceeded}
std::vector<RecordLine> parse_record(std::string_view text);

class Wheel {
 public:
  /// Reads the zip's directory and finds the one *.dist-info folder, whose name must be that of the file name.
  /// @throws Error{package_malformed, path_unsafe, not_regular, path_collision, limit_exceeded}
  Wheel(int fd, WheelFilename name);

  const ZipReader& zip() const { return m_zip; }
  /// The exact bytes of METADATA.
  std::string metadata_bytes() const;
  /// Parsed, and compared with the file name. @throws Error{package_malformed}
  CoreMetadata metadata() const;
  /// The Tag lines of WHEEL; its Wheel-Version must be 1.x. @throws Error{package_malformed}
  std::vector<std::string> tags() const;
  /// Unpacks every entry once and compares it with its line in RECORD, which must name all of them and nothing else.
  /// @throws Error{package_malformed, digest_mismatch}
  void check_record() const;

 private:
  const ZipEntry& dist_info_file(std::string_view name) const;
  WheelFilename m_name;
  ZipReader m_zip;
  std::string m_dist_info;  ///< with its '/'
};

/// @throws Error{package_malformed} unless both name one project and one version
void check_same_project(const CoreMetadata& metadata, std::string_view name, std::string_view version);

}  // namespace liftlock
