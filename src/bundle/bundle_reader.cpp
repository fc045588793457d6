#include "bundle/bundle_reader.hpp"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <unordered_map>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/bundle_folder.hpp"
#include "bundle/signatures.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

/// Content of so many bytes is read with what is around it at once.
constexpr std::uint64_t k_small = 256u << 10;

std::string read_bundle_json(const fs::path& folder, int folder_fd) {
  const auto fd = open_beneath(folder_fd, RelPath::parse(k_bundle_json_path), O_RDONLY | O_NONBLOCK);
  if (!fd) throw no_bundle(folder);
  regular_size(fd->get(), k_bundle_json_path);
  return read_all(fd->get(), bundle_limits::k_bundle_json, k_bundle_json_path);
}

UniqueFd open_bundle_folder(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) throw no_bundle(folder);
  return open_folder(folder);
}

/// The version of "manifest/trust/N.root.json".
std::optional<std::uint64_t> statement_version(const RelPath& path) {
  constexpr std::string_view suffix = ".root.json";
  if (path.parent() != "manifest/trust" || !path.text().ends_with(suffix)) return std::nullopt;
  auto number = path.filename();
  number.remove_suffix(suffix.size());
  return parse_uint(number);
}

[[noreturn]] void fail_header(const FileEntry& file) {
  fail(ErrorCode::tar_mismatch, "content.tar: the header of '{}' is not the one that the list implies",
       file.path.text());
}
[[noreturn]] void fail_padding(const FileEntry& file) {
  fail(ErrorCode::tar_mismatch, "content.tar: the padding after '{}' is not zero", file.path.text());
}

bool all_zero(int fd, std::uint64_t offset, std::uint64_t size, std::string_view what) {
  std::vector<std::uint8_t> buffer(size);
  return pread_exact(fd, buffer, offset, what) &&
         std::all_of(buffer.begin(), buffer.end(), [](auto b) { return b == 0; });
}

}  // namespace

BundleReader::BundleReader(fs::path folder)
    : m_folder(std::move(folder)),
      m_folder_fd(open_bundle_folder(m_folder)),
      m_bundle_json(read_bundle_json(m_folder, m_folder_fd.get())),
      m_digest(sha256(m_bundle_json)),
      m_info(parse_bundle_info(m_bundle_json)) {}

std::vector<SignatureFile> BundleReader::signatures(const std::vector<fs::path>& more) const {
  auto out = read_signatures(m_folder);
  for (const auto& folder : more) {
    auto found = read_signatures(folder);
    if (found.empty()) {
      throw Error(ErrorCode::not_found,
                  fmt::format("there are no signatures in '{}'", printable((folder / "signatures").string())),
                  "name the folder that `liftlock sign --out` was given");
    }
    for (auto& signature : found) {
      const bool known = std::any_of(out.begin(), out.end(), [&](const auto& s) { return s.name == signature.name; });
      if (!known) out.push_back(std::move(signature));
    }
  }
  if (out.size() > bundle_limits::k_signatures)
    fail(ErrorCode::limit_exceeded, "more than {} signatures", bundle_limits::k_signatures);
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

std::vector<std::string> BundleReader::trust_statements() const {
  std::map<std::uint64_t, std::string> by_version;
  std::uint64_t total = 0;
  for (const auto& [path, bound] : m_info.lists) {
    const auto version = statement_version(path);
    if (!version) continue;
    if (bound.size > bundle_limits::k_trust_statement)
      fail(ErrorCode::limit_exceeded, "'{}' is too large", path.text());
    total += bound.size;
    if (total > bundle_limits::k_trust_chain) fail(ErrorCode::limit_exceeded, "the trust statements are too large");
    by_version[*version] = read_list(path);
  }
  std::vector<std::string> out;
  for (auto& [version, bytes] : by_version) out.push_back(std::move(bytes));
  return out;
}

std::string BundleReader::read_list(const RelPath& path) const {
  const auto bound = m_info.lists.find(path);
  if (bound == m_info.lists.end()) fail(ErrorCode::missing_file, "bundle.json does not bind '{}'", path.text());
  const auto fd = open_beneath(m_folder_fd.get(), path, O_RDONLY | O_NONBLOCK);
  if (!fd) fail(ErrorCode::missing_file, "'{}' is missing", path.text());
  const auto size = regular_size(fd->get(), path.text());
  if (size != bound->second.size) {
    fail(ErrorCode::size_mismatch, "'{}' has {} bytes instead of {}", path.text(), size, bound->second.size);
  }
  auto bytes = read_all(fd->get(), bound->second.size, path.text());
  if (const auto actual = sha256(bytes); actual != bound->second.digest) {
    fail(ErrorCode::digest_mismatch, "'{}' has {} instead of {}", path.text(), actual.text(),
         bound->second.digest.text());
  }
  return bytes;
}

void BundleReader::load_lists() {
  const auto load = [&](std::string_view path, std::uint64_t files, std::uint64_t bytes) {
    auto out = parse_files_list(read_list(RelPath::parse(path)));
    std::uint64_t listed = 0;
    for (const auto& file : out) listed += file.size;
    if (out.size() != files || listed != bytes) {
      fail(ErrorCode::schema_violation, "bundle.json announces {} files of {} bytes, {} lists {} of {}", files, bytes,
           path, out.size(), listed);
    }
    return out;
  };
  m_files = load(k_files_list_path, m_info.content_files, m_info.content_bytes);
  if (const auto& base = m_info.builds_on) m_left_out = load(k_left_out_list_path, base->files, base->bytes);
  m_artifacts = parse_artifacts_list(read_list(RelPath::parse(k_artifacts_list_path)),
                                     m_left_out.empty() ? m_files : join_files(m_files, m_left_out));
  if (m_info.form != ContentForm::tar) return;
  m_layout = tar_layout(m_files);
  auto tar = open_beneath(m_folder_fd.get(), RelPath::parse(k_content_tar_path), O_RDONLY | O_NONBLOCK);
  if (tar) m_tar = std::move(*tar);
}

void BundleReader::withhold(std::set<RelPath> paths) {
  m_withheld = std::move(paths);
}

/// Not listed, and there by right: who signs after the bundle was sealed adds it.
bool BundleReader::is_beside(const RelPath& path) const {
  if (is_signature_path(path)) return true;
  if (m_withheld.empty() || !path.is_under(k_withheld_folder)) return false;
  const auto below = RelPath::try_parse(std::string_view(path.text()).substr(k_withheld_folder.size() + 1));
  return path.text() == k_withheld_path || (below && is_signature_path(*below));
}

std::vector<Problem> BundleReader::survey() {
  std::vector<Problem> problems;
  std::vector<std::string> empty_folders;
  std::unordered_map<std::string, std::uint64_t> expected;
  expected.reserve(m_files.size() + m_info.lists.size() + 1);
  if (m_info.form == ContentForm::tree) {
    for (const auto& file : m_files) expected.emplace(file.path.text(), file.size);
  } else {
    expected.emplace(k_content_tar_path, m_layout.total_size);
  }
  for (const auto& [path, bound] : m_info.lists) expected.emplace(path.text(), bound.size);
  expected.emplace(k_bundle_json_path, m_bundle_json.size());

  for (const auto& entry : walk(m_folder, 2 * bundle_limits::k_files)) {
    const auto shown = printable(entry.path);
    const auto found = expected.find(entry.path);
    const auto path = RelPath::try_parse(entry.path);
    if (path && m_withheld.contains(*path)) continue;
    if (found == expected.end() && !(path && is_beside(*path))) {
      if (S_ISDIR(entry.status.st_mode)) {
        empty_folders.push_back(entry.path);
      } else {
        problems.push_back({ErrorCode::extra_file, shown, "no list names this file"});
      }
      continue;
    }
    if (!S_ISREG(entry.status.st_mode)) {
      problems.push_back({ErrorCode::not_regular, shown, "it is no regular file"});
    } else if (found != expected.end() && static_cast<std::uint64_t>(entry.status.st_size) != found->second) {
      problems.push_back({entry.path == k_content_tar_path ? ErrorCode::tar_mismatch : ErrorCode::size_mismatch, shown,
                          fmt::format("it has {} bytes instead of {}", entry.status.st_size, found->second)});
    }
    if (found != expected.end()) expected.erase(found);
  }
  // The folder of a missing file is empty because of that.
  std::set<std::string_view> missing;
  for (const auto& path : m_withheld) {
    missing.insert(path.text());
    expected.erase(path.text());
  }
  for (const auto& [path, size] : expected) problems.push_back({ErrorCode::missing_file, path, "it is missing"});
  for (const auto& [path, size] : expected) missing.insert(path);
  for (const auto& folder : empty_folders) {
    const auto below = folder + "/";
    const auto next = missing.lower_bound(below);
    if (next != missing.end() && next->starts_with(below)) continue;
    problems.push_back({ErrorCode::extra_file, printable(folder), "an empty folder that no list names"});
  }
  if (m_info.form == ContentForm::tar) survey_tar(problems);
  std::sort(problems.begin(), problems.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return problems;
}

void BundleReader::survey_tar(std::vector<Problem>& problems) const {
  if (!m_tar.valid()) return;  // missing, and reported as such
  if (!all_zero(m_tar.get(), m_layout.end_offset, 1024, k_content_tar_path)) {
    problems.push_back(
        {ErrorCode::tar_mismatch, std::string(k_content_tar_path), "it does not end in two zero blocks"});
  }
}

ContentRange BundleReader::open_content(std::size_t index) const {
  const auto& file = m_files.at(index);
  ContentRange range;
  if (m_info.form == ContentForm::tree) {
    auto fd = open_beneath(m_folder_fd.get(), file.path, O_RDONLY | O_NONBLOCK);
    if (!fd) fail(ErrorCode::missing_file, "'{}' is missing", file.path.text());
    range.owner = std::move(*fd);
    range.fd = range.owner.get();
    const auto size = regular_size(range.fd, file.path.text());
    if (size != file.size) {
      fail(ErrorCode::size_mismatch, "'{}' has {} bytes instead of {}", file.path.text(), size, file.size);
    }
    return range;
  }
  require_tar();
  const auto& member = m_layout.members[index];
  const auto wanted = tar_header(file.path, file.size);
  std::string header(wanted.size(), '\0');
  const std::span bytes(reinterpret_cast<std::uint8_t*>(header.data()), header.size());
  if (!pread_exact(m_tar.get(), bytes, member.header_offset, k_content_tar_path) || header != wanted) fail_header(file);
  if (!all_zero(m_tar.get(), member.data_offset + file.size, tar_padding(file.size), k_content_tar_path))
    fail_padding(file);
  range.fd = m_tar.get();
  range.offset = member.data_offset;
  return range;
}

std::optional<std::span<const std::uint8_t>> BundleReader::read_small(std::size_t index,
                                                                      std::vector<std::uint8_t>& memory) const {
  const auto& file = m_files.at(index);
  if (m_info.form != ContentForm::tar || file.size > k_small) return std::nullopt;
  require_tar();
  const auto& member = m_layout.members[index];
  const auto wanted = tar_header(file.path, file.size);
  memory.resize(wanted.size() + file.size + tar_padding(file.size));
  if (!pread_exact(m_tar.get(), memory, member.header_offset, k_content_tar_path)) fail_header(file);
  const std::span<const std::uint8_t> bytes(memory);
  if (as_text(bytes.first(wanted.size())) != wanted) fail_header(file);
  const auto padding = bytes.subspan(wanted.size() + file.size);
  if (!std::all_of(padding.begin(), padding.end(), [](auto b) { return b == 0; })) fail_padding(file);
  return bytes.subspan(wanted.size(), file.size);
}

void BundleReader::require_tar() const {
  if (!m_tar.valid()) fail(ErrorCode::missing_file, "'{}' is missing", k_content_tar_path);
}

}  // namespace liftlock
