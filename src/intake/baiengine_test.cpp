// Packages that tell the truth and packages that lie, with cells in this process; that one of them runs in the sandbox
// is shown by tests/interop/baiengine_test.sh.
#include "intake/baiengine.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "engine/elf_fixture.hpp"
#include "engine/unpack.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using engine::testing_support::ElfRecipe;
using engine::testing_support::make_elf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* k_loader = "/lib64/ld-linux-x86-64.so.2";

std::string library(const std::string& name) {
  return make_elf({.soname = name, .needed = {"libc.so.6"}});
}

class BaiengineTest : public testing::Test {
 protected:
  BaiengineTest() {
    make_folders(content());
    write("llama-server", make_elf({.interpreter = k_loader,
                                    .needed = {"libllama.so.0", "libc.so.6"},
                                    .wants = {{"libc.so.6", {"GLIBC_2.34"}}}}));
    write("libs/libllama.so.0", library("libllama.so.0"));
    manifest = {{"name", "llama.cpp"}, {"version", "b1"}, {"os", "linux"}, {"arch", "x86_64"}, {"accelerator", "cpu"}};
  }

  fs::path content() const { return folder.path() / "content"; }
  fs::path engines() const { return folder.path() / "engines"; }
  void write(const std::string& name, std::string_view bytes) const {
    make_folders((content() / name).parent_path());
    write_file_atomically(content() / name, bytes);
  }
  void list_checksums() {
    auto list = Json::object();
    for (const auto& entry : fs::recursive_directory_iterator(content())) {
      const auto path = fs::relative(entry.path(), content()).string();
      if (entry.is_regular_file() && path != "manifest.json")
        list[path] = sha256(read_file(entry.path(), 1u << 20)).hex();
    }
    manifest["checksums"] = list;
  }
  /// Packs `content`; `how` is Python that gets `t`, the open tar, behind it.
  Baiengine opened(const std::string& how = "pass", const std::string& mode = "w:gz") {
    write("manifest.json", dump_json(manifest));
    return open_bytes("import tarfile, io, os\nt = tarfile.open('x.baiengine', '" + mode +
                      "')\n"
                      "def add(name, data=b'', **more):\n"
                      "    i = tarfile.TarInfo(name); i.size = len(data)\n"
                      "    for k, v in more.items(): setattr(i, k, v)\n"
                      "    t.addfile(i, io.BytesIO(data))\n"
                      "for n in sorted(os.listdir('content')): t.add('content/' + n, n)\n" +
                      how + "\nt.close()");
  }
  Baiengine open_bytes(const std::string& python) {
    run_process_checked({.argv = {"python3", "-c", python}, .working_folder = folder.path()});
    return open_baiengine(std::make_shared<const UniqueFd>(open_file(folder.path() / "x.baiengine", O_RDONLY)),
                          "x.baiengine", cells);
  }
  std::optional<ErrorCode> refused(const std::string& how = "pass") {
    return code_of([&] { (void)opened(how); });
  }
  void install_base() {
    engine::EngineManifest base;
    base.name = "debian";
    base.version = "1";
    base.variant = "cpu";
    base.architecture = "amd64";
    base.loader = "lib64/ld-linux-x86-64.so.2";
    const auto place = engine::folder_of(engines(), base);
    for (const auto* part : {"usr/lib64", "usr/lib/x86_64-linux-gnu"}) make_folders(place / part);
    write_file_atomically(place / "engine.json", dump_json(engine::to_json(base)));
    engine::EngineFacts facts;
    facts.package = "sha256:" + std::string(64, 'a');
    write_file_atomically(place / engine::k_facts_file, engine::encode_facts(facts));
    write_file_atomically(place / "usr/lib64/ld-linux-x86-64.so.2", make_elf({}));
    write_file_atomically(place / "usr/lib/x86_64-linux-gnu/libc.so.6",
                          make_elf({.soname = "libc.so.6", .defines = {"GLIBC_2.34"}}));
  }
  BuiltEngine built(const Baiengine& package) const {
    return build_on_base(package, sha256("the package"), 11, engines(), "", cells);
  }

  const TemporaryFolder folder;
  Json manifest;
  const ImportCells cells{
      .scratch = folder.path(),
      .reserve = 0,
      .list = [](int file, int out, std::uint64_t most) { return list_container(file, out, {.unpacked = most}); },
      .describe = {},
      .elf = [](int file, std::uint64_t offset, std::uint64_t size) { return engine::read_elf(file, offset, size); }};
};

TEST_F(BaiengineTest, IsWhatItsManifestSays) {
  manifest["surprise"] = 1;
  const auto package = opened();
  EXPECT_EQ(package.manifest.name, "llama.cpp");
  EXPECT_EQ(package.manifest.variant, "cpu");
  EXPECT_EQ(package.manifest.architecture, "amd64");
  EXPECT_THAT(package.own.programs, ElementsAre("llama-server"));
  EXPECT_FALSE(package.is_bound());
  EXPECT_THAT(package.manifest.warnings, ElementsAre(HasSubstr("surprise")));
  list_checksums();
  EXPECT_TRUE(opened().is_bound());
  EXPECT_TRUE(opened("pass", "w").is_bound()) << "a plain tar";
  EXPECT_TRUE(
      open_bytes("import tarfile\nt = tarfile.open('x.baiengine', 'w:gz')\nt.add('content', 'llama-b1')\nt.close()")
          .is_bound())
      << "in a folder of its own";
}

TEST_F(BaiengineTest, WhatLiesInTheWorkingFolderUnderItsNameIsNoPartOfIt) {
  const TemporaryFolder elsewhere;
  for (const auto* part : {"x.baiengine.part000", "x.baiengine.001"})
    write_file_atomically(elsewhere.path() / part, "x");
  const auto before = fs::current_path();
  fs::current_path(elsewhere.path());
  const auto code = refused();
  fs::current_path(before);
  EXPECT_FALSE(code);
}

TEST_F(BaiengineTest, VariantsAreThoseOfOtherEngines) {
  const auto variant = [](const Json& json) {
    Json all = {{"id", "x"}, {"version", "1"}};
    all.update(json);
    return parse_baiengine_manifest(dump_json(all)).variant;
  };
  EXPECT_EQ(variant(Json::object()), "cpu");
  EXPECT_EQ(variant({{"accelerator", "CUDA"}, {"acceleratorVersion", "12.4"}}), "cuda12");
  EXPECT_EQ(variant({{"accelerator", "vulkan"}, {"acceleratorVersion", "1.3"}}), "vulkan");
  EXPECT_EQ(variant({{"variant", "avx512"}}), "avx512");
  EXPECT_EQ(code_of([&] { variant({{"os", "windows"}}); }), ErrorCode::engine_unfit);
  EXPECT_EQ(code_of([&] { variant({{"arch", "riscv64"}}); }), ErrorCode::engine_unfit);
  EXPECT_EQ(code_of([&] { variant({{"version", ""}}); }), ErrorCode::schema_violation);
  EXPECT_EQ(code_of([&] { variant({{"format_version", 2}}); }), ErrorCode::too_new);
  EXPECT_EQ(code_of([&] { variant({{"executables", {"../sh"}}}); }), ErrorCode::path_unsafe);
  EXPECT_EQ(code_of([&] {
              variant({{"checksums", {{"/etc/passwd", std::string(64, '0')}}}});
            }),
            ErrorCode::path_unsafe);
}

TEST_F(BaiengineTest, StandsOnABase) {
  make_folders(engines());
  const auto package = opened();
  EXPECT_EQ(code_of([&] { (void)built(package); }), ErrorCode::engine_unfit);
  install_base();
  const auto one = built(package);
  ASSERT_TRUE(one.base);
  EXPECT_EQ(one.base->engine, "debian/1-cpu");
  EXPECT_THAT(one.notes, IsEmpty());
  const auto place = folder.path() / "unpacked";
  const auto made = engine::unpack_engine(one.package.get(), place);
  EXPECT_EQ(made.executables.at("llama-server"), "usr/libexec/llama.cpp/llama-server");
  EXPECT_THAT(made.library_path, ElementsAre("usr/libexec/llama.cpp/libs"));
  EXPECT_EQ(made.loader, "lib64/ld-linux-x86-64.so.2");
  ASSERT_EQ(made.inputs.size(), 2u);
  EXPECT_EQ(made.inputs[0].name, "x.baiengine");
  EXPECT_EQ(made.inputs[0].digest, sha256("the package"));
  EXPECT_EQ(made.inputs[1].name, "debian/1-cpu");
  EXPECT_TRUE(fs::exists(place / "usr/lib/x86_64-linux-gnu/libc.so.6"));
  EXPECT_EQ(fs::read_symlink(place / "usr/libexec/llama.cpp/libllama.so.0"), "libs/libllama.so.0")
      << "for programs that look beside themselves";
  EXPECT_FALSE(fs::exists(place / "usr/libexec/llama.cpp/manifest.json"));
}

TEST_F(BaiengineTest, AStaticOneNeedsNoBase) {
  make_folders(engines());
  write("llama-server", make_elf({}));
  const auto one = built(opened());
  EXPECT_FALSE(one.base);
  EXPECT_EQ(engine::unpack_engine(one.package.get(), folder.path() / "unpacked").loader,
            "usr/libexec/llama.cpp/llama-server");
}

TEST_F(BaiengineTest, SetuidAndOwnersDoNotComeAlong) {
  install_base();
  const auto package =
      opened("add('other', b'x', mode=0o6755, uid=0)\nadd('libs/libx.so', b'x', mode=0o4777, type=tarfile.REGTYPE)");
  const auto place = folder.path() / "unpacked";
  engine::unpack_engine(built(package).package.get(), place);
  EXPECT_EQ(fs::status(place / "usr/libexec/llama.cpp/other").permissions(), static_cast<fs::perms>(0444));
  EXPECT_EQ(fs::status(place / "usr/libexec/llama.cpp/llama-server").permissions(), static_cast<fs::perms>(0555));
}

TEST_F(BaiengineTest, ChecksumsAreComparedWithEveryFile) {
  list_checksums();
  write("libs/libllama.so.0", library("libother.so.0"));
  EXPECT_EQ(refused(), ErrorCode::digest_mismatch);
  list_checksums();
  EXPECT_EQ(refused("add('more', b'x')"), ErrorCode::extra_file);
  manifest["checksums"]["gone"] = std::string(64, '0');
  EXPECT_EQ(refused(), ErrorCode::missing_file);
  manifest["checksums"] = Json::object();
  EXPECT_EQ(refused(), ErrorCode::schema_violation);
}

TEST_F(BaiengineTest, TarsThatLieAreRefused) {
  EXPECT_EQ(refused("add('../llama-server', b'x')"), ErrorCode::path_unsafe);
  EXPECT_EQ(refused("add('/etc/passwd', b'x')"), ErrorCode::path_unsafe);
  EXPECT_EQ(refused("add('libs/out.so', type=tarfile.SYMTYPE, linkname='/etc/passwd')"), ErrorCode::path_unsafe);
  EXPECT_EQ(refused("add('libs/out.so', type=tarfile.SYMTYPE, linkname='../../etc/passwd')"), ErrorCode::path_unsafe);
  EXPECT_EQ(refused("add('libs/out.so', type=tarfile.LNKTYPE, linkname='../x')"), ErrorCode::path_unsafe);
  EXPECT_EQ(refused("add('null', type=tarfile.CHRTYPE)"), ErrorCode::not_regular);
  EXPECT_EQ(refused("add('llama-server', b'x')"), ErrorCode::path_collision) << "a name twice";
  // A size that is more than there is.
  EXPECT_EQ(refused("i = tarfile.TarInfo('big'); i.size = 1 << 40; t.fileobj.write(i.tobuf()); t.offset += 512"),
            ErrorCode::package_malformed);
  write_file_atomically(folder.path() / "x.baiengine", "");
  EXPECT_EQ(code_of([&] { (void)open_bytes("pass"); }), ErrorCode::engine_malformed);
}

TEST_F(BaiengineTest, ZipsAreTakenWithoutCompressionAndWithoutLies) {
  write("manifest.json", dump_json(manifest));
  const std::string stored =
      "import zipfile, os\nz = zipfile.ZipFile('x.baiengine', 'w')\n"
      "for n in ['manifest.json', 'llama-server', 'libs/libllama.so.0']: z.write('content/' + n, n)\n";
  EXPECT_THAT(open_bytes(stored + "z.close()").own.programs, ElementsAre("llama-server"));
  EXPECT_EQ(code_of([&] { (void)open_bytes(stored + "z.writestr('../out', b'x')\nz.close()"); }),
            ErrorCode::path_unsafe);
  // Two entries of the directory that are one range of the file.
  const std::string overlapping =
      "z.close()\nd = bytearray(open('x.baiengine', 'rb').read())\n"
      "import struct\nfirst = d.index(b'PK\\x01\\x02'); second = d.index(b'PK\\x01\\x02', first + 4)\n"
      "third = d.index(b'PK\\x01\\x02', second + 4)\n"
      "d[third + 42:third + 46] = d[second + 42:second + 46]\nopen('x.baiengine', 'wb').write(d)\n";
  EXPECT_EQ(code_of([&] { (void)open_bytes(stored + overlapping); }), ErrorCode::package_malformed);
  // A size in the directory that the content has not.
  const std::string larger =
      "z.close()\nd = bytearray(open('x.baiengine', 'rb').read())\n"
      "third = d.rindex(b'PK\\x01\\x02')\nd[third + 20:third + 28] = b'\\xff\\xff\\xff\\x7f' * 2\n"
      "open('x.baiengine', 'wb').write(d)\n";
  EXPECT_EQ(code_of([&] { (void)open_bytes(stored + larger); }), ErrorCode::package_malformed);
}

TEST_F(BaiengineTest, ProgramsMustBeProgramsForThisMachine) {
  write("llama-server", make_elf({.machine = EM_AARCH64, .interpreter = "/lib/ld-linux-aarch64.so.1"}));
  EXPECT_EQ(refused(), ErrorCode::engine_malformed) << "the manifest says x86_64";
  manifest.erase("arch");
  EXPECT_EQ(opened().manifest.architecture, "arm64") << "and whether this machine runs it is asked later";
  write("llama-server", "#!/bin/sh\necho a script is no engine\n");
  EXPECT_EQ(refused(), ErrorCode::engine_malformed);
  manifest["executables"] = {"nothing"};
  EXPECT_EQ(refused(), ErrorCode::missing_file);
  manifest["executables"] = {"manifest.json"};
  EXPECT_EQ(refused(), ErrorCode::engine_malformed);
  manifest.erase("executables");
  fs::remove(content() / "llama-server");
  EXPECT_EQ(refused(), ErrorCode::engine_malformed) << "no program at all";
  fs::remove(content() / "manifest.json");
  EXPECT_EQ(
      code_of([&] {
        (void)open_bytes("import tarfile\nt = tarfile.open('x.baiengine', 'w')\nt.add('content', '.')\nt.close()");
      }),
      ErrorCode::engine_malformed);
}

TEST_F(BaiengineTest, AnElfThatLiesIsRefusedWithItsName) {
  auto lying = library("libllama.so.0");
  const std::uint64_t far = ~std::uint64_t{0};
  std::memcpy(lying.data() + sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_filesz), &far, sizeof far);
  write("libs/libllama.so.0", lying);
  try {
    (void)opened();
    ADD_FAILURE() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::engine_malformed);
    EXPECT_THAT(error.what(), HasSubstr("libs/libllama.so.0"));
  }
}

}  // namespace
}  // namespace liftlock
