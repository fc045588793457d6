// Times the record: `record_bench FOLDER [COUNT [WAITING [BYTES]]]` writes COUNT exchanges of BYTES + BYTES with at
// most WAITING on their way, then repeats the group commits as bare writes and fdatasyncs of as many bytes to one file.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"
#include "record/record_book.hpp"

namespace liftlock {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - m_start).count(); }

 private:
  std::chrono::steady_clock::time_point m_start = std::chrono::steady_clock::now();
};

std::uint64_t bytes_below(const fs::path& folder) {
  std::uint64_t sum = 0;
  for (const auto& entry : walk(folder, 1'000'000)) sum += static_cast<std::uint64_t>(entry.status.st_size);
  return sum;
}

/// The same number of commits of the same size, with nothing around them.
double bare(const fs::path& file, std::uint64_t bytes, std::uint64_t groups) {
  const auto fd = open_file(file, O_WRONLY | O_CREAT | O_TRUNC);
  const std::string group(bytes / groups, 'x');
  const Stopwatch watch;
  for (std::uint64_t i = 0; i < groups; ++i) {
    write_all(fd.get(), group, file.string());
    if (::fdatasync(fd.get()) != 0) fail_errno("fdatasync");
  }
  return watch.seconds();
}

void run(const fs::path& folder, std::uint64_t count, std::uint64_t waiting, std::size_t size) {
  make_folders(folder);
  AuditLog log(folder / "audit", "bench");
  const RecordHead head{.id = {},
                        .time = {},
                        .user = "ada",
                        .key_id = "k1",
                        .peer = "127.0.0.1:50000",
                        .endpoint = "/v1/chat/completions",
                        .model = "demo",
                        .model_digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                        .engine = "llama.cpp@5.0",
                        .tags = {}};
  const std::string prompt(size, 'p'), answer(size, 'a');
  const Json outcome = {{"outcome", "complete"}, {"prompt_tokens", 100}, {"completion_tokens", 100}, {"seconds", 0.5}};
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t on_the_way = 0;
  std::atomic<std::uint64_t> failed = 0;
  double seconds = 0;
  std::uint64_t groups = 0;
  {
    RecordBook book({.folder = folder / "records", .kek_file = folder / "record.kek"}, log);
    const Stopwatch watch;
    const auto work = [&](std::uint64_t share) {
      for (std::uint64_t i = 0; i < share; ++i) {
        {
          std::unique_lock guard(mutex);
          changed.wait(guard, [&] { return on_the_way < waiting; });
          ++on_the_way;
        }
        book.write(head, prompt, answer, outcome, [&](const std::optional<Error>& error) {
          if (error) ++failed;
          const std::lock_guard guard(mutex);
          if (on_the_way-- == waiting || on_the_way == 0) changed.notify_all();
        });
      }
    };
    std::thread other(work, count / 2);
    work(count - count / 2);
    other.join();
    std::unique_lock guard(mutex);
    changed.wait(guard, [&] { return on_the_way == 0; });
    seconds = watch.seconds();
    groups = book.counters().groups;
  }
  const auto bytes = bytes_below(folder);
  const auto bare_seconds = bare(folder / "bare", bytes, groups);
  fmt::print("{} records of {} + {} bytes in {:.2f} s: {:.0f} records/s, {} groups, {}, {} failed\n", count, size, size,
             seconds, static_cast<double>(count) / seconds, groups, format_size(bytes), failed.load());
  fmt::print("bare fdatasync of {} groups of the same bytes: {:.2f} s; ratio {:.2f}\n", groups, bare_seconds,
             seconds / bare_seconds);
}

}  // namespace
}  // namespace liftlock

int main(int argc, char** argv) {
  using namespace liftlock;
  if (argc < 2 || argc > 5) {
    fmt::print(stderr, "usage: record_bench FOLDER [COUNT [WAITING [BYTES]]]\n");
    return 2;
  }
  try {
    const auto number = [&](int at, std::uint64_t fallback) {
      return argc > at ? parse_uint(argv[at]).value_or(fallback) : fallback;
    };
    run(argv[1], number(2, 100'000), number(3, 2000), number(4, 500));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
