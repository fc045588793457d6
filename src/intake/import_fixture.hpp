// For tests: an installation, a folder of what was carried in, and the pipeline with cells in this process and an
// inspector that finds nothing.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/code_of.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "intake/describe.hpp"
#include "intake/import.hpp"
#include "os/process.hpp"
#include "store/catalog.hpp"
#include "trust/trust_fixture.hpp"

namespace liftlock {

class Imports : public ::testing::Test {
 protected:
  Imports() {
    (void)AuditLog(Site::create(m_folder.path() / "state", Zone::ingest, "test").audit_folder(), "");
    write_file_atomically(m_folder.path() / "state/config.toml", "zone = \"ingest\"\n[policy]\nreserve = \"1MiB\"\n");
    make_folders(drop());
  }

  fs::path drop() const { return m_folder.path() / "drop"; }
  void write(const std::string& name, std::string_view content) const {
    make_folders((drop() / name).parent_path());
    write_file_atomically(drop() / name, content);
  }
  void run(std::vector<std::string> argv) const {
    run_process_checked({.argv = std::move(argv), .working_folder = drop()});
  }
  void python(const std::string& script) const { run({"python3", "-c", script}); }

  Site site() const { return Site(m_folder.path() / "state"); }
  ImportRequest request(const std::string& name) const {
    const ImportCells cells{
        .scratch = m_folder.path(),
        .reserve = 0,
        .list = [](int file, int out, std::uint64_t most) { return list_container(file, out, {.unpacked = most}); },
        .describe = describe_package};
    return {.source = drop() / name,
            .expect = std::nullopt,
            .plan = false,
            .replace = false,
            .name = {},
            .allow_unsigned = true,
            .reason = "a test",
            .actor = "ian(1000)",
            .shapes = {},
            .cells = cells,
            .inspect = {
                .artifact = [](const Artifact&, const OpenChecked&, const FileInspections&) { return Inspection{}; }}};
  }
  ImportResult imported(const std::string& name) const { return import_from(site(), request(name), silent_reporter()); }
  std::optional<ErrorCode> refused(const std::string& name) const {
    return code_of([&] { (void)imported(name); });
  }
  ImportResult planned(const std::string& name) const {
    auto asked = request(name);
    asked.plan = true;
    return import_from(site(), asked, silent_reporter());
  }
  Catalog catalog() const { return Catalog(site().catalog_file()); }
  Artifact artifact(const std::string& id) const {
    const auto found = catalog().find(id);
    EXPECT_TRUE(found) << id;
    return found.value_or(Artifact{});
  }
  std::vector<std::string> entries() const {
    const AuditLog log(site().audit_folder(), "");
    std::vector<std::string> out;
    log.for_each(0, log.size(), [&](const AuditEntry& entry) {
      const auto outcome = entry.event.outcome;
      out.push_back(entry.event.type + (outcome == Outcome::intent    ? " intent"
                                        : outcome == Outcome::success ? " success"
                                                                      : " failure"));
      return true;
    });
    return out;
  }
  /// A package whose manifest tells the truth, but for `lie`: a Python statement over `m` (the manifest), `z` is open.
  void baimodel(const std::string& name, const std::string& lie = "pass",
                const std::string& weights = "weights") const {
    python(
        "import zipfile, json, hashlib\n"
        "w = b'" +
        weights +
        "'\n"
        "m = {'format_version': 1, 'name': 'tiny', 'version': '1', 'format': 'gguf', 'publisher': 'org',\n"
        "     'checksums': {'model/tiny.gguf': hashlib.sha256(w).hexdigest()}}\n"
        "z = zipfile.ZipFile('" +
        name + "', 'w')\n" + lie +
        "\n"
        "z.writestr('manifest.json', json.dumps(m))\nz.writestr('model/tiny.gguf', w)\nz.close()");
  }
  /// A storage of KitOps. @param entries of its index: a Python list of (tag, kit(version, weights))
  void modelkits(const std::string& name, const std::string& entries) const {
    python(
        "import hashlib, io, json, pathlib, tarfile\n"
        "root = pathlib.Path('" +
        name +
        "')\nblobs = root / 'blobs/sha256'\nblobs.mkdir(parents=True)\n"
        "def blob(data, kind):\n"
        "    digest = hashlib.sha256(data).hexdigest()\n"
        "    (blobs / digest).write_bytes(data)\n"
        "    return {'mediaType': kind, 'digest': 'sha256:' + digest, 'size': len(data)}\n"
        "def kit(version, weights):\n"
        "    out = io.BytesIO()\n"
        "    member = tarfile.TarInfo('model/tiny.gguf')\n"
        "    member.size = len(weights)\n"
        "    with tarfile.open(fileobj=out, mode='w') as tar: tar.addfile(member, io.BytesIO(weights.encode()))\n"
        "    kits = 'application/vnd.kitops.modelkit.'\n"
        "    kitfile = {'package': {'name': 'kit', 'version': version}, 'model': {'name': 'tiny'}}\n"
        "    manifest = {'schemaVersion': 2, 'config': blob(json.dumps(kitfile).encode(), kits + 'config.v1+json'),\n"
        "                'layers': [blob(out.getvalue(), kits + 'model.v1.tar')]}\n"
        "    return blob(json.dumps(manifest).encode(), 'application/vnd.oci.image.manifest.v1+json')\n"
        "(root / 'oci-layout').write_text(json.dumps({'imageLayoutVersion': '1.0.0'}))\n"
        "entries = [dict(made, annotations={'org.opencontainers.image.ref.name': tag}) for tag, made in " +
        entries +
        "]\n"
        "(root / 'index.json').write_text(json.dumps({'schemaVersion': 2, 'manifests': entries}))");
  }
  /// A ModelPack of the CNCF, as `skopeo copy` writes it. @param layers a Python list of (type, content, file path)
  void modelpack(const std::string& name, const std::string& layers) const {
    python(
        "import hashlib, json, pathlib\n"
        "root = pathlib.Path('" +
        name +
        "')\nblobs = root / 'blobs/sha256'\nblobs.mkdir(parents=True)\n"
        "def blob(data, kind, **more):\n"
        "    digest = hashlib.sha256(data).hexdigest()\n"
        "    (blobs / digest).write_bytes(data)\n"
        "    return {'mediaType': kind, 'digest': 'sha256:' + digest, 'size': len(data), **more}\n"
        "kinds = 'application/vnd.cncf.model.'\n"
        "config = {'descriptor': {'name': 'tiny', 'version': '1.0', 'licenses': ['MIT']}, 'config': {}}\n"
        "manifest = {'schemaVersion': 2, 'artifactType': kinds + 'manifest.v1+json',\n"
        "            'config': blob(json.dumps(config).encode(), kinds + 'config.v1+json'), 'layers': [\n"
        "    blob(data, kinds + kind, annotations={'org.cncf.model.filepath': path} if path else {})\n"
        "    for kind, data, path in " +
        layers +
        "]}\n"
        "entry = blob(json.dumps(manifest).encode(), 'application/vnd.oci.image.manifest.v1+json')\n"
        "(root / 'oci-layout').write_text(json.dumps({'imageLayoutVersion': '1.0.0'}))\n"
        "(root / 'index.json').write_text(json.dumps({'schemaVersion': 2, 'manifests': [entry]}))");
  }
  static std::string hex(std::string_view text) { return sha256(text).hex(); }

  TemporaryFolder m_folder;
};

}  // namespace liftlock
