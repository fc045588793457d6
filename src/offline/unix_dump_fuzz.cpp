#include <cstddef>
#include <cstdint>

#include "base/encoding.hpp"
#include "offline/socket_address.hpp"
#include "offline/sockets.hpp"
#include "offline/unix_doors.hpp"

// Bytes of the kernel and of other processes: lists of sockets, and addresses of any shape.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  using namespace liftlock::offline;
  const auto text = as_text({data, size});
  std::vector<BoundSocket> sockets;
  (void)parse_unix_dump(text, sockets);
  if (const auto address = parse_socket_address({data, size}); address && address->path.size() > size) __builtin_trap();
  (void)parse_socket_table(text, "tcp");
  (void)parse_routes(text);
  (void)parse_routes6(text);
  (void)parse_resolvers(text);
  (void)parse_sent(text);
  return 0;
}
