#include "engine/elf.hpp"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock::engine {
namespace {

constexpr std::string_view k_what = "an ELF file";

[[noreturn]] void malformed(std::string_view why) {
  fail(ErrorCode::engine_malformed, "it is no sound ELF file: {}", why);
}

std::string architecture_of(std::uint16_t machine) {
  if (machine == EM_X86_64) return "amd64";
  if (machine == EM_AARCH64) return "arm64";
  return fmt::format("machine {}", machine);
}

class Reader {
 public:
  Reader(int fd, std::uint64_t offset, std::uint64_t size, const ElfLimits& limits)
      : m_fd(fd), m_offset(offset), m_size(size), m_limits(limits) {}

  ElfFacts run() {
    const auto header = at<Elf64_Ehdr>(0);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) malformed("it does not begin as one");
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
      malformed("it is not of 64 bits, little-endian");
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) malformed("it is neither a program nor a library");
    m_facts.architecture = architecture_of(header.e_machine);
    read_segments(header);
    if (m_dynamic) read_dynamic();
    return std::move(m_facts);
  }

 private:
  struct Range {
    std::uint64_t offset, size;
  };

  template <typename T>
  T at(std::uint64_t place) const {
    T out;
    if (place > m_size || m_size - place < sizeof(T)) malformed("it points behind its end");
    if (!pread_exact(m_fd, {reinterpret_cast<std::uint8_t*>(&out), sizeof out}, m_offset + place, k_what))
      malformed("it is truncated");
    return out;
  }

  /// Text that ends with a zero byte before `end`.
  std::string text(std::uint64_t place, std::uint64_t end) const {
    end = std::min(end, m_size);
    if (place >= end) malformed("a name lies outside of it");
    std::string out(static_cast<std::size_t>(std::min<std::uint64_t>(m_limits.name + 1, end - place)), '\0');
    if (!pread_exact(m_fd, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()}, m_offset + place, k_what))
      malformed("it is truncated");
    const auto zero = out.find('\0');
    if (zero == std::string::npos) malformed("a name is too long, or has no end");
    out.resize(zero);
    if (printable(out) != out) malformed("a name is not printable");
    return out;
  }

  void read_segments(const Elf64_Ehdr& header) {
    if (header.e_phentsize != sizeof(Elf64_Phdr) && header.e_phnum != 0) malformed("its program headers are odd");
    if (header.e_phnum > m_limits.program_headers)
      fail(ErrorCode::limit_exceeded, "an ELF file has {} program headers", header.e_phnum);
    for (std::size_t i = 0; i < header.e_phnum; ++i) {
      const auto place = header.e_phoff + i * sizeof(Elf64_Phdr);
      if (place < header.e_phoff) malformed("its program headers lie outside");
      const auto segment = at<Elf64_Phdr>(place);
      if (segment.p_offset > m_size || segment.p_filesz > m_size - segment.p_offset)
        malformed("a segment lies outside of it");
      if (segment.p_type == PT_LOAD) m_loads.push_back(segment);
      if (segment.p_type == PT_INTERP) {
        if (!m_facts.interpreter.empty()) malformed("it has two interpreters");
        m_facts.interpreter = text(segment.p_offset, segment.p_offset + segment.p_filesz);
        if (m_facts.interpreter.empty()) malformed("its interpreter has no name");
      }
      if (segment.p_type == PT_DYNAMIC) {
        if (m_dynamic) malformed("it has two dynamic sections");
        m_dynamic = Range{segment.p_offset, segment.p_filesz};
      }
    }
  }

  /// The dynamic section has addresses; what is loaded there stands where a segment says.
  Range in_file(std::uint64_t address) const {
    for (const auto& segment : m_loads) {
      if (address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz) continue;
      const auto skip = address - segment.p_vaddr;
      return {segment.p_offset + skip, segment.p_filesz - skip};
    }
    malformed("an address is in no segment");
  }

  void read_dynamic() {
    const auto count = m_dynamic->size / sizeof(Elf64_Dyn);
    if (count > m_limits.dynamic_entries) fail(ErrorCode::limit_exceeded, "an ELF file has {} dynamic entries", count);
    std::optional<std::uint64_t> strings, strings_size, soname, wants, defines;
    std::uint64_t wants_count = 0, defines_count = 0;
    std::vector<std::uint64_t> needed;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto entry = at<Elf64_Dyn>(m_dynamic->offset + i * sizeof(Elf64_Dyn));
      if (entry.d_tag == DT_NULL) break;
      const auto value = entry.d_un.d_val;
      switch (entry.d_tag) {
        case DT_STRTAB:
          strings = value;
          break;
        case DT_STRSZ:
          strings_size = value;
          break;
        case DT_NEEDED:
          needed.push_back(value);
          break;
        case DT_SONAME:
          soname = value;
          break;
        case DT_VERNEED:
          wants = value;
          break;
        case DT_VERNEEDNUM:
          wants_count = value;
          break;
        case DT_VERDEF:
          defines = value;
          break;
        case DT_VERDEFNUM:
          defines_count = value;
          break;
        default:
          break;
      }
    }
    if (!strings) {
      if (!needed.empty() || soname || wants || defines) malformed("it has names and no table of them");
      return;
    }
    auto table = in_file(*strings);
    table.size = std::min(table.size, strings_size.value_or(table.size));
    m_strings = table;
    for (const auto place : needed) m_facts.needed.push_back(file_name(place));
    if (soname) m_facts.soname = name(*soname);
    if (wants) read_wants(in_file(*wants), wants_count);
    if (defines) read_defines(in_file(*defines), defines_count);
  }

  std::string name(std::uint64_t place) const {
    if (place >= m_strings.size) malformed("a name lies outside of their table");
    return text(m_strings.offset + place, m_strings.offset + m_strings.size);
  }

  /// A library that is wanted by a path is one that the engine's root cannot promise.
  std::string file_name(std::uint64_t place) const {
    auto out = name(place);
    if (out.empty() || out == "." || out == ".." || out.find('/') != std::string::npos)
      malformed(fmt::format("it wants the library '{}', which is no name", out));
    return out;
  }

  void count_version() {
    if (++m_versions > m_limits.versions)
      fail(ErrorCode::limit_exceeded, "an ELF file has more than {} versions", m_limits.versions);
  }

  /// Chains go forward only, so that none has a loop.
  static std::uint64_t further(std::uint64_t place, std::uint32_t step, std::size_t least) {
    if (step < least) malformed("its version tables lie in each other");
    return place + step;
  }

  void read_wants(Range table, std::uint64_t count) {
    auto place = table.offset;
    for (std::uint64_t i = 0; i < count; ++i) {
      count_version();
      const auto need = at<Elf64_Verneed>(place);
      auto& versions = m_facts.wants[file_name(need.vn_file)];
      auto aux = further(place, need.vn_aux, sizeof need);
      for (unsigned j = 0; j < need.vn_cnt; ++j) {
        count_version();
        const auto one = at<Elf64_Vernaux>(aux);
        if ((one.vna_flags & VER_FLG_WEAK) == 0) versions.insert(name(one.vna_name));
        if (one.vna_next == 0) break;
        aux = further(aux, one.vna_next, sizeof one);
      }
      if (need.vn_next == 0) break;
      place = further(place, need.vn_next, sizeof need);
    }
    std::erase_if(m_facts.wants, [](const auto& one) { return one.second.empty(); });
  }

  void read_defines(Range table, std::uint64_t count) {
    auto place = table.offset;
    for (std::uint64_t i = 0; i < count; ++i) {
      count_version();
      const auto version = at<Elf64_Verdef>(place);
      // The first name is its own, others are what it includes. The base version is the file's name.
      if (version.vd_cnt > 0 && (version.vd_flags & VER_FLG_BASE) == 0) {
        const auto one = at<Elf64_Verdaux>(further(place, version.vd_aux, sizeof version));
        m_facts.defines.insert(name(one.vda_name));
      }
      if (version.vd_next == 0) break;
      place = further(place, version.vd_next, sizeof version);
    }
  }

  const int m_fd;
  const std::uint64_t m_offset, m_size;
  const ElfLimits& m_limits;
  ElfFacts m_facts;
  std::vector<Elf64_Phdr> m_loads;
  std::optional<Range> m_dynamic;
  Range m_strings{0, 0};
  std::size_t m_versions = 0;
};

std::vector<std::string> texts(const Json& json, const char* key) {
  constexpr std::string_view where = "the answer of a cell";
  std::vector<std::string> out;
  for (const auto& one : array_member(json, key, where)) {
    if (!one.is_string()) fail(ErrorCode::schema_violation, "{}: {} must be strings", where, key);
    out.push_back(one.get<std::string>());
  }
  return out;
}

}  // namespace

bool is_elf(int fd, std::uint64_t offset, std::uint64_t size) {
  std::array<std::uint8_t, SELFMAG> head{};
  return size >= sizeof(Elf64_Ehdr) && pread_exact(fd, head, offset, k_what) &&
         std::memcmp(head.data(), ELFMAG, SELFMAG) == 0;
}

ElfFacts read_elf(int fd, std::uint64_t offset, std::uint64_t size, const ElfLimits& limits) {
  return Reader(fd, offset, size, limits).run();
}

Json to_json(const ElfFacts& facts) {
  return {{"architecture", facts.architecture},
          {"interpreter", facts.interpreter},
          {"soname", facts.soname},
          {"needed", facts.needed},
          {"wants", facts.wants},
          {"defines", facts.defines}};
}

ElfFacts elf_from_json(const Json& json) {
  constexpr std::string_view where = "the answer of a cell";
  ElfFacts out;
  out.architecture = string_member(json, "architecture", where);
  out.interpreter = string_member(json, "interpreter", where);
  out.soname = string_member(json, "soname", where);
  out.needed = texts(json, "needed");
  const auto& wants = object_member(json, "wants", where);
  for (const auto& [file, versions] : wants.items()) {
    const auto names = texts(wants, file.c_str());
    out.wants[file].insert(names.begin(), names.end());
  }
  const auto defines = texts(json, "defines");
  out.defines.insert(defines.begin(), defines.end());
  return out;
}

}  // namespace liftlock::engine
