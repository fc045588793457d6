#include "engine/elf.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "engine/elf_fixture.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock::engine {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::ElfRecipe;
using testing_support::make_elf;

UniqueFd file_of(std::string_view bytes) {
  UniqueFd fd(::memfd_create("elf", MFD_CLOEXEC));
  write_all(fd.get(), bytes, "memfd");
  return fd;
}

ElfFacts read(std::string_view bytes) {
  return read_elf(file_of(bytes).get(), 0, bytes.size());
}

std::string why_not(const std::string& bytes) {
  try {
    (void)read(bytes);
  } catch (const Error& error) {
    EXPECT_TRUE(error.code() == ErrorCode::engine_malformed || error.code() == ErrorCode::limit_exceeded);
    return error.message();
  }
  return "it was read";
}

const ElfRecipe k_program = {.interpreter = "/lib64/ld-linux-x86-64.so.2",
                             .soname = "libself.so.1",
                             .needed = {"libggml.so.0", "libc.so.6"},
                             .wants = {{"libc.so.6", {"GLIBC_2.34", "GLIBC_2.38"}}, {"libm.so.6", {"GLIBC_2.29"}}},
                             .defines = {"SELF_1", "SELF_2"}};

/// Writes `value` over what stands at a place of the ELF header, or of the n-th program header.
template <typename T>
std::string with(std::string elf, std::size_t at, T value) {
  std::memcpy(elf.data() + at, &value, sizeof value);
  return elf;
}
constexpr std::size_t segment(std::size_t number) {
  return sizeof(Elf64_Ehdr) + number * sizeof(Elf64_Phdr);
}
/// Of the dynamic entry with this tag: where its value stands.
std::size_t value_of(const std::string& elf, std::int64_t tag) {
  Elf64_Phdr dynamic;
  std::memcpy(&dynamic, elf.data() + segment(1), sizeof dynamic);
  for (auto at = dynamic.p_offset; at < elf.size(); at += sizeof(Elf64_Dyn)) {
    Elf64_Dyn entry;
    std::memcpy(&entry, elf.data() + at, sizeof entry);
    if (entry.d_tag == tag) return at + offsetof(Elf64_Dyn, d_un);
  }
  ADD_FAILURE() << "no entry " << tag;
  return 0;
}
std::uint64_t number_at(const std::string& elf, std::size_t at) {
  std::uint64_t out = 0;
  std::memcpy(&out, elf.data() + at, sizeof out);
  return out;
}

TEST(Elf, SaysWhatALoaderWouldLookFor) {
  const auto facts = read(make_elf(k_program));
  EXPECT_EQ(facts.architecture, "amd64");
  EXPECT_EQ(facts.interpreter, "/lib64/ld-linux-x86-64.so.2");
  EXPECT_EQ(facts.soname, "libself.so.1");
  EXPECT_THAT(facts.needed, ElementsAre("libggml.so.0", "libc.so.6"));
  EXPECT_THAT(facts.wants.at("libc.so.6"), ElementsAre("GLIBC_2.34", "GLIBC_2.38"));
  EXPECT_THAT(facts.wants.at("libm.so.6"), ElementsAre("GLIBC_2.29"));
  EXPECT_THAT(facts.defines, ElementsAre("SELF_1", "SELF_2"));
  EXPECT_EQ(elf_from_json(to_json(facts)), facts);
  EXPECT_EQ(read(make_elf({.machine = EM_AARCH64})).architecture, "arm64");
  EXPECT_EQ(read(make_elf({.machine = EM_RISCV})).architecture, "machine 243");
}

TEST(Elf, ReadsWhatACompilerMade) {
  const auto self = open_file("/proc/self/exe", O_RDONLY);
  const auto size = regular_size(self.get(), "this program");
  ASSERT_TRUE(is_elf(self.get(), 0, size));
  const auto facts = read_elf(self.get(), 0, size);
  EXPECT_THAT(facts.interpreter, HasSubstr("/ld-"));
  EXPECT_THAT(facts.needed, Contains("libc.so.6"));
  EXPECT_THAT(facts.wants, Contains(testing::Key("libc.so.6")));
  // The C library that this program runs with has what it wants of one.
  for (const auto* place : {"/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6"}) {
    if (!fs::exists(place)) continue;
    const auto library = open_file(place, O_RDONLY);
    const auto there = read_elf(library.get(), 0, regular_size(library.get(), place));
    EXPECT_EQ(there.soname, "libc.so.6");
    for (const auto& version : facts.wants.at("libc.so.6")) EXPECT_THAT(there.defines, Contains(version));
  }
}

TEST(Elf, IsReadWhereItLiesInAnotherFile) {
  const auto elf = make_elf(k_program);
  const auto file = file_of("before" + elf + "behind");
  EXPECT_EQ(read_elf(file.get(), 6, elf.size()), read(elf));
  // What lies behind its range is no part of it.
  EXPECT_EQ(code_of([&] { (void)read_elf(file.get(), 6, elf.size() - 1); }), ErrorCode::engine_malformed);
  EXPECT_FALSE(is_elf(file.get(), 0, elf.size()));
}

TEST(Elf, WeakVersionsAreNotNeeded) {
  auto elf = make_elf({.wants = {{"libc.so.6", {"GLIBC_2.99"}}}});
  const auto at =
      number_at(elf, value_of(elf, DT_VERNEED)) + sizeof(Elf64_Verneed) + offsetof(Elf64_Vernaux, vna_flags);
  elf = with(elf, at, std::uint16_t{VER_FLG_WEAK});
  EXPECT_TRUE(read(elf).wants.empty());
}

TEST(Elf, RefusesOnesThatLie) {
  const auto good = make_elf(k_program);
  EXPECT_THAT(why_not(with(good, EI_CLASS, ELFCLASS32)), HasSubstr("64 bits"));
  EXPECT_THAT(why_not(with(good, EI_DATA, ELFDATA2MSB)), HasSubstr("little-endian"));
  EXPECT_THAT(why_not(with(good, offsetof(Elf64_Ehdr, e_type), std::uint16_t{ET_REL})), HasSubstr("neither"));
  EXPECT_THAT(why_not(with(good, offsetof(Elf64_Ehdr, e_phnum), std::uint16_t{0xffff})), HasSubstr("65535"));
  EXPECT_THAT(why_not(with(good, offsetof(Elf64_Ehdr, e_phoff), ~std::uint64_t{0})), HasSubstr("behind"));
  EXPECT_THAT(why_not(with(good, offsetof(Elf64_Ehdr, e_phoff), std::uint64_t{good.size()})), HasSubstr("behind"));
  for (const auto number : {0u, 1u, 2u}) {
    EXPECT_THAT(why_not(with(good, segment(number) + offsetof(Elf64_Phdr, p_filesz), ~std::uint64_t{0})),
                HasSubstr("a segment lies outside"));
    EXPECT_THAT(why_not(with(good, segment(number) + offsetof(Elf64_Phdr, p_offset), ~std::uint64_t{0})),
                HasSubstr("a segment lies outside"));
  }
  EXPECT_THAT(why_not(with(good, segment(0) + offsetof(Elf64_Phdr, p_type), std::uint32_t{PT_DYNAMIC})),
              HasSubstr("two dynamic sections"));
  EXPECT_THAT(why_not(with(good, value_of(good, DT_STRTAB), ~std::uint64_t{0})), HasSubstr("in no segment"));
  EXPECT_THAT(why_not(with(good, value_of(good, DT_STRSZ), std::uint64_t{1})), HasSubstr("outside of their table"));
  EXPECT_THAT(why_not(with(good, value_of(good, DT_NEEDED), ~std::uint64_t{0})), HasSubstr("outside of their table"));
  EXPECT_THAT(why_not(with(good, value_of(good, DT_VERNEED), std::uint64_t{good.size() - 1})), HasSubstr("behind"));
}

TEST(Elf, TablesThatLieInEachOtherAreRefused) {
  const auto good = make_elf(k_program);
  const auto wants = number_at(good, value_of(good, DT_VERNEED)), defines = number_at(good, value_of(good, DT_VERDEF));
  for (const std::uint32_t step : {1u, 15u}) {
    EXPECT_THAT(why_not(with(good, wants + offsetof(Elf64_Verneed, vn_next), step)), HasSubstr("in each other"));
    EXPECT_THAT(why_not(with(good, wants + sizeof(Elf64_Verneed) + offsetof(Elf64_Vernaux, vna_next), step)),
                HasSubstr("in each other"));
    EXPECT_THAT(why_not(with(good, defines + offsetof(Elf64_Verdef, vd_next), step)), HasSubstr("in each other"));
  }
  EXPECT_THAT(why_not(with(good, wants + offsetof(Elf64_Verneed, vn_next), ~std::uint32_t{0})), HasSubstr("behind"));
}

TEST(Elf, NamesAreNamesAndHaveAnEnd) {
  EXPECT_THAT(why_not(make_elf({.needed = {"../../evil.so"}})), HasSubstr("which is no name"));
  EXPECT_THAT(why_not(make_elf({.needed = {"/etc/evil.so"}})), HasSubstr("which is no name"));
  EXPECT_THAT(why_not(make_elf({.needed = {"lib\x1b[31m.so"}})), HasSubstr("not printable"));
  EXPECT_THAT(why_not(make_elf({.needed = {std::string(300, 'l')}})), HasSubstr("too long"));
  EXPECT_THAT(why_not(make_elf({.needed = {""}})), HasSubstr("which is no name"));
  auto elf = make_elf({.interpreter = "/lib/ld.so"});
  std::replace(elf.begin() + static_cast<std::ptrdiff_t>(segment(3)),
               elf.begin() + static_cast<std::ptrdiff_t>(segment(3) + 11), '\0', 'x');
  EXPECT_THAT(why_not(elf), HasSubstr("has no end"));
}

TEST(Elf, CountsAreBounded) {
  ElfRecipe many{.needed = std::vector<std::string>(5000, "libc.so.6")};
  EXPECT_THAT(why_not(make_elf(many)), HasSubstr("dynamic entries"));
  std::vector<std::string> versions;
  for (int i = 0; i < 3000; ++i) versions.push_back("V" + std::to_string(i));
  EXPECT_THAT(why_not(make_elf({.defines = versions})), HasSubstr("more than 2048 versions"));
}

TEST(Elf, EveryCutIsAnErrorOrReadsTheSame) {
  const auto good = make_elf(k_program);
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_NE(why_not(good.substr(0, size)), "it was read") << size;
}

}  // namespace
}  // namespace liftlock::engine
