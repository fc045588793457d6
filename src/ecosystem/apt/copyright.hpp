// The licences of a package, as a machine-readable debian/copyright states them:
// https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
#pragma once

#include <string>
#include <string_view>

namespace liftlock::apt {

/// The licence of the package as a whole where the header names one, else those of its files, without debian/*, each
/// once, joined with AND; short names that SPDX has under another name ("GPL-2+", "Expat") are SPDX's. Empty for any
/// other text, and for what would be longer than 1000 bytes (license_text.hpp).
std::string copyright_licenses(std::string_view text);

}  // namespace liftlock::apt
