#include "ecosystem/rpm/repository_metadata.hpp"

#include <expat.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/rpm/package_file.hpp"

namespace liftlock::rpm {
namespace {

constexpr std::size_t k_max_depth = 32;
constexpr std::size_t k_max_text = 4096;
constexpr std::size_t k_max_packages = 1'000'000;
constexpr std::size_t k_block = 1u << 20;

/// Of one element, as expat hands them over.
class Attributes {
 public:
  explicit Attributes(const char** pairs) : m_pairs(pairs) {}
  /// Empty where there is none.
  std::string_view operator[](std::string_view name) const {
    for (const auto* at = m_pairs; *at != nullptr; at += 2) {
      if (at[0] == name) return at[1];
    }
    return {};
  }

 private:
  const char** m_pairs;
};

/// Told of elements by their path without namespaces: "repomd/data/checksum".
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void begin(std::string_view path, const Attributes& attributes) = 0;
  /// @param text directly within it, without blanks around; empty where it is longer than k_max_text
  virtual void end(std::string_view path, std::string_view text) = 0;
};

/// Exceptions may not pass through expat: they are kept until it has stopped.
class Reader {
 public:
  Reader(Listener& listener, const std::string& where) : m_listener(listener), m_where(where) {}

  void read(std::string_view text) {
    const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreate(nullptr),
                                                                              &XML_ParserFree);
    if (!parser) fail(ErrorCode::memory_limit, "no memory for an XML parser");
    m_parser = parser.get();
    XML_SetUserData(m_parser, this);
    XML_SetElementHandler(
        m_parser,
        [](void* self, const char* name, const char** attributes) {
          static_cast<Reader*>(self)->guarded([&](Reader& r) { r.begin(name, attributes); });
        },
        [](void* self, const char*) { static_cast<Reader*>(self)->guarded([](Reader& r) { r.end(); }); });
    XML_SetCharacterDataHandler(m_parser, [](void* self, const char* data, int size) {
      static_cast<Reader*>(self)->guarded([&](Reader& r) { r.characters({data, static_cast<std::size_t>(size)}); });
    });
    XML_SetStartDoctypeDeclHandler(m_parser, [](void* self, const char*, const char*, const char*, int) {
      static_cast<Reader*>(self)->guarded(
          [](Reader& r) { fail(ErrorCode::schema_violation, "{} has a document type declaration", r.m_where); });
    });
    do {
      const auto block = text.substr(0, k_block);
      text.remove_prefix(block.size());
      const auto status = XML_Parse(m_parser, block.data(), static_cast<int>(block.size()), text.empty());
      if (m_failure) std::rethrow_exception(m_failure);
      if (status != XML_STATUS_OK) {
        fail(ErrorCode::schema_violation, "{} is no sound XML: {} in line {}", m_where,
             XML_ErrorString(XML_GetErrorCode(m_parser)), XML_GetCurrentLineNumber(m_parser));
      }
    } while (!text.empty());
  }

 private:
  template <typename Work>
  void guarded(Work&& work) {
    if (m_failure) return;
    try {
      work(*this);
    } catch (...) {
      m_failure = std::current_exception();
      XML_StopParser(m_parser, XML_FALSE);
    }
  }

  void begin(std::string_view name, const char** attributes) {
    if (m_lengths.size() >= k_max_depth) fail(ErrorCode::limit_exceeded, "{} is nested too deeply", m_where);
    m_lengths.push_back(m_path.size());
    if (!m_path.empty()) m_path += '/';
    m_path += name.substr(name.rfind(':') + 1);
    clear_text();
    m_listener.begin(m_path, Attributes(attributes));
  }
  void end() {
    m_listener.end(m_path, trim(m_text));
    clear_text();
    m_path.resize(m_lengths.back());
    m_lengths.pop_back();
  }
  void characters(std::string_view data) {
    m_text_is_long = m_text_is_long || m_text.size() + data.size() > k_max_text;
    if (m_text_is_long) {
      m_text.clear();
    } else {
      m_text += data;
    }
  }
  void clear_text() {
    m_text.clear();
    m_text_is_long = false;
  }

  Listener& m_listener;
  const std::string& m_where;
  XML_Parser m_parser = nullptr;
  std::string m_path;
  std::vector<std::size_t> m_lengths;  ///< of m_path before each open element
  std::string m_text;
  bool m_text_is_long = false;
  std::exception_ptr m_failure;
};

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

class RepoMdListener : public Listener {
 public:
  void begin(std::string_view path, const Attributes& attributes) override {
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

class RevisionListener : public Listener {
 public:
  void begin(std::string_view, const Attributes&) override {}
  void end(std::string_view path, std::string_view text) override {
    if (path == "repomd/revision") found = parse_uint(text);
  }
  std::optional<std::uint64_t> found;
};

class PrimaryListener : public Listener {
 public:
  explicit PrimaryListener(const std::string& where) : m_where(where) {}

  void begin(std::string_view path, const Attributes& attributes) override {
    if (path == "metadata") m_is_one = true;
    if (path == "metadata/package") m_now = {};
    if (path == "metadata/package/version") {
      m_now.identity.epoch = parse_uint(attributes["epoch"]).value_or(0);
      m_now.identity.version = attributes["ver"];
      m_now.identity.release = attributes["rel"];
    }
    if (path == "metadata/package/checksum") m_now.checksum_type = attributes["type"];
    if (path == "metadata/package/size") m_now.size = parse_uint(attributes["package"]);
    if (path == "metadata/package/location" && attributes["xml:base"].empty()) {
      m_now.location = attributes["href"];
    }
  }
  void end(std::string_view path, std::string_view text) override {
    if (path == "metadata/package/name") m_now.identity.name = text;
    if (path == "metadata/package/arch") m_now.identity.architecture = text;
    if (path == "metadata/package/checksum") m_now.digest = parse_checksum(m_now.checksum_type, text);
    if (path != "metadata/package" || !m_now.digest || !m_now.size || !is_below(m_now.location)) return;
    if (found.size() >= k_max_packages) fail(ErrorCode::limit_exceeded, "{} lists too many packages", m_where);
    const auto& identity = m_now.identity;
    found.insert_or_assign(m_now.location, ListedPackage{identity.name, identity.architecture, identity.evr(),
                                                         *m_now.digest, *m_now.size});
  }
  bool is_one() const { return m_is_one; }
  PackageList found;

 private:
  struct Now {
    Identity identity;
    std::string location, checksum_type;
    std::optional<Digest> digest;
    std::optional<std::uint64_t> size;
  };
  const std::string& m_where;
  bool m_is_one = false;
  Now m_now;
};

}  // namespace

RepoMd parse_repomd(std::string_view text, const std::string& where) {
  RepoMdListener listener;
  Reader(listener, where).read(text);
  if (!listener.is_one()) fail(ErrorCode::schema_violation, "{} is no repomd.xml", where);
  return std::move(listener.found);
}

std::optional<std::uint64_t> repomd_revision(std::string_view text, const std::string& where) {
  RevisionListener listener;
  Reader(listener, where).read(text);
  return listener.found;
}

PackageList parse_primary(std::string_view text, const std::string& where) {
  PrimaryListener listener(where);
  Reader(listener, where).read(text);
  if (!listener.is_one()) fail(ErrorCode::schema_violation, "{} is no list of packages", where);
  return std::move(listener.found);
}

}  // namespace liftlock::rpm
