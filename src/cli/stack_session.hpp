// What lock and fetch have in common: the files that they work on, and what collectors are given.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_log.hpp"
#include "bundle/lock.hpp"
#include "bundle/resolve.hpp"
#include "cli/command.hpp"

namespace liftlock {

struct StackOptions {
  std::string stack_file = "liftlock.toml";
  bool offline = false;
  bool copy = false;
};
/// --stack, --offline and --copy.
void add_stack_options(CLI::App& command, StackOptions& options);

class StackSession {
 public:
  /// @throws Error{wrong_zone, state_missing}, and as read_stack
  StackSession(Invocation& invocation, std::string_view command, const StackOptions& options);

  const Site& site() const { return m_site; }
  const Stack& stack() const { return m_stack; }
  const fs::path& lock_file() const { return m_lock_file; }
  CollectContext& context() { return m_context; }
  std::uint64_t requests() const { return m_downloader.requests(); }

  /// Resolves the stack against what is locked, and writes the lock; in the audit log as "stack.lock".
  struct Locked {
    ResolveResult result;
    SavedLock saved;
    /// Local files that are not as they stay locked; people were warned.
    struct Drift {
      std::string entry, path, change;  ///< "changed", "new", "gone" or "unreachable"
    };
    std::vector<Drift> changed;
  };
  Locked lock(const ResolveOptions& options);

  /// An intent in the audit log, the work, and its success with the details that it returns, or its failure.
  void audited(std::string_view type, const std::function<Json()>& work);

 private:
  std::vector<Locked::Drift> changed_files(const ResolveResult& result);
  void warn_of(const std::vector<Locked::Drift>& drifts);

  Invocation& m_invocation;
  Site m_site;
  fs::path m_lock_file;
  Stack m_stack;
  BlobStore m_store;
  Downloader m_downloader;
  TemporaryFolder m_scratch;
  CollectContext m_context;
};

}  // namespace liftlock
