// What comes out of an archive when a guard unpacks it, level by level, judged by the [unpack] rules of a profile.
// Nothing is written. Format: docs/formats/profile.md. Runs in a cell: libarchive reads foreign bytes here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "guard/guard_profile.hpp"

namespace liftlock {

struct InsideReport {
  static constexpr std::size_t k_most = 100;

  std::vector<Breach> breaches;  ///< at most k_most
  std::uint64_t count = 0;       ///< of all breaches
  std::uint64_t files = 0;       ///< that came out
  std::uint64_t bytes = 0;
};

/// @param fd a regular file that is an archive of this type; its offset is not used
/// @param level how many archives deep it lies itself, it included: 1 for a file of the bundle
/// @return breaches whose paths begin behind the file: "" for itself, "!member!member"
InsideReport look_inside(int fd, ContentType type, unsigned level, const UnpackRules& rules);

/// The request for a cell, and what its answer holds; both bounded.
std::string write_inside_request(ContentType type, unsigned level, const UnpackRules& rules);
/// Runs a request on its one descriptor: inside the cell. @throws Error{schema_violation, json_invalid}
std::string answer_inside_request(std::string_view request, int fd);
/// @throws Error{schema_violation, json_invalid}
InsideReport parse_inside_answer(std::string_view answer);

}  // namespace liftlock
