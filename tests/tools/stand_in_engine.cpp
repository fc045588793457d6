// Stands in for llama-server in tests: answers GET /health, POST /v1/chat/completions and /v1/embeddings (of one text)
// on a Unix socket, and misbehaves when its model (at load) or a request (by a word in its body) says so. Started with
// --reranking it answers POST /v1/rerank, of two documents.
//
//   model:    "die at load", "abort at load", "slow load", "mislead at load" (a symlink where its socket belongs),
//             "trespass at load"
//   request:  "crash", "hang" (nothing is answered any more), "stuck" (nothing but GET /health is), "flood" (its log),
//             "half" (a chunk that never ends), "stall" (the same, and the connection stays: no slot is at work on it),
//             "late", "started after MS" (or else it crashes; milliseconds since 1970), "linger" (a first piece, then
//             nothing until the client leaves, which it logs), "much" (a long answer,
//             or a long vector), "repeat WORD" (that is the
//             answer), "stubborn" (8 s of work, whether the client is there or not), "obsessed" (work without end),
//             "recite" (what its model's file holds now), "scribble" (writes to it: "refused" or "written"),
//             "hoard" (its /tmp is filled), "litter" (so is /dev/shm, with empty files), "multiply" (all processes that
//             it may have),
//             "probable" (log probabilities between the pieces of a stream), "devour" (a gigabyte of memory), "mislead"
//             (a symlink takes its socket's place), "clutter" (the folder of its socket is filled), "trespass" (a
//             system call that no engine makes), "delegate" (a child makes one, and it answers), "blank" (a vector
//             or an order that is none), "grumble" and "blurt" (400 and 500 with its insides)
//
// GET /slots tells how many requests it works on.
//
// With "stream":true it answers in events.
//
// With --output-file it stands in for whisper-cli: it writes what it heard, and ends, unless the recording holds the
// word "crash", "hang", "devour" (memory), "hoard" (which it does not survive), "trespass" or "mislead" (a symlink
// where the transcript belongs).
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

namespace {

using Clock = std::chrono::system_clock;

std::atomic<bool> g_hangs{false};
std::atomic<bool> g_is_stuck{false};
std::atomic<int> g_busy{0};
const Clock::time_point g_start = Clock::now();

std::string g_model;   ///< path
std::string g_socket;  ///< path
bool g_ranks = false;  ///< as it was started

constexpr const char* k_help =
    "-m,  --model FNAME  model\n--host HOST  socket\n--alias NAME  name\n--parallel N  slots\n-c,  --ctx-size N  "
    "context\n--embeddings  a task\n--reranking  a task\n--batch-size N  batch\n--ubatch-size N  step\n--slots  view\n";

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

std::string recite() {
  std::ifstream file(g_model);
  return {std::istreambuf_iterator<char>(file), {}};
}

const char* scribble() {
  chmod(g_model.c_str(), 0666);
  const int fd = open(g_model.c_str(), O_RDWR);
  return fd >= 0 && pwrite(fd, "Z", 1, 0) == 1 ? "written" : "refused";
}

std::string words_for(const std::string& request) {
  if (has(request, "recite")) return recite();
  if (has(request, "scribble")) return scribble();
  if (has(request, "much")) return std::string(1000, 'm');
  const auto at = request.find("repeat ");
  if (at == std::string::npos) return "I stand in.";
  const auto word = request.substr(at + 7);
  return word.substr(0, word.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"));
}

void chunk(int fd, const std::string& data) {
  const auto event = "data: " + data + "\n\n";
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", event.size());
  say(fd, size + event + "\r\n");
}

void wait_until_client_leaves(int fd) {
  char byte = 0;
  while (read(fd, &byte, 1) > 0) continue;
  say(2, "the client left\n");
}

constexpr const char* k_usage = R"("usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8})";

void stream(int fd, const std::string& request) {
  say(fd,
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
  const std::string more = has(request, "probable") ? R"(,"logprobs":{"content":[{"logprob":-0.5}]})" : "";
  const auto piece = [&](const std::string& words) {
    chunk(fd, R"({"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":")" + words + "\"}" + more +
                  "}]}");
  };
  const auto words = words_for(request);
  if (has(request, "linger")) {
    piece("I ");
    return wait_until_client_leaves(fd);
  }
  if (has(request, "much")) {
    for (int i = 0; i < 400; ++i) piece(words);
  } else {
    piece(words.substr(0, 2));
    piece(words.substr(2));
  }
  chunk(fd, R"({"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})");
  chunk(fd, std::string(R"({"object":"chat.completion.chunk","choices":[],)") + k_usage + "}");
  chunk(fd, "[DONE]");
  say(fd, "0\r\n\r\n");
}

void send_json(int fd, const std::string& body, const std::string& status = "200 OK") {
  say(fd, "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body);
}

std::string slots() {
  std::string out;
  for (int i = 0; i < g_busy; ++i) out += R"({"is_processing":true},)";
  return "[" + out + R"({"is_processing":false}])";
}

void mislead() {
  unlink(g_socket.c_str());
  if (symlink("/tmp/elsewhere", g_socket.c_str()) != 0) std::perror("symlink");
}

void clutter() {
  const int fd = open((g_socket + ".more").c_str(), O_WRONLY | O_CREAT, 0600);
  const std::string block(1 << 12, 'x');
  while (write(fd, block.data(), block.size()) > 0) continue;
  close(fd);
}

void trespass() {
  ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
}

/// Of the child's end nobody but us hears.
void delegate() {
  const auto child = fork();
  if (child == 0) {
    mount("none", "/tmp", "tmpfs", 0, nullptr);
    _exit(0);
  }
  waitpid(child, nullptr, 0);
}

void devour() {
  for (int i = 0; i < 64; ++i) {
    const std::size_t size = 16u << 20;
    std::memset(std::malloc(size), 1, size);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void hoard() {
  const std::string block(1 << 16, 'x');
  bool is_full = false;
  // No file may be as large as all of it.
  for (int i = 0; i < 64 && !is_full; ++i) {
    const int fd = open(("/tmp/hoard-" + std::to_string(i)).c_str(), O_WRONLY | O_CREAT, 0600);
    for (int n = 0; n < 256 && !is_full; ++n) is_full = write(fd, block.data(), block.size()) <= 0;
    close(fd);
  }
}

void litter() {
  for (int i = 0; i < 100'000; ++i) {
    const int fd = open(("/dev/shm/litter-" + std::to_string(i)).c_str(), O_WRONLY | O_CREAT, 0600);
    if (fd < 0) return;
    close(fd);
  }
}

void multiply() {
  for (int i = 0; i < 1000; ++i) {
    const auto child = fork();
    if (child < 0) return;
    while (child == 0) pause();
  }
}

/// In the form of llama-server, best first.
void rank(int fd, const std::string& request) {
  if (!g_ranks) {
    return send_json(fd, R"({"error":{"type":"not_supported_error","message":"start it with --reranking"}})",
                     "501 Not Implemented");
  }
  const auto* order = R"({"index":1,"relevance_score":0.9},{"index":0,"relevance_score":-1.5})";
  send_json(fd, std::string(R"({"object":"list","usage":{"prompt_tokens":9,"total_tokens":9},"results":[)") +
                    (has(request, "blank") ? "" : order) + "]}");
}

void whole(int fd, const std::string& request) {
  if (request.rfind("POST /v1/rerank ", 0) == 0) return rank(fd, request);
  if (has(request, "linger")) return wait_until_client_leaves(fd);
  if (has(request, "grumble")) {
    return send_json(fd, R"({"error":{"type":"invalid_request_error","message":"insides {{ of.template }}"}})",
                     "400 Bad Request");
  }
  if (has(request, "blurt")) {
    return send_json(fd, R"({"error":{"type":"server_error","message":"insides: std::bad_alloc"}})",
                     "500 Internal Server Error");
  }
  if (has(request, "POST /v1/embeddings")) {
    std::string numbers = has(request, "blank") ? "0.0,0.0" : "0.5,-0.25";
    for (int i = 0; has(request, "much") && i < 40'000; ++i) numbers += ",0.5";
    return send_json(fd, R"({"data":[{"index":0,"embedding":[)" + numbers + "]}]," + k_usage + "}");
  }
  send_json(fd, R"({"choices":[{"message":{"role":"assistant","content":")" + words_for(request) +
                    R"("},"finish_reason":"stop"}],)" + k_usage + "}");
}

/// It has forgotten the request, and GET /slots tells.
void stall(int fd) {
  --g_busy;
  wait_until_client_leaves(fd);
  ++g_busy;
}

void work(int fd, const std::string& request) {
  if (has(request, "hang")) g_hangs = true;
  if (has(request, "stuck")) g_is_stuck = true;
  while (g_hangs || g_is_stuck) pause();
  if (has(request, "crash")) std::abort();
  if (const auto at = request.find("started after "); at != std::string::npos) {
    if (g_start < Clock::time_point(std::chrono::milliseconds(std::strtoll(&request[at + 14], nullptr, 10))))
      std::abort();
  }
  if (has(request, "flood")) {
    const std::string line(1 << 16, 'x');
    for (int i = 0; i < 640; ++i) say(2, line + "\n");
  }
  if (has(request, "stubborn")) std::this_thread::sleep_for(std::chrono::seconds(8));
  while (has(request, "obsessed")) pause();
  if (has(request, "devour")) devour();
  if (has(request, "hoard")) hoard();
  if (has(request, "litter")) litter();
  if (has(request, "multiply")) multiply();
  if (has(request, "mislead")) mislead();
  if (has(request, "clutter")) clutter();
  if (has(request, "trespass")) trespass();
  if (has(request, "delegate")) delegate();
  if (has(request, "late")) std::this_thread::sleep_for(std::chrono::milliseconds(300));
  if (has(request, "half") || has(request, "stall")) {
    say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\ndata: {\"choices\"");
    if (has(request, "stall")) stall(fd);
  } else if (has(request, R"("stream":true)")) {
    stream(fd, request);
  } else {
    whole(fd, request);
  }
}

void answer(int fd) {
  const auto request = read_request(fd);
  if (request.rfind("GET ", 0) == 0) {
    while (g_hangs || (g_is_stuck && !has(request, "GET /health"))) pause();
    send_json(fd, has(request, "GET /slots") ? slots() : R"({"status":"ok"})");
  } else {
    ++g_busy;
    work(fd, request);
    --g_busy;
  }
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) return std::puts(k_help) < 0;
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) return std::puts("version: 1 (stand-in)") < 0;
  std::signal(SIGPIPE, SIG_IGN);
  g_model = option(argc, argv, "-m");
  g_ranks = std::any_of(argv, argv + argc, [](const char* one) { return std::strcmp(one, "--reranking") == 0; });
  std::ifstream file(g_model);
  const std::string model{std::istreambuf_iterator<char>(file), {}};
  if (has(model, "die at load")) {
    std::fputs("I cannot load this\n", stderr);
    return 3;
  }
  if (has(model, "abort at load")) {
    std::fputs("this cannot be\n", stderr);
    std::abort();
  }
  if (const auto transcript = option(argc, argv, "--output-file"); !transcript.empty()) {
    std::ifstream recording(option(argc, argv, "--file"));
    const std::string sound{std::istreambuf_iterator<char>(recording), {}};
    if (has(sound, "crash")) std::abort();
    while (has(sound, "hang")) pause();
    if (has(sound, "devour")) devour();
    if (has(sound, "hoard")) {
      hoard();
      while (true) pause();
    }
    if (has(sound, "trespass")) trespass();
    if (has(sound, "mislead")) return symlink("/etc/passwd", (transcript + ".json").c_str());
    std::ofstream(transcript + ".json")
        << R"({"result":{"language":"en"},"transcription":[{"offsets":{"from":0,"to":1000},"text":"I heard it"}]})";
    return 0;
  }
  if (has(model, "slow load")) std::this_thread::sleep_for(std::chrono::seconds(4));
  g_socket = option(argc, argv, "--host");
  if (has(model, "mislead at load")) {
    mislead();
    while (true) pause();
  }
  if (has(model, "trespass at load")) trespass();
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", g_socket.c_str());
  if (bind(server, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(server, 64) != 0) return 4;
  while (true) {
    const int fd = accept(server, nullptr, nullptr);
    if (fd >= 0) std::thread(answer, fd).detach();
  }
}
