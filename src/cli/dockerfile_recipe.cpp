#include "cli/dockerfile_recipe.hpp"

#include "bundle/lock.hpp"
#include "cli/collectors.hpp"
#include "ecosystem/oci/image.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_registry = "docker://";

/// NAME:TAG of the source with the digest that is locked.
std::string base_of(const StackEntry& entry, const std::optional<Lock>& lock) {
  auto source = entry.text("source");
  if (!source.starts_with(k_registry)) return {};
  source.erase(0, k_registry.size());
  const auto* locked = lock ? lock->find(entry.table, entry.name) : nullptr;
  if (source.find('@') != std::string::npos || locked == nullptr || locked->artifacts.empty()) return source;
  return source + "@" + oci::parse_image_facts(locked->artifacts.front().facts).manifest.digest.text();
}

}  // namespace

std::optional<dockerfile::Recipe> recipe_of_stack(const std::string& file) {
  const auto stack = read_stack(file, collectors());
  const auto lock = read_lock_if_exists(fs::path(file).replace_extension(".lock"));
  dockerfile::Recipe out;
  for (const auto& entry : stack.entries) {
    if (entry.table == "apt") {
      for (auto& package : entry.texts("packages")) out.packages.push_back(std::move(package));
    } else if (entry.table == "python" && out.requirements.empty()) {
      out.requirements = entry.text("requirements_file");
    } else if (entry.table == "image" && out.base.empty()) {
      out.base = base_of(entry, lock);
    }
  }
  return out;
}

}  // namespace liftlock
