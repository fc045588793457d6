#include <algorithm>
#include <map>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "trust/root_statement.hpp"
#include "trust/statement_files.hpp"
#include "trust/trust.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_suffix = ".root.json";

FileLock lock(const fs::path& folder) {
  make_folders(folder);
  return FileLock(folder / ".lock", "a change of trust", FileLock::Wait::yes);
}

void require_fingerprint(std::string_view statement, const Digest& expected) {
  const auto fingerprint = parse_root(statement).fingerprint;
  if (fingerprint == expected) return;
  throw Error(
      ErrorCode::confirmation_required,
      fmt::format("the root statement has the fingerprint {}, and {} was given", fingerprint.text(), expected.text()),
      "stop: ask the sender for the fingerprint by another way than the one the statement came");
}

/// Under which name a chain is set aside: by its first statement, which may have rotted.
std::string aside_name(const fs::path& first) {
  try {
    return root_fingerprint(read_file(first, k_max_statement)).hex().substr(0, 16);
  } catch (const Error&) {
    return "unreadable";
  }
}

}  // namespace

std::map<std::uint64_t, fs::path> statement_files(const fs::path& folder) {
  std::map<std::uint64_t, fs::path> files;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (const auto end = fs::directory_iterator(); !error && entries != end; entries.increment(error)) {
    const auto file = entries->path().filename().string();
    if (!file.ends_with(k_suffix)) continue;
    const auto version = parse_uint(std::string_view(file).substr(0, file.size() - k_suffix.size()));
    if (version && file == std::to_string(*version) + std::string(k_suffix)) files.emplace(*version, entries->path());
  }
  // A folder that cannot be read is not one that trusts nobody, and half a chain lacks its revocations.
  if (error && error != std::errc::no_such_file_or_directory) {
    fail_errno(fmt::format("read {}", printable(folder.string())), error.value());
  }
  return files;
}

fs::path statement_file(const fs::path& folder, std::uint64_t version) {
  return folder / (std::to_string(version) + std::string(k_suffix));
}

TrustStore::TrustStore(fs::path folder) : m_folder(std::move(folder)) {}

bool TrustStore::empty() const {
  return statement_files(m_folder).empty();
}

std::vector<std::string> TrustStore::statements() const {
  std::vector<std::string> out;
  for (const auto& [version, file] : statement_files(m_folder)) out.push_back(read_file(file, k_max_statement));
  return out;
}

std::vector<std::string> TrustStore::pinned_chain() const {
  auto chain = statements();
  if (chain.empty()) fail(ErrorCode::trust_missing, "no root statement is pinned in '{}'", m_folder.string());
  return chain;
}

TrustRoot TrustStore::current() const {
  return newest_root(pinned_chain());
}

void TrustStore::pin(std::string_view statement, const Digest& expected) {
  require_fingerprint(statement, expected);
  const auto guard = lock(m_folder);
  for (const auto& known : statements()) {
    if (root_fingerprint(known) == expected) return;
  }
  if (!empty()) {
    throw Error(ErrorCode::immutable, "another chain of root statements is pinned here",
                "to trust this one instead, give --replace and --reason; what the old chain signed is then refused");
  }
  write_file_atomically(statement_file(m_folder, parse_root(statement).version), statement);
}

void TrustStore::replace(std::string_view statement, const Digest& expected) {
  require_fingerprint(statement, expected);
  const auto guard = lock(m_folder);
  const auto old = statement_files(m_folder);
  if (!old.empty()) {
    const auto aside = m_folder / "replaced" / aside_name(old.begin()->second);
    make_folders(aside);
    // The newest first: a crash in between leaves an older version or nobody trusted, never a gap.
    for (auto file = old.rbegin(); file != old.rend(); ++file)
      rename_file(file->second, aside / file->second.filename());
    sync_folder(aside);
    sync_folder(m_folder);
  }
  write_file_atomically(statement_file(m_folder, parse_root(statement).version), statement);
}

std::size_t TrustStore::follow(const std::vector<std::string>& statements, Timestamp when) {
  const auto guard = lock(m_folder);
  const auto chain = pinned_chain();
  const auto from = newest_root(chain);
  judge_chain(chain, statements, when);
  std::size_t stored = 0;
  for (const auto& statement : statements) {
    const auto version = decode_root(statement).root.version;
    if (version <= from.version) continue;
    write_file_atomically(statement_file(m_folder, version), statement);
    ++stored;
  }
  return stored;
}

}  // namespace liftlock
