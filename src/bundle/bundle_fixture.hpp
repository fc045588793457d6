// What the tests of this room share: a store with a small stack, bundles packed from it, and hands that damage them.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <set>
#include <string>

#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/pack.hpp"
#include "bundle/verify.hpp"
#include "crypto/hash.hpp"
#include "trust/trust_fixture.hpp"

namespace liftlock {

class BundleTest : public testing::Test {
 protected:
  BundleTest() : m_store(m_folder.path() / "low-store") {
    add("file", "hello", "1", {{"files/hello/hello.txt", "hello"}});
    add("file", "long", "1",
        {{"files/" + std::string(120, 'd') + "/" + std::string(120, 'f'), std::string(3000, 'x')}});
    add("model", "tiny", "2", {{"models/tiny/a.gguf", std::string(1 << 20, 'a')}, {"models/tiny/empty.txt", ""}});
  }

  void add(const std::string& kind, const std::string& artifact_name, const std::string& version,
           const std::vector<std::pair<std::string, std::string>>& files) {
    Artifact artifact{.kind = kind, .name = artifact_name, .version = version, .license = {}, .needs = {}, .files = {}};
    for (const auto& [path, text] : files) {
      artifact.files.push_back({RelPath::parse(path), text.size(), m_store.put(text), "test", {}});
    }
    m_artifacts.push_back(std::move(artifact));
    std::sort(m_artifacts.begin(), m_artifacts.end(), [](const auto& a, const auto& b) { return a.id() < b.id(); });
  }

  PackRequest request(const std::string& where, ContentForm form = ContentForm::tree, std::uint64_t sequence = 1) {
    PackRequest out{.output = m_folder.path() / where,
                    .artifacts = m_artifacts,
                    .generated = {{RelPath::parse("images/index.json"), "{}"}},
                    .trust_statements = {m_statement},
                    .stack = "test",
                    .lock = sha256("lock"),
                    .form = form,
                    .channel = "test",
                    .sequence = sequence,
                    .pending = {},
                    .previous = {},
                    .expires = {},
                    .creator = "tester(1000)",
                    .low_side_host = "builder"};
    return out;
  }

  PackResult packed(const std::string& where, ContentForm form = ContentForm::tree, std::uint64_t sequence = 1) {
    const auto result = pack(m_store, request(where, form, sequence), silent_reporter());
    sign_as("bob", where);
    return result;
  }

  void sign_as(const std::string& owner, const std::string& where) {
    const auto bundle = m_folder.path() / where;
    make_folders(bundle / "signatures");
    const auto signature = signature_by(owner, "builder", read_file(bundle / "manifest/bundle.json", 1 << 20));
    write_file_atomically(bundle / "signatures" / signature.name, signature.bytes);
  }

  VerifyReport verified(const std::string& where) {
    return verify_bundle(m_folder.path() / where, {.expect = {}, .pinned = std::vector{m_statement}, .when = now()},
                         silent_reporter());
  }

  /// The codes of all problems, each once.
  std::set<ErrorCode> codes(const std::string& where) {
    std::set<ErrorCode> out;
    for (const auto& problem : verified(where).problems) out.insert(problem.code);
    return out;
  }

  void overwrite(const fs::path& path, const std::string& text) { write_file_atomically(m_folder.path() / path, text); }
  void overwrite_partial(const fs::path& path, const std::string& text) {
    make_folders((m_folder.path() / path).parent_path());
    overwrite(path, text);
  }
  std::string content(const fs::path& path) { return read_file(m_folder.path() / path, 1u << 30); }
  void flip(const fs::path& path, std::size_t at) {
    auto bytes = content(path);
    bytes.at(at) = static_cast<char>(bytes[at] ^ 1);
    overwrite(path, bytes);
  }

  TemporaryFolder m_folder;
  BlobStore m_store;
  std::vector<Artifact> m_artifacts;
  std::string m_statement = signed_statement(sample_root(), {"root1"});
};

}  // namespace liftlock
