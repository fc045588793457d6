// GCC 12 takes the operator delete of asio's coroutine frames for a mismatched one where it inlines a large coroutine.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

#include "ecosystem/git/repository.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "ecosystem/git/bundle_header.hpp"
#include "ecosystem/git/tolerated.hpp"
#include "os/process.hpp"
#include "os/run_folder.hpp"

namespace liftlock::git {
namespace asio = boost::asio;
namespace {

constexpr std::size_t k_piece = 1u << 20;
constexpr std::chrono::hours k_index_time{2};
constexpr std::chrono::hours k_unused{24};
constexpr std::uint64_t k_memory = 4ull << 30;
constexpr std::size_t k_words = 1500;
/// Index, reverse index and fan-out: 8 numbers of 4 bytes and 20 bytes of name for each object, and slack.
constexpr std::uint64_t k_index_bytes_per_object = 64, k_index_slack = 1u << 20;

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

asio::awaitable<void> let_others_run() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

/// From an offset to the end, a piece at a time.
asio::awaitable<void> copy_from(int in, std::uint64_t offset, const fs::path& to) {
  const auto out = make_file(to);
  const auto end = regular_size(in, "a git bundle");
  std::vector<std::uint8_t> piece(k_piece);
  while (offset < end) {
    const auto part = std::span(piece).first(static_cast<std::size_t>(std::min<std::uint64_t>(k_piece, end - offset)));
    if (!pread_exact(in, part, offset, "a git bundle")) fail(ErrorCode::blob_corrupt, "a git bundle ended early");
    write_all(out.get(), part, to.string());
    offset += part.size();
    co_await let_others_run();
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

// Shared with a timer, whose handler may be on its way when the coroutine ends.
using Pipe = asio::posix::stream_descriptor;

/// Reads until the other side closed it. @throws Error{tool_failed} past the time
asio::awaitable<void> wait_for_end(std::shared_ptr<Pipe> pipe, std::chrono::seconds time) {
  const auto late = std::make_shared<bool>(false);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(time);
  timer.async_wait([late, pipe](const boost::system::error_code& error) {
    if (error) return;
    *late = true;
    boost::system::error_code ignored;
    pipe->cancel(ignored);
  });
  char piece[4096];
  boost::system::error_code ended;
  while (!ended) co_await pipe->async_read_some(asio::buffer(piece), asio::redirect_error(asio::use_awaitable, ended));
  if (*late) fail(ErrorCode::tool_failed, "git did not index the pack within {} s", time.count());
  if (ended == asio::error::operation_aborted) throw boost::system::system_error(ended);
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

/// git's own look at every object, and its index. @return why it refuses the pack
asio::awaitable<std::optional<Error>> index_pack(int repository, fs::path pack, std::uint32_t objects, fs::path to) {
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
  spec.run_bytes = k_index_bytes_per_object * objects + k_index_slack;
  spec.max_file = spec.run_bytes;
  spec.log = run.path() / "log";
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe2");
  UniqueFd write_end(ends[1]);
  const auto pipe = std::make_shared<Pipe>(co_await asio::this_coro::executor, ends[0]);
  spec.output = write_end.get();
  const auto log = spec.log, index = spec.run_folder / "pack.idx";
  Sandbox sandbox(std::move(spec));
  write_end.reset();
  co_await wait_for_end(pipe, k_index_time);
  constexpr int k_gave_up = 128;
  if (const int status = sandbox.wait(); status != 0) {
    co_return Error(status == k_gave_up ? ErrorCode::package_malformed : ErrorCode::tool_failed,
                    fmt::format("git refuses the repository's pack (status {}): {}", status, last_words(log)),
                    "lock it again on the low side; if it happens twice, treat the upstream as hostile");
  }
  // The program that made it is gone; a link in its place would not be followed.
  const auto made = open_file(index, O_RDONLY | O_NOFOLLOW);
  co_await copy_from(made.get(), 0, to);
  co_return std::nullopt;
}

}  // namespace

SandboxSpec sandbox_for_git(std::vector<std::string> arguments, int repository) {
  constexpr const char* k_git = "/usr/bin/git";
  if (::access(k_git, X_OK) != 0) {
    throw Error(ErrorCode::tool_missing, "git is not installed on this machine, so repositories cannot be served",
                "install the package git; until then the bundle itself is at /git/NAME.bundle");
  }
  SandboxSpec spec;
  spec.root = "/";
  spec.argv = {k_git, "-c", "safe.directory=*"};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.environment = {{"PATH", "/usr/bin:/bin"},          {"HOME", "/tmp"}, {"GIT_CONFIG_NOSYSTEM", "1"},
                      {"GIT_CONFIG_GLOBAL", "/dev/null"}, {"LC_ALL", "C"},  {"GIT_NO_REPLACE_OBJECTS", "1"}};
  spec.files = {{"/repository", repository}};
  spec.max_log_bytes = 1u << 20;
  spec.max_processes = 64;
  spec.max_memory = k_memory;
  return spec;
}

std::string last_words(const fs::path& log) {
  std::error_code ignored;
  if (!fs::is_regular_file(log, ignored)) return {};
  auto text = read_file(log, 4u << 20);
  if (text.size() > k_words) text.erase(0, text.size() - k_words);
  std::string out;
  for (const auto line : split(text, '\n')) {
    if (!line.empty()) out += (out.empty() ? "" : "; ") + printable(line);
  }
  return out;
}

Repositories::Repositories(fs::path folder, const BlobStore& blobs) : m_folder(std::move(folder)), m_blobs(blobs) {
  make_folders(m_folder);
}

fs::path Repositories::place(const Digest& bundle) const {
  return m_folder / (bundle.hex() + ".git");
}

asio::awaitable<std::shared_ptr<const UniqueFd>> Repositories::open(RepositorySource source) {
  const auto at = place(source.bundle);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    {
      const std::lock_guard lock(m_mutex);
      if (const auto known = m_refused.find(source.bundle); known != m_refused.end()) throw Error(known->second);
    }
    if (auto folder = open_file_if_exists(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)) {
      ::futimens(folder->get(), nullptr);  // forget_all_but() looks at it
      co_return std::make_shared<const UniqueFd>(*std::move(folder));
    }
    std::optional<FileLock> lock;
    try {
      lock.emplace(m_folder / (source.bundle.hex() + ".lock"), "the making of a repository", FileLock::Wait::no);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::busy) throw;
    }
    if (!lock) {
      timer.expires_after(std::chrono::milliseconds(200));
      co_await timer.async_wait(asio::use_awaitable);
      continue;
    }
    if (!fs::is_directory(at)) co_await make(source);
    lock->remove();
  }
}

void Repositories::refuse(const Digest& bundle, const Error& why) {
  const std::lock_guard lock(m_mutex);
  m_refused.emplace(bundle, why);
}

asio::awaitable<void> Repositories::make(const RepositorySource& source) {
  const auto bundle = m_blobs.open(source.bundle);
  const auto header = read_bundle_header(bundle.get());
  const auto staging = m_folder / (source.bundle.hex() + ".new");
  const Rollback rollback(staging);  // of one that was killed, too: we hold the lock
  write_skeleton(staging, header, source.head);
  const auto pack = fmt::format("objects/pack/pack-{}", source.bundle.hex().substr(0, 40));
  co_await copy_from(bundle.get(), header.pack_offset, staging / (pack + ".pack"));
  const auto folder = open_file(staging, O_RDONLY | O_DIRECTORY);
  const auto objects = objects_in_pack(bundle.get(), header.pack_offset);
  const auto refused =
      co_await index_pack(folder.get(), staging / (pack + ".pack"), objects, staging / (pack + ".idx"));
  if (refused) {
    if (refused->code() == ErrorCode::package_malformed) refuse(source.bundle, *refused);
    throw Error(*refused);
  }
  sync_file_system(folder.get(), "the cache of repositories");
  rename_file(staging, place(source.bundle));
}

void Repositories::forget_all_but(const std::set<Digest>& bundles) const {
  std::set<std::string> kept;
  for (const auto& bundle : bundles) kept.insert(bundle.hex() + ".git");
  const auto old = fs::file_time_type::clock::now() - k_unused;
  std::error_code ignored;
  for (const auto& one : fs::directory_iterator(m_folder, ignored)) {
    const auto name = one.path().filename().string();
    if (kept.count(name) != 0 || !name.ends_with(".git")) continue;
    if (const auto used = fs::last_write_time(one.path(), ignored); !ignored && used < old) remove_tree(one.path());
  }
}

}  // namespace liftlock::git
