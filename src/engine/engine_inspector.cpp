#include "engine/engine_inspector.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "engine/package_reader.hpp"

namespace liftlock::engine {
namespace {

constexpr std::array<std::string_view, 1> k_kinds = {"engine"};

}  // namespace

std::span<const std::string_view> EngineInspector::kinds() const {
  return k_kinds;
}

Inspection EngineInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  Inspection out;
  const auto refuse = [&](ErrorCode code, std::string message) {
    out.findings.push_back(
        {code, artifact.files.empty() ? std::string() : artifact.files[0].path.text(), std::move(message)});
  };
  if (files.size() != 1 || artifact.files.size() != 1) {
    refuse(ErrorCode::engine_malformed, "an artifact of kind engine is exactly one file");
    return out;
  }
  try {
    EngineReader reader(files[0]);
    Member member;
    while (reader.next(member)) {
    }
    const auto& manifest = reader.manifest();
    const auto expect = [&](std::string_view what, const std::string& says, const std::string& wanted) {
      if (says != wanted) {
        refuse(ErrorCode::engine_malformed,
               fmt::format("engine.json says {} '{}', the artifact '{}'", what, printable(says), printable(wanted)));
      }
    };
    const auto fact = [&](const char* key, const std::string& fallback) {
      const auto found = artifact.facts.find(key);
      return found != artifact.facts.end() && found->is_string() ? found->get<std::string>() : fallback;
    };
    expect("name", manifest.name, fact("engine", artifact.name));
    expect("version", manifest.version, artifact.version);
    expect("variant", manifest.variant, fact("variant", manifest.variant));
    expect("architecture", manifest.architecture, fact("architecture", manifest.architecture));
    out.facts = {{"engine", printable(manifest.name)},     {"version", printable(manifest.version)},
                 {"variant", printable(manifest.variant)}, {"architecture", printable(manifest.architecture)},
                 {"executables", manifest.executables},    {"members", manifest.files},
                 {"unpacked_size", manifest.unpacked_size}};
  } catch (const Error& error) {
    refuse(error.code(), error.what());
  }
  return out;
}

}  // namespace liftlock::engine
