#include "os/lockdown.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

Filter make_filter(std::uint32_t default_action) {
  Filter filter(seccomp_init(default_action), seccomp_release);
  if (!filter) fail(ErrorCode::sandbox_unavailable, "no seccomp filter can be made");
  return filter;
}

/// All that parsing, hashing and answering needs. Unknown names (another architecture) are skipped.
constexpr std::array k_cell_calls = {"read",
                                     "write",
                                     "pread64",
                                     "readv",
                                     "writev",
                                     "lseek",
                                     "close",
                                     "fstat",
                                     "newfstatat",
                                     "fcntl",
                                     "dup",
                                     "dup2",
                                     "dup3",
                                     "pipe2",
                                     "mmap",
                                     "munmap",
                                     "mremap",
                                     "mprotect",
                                     "madvise",
                                     "brk",
                                     "futex",
                                     "getrandom",
                                     "clock_gettime",
                                     "clock_nanosleep",
                                     "nanosleep",
                                     "gettimeofday",
                                     "time",
                                     "sched_yield",
                                     "sched_getaffinity",
                                     "set_robust_list",
                                     "rseq",
                                     "prlimit64",
                                     "setrlimit",
                                     "getrlimit",
                                     "getrusage",
                                     "rt_sigaction",
                                     "rt_sigprocmask",
                                     "rt_sigreturn",
                                     "sigaltstack",
                                     "tgkill",
                                     "kill",
                                     "getpid",
                                     "gettid",
                                     "getppid",
                                     "exit",
                                     "exit_group",
                                     "wait4",
                                     "waitid",
                                     "clone",
                                     "fork",
                                     "vfork",
                                     "poll",
                                     "ppoll",
                                     "recvmsg",
                                     "seccomp",
                                     "prctl",
                                     "sendmsg",
                                     "sendto",
                                     "recvfrom",
                                     "set_tid_address",
                                     "uname",
                                     "restart_syscall"};

/// What a request may no longer do, of the above.
constexpr std::array k_request_refused = {
    "clone",   "fork",   "vfork",   "clone3",   "kill",  "tgkill", "prlimit64",       "setrlimit",
    "sendmsg", "sendto", "recvmsg", "recvfrom", "wait4", "waitid", "rt_sigqueueinfo", "pidfd_send_signal"};

/// The kernel takes no longer one: BPF_MAXINSNS of 8 bytes.
constexpr std::uint64_t k_max_program = 32u << 10;
constexpr int k_empty_namespaces = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS;
constexpr uid_t k_nobody = 65534;

/// Uid 0 owns files and processes even where it has no capability left. false where a user namespace that we were
/// started in knows no other user: there 0 is somebody unprivileged outside.
bool become_nobody() {
  if (::setgroups(0, nullptr) == 0 && ::setresgid(k_nobody, k_nobody, k_nobody) == 0 &&
      ::setresuid(k_nobody, k_nobody, k_nobody) == 0) {
    return true;
  }
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t first = 0, outside = 0;
  if (map >> first >> outside && outside != 0) return false;
  fail(ErrorCode::sandbox_unavailable, "root cannot become another user here");
}

/// What may ever be gained. Only who has capabilities may, and need, give it up.
void drop_bounding_set() {
  for (int capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
}

/// A user namespace of our own gives all of them, for it.
void drop_capabilities() {
  drop_bounding_set();
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) fail_errno("drop all capabilities");
}

/// Returns the layers that are in force.
std::vector<std::string> leave_the_user() {
  std::vector<std::string> layers;
  const bool root = ::geteuid() == 0;
  bool apart = root && ::unshare(k_empty_namespaces) == 0;
  drop_bounding_set();
  if (root && become_nobody()) layers.emplace_back("user");
  // A user namespace gives an unprivileged process the right to the others.
  apart = apart || ::unshare(CLONE_NEWUSER | k_empty_namespaces) == 0;
  if (apart) layers.emplace_back("namespaces");
  drop_capabilities();
  return layers;
}

bool forbid_all_files() {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs =
      LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
      LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
      LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
      LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
      LANDLOCK_ACCESS_FS_MAKE_SYM;
  const UniqueFd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  return ruleset.valid() && ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0;
}

void refuse(const Filter& filter, const char* call, std::uint32_t action = SCMP_ACT_ERRNO(EPERM)) {
  const int number = seccomp_syscall_resolve_name(call);
  if (number == __NR_SCMP_ERROR) return;
  if (const int error = seccomp_rule_add(filter.get(), action, number, 0); error != 0 && error != -EEXIST) {
    fail(ErrorCode::sandbox_unavailable, "the seccomp rule for {} is refused", call);
  }
}

/// In memory, at offset 0.
UniqueFd program_of(const Filter& filter) {
  UniqueFd program(::memfd_create("seccomp", 0));
  if (!program.valid()) fail_errno("memfd_create");
  if (seccomp_export_bpf(filter.get(), program.get()) != 0)
    fail(ErrorCode::sandbox_unavailable, "the seccomp program cannot be written");
  if (::lseek(program.get(), 0, SEEK_SET) != 0) fail_errno("lseek");
  return program;
}

std::vector<sock_filter> instructions_of(const Filter& filter) {
  const auto file = program_of(filter);
  const auto bytes = read_all(file.get(), k_max_program, "a seccomp program");
  if (bytes.empty() || bytes.size() % sizeof(sock_filter) != 0)
    fail(ErrorCode::sandbox_unavailable, "a seccomp program has {} bytes", bytes.size());
  std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
  std::memcpy(program.data(), bytes.data(), bytes.size());
  return program;
}

/// No engine tries these, and none gets far with them: who does is ended, which is seen where a refusal is not.
constexpr std::array k_engine_deadly = {"mount",        "pivot_root", "ptrace",         "bpf", "setns", "init_module",
                                        "finit_module", "kexec_load", "kexec_file_load"};
/// How many of them, of the first, bubblewrap makes itself.
constexpr std::size_t k_made_by_bubblewrap = 2;
constexpr std::array k_engine_refused = {"umount",
                                         "umount2",
                                         "chroot",
                                         "move_mount",
                                         "open_tree",
                                         "fsopen",
                                         "fsconfig",
                                         "fsmount",
                                         "fspick",
                                         "mount_setattr",
                                         "process_vm_readv",
                                         "process_vm_writev",
                                         "kcmp",
                                         "pidfd_getfd",
                                         "perf_event_open",
                                         "userfaultfd",
                                         "io_uring_setup",
                                         "io_uring_enter",
                                         "io_uring_register",
                                         "keyctl",
                                         "add_key",
                                         "request_key",
                                         "delete_module",
                                         "reboot",
                                         "swapon",
                                         "swapoff",
                                         "acct",
                                         "quotactl",
                                         "open_by_handle_at",
                                         "name_to_handle_at",
                                         "unshare",
                                         "syslog",
                                         "iopl",
                                         "ioperm",
                                         "settimeofday",
                                         "clock_settime",
                                         "adjtimex",
                                         "clock_adjtime",
                                         "nfsservctl",
                                         "lookup_dcookie",
                                         "vhangup"};

/// Memory that no limit of a process counts: nobody needs to map it.
constexpr std::array k_uncounted_memory = {"memfd_create", "memfd_secret", "shmget", "msgget", "semget", "mq_open"};
constexpr scmp_datum_t k_map_type = 0x0f;  ///< of the flags of mmap(2)

}  // namespace

std::vector<std::string> lock_down_cell() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail_errno("no_new_privs");
  auto layers = leave_the_user();
  ::prctl(PR_SET_DUMPABLE, 0);
  if (forbid_all_files()) layers.emplace_back("landlock");
  const auto filter = make_filter(SCMP_ACT_ERRNO(EPERM));
  for (const auto* call : k_cell_calls) {
    const int number = seccomp_syscall_resolve_name(call);
    if (number != __NR_SCMP_ERROR) seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, number, 0);
  }
  if (seccomp_load(filter.get()) != 0) fail(ErrorCode::sandbox_unavailable, "the kernel refuses seccomp filters");
  layers.emplace_back("seccomp");
  return layers;
}

RequestLockdown::RequestLockdown() {
  const auto filter = make_filter(SCMP_ACT_ALLOW);
  for (const auto* call : k_request_refused) refuse(filter, call);
  m_program = instructions_of(filter);
}

void RequestLockdown::apply() const {
  const sock_fprog program{static_cast<unsigned short>(m_program.size()), const_cast<sock_filter*>(m_program.data())};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
    fail(ErrorCode::sandbox_unavailable, "the kernel refuses a second seccomp filter");
}

std::span<const char* const> watchable_calls() {
  const bool is_filtered = ::prctl(PR_GET_SECCOMP) != 0;
  return std::span<const char* const>(k_engine_deadly)
      .first(is_filtered ? k_made_by_bubblewrap : k_engine_deadly.size());
}

std::vector<sock_filter> deadly_call_filter() {
  const auto filter = make_filter(SCMP_ACT_ALLOW);
  for (const auto* call : watchable_calls()) refuse(filter, call, SCMP_ACT_NOTIFY);
  return instructions_of(filter);
}

UniqueFd engine_seccomp_program(DeadlyCallRule rule) {
  const auto filter = make_filter(SCMP_ACT_ALLOW);
  const auto watched = rule == DeadlyCallRule::left_to_a_watch ? watchable_calls().size() : 0;
  for (const auto* call : std::span(k_engine_deadly).subspan(watched)) refuse(filter, call, SCMP_ACT_KILL_PROCESS);
  for (const auto* call : k_engine_refused) refuse(filter, call);
  for (const auto* call : k_uncounted_memory) refuse(filter, call);
  // RLIMIT_DATA counts neither; and what is shared stays when nobody has it in sight any more.
  const auto refuse_mmap = [&](scmp_datum_t mask, scmp_datum_t flags) {
    seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mmap), 1, SCMP_A3(SCMP_CMP_MASKED_EQ, mask, flags));
  };
  refuse_mmap(MAP_ANONYMOUS | k_map_type, MAP_ANONYMOUS | MAP_SHARED);
  refuse_mmap(MAP_GROWSDOWN, MAP_GROWSDOWN);
  // clone with CLONE_NEWUSER would open a new user namespace; clone3 hides its flags, and libc falls back without it.
  seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                   SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
  seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  // Families beyond Unix and IP (which lead nowhere in an empty network namespace) only widen the attack surface.
  for (const int family : {AF_NETLINK, AF_PACKET, AF_VSOCK, AF_BLUETOOTH, AF_ALG, AF_XDP, AF_TIPC, AF_KEY, AF_CAN}) {
    seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                     SCMP_A0_32(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family)));
  }
  return program_of(filter);
}

}  // namespace liftlock
