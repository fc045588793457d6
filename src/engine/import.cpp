#include "engine/import.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "crypto/sha256sums.hpp"

namespace liftlock::engine {
namespace {

constexpr std::uint64_t k_max_package = 64ull << 30;
constexpr std::uint64_t k_max_list = 64u << 10;
constexpr std::uint64_t k_max_signature = 1u << 20;
constexpr std::size_t k_max_signatures = 64;
constexpr std::string_view k_list = ".sha256";

fs::path list_of(const fs::path& file) {
  return file.string() + std::string(k_list);
}

/// What the signed list says of the file's name.
Digest listed_digest(const std::string& list, const fs::path& file) {
  const auto name = file.filename().string();
  for (const auto& one : parse_sha256sums(list)) {
    if (fs::path(one.path).filename() == name) return one.digest;
  }
  fail(ErrorCode::schema_violation, "'{}' does not list '{}'", printable(list_of(file).string()), printable(name));
}

}  // namespace

PrivateCopy copy_privately(const fs::path& source, const fs::path& folder, std::uint64_t reserve) {
  const auto in = open_file(source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  const auto size = regular_size(in.get(), source.string());
  if (size > k_max_package)
    fail(ErrorCode::limit_exceeded, "'{}' is larger than {}", printable(source.string()), format_size(k_max_package));
  if (const auto free = free_space(folder); free < size || free - size < reserve) {
    throw Error(ErrorCode::disk_full,
                fmt::format("'{}' is copied before it is judged: {} are needed and {} must stay free; the disk has {}",
                            printable(source.string()), format_size(size), format_size(reserve), format_size(free)),
                "free space, e.g. with `liftlock gc`, then run the same command again");
  }
  UniqueFd out(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!out.valid()) fail_errno("a file in " + folder.string());
  Hasher hasher;
  std::vector<std::uint8_t> buffer(1u << 20);
  for (std::uint64_t done = 0; done < size;) {
    const std::span block(buffer.data(), std::min<std::uint64_t>(buffer.size(), size - done));
    if (!pread_exact(in.get(), block, done, source.string()))
      fail(ErrorCode::size_mismatch, "'{}' became shorter while it was read", printable(source.string()));
    hasher.update(block);
    write_all(out.get(), block, "the copy of " + source.string());
    done += block.size();
  }
  return {std::move(out), hasher.finish()};
}

std::vector<SignatureFile> import_signatures(const fs::path& file) {
  const auto prefix = list_of(file).filename().string() + ".";
  std::vector<SignatureFile> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(fs::absolute(file).parent_path(), ignored)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(prefix) || !(name.ends_with(".asc") || name.ends_with(".sigstore.json"))) continue;
    if (out.size() == k_max_signatures)
      fail(ErrorCode::limit_exceeded, "more than {} signatures beside '{}'", k_max_signatures,
           printable(file.string()));
    // By their names they speak for builders; the key decides.
    out.push_back({"builder." + name.substr(prefix.size()), read_file(entry.path(), k_max_signature)});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

void require_announced(const Digest& actual, const Digest& announced, const fs::path& file) {
  if (actual == announced) return;
  fail(ErrorCode::digest_mismatch, "'{}' has {} instead of {}", printable(file.string()), actual.text(),
       announced.text());
}

std::vector<std::string> require_signed_list(const Digest& actual, const fs::path& file, const TrustRoot& root,
                                             Timestamp when) {
  const auto signatures = import_signatures(file);
  if (signatures.empty()) {
    throw Error(ErrorCode::unsigned_document,
                fmt::format("nobody vouches for '{}': no digest is expected, and no signed {} lies beside it",
                            printable(file.string()), printable(list_of(file).filename().string())),
                "give --expect SHA256 as it was announced by another way, or bring FILE.sha256 and its signature");
  }
  const auto list = read_file(list_of(file), k_max_list);
  const auto judged = judge(list, signatures, root, when, {Role::builder});
  require_thresholds(judged, root, {Role::builder});
  require_announced(actual, listed_digest(list, file), file);
  std::vector<std::string> keys;
  for (const auto& one : judged) {
    if (one.status == SignatureStatus::valid) keys.push_back(one.key_id);
  }
  return keys;
}

}  // namespace liftlock::engine
