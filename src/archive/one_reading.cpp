#include "archive/one_reading.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>

#include "archive/descriptor_input.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t k_block = 512;
/// node-tar passes larger ones over.
constexpr std::uint64_t k_max_extension = 1u << 20;

using Header = std::array<std::uint8_t, k_block>;

[[noreturn]] void differs(std::string_view what, std::string_view why) {
  fail(ErrorCode::package_malformed, "{} would be read differently by different programs: {}", what, why);
}

/// The bytes below the compression, in order.
class Unpacked {
 public:
  Unpacked(const TarFile& file, std::string_view what, std::uint64_t most)
      : m_kept(file.unpacked()), m_what(what), m_most(most) {
    if (m_kept) return;
    archive_read_support_format_raw(m_reader.get());
    archive_read_support_filter_gzip(m_reader.get());
    archive_entry* entry = nullptr;
    if (m_input.emplace(file.fd(), 0, file.packed_size()).open(m_reader.get()) != ARCHIVE_OK ||
        archive_read_next_header(m_reader.get(), &entry) != ARCHIVE_OK)
      broken();
  }

  /// @return false when nothing is left
  bool read(std::span<std::uint8_t> into) {
    std::size_t done = 0;
    while (done < into.size()) {
      const auto got = take(into.subspan(done));
      if (got == 0) break;
      done += got;
    }
    m_total += done;
    if (m_total > m_most)
      fail(ErrorCode::limit_exceeded, "{} would unpack to more than {}", m_what, format_size(m_most));
    if (done != 0 && done != into.size()) differs(m_what, "it ends within a block");
    return done != 0;
  }

 private:
  [[noreturn]] void broken() const {
    fail(ErrorCode::package_malformed, "{} cannot be read: {}", m_what, reader_words(m_reader.get()));
  }

  /// @return how many bytes; 0 at the end
  std::size_t take(std::span<std::uint8_t> into) {
    if (m_kept) {
      const auto size = std::min(into.size(), m_kept->size());
      std::memcpy(into.data(), m_kept->data(), size);
      m_kept = m_kept->subspan(size);
      return size;
    }
    const auto got = archive_read_data(m_reader.get(), into.data(), into.size());
    if (got < 0) broken();
    return static_cast<std::size_t>(got);
  }

  std::optional<std::span<const std::uint8_t>> m_kept;  ///< what is left of it
  std::optional<DescriptorInput> m_input;
  ReaderHandle m_reader{archive_read_new()};
  std::string_view m_what;
  std::uint64_t m_most;
  std::uint64_t m_total = 0;
};

class Walk {
 public:
  Walk(Unpacked& bytes, std::string_view what) : m_bytes(bytes), m_what(what) {}

  void run() {
    Header header{};
    while (m_bytes.read(header)) {
      if (is_zero(header)) return end();
      take(header);
    }
    if (m_extended) refuse("an extended header is followed by nothing");
  }

 private:
  [[noreturn]] void refuse(std::string_view why) const { differs(m_what, why); }

  static bool is_zero(const Header& block) {
    return std::all_of(block.begin(), block.end(), [](auto byte) { return byte == 0; });
  }

  /// One reader ends at the first block of zeros, another at the second, and a third at the end of the file.
  void end() {
    if (m_extended) refuse("an extended header is followed by nothing");
    Header block{};
    while (m_bytes.read(block)) {
      if (!is_zero(block)) refuse("something follows the block of zeros that ends it");
    }
  }

  /// Octal digits and nothing else; nullopt for a field without any.
  std::optional<std::uint64_t> number(std::string_view field, std::string_view name) const {
    while (field.starts_with(' ')) field.remove_prefix(1);
    std::uint64_t value = 0;
    std::size_t digits = 0;
    for (; digits < field.size() && field[digits] >= '0' && field[digits] <= '7'; ++digits)
      value = value * 8 + static_cast<unsigned>(field[digits] - '0');
    if (field.find_first_not_of(" \0"sv, digits) != std::string_view::npos)
      refuse(fmt::format("the {} in a header is no plain octal number", name));
    return digits == 0 ? std::nullopt : std::optional(value);
  }

  /// Text up to the first NUL. node-tar cuts at the end of a line there, too, and goes on with what follows that.
  std::string_view text(const Header& header, std::size_t at, std::size_t size) const {
    const auto field = as_text(std::span(header).subspan(at, size));
    const auto end = field.find('\0');
    if (end != std::string_view::npos && field.find_first_of("\n\r\xe2", end) != std::string_view::npos)
      refuse("a field of a header goes on behind its end");
    return field.substr(0, end);
  }

  void check_sum(const Header& header) const {
    const auto field = as_text(std::span(header).subspan(148, 8));
    const auto stated = number(field, "checksum");
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < header.size(); ++i) sum += i >= 148 && i < 156 ? ' ' : header[i];
    // node-tar reads on into the type where nothing ends the number.
    if (!stated || *stated != sum || (field.back() != ' ' && field.back() != '\0'))
      refuse("the checksum of a header is wrong");
  }

  /// What stands in front of the name, where a reader takes it.
  void check_prefix(const Header& header) const {
    const auto magic = as_text(std::span(header).subspan(257, 8));
    const auto prefix = text(header, 345, 155);
    if (magic.starts_with("ustar\0"sv) && magic != "ustar\00000"sv && !prefix.empty())
      refuse("a header has a version that not all go by");
    if (magic == "ustar\00000"sv && prefix.size() < 130 && header[475] != 0)
      refuse("a field of a header goes on behind its end");
  }

  void take(const Header& header) {
    check_sum(header);
    const char type = static_cast<char>(header[156]);
    const auto name = text(header, 0, 100);
    if (name.empty()) refuse("a header has no name");
    check_prefix(header);
    const auto size = number(as_text(std::span(header).subspan(124, 12)), "size");
    if (type == 'x' || type == 'g') return take_pax(extension(size), type == 'g');
    if (!text(header, 157, 100).empty()) refuse("a header that is no link has the target of one");
    if (type == 'L') return take_long_name(extension(size));
    if (type != '0' && type != '\0' && type != '5') refuse(fmt::format("it has a header of the type {:#04x}", type));
    take_entry(header, type, name, size);
  }

  void take_entry(const Header& header, char type, std::string_view name, std::optional<std::uint64_t> stated) {
    if (!stated && !m_size && type != '5') refuse("a header says no size");
    const auto size = m_size.value_or(stated.value_or(0));
    const bool folder = type == '5' || (m_path ? std::string_view(*m_path) : name).ends_with('/');
    if (folder && (size != 0 || stated.value_or(0) != 0)) refuse("a folder has content");
    // Where node-tar gets such a record in two pieces that part a letter, it goes by the header's own name.
    if (m_path && !is_ascii(*m_path) && decides(header, name))
      refuse("a name is stated twice, and means another file by the header than by the record");
    m_path.reset();
    m_size.reset();
    m_extended = false;
    Header block{};
    for (std::uint64_t left = size; left > 0; left -= std::min<std::uint64_t>(left, k_block)) {
      if (!m_bytes.read(block)) refuse("it ends within a file");
    }
  }

  static bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  }

  /// Does a package manager look at a file of this name before anybody runs anything?
  bool decides(const Header& header, std::string_view name) const {
    const auto whole = to_lower(fmt::format("{}/{}", text(header, 345, 155), name));
    const auto last = std::string_view(whole).substr(whole.rfind('/') + 1);
    return last == "package.json" || last == "npm-shrinkwrap.json" || last == "binding.gyp";
  }

  std::string extension(std::optional<std::uint64_t> size) {
    if (m_extended) refuse("an entry has two extended headers");
    if (!size) refuse("a header says no size");
    if (*size > k_max_extension) refuse("an extended header is larger than all programs take");
    std::string out((*size + k_block - 1) / k_block * k_block, '\0');
    if (!out.empty() && !m_bytes.read({reinterpret_cast<std::uint8_t*>(out.data()), out.size()}))
      refuse("it ends within an extended header");
    out.resize(*size);
    return out;
  }

  /// GNU's 'L': the name, and NULs behind it.
  void take_long_name(std::string_view name) {
    m_path = name.substr(0, name.find('\0'));
    if (name.find_first_not_of('\0', m_path->size()) != std::string_view::npos || m_path->empty() ||
        m_path->find('\n') != std::string::npos || !is_utf8(*m_path))
      refuse("a long name is no plain text");
    m_extended = true;
  }

  /// "LEN KEY=VALUE\n" … where each is one line, for node-tar goes by lines.
  void take_pax(std::string_view records, bool global) {
    std::set<std::string_view> keys;
    while (!records.empty()) {
      const auto line = records.substr(0, records.find('\n'));
      const auto blank = line.find(' ');
      const auto length = std::to_string(line.size() + 1);
      if (line.size() == records.size() || blank == std::string_view::npos || line.substr(0, blank) != length)
        refuse("a pax record is no line of the length that it states");
      const auto record = line.substr(blank + 1);
      const auto equals = record.find('=');
      if (equals == std::string_view::npos || equals == 0) refuse("a pax record has no key");
      const auto key = record.substr(0, equals);
      if (!keys.insert(key).second) refuse(fmt::format("the pax record '{}' is there twice", printable(key)));
      take_record(key, record.substr(equals + 1), global);
      records.remove_prefix(line.size() + 1);
    }
    if (!global) m_extended = true;
  }

  void take_record(std::string_view key, std::string_view value, bool global) {
    // Sparse files, which libarchive unfolds and node-tar does not know.
    if (key.starts_with("GNU.sparse") || key == "SCHILY.realsize" || key == "SUN.holesdata")
      refuse("it has a sparse file");
    if (key != "path" && key != "size" && key != "linkpath") return;
    if (global || key == "linkpath") refuse(fmt::format("a pax record states a {} that not all go by", key));
    if (key == "path") {
      if (value.empty() || value.find('\0') != std::string_view::npos || !is_utf8(value))
        refuse("a pax record's name is no plain text");
      m_path = value;
    } else {
      const auto size = parse_uint(value);
      if (!size || std::to_string(*size) != value || *size > (1ull << 53)) refuse("a pax record's size is none");
      m_size = size;
    }
  }

  Unpacked& m_bytes;
  std::string_view m_what;
  bool m_extended = false;  ///< headers for the next entry were read
  std::optional<std::string> m_path;
  std::optional<std::uint64_t> m_size;
};

}  // namespace

void require_one_reading(int fd, std::string_view what, const TarLimits& limits) {
  require_one_reading(TarFile(fd, what), what, limits);
}

void require_one_reading(const TarFile& file, std::string_view what, const TarLimits& limits) {
  // Headers and the rest of each last block are no content: four blocks for each entry, and what ends the archive.
  const auto overhead = limits.entries * 4 * k_block + (1u << 20);
  Unpacked bytes(file, what, limits.free_size + limits.ratio * file.packed_size() + overhead);
  Walk(bytes, what).run();
}

}  // namespace liftlock
