#include "ecosystem/rpm/package_file.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock::rpm {
namespace {

constexpr std::uint64_t k_lead = 96;
constexpr std::size_t k_max_files = 500'000;
constexpr std::size_t k_max_path = 4096;
constexpr std::uint64_t k_file_element = 41;       ///< bytes of XML around a path, at most
constexpr std::uint64_t k_relation_element = 90;   ///< around what a package asks for or provides
constexpr std::uint64_t k_changelog_element = 70;  ///< around an entry of its changelog
constexpr std::size_t k_max_word = 255;
constexpr std::string_view k_what = "an rpm";

void check_lead(int fd) {
  std::array<std::uint8_t, k_lead> lead{};
  if (!pread_exact(fd, lead, 0, k_what)) fail(ErrorCode::package_malformed, "it is shorter than the lead of an rpm");
  constexpr std::array<std::uint8_t, 4> k_magic = {0xed, 0xab, 0xee, 0xdb};
  if (!std::equal(k_magic.begin(), k_magic.end(), lead.begin())) fail(ErrorCode::package_malformed, "it is no rpm");
  if (lead[4] != 3 && lead[4] != 4) fail(ErrorCode::package_malformed, "its lead states the format {}", lead[4]);
  if (lead[6] != 0 || lead[7] != 0) fail(ErrorCode::package_malformed, "it is a source package, or of an unknown type");
  if (lead[78] != 0 || lead[79] != 5) fail(ErrorCode::package_malformed, "its signatures are not of the header kind");
}

RpmHeader read_header(int fd, std::uint64_t offset, std::uint64_t file_size, HeaderPart part) {
  std::vector<std::uint8_t> bytes(RpmHeader::k_intro);
  const auto truncated = [] { fail(ErrorCode::package_malformed, "it ends within a header"); };
  if (!pread_exact(fd, bytes, offset, k_what)) truncated();
  const auto size = RpmHeader::size_by_intro(bytes);
  if (size > file_size - offset) truncated();  // before memory is taken for it
  bytes.resize(size);
  if (!pread_exact(fd, bytes, offset, k_what)) truncated();
  return {std::move(bytes), part};
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= k_max_word && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._+~^-%").find(c) != std::string_view::npos;
  });
}

struct RelationTags {
  Tag name, version, flags;
};
RelationTags tags_of(Relation relation) {
  switch (relation) {
    case Relation::provides:
      return {Tag::provide_name, Tag::provide_version, Tag::provide_flags};
    case Relation::requires_:
      return {Tag::require_name, Tag::require_version, Tag::require_flags};
    case Relation::conflicts:
      return {Tag::conflict_name, Tag::conflict_version, Tag::conflict_flags};
    case Relation::obsoletes:
      return {Tag::obsolete_name, Tag::obsolete_version, Tag::obsolete_flags};
    case Relation::recommends:
      return {Tag::recommend_name, Tag::recommend_version, Tag::recommend_flags};
    case Relation::suggests:
      return {Tag::suggest_name, Tag::suggest_version, Tag::suggest_flags};
    case Relation::supplements:
      return {Tag::supplement_name, Tag::supplement_version, Tag::supplement_flags};
    case Relation::enhances:
      return {Tag::enhance_name, Tag::enhance_version, Tag::enhance_flags};
  }
  return {};
}

/// Bytes of it as XML, at most.
std::uint64_t escaped_size(std::string_view text) {
  std::uint64_t out = text.size();
  for (const char c : text) {
    if (c == '"') out += 5;
    if (c == '&') out += 4;
    if (c == '<' || c == '>') out += 3;
    if (static_cast<unsigned char>(c) >= 0x80) out += 1;  // what is no UTF-8 is taken for Latin-1
  }
  return out;
}

/// Adds up what a package is in the lists of a repository.
class ListedSize {
 public:
  void add(std::uint64_t bytes) {
    m_bytes += bytes;
    if (m_bytes > PackageFile::k_max_listed) {
      fail(ErrorCode::limit_exceeded, "its files, relations and texts are more than {} bytes in a repository's lists",
           PackageFile::k_max_listed);
    }
  }

 private:
  std::uint64_t m_bytes = 0;
};

/// RFC 9580 9.5
std::optional<DigestAlgorithm> digest_algorithm(std::uint64_t number) {
  if (number == 8) return DigestAlgorithm::sha256;
  if (number == 9) return DigestAlgorithm::sha384;
  if (number == 10) return DigestAlgorithm::sha512;
  return std::nullopt;
}

}  // namespace

std::string hash_file(int fd, std::uint64_t offset, std::uint64_t size, DigestAlgorithm algorithm) {
  Hasher hasher(algorithm);
  std::vector<std::uint8_t> block(1u << 20);
  while (offset < size) {
    const std::span part(block.data(), static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), size - offset)));
    if (!pread_exact(fd, part, offset, k_what)) fail(ErrorCode::package_malformed, "it became shorter");
    hasher.update(part);
    offset += part.size();
  }
  return hasher.finish().hex();
}

std::string Identity::evr() const {
  return (epoch == 0 ? std::string() : fmt::format("{}:", epoch)) + version + "-" + release;
}

PackageFile PackageFile::read(int fd) {
  const auto size = regular_size(fd, k_what);
  check_lead(fd);
  auto signatures = read_header(fd, k_lead, size, HeaderPart::signature);
  const auto start = (k_lead + signatures.bytes().size() + 7) / 8 * 8;
  if (start > size) fail(ErrorCode::package_malformed, "it ends within its signatures");
  auto header = read_header(fd, start, size, HeaderPart::package);
  PackageFile out(std::move(signatures), std::move(header));
  out.m_header_start = start;
  out.m_size = size;
  auto stated = out.m_signatures.number(RpmHeader::tag(SignatureTag::size));
  if (!stated) stated = out.m_signatures.number(RpmHeader::tag(SignatureTag::long_size));
  if (stated && *stated != size - start) {
    fail(ErrorCode::package_malformed, "header and payload have {} bytes, {} are stated", size - start, *stated);
  }
  const auto digest = out.m_signatures.text(RpmHeader::tag(SignatureTag::sha256));
  if (digest && *digest != sha256(out.m_header.bytes()).hex()) {
    fail(ErrorCode::package_malformed, "the header does not have the SHA-256 that is stated beside it");
  }
  if (!out.m_header.has(Tag::source_rpm)) {
    fail(ErrorCode::package_malformed, "it names no source package: rpm takes it for one itself");
  }
  return out;
}

std::string PackageFile::word(Tag tag, std::string_view what) const {
  const auto text = m_header.text(tag);
  if (!text || !is_word(*text)) {
    fail(ErrorCode::package_malformed, "its header has no usable {}: '{}'", what, printable(text.value_or("")));
  }
  return std::string(*text);
}

Identity PackageFile::identity() const {
  Identity out{word(Tag::name, "name"), 0, word(Tag::version, "version"), word(Tag::release, "release"),
               word(Tag::architecture, "architecture")};
  if (m_header.has(Tag::epoch)) {
    const auto epoch = m_header.number(Tag::epoch);
    if (!epoch || *epoch > 0xffff'ffff) fail(ErrorCode::package_malformed, "its header has a broken epoch");
    out.epoch = *epoch;
  }
  // "NAME-VERSION-RELEASE" is read from behind.
  if (out.version.find('-') != std::string::npos || out.release.find('-') != std::string::npos) {
    fail(ErrorCode::package_malformed, "its version or release has a '-'");
  }
  return out;
}

std::vector<Dependency> PackageFile::relations(Relation relation) const {
  const auto tags = tags_of(relation);
  const auto names = m_header.texts(tags.name), versions = m_header.texts(tags.version);
  const auto flags = m_header.numbers(tags.flags);
  if (names.size() != versions.size() || names.size() != flags.size()) {
    fail(ErrorCode::package_malformed, "tag {} of its header has {} items, with {} versions and {} flags",
         static_cast<std::uint32_t>(tags.name), names.size(), versions.size(), flags.size());
  }
  std::vector<Dependency> out;
  for (std::size_t i = 0; i < names.size(); ++i) out.push_back({names[i], versions[i], flags[i]});
  return out;
}

std::vector<PackagedFile> PackageFile::files() const {
  const auto basenames = m_header.texts(Tag::basenames), folders = m_header.texts(Tag::dirnames);
  const auto indexes = m_header.numbers(Tag::dir_indexes);
  const auto modes = m_header.numbers(Tag::file_modes), flags = m_header.numbers(Tag::file_flags);
  const auto count = basenames.size();
  if (m_header.has(Tag::old_filenames)) fail(ErrorCode::package_malformed, "its list of files is of rpm 3");
  if (indexes.size() != count || modes.size() != count || flags.size() != count) {
    fail(ErrorCode::package_malformed, "its header has {} file names, {} folders of them, {} modes and {} flags", count,
         indexes.size(), modes.size(), flags.size());
  }
  if (count > k_max_files) fail(ErrorCode::limit_exceeded, "it has {} files", count);
  std::vector<PackagedFile> out;
  ListedSize bytes;
  for (std::size_t i = 0; i < count; ++i) {
    if (indexes[i] >= folders.size()) fail(ErrorCode::package_malformed, "a file lies in a folder that is not listed");
    const auto folder = folders[indexes[i]];
    const auto length = folder.size() + basenames[i].size();
    if (length > k_max_path) fail(ErrorCode::limit_exceeded, "a path of it has {} bytes", length);
    bytes.add(length + k_file_element);
    out.push_back({std::string(folder) + std::string(basenames[i]), static_cast<unsigned>(modes[i]), flags[i]});
  }
  return out;
}

void PackageFile::check_listed_size() const {
  ListedSize sum;
  for (const auto tag : {Tag::summary, Tag::description, Tag::packager, Tag::url, Tag::license, Tag::vendor, Tag::group,
                         Tag::build_host, Tag::source_rpm}) {
    sum.add(escaped_size(m_header.text(tag).value_or("")));
  }
  for (const auto relation : {Relation::provides, Relation::requires_, Relation::conflicts, Relation::obsoletes,
                              Relation::recommends, Relation::suggests, Relation::supplements, Relation::enhances}) {
    const auto tags = tags_of(relation);
    for (const auto name : m_header.texts(tags.name)) sum.add(escaped_size(name) + k_relation_element);
    for (const auto version : m_header.texts(tags.version)) sum.add(escaped_size(version));
  }
  for (const auto tag : {Tag::changelog_name, Tag::changelog_text}) {
    const auto texts = m_header.texts(tag);
    for (std::size_t i = 0; i < std::min(texts.size(), k_max_changelogs); ++i) {
      sum.add(escaped_size(texts[i]) + k_changelog_element);
    }
  }
  std::vector<std::uint64_t> folders;
  for (const auto folder : m_header.texts(Tag::dirnames)) folders.push_back(escaped_size(folder));
  const auto basenames = m_header.texts(Tag::basenames);
  const auto indexes = m_header.numbers(Tag::dir_indexes);
  for (std::size_t i = 0; i < basenames.size() && i < indexes.size(); ++i) {
    if (indexes[i] >= folders.size()) continue;  // files() refuses it
    sum.add(folders[indexes[i]] + escaped_size(basenames[i]) + k_file_element);
  }
}

std::optional<Signature> PackageFile::signature() const {
  const auto packet = [&](SignatureTag tag) -> std::optional<Bytes> {
    const auto bytes = m_signatures.binary(RpmHeader::tag(tag));
    if (!bytes) return std::nullopt;
    return Bytes(bytes->begin(), bytes->end());
  };
  if (!m_header.texts(Tag::payload_digest).empty()) {
    for (const auto tag : {SignatureTag::rsa, SignatureTag::dsa}) {
      if (auto found = packet(tag)) return Signature{std::move(*found), false};
    }
    const auto several = m_signatures.texts(RpmHeader::tag(SignatureTag::openpgp));
    if (!several.empty()) {
      Signature out;
      for (const auto text : several) {
        const auto one = decode_base64(text);
        if (!one) fail(ErrorCode::package_malformed, "an OpenPGP signature of it is no base64");
        out.packet.insert(out.packet.end(), one->begin(), one->end());
      }
      return out;
    }
  }
  for (const auto tag : {SignatureTag::pgp, SignatureTag::gpg}) {
    if (auto found = packet(tag)) return Signature{std::move(*found), true};
  }
  return std::nullopt;
}

bool PackageFile::check_payload(int fd) const {
  const auto stated = m_header.texts(Tag::payload_digest);
  if (!m_header.has(Tag::payload_digest)) return false;
  // Format 6 has SHA-256 and no tag for it.
  const bool named = m_header.has(Tag::payload_digest_algorithm);
  const auto number = named ? m_header.number(Tag::payload_digest_algorithm) : 8;
  const auto algorithm = number ? digest_algorithm(*number) : std::nullopt;
  if (!algorithm || stated.size() != 1) {
    fail(ErrorCode::package_malformed, "its payload's digest is of an unknown kind");
  }
  if (hash_file(fd, payload_start(), m_size, *algorithm) != stated[0]) {
    fail(ErrorCode::package_malformed, "the payload does not have the digest that the header states");
  }
  return true;
}

}  // namespace liftlock::rpm
