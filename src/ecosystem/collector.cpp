#include "ecosystem/collector.hpp"

#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace liftlock {

std::string StackEntry::where() const {
  return fmt::format("[{}.{}]", table, name);
}

std::string StackEntry::text(std::string_view key, std::string_view fallback) const {
  return string_member_or(values, key, fallback, where());
}

std::vector<std::string> StackEntry::texts(std::string_view key) const {
  std::vector<std::string> out;
  if (!values.contains(std::string(key))) return out;
  for (const auto& value : array_member(values, key, where())) out.push_back(value.get<std::string>());
  return out;
}

bool StackEntry::flag(std::string_view key, bool fallback) const {
  return values.contains(std::string(key)) ? bool_member(values, key, where()) : fallback;
}

std::vector<std::filesystem::path> Collector::input_files(const StackEntry&, const std::filesystem::path&) const {
  return {};
}

std::optional<std::vector<std::string>> Collector::local_files(const StackEntry&, const std::filesystem::path&) const {
  return std::nullopt;
}

std::vector<FetchJob> Collector::plan(const Artifact& artifact, const StackEntry&, CollectContext& context) const {
  std::vector<FetchJob> jobs;
  for (const auto& file : artifact.files) {
    if (context.store.contains(file.digest)) continue;
    jobs.push_back({.title = std::string(file.path.filename()),
                    .digest = file.digest,
                    .size = file.size,
                    .url = file.origin,
                    .headers = {},
                    .produce = {}});
  }
  return jobs;
}

CheckResult Collector::check(const StackEntry&, const std::vector<Artifact>&, CollectContext&) const {
  return {};
}

}  // namespace liftlock
