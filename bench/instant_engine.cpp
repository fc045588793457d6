// An engine that answers at once, for gateway_bench: in llama-server's place, so that what is measured is ours. Keeps
// connections; streams as many chunks as "max_tokens" says where the request has "stream":true. Static, as it runs in
// an engine's root that holds nothing else.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace {

void say(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto put = write(fd, text.data() + at, text.size() - at);
    if (put <= 0) return;
    at += static_cast<std::size_t>(put);
  }
}

std::string chunk(const std::string& data) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

void answer(int fd, const std::string& request) {
  if (request.find("\"stream\":true") == std::string::npos) {
    const std::string body = request.starts_with("GET")
                                 ? R"({"status":"ok"})"
                                 : R"({"choices":[{"index":0,"message":{"role":"assistant","content":"At once."}}],)"
                                   R"("usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})";
    return say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                       std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  const auto at = request.find("\"max_tokens\":");
  const long tokens = at == std::string::npos ? 10 : std::strtol(request.c_str() + at + 13, nullptr, 10);
  say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  const auto event = chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"}}]}\n\n");
  for (long i = 0; i < tokens; ++i) say(fd, event);
  say(fd, chunk("data: [DONE]\n\n") + "0\r\n\r\n");
}

void serve(int fd) {
  std::string bytes;
  char block[16384];
  for (;;) {
    const auto end = bytes.find("\r\n\r\n");
    if (end != std::string::npos) {
      const auto at = bytes.find("Content-Length: ");
      const auto length = at < end ? std::strtoul(bytes.c_str() + at + 16, nullptr, 10) : 0;
      if (bytes.size() >= end + 4 + length) {
        answer(fd, bytes.substr(0, end + 4 + length));
        bytes.erase(0, end + 4 + length);
        continue;
      }
    }
    const auto got = read(fd, block, sizeof block);
    if (got <= 0) break;
    bytes.append(block, static_cast<std::size_t>(got));
  }
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  const char* path = nullptr;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--host") == 0) path = argv[i + 1];
  }
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path == nullptr ? "" : path);
  if (bind(server, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(server, 512) != 0) return 4;
  for (;;) {
    const int fd = accept(server, nullptr, nullptr);
    if (fd >= 0) std::thread(serve, fd).detach();
  }
}
