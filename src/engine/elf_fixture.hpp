// For tests: small ELF files that say what a test wants them to say. Nothing in them can be run.
#pragma once

#include <elf.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace liftlock::engine::testing_support {

struct ElfRecipe {
  std::uint16_t machine = EM_X86_64;
  std::string interpreter = {};
  std::string soname = {};
  std::vector<std::string> needed = {};
  std::map<std::string, std::vector<std::string>> wants = {};
  std::vector<std::string> defines = {};
};

/// Headers, names, version tables, dynamic section, in this order; one segment is the whole file, loaded at 0.
inline std::string make_elf(const ElfRecipe& recipe) {
  std::string names(1, '\0');
  const auto name = [&](const std::string& text) {
    const auto at = names.size();
    names += text + '\0';
    return at;
  };
  const auto append = [](std::string& out, const auto& one) {
    out.append(reinterpret_cast<const char*>(&one), sizeof one);
  };
  std::vector<Elf64_Dyn> dynamic;
  const auto say = [&](std::int64_t tag, std::uint64_t value) {
    Elf64_Dyn entry{};
    entry.d_tag = tag;
    entry.d_un.d_val = value;
    dynamic.push_back(entry);
  };
  for (const auto& one : recipe.needed) say(DT_NEEDED, name(one));
  if (!recipe.soname.empty()) say(DT_SONAME, name(recipe.soname));

  std::string wants;
  for (auto file = recipe.wants.begin(); file != recipe.wants.end(); ++file) {
    const bool last = std::next(file) == recipe.wants.end();
    Elf64_Verneed need{};
    need.vn_version = 1;
    need.vn_cnt = static_cast<std::uint16_t>(file->second.size());
    need.vn_file = static_cast<std::uint32_t>(name(file->first));
    need.vn_aux = sizeof need;
    need.vn_next = last ? 0 : static_cast<std::uint32_t>(sizeof need + file->second.size() * sizeof(Elf64_Vernaux));
    append(wants, need);
    for (std::size_t i = 0; i < file->second.size(); ++i) {
      Elf64_Vernaux one{};
      one.vna_name = static_cast<std::uint32_t>(name(file->second[i]));
      one.vna_next = i + 1 == file->second.size() ? 0 : sizeof one;
      append(wants, one);
    }
  }
  std::string defines;
  for (std::size_t i = 0; i < recipe.defines.size(); ++i) {
    Elf64_Verdef version{};
    version.vd_version = 1;
    version.vd_ndx = static_cast<std::uint16_t>(i + 2);
    version.vd_cnt = 1;
    version.vd_aux = sizeof version;
    version.vd_next = i + 1 == recipe.defines.size() ? 0 : sizeof version + sizeof(Elf64_Verdaux);
    append(defines, version);
    Elf64_Verdaux one{};
    one.vda_name = static_cast<std::uint32_t>(name(recipe.defines[i]));
    append(defines, one);
  }

  const auto segments = recipe.interpreter.empty() ? 2u : 3u;
  const auto interpreter_at = sizeof(Elf64_Ehdr) + segments * sizeof(Elf64_Phdr);
  const auto interpreter_size = recipe.interpreter.empty() ? 0 : recipe.interpreter.size() + 1;
  const auto names_at = interpreter_at + interpreter_size;
  const auto wants_at = names_at + names.size(), defines_at = wants_at + wants.size();
  const auto dynamic_at = defines_at + defines.size();
  say(DT_STRTAB, names_at);
  say(DT_STRSZ, names.size());
  if (!wants.empty()) say(DT_VERNEED, wants_at), say(DT_VERNEEDNUM, recipe.wants.size());
  if (!defines.empty()) say(DT_VERDEF, defines_at), say(DT_VERDEFNUM, recipe.defines.size());
  say(DT_NULL, 0);
  const auto size = dynamic_at + dynamic.size() * sizeof(Elf64_Dyn);

  std::string out;
  Elf64_Ehdr header{};
  std::string(ELFMAG).copy(reinterpret_cast<char*>(header.e_ident), SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_DYN;
  header.e_machine = recipe.machine;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = static_cast<std::uint16_t>(segments);
  append(out, header);
  const auto segment = [&](std::uint32_t type, std::uint64_t at, std::uint64_t bytes) {
    Elf64_Phdr one{};
    one.p_type = type;
    one.p_offset = one.p_vaddr = at;
    one.p_filesz = one.p_memsz = bytes;
    append(out, one);
  };
  segment(PT_LOAD, 0, size);
  segment(PT_DYNAMIC, dynamic_at, dynamic.size() * sizeof(Elf64_Dyn));
  if (interpreter_size != 0) {
    segment(PT_INTERP, interpreter_at, interpreter_size);
    out += recipe.interpreter + '\0';
  }
  out += names + wants + defines;
  for (const auto& entry : dynamic) append(out, entry);
  return out;
}

}  // namespace liftlock::engine::testing_support
