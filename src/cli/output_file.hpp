// Where a document goes that a command writes to a file of its user's choice: for all of them "-" is standard output.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace liftlock {

bool is_standard_output(std::string_view path);

/// To a file, as AtomicFile writes it, or for "-" to standard output: then the document is all that is written there,
/// and the caller prints no result beside it.
/// @param mode of a new file
/// @throws Error{io_error, disk_full}, and what AtomicFile throws
void write_output(const std::string& path, std::string_view text, mode_t mode = 0644);

/// For what cannot go to a stream, such as what is read back or written in two files: `-` would become a file of that
/// name. @param option the one that it was given to. @throws Error{usage} for "-"
void require_file_name(std::string_view path, std::string_view option);

}  // namespace liftlock
