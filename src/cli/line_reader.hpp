// Lines that a person types, edited with the keys that they know from a shell; or the lines of a pipe.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "os/file.hpp"

namespace liftlock {

class LineReader {
 public:
  /// @param history where lines are kept from one run to the next, mode 0600; nullopt: in memory only. What is typed is
  ///        as secret as a record, and this file is not encrypted.
  /// @param stop becomes true by Ctrl-C: then the line that was typed is dropped, and a fresh one begins
  LineReader(std::optional<fs::path> history, std::atomic<bool>& stop);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// Is there a person? Then prompts are shown.
  bool interactive() const;
  /// Without its '\n'; nullopt at the end of the input (Ctrl-D).
  std::optional<std::string> read(const std::string& prompt);
  /// For the arrow keys; several lines are one entry.
  void remember(const std::string& text);

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace liftlock
