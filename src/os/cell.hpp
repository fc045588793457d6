// A cell: a process that parses foreign bytes and can do nothing else. It has no network, opens no file, and starts no
// program; it gets bytes and read-only descriptors, and answers with bytes. Each request is handled in a fork of its
// own, so that what one artifact breaks is gone with it.
//
// Layers: another user (nobody) where root started it; an empty network, IPC and mount namespace where root started it
// or user namespaces are allowed; Landlock with no rule at all where the kernel has it; always no capability, a seccomp
// allow-list, no_new_privs, and limits on memory and time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

struct CellLimits {
  std::uint64_t memory = 2ull << 30;  ///< address space of one request
  unsigned cpu_seconds = 1800;        ///< of one request
};

/// What runs inside: request and descriptors in, answer out. What it throws ends the request as failed.
using CellHandler = std::function<std::string(std::string_view request, std::span<const int> files)>;

/// The main of a cell: locks itself in, then serves requests on descriptor 3 until it is closed.
/// Call `prepare` work (library initialisation that opens files) before. Returns the exit status.
int serve_cell(const CellHandler& handler, const CellLimits& limits);

/// Processes that serve cells, one per thread that asks at a time. call() is safe from several threads.
class CellPool {
 public:
  /// @param argv how to start one ("/proc/self/exe", "cell"); it must end up in serve_cell()
  CellPool(std::vector<std::string> argv, unsigned count);
  ~CellPool();

  /// Blocks until a cell is free and has answered.
  /// @throws Error{inspection_failed} when the request crashed its process, ran out of time or memory
  std::string call(std::string_view request, std::span<const int> files);

 private:
  struct Cell;
  std::unique_ptr<Cell> take();
  void give(std::unique_ptr<Cell> cell);

  std::vector<std::string> m_argv;
  std::mutex m_mutex;
  std::vector<std::unique_ptr<Cell>> m_free;
};

}  // namespace liftlock
