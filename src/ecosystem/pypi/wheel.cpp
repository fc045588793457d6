#include "ecosystem/pypi/wheel.hpp"

#include <algorithm>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/version.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_record = 64u << 20;
constexpr std::uint64_t k_max_wheel_file = 1u << 20;
constexpr std::size_t k_max_lines = 300'000;

[[noreturn]] void malformed(std::string why) {
  throw Error(ErrorCode::package_malformed, std::move(why));
}

std::optional<DigestAlgorithm> algorithm_of(std::string_view name) {
  if (name == "sha256") return DigestAlgorithm::sha256;
  if (name == "sha384") return DigestAlgorithm::sha384;
  if (name == "sha512") return DigestAlgorithm::sha512;
  return std::nullopt;
}

/// One CSV field from the front of text; what follows is ',' or a line end.
std::string take_field(std::string_view& text) {
  std::string out;
  if (text.starts_with('"')) {
    text.remove_prefix(1);
    for (;;) {
      const auto quote = text.find('"');
      if (quote == std::string_view::npos) malformed("RECORD has an open quote");
      out += text.substr(0, quote);
      text.remove_prefix(quote + 1);
      if (!text.starts_with('"')) return out;
      out += '"';
      text.remove_prefix(1);
    }
  }
  const auto end = std::min(text.find_first_of(",\r\n"), text.size());
  out = text.substr(0, end);
  text.remove_prefix(end);
  return out;
}

bool same_version(std::string_view left, std::string_view right) {
  const auto a = PyVersion::parse(left), b = PyVersion::parse(right);
  return a && b && *a == *b;
}

}  // namespace

void check_same_project(const CoreMetadata& metadata, std::string_view name, std::string_view version) {
  if (normalize_project_name(metadata.name) != normalize_project_name(name) ||
      !same_version(metadata.version, version)) {
    malformed(fmt::format("the metadata is of {} {}, the file name says {} {}", printable(metadata.name),
                          printable(metadata.version), printable(name), printable(version)));
  }
}

std::vector<RecordLine> parse_record(std::string_view text) {
  if (text.size() > k_max_record)
    fail(ErrorCode::limit_exceeded, "RECORD is larger than {}", format_size(k_max_record));
  std::vector<RecordLine> out;
  while (!text.empty()) {
    if (text.starts_with('\n') || text.starts_with("\r\n")) {
      text.remove_prefix(text.front() == '\r' ? 2 : 1);
      continue;
    }
    std::vector<std::string> fields{take_field(text)};
    while (text.starts_with(',')) {
      text.remove_prefix(1);
      fields.push_back(take_field(text));
      if (fields.size() > 3) malformed("RECORD has a line with more than three columns");
    }
    const bool ended = text.empty() || text.starts_with('\n') || text.starts_with("\r\n");
    if (!ended || fields.size() != 3) malformed("RECORD has a line that is not three columns");
    if (out.size() >= k_max_lines) fail(ErrorCode::limit_exceeded, "RECORD has more than {} lines", k_max_lines);
    RecordLine line{.path = fields[0], .algorithm = {}, .hash = {}, .size = fields[2]};
    if (!fields[1].empty()) {
      const auto equals = fields[1].find('=');
      if (equals == std::string::npos)
        malformed(fmt::format("RECORD has a broken hash for '{}'", printable(line.path)));
      line.algorithm = fields[1].substr(0, equals);
      line.hash = fields[1].substr(equals + 1);
    }
    out.push_back(std::move(line));
  }
  return out;
}

Wheel::Wheel(int fd, WheelFilename name) : m_name(std::move(name)), m_zip(fd) {
  std::set<std::string> folders;
  for (const auto& entry : m_zip.entries()) {
    const auto top = entry.name.substr(0, entry.name.find('/'));
    if (top.size() < entry.name.size() && to_lower(top).ends_with(".dist-info")) folders.insert(top);
  }
  if (folders.size() != 1)
    malformed(fmt::format("the wheel has {} dist-info folders where one is needed", folders.size()));
  const auto& folder = *folders.begin();
  const auto stem = std::string_view(folder).substr(0, folder.size() - std::string_view(".dist-info").size());
  const auto dash = stem.rfind('-');
  const bool fits = dash != std::string_view::npos && same_version(stem.substr(dash + 1), m_name.version) &&
                    normalize_project_name(stem.substr(0, dash)) == normalize_project_name(m_name.name);
  if (!fits) malformed(fmt::format("the wheel of {} {} holds '{}'", m_name.name, m_name.version, printable(folder)));
  m_dist_info = folder + "/";
}

const ZipEntry& Wheel::dist_info_file(std::string_view name) const {
  const auto* entry = m_zip.find(m_dist_info + std::string(name));
  if (entry == nullptr) malformed(fmt::format("the wheel has no {}{}", printable(m_dist_info), name));
  return *entry;
}

std::string Wheel::metadata_bytes() const {
  return m_zip.read(dist_info_file("METADATA"), k_max_core_metadata);
}

CoreMetadata Wheel::metadata() const {
  auto out = parse_core_metadata(metadata_bytes());
  check_same_project(out, m_name.name, m_name.version);
  return out;
}

std::vector<std::string> Wheel::tags() const {
  std::vector<std::string> out;
  std::string version;
  for (const auto& [name, value] : parse_header_fields(m_zip.read(dist_info_file("WHEEL"), k_max_wheel_file))) {
    if (name == "wheel-version") version = value;
    if (name == "tag") out.push_back(value);
  }
  if (!version.starts_with("1."))
    malformed(fmt::format("the wheel's Wheel-Version is '{}', not 1.x", printable(version)));
  return out;
}

void Wheel::check_record() const {
  std::map<std::string, RecordLine> lines;
  for (auto& line : parse_record(m_zip.read(dist_info_file("RECORD"), k_max_record))) {
    const auto path = line.path;
    if (!lines.emplace(path, std::move(line)).second)
      malformed(fmt::format("RECORD names '{}' twice", printable(path)));
  }
  // RECORD cannot hold its own hash, nor that of signatures made over it.
  const std::set<std::string> unhashed{m_dist_info + "RECORD", m_dist_info + "RECORD.jws", m_dist_info + "RECORD.p7s"};
  for (const auto& entry : m_zip.entries()) {
    if (entry.is_folder()) continue;
    const auto found = lines.find(entry.name);
    if (unhashed.contains(entry.name)) {
      if (found != lines.end()) lines.erase(found);
      m_zip.stream(entry, [](std::span<const std::uint8_t>) {});
      continue;
    }
    if (found == lines.end()) malformed(fmt::format("RECORD does not name '{}'", printable(entry.name)));
    const auto algorithm = algorithm_of(found->second.algorithm);
    if (!algorithm) malformed(fmt::format("RECORD has no SHA-256 or better for '{}'", printable(entry.name)));
    Hasher hasher(*algorithm);
    m_zip.stream(entry, [&](std::span<const std::uint8_t> bytes) { hasher.update(bytes); });
    auto stated = found->second.hash;
    while (stated.ends_with('=')) stated.pop_back();
    const auto actual = encode_base64url(hasher.finish().bytes());
    if (actual != stated) {
      fail(ErrorCode::digest_mismatch, "'{}' is {} in the wheel and {} in its RECORD", printable(entry.name), actual,
           printable(stated));
    }
    if (!found->second.size.empty() && parse_uint(found->second.size) != entry.size) {
      malformed(fmt::format("RECORD gives '{}' another size", printable(entry.name)));
    }
    lines.erase(found);
  }
  for (const auto& [path, line] : lines) {
    // Some builders list folders; they carry no bytes.
    if (!path.ends_with('/'))
      malformed(fmt::format("RECORD names '{}', which the wheel does not hold", printable(path)));
  }
}

}  // namespace liftlock
