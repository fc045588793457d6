#include "intake/container.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "archive/descriptor_input.hpp"
#include "archive/zip_reader.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t k_block = 512;
constexpr std::size_t k_max_name = 4096;
constexpr std::uint64_t k_max_extension = 1u << 20;  // of a pax header, or of GNU's long name
constexpr int k_max_links = 8;

[[noreturn]] void malformed(std::string_view why) {
  fail(ErrorCode::package_malformed, "the archive is no sound tar: {}", why);
}

struct Magic {
  std::size_t at;
  std::string_view bytes;
  std::string_view form;
};
constexpr std::array k_magics = {
    Magic{0, "PK\x03\x04"sv, "zip"},       Magic{0, "\x1f\x8b"sv, "tar.gz"}, Magic{0, "\x28\xb5\x2f\xfd"sv, "tar.zst"},
    Magic{0, "\xfd\x37zXZ\0"sv, "tar.xz"}, Magic{0, "BZh"sv, "tar.bz2"},     Magic{257, "ustar"sv, "tar"}};

std::string_view text_at(std::span<const std::uint8_t> header, std::size_t at, std::size_t size) {
  const auto field = as_text(header.subspan(at, size));
  return field.substr(0, field.find('\0'));
}

/// Octal digits between blanks and NULs, or GNU's base-256.
std::uint64_t number_at(std::span<const std::uint8_t> header, std::size_t at, std::size_t size) {
  const auto field = header.subspan(at, size);
  if ((field[0] & 0x80) != 0) {
    std::uint64_t value = field[0] & 0x7f;
    for (std::size_t i = 1; i < size; ++i) {
      if (value >> 55 != 0) malformed("a number is too large");
      value = value << 8 | field[i];
    }
    return value;
  }
  std::uint64_t value = 0;
  auto text = as_text(field);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  for (const char c : text) {
    if (c == '\0' || c == ' ') break;
    if (c < '0' || c > '7' || value >> 60 != 0) malformed("a number is none");
    value = value * 8 + static_cast<unsigned>(c - '0');
  }
  return value;
}

void check_sum(std::span<const std::uint8_t> header) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < header.size(); ++i) sum += i >= 148 && i < 156 ? ' ' : header[i];
  if (sum != number_at(header, 148, 8)) malformed("a header's checksum is wrong");
}

/// May the owner execute it? Whatever else stands in the field for the mode is nobody's business here.
bool is_executable(std::span<const std::uint8_t> header) {
  auto mode = text_at(header, 100, 8);
  while (mode.ends_with(' ')) mode.remove_suffix(1);
  return mode.size() >= 3 && mode[mode.size() - 3] >= '0' && mode[mode.size() - 3] <= '7' &&
         ((mode[mode.size() - 3] - '0') & 1) != 0;
}

/// Without "./" in front; the caller parses it further. Empty for the root folder.
std::string plain_name(std::string_view name) {
  while (name.starts_with("./")) name.remove_prefix(2);
  while (name.ends_with('/')) name.remove_suffix(1);
  if (name == ".") return {};
  if (name.size() > k_max_name) malformed("a name is too long");
  if (name.starts_with('/')) fail(ErrorCode::path_unsafe, "the archive has the absolute path '{}'", printable(name));
  for (const auto part : split(name, '/')) {
    if (part == "..") fail(ErrorCode::path_unsafe, "the archive has the traversing path '{}'", printable(name));
  }
  return std::string(name);
}

/// What a symlink at `name` means, within the archive.
std::string link_target(std::string_view name, std::string_view target) {
  auto parts = split(name, '/');
  parts.pop_back();
  for (const auto part : split(target, '/')) {
    if (part == "..") {
      if (parts.empty()) return {};
      parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  return target.starts_with('/') ? std::string() : fmt::format("{}", fmt::join(parts, "/"));
}

/// POSIX.1-2017 pax interchange format, with GNU's long names; the members of GNU's sparse and multi-volume archives
/// are refused.
class TarIndex {
 public:
  TarIndex(int file, std::uint64_t size, const ContainerLimits& limits)
      : m_file(file), m_size(size), m_limits(limits) {}

  std::vector<ContainerMember> run() {
    std::array<std::uint8_t, k_block> header{};
    while (m_at < m_size) {
      read(header, m_at);
      m_at += k_block;
      if (std::all_of(header.begin(), header.end(), [](auto byte) { return byte == 0; })) {
        check_end();
        return finish();
      }
      check_sum(header);
      take(header);
    }
    malformed("it has no end");
  }

 private:
  struct Link {
    std::string name;
    std::string target;
    bool symbolic;
  };

  void read(std::span<std::uint8_t> into, std::uint64_t at) const {
    if (at > m_size || m_size - at < into.size() || !pread_exact(m_file, into, at, "an archive"))
      malformed("it is truncated");
  }

  /// Nothing but zeros may follow; what another reader finds behind the end would be another archive.
  void check_end() const {
    std::vector<std::uint8_t> buffer(64 * k_block);
    for (auto at = m_at; at < m_size;) {
      const auto part = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), m_size - at));
      read(part, at);
      if (std::any_of(part.begin(), part.end(), [](auto byte) { return byte != 0; }))
        malformed("there is something behind its end");
      at += part.size();
    }
  }

  std::string extension(std::uint64_t size) {
    if (size > k_max_extension) malformed("an extended header is too large");
    std::string out(size, '\0');
    read({reinterpret_cast<std::uint8_t*>(out.data()), out.size()}, m_at);
    skip(size);
    return out;
  }

  void skip(std::uint64_t size) {
    const auto padded = (size + k_block - 1) / k_block * k_block;
    if (padded < size || padded > m_size - m_at) malformed("it is truncated");
    m_at += padded;
  }

  /// "LEN KEY=VALUE\n" …
  void take_pax(std::string_view text, bool global) {
    while (!text.empty()) {
      const auto blank = text.find(' ');
      const auto length = blank == std::string_view::npos ? std::nullopt : parse_uint(text.substr(0, blank));
      if (!length || *length <= blank + 1 || *length > text.size() || text[*length - 1] != '\n')
        malformed("an extended header is broken");
      const auto record = text.substr(blank + 1, *length - blank - 2);
      text.remove_prefix(*length);
      const auto equals = record.find('=');
      if (equals == std::string_view::npos) malformed("an extended header is broken");
      const auto key = record.substr(0, equals), value = record.substr(equals + 1);
      if (key.starts_with("GNU.sparse")) malformed("it has a sparse file");
      if (key != "path" && key != "linkpath" && key != "size") continue;
      if (global) malformed("a global header names a file");
      if (key == "path") m_path = value;
      if (key == "linkpath") m_link = value;
      if (key == "size") {
        m_entry_size = parse_uint(value);
        if (!m_entry_size) malformed("a number is none");
      }
    }
  }

  void take(std::span<const std::uint8_t> header) {
    const char type = static_cast<char>(header[156]);
    const auto stated = number_at(header, 124, 12);
    if (type == 'x') return take_pax(extension(stated), false);
    if (type == 'g') return take_pax(extension(stated), true);
    if (type == 'L' || type == 'K') {
      const auto text = extension(stated);
      (type == 'L' ? m_path : m_link) = text.substr(0, text.find('\0'));
      return;
    }
    std::string path(text_at(header, 0, 100));
    if (as_text(header.subspan(257, 6)) == "ustar\0"sv) {
      if (const auto prefix = text_at(header, 345, 155); !prefix.empty()) path = std::string(prefix) + "/" + path;
    }
    const auto name = plain_name(m_path ? *m_path : path);
    const auto link = m_link ? *m_link : std::string(text_at(header, 157, 100));
    const auto size = m_entry_size.value_or(stated);
    m_path.reset();
    m_link.reset();
    m_entry_size.reset();
    take_entry(type, name, link, size, is_executable(header));
  }

  void take_entry(char type, const std::string& name, const std::string& link, std::uint64_t size, bool executable) {
    if (type == '5') return;
    if (name.empty()) malformed("a member has no name");
    if (m_members.size() + m_links.size() >= m_limits.members)
      fail(ErrorCode::limit_exceeded, "the archive has more than {} members", m_limits.members);
    if (!m_names.insert(name).second) fail(ErrorCode::path_collision, "the archive has '{}' twice", printable(name));
    if (type == '1' || type == '2') {
      const auto target = type == '1' ? plain_name(link) : link_target(name, link);
      if (target.empty()) fail(ErrorCode::path_unsafe, "the link '{}' leaves the archive", printable(name));
      m_links.push_back({.name = name, .target = target, .symbolic = type == '2'});
      return;
    }
    if (type != '0' && type != '\0' && type != '7')
      fail(ErrorCode::not_regular, "'{}' in the archive is a special file", printable(name));
    m_members.push_back({.name = name, .offset = m_at, .size = size, .executable = executable});
    skip(size);
  }

  /// Links become what they mean; those that mean a folder, or nothing, are left out.
  std::vector<ContainerMember> finish() {
    std::map<std::string, std::size_t> by_name;
    for (std::size_t i = 0; i < m_members.size(); ++i) by_name.emplace(m_members[i].name, i);
    std::map<std::string, std::string> links;
    for (const auto& link : m_links) links.emplace(link.name, link.target);
    for (const auto& link : m_links) {
      auto target = link.target;
      for (int hops = 0; hops < k_max_links && links.contains(target); ++hops) target = links.at(target);
      const auto found = by_name.find(target);
      if (found == by_name.end()) continue;
      const auto& meant = m_members[found->second];
      m_members.push_back({.name = link.name,
                           .offset = meant.offset,
                           .size = meant.size,
                           .executable = meant.executable,
                           .meant = link.symbolic ? target : std::string()});
    }
    return std::move(m_members);
  }

  int m_file;
  std::uint64_t m_size;
  const ContainerLimits& m_limits;
  std::uint64_t m_at = 0;
  std::optional<std::string> m_path, m_link;
  std::optional<std::uint64_t> m_entry_size;
  std::vector<ContainerMember> m_members;
  std::vector<Link> m_links;
  std::set<std::string> m_names;
};

/// Takes the compression off, and nothing else.
std::uint64_t decompress(int file, int out, std::string_view form, const ContainerLimits& limits) {
  const auto most = std::min(limits.unpacked, limits.free_size + limits.ratio * regular_size(file, "an archive"));
  DescriptorInput input(file);
  const ReaderHandle reader(archive_read_new());
  archive_read_support_format_raw(reader.get());
  if (form == "tar.gz") archive_read_support_filter_gzip(reader.get());
  if (form == "tar.zst") archive_read_support_filter_zstd(reader.get());
  if (form == "tar.xz") archive_read_support_filter_xz(reader.get());
  if (form == "tar.bz2") archive_read_support_filter_bzip2(reader.get());
  const auto stop = [&] { malformed(reader_words(reader.get())); };
  archive_entry* entry = nullptr;
  if (input.open(reader.get()) != ARCHIVE_OK) stop();
  if (archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK) stop();
  std::vector<std::uint8_t> buffer(1u << 20);
  for (std::uint64_t done = 0;;) {
    const auto got = archive_read_data(reader.get(), buffer.data(), buffer.size());
    if (got < 0) stop();
    if (got == 0) return done;
    done += static_cast<std::uint64_t>(got);
    if (done > most) fail(ErrorCode::limit_exceeded, "the archive unpacks to more than {}", format_size(most));
    write_all(out, std::span(buffer).first(static_cast<std::size_t>(got)), "the unpacked archive");
  }
}

std::vector<ContainerMember> zip_members(int file, const ContainerLimits& limits) {
  constexpr std::uint16_t k_descriptor = 1u << 3;
  const ZipReader zip(file, {.entries = limits.members, .entry_size = 1ull << 44, .ratio = 2});
  std::vector<ContainerMember> out;
  for (const auto& entry : zip.entries()) {
    if (entry.is_folder()) continue;
    if (entry.method != 0) {
      throw Error(ErrorCode::package_malformed, fmt::format("'{}' is compressed", printable(entry.name)),
                  "pack it as a tar, or without compression (`zip -0 -r`): what lies in it is read in place");
    }
    if ((entry.flags & k_descriptor) != 0)
      fail(ErrorCode::package_malformed, "'{}' says its size behind its content", printable(entry.name));
    out.push_back({entry.name, zip.content_offset(entry), entry.size});
  }
  return out;
}

}  // namespace

std::string container_form(int file) {
  const auto size = regular_size(file, "a file");
  std::vector<std::uint8_t> head(std::min<std::uint64_t>(size, k_block));
  if (!pread_exact(file, head, 0, "a file")) return {};
  for (const auto& magic : k_magics) {
    const auto text = as_text(head);
    if (text.size() > magic.at && text.substr(magic.at).starts_with(magic.bytes)) return std::string(magic.form);
  }
  return {};
}

bool is_one_file(std::string_view name) {
  const auto lower = to_lower(name);
  return lower.ends_with(".whl") || lower.ends_with(".deb") || lower.ends_with(".rpm") || lower.ends_with(".gguf") ||
         lower.ends_with(".safetensors") || lower.ends_with(".onnx");
}

Container list_container(int file, int out, const ContainerLimits& limits) {
  Container found{.form = container_form(file), .unpacked = false, .members = {}};
  if (found.form.empty()) fail(ErrorCode::package_malformed, "it is neither a tar nor a zip archive");
  if (found.form == "zip") {
    found.members = zip_members(file, limits);
  } else if (found.form == "tar") {
    found.members = TarIndex(file, regular_size(file, "an archive"), limits).run();
  } else {
    const auto size = decompress(file, out, found.form, limits);
    found.unpacked = true;
    found.members = TarIndex(out, size, limits).run();
  }
  return found;
}

Json to_json(const Container& container) {
  auto members = Json::array();
  for (const auto& one : container.members) {
    Json member = {{"name", encode_hex(as_bytes(one.name))}, {"offset", one.offset}, {"size", one.size}};
    if (one.executable) member["executable"] = true;
    if (!one.meant.empty()) member["meant"] = encode_hex(as_bytes(one.meant));
    members.push_back(std::move(member));
  }
  return {{"form", container.form}, {"unpacked", container.unpacked}, {"members", std::move(members)}};
}

Container container_from_json(const Json& json, std::uint64_t size_of_file, std::uint64_t size_of_unpacked) {
  constexpr std::string_view where = "the answer of a cell";
  Container out{
      .form = string_member(json, "form", where), .unpacked = bool_member(json, "unpacked", where), .members = {}};
  const auto size = out.unpacked ? size_of_unpacked : size_of_file;
  for (const auto& one : array_member(json, "members", where)) {
    const auto text = [&](std::string_view key) {
      const auto bytes = one.contains(key) ? decode_hex(string_member(one, key, where)) : std::nullopt;
      return bytes ? std::string(as_text(*bytes)) : std::string();
    };
    ContainerMember member{.name = text("name"),
                           .offset = uint_member(one, "offset", where),
                           .size = uint_member(one, "size", where),
                           .executable = one.contains("executable") && bool_member(one, "executable", where),
                           .meant = text("meant")};
    if (member.name.empty() || member.offset > size || member.size > size - member.offset)
      fail(ErrorCode::schema_violation, "{}: '{}' lies outside of its file", where, printable(member.name));
    out.members.push_back(std::move(member));
  }
  return out;
}

}  // namespace liftlock
