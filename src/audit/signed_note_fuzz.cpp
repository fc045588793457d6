#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "audit/signed_note.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = liftlock::as_text({data, size});
  try {
    const auto note = liftlock::parse_signed_note(text);
    for (const auto& signature : note.signatures) liftlock::is_signed_by(note, {.name = signature.name, .key = {1}});
    const auto checkpoint = liftlock::Checkpoint::parse(note.text);
    if (checkpoint.text() != note.text) std::abort();
  } catch (const liftlock::Error&) {
  }
  try {
    if (liftlock::NoteKey::parse(text).text() != text) std::abort();
  } catch (const liftlock::Error&) {
  }
  return 0;
}
