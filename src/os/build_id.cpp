#include "os/build_id.hpp"

#include <link.h>

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/encoding.hpp"

namespace liftlock {
namespace {

/// Its notes lie in memory, as the linker wrote them: name and description of each are padded to four bytes.
std::string_view build_id_note(std::string_view notes) {
  constexpr std::string_view gnu("GNU\0", 4);
  ElfW(Nhdr) head;
  while (notes.size() >= sizeof head) {
    std::memcpy(&head, notes.data(), sizeof head);
    notes.remove_prefix(sizeof head);
    const std::size_t name = (head.n_namesz + 3u) & ~3u, description = (head.n_descsz + 3u) & ~3u;
    if (notes.size() < name + description) break;
    if (head.n_type == NT_GNU_BUILD_ID && notes.substr(0, head.n_namesz) == gnu)
      return notes.substr(name, head.n_descsz);
    notes.remove_prefix(name + description);
  }
  return {};
}

}  // namespace

std::string build_id() {
  std::string found;
  ::dl_iterate_phdr(
      [](dl_phdr_info* program, std::size_t, void* into) {
        for (int i = 0; i < program->dlpi_phnum; ++i) {
          const auto& segment = program->dlpi_phdr[i];
          // An address of the process, not of an object of ours: the loader maps notes with the program.
          const auto* at = reinterpret_cast<const char*>(program->dlpi_addr + segment.p_vaddr);
          if (segment.p_type != PT_NOTE) continue;
          if (const auto id = build_id_note({at, segment.p_memsz}); !id.empty())
            *static_cast<std::string*>(into) =
                encode_hex({reinterpret_cast<const std::uint8_t*>(id.data()), id.size()});
        }
        return 1;  // the executable is the first; no library is wanted
      },
      &found);
  return found;
}

}  // namespace liftlock
