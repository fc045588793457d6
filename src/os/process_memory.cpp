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

void add_own(pid_t pid, ProcessUse& use) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  std::string name;
  std::getline(status, name);  // what the process calls itself may read as any of the others
  for (std::string word; status >> word;) {
    std::uint64_t count = 0;
    if ((word == "VmRSS:" || word == "VmSwap:" || word == "VmPTE:") && status >> count) use.memory += count * 1024;
    if (word == "Threads:" && status >> count) use.threads += count;
  }
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

ProcessUse use_of(pid_t pid) {
  ProcessUse use;
  std::vector<pid_t> tree = {pid};
  for (std::size_t i = 0; i < tree.size() && i < k_most_processes; ++i) {
    add_own(tree[i], use);
    add_children(tree[i], tree);
  }
  return use;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> out;
  add_children(pid, out);
  return out;
}

}  // namespace liftlock
