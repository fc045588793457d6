#include "witness/request.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_request = 80 * 1024;
constexpr std::size_t k_max_path = 63;

[[noreturn]] void malformed(std::string_view why) {
  fail(ErrorCode::schema_violation, "a request to a witness: {}", why);
}

/// Takes the line that `text` begins with, without its end.
std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) malformed("a line is not ended");
  const auto line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

}  // namespace

std::string WitnessRequest::text() const {
  auto out = fmt::format("key {}\nold {}\n", key.text(), old_size);
  for (const auto& hash : path) out += encode_base64(hash) + "\n";
  return out + "\n" + note;
}

WitnessRequest WitnessRequest::parse(std::string_view text) {
  constexpr std::string_view k_key = "key ", k_old = "old ";
  if (text.size() > k_max_request) fail(ErrorCode::limit_exceeded, "a request to a witness of {} bytes", text.size());
  WitnessRequest out;
  const auto key = take_line(text);
  if (!key.starts_with(k_key)) malformed("it does not begin with the log's key");
  out.key = NoteKey::parse(key.substr(k_key.size()));
  const auto old = take_line(text);
  const auto size = old.starts_with(k_old) ? parse_uint(old.substr(k_old.size())) : std::nullopt;
  if (!size || std::to_string(*size) != old.substr(k_old.size())) malformed("its second line is not 'old SIZE'");
  out.old_size = *size;
  for (auto line = take_line(text); !line.empty(); line = take_line(text)) {
    const auto hash = decode_base64(line);
    if (!hash || hash->size() != 32) malformed("a line of the proof is not the base64 of 32 bytes");
    if (out.path.size() == k_max_path) fail(ErrorCode::limit_exceeded, "a proof of more than {} lines", k_max_path);
    std::copy(hash->begin(), hash->end(), out.path.emplace_back().begin());
  }
  out.note = text;
  const auto note = parse_signed_note(text);
  out.checkpoint_text = note.text;
  out.checkpoint = Checkpoint::parse(note.text);
  if (out.checkpoint.origin != out.key.name) malformed("the checkpoint is of another log than the key");
  if (out.old_size > out.checkpoint.size) malformed("its old size is larger than the checkpoint's");
  if (!is_signed_by(note, out.key)) {
    fail(ErrorCode::signature_invalid, "the checkpoint is not signed by the log's key, or was changed on its way");
  }
  return out;
}

}  // namespace liftlock
