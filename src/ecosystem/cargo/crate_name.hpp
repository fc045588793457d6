// Names and versions of crates: https://doc.rust-lang.org/cargo/reference/registry-index.html#name-restrictions
#pragma once

#include <string>
#include <string_view>

namespace liftlock::cargo {

/// 1 to 64 ASCII letters, digits, '-' and '_', beginning with a letter.
bool is_crate_name(std::string_view name);
/// A version as https://semver.org/spec/v2.0.0.html writes it, at most 128 bytes.
bool is_crate_version(std::string_view version);
/// Lower case, with '-' for '_': what two crates of one registry may not share.
std::string collision_key(std::string_view name);
/// Where the index has the crate: "1/a", "2/ab", "3/a/abc", "ab/cd/abcd…"; lower case.
std::string index_path(std::string_view name);

}  // namespace liftlock::cargo
