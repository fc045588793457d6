// Low side: liftlock.toml, what should exist on the other side. Format: docs/formats/stack.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/collector.hpp"
#include "os/file.hpp"

namespace liftlock {

/// The ecosystems that this program knows, in the order of its help. They live for the whole program.
using Collectors = std::span<const Collector* const>;

/// Keys of the table [stack].
std::span<const KeySpec> stack_keys();

struct Stack {
  std::string name;
  std::string channel;
  std::string platform;             ///< "linux/amd64"
  std::vector<StackEntry> entries;  ///< sorted by table, then name
  fs::path folder;                  ///< where the file lies; relative paths in it are relative to this

  /// nullptr when there is none.
  const StackEntry* find(std::string_view table, std::string_view name) const;
};

/// Reads liftlock.toml and hashes the local files that its entries name as inputs.
/// @throws Error{stack_invalid, unknown_key} with the file's name, the line, and the nearest known word;
///         Error{not_found} when there is no such file
Stack read_stack(const fs::path& file, Collectors collectors);

/// The same for text at hand. @param folder where relative input files are looked for
Stack parse_stack(std::string_view text, const fs::path& folder, Collectors collectors);

/// nullptr when there is no such table.
const Collector* find_collector(Collectors collectors, std::string_view table);

/// A commented liftlock.toml that parses as it is, with every key of every table as a comment.
/// @param name the stack's name
std::string stack_template(std::string_view name, Collectors collectors);

/// The tables of docs/formats/stack.md: one section per table with its keys.
std::string stack_keys_markdown(Collectors collectors);

/// Why a text cannot name a stack, a channel or an entry; empty when it can.
std::string why_not_stack_name(std::string_view name);

}  // namespace liftlock
