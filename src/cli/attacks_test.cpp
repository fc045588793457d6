// The known attacks on what Liftlock carries, built here from their descriptions: each goes as a signed bundle into a
// real ingest with the real inspectors, is refused with its own code, and leaves nothing that anybody could see. The
// table in docs/attacks.md names each of them.
#include <gmock/gmock.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "bundle/ingest_fixture.hpp"
#include "cli/attack_files.hpp"
#include "cli/inspection.hpp"
#include "cli/package_attacks.hpp"
#include "ecosystem/apt/test_debs.hpp"
#include "ecosystem/oci/sample_image_test.hpp"

namespace liftlock {
namespace {

using namespace std::string_literals;
using attack::ZipItem;

using attack::Attack;
using attack::later;

Attack wheel(const std::string& name, ErrorCode code, std::string bytes, std::string word = "") {
  return {name, code, "wheel", {{"packages/pypi/demo_pkg-1.0-py3-none-any.whl", std::move(bytes)}}, std::move(word)};
}
Attack sdist(const std::string& name, ErrorCode code, const std::string& entries, std::string word = "") {
  const auto info =
      attack::tar_file("demo_pkg-1.0/PKG-INFO", "Metadata-Version: 2.1\nName: demo-pkg\nVersion: 1.0\n\n");
  return {name,
          code,
          "sdist",
          {{"packages/pypi/demo_pkg-1.0.tar.gz", oci::sample::gzip(info + entries + attack::tar_end())}},
          std::move(word)};
}
/// The tarball of demo@1.0.0.
Attack npm_package(const std::string& name, ErrorCode code, const std::string& entries, std::string word = "") {
  return {name,
          code,
          "npm",
          {{"packages/npm/demo/demo-1.0.0.tgz", oci::sample::gzip(entries + attack::tar_end())}},
          std::move(word)};
}
/// The crate demo 1.0.0, with a sound Cargo.toml.
Attack crate(const std::string& name, ErrorCode code, const std::string& entries, std::string word = "") {
  const auto manifest = attack::tar_file("demo-1.0.0/Cargo.toml", "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n");
  return {name,
          code,
          "crate",
          {{"packages/cargo/demo-1.0.0.crate", oci::sample::gzip(manifest + entries + attack::tar_end())}},
          std::move(word)};
}
/// The tree of the crate demo 1.0.0, with a sound list, and whatever stands in the tar besides. @param lock empty: none
Attack vendored(const std::string& name, ErrorCode code, const std::string& entries, const std::string& lock = "",
                const std::string& library = "one") {
  const std::string manifest = "[package]\nname = \"demo\"\nversion = \"1.0.0\"\n";
  const Json list = {{"files", {{"Cargo.toml", sha256(manifest).hex()}, {"src/lib.rs", sha256("one").hex()}}},
                     {"package", std::string(64, 'a')}};
  auto tar = lock.empty() ? std::string() : attack::tar_file("Cargo.lock", lock);
  tar += attack::tar_file("vendor/demo/.cargo-checksum.json", list.dump());
  tar += attack::tar_file("vendor/demo/Cargo.toml", manifest) + attack::tar_file("vendor/demo/src/lib.rs", library);
  Attack out{name, code, "cargo-vendor", {{"packages/cargo/demo-vendor.tar", tar + entries + attack::tar_end()}}};
  if (lock.empty()) out.facts = {{"lock", false}};
  return out;
}
/// A Cargo.lock that wants demo 1.0.0 of this .crate.
std::string lock_of(char digit) {
  return "version = 4\n[[package]]\nname = \"demo\"\nversion = \"1.0.0\"\nsource = \"registry+https://one.example/\"\n"
         "checksum = \"" +
         std::string(64, digit) + "\"\n";
}
/// The module example.test/demo v1.0.0, with a sound .mod.
Attack go_module(const std::string& name, ErrorCode code, std::vector<ZipItem> items, std::string word = "") {
  const std::string start = "packages/go/example.test/demo/@v/v1.0.0", mod = "module example.test/demo\n";
  items.insert(items.begin(), {"example.test/demo@v1.0.0/go.mod", mod});
  return {name, code, "go-module", {{start + ".mod", mod}, {start + ".zip", attack::zip(items)}}, std::move(word)};
}
Attack deb(const std::string& name, ErrorCode code, std::string bytes, std::string word = "") {
  return {name, code, "deb", {{"packages/apt/pool/demo_1.0_all.deb", std::move(bytes)}}, std::move(word)};
}
Attack model(const std::string& name, ErrorCode code, const std::string& file, std::string bytes,
             std::string word = "") {
  return {name, code, "model", {{"models/demo/" + file, std::move(bytes)}}, std::move(word)};
}
Attack image(const std::string& name, ErrorCode code, const oci::sample::Blobs& blobs, const oci::Descriptor& root,
             std::string word = "") {
  Attack out{name, code, "image", {}, std::move(word)};
  const auto made = oci::sample::artifact(blobs, root);
  out.facts = made.facts;
  for (const auto& file : made.files) out.files.emplace_back(file.path.text(), blobs.all.at(file.digest));
  return out;
}
/// An image of one layer.
Attack layer(const std::string& name, ErrorCode code, const std::string& entries, std::string word = "") {
  oci::sample::Blobs blobs;
  const auto root = blobs.image({entries + attack::tar_end()});
  return image(name, code, blobs, root, std::move(word));
}

std::vector<Attack> wheels() {
  const ZipItem code{"demo_pkg/__init__.py", "x = 1\n"};
  const auto with = [&](const ZipItem& item) { return attack::wheel({code, item}); };
  auto two_names = ZipItem{"demo_pkg/a.py", "pass\n"};
  two_names.local_name = "demo_pkg/b.py";
  auto grows = ZipItem{"demo_pkg/a.py", "pass\n"};
  grows.local_too_many = 4;
  auto shrinks = ZipItem{"demo_pkg/a.py", std::string(100, 'x')};
  shrinks.size_too_many = 1000;
  auto overlap = ZipItem{"demo_pkg/again.py", code.content};
  overlap.at_first = true;
  auto encrypted = ZipItem{"demo_pkg/a.py", "pass\n"};
  encrypted.flags = 0x801;
  return {
      wheel("zip slip", ErrorCode::path_unsafe, with({"../../etc/cron.d/x", "evil"})),
      wheel("zip absolute name", ErrorCode::path_unsafe, with({"/etc/cron.d/x", "evil"})),
      wheel("zip backslash name", ErrorCode::path_unsafe, with({"..\\..\\x.py", "evil"})),
      wheel("zip name with NUL", ErrorCode::path_unsafe, with({"demo_pkg/a.py\0.txt"s, "evil"})),
      wheel("zip name not UTF-8", ErrorCode::path_unsafe, with({"demo_pkg/\xff\xfe.py", "evil"})),
      wheel("zip symlink", ErrorCode::not_regular, with({"demo_pkg/link", "/etc/passwd", false, 0120777})),
      wheel("zip device", ErrorCode::not_regular, with({"demo_pkg/dev", "", false, 0020666})),
      wheel("zip name twice", ErrorCode::path_collision, attack::wheel({code, code})),
      wheel("zip local and central names differ", ErrorCode::package_malformed, with(two_names)),
      wheel("zip local and central sizes differ", ErrorCode::package_malformed, with(grows)),
      wheel("zip size in the directory lies", ErrorCode::package_malformed, with(shrinks)),
      wheel("zip overlapping entries", ErrorCode::package_malformed, with(overlap), "overlap"),
      later("zip bomb", ErrorCode::limit_exceeded,
            [] {
              return wheel("", ErrorCode::limit_exceeded,
                           attack::wheel({{"demo_pkg/zeros", std::string(100u << 20, '\0'), true}}));
            }),
      wheel("zip encrypted", ErrorCode::package_malformed, with(encrypted)),
      wheel("zip with a prefix", ErrorCode::package_malformed, attack::wheel({code}, {.before = "#!/bin/sh\n"})),
      wheel("zip with something behind", ErrorCode::package_malformed, attack::wheel({code}, {.after = "more"})),
      wheel("zip count lies", ErrorCode::package_malformed, attack::wheel({code}, {.count_too_many = 5})),
      wheel("RECORD lies", ErrorCode::digest_mismatch, attack::wheel({code}, {}, code.name)),
      wheel("RECORD does not name a file", ErrorCode::package_malformed,
            [&] {
              auto items = attack::wheel_items({code});
              items.insert(items.begin(), {"demo_pkg/stowaway.py", "evil"});
              return attack::zip(items);
            }()),
      {"wheel under another name",
       ErrorCode::package_malformed,
       "wheel",
       {{"packages/pypi/demo_pkg-1.0-py3-none-any.whl",
         attack::zip({{"other-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: other\nVersion: 1.0\n\n"}})}}},
      {"wheel twice by another spelling",
       ErrorCode::path_collision,
       "wheel",
       {{"packages/pypi/demo_pkg-1.0-py3-none-any.whl", attack::wheel({code})},
        {"packages/pypi/sub/Demo.Pkg-1.0.0-py3-none-any.whl", attack::wheel({{"demo_pkg/__init__.py", "x = 2\n"}})}},
       "are both the wheel demo-pkg 1.0"},
  };
}

std::vector<Attack> sdists() {
  using attack::tar_file;
  const auto file = tar_file("demo_pkg-1.0/a.py", "pass\n");
  const auto negative = attack::tar_block(
      "demo_pkg-1.0/a.py", 0, '0', [](std::string& header) { header.replace(124, 12, std::string(12, '\xff')); });
  const auto huge = attack::tar_block("demo_pkg-1.0/a.py", 0, '0', [](std::string& header) {
    header.replace(124, 12, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"s);
  });
  return {
      sdist("tar slip", ErrorCode::path_unsafe, tar_file("../../x", "evil")),
      sdist("tar slip behind its own folder", ErrorCode::path_unsafe, tar_file("demo_pkg-1.0/../../x", "evil")),
      sdist("tar absolute name", ErrorCode::path_unsafe, tar_file("/etc/cron.d/x", "evil")),
      sdist("tar symlink", ErrorCode::not_regular, tar_file("demo_pkg-1.0/l", "", '2', "/etc")),
      sdist("tar hard link", ErrorCode::not_regular, tar_file("demo_pkg-1.0/l", "", '1', "/etc/shadow")),
      sdist("tar device", ErrorCode::not_regular, tar_file("demo_pkg-1.0/d", "", '3')),
      sdist("tar pipe", ErrorCode::not_regular, tar_file("demo_pkg-1.0/p", "", '6')),
      sdist("tar pax name differs", ErrorCode::path_unsafe, attack::pax("path=../../x") + file),
      sdist("tar GNU name differs", ErrorCode::path_unsafe, attack::gnu_name("../../x") + file),
      sdist("tar pax makes a link of a file", ErrorCode::not_regular,
            attack::pax("linkpath=/etc") + tar_file("demo_pkg-1.0/l", "", '2', "a.py")),
      sdist("tar negative size", ErrorCode::package_malformed, negative + attack::padded("pass\n")),
      sdist("tar size near 2^63", ErrorCode::package_malformed, huge + attack::padded("pass\n")),
      sdist("tar size past the end", ErrorCode::limit_exceeded, attack::tar_block("demo_pkg-1.0/a.py", 1u << 30)),
      sdist("tar sparse of a terabyte", ErrorCode::limit_exceeded, attack::gnu_sparse("demo_pkg-1.0/s", 1ull << 40)),
      sdist("tar checksum", ErrorCode::package_malformed, "x" + file.substr(1)),
      later("tar gzip bomb", ErrorCode::limit_exceeded,
            [] {
              return sdist("", ErrorCode::limit_exceeded, tar_file("demo_pkg-1.0/z", std::string(120u << 20, '\0')));
            }),
  };
}

std::vector<Attack> layers() {
  using attack::tar_file;
  std::vector<Attack> all = {
      layer("layer slip", ErrorCode::path_unsafe, tar_file("../../x", "evil")),
      layer("layer absolute name", ErrorCode::path_unsafe, tar_file("/etc/cron.d/x", "evil")),
      layer("layer hard link outside", ErrorCode::path_unsafe, tar_file("l", "", '1', "../../etc/shadow")),
      layer("layer absolute hard link", ErrorCode::path_unsafe, tar_file("l", "", '1', "/etc/shadow")),
      layer("layer pax name differs", ErrorCode::path_unsafe, attack::pax("path=../../x") + tar_file("a", "evil")),
      layer("layer pax link differs", ErrorCode::path_unsafe,
            attack::pax("linkpath=../../etc/shadow") + tar_file("l", "", '1', "a")),
      layer("layer whiteout outside", ErrorCode::path_unsafe, tar_file("a/../../.wh.etc", "")),
      layer("layer whiteout of the parent", ErrorCode::path_unsafe, tar_file("a/.wh...", "")),
      layer("layer whiteout of its own folder", ErrorCode::path_unsafe, tar_file("a/.wh..", "")),
      layer("layer whiteout of nothing", ErrorCode::path_unsafe, tar_file("a/.wh.", "")),
      layer("layer sparse of a terabyte", ErrorCode::limit_exceeded, attack::gnu_sparse("s", 1ull << 40)),
      layer("layer negative size", ErrorCode::image_malformed,
            attack::tar_block("a", 0, '0',
                              [](std::string& header) { header.replace(124, 12, std::string(12, '\xff')); }) +
                attack::padded("x")),
      later("layer bomb", ErrorCode::limit_exceeded,
            [] { return layer("", ErrorCode::limit_exceeded, tar_file("z", std::string(300u << 20, '\0'))); }),
  };
  const auto good = tar_file("a", "good") + attack::tar_end();
  {
    oci::sample::Blobs blobs;
    const auto evil = blobs.add(oci::sample::gzip(tar_file("a", "evil") + attack::tar_end()),
                                std::string(oci::media::oci_layer) + "+gzip");
    all.push_back(image("layer that is not its diff_id", ErrorCode::digest_mismatch, blobs,
                        blobs.manifest(blobs.config({good}), {evil})));
  }
  {
    oci::sample::Blobs blobs;
    const auto twice =
        blobs.add(oci::sample::gzip(oci::sample::gzip(good)), std::string(oci::media::oci_layer) + "+gzip");
    all.push_back(image("layer compressed twice", ErrorCode::image_malformed, blobs,
                        blobs.manifest(blobs.config({good}), {twice})));
  }
  const auto document = [&](const std::string& name, ErrorCode code, const std::function<void(std::string&)>& edit) {
    oci::sample::Blobs blobs;
    const auto root = blobs.image({good});
    auto text = blobs.all.at(root.digest);
    blobs.all.erase(root.digest);
    edit(text);
    all.push_back(image(name, code, blobs, blobs.add(text, oci::media::oci_manifest)));
  };
  document("manifest that is an index, too (CVE-2021-41190)", ErrorCode::image_malformed,
           [](std::string& text) { text.insert(1, "\"manifests\":[],"); });
  document("manifest with a key twice", ErrorCode::json_duplicate_key,
           [](std::string& text) { text.insert(1, "\"schemaVersion\":2,"); });
  document("manifest with a digest that is a path", ErrorCode::schema_violation, [](std::string& text) {
    const auto at = text.find("sha256:") + 7;
    text.replace(at, 64, "../../../../etc/shadow");
  });
  document("manifest that understates a layer", ErrorCode::size_mismatch, [](std::string& text) {
    auto json = parse_json(text);
    json["layers"][0]["size"] = 1;
    text = dump_json_line(json);
  });
  return all;
}

std::vector<Attack> debs() {
  using apt::testing_support::ar_member;
  using apt::testing_support::make_tar;
  using apt::testing_support::TarItem;
  const auto control = apt::testing_support::control_text("demo", "1.0", "all");
  const auto with = [&](const TarItem& item) {
    return apt::testing_support::make_deb(control, {{"./usr/a", "x"}, item});
  };
  const auto front = "!<arch>\n" + ar_member("debian-binary", "2.0\n") +
                     ar_member("control.tar.gz", make_tar({{"./control", control}}, archive_write_add_filter_gzip));
  const auto data = make_tar({{"./usr/a", "x"}}, archive_write_add_filter_xz);
  return {
      deb("deb slip", ErrorCode::path_unsafe, with({"./usr/../../etc/cron.d/x", "evil"})),
      deb("deb absolute name", ErrorCode::path_unsafe, with({"/etc/cron.d/x", "evil"})),
      deb("deb hard link outside", ErrorCode::path_unsafe, with({"./l", "", AE_IFREG, 0644, "../../etc/shadow", true})),
      deb("deb file below its own symlink", ErrorCode::path_unsafe,
          apt::testing_support::make_deb(control, {{"./a", "", AE_IFLNK, 0777, "/etc"}, {"./a/passwd", "evil"}})),
      deb("deb device", ErrorCode::package_malformed, with({"./dev/sda", "", AE_IFBLK})),
      deb("deb of another package", ErrorCode::package_malformed,
          apt::testing_support::make_deb(apt::testing_support::control_text("other", "1.0", "all"), {{"./a", "x"}})),
      deb("deb member of negative size", ErrorCode::package_malformed, front + ar_member("data.tar.xz", data, "-1")),
      deb("deb member past the end", ErrorCode::package_malformed,
          front + ar_member("data.tar.xz", data, "9999999999")),
      deb("deb with data twice", ErrorCode::package_malformed,
          front + ar_member("data.tar.xz", data) + ar_member("data.tar.xz", data)),
      later("deb bomb", ErrorCode::limit_exceeded,
            [=] {
              return deb("", ErrorCode::limit_exceeded,
                         apt::testing_support::make_deb(control, {{"./z", std::string(100u << 20, '\0')}}));
            }),
      deb("deb sparse of a terabyte", ErrorCode::limit_exceeded,
          front +
              ar_member("data.tar.gz", oci::sample::gzip(attack::gnu_sparse("./s", 1ull << 40) + attack::tar_end()))),
  };
}

std::vector<Attack> npm_packages() {
  using attack::tar_file;
  const auto malformed = ErrorCode::package_malformed;
  const auto manifest = [](const std::string& text) { return tar_file("package/package.json", text); };
  const auto good = manifest(R"({"name": "demo", "version": "1.0.0"})");
  auto lying = npm_package("npm facts that the tarball does not have", malformed, good, "fact");
  lying.facts = {{"manifest", {{"name", "demo"}, {"version", "1.0.0"}, {"dependencies", {{"evil", "1.0.0"}}}}}};
  return {
      npm_package("npm package.json of another package", malformed,
                  manifest(R"({"name": "dem0", "version": "1.0.0"})")),
      npm_package("npm package.json of a scope", malformed, manifest(R"({"name": "@x/demo", "version": "1.0.0"})")),
      npm_package("npm package.json of another version", malformed,
                  manifest(R"({"name": "demo", "version": "6.6.6"})")),
      npm_package("npm package.json with a key twice", ErrorCode::json_duplicate_key,
                  manifest(R"({"name": "demo", "version": "1.0.0", "version": "6.6.6"})")),
      npm_package("npm second package.json", ErrorCode::path_collision,
                  good + manifest(R"({"name": "demo", "version": "1.0.0", "scripts": {"install": "evil"}})")),
      npm_package("npm package.json in a second folder", ErrorCode::path_unsafe,
                  good + tar_file("other/package.json", R"({"name": "demo", "version": "1.0.0"})")),
      npm_package("npm tar slip", ErrorCode::path_unsafe, good + tar_file("package/../../x", "evil")),
      npm_package("npm symlink", ErrorCode::not_regular, good + tar_file("package/l", "", '2', "/etc")),
      npm_package("npm file through a hard link", ErrorCode::not_regular,
                  good + tar_file("package/l", "", '1', "/etc/shadow")),
      later("npm bomb", ErrorCode::limit_exceeded,
            [good] {
              return npm_package("", ErrorCode::limit_exceeded,
                                 good + tar_file("package/z", std::string(120u << 20, '\0')));
            }),
      lying,
  };
}

std::vector<Attack> crates() {
  using attack::tar_file;
  const auto top = std::string("demo-1.0.0/");
  const auto other = [&](const std::string& manifest) {
    return Attack{"",
                  ErrorCode::package_malformed,
                  "crate",
                  {{"packages/cargo/demo-1.0.0.crate",
                    oci::sample::gzip(tar_file(top + "Cargo.toml", manifest) + attack::tar_end())}}};
  };
  auto renamed = other("[package]\nname = \"dem0\"\nversion = \"1.0.0\"\n");
  renamed.name = "crate of another name";
  auto aged = other("[package]\nname = \"demo\"\nversion = \"0.9.0\"\n");
  aged.name = "crate of another version";
  return {
      renamed,
      aged,
      crate("crate slip", ErrorCode::path_unsafe, tar_file(top + "../../x", "evil")),
      crate("crate file beside its folder", ErrorCode::path_unsafe, tar_file("serde-1.0.0/src/lib.rs", "evil")),
      crate("crate symlink", ErrorCode::not_regular, tar_file(top + "l", "", '2', "/etc")),
      crate("crate file through a hard link", ErrorCode::not_regular, tar_file(top + "l", "", '1', "/etc/shadow")),
      crate("crate second Cargo.toml", ErrorCode::path_collision, tar_file(top + "Cargo.toml", "[package]\n")),
      crate("crate cargo.toml in other letters", ErrorCode::path_collision, tar_file(top + "cargo.toml", "x")),
      crate("crate with cargo's own mark", ErrorCode::package_malformed, tar_file(top + ".cargo-ok", "")),
      later("crate bomb", ErrorCode::limit_exceeded,
            [top] { return crate("", ErrorCode::limit_exceeded, tar_file(top + "z", std::string(120u << 20, '\0'))); }),
  };
}

std::vector<Attack> vendored_trees() {
  using attack::tar_file;
  auto denied = vendored("vendored tree that denies its lock", ErrorCode::package_malformed, "", lock_of('b'));
  denied.facts = {{"lock", false}};
  return {
      vendored("vendored tree slip", ErrorCode::path_unsafe, tar_file("vendor/../../x", "evil")),
      vendored("vendored tree symlink", ErrorCode::not_regular, tar_file("vendor/demo/l", "", '2', "/etc")),
      vendored("vendored file that no list names", ErrorCode::extra_file, tar_file("vendor/demo/build.rs", "evil")),
      vendored("vendored file beside the crates", ErrorCode::package_malformed,
               tar_file(".cargo/config.toml", "[build]\nrustc-wrapper = \"evil\"\n")),
      vendored("vendored file changed", ErrorCode::digest_mismatch, "", "", "two"),
      vendored("vendored tree of another lock", ErrorCode::digest_mismatch, "", lock_of('b')),
      denied,
  };
}

std::vector<Attack> go_modules() {
  const auto top = std::string("example.test/demo@v1.0.0/");
  auto lying =
      go_module("Go module of another go.sum", ErrorCode::package_malformed, {{top + "a.go", "package demo\n"}});
  auto bomb = ZipItem{top + "z", "words", true};
  bomb.size_too_many = 520u << 20;
  lying.facts = {{"h1", "h1:" + std::string(43, 'A') + "="}};
  return {
      lying,
      go_module("Go module slip", ErrorCode::path_unsafe, {{top + "../../x", "evil"}}),
      go_module("Go module file of another module", ErrorCode::path_unsafe, {{"example.test/x@v1.0.0/a.go", "evil"}}),
      go_module("Go module file twice in other letters", ErrorCode::path_collision,
                {{top + "a.go", "x"}, {top + "A.go", "y"}}),
      go_module("Go module with a second go.mod", ErrorCode::package_malformed, {{top + "sub/go.mod", "module x\n"}}),
      go_module("Go module symlink", ErrorCode::not_regular, {{top + "l", "/etc/passwd", false, 0120777}}),
      go_module("Go module bomb", ErrorCode::limit_exceeded, {bomb}),
  };
}

std::vector<Attack> models() {
  using attack::gguf;
  using attack::gguf_text;
  using attack::little;
  using attack::safetensors;
  const auto malformed = ErrorCode::model_malformed;
  const auto unsafe = ErrorCode::model_unsafe_format;
  const auto pickle = "\x80\x02"s + "cos\nsystem\nX\x04\0\0\0echoq\1\x85q\2Rq\3."s;
  const auto key = [](const std::string& name, std::uint32_t type, const std::string& value) {
    return gguf_text(name) + little(type) + value;
  };
  const auto one = "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}"s;
  const auto onnx = [](const std::string& location) {
    const auto field = [](int number, const std::string& bytes) {
      return std::string(1, static_cast<char>(number << 3 | 2)) + std::string(1, static_cast<char>(bytes.size())) +
             bytes;
    };
    const auto entry = field(1, "location") + field(2, location);
    const auto tensor = "\x08\x01\x10\x01"s + field(8, "w") + field(13, entry) + "\x70\x01"s;  // data_location EXTERNAL
    const auto graph = field(2, "g") + field(5, tensor);
    return "\x08\x08"s + field(7, graph) + field(8, "\x10\x0d"s);
  };
  return {
      model("pickle by its name", unsafe, "pytorch_model.bin", pickle),
      model("pickle called safetensors", unsafe, "model.safetensors", pickle),
      model("pickle called config.json", unsafe, "config.json", pickle),
      model("pickle of protocol 0", unsafe, "weights", "cos\nsystem\n(S'echo'\ntR.\n"),
      model("torch archive called gguf", unsafe, "model.gguf", attack::zip({{"archive/data.pkl", pickle}})),
      model("Keras archive (CVE-2025-1550)", unsafe, "model.keras", attack::zip({{"config.json", "{}"}})),
      model("HDF5 called safetensors (CVE-2025-1550)", unsafe, "model.safetensors",
            "\x89HDF\r\n\x1a\n"s + std::string(100, '\0')),
      model("program called gguf", unsafe, "model.gguf",
            "\x7f"
            "ELF" +
                std::string(100, '\1')),
      model("GGUF with a zip behind", malformed, "m.gguf",
            gguf({.after = attack::zip({{"archive/data.pkl", pickle}})})),
      model("GGUF tensor count overflows (CVE-2025-53630)", malformed, "m.gguf", gguf({.tensors = 1ull << 62})),
      model("GGUF key count overflows", malformed, "m.gguf", gguf({.keys = ~0ull})),
      model("GGUF dimensions overflow (CVE-2025-53630)", malformed, "m.gguf",
            gguf({.dimensions = {1ull << 32, 1ull << 32, 2}})),
      model("GGUF dimensions wrap to a small size (CVE-2026-27940)", malformed, "m.gguf",
            gguf({.dimensions = {1ull << 62, 4, 1, 1}})),
      model("GGUF dimension of zero", malformed, "m.gguf", gguf({.dimensions = {0}})),
      model("GGUF tensor past the file (CVE-2026-7482)", malformed, "m.gguf", gguf({.dimensions = {1u << 20}})),
      model("GGUF offset past the file (CVE-2026-7482)", malformed, "m.gguf", gguf({.offset = 1ull << 40})),
      model("GGUF string longer than the file", malformed, "m.gguf",
            gguf({.keys = 2, .more_keys = key("a.b", 8, little(~0ull))})),
      model("GGUF array overflows", malformed, "m.gguf",
            gguf({.keys = 2, .more_keys = key("a.b", 9, little(std::uint32_t(4)) + little((1ull << 62) + 1))})),
      model("GGUF arrays in arrays", malformed, "m.gguf",
            gguf({.keys = 2, .more_keys = key("a.b", 9, little(std::uint32_t(9)) + little(1ull))})),
      model("GGUF key twice", malformed, "m.gguf",
            gguf({.keys = 2, .more_keys = key("general.architecture", 8, gguf_text("other"))})),
      model("GGUF alignment of zero", malformed, "m.gguf",
            gguf({.keys = 2, .more_keys = key("general.alignment", 4, little(std::uint32_t(0)))})),
      model("safetensors header of 2^63", malformed, "m.safetensors", safetensors("{" + one + "}", 4, 1ull << 63)),
      model("safetensors header past the file", malformed, "m.safetensors", safetensors("{" + one + "}", 4, 10'000)),
      model("safetensors key twice (TOB-SFTN-7)", malformed, "m.safetensors",
            safetensors("{" + one + "," + one + "}", 4)),
      model("safetensors overlap", malformed, "m.safetensors",
            safetensors("{" + one + ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}", 6)),
      model("safetensors gap", malformed, "m.safetensors",
            safetensors("{" + one + ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[8,12]}}", 12)),
      model("safetensors shape overflows", malformed, "m.safetensors",
            safetensors("{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0)),
      model("safetensors with something behind", malformed, "m.safetensors", safetensors("{" + one + "}", 40)),
      model("ONNX weights from outside (CVE-2024-27318)", malformed, "m.onnx", onnx("../../../etc/passwd")),
      model("ONNX weights from an absolute path", malformed, "m.onnx", onnx("/etc/passwd")),
      model("JSON with a key twice", ErrorCode::json_duplicate_key, "config.json", "{\"a\":1,\"a\":2}"),
  };
}

class Attacks : public IngestTest, public testing::WithParamInterface<Attack> {
 protected:
  Attacks() {
    m_artifacts.clear();
    add("file", "good", "1", {{"files/good/good.txt", "words"}});
  }

  /// In this process: what a cell keeps from happening is tested elsewhere.
  static Inspection inspect(const Artifact& artifact, const OpenChecked& open, const FileInspections&) {
    std::vector<UniqueFd> files;
    std::vector<int> fds;
    for (const auto& file : artifact.files) fds.push_back(files.emplace_back(open(file.digest)).get());
    return inspect_here(artifact, fds, {});
  }

  void carry(const Attack& given) {
    const auto attack = given.made_later ? given.made_later() : given;
    static const std::map<std::string, std::pair<std::string, std::string>> k_known = {
        {"deb", {"demo", "1.0"}},       {"wheel", {"demo-pkg", "1.0"}},
        {"sdist", {"demo-pkg", "1.0"}}, {"image", {"team/app", "1.0"}},
        {"model", {"demo", "1.0"}},     {"npm", {"demo", "1.0.0"}},
        {"crate", {"demo", "1.0.0"}},   {"go-module", {"example.test/demo", "v1.0.0"}},
        {"chart", {"demo", "1.0.0"}},   {"maven", {"example.test:demo", "1.0"}},
        {"rpm", {"demo", "1.0-1"}},     {"git", {"demo", "1"}},
        {"cargo-vendor", {"demo", "1"}}};
    const auto& [name, version] = k_known.at(attack.kind);
    add(attack.kind, attack.called.empty() ? name : attack.called, version, attack.files);
    for (auto& artifact : m_artifacts) {
      if (artifact.kind == attack.kind) artifact.facts = attack.facts;
    }
    packed("bundle");
  }
};

TEST_P(Attacks, IsRefusedWithItsCodeAndLeavesNothing) {
  const auto& attack = GetParam();
  carry(attack);
  auto made = order("bundle");
  made.inspect = {.artifact = &inspect};
  try {
    ingest(site(), made, silent_reporter());
    FAIL() << attack.name << " was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(info(error.code()).slug, info(attack.code).slug) << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr(attack.word));
  }
  EXPECT_EQ(publications(), 0u);
  const BlobStore store(site().store_folder());
  for (const auto& artifact : m_artifacts) {
    for (const auto& file : artifact.files) EXPECT_FALSE(store.contains(file.digest)) << file.path.text();
  }
  EXPECT_EQ(entries().back(), "bundle.ingest failure");
}

std::string test_name(const testing::TestParamInfo<Attack>& attack) {
  std::string out;
  for (const char c : attack.param.name) out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return out;
}

INSTANTIATE_TEST_SUITE_P(Wheels, Attacks, testing::ValuesIn(wheels()), test_name);
INSTANTIATE_TEST_SUITE_P(Sdists, Attacks, testing::ValuesIn(sdists()), test_name);
INSTANTIATE_TEST_SUITE_P(Images, Attacks, testing::ValuesIn(layers()), test_name);
INSTANTIATE_TEST_SUITE_P(Debs, Attacks, testing::ValuesIn(debs()), test_name);
INSTANTIATE_TEST_SUITE_P(Crates, Attacks, testing::ValuesIn(crates()), test_name);
INSTANTIATE_TEST_SUITE_P(VendoredTrees, Attacks, testing::ValuesIn(vendored_trees()), test_name);
INSTANTIATE_TEST_SUITE_P(GoModules, Attacks, testing::ValuesIn(go_modules()), test_name);
INSTANTIATE_TEST_SUITE_P(Models, Attacks, testing::ValuesIn(models()), test_name);
INSTANTIATE_TEST_SUITE_P(NpmPackages, Attacks, testing::ValuesIn(npm_packages()), test_name);
INSTANTIATE_TEST_SUITE_P(MavenArtifacts, Attacks, testing::ValuesIn(attack::maven_artifacts()), test_name);
INSTANTIATE_TEST_SUITE_P(Charts, Attacks, testing::ValuesIn(attack::charts()), test_name);
INSTANTIATE_TEST_SUITE_P(Rpms, Attacks, testing::ValuesIn(attack::rpms()), test_name);
INSTANTIATE_TEST_SUITE_P(Repositories, Attacks, testing::ValuesIn(attack::repositories()), test_name);

/// docs/attacks.md has one row per attack, and no other.
TEST(AttackTable, IsThatOfTheDocument) {
  const auto page = read_file(fs::path(LIFTLOCK_SOURCE_DIR) / "docs/attacks.md", 1u << 20);
  std::string table;
  for (const auto& some :
       {wheels(), sdists(), layers(), debs(), models(), npm_packages(), crates(), vendored_trees(), go_modules(),
        attack::maven_artifacts(), attack::charts(), attack::rpms(), attack::repositories()}) {
    for (const auto& one : some) table += fmt::format("| {} | `{}` |\n", one.name, info(one.code).slug);
  }
  EXPECT_THAT(page, testing::HasSubstr("|---|---|\n" + table + "\n")) << "the table must be:\n" << table;
}

/// The builders themselves tell the truth when nobody makes them lie.
class Harmless : public Attacks {};

TEST_P(Harmless, Lands) {
  carry(GetParam());
  auto made = order("bundle");
  made.inspect = {.artifact = &inspect};
  EXPECT_EQ(ingest(site(), made, silent_reporter()).status, IngestResult::Status::published);
}

std::vector<Attack> harmless() {
  using attack::tar_file;
  const auto none = ErrorCode::internal;
  return {
      wheel("wheel", none, attack::wheel({{"demo_pkg/__init__.py", "x = 1\n", true}})),
      sdist("sdist", none, attack::pax("path=demo_pkg-1.0/ok") + tar_file("demo_pkg-1.0/a.py", "pass\n")),
      layer("image", none, tar_file("a/.wh..wh..opq", "") + tar_file("a/.wh.b", "") + tar_file("l", "", '2', "/etc")),
      deb("deb", none,
          apt::testing_support::make_deb(apt::testing_support::control_text("demo", "1.0", "all"), {{"./a", "x"}})),
      npm_package("npm", none, tar_file("package/package.json", R"({"name": "demo", "version": "1.0.0"})")),
      crate("crate", none, tar_file("demo-1.0.0/src/lib.rs", "")),
      vendored("vendored tree", none, "", lock_of('a')),
      vendored("vendored tree without a lock", none, ""),
      go_module("Go module", none, {{"example.test/demo@v1.0.0/a.go", "package demo\n", true}}),
      model("gguf", none, "m.gguf", attack::gguf({})),
      model("safetensors", none, "m.safetensors",
            attack::safetensors("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4))};
}
INSTANTIATE_TEST_SUITE_P(Good, Harmless, testing::ValuesIn(harmless()), test_name);
INSTANTIATE_TEST_SUITE_P(GoodPackages, Harmless, testing::ValuesIn(attack::harmless_packages()), test_name);

}  // namespace
}  // namespace liftlock
