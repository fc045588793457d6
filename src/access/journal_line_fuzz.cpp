// Any bytes as a line of a journal, and as what sshd says: what is read of them is short, and may be shown.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "access/sshd_logins.hpp"
#include "base/encoding.hpp"

namespace {

void check(const liftlock::SshdLogin& login) {
  if (login.unclear.empty() == login.method.empty()) std::abort();
  for (const auto* text : {&login.method, &login.user, &login.peer, &login.unclear}) {
    if (liftlock::printable(*text) != *text || text->size() > 2000) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = liftlock::as_text({data, size});
  if (const auto login = liftlock::parse_sshd_message(text)) check(*login);
  const auto line = liftlock::parse_journal_line(text);
  if (line && line->login) check(*line->login);
  if (line && line->login && line->lacks_message) std::abort();
  return 0;
}
