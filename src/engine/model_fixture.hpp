// For tests: a store of models that are a few words long, and an engine that takes them.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "engine/engine_process.hpp"
#include "os/verity_file.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"

namespace liftlock::engine::testing_support {

class ModelFixture {
 public:
  ModelFixture() : store(folder.path() / "store"), catalog(folder.path() / "store/catalog.db") {}

  /// @param more its other files: path in the model, content
  /// @return the path of its blob
  fs::path add_model(const std::string& name, const std::string& content, const Json& facts = Json::object(),
                     const std::string& version = "1", const std::map<std::string, std::string>& more = {}) {
    Artifact artifact{.kind = "model", .name = name, .version = version};
    const auto add = [&](const std::string& path, const std::string& text) {
      artifact.files.push_back({.path = RelPath::parse("models/" + name + "/" + path),
                                .size = text.size(),
                                .digest = store.put(text),
                                .origin = {},
                                .evidence = {}});
      return artifact.files.back().digest;
    };
    const auto digest = add(name + ".gguf", content);
    for (const auto& [path, text] : more) add(path, text);
    std::sort(artifact.files.begin(), artifact.files.end(),
              [](const auto& one, const auto& other) { return one.path < other.path; });
    m_artifacts.push_back(artifact);
    m_facts.push_back(facts.empty() ? std::string() : dump_json_line(facts));
    catalog.replace_set("test", m_artifacts, m_facts);
    return store.path(digest);
  }

  /// An installed engine whose `executable` is `program`, and which says that it knows these architectures.
  void add_engine(const fs::path& program, const std::string& version = "1",
                  const std::vector<std::string>& architectures = {}, const std::string& executable = "llama-server",
                  const std::string& variant = "cpu") const {
    EngineManifest manifest;
    manifest.name = "tiny";
    manifest.version = version;
    manifest.variant = variant;
    manifest.architecture = "amd64";
    manifest.executables = {{executable, "usr/bin/llama-server"}};
    manifest.library_path = {"usr/lib"};
    manifest.loader = "usr/bin/llama-server";
    const auto place = folder_of(engines(), manifest);
    for (const auto* part : {"usr/bin", "usr/lib", "usr/lib64"}) make_folders(place / part);
    write_file_atomically(place / "engine.json", dump_json(to_json(manifest)));
    fs::copy_file(program, place / "usr/bin/llama-server");
    fs::permissions(place / "usr/bin/llama-server", static_cast<fs::perms>(0555));
    if (architectures.empty()) return;
    std::string library = "elf";
    for (const auto& one : architectures) library += '\0' + one + '\0';
    write_file_atomically(place / "usr/lib/libllama.so.0", library);
  }

  fs::path engines() const { return folder.path() / "engines"; }

  TemporaryFolder folder;
  BlobStore store;
  Catalog catalog;

 private:
  std::vector<Artifact> m_artifacts;
  std::vector<std::string> m_facts;
};

/// A kernel without fs-verity, whatever the one is that runs: where it kept them, nobody could overwrite what a test
/// wants to.
inline VerityCalls no_verity() {
  return {.enable = [](int) { return VerityOutcome::refused; }, .measure = [](int) { return std::nullopt; }};
}

/// Somebody changes a blob on the disk, in its place.
inline void overwrite(const fs::path& blob, std::string_view text, off_t offset = 0) {
  fs::permissions(blob, static_cast<fs::perms>(0644));
  const auto fd = open_file(blob, O_WRONLY);
  if (::pwrite(fd.get(), text.data(), text.size(), offset) != static_cast<ssize_t>(text.size())) fail_errno("pwrite");
}

}  // namespace liftlock::engine::testing_support
