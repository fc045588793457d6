// One layer of an image: a tar, plain or in gzip or zstd, read as a stream within bounds. Nothing is unpacked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/error.hpp"
#include "ecosystem/hidden_marks.hpp"

namespace liftlock::oci {

struct LayerLimits {
  std::uint64_t max_entries = 4'000'000;
  std::uint64_t max_bytes = 256ull << 30;    ///< uncompressed
  std::uint64_t max_ratio = 250;             ///< uncompressed to compressed, above ratio_floor
  std::uint64_t ratio_floor = 256ull << 20;  ///< so much may come out of anything
};

struct LayerProblem {
  ErrorCode code;
  std::string message;
};

struct LayerReport {
  Digest diff_id;           ///< SHA-256 of the uncompressed tar
  std::uint64_t bytes = 0;  ///< uncompressed
  std::uint64_t entries = 0;
  std::uint64_t devices = 0;  ///< character and block devices: legal in old base images, worth knowing
  std::uint64_t set_id = 0;   ///< files with the set-user-id or set-group-id bit
  /// Names that are absolute or hold "..", whiteouts that do, hardlinks that leave the layer; at most 16.
  std::vector<LayerProblem> problems;
  HiddenMarks hidden;  ///< packages that download something, and what lies ready of it
};

/// Reads the whole file with pread; its offset does not move. Memory is bounded by libarchive's blocks and zstd's
/// window.
/// @throws Error{image_malformed} broken compression or tar, or compressed twice
/// @throws Error{limit_exceeded} a bomb
LayerReport scan_layer(int fd, const LayerLimits& limits = {});

/// Why a name must not be unpacked; empty when it may. "./" in front and a '/' at the end are usual and allowed. Of
/// whiteouts (image-spec layer.md) those of ".", ".." and nothing are refused.
std::string why_not_layer_path(std::string_view name);

}  // namespace liftlock::oci
