// A `cargo vendor` folder that is imported, by the real inspector: what lies is refused, whoever vouches for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "crypto/sha256sums.hpp"
#include "ecosystem/cargo/inspector.hpp"
#include "intake/import_fixture.hpp"
#include "store/blob_store.hpp"

namespace liftlock {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::string_view k_sum = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

class Vendored : public Imports {
 protected:
  Vendored() { crate("v/demo", "demo", "1.0.0"); }

  /// A crate's folder as cargo makes it. @param more entries of its list of checksums
  void crate(const std::string& folder, const std::string& name, const std::string& version,
             const Json& more = Json::object()) const {
    const auto manifest = "[package]\nname = \"" + name + "\"\nversion = \"" + version + "\"\n";
    Json files = {{"Cargo.toml", hex(manifest)},
                  {"src/lib.rs", hex("pub fn one() {}")},
                  {".cargo_vcs_info.json", hex("{}")},
                  {"run me.sh", hex("#!/bin/sh")}};
    files.update(more);
    write(folder + "/Cargo.toml", manifest);
    write(folder + "/src/lib.rs", "pub fn one() {}");
    write(folder + "/.cargo_vcs_info.json", "{}");
    write(folder + "/run me.sh", "#!/bin/sh");
    fs::permissions(drop() / folder / "run me.sh", fs::perms::owner_exec, fs::perm_options::add);
    write(folder + "/.cargo-checksum.json", Json{{"files", files}, {"package", k_sum}}.dump());
  }
  static std::string lock(std::string_view sum = k_sum, std::string_view version = "1.0.0") {
    return fmt::format(
        "version = 4\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"demo\"]\n"
        "[[package]]\nname = \"demo\"\nversion = \"{}\"\nsource = \"registry+https://one.example/index\"\n"
        "checksum = \"{}\"\n",
        version, sum);
  }
  ImportRequest inspected(const std::string& name) const {
    auto asked = request(name);
    asked.inspect.artifact = [](const Artifact& artifact, const OpenChecked& open, const FileInspections&) {
      const auto file = open(artifact.files.at(0).digest);
      const int files[] = {file.get()};
      return cargo::CrateInspector().inspect(artifact, files);
    };
    return asked;
  }
  ImportResult taken(const std::string& name) const { return import_from(site(), inspected(name), silent_reporter()); }
  std::optional<ErrorCode> not_taken(const std::string& name) const {
    return code_of([&] { (void)taken(name); });
  }
  Artifact only() const {
    const auto all = catalog().artifacts();
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? Artifact{} : all.front();
  }
  /// `tar` of what came in, unpacked to a folder of its own.
  void give_back(const Artifact& artifact, const std::string& to) const {
    const auto text = read_all(BlobStore(site().store_folder()).open(artifact.files.at(0).digest).get(), 1u << 20, "");
    write("back.tar", text);
    make_folders(drop() / to);
    run({"tar", "-xf", "back.tar", "-C", to});
  }
};

TEST_F(Vendored, BecomesOneTarWithItsHiddenFilesAndModes) {
  const auto result = taken("v");
  EXPECT_EQ(result.shape, "cargo-vendor");
  EXPECT_EQ(result.files, 5u);
  EXPECT_THAT(result.notes, Contains(HasSubstr("no Cargo.lock came with it")));
  EXPECT_THAT(result.notes, Not(Contains(HasSubstr("hidden"))));
  EXPECT_THAT(result.notes, Not(Contains(HasSubstr("of the workspace"))));
  const auto artifact = only();
  EXPECT_EQ(artifact.kind, "cargo-vendor");
  EXPECT_EQ(artifact.name, "v");
  EXPECT_EQ(artifact.facts["lock"], false);
  EXPECT_EQ(artifact.files.at(0).path.text(), "packages/cargo/v-vendor.tar");
  EXPECT_EQ(artifact.version, artifact.files.at(0).digest.hex().substr(0, 12));
  EXPECT_EQ(imported_by(artifact), Belief::nobody);
  give_back(artifact, "back");
  run({"diff", "-r", "v", "back/vendor"});
  EXPECT_NE(fs::status(drop() / "back/vendor/demo/run me.sh").permissions() & fs::perms::owner_exec, fs::perms::none);
}

TEST_F(Vendored, IsTheSameFromAnArchive) {
  (void)taken("v");
  run({"tar", "-czf", "v.tar.gz", "v"});
  run({"tar", "-cf", "plain.tar", "-C", "v", "demo"});
  EXPECT_EQ(taken("v.tar.gz").status, ImportResult::Status::already_present);
  auto asked = inspected("plain.tar");
  asked.name = "v";
  EXPECT_EQ(import_from(site(), asked, silent_reporter()).status, ImportResult::Status::already_present);
}

TEST_F(Vendored, IsComparedWithALockInItOrBesideIt) {
  write("Cargo.lock", lock());
  const auto result = taken("v");
  EXPECT_THAT(result.words, HasSubstr("with Cargo.lock"));
  EXPECT_FALSE(only().facts.contains("lock"));
  give_back(only(), "back");
  EXPECT_EQ(read_file(drop() / "back/Cargo.lock", 10'000), lock());

  write("Cargo.lock", lock(std::string(64, 'b')));
  EXPECT_EQ(not_taken("v"), ErrorCode::digest_mismatch);
  write("v/Cargo.lock", lock(k_sum, "2.0.0"));
  EXPECT_EQ(not_taken("v"), ErrorCode::extra_file) << "the lock in the folder counts";
  write("v/Cargo.lock", lock() +
                            "[[package]]\nname = \"gone\"\nversion = \"1.0.0\"\nsource = \"registry+https://x\"\n"
                            "checksum = \"" +
                            std::string(k_sum) + "\"\n");
  EXPECT_EQ(not_taken("v"), ErrorCode::missing_file);
  write("v/Cargo.lock", "version = 9\n");
  EXPECT_EQ(not_taken("v"), ErrorCode::unresolvable);
}

TEST_F(Vendored, IsFoundInTheFolderOfItsWorkspace) {
  crate("app/vendor/demo-1.0.0", "demo", "1.0.0");  // --versioned-dirs
  crate("app/vendor/demo-1.0.0/vendor/inner", "inner", "1.0.0");
  const Json inner = {{"vendor/inner/.cargo-checksum.json",
                       hex(read_file(drop() / "app/vendor/demo-1.0.0/vendor/inner/.cargo-checksum.json", 10'000))},
                      {"vendor/inner/.cargo_vcs_info.json", hex("{}")},
                      {"vendor/inner/Cargo.toml", hex("[package]\nname = \"inner\"\nversion = \"1.0.0\"\n")},
                      {"vendor/inner/run me.sh", hex("#!/bin/sh")},
                      {"vendor/inner/src/lib.rs", hex("pub fn one() {}")}};
  crate("app/vendor/demo-1.0.0", "demo", "1.0.0", inner);
  write("app/Cargo.lock", lock());
  write("app/Cargo.toml", "[package]\nname = \"app\"\n");
  write("app/.cargo/config.toml", "[build]\nrustc-wrapper = \"/tmp/evil\"\n");
  const auto result = taken("app");
  EXPECT_THAT(result.notes, Contains(AllOf(HasSubstr("Cargo.toml is left out"), Not(HasSubstr("vendor/")))));
  EXPECT_THAT(result.notes, Contains(HasSubstr(".cargo/config.toml is left out")));
  EXPECT_THAT(result.notes, Contains(HasSubstr("only vendor/ of the workspace comes in")));
  EXPECT_EQ(only().name, "app");
  give_back(only(), "back");
  run({"diff", "-r", "app/vendor", "back/vendor"});
  EXPECT_FALSE(fs::exists(drop() / "back/.cargo")) << "it can name programs that cargo runs";
  write("two/a/demo/.cargo-checksum.json", "{}");
  write("two/b/demo/.cargo-checksum.json", "{}");
  write("two/README", "x");
  EXPECT_EQ(not_taken("two"), ErrorCode::import_unknown);
}

TEST_F(Vendored, MayHaveItsLockTwiceButNotTwoOfThem) {
  crate("app/vendor/demo", "demo", "1.0.0");
  write("app/Cargo.lock", lock());
  write("app/vendor/Cargo.lock", lock(k_sum, "2.0.0"));
  EXPECT_EQ(not_taken("app"), ErrorCode::path_collision);
  write("app/vendor/Cargo.lock", lock());
  EXPECT_THAT(taken("app").words, HasSubstr("with Cargo.lock"));
  give_back(only(), "back");
  EXPECT_EQ(read_file(drop() / "back/Cargo.lock", 10'000), lock());
}

TEST_F(Vendored, IsCalledAsItsWorkspaceWhereItsFolderSaysNothing) {
  crate("x/vendor/demo", "demo", "1.0.0");
  write("x/Cargo.lock", lock());
  (void)taken("x/vendor");
  EXPECT_EQ(only().name, "app");
}

TEST_F(Vendored, FilesThatItsListsDoNotNameOrNameOtherwiseAreRefused) {
  write("v/demo/build.rs", "fn main() {}");
  EXPECT_EQ(not_taken("v"), ErrorCode::extra_file);
  fs::remove(drop() / "v/demo/build.rs");
  write("v/demo/.hidden", "x");
  EXPECT_EQ(not_taken("v"), ErrorCode::extra_file);
  fs::remove(drop() / "v/demo/.hidden");
  write("v/demo/src/lib.rs", "pub fn two() {}");
  EXPECT_EQ(not_taken("v"), ErrorCode::digest_mismatch);
  crate("v/demo", "demo", "1.0.0", {{"src/gone.rs", hex("x")}});
  EXPECT_EQ(not_taken("v"), ErrorCode::missing_file);
  crate("v/demo", "demo", "1.0.0", {{"../outside", hex("x")}});
  EXPECT_EQ(not_taken("v"), ErrorCode::missing_file) << "a list that leads out names nothing";
  crate("v/demo", "demo", "1.0.0", {{"/etc/passwd", hex("x")}});
  EXPECT_EQ(not_taken("v"), ErrorCode::missing_file);
  crate("v/demo", "demo", "1.0.0", {{"src/lib.rs", 5}});
  EXPECT_EQ(not_taken("v"), ErrorCode::package_malformed);
  write("v/demo/.cargo-checksum.json", "{\"files\": {\"a\": \"b\", \"a\": \"c\"}}");
  EXPECT_EQ(not_taken("v"), ErrorCode::package_malformed) << "two readers would see two lists";
  write("v/demo/.cargo-checksum.json", std::string(100'000, '['));
  EXPECT_EQ(not_taken("v"), ErrorCode::package_malformed);
  crate("v/demo", "demo", "1.0.0");
  crate("v/again", "demo", "1.0.0");
  EXPECT_EQ(not_taken("v"), ErrorCode::extra_file) << "one crate, twice";
  fs::remove_all(drop() / "v/again");
  write("v/plain/Cargo.toml", "[package]\nname = \"plain\"\nversion = \"1.0.0\"\n");
  EXPECT_EQ(not_taken("v"), ErrorCode::missing_file) << "a crate without a list";
  fs::remove_all(drop() / "v/plain");
  write("v/stray", "x");
  EXPECT_EQ(not_taken("v"), ErrorCode::extra_file);
  fs::remove(drop() / "v/stray");
  EXPECT_THAT(catalog().publications(), IsEmpty());
  EXPECT_EQ(taken("v").status, ImportResult::Status::imported);
}

TEST_F(Vendored, LinksAreRefused) {
  const auto link = [&](const std::string& target, const std::string& at) {
    fs::create_symlink(target, drop() / at);
    const auto code = not_taken("v");
    fs::remove(drop() / at);
    return code;
  };
  EXPECT_EQ(link("Cargo.toml", "v/demo/link"), ErrorCode::not_regular);
  EXPECT_EQ(link("src", "v/demo/folder"), ErrorCode::not_regular);
  EXPECT_EQ(link("demo", "v/other"), ErrorCode::not_regular);
  EXPECT_EQ(link("Cargo.toml", "v/demo/.link"), ErrorCode::not_regular);
  EXPECT_EQ(link("/etc/passwd", "v/demo/passwd"), ErrorCode::not_regular);
  fs::create_symlink("Cargo.toml", drop() / "v/demo/link");
  run({"tar", "-cf", "links.tar", "v"});
  EXPECT_EQ(not_taken("links.tar"), ErrorCode::not_regular);
  fs::remove(drop() / "v/demo/link");
  python(
      "import io, tarfile\n"
      "t = tarfile.open('out.tar', 'w')\n"
      "t.add('v')\n"
      "m = tarfile.TarInfo('v/demo/../../x'); m.size = 1\n"
      "t.addfile(m, io.BytesIO(b'x')); t.close()");
  EXPECT_EQ(not_taken("out.tar"), ErrorCode::path_unsafe);
  write("Cargo.lock", "never read");
  fs::rename(drop() / "Cargo.lock", drop() / "elsewhere");
  fs::create_symlink("elsewhere", drop() / "Cargo.lock");
  EXPECT_THAT(taken("v").words, HasSubstr("without Cargo.lock")) << "a link beside it is nobody's lock";
}

TEST_F(Vendored, AListBindsHiddenFilesToo) {
  const auto sums = [&](const std::vector<std::string>& paths) {
    std::string out;
    for (const auto& path : paths) out += sha256sums_line(sha256(read_file(drop() / "v" / path, 10'000)), path);
    return out;
  };
  const std::vector<std::string> all = {"demo/.cargo-checksum.json", "demo/.cargo_vcs_info.json", "demo/Cargo.toml",
                                        "demo/run me.sh", "demo/src/lib.rs"};
  write("v/SHA256SUMS", sums(all));
  write("Cargo.lock", "not named by the list, so not read");
  auto asked = inspected("v");
  asked.allow_unsigned = false;
  asked.expect = sha256(sums(all));
  EXPECT_EQ(import_from(site(), asked, silent_reporter()).belief, Belief::digest);
  EXPECT_EQ(only().facts["lock"], false);

  write("v/SHA256SUMS", sums({all.begin() + 1, all.end()}));
  EXPECT_EQ(not_taken("v"), ErrorCode::extra_file);
  auto lie = sums(all);
  lie[0] = lie[0] == '0' ? '1' : '0';
  write("v/SHA256SUMS", lie);
  EXPECT_EQ(not_taken("v"), ErrorCode::digest_mismatch);
}

}  // namespace
}  // namespace liftlock
