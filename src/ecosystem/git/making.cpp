#include "ecosystem/git/making.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "ecosystem/git/bundle_header.hpp"
#include "ecosystem/git/repository.hpp"
#include "ecosystem/git/tolerated.hpp"
#include "os/run_folder.hpp"

namespace liftlock::git {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t k_piece = 1u << 20;
constexpr std::chrono::hours k_index_time{1};
constexpr std::chrono::minutes k_advertise_time{5};
constexpr std::chrono::seconds k_remembered{30};
constexpr std::chrono::milliseconds k_look{10};
constexpr std::chrono::hours k_unused{24};
constexpr int k_threads = 2;
constexpr std::size_t k_orders = 64;
constexpr std::uint64_t k_reserve = 256u << 20;
/// 100 000 refs of 500 bytes, three times.
constexpr std::uint64_t k_max_advertisement = 64u << 20;
/// Index, reverse index and fan-out: 8 numbers of 4 bytes and 20 bytes of name for each object, and slack.
constexpr std::uint64_t k_index_bytes_per_object = 64, k_index_slack = 1u << 20;
/// Of prerequisites of the format: 12 bytes of head, 20 of trailer.
constexpr std::uint64_t k_least_pack = 32;
constexpr std::string_view k_not_remembered_hint = "ask again in a minute; the server's log has more";

// Everything that a stranger may fetch: nothing in it is more secret than the rest.
constexpr std::string_view k_config =
    "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\thooksPath = /dev/null\n"
    "[uploadpack]\n\tallowAnySHA1InWant = true\n\tallowFilter = true\n"
    "[pack]\n\tthreads = 2\n\twindowMemory = 256m\n\twriteReverseIndex = false\n"
    "[gc]\n\tauto = 0\n";

/// Readable for the user that git has in the sandbox, whatever this process' umask.
UniqueFd make_file(const fs::path& path) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (::fchmod(file.get(), 0644) != 0) fail_errno("chmod a file of a repository");
  return file;
}

void make_folder(const fs::path& path) {
  make_folders(path);
  if (::chmod(path.c_str(), 0755) != 0) fail_errno("chmod a folder of a repository");
}

void write_file(const fs::path& path, std::string_view text) {
  const auto file = make_file(path);
  write_all(file.get(), text, path.string());
}

/// From an offset to the end, a piece at a time.
void copy_from(int in, std::uint64_t offset, const fs::path& to) {
  const auto end = regular_size(in, "a file of git");
  const auto out = make_file(to);
  std::vector<std::uint8_t> piece(k_piece);
  while (offset < end) {
    const auto part = std::span(piece).first(static_cast<std::size_t>(std::min<std::uint64_t>(k_piece, end - offset)));
    if (!pread_exact(in, part, offset, "a git bundle")) fail(ErrorCode::blob_corrupt, "a git bundle ended early");
    write_all(out.get(), part, to.string());
    offset += part.size();
  }
}

std::uint32_t objects_in_pack(int file, std::uint64_t offset) {
  std::array<std::uint8_t, 4> count{};
  if (!pread_exact(file, count, offset + 8, "a git bundle"))
    fail(ErrorCode::package_malformed, "the bundle has no pack");
  std::uint32_t out = 0;
  for (const auto byte : count) out = out << 8 | byte;
  return out;
}

/// Removes the folder now, and at its end; once it was renamed there is nothing to remove.
class Rollback {
 public:
  explicit Rollback(fs::path folder) : m_folder(std::move(folder)) { remove_tree(m_folder); }
  ~Rollback() {
    try {
      remove_tree(m_folder);
    } catch (const Error&) {
      // The next one that is made removes it.
    }
  }
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;

 private:
  fs::path m_folder;
};

/// What is being written by all threads is counted before it is there.
class Room {
 public:
  Room(const fs::path& folder, std::uint64_t bytes) : m_bytes(bytes) {
    const auto needed = promised().fetch_add(bytes) + bytes + k_reserve;
    if (const auto free = free_space(folder); free < needed) {
      promised() -= bytes;
      fail(ErrorCode::disk_full, "the repository needs {} of room ({} of it reserve) and {} is free",
           format_size(needed), format_size(k_reserve), format_size(free));
    }
  }
  ~Room() { promised() -= m_bytes; }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

 private:
  static std::atomic<std::uint64_t>& promised() {
    static std::atomic<std::uint64_t> bytes = 0;
    return bytes;
  }
  std::uint64_t m_bytes;
};

/// All but the objects.
void write_skeleton(const fs::path& staging, const BundleHeader& header, const std::string& head) {
  const auto leads = header.refs.find(head);
  if (leads == header.refs.end()) fail(ErrorCode::package_malformed, "HEAD leads to no ref of the bundle");
  for (const auto* folder : {"", "objects", "objects/pack", "objects/info", "refs", "refs/heads"})
    make_folder(staging / folder);
  write_file(staging / "config", k_config);
  const bool branch = head.starts_with("refs/heads/");
  write_file(staging / "HEAD",
             branch ? fmt::format("ref: {}\n", head) : to_hex(header.head.value_or(leads->second)) + "\n");
  std::string refs;
  for (const auto& [name, id] : header.refs) refs += fmt::format("{} {}\n", to_hex(id), name);
  write_file(staging / "packed-refs", refs);
}

/// @return the exit status. @throws Error{tool_failed} past the time; the sandbox's end is its object's then
int wait_for_end(Sandbox& sandbox, std::chrono::seconds time) {
  const auto end = Clock::now() + time;
  for (;;) {
    if (const auto status = sandbox.poll()) return *status;
    if (Clock::now() > end) {
      throw Error(ErrorCode::tool_failed, fmt::format("git did not end within {} s", time.count()),
                  std::string(k_not_remembered_hint));
    }
    std::this_thread::sleep_for(k_look);
  }
}

/// git's own look at every object, and its index.
void index_pack(int repository, const fs::path& pack, std::uint64_t index_bytes, const fs::path& to) {
  const RunFolder run("git");
  std::string strict = "--strict=";
  for (const auto message : k_tolerated) strict += fmt::format("{}{}=ignore", strict.back() == '=' ? "" : ",", message);
  // Only beside the pack: at the end git looks for .gitmodules in the pack that belongs to the index.
  auto spec = sandbox_for_git({"index-pack", strict, "--fsck-objects", "--no-rev-index", "--threads=2", "-o",
                               "/run/liftlock/pack.idx", "/run/liftlock/pack.pack"},
                              repository);
  const auto bytes = open_file(pack, O_RDONLY | O_NOFOLLOW);
  spec.files.emplace_back("/run/liftlock/pack.pack", bytes.get());
  // Outside of a repository git 2.39 crashes when it comes to .gitmodules.
  spec.environment["GIT_DIR"] = "/repository";
  spec.run_folder = run.path() / "out";
  spec.run_bytes = index_bytes;
  spec.max_file = spec.run_bytes;
  spec.log = run.path() / "log";
  // The sandbox takes what is mounted on its run folder with it, so it has to live until the index was copied.
  const auto log = spec.log;
  Sandbox sandbox(std::move(spec));
  const int status = wait_for_end(sandbox, k_index_time);
  if (status != 0) {
    const auto words = last_words(log);
    if (blames_the_pack(words)) {
      throw Error(ErrorCode::package_malformed,
                  fmt::format("git refuses the repository's pack (status {}): {}", status, words),
                  "lock it again on the low side; if it happens twice, treat the upstream as hostile");
    }
    throw Error(ErrorCode::tool_failed, fmt::format("git could not index the pack (status {}): {}", status, words),
                std::string(k_not_remembered_hint));
  }
  // The program that made it is gone; a link in its place would not be followed, nor a pipe waited for.
  const auto made = open_file(sandbox.run_folder() / "pack.idx", O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (regular_size(made.get(), "the index of a pack") > index_bytes)
    fail(ErrorCode::limit_exceeded, "git made an index of more than {} bytes", index_bytes);
  copy_from(made.get(), 0, to);
}

/// The refs do not change, so git is asked for them once.
void write_advertisement(int repository, const fs::path& staging, int protocol) {
  const RunFolder run("git");
  auto spec =
      sandbox_for_git({"upload-pack", "--strict", "--stateless-rpc", "--advertise-refs", "/repository"}, repository);
  if (protocol > 0) spec.environment["GIT_PROTOCOL"] = fmt::format("version={}", protocol);
  const auto file = make_file(staging / advertisement_name(protocol));
  // Of protocols before version 2: gitprotocol-http(5), "Smart Server Response".
  if (protocol < 2) write_all(file.get(), "001e# service=git-upload-pack\n0000", "an advertisement");
  spec.output = file.get();
  spec.max_file = k_max_advertisement;
  spec.log = run.path() / "log";
  const auto log = spec.log;
  Sandbox sandbox(std::move(spec));
  if (const int status = wait_for_end(sandbox, k_advertise_time); status != 0) {
    throw Error(ErrorCode::tool_failed,
                fmt::format("git upload-pack ended with status {}: {}", status, last_words(log)),
                std::string(k_not_remembered_hint));
  }
}

void make_now(const MakingOrder& order) {
  const auto header = read_bundle_header(order.file.get());
  const auto size = regular_size(order.file.get(), "a git bundle");
  if (size < header.pack_offset + k_least_pack) fail(ErrorCode::package_malformed, "the bundle has no pack");
  const auto objects = objects_in_pack(order.file.get(), header.pack_offset);
  const auto index_bytes = k_index_bytes_per_object * objects + k_index_slack;
  // The head has the refs as the advertisements do, each with a little more around it.
  const Room room(order.folder, size - header.pack_offset + index_bytes + 6 * header.pack_offset);
  const auto staging = order.folder / (order.bundle.hex() + ".new");
  const Rollback rollback(staging);  // of one that was killed, too: we hold the lock
  write_skeleton(staging, header, order.head);
  const auto pack = fmt::format("objects/pack/pack-{}", order.bundle.hex().substr(0, 40));
  copy_from(order.file.get(), header.pack_offset, staging / (pack + ".pack"));
  const auto folder = open_file(staging, O_RDONLY | O_DIRECTORY);
  index_pack(folder.get(), staging / (pack + ".pack"), index_bytes, staging / (pack + ".idx"));
  for (const int protocol : {0, 1, 2}) write_advertisement(folder.get(), staging, protocol);
  sync_file_system(folder.get(), "the cache of repositories");
  const auto at = place_of(order.folder, order.bundle);
  remove_tree(at);  // what is not whole
  rename_file(staging, at);
}

bool is_there(const MakingOrder& order) {
  const auto folder = open_file_if_exists(place_of(order.folder, order.bundle), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  return folder && is_made(folder->get());
}

/// Unless another process does.
void make(const MakingOrder& order) {
  make_folders(order.folder);
  FileLock lock(order.folder / (order.bundle.hex() + ".lock"), "the making of a repository", FileLock::Wait::yes);
  try {
    if (!is_there(order)) make_now(order);
  } catch (...) {
    lock.remove();
    throw;
  }
  lock.remove();
}

void tidy(const fs::path& folder, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    try {
      FileLock lock(folder / (name.substr(0, name.rfind('.')) + ".lock"), "the making of a repository",
                    FileLock::Wait::no);
      remove_tree(folder / name);
      lock.remove();
    } catch (const std::exception&) {
      // It is being made, or the disk has other troubles. There is a next time.
    }
  }
}

/// The threads, and what they have to do. Never destroyed: a thread may be at work when the process ends, and what it
/// started ends with the process.
class Makers {
 public:
  static Makers& instance() {
    static auto& makers = *new Makers;
    return makers;
  }

  std::shared_ptr<const Making> order(MakingOrder order) {
    const auto key = place_of(order.folder, order.bundle).string();
    const std::lock_guard lock(m_mutex);
    const auto now = Clock::now();
    std::erase_if(m_known, [&](const auto& known) { return known.second.until && *known.second.until < now; });
    if (const auto known = m_known.find(key); known != m_known.end()) return known->second.making;
    if (m_tasks.size() >= k_orders) {
      throw Error(ErrorCode::overloaded, "too many repositories wait to be made at this moment",
                  "ask again in a minute");
    }
    const auto making = std::make_shared<Making>();
    start([this, key, making, order = std::make_shared<MakingOrder>(std::move(order))] { run(key, *making, *order); });
    m_known[key] = {making, std::nullopt};
    return making;
  }

  void post(std::function<void()> task) {
    const std::lock_guard lock(m_mutex);
    start(std::move(task));
  }

 private:
  /// An order; of a failure, until when it is the answer; nullopt: until it was worked on, or for good.
  struct Known {
    std::shared_ptr<const Making> making;
    std::optional<Clock::time_point> until;
  };

  void run(const std::string& key, Making& making, const MakingOrder& order) {
    std::optional<Error> failed;
    try {
      make(order);
    } catch (const Error& error) {
      failed = error;
    } catch (const std::exception& error) {
      failed.emplace(ErrorCode::internal, error.what());
    }
    const std::lock_guard lock(m_mutex);
    if (!failed) {
      m_known.erase(key);
    } else if (failed->code() != ErrorCode::package_malformed) {
      m_known[key].until = Clock::now() + k_remembered;
    }
    making.finish(std::move(failed));
  }

  /// m_mutex is held.
  void start(std::function<void()> task) {
    if (m_idle <= static_cast<int>(m_tasks.size()) && m_threads < k_threads) {
      std::thread([this] { work(); }).detach();
      ++m_threads;
    }
    m_tasks.push_back(std::move(task));
    m_wake.notify_one();
  }

  void work() {
    std::unique_lock lock(m_mutex);
    for (;;) {
      ++m_idle;
      m_wake.wait(lock, [this] { return !m_tasks.empty(); });
      --m_idle;
      {
        const auto task = std::move(m_tasks.front());
        m_tasks.pop_front();
        lock.unlock();
        task();
      }
      lock.lock();
    }
  }

  std::mutex m_mutex;
  std::condition_variable m_wake;
  std::deque<std::function<void()>> m_tasks;
  std::map<std::string, Known> m_known;
  int m_threads = 0, m_idle = 0;
};

}  // namespace

fs::path place_of(const fs::path& folder, const Digest& bundle) {
  return folder / (bundle.hex() + ".git");
}

std::string advertisement_name(int protocol) {
  return fmt::format("info-refs-{}", protocol);
}

bool is_made(int repository) {
  return ::faccessat(repository, advertisement_name(2).c_str(), R_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

std::shared_ptr<const Making> make_repository(MakingOrder order) {
  return Makers::instance().order(std::move(order));
}

void tidy_repositories(const fs::path& folder, const std::set<Digest>& kept) noexcept {
  try {
    std::set<std::string> names;
    for (const auto& bundle : kept) names.insert(place_of({}, bundle).string());
    const auto old = fs::file_time_type::clock::now() - k_unused;
    std::vector<std::string> gone;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
      const auto name = at->path().filename().string();
      std::error_code unknown;
      const auto used = fs::last_write_time(at->path(), unknown);
      const bool unused = name.ends_with(".git") && names.count(name) == 0 && !unknown && used < old;
      if (unused || name.ends_with(".new")) gone.push_back(name);
    }
    if (!gone.empty()) Makers::instance().post([folder, gone = std::move(gone)] { tidy(folder, gone); });
  } catch (const std::exception&) {
    // Nothing is removed then.
  }
}

bool blames_the_pack(std::string_view words) {
  // builtin/index-pack.c, fsck.c and packfile.c of git. What is not here, like "unable to create thread", says nothing
  // of the pack.
  constexpr std::array<std::string_view, 17> k_words = {"fsck error",
                                                        "Error in object",
                                                        "pack signature mismatch",
                                                        "pack version",
                                                        "pack has bad object",
                                                        "pack has junk",
                                                        "pack is corrupted",
                                                        "pack too large",
                                                        "unresolved delta",
                                                        "did not receive expected object",
                                                        "local object",
                                                        "inflate returned",
                                                        "serious inflate inconsistency",
                                                        "failed to apply delta",
                                                        "COLLISION",
                                                        "object type mismatch",
                                                        "fatal: invalid "};
  if (words.find("ut of memory") != std::string_view::npos) return false;
  return std::any_of(k_words.begin(), k_words.end(),
                     [&](std::string_view one) { return words.find(one) != std::string_view::npos; });
}

}  // namespace liftlock::git
