// The input is a statement; and, when it is none, the payload of one.
#include "trust/root_statement.hpp"

#include <cstdlib>

#include "base/error.hpp"
#include "trust/openpgp.hpp"

namespace {

using namespace liftlock;

template <typename F>
void run(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal) std::abort();
  }
}

void read(std::string_view statement) {
  const auto decoded = decode_root(statement);
  // What was read can be written, and reads back as the same.
  const auto again = draft_root(decoded.root);
  if (again.root.version != decoded.root.version || again.root.keys.size() != decoded.root.keys.size()) std::abort();
  missing_root_signatures(decoded, decoded.root);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  run([&] { read(text); });
  run([&] {
    RootStatement statement;
    statement.payload = text;
    read(encode_root(statement));
  });
  run([&] { is_one_signature_packet(dearmor(text, "SIGNATURE", 16u << 10)); });
  return 0;
}
