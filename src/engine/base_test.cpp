#include "engine/base.hpp"

#include <gmock/gmock.h>
#include <sys/mman.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "engine/elf_fixture.hpp"
#include "engine/package_reader.hpp"
#include "engine/unpack.hpp"

namespace liftlock::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing_support::ElfRecipe;
using testing_support::make_elf;

constexpr const char* k_loader = "/lib64/ld-linux-x86-64.so.2";

ElfFacts read_here(int fd, std::uint64_t offset, std::uint64_t size) {
  return read_elf(fd, offset, size);
}

ElfFacts facts_of(const ElfRecipe& recipe) {
  ElfFacts out{.architecture = recipe.machine == EM_X86_64 ? "amd64" : "arm64",
               .interpreter = recipe.interpreter,
               .soname = recipe.soname,
               .needed = recipe.needed,
               .wants = {},
               .defines = {recipe.defines.begin(), recipe.defines.end()}};
  for (const auto& [file, versions] : recipe.wants) out.wants[file] = {versions.begin(), versions.end()};
  return out;
}

class Base : public testing::Test {
 protected:
  /// Installed, with a C library up to GLIBC_2.MINOR.
  void install(const std::string& name, int minor, const std::string& architecture = "amd64") {
    EngineManifest manifest;
    manifest.name = name;
    manifest.version = "1";
    manifest.variant = "cpu";
    manifest.architecture = architecture;
    manifest.loader = "lib64/ld-linux-x86-64.so.2";
    const auto place = folder_of(engines.path(), manifest);
    for (const auto* part : {"usr/bin", "usr/lib64", "usr/lib/x86_64-linux-gnu/own", "usr/share/doc/libc6"})
      make_folders(place / part);
    write_file_atomically(place / "engine.json", dump_json(to_json(manifest)));
    EngineFacts facts;
    facts.package = "sha256:" + std::string(64, 'a');
    write_file_atomically(place / k_facts_file, encode_facts(facts));
    std::vector<std::string> versions;
    for (int i = 30; i <= minor; ++i) versions.push_back("GLIBC_2." + std::to_string(i));
    const auto libraries = place / "usr/lib/x86_64-linux-gnu";
    write_file_atomically(libraries / "libc.so.6",
                          make_elf({.soname = "libc.so.6", .needed = {"ld-linux-x86-64.so.2"}, .defines = versions}));
    write_file_atomically(libraries / "ld-linux-x86-64.so.2", make_elf({.soname = "ld-linux-x86-64.so.2"}));
    write_file_atomically(libraries / "libstdc++.so.6.0.33",
                          make_elf({.soname = "libstdc++.so.6", .needed = {"libc.so.6"}, .defines = {"GLIBCXX_3.4"}}));
    fs::create_symlink("libstdc++.so.6.0.33", libraries / "libstdc++.so.6");
    fs::create_symlink("../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", place / "usr/lib64/ld-linux-x86-64.so.2");
    write_file_atomically(libraries / "own/libllama.so.0", make_elf({.soname = "libllama.so.0"}));
    write_file_atomically(place / "usr/share/doc/libc6/copyright", "LGPL");
  }

  InstalledEngine base(const std::string& name) const { return find_engine(engines.path(), name); }
  std::pair<InstalledEngine, BaseFit> choose(const std::string& name = "") const {
    return choose_base(own, "amd64", engines.path(), name, read_here);
  }
  std::string why_not(ErrorCode code, const std::string& name = "") const {
    try {
      (void)choose(name);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.message();
      return error.message();
    }
    return "one was chosen";
  }

  const TemporaryFolder engines;
  OwnPrograms own{
      .files = {{"llama-server", facts_of({.interpreter = k_loader,
                                           .needed = {"libllama.so.0", "libc.so.6"},
                                           .wants = {{"libc.so.6", {"GLIBC_2.34"}}}})},
                {"libs/libllama.so.0",
                 facts_of({.soname = "libllama.so.0",
                           .needed = {"libstdc++.so.6", "libc.so.6"},
                           .wants = {{"libc.so.6", {"GLIBC_2.38"}}, {"libstdc++.so.6", {"GLIBCXX_3.4"}}}})}},
      .programs = {"llama-server"}};
};

TEST_F(Base, GivesTheLoaderAndWhatTheProgramsName) {
  install("debian", 42);
  const auto [chosen, fit] = choose();
  EXPECT_EQ(full_name(chosen), "debian/1-cpu");
  EXPECT_THAT(fit.notes, IsEmpty());
  EXPECT_THAT(
      fit.files,
      ElementsAre(Key("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"), Key("usr/lib/x86_64-linux-gnu/libc.so.6"),
                  Key("usr/lib/x86_64-linux-gnu/libstdc++.so.6"), Key("usr/lib64/ld-linux-x86-64.so.2")))
      << "its own libllama is not asked for";
  EXPECT_EQ(fit.files.at("usr/lib/x86_64-linux-gnu/libstdc++.so.6").filename(), "libstdc++.so.6.0.33");
}

TEST_F(Base, AnOlderCLibraryIsNoBase) {
  install("old", 36);
  EXPECT_THAT(why_not(ErrorCode::engine_unfit),
              HasSubstr("old/1-cpu lacks GLIBC_2.38 of libc.so.6 (for libllama.so.0)"));
  EXPECT_THAT(why_not(ErrorCode::engine_unfit, "old"), HasSubstr("it lacks GLIBC_2.38 of libc.so.6"));
  install("new", 42);
  EXPECT_EQ(choose().first.manifest.name, "new");
}

TEST_F(Base, OneIsChosenOnlyWhereNoOtherFits) {
  EXPECT_THAT(why_not(ErrorCode::engine_unfit), HasSubstr("no engine is installed for amd64"));
  install("one", 42);
  install("two", 40);
  EXPECT_THAT(why_not(ErrorCode::ambiguous), HasSubstr("one/1-cpu, two/1-cpu"));
  EXPECT_EQ(choose("two").first.manifest.name, "two");
  EXPECT_EQ(code_of([&] { (void)choose("three"); }), ErrorCode::not_found);
  fs::remove_all(base("one").folder);
  install("twin", 40);
  EXPECT_EQ(choose().first.manifest.name, "twin") << "what would be taken of the two is the same";
}

TEST_F(Base, OfAnotherMachineOrOnAnotherBaseIsNone) {
  install("arm", 42, "arm64");
  EXPECT_THAT(why_not(ErrorCode::engine_unfit), HasSubstr("no engine is installed for amd64"));
  EXPECT_THAT(why_not(ErrorCode::engine_unfit, "arm"), HasSubstr("it is for arm64, and not for amd64"));
  install("stands", 42);
  auto facts = base("stands").facts;
  facts.base = EngineBase{"debian/1-cpu", ""};
  write_file_atomically(base("stands").folder / k_facts_file, encode_facts(facts));
  EXPECT_EQ(base("stands").facts.base, facts.base);
  EXPECT_THAT(why_not(ErrorCode::engine_unfit), HasSubstr("no engine is installed for amd64"));
  EXPECT_THAT(why_not(ErrorCode::engine_unfit, "stands"), HasSubstr("it stands on debian/1-cpu itself"));
}

TEST_F(Base, NamesWhatIsMissing) {
  install("debian", 42);
  own.files.at("llama-server").needed.push_back("libvulkan.so.1");
  own.files.at("llama-server").interpreter = "/lib/ld-musl-x86_64.so.1";
  const auto why = why_not(ErrorCode::engine_unfit);
  EXPECT_THAT(why, HasSubstr("libvulkan.so.1 (for llama-server)"));
  EXPECT_THAT(why, HasSubstr("the loader /lib/ld-musl-x86_64.so.1 (for llama-server)"));
  own.files.at("llama-server").interpreter = "/../../../bin/sh";
  EXPECT_THAT(why_not(ErrorCode::engine_unfit), HasSubstr("the loader /../../../bin/sh"));
  own.files.at("llama-server").interpreter = "";
  EXPECT_THAT(why_not(ErrorCode::engine_malformed), HasSubstr("names no loader"));
}

TEST_F(Base, ABackendThatLacksSomethingIsANote) {
  install("debian", 42);
  own.files["libs/libggml-cuda.so"] = facts_of({.needed = {"libstdc++.so.6", "libcuda.so.1"}});
  own.files["libs/libggml-cpu.so"] = facts_of({.needed = {"libgomp.so.1", "libc.so.6"}});
  const auto [chosen, fit] = choose();
  EXPECT_THAT(fit.notes, ElementsAre("libs/libggml-cpu.so will not load: libgomp.so.1 (for libs/libggml-cpu.so)",
                                     "libs/libggml-cuda.so will not load: libcuda.so.1 (for libs/libggml-cuda.so)"));
  EXPECT_EQ(fit.files.size(), 4u) << "what only these want stays out";
}

TEST_F(Base, ItsOwnLibraryWinsAndNothingLeadsOutOfTheBase) {
  install("debian", 42);
  own.files["libs/libstdc++.so.6"] = facts_of({.soname = "libstdc++.so.6", .defines = {"GLIBCXX_3.4"}});
  EXPECT_FALSE(choose().second.files.contains("usr/lib/x86_64-linux-gnu/libstdc++.so.6"));
  const auto place = base("debian").folder / "usr/lib/x86_64-linux-gnu";
  fs::remove(place / "libc.so.6");
  fs::create_symlink("/proc/self/exe", place / "libc.so.6");
  EXPECT_THAT(why_not(ErrorCode::engine_unfit), HasSubstr("libc.so.6 (for llama-server)"));
}

TEST_F(Base, WritesAPackageThatUnpacks) {
  install("debian", 42);
  const auto [chosen, fit] = choose();
  const UniqueFd content(::memfd_create("content", MFD_CLOEXEC));
  write_all(content.get(), std::string_view("a library, a program"), "content");
  const std::map<std::string, PackedFile> files = {{"usr/libexec/x/libs/libllama.so", {content.get(), 0, 9, false}},
                                                   {"usr/libexec/x/libs/libllama.so.0", {content.get(), 0, 9, false}},
                                                   {"usr/libexec/x/llama-server", {content.get(), 11, 9, true}}};
  EngineManifest manifest;
  manifest.name = "x";
  manifest.version = "2";
  manifest.variant = "cpu";
  manifest.architecture = "amd64";
  manifest.executables = {{"llama-server", "usr/libexec/x/llama-server"}};
  manifest.loader = "lib64/ld-linux-x86-64.so.2";
  std::string first;
  for (int round = 0; round < 2; ++round) {
    const UniqueFd out(::memfd_create("package", MFD_CLOEXEC));
    write_on_base(manifest, files, {{"usr/libexec/x/libllama.so", "libs/libllama.so"}}, &chosen, fit, out.get());
    const auto bytes = read_all(out.get(), 1u << 20, "package");
    if (round == 0) first = bytes;
    EXPECT_EQ(bytes, first);
    const auto place = engines.path() / std::to_string(round);
    EXPECT_EQ(unpack_engine(out.get(), place).files, 19u);
    EXPECT_EQ(fs::read_symlink(place / "usr/libexec/x/libs/libllama.so.0"), "libllama.so");
    EXPECT_EQ(fs::read_symlink(place / "usr/libexec/x/libllama.so"), "libs/libllama.so");
    EXPECT_EQ(read_file(place / "usr/libexec/x/llama-server", 100), "a program");
    EXPECT_EQ(fs::status(place / "usr/lib64/ld-linux-x86-64.so.2").permissions(), static_cast<fs::perms>(0555));
    EXPECT_EQ(read_file(place / "usr/share/doc/libc6/copyright", 100), "LGPL");
  }
}

}  // namespace
}  // namespace liftlock::engine
