#include "os/process_memory.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace liftlock {
namespace {

/// More than any engine starts; a fork bomb is not followed for ever.
constexpr std::size_t k_most_processes = 1024;

std::uint64_t own_memory(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  std::uint64_t sum = 0;
  for (std::string word; status >> word;) {
    std::uint64_t kibibytes = 0;
    if ((word == "VmRSS:" || word == "VmSwap:" || word == "VmPTE:") && status >> kibibytes) sum += kibibytes * 1024;
  }
  return sum;
}

void add_children(pid_t pid, std::vector<pid_t>& out) {
  std::error_code gone;
  std::filesystem::directory_iterator thread(fmt::format("/proc/{}/task", pid), gone);
  for (; !gone && thread != std::filesystem::directory_iterator(); thread.increment(gone)) {
    std::ifstream children(thread->path() / "children");
    for (pid_t child = 0; children >> child;) out.push_back(child);
  }
}

}  // namespace

std::uint64_t resident_memory(pid_t pid) {
  std::uint64_t sum = 0;
  std::vector<pid_t> tree = {pid};
  for (std::size_t i = 0; i < tree.size() && i < k_most_processes; ++i) {
    sum += own_memory(tree[i]);
    add_children(tree[i], tree);
  }
  return sum;
}

}  // namespace liftlock
