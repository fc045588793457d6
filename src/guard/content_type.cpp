#include "guard/content_type.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using namespace std::string_view_literals;

constexpr std::array k_names = {
    "empty"sv, "zip"sv,         "gzip"sv,          "bzip2"sv, "xz"sv,     "zstd"sv, "tar"sv,      "deb"sv,  "ar"sv,
    "7z"sv,    "rar"sv,         "cab"sv,           "elf"sv,   "pe"sv,     "pdf"sv,  "png"sv,      "jpeg"sv, "gguf"sv,
    "ggml"sv,  "safetensors"sv, "openpgp-armor"sv, "pem"sv,   "script"sv, "json"sv, "oci-json"sv, "text"sv, "unknown"sv,
    "link"sv,  "device"sv,
};
static_assert(k_names.size() == static_cast<std::size_t>(ContentType::device) + 1);

struct Magic {
  std::string_view begin;
  ContentType type;
};
constexpr std::array k_magic = {
    Magic{"PK\3\4"sv, ContentType::zip},
    Magic{"PK\5\6"sv, ContentType::zip},
    Magic{"\x1f\x8b\x08"sv, ContentType::gzip},
    Magic{"\xfd"
          "7zXZ\0"sv,
          ContentType::xz},
    Magic{"\x28\xb5\x2f\xfd"sv, ContentType::zstd},
    Magic{"!<arch>\ndebian-binary"sv, ContentType::deb},
    Magic{"!<arch>\n"sv, ContentType::ar},
    Magic{"7z\xbc\xaf\x27\x1c"sv, ContentType::seven_zip},
    Magic{"Rar!\x1a\x07"sv, ContentType::rar},
    Magic{"MSCF"sv, ContentType::cab},
    Magic{"\x7f"
          "ELF"sv,
          ContentType::elf},
    Magic{"\x89PNG\r\n\x1a\n"sv, ContentType::png},
    Magic{"\xff\xd8\xff"sv, ContentType::jpeg},
    Magic{"GGUF"sv, ContentType::gguf},
    Magic{"lmgg"sv, ContentType::ggml},
};
constexpr std::uint64_t k_max_safetensors_header = 100'000'000;

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

/// POSIX.1-1988: the sum of the header's bytes, its own field taken as blanks, in octal; some old tars added signed
/// bytes.
bool is_tar_header(std::string_view head) {
  if (head.size() < 512) return false;
  long stated = 0;
  bool has_digit = false;
  for (const char c : head.substr(148, 8)) {
    if (c >= '0' && c <= '7') {
      stated = stated * 8 + (c - '0');
      has_digit = true;
    } else if (has_digit && (c == ' ' || c == '\0')) {
      break;
    } else if (c != ' ') {
      return false;
    }
  }
  long plain = 0;
  long with_signs = 0;
  for (std::size_t i = 0; i < 512; ++i) {
    const char c = i >= 148 && i < 156 ? ' ' : head[i];
    plain += static_cast<unsigned char>(c);
    with_signs += static_cast<signed char>(c);
  }
  return has_digit && (stated == plain || stated == with_signs);
}

bool is_portable_executable(std::string_view head) {
  if (head.size() < 64 || !head.starts_with("MZ")) return false;
  const auto at = little_endian(head.substr(0x3c, 4));
  return at < head.size() && head.substr(at).starts_with("PE\0\0"sv);
}

}  // namespace

std::string_view name(ContentType type) {
  return k_names.at(static_cast<std::size_t>(type));
}

std::optional<ContentType> parse_content_type(std::string_view text) {
  const auto at = std::find(k_names.begin(), k_names.end(), text);
  if (at == k_names.end()) return std::nullopt;
  return static_cast<ContentType>(at - k_names.begin());
}

std::span<const std::string_view> content_type_names() {
  return k_names;
}

bool is_archive(ContentType type) {
  return type >= ContentType::zip && type <= ContentType::cab;
}

bool allows(const std::set<ContentType>& allowed, ContentType type) {
  return allowed.contains(type) || (type == ContentType::deb && allowed.contains(ContentType::ar)) ||
         (type == ContentType::oci_json && allowed.contains(ContentType::json));
}

void ContentSniffer::feed(std::span<const std::uint8_t> bytes) {
  m_size += bytes.size();
  const auto head = bytes.first(std::min(bytes.size(), k_head - m_head.size()));
  m_head.insert(m_head.end(), head.begin(), head.end());
  m_text.feed(bytes);
  if (m_text.may_be()) m_json.feed(bytes);
  const auto last = bytes.last(std::min(bytes.size(), k_tail));
  if (m_tail.size() + last.size() > 2 * k_tail) {
    const auto surplus = std::min(m_tail.size(), m_tail.size() + last.size() - k_tail);
    m_tail.erase(m_tail.begin(), m_tail.begin() + static_cast<std::ptrdiff_t>(surplus));
  }
  m_tail.insert(m_tail.end(), last.begin(), last.end());
}

bool ContentSniffer::needs_middle() const {
  return !by_head() && m_text.may_be();
}

void ContentSniffer::skip(std::uint64_t bytes) {
  m_size += bytes;
  m_tail.clear();
}

std::optional<ContentType> ContentSniffer::by_head() const {
  const auto head = as_text(m_head);
  for (const auto& magic : k_magic) {
    if (head.starts_with(magic.begin)) return magic.type;
  }
  if (head.size() > 3 && head.starts_with("BZh") && head[3] >= '1' && head[3] <= '9') return ContentType::bzip2;
  if (is_tar_header(head)) return ContentType::tar;
  if (is_portable_executable(head)) return ContentType::pe;
  if (head.substr(0, 1024).find("%PDF-") != std::string_view::npos) return ContentType::pdf;
  if (head.size() > 8 && head[8] == '{') {
    const auto length = little_endian(head.substr(0, 8));
    if (length <= k_max_safetensors_header && length + 8 <= m_size) return ContentType::safetensors;
  }
  return std::nullopt;
}

/// APPNOTE 4.3.16. Readers look for the end record from the end of the file; the comment behind it has at most 65535
/// bytes and ends the file.
bool ContentSniffer::ends_as_zip() const {
  const auto tail = as_text(m_tail).substr(m_tail.size() > k_tail ? m_tail.size() - k_tail : 0);
  for (auto at = tail.rfind("PK\5\6"); at != std::string_view::npos; at = tail.rfind("PK\5\6", at - 1)) {
    if (tail.size() - at >= 22 && little_endian(tail.substr(at + 20, 2)) == tail.size() - at - 22) return true;
    if (at == 0) break;
  }
  return false;
}

ContentType ContentSniffer::type() const {
  if (m_size == 0) return ContentType::empty;
  if (ends_as_zip()) return ContentType::zip;
  if (const auto type = by_head()) return *type;
  if (!m_text.is_text()) return ContentType::unknown;
  const auto head = as_text(m_head);
  if (head.starts_with("-----BEGIN PGP ")) return ContentType::openpgp_armor;
  if (head.starts_with("-----BEGIN ")) return ContentType::pem;
  if (head.starts_with("#!")) return ContentType::script;
  if (m_json.is_oci()) return ContentType::oci_json;
  return m_json.is_json() ? ContentType::json : ContentType::text;
}

ContentType type_of_bytes(std::string_view bytes) {
  ContentSniffer sniffer;
  sniffer.feed(as_bytes(bytes));
  return sniffer.type();
}

ContentType type_of_file(int fd, std::string_view what) {
  const auto size = regular_size(fd, what);
  ContentSniffer sniffer;
  std::vector<std::uint8_t> block(ContentSniffer::k_tail);
  std::uint64_t at = 0;
  while (at < size) {
    const auto wanted = std::min<std::uint64_t>(at == 0 ? ContentSniffer::k_head : block.size(), size - at);
    const auto piece = std::span(block).first(static_cast<std::size_t>(wanted));
    if (!pread_exact(fd, piece, at, what)) fail(ErrorCode::io_error, "'{}' became shorter", printable(what));
    sniffer.feed(piece);
    at += wanted;
    if (size - at > ContentSniffer::k_tail && !sniffer.needs_middle()) {
      sniffer.skip(size - at - ContentSniffer::k_tail);
      at = size - ContentSniffer::k_tail;
    }
  }
  return sniffer.type();
}

}  // namespace liftlock
