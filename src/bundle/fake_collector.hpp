// For tests and fuzzers: a collector of a table `thing` that stands for an ecosystem.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "bundle/stack.hpp"
#include "crypto/hash.hpp"

namespace liftlock {

class FakeCollector : public Collector {
 public:
  std::string_view table() const override { return "thing"; }
  std::string_view summary() const override { return "things that tests want"; }
  std::span<const KeySpec> keys() const override {
    static constexpr std::array<KeySpec, 5> k_keys = {{
        {"wanted", ValueType::strings, true, "Names of things.", "[\"a\", \"b\"]"},
        {"source", ValueType::string, false, "Where things come from.", "\"here|there\""},
        {"pre", ValueType::boolean, false, "Unfinished ones too; false by default.", "true"},
        {"labels", ValueType::string_map, false, "Labels.", "{ colour = \"red\" }"},
        {"list", ValueType::string, false, "A file that names more.", "\"list.txt\""},
    }};
    return k_keys;
  }
  std::vector<std::filesystem::path> input_files(const StackEntry& entry, const std::filesystem::path&) const override {
    const auto list = entry.text("list");
    return list.empty() ? std::vector<std::filesystem::path>() : std::vector<std::filesystem::path>{list};
  }
  bool resolves_at_once() const override { return at_once; }
  Collected resolve(const StackEntry& entry, CollectContext&) const override {
    if (entry.name == "broken") fail(ErrorCode::unresolvable, "nobody has it");
    ++resolutions;
    Collected out;
    for (const auto& thing : entry.texts("wanted")) {
      const auto content = "content of " + thing + " " + version;
      out.artifacts.push_back({.kind = "thing",
                               .name = thing,
                               .version = version,
                               .license = {},
                               .facts = Json::object(),
                               .needs = {},
                               .files = {{.path = RelPath::parse("files/" + thing),
                                          .size = content.size(),
                                          .digest = sha256(content),
                                          .origin = "test:" + thing,
                                          .evidence = {{"stated", Json::object()}}}}});
    }
    out.notes = {"resolved " + entry.name + " at " + version};
    return out;
  }
  std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry&, CollectContext& context) const override {
    std::vector<FetchJob> jobs;
    for (const auto& file : artifact.files) {
      if (context.store.contains(file.digest)) continue;
      const auto content = "content of " + artifact.name + " " + artifact.version;
      jobs.push_back({.title = artifact.name,
                      .digest = file.digest,
                      .size = file.size,
                      .url = {},
                      .headers = {},
                      .produce = [content](int out) { write_all(out, content, "a thing"); }});
    }
    return jobs;
  }

  std::string version = "1";
  bool at_once = false;
  mutable std::atomic<int> resolutions = 0;
};

}  // namespace liftlock
