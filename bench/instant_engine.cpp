// An engine that answers at once, for gateway_bench: in llama-server's place, so that what is measured is ours. Keeps
// connections; streams as many chunks as "max_tokens" says where the request has "stream":true, and waits "seed"
// milliseconds between two of them. One thread, so that thousands of streams fit into an engine's sandbox. Static, as
// it runs in a root that holds nothing else. `--host PATH` listens on a Unix socket, `--host PORT` on loopback.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

namespace {

using Clock = std::chrono::steady_clock;

struct Connection {
  std::string bytes;     ///< read, not answered
  long events_left = 0;  ///< of a stream that waits between its events
  std::chrono::milliseconds pause{};
  Clock::time_point next;
};

void say(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto put = send(fd, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (put <= 0) return;
    at += static_cast<std::size_t>(put);
  }
}

std::string chunk(const std::string& data) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

const std::string k_event = chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"}}]}\n\n");
const std::string k_end = chunk("data: [DONE]\n\n") + "0\r\n\r\n";

long number(const std::string& request, const char* key, long otherwise) {
  const auto at = request.find(key);
  return at == std::string::npos ? otherwise : std::strtol(request.c_str() + at + std::strlen(key), nullptr, 10);
}

void answer(int fd, const std::string& request, Connection& connection) {
  if (request.find("\"stream\":true") == std::string::npos) {
    const std::string body = request.starts_with("GET")
                                 ? R"({"status":"ok"})"
                                 : R"({"id":"x","object":"chat.completion","created":1,"model":"demo",)"
                                   R"("choices":[{"index":0,"finish_reason":"stop",)"
                                   R"("message":{"role":"assistant","content":"At once."}}],)"
                                   R"("usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})";
    return say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                       std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  const auto events = number(request, "\"max_tokens\":", 10);
  connection.pause = std::chrono::milliseconds(number(request, "\"seed\":", 0));
  say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  if (connection.pause.count() > 0) {
    connection.events_left = events;
    connection.next = Clock::now();
    return;
  }
  for (long i = 0; i < events; ++i) say(fd, k_event);
  say(fd, k_end);
}

/// False at the connection's end.
bool take(int fd, Connection& connection) {
  char block[16384];
  const auto got = read(fd, block, sizeof block);
  if (got <= 0) return false;
  auto& bytes = connection.bytes;
  bytes.append(block, static_cast<std::size_t>(got));
  for (;;) {
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string::npos) return true;
    auto at = bytes.find("Content-Length: ");
    if (at >= end) at = bytes.find("content-length: ");
    const auto length = at < end ? std::strtoul(bytes.c_str() + at + 16, nullptr, 10) : 0;
    if (bytes.size() < end + 4 + length) return true;
    answer(fd, bytes.substr(0, end + 4 + length), connection);
    bytes.erase(0, end + 4 + length);
  }
}

int listen_on(const char* host) {
  int fd = -1;
  if (std::strchr(host, '/') != nullptr) {
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", host);
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
  } else {
    fd = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(host)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
  }
  return listen(fd, 4096) == 0 ? fd : -1;
}

}  // namespace

int main(int argc, char** argv) {
  const char* host = "";
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--host") == 0) host = argv[i + 1];
  }
  const int server = listen_on(host);
  if (server < 0) return 4;
  const int poll = epoll_create1(0);
  epoll_event event{.events = EPOLLIN, .data = {.fd = server}};
  epoll_ctl(poll, EPOLL_CTL_ADD, server, &event);
  std::map<int, Connection> connections;
  bool pacing = false;
  for (;;) {
    epoll_event ready[256];
    const int count = epoll_wait(poll, ready, 256, pacing ? 1 : -1);
    for (int i = 0; i < count; ++i) {
      const int fd = ready[i].data.fd;
      if (fd == server) {
        const int client = accept(server, nullptr, nullptr);
        if (client < 0) continue;
        const int on = 1;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        event = {.events = EPOLLIN, .data = {.fd = client}};
        epoll_ctl(poll, EPOLL_CTL_ADD, client, &event);
      } else if (!take(fd, connections[fd])) {
        connections.erase(fd);
        close(fd);
      }
    }
    const auto now = Clock::now();
    pacing = false;
    for (auto& [fd, connection] : connections) {
      if (connection.events_left == 0) continue;
      pacing = true;
      if (now < connection.next) continue;
      say(fd, --connection.events_left == 0 ? k_event + k_end : k_event);
      connection.next = now + connection.pause;
    }
  }
}
