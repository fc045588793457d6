#include "fetch/part_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/host.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_part = "part";
constexpr std::string_view k_state = "part.state";
constexpr std::string_view k_version = "liftlock-part 2";
constexpr std::uint64_t k_state_size = 4096;
constexpr std::size_t k_block = 1u << 20;

/// The lines of a sidecar that this version wrote; else none.
std::vector<std::string_view> lines_of(std::string_view state) {
  auto lines = split(state, '\n');
  if (lines.size() != 5 || lines[0] != k_version) lines.clear();
  return lines;
}

/// Empty where the kernel does not tell.
const std::string& this_boot() {
  static const std::string k_boot = [] {
    try {
      return boot_id();
    } catch (const Error&) {
      return std::string();
    }
  }();
  return k_boot;
}

void truncate(int fd) {
  if (::ftruncate(fd, 0) != 0) fail_errno("truncate a part file");
  if (::lseek(fd, 0, SEEK_SET) < 0) fail_errno("seek in a part file");
}

}  // namespace

bool PartFile::left_behind(const BlobStore& store, std::string_view batch) {
  return fs::exists(store.folder() / "staging" / batch);
}

PartFile::PartFile(BlobStore& store, std::string batch, std::optional<DigestAlgorithm> also)
    : m_store(store), m_batch(std::move(batch)) {
  if (also) m_also.emplace(*also);
  if (!left_behind(store, m_batch)) return;
  open();
  if (regular_size(m_state.get(), "a part state") <= k_state_size)
    m_state_text = read_all(m_state.get(), k_state_size, "a part state");
  rehash();
}

void PartFile::open() {
  m_staged.emplace(m_store, m_batch);
  m_part = m_staged->create_named(k_part, StagedBlobs::Open::append);
  m_state = m_staged->create_named(k_state, StagedBlobs::Open::append);
}

void PartFile::keep() {
  if (m_staged) return;
  open();
  truncate(m_part.get());  // another process may have begun it, and ended, in the meantime
  write_state();
  write_all(m_part.get(), m_memory, "a part file");
  m_memory = {};
}

int PartFile::fd() {
  keep();
  return m_part.get();
}

void PartFile::hash(std::span<const std::uint8_t> bytes) {
  m_hasher.update(bytes);
  if (m_also) m_also->update(bytes);
}

void PartFile::forget_hashes() {
  m_hasher.finish();
  if (m_also) m_also->finish();
}

void PartFile::rehash() {
  forget_hashes();
  m_size = regular_size(m_part.get(), "a part file");
  std::vector<std::uint8_t> buffer(std::min<std::uint64_t>(k_block, m_size));
  for (std::uint64_t offset = 0; offset < m_size;) {
    const std::span block(buffer.data(), std::min<std::uint64_t>(buffer.size(), m_size - offset));
    if (!pread_exact(m_part.get(), block, offset, "a part file")) fail(ErrorCode::io_error, "a part file shrank");
    hash(block);
    offset += block.size();
  }
  if (::lseek(m_part.get(), 0, SEEK_END) < 0) fail_errno("seek in a part file");
}

std::string PartFile::validator_for(std::string_view url) const {
  const auto lines = lines_of(m_state_text);
  if (lines.empty() || lines[1] != sha256(url).hex()) return {};
  return std::string(lines[2]);
}

bool PartFile::is_of_this_boot() const {
  const auto lines = lines_of(m_state_text);
  return !lines.empty() && !this_boot().empty() && lines[3] == this_boot();
}

void PartFile::remember(std::string_view url, std::string_view validator) {
  m_state_text = fmt::format("{}\n{}\n{}\n{}\n", k_version, sha256(url).hex(), validator, this_boot());
  if (m_staged) write_state();
}

void PartFile::write_state() {
  truncate(m_state.get());
  write_all(m_state.get(), m_state_text, "a part state");
}

void PartFile::expect(std::uint64_t size) {
  m_small = !m_staged && size <= k_small;
}

void PartFile::append(std::span<const std::uint8_t> bytes) {
  if (!m_staged && (!m_small || m_size + bytes.size() > k_small)) keep();
  if (m_staged) {
    write_all(m_part.get(), bytes, "a part file");
  } else {
    m_memory.insert(m_memory.end(), bytes.begin(), bytes.end());
  }
  hash(bytes);
  m_size += bytes.size();
}

void PartFile::restart() {
  if (m_staged) {
    truncate(m_part.get());
    truncate(m_state.get());
  }
  m_memory.clear();
  m_state_text.clear();
  forget_hashes();
  m_size = 0;
}

void PartFile::seal(const Digest& digest, StagedBlobs*& shared) {
  if (m_staged) {
    m_part.reset();
    m_state.reset();
    return m_staged->seal_named(k_part, digest);
  }
  if (shared == nullptr) shared = &m_staged.emplace(m_store, m_batch);
  if (!shared->is_sealed(digest)) {  // else another file has the same bytes
    write_all(shared->create(digest).get(), m_memory, digest.text());
    shared->seal(digest, digest);
  }
  m_memory = {};
}

void PartFile::discard() {
  m_part.reset();
  m_state.reset();
  if (m_staged) m_staged->discard();
}

}  // namespace liftlock
