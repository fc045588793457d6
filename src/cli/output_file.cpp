#include "cli/output_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {

bool is_standard_output(std::string_view path) {
  return path == "-";
}

void write_output(const std::string& path, std::string_view text, mode_t mode) {
  if (is_standard_output(path)) {
    write_all(STDOUT_FILENO, text, "standard output");
  } else {
    write_file_atomically(path, text, mode);
  }
}

void require_file_name(std::string_view path, std::string_view option) {
  if (!is_standard_output(path)) return;
  throw Error(ErrorCode::usage, fmt::format("'-' is standard output, and what {} makes cannot go there", option),
              "name a file or folder; ./- is one of that name");
}

}  // namespace liftlock
