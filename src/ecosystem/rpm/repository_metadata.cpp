#include "ecosystem/rpm/repository_metadata.hpp"

#include <algorithm>
#include <utility>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::rpm {
namespace {

constexpr std::size_t k_max_packages = 1'000'000;
constexpr std::size_t k_max_stated = 4096;  ///< of a name or a place that is kept

std::optional<Digest> parse_checksum(std::string_view type, std::string_view hex) {
  const auto bytes = decode_hex(hex);
  if (!bytes) return std::nullopt;
  if (type == "sha256" && bytes->size() == 32) return Digest(DigestAlgorithm::sha256, *bytes);
  if (type == "sha512" && bytes->size() == 64) return Digest(DigestAlgorithm::sha512, *bytes);
  return std::nullopt;
}

/// Below the repository, for it becomes part of an address and of a path.
bool is_below(std::string_view location) {
  if (location.empty() || location.starts_with('/') ||
      location.find_first_of("\\?#\r\n\t ") != std::string_view::npos) {
    return false;
  }
  const auto parts = split(location, '/');
  return std::none_of(parts.begin(), parts.end(),
                      [](auto part) { return part.empty() || part == ".." || part == "."; });
}

class RepoMdListener : public XmlListener {
 public:
  void begin(std::string_view path, const XmlAttributes& attributes) override {
    if (path == "repomd") m_is_one = true;
    if (path == "repomd/data") {
      m_type = attributes["type"];
      m_location.clear();
      m_digest.reset();
      m_size.reset();
      m_open_size.reset();
    }
    if (path == "repomd/data/checksum") m_checksum_type = attributes["type"];
    if (path == "repomd/data/location" && attributes["xml:base"].empty()) {
      m_location = attributes["href"];
    }
  }
  void end(std::string_view path, std::string_view text) override {
    if (path == "repomd/data/checksum") m_digest = parse_checksum(m_checksum_type, text);
    if (path == "repomd/data/size") m_size = parse_uint(text);
    if (path == "repomd/data/open-size") m_open_size = parse_uint(text);
    if (path == "repomd/data" && m_digest && is_below(m_location)) {
      found.insert_or_assign(m_type, ListedIndex{m_location, *m_digest, m_size, m_open_size});
    }
  }
  bool is_one() const { return m_is_one; }
  RepoMd found;

 private:
  bool m_is_one = false;
  std::string m_type, m_location, m_checksum_type;
  std::optional<Digest> m_digest;
  std::optional<std::uint64_t> m_size, m_open_size;
};

class RevisionListener : public XmlListener {
 public:
  void begin(std::string_view, const XmlAttributes&) override {}
  void end(std::string_view path, std::string_view text) override {
    if (path == "repomd/revision") found = parse_uint(text);
  }
  std::optional<std::uint64_t> found;
};

}  // namespace

RepoMd parse_repomd(std::string_view text, const std::string& where) {
  RepoMdListener listener;
  read_xml(text, listener, where);
  if (!listener.is_one()) fail(ErrorCode::schema_violation, "{} is no repomd.xml", where);
  return std::move(listener.found);
}

std::optional<std::uint64_t> repomd_revision(std::string_view text, const std::string& where) {
  RevisionListener listener;
  read_xml(text, listener, where);
  return listener.found;
}

void PrimaryReader::begin(std::string_view path, const XmlAttributes& attributes) {
  if (path == "metadata") m_is_one = true;
  if (path == "metadata/package") m_now = {};
  if (path == "metadata/package/version") {
    m_now.identity.epoch = parse_uint(attributes["epoch"]).value_or(0);
    m_now.identity.version = kept(attributes["ver"]);
    m_now.identity.release = kept(attributes["rel"]);
  }
  if (path == "metadata/package/checksum") m_now.checksum_type = kept(attributes["type"]);
  if (path == "metadata/package/size") m_now.size = parse_uint(attributes["package"]);
  if (path == "metadata/package/location" && attributes["xml:base"].empty()) m_now.location = kept(attributes["href"]);
}

void PrimaryReader::end(std::string_view path, std::string_view text) {
  if (path == "metadata/package/name") m_now.identity.name = text;
  if (path == "metadata/package/arch") m_now.identity.architecture = text;
  if (path == "metadata/package/checksum") m_now.digest = parse_checksum(m_now.checksum_type, text);
  if (path != "metadata/package" || !m_now.digest || !m_now.size || !is_below(m_now.location)) return;
  if (m_found.size() >= k_max_packages) fail(ErrorCode::limit_exceeded, "{} lists too many packages", m_where);
  const auto& identity = m_now.identity;
  m_found.insert_or_assign(
      m_now.location, ListedPackage{identity.name, identity.architecture, identity.evr(), *m_now.digest, *m_now.size});
}

std::string_view PrimaryReader::kept(std::string_view text) const {
  if (text.size() > k_max_stated)
    fail(ErrorCode::limit_exceeded, "{} states something of {} bytes", m_where, text.size());
  return text;
}

PrimaryReader::PrimaryReader(std::string where) : m_where(std::move(where)), m_reader(*this, m_where) {}

void PrimaryReader::feed(std::string_view block) {
  m_reader.feed(block);
}

PackageList PrimaryReader::finish() {
  m_reader.finish();
  if (!m_is_one) fail(ErrorCode::schema_violation, "{} is no list of packages", m_where);
  return std::move(m_found);
}

}  // namespace liftlock::rpm
