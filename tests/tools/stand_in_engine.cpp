// Stands in for llama-server in tests: answers GET /health and POST /v1/chat/completions on a Unix socket, and
// misbehaves when its model (at load) or a request (by a word in its body) says so.
//
//   model:    "die at load", "slow load"
//   request:  "crash", "hang" (nothing is answered any more), "flood" (its log), "half" (a chunk that never ends),
//   "late"
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

namespace {

std::atomic<bool> g_hangs{false};

std::string option(int argc, char** argv, const char* name) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], name) == 0) return argv[i + 1];
  }
  return {};
}

bool has(const std::string& text, const char* word) {
  return text.find(word) != std::string::npos;
}

void say(int fd, const std::string& text) {
  if (write(fd, text.data(), text.size()) < 0) std::perror("write");
}

std::string read_request(int fd) {
  std::string text;
  char block[4096];
  while (true) {
    const auto end = text.find("\r\n\r\n");
    if (end != std::string::npos) {
      const auto at = text.find("Content-Length: ");
      const auto length = at < end ? std::strtoul(text.c_str() + at + 16, nullptr, 10) : 0;
      if (text.size() >= end + 4 + length) return text;
    }
    const auto got = read(fd, block, sizeof block);
    if (got <= 0) return {};
    text.append(block, static_cast<std::size_t>(got));
  }
}

void answer(int fd) {
  const auto request = read_request(fd);
  if (has(request, "hang")) g_hangs = true;
  while (g_hangs) pause();
  if (has(request, "crash")) std::abort();
  if (has(request, "flood")) {
    const std::string line(1 << 16, 'x');
    for (int i = 0; i < 640; ++i) say(2, line + "\n");
  }
  if (has(request, "late")) std::this_thread::sleep_for(std::chrono::milliseconds(300));
  if (has(request, "half")) {
    say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\ndata: {\"choices\"");
  } else {
    const std::string body = has(request, "GET /health")
                                 ? R"({"status":"ok"})"
                                 : R"({"choices":[{"message":{"role":"assistant","content":"I stand in."}}]})";
    say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\nConnection: close\r\n\r\n" + body);
  }
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  std::ifstream file(option(argc, argv, "-m"));
  const std::string model{std::istreambuf_iterator<char>(file), {}};
  if (has(model, "die at load")) {
    std::fputs("I cannot load this\n", stderr);
    return 3;
  }
  if (has(model, "slow load")) std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", option(argc, argv, "--host").c_str());
  if (bind(server, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(server, 64) != 0) return 4;
  while (true) {
    const int fd = accept(server, nullptr, nullptr);
    if (fd >= 0) std::thread(answer, fd).detach();
  }
}
