#include <cstddef>
#include <cstdint>

#include "base/encoding.hpp"
#include "offline/dns.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const auto query = as_text({data, size});
  const auto question = offline::parse_dns_query(query);
  if (!question) return 0;
  if (question->end > size || question->name.size() > 4 * 256) __builtin_trap();
  const std::vector<IpAddress> addresses = {*IpAddress::parse("127.0.0.1"), *IpAddress::parse("::1")};
  const auto answer = offline::make_dns_answer(query, *question, &addresses);
  if (answer.size() > size + 64) __builtin_trap();
  (void)offline::make_dns_answer(query, *question, nullptr);
  return 0;
}
