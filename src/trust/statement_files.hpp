// Which files of a trust folder are statements.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "os/file.hpp"

namespace liftlock {

constexpr std::uint64_t k_max_statement = 1u << 20;

/// The statements of the folder by version; other files are none of ours. @throws Error{io_error}
std::map<std::uint64_t, fs::path> statement_files(const fs::path& folder);
fs::path statement_file(const fs::path& folder, std::uint64_t version);

}  // namespace liftlock
