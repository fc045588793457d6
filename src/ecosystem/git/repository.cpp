// GCC 12 takes the operator delete of asio's coroutine frames for a mismatched one where it inlines a large coroutine.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

#include "ecosystem/git/repository.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "ecosystem/git/making.hpp"
#include "ecosystem/git/seat.hpp"

namespace liftlock::git {
namespace asio = boost::asio;
namespace {

constexpr std::uint64_t k_memory = 4ull << 30;
constexpr std::size_t k_words = 1500;
constexpr int k_waiting = 64;
constexpr std::chrono::minutes k_patience{10};

}  // namespace

SandboxSpec sandbox_for_git(std::vector<std::string> arguments, int repository) {
  constexpr const char* k_git = "/usr/bin/git";
  if (::access(k_git, X_OK) != 0) {
    throw Error(ErrorCode::tool_missing, "git is not installed on this machine, so repositories cannot be served",
                "install the package git; /bundles has the medium that it came on");
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

Repositories::Repositories(fs::path folder, const BlobStore& blobs, const std::set<Digest>& kept)
    : m_folder(std::move(folder)), m_blobs(blobs) {
  tidy_repositories(m_folder, kept);
}

std::shared_ptr<const UniqueFd> Repositories::find(const Digest& bundle) const {
  auto folder = open_file_if_exists(place_of(m_folder, bundle), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!folder || !is_made(folder->get())) return nullptr;
  ::futimens(folder->get(), nullptr);  // tidy_repositories() looks at it
  return std::make_shared<const UniqueFd>(*std::move(folder));
}

asio::awaitable<std::shared_ptr<const UniqueFd>> Repositories::open(RepositorySource source) const {
  static std::atomic<int> waiting = 0;
  if (auto folder = find(source.bundle)) co_return folder;
  Seat place;
  if (!place.take(waiting, k_waiting))
    throw Error(ErrorCode::overloaded, "too many clients wait for repositories to be made", "ask again in a minute");
  asio::steady_timer timer(co_await asio::this_coro::executor);
  const auto end = std::chrono::steady_clock::now() + k_patience;
  // Another process may remove what was just made; but not for ever.
  for (int attempt = 0; attempt < 3; ++attempt) {
    MakingOrder order{
        .folder = m_folder, .bundle = source.bundle, .head = source.head, .file = m_blobs.open(source.bundle)};
    const auto making = make_repository(std::move(order));
    while (!making->done()) {
      if (std::chrono::steady_clock::now() > end) {
        throw Error(ErrorCode::overloaded, "the repository is still being made for the first client that asked",
                    "ask again in some minutes");
      }
      timer.expires_after(std::chrono::milliseconds(100));
      co_await timer.async_wait(asio::use_awaitable);
    }
    if (making->failed()) throw Error(*making->failed());
    if (auto folder = find(source.bundle)) co_return folder;
  }
  fail(ErrorCode::overloaded, "the repository was removed while it was made");
}

HttpResponse advertisement(int repository, int protocol) {
  UniqueFd file(::openat(repository, advertisement_name(protocol).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) fail_errno("open an advertisement");
  HttpResponse out;
  const auto size = regular_size(file.get(), "an advertisement");
  out.body = FileBody{std::make_shared<const UniqueFd>(std::move(file)), 0, size};
  out.set("Content-Type", "application/x-git-upload-pack-advertisement");
  out.set("Cache-Control", "no-cache");
  return out;
}

}  // namespace liftlock::git
