#include "os/verity_file.hpp"

#include <linux/fsverity.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>

#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr unsigned k_block = 4096;
constexpr std::uint16_t k_digest = 32;

/// 0, or errno.
int try_to_enable(int fd) {
  fsverity_enable_arg how{};
  how.version = 1;
  how.hash_algorithm = FS_VERITY_HASH_ALG_SHA256;
  how.block_size = k_block;
  return ::ioctl(fd, FS_IOC_ENABLE_VERITY, &how) == 0 ? 0 : errno;
}

VerityOutcome outcome_of(int error) {
  if (error == 0 || error == EEXIST) return VerityOutcome::kept;
  return error == EBUSY || error == EINTR ? VerityOutcome::busy : VerityOutcome::refused;
}

VerityOutcome enable(int fd) {
  // The kernel wants who could open the file for writing, and its owner may not, for it has mode 0444. A kernel without
  // fs-verity says so before it looks.
  const int first = try_to_enable(fd);
  struct stat found {};
  if (first != EACCES || ::fstat(fd, &found) != 0 || found.st_uid != ::geteuid()) return outcome_of(first);
  const auto mode = found.st_mode & 07777;
  if (::fchmod(fd, mode | S_IWUSR) != 0) return VerityOutcome::refused;
  const int second = try_to_enable(fd);
  // Nobody had the right to write a moment ago: where `mode` has it, another enable() was between its two fchmods. What
  // is left where this fails, only the owner could write, who could have said chmod himself.
  (void)::fchmod(fd, mode & ~static_cast<mode_t>(S_IWUSR));
  return second == EACCES ? VerityOutcome::busy : outcome_of(second);  // another one took the right away meanwhile
}

std::optional<Digest> measure(int fd) {
  alignas(fsverity_digest) std::array<std::uint8_t, sizeof(fsverity_digest) + k_digest> answer{};
  fsverity_digest head{};
  head.digest_size = k_digest;
  std::memcpy(answer.data(), &head, sizeof head);
  // ENODATA: it is not kept. EOVERFLOW: by an algorithm whose digests are longer.
  if (::ioctl(fd, FS_IOC_MEASURE_VERITY, answer.data()) != 0) return std::nullopt;
  std::memcpy(&head, answer.data(), sizeof head);
  if (head.digest_algorithm != FS_VERITY_HASH_ALG_SHA256 || head.digest_size != k_digest) return std::nullopt;
  return Digest(DigestAlgorithm::sha256, std::span(answer).subspan(sizeof head));
}

}  // namespace

bool VerityRefusals::contains(int fd) const {
  const auto file = stat_of(fd, "a file of the store");
  const std::lock_guard lock(m_mutex);
  return m_files.contains({file.st_dev, file.st_ino});
}

void VerityRefusals::add(int fd) {
  const auto file = stat_of(fd, "a file of the store");
  const std::lock_guard lock(m_mutex);
  m_files.emplace(file.st_dev, file.st_ino);
}

VerityCalls kernel_verity() {
  return {.enable = enable, .measure = measure};
}

}  // namespace liftlock
