// Which one of several is in use, by name: the engine of a model format, the model behind an alias. What was in use
// before stays known, so that one can go back. Format: docs/formats/choices.md.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "os/file.hpp"

namespace liftlock::engine {

struct Choice {
  std::string value;   ///< what is in use: "llama.cpp/8941-cpu", "model:chat@2"
  std::string digest;  ///< of exactly what was chosen; empty where the value says it all
  Timestamp since{};
  std::string actor;
};

/// By name; each oldest first, the last one in use; never empty.
using ChoiceMap = std::map<std::string, std::vector<Choice>, std::less<>>;

/// Safe with several threads and processes: writers take a lock file, and the file changes by one rename.
class Choices {
 public:
  /// @param file need not exist yet; its folder must
  explicit Choices(fs::path file) : m_file(std::move(file)) {}

  /// Reads the file again only when it changed. @throws Error{store_invalid, too_new}
  std::shared_ptr<const ChoiceMap> all() const;
  std::optional<Choice> current(std::string_view name) const;
  /// Whose choice in use has that value and digest, sorted.
  std::vector<std::string> names_of(const Choice& choice) const;
  /// What roll_back() would bring back.
  std::optional<Choice> previous(std::string_view name) const;

  /// Nothing changes when this is in use already.
  void choose(const std::string& name, const Choice& choice);
  /// What was in use before is in use again, and the newer one is forgotten. @throws Error{not_found}
  Choice roll_back(const std::string& name);
  /// Undoes choose(): what was in use before is in use again, or nothing.
  /// @throws Error{busy} where something else is in use by now
  void take_back(const std::string& name, const Choice& choice);
  /// @throws Error{not_found}
  void remove(const std::string& name);
  /// No choice names this value any more, neither now nor before.
  void forget(std::string_view value);

 private:
  ChoiceMap read() const;
  void change(const std::function<void(ChoiceMap&)>& edit);

  fs::path m_file;
  mutable std::mutex m_mutex;
  mutable struct {
    std::uint64_t inode = 0, size = 0;
    std::int64_t changed_ns = 0;
  } m_seen;
  mutable std::shared_ptr<const ChoiceMap> m_known;
};

}  // namespace liftlock::engine
