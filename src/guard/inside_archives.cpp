#include "guard/inside_archives.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_block = 64u << 10;
constexpr std::size_t k_head = 4096;  ///< of a member: enough to tell whether it is an archive
constexpr std::uint64_t k_zip_in_memory = 256u << 20;
constexpr std::uint64_t k_free_bytes = 64u << 20;  ///< up to here the ratio is not looked at
constexpr std::size_t k_max_path = 2000;

/// The reading of one file of the bundle ends here; why is in the report already.
struct Ended {};

struct FreeArchive {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using ReadArchive = std::unique_ptr<archive, FreeArchive>;

/// Where libarchive gets the bytes of one level from. No exception may pass through libarchive.
class Input {
 public:
  virtual ~Input() = default;
  /// The next bytes, empty at the end; nullopt when the level below broke.
  virtual std::optional<std::span<const std::uint8_t>> next() = 0;
  virtual bool can_seek() const { return false; }
  virtual std::optional<std::int64_t> seek(std::int64_t, int) { return std::nullopt; }

 protected:
  /// whence as lseek(2) has it.
  static std::optional<std::int64_t> target(std::int64_t offset, int whence, std::uint64_t at, std::uint64_t size) {
    const auto base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? at : size;
    const auto place = static_cast<std::int64_t>(base) + offset;
    if (place < 0 || place > static_cast<std::int64_t>(size)) return std::nullopt;
    return place;
  }
};

class FileInput final : public Input {
 public:
  FileInput(int fd, std::uint64_t size) : m_fd(fd), m_size(size), m_block(k_block) {}

  std::optional<std::span<const std::uint8_t>> next() override {
    ssize_t got = -1;
    do {
      got = ::pread(m_fd, m_block.data(), m_block.size(), static_cast<off_t>(m_at));
    } while (got < 0 && errno == EINTR);
    if (got < 0) return std::nullopt;
    m_at += static_cast<std::uint64_t>(got);
    return std::span(m_block).first(static_cast<std::size_t>(got));
  }
  bool can_seek() const override { return true; }
  std::optional<std::int64_t> seek(std::int64_t offset, int whence) override {
    const auto place = target(offset, whence, m_at, m_size);
    if (place) m_at = static_cast<std::uint64_t>(*place);
    return place;
  }

 private:
  int m_fd;
  std::uint64_t m_size;
  std::uint64_t m_at = 0;
  std::vector<std::uint8_t> m_block;
};

class MemoryInput final : public Input {
 public:
  explicit MemoryInput(std::vector<std::uint8_t> bytes) : m_bytes(std::move(bytes)) {}

  std::optional<std::span<const std::uint8_t>> next() override {
    const auto rest = std::span<const std::uint8_t>(m_bytes).subspan(static_cast<std::size_t>(m_at));
    const auto piece = rest.first(std::min(rest.size(), k_block));
    m_at += piece.size();
    return piece;
  }
  bool can_seek() const override { return true; }
  std::optional<std::int64_t> seek(std::int64_t offset, int whence) override {
    const auto place = target(offset, whence, m_at, m_bytes.size());
    if (place) m_at = static_cast<std::uint64_t>(*place);
    return place;
  }

 private:
  std::vector<std::uint8_t> m_bytes;
  std::uint64_t m_at = 0;
};

la_ssize_t read_input(archive* handle, void* self, const void** out) {
  const auto bytes = static_cast<Input*>(self)->next();
  if (!bytes) {
    archive_set_error(handle, EIO, "the level below cannot be read");
    return ARCHIVE_FATAL;
  }
  *out = bytes->data();
  return static_cast<la_ssize_t>(bytes->size());
}

la_int64_t seek_input(archive*, void* self, la_int64_t offset, int whence) {
  return static_cast<Input*>(self)->seek(offset, whence).value_or(ARCHIVE_FATAL);
}

bool is_compression(ContentType type) {
  return type == ContentType::gzip || type == ContentType::bzip2 || type == ContentType::xz ||
         type == ContentType::zstd;
}

bool can_open(ContentType type) {
  return is_compression(type) || type == ContentType::zip || type == ContentType::tar || type == ContentType::ar ||
         type == ContentType::deb;
}

ReadArchive open_archive(ContentType type, Input& input) {
  ReadArchive handle(archive_read_new());
  if (!handle) fail(ErrorCode::memory_limit, "no memory for reading an archive");
  auto* a = handle.get();
  // Exactly what the bytes were found to be: two readers of one level would be one too many.
  if (type == ContentType::gzip) archive_read_support_filter_gzip(a);
  if (type == ContentType::bzip2) archive_read_support_filter_bzip2(a);
  if (type == ContentType::xz) archive_read_support_filter_xz(a);
  if (type == ContentType::zstd) archive_read_support_filter_zstd(a);
  if (is_compression(type)) {
    archive_read_support_format_raw(a);
    archive_read_support_format_empty(a);
  } else if (type == ContentType::zip) {
    archive_read_support_format_zip_seekable(a);
  } else if (type == ContentType::tar) {
    archive_read_support_format_tar(a);
    // What follows the end of a tar is read, too, or is an error: nothing hides there.
    archive_read_set_format_option(a, "tar", "read_concatenated_archives", "1");
  } else {
    archive_read_support_format_ar(a);
  }
  archive_read_set_read_callback(a, &read_input);
  if (input.can_seek()) archive_read_set_seek_callback(a, &seek_input);
  archive_read_set_callback_data(a, &input);
  return handle;
}

std::string why_unsafe(std::string_view path) {
  if (path.starts_with('/')) return "an absolute name";
  for (const auto part : split(path, '/')) {
    if (part == "..") return "a name with '..'";
  }
  return path.find('\\') == std::string_view::npos ? "" : "a name with a backslash";
}

class Levels {
 public:
  Levels(const UnpackRules& rules, std::uint64_t packed) : m_rules(rules), m_packed(packed) {}

  void open(Input& input, ContentType type, const std::string& path, unsigned level) {
    const auto handle = open_archive(type, input);
    if (archive_read_open1(handle.get()) != ARCHIVE_OK) return unreadable(handle.get(), path);
    if (is_compression(type)) {
      read_stream(handle.get(), type, path, level);
    } else {
      read_members(handle.get(), path, level);
    }
  }

  void breach(GuardRule rule, const std::string& path, std::string message) {
    if (m_over) return;  // what the levels above notice of the end is nothing new
    if (m_report.count++ < InsideReport::k_most) {
      m_report.breaches.push_back({rule, printable(path.substr(0, k_max_path)), std::move(message)});
    }
  }

  InsideReport report() && { return std::move(m_report); }

  /// May an archive lie at this level? Says so when not.
  bool may_nest(ContentType type, const std::string& path, unsigned level) {
    if (level > m_rules.max_nesting) {
      breach(GuardRule::nesting, path,
             fmt::format("{} at level {}, {} {} allowed", name(type), level, m_rules.max_nesting,
                         m_rules.max_nesting == 1 ? "is" : "are"));
      return false;
    }
    if (can_open(type)) return true;
    breach(GuardRule::unreadable, path, fmt::format("{} is not opened here", name(type)));
    return false;
  }

 private:
  /// A member's bytes as they come out: counted, and looked at for its type.
  class MemberInput final : public Input {
   public:
    MemberInput(Levels& levels, archive* handle, const std::string& path)
        : m_levels(levels), m_handle(handle), m_path(path), m_block(k_block) {
      m_head.reserve(k_head);
      while (m_head.size() < k_head) {
        const auto piece = pull(k_head - m_head.size());
        if (piece.empty()) break;
        m_head.insert(m_head.end(), piece.begin(), piece.end());
      }
    }

    /// By the bytes so far: by the head before anything else is read, by everything once drained.
    ContentType type() const { return m_sniffer.type(); }

    std::optional<std::span<const std::uint8_t>> next() override {
      try {
        if (!m_head_given) {
          m_head_given = true;
          if (!m_head.empty()) return m_head;
        }
        return pull(m_block.size());
      } catch (const Ended&) {
        m_ended = true;
      } catch (const std::bad_alloc&) {
        m_levels.breach(GuardRule::unreadable, m_path, "no memory to look at it");
        m_levels.m_over = m_ended = true;
      }
      return std::nullopt;
    }

    /// To the end; what ended the reading meanwhile ends it here.
    void drain() {
      while (!m_ended) {
        const auto piece = next();
        if (!piece) break;
        if (piece->empty()) return;
      }
      throw Ended{};
    }

   private:
    std::span<const std::uint8_t> pull(std::size_t most) {
      if (m_broken) return {};
      const auto got = archive_read_data(m_handle, m_block.data(), std::min(most, m_block.size()));
      if (got < 0) {
        m_broken = true;
        m_levels.unreadable(m_handle, m_path);
        return {};
      }
      const auto piece = std::span<const std::uint8_t>(m_block).first(static_cast<std::size_t>(got));
      m_levels.count_bytes(piece.size(), m_path);
      m_sniffer.feed(piece);
      return piece;
    }

    Levels& m_levels;
    archive* m_handle;
    const std::string& m_path;
    std::vector<std::uint8_t> m_block;
    std::vector<std::uint8_t> m_head;
    bool m_head_given = false;
    bool m_broken = false;
    bool m_ended = false;
    ContentSniffer m_sniffer;
  };

  void unreadable(archive* handle, const std::string& path) {
    const char* words = archive_error_string(handle);
    breach(GuardRule::unreadable, path, printable(words == nullptr ? "it cannot be read" : words));
  }

  void count_bytes(std::uint64_t bytes, const std::string& path) {
    m_report.bytes += bytes;
    if (m_report.bytes > m_rules.max_bytes) {
      end(GuardRule::unpacked_size, path, fmt::format("unpacks to more than {}", format_size(m_rules.max_bytes)));
    }
    if (m_report.bytes > k_free_bytes && m_report.bytes / m_rules.max_ratio > m_packed) {
      end(GuardRule::unpacked_size, path, fmt::format("unpacks to more than {} times its size", m_rules.max_ratio));
    }
  }

  void count_file(const std::string& path) {
    if (++m_report.files <= m_rules.max_files) return;
    end(GuardRule::unpacked_count, path, fmt::format("more than {} files come out", m_rules.max_files));
  }

  [[noreturn]] void end(GuardRule rule, const std::string& path, std::string message) {
    breach(rule, path, std::move(message));
    m_over = true;
    throw Ended{};
  }

  void judge_type(ContentType type, const std::string& path) {
    if (allows(m_rules.types, type)) return;
    breach(GuardRule::nested_type, path, fmt::format("{} is not allowed in archives", name(type)));
  }

  /// What one or several compressions of the same kind are around: libarchive undoes them all at once.
  void read_stream(archive* handle, ContentType type, const std::string& path, unsigned level) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(handle, &entry);
    if (status == ARCHIVE_EOF) return;  // nothing is in it
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return unreadable(handle, path);
    auto inner = path;
    for (int filters = archive_filter_count(handle); filters > 2; --filters) {
      inner += "!";
      count_file(inner);
      judge_type(type, inner);
      if (!may_nest(type, inner, ++level)) return;
    }
    inner += "!";
    count_file(inner);
    read_member(handle, inner, level);
  }

  void read_members(archive* handle, const std::string& path, unsigned level) {
    archive_entry* entry = nullptr;
    while (true) {
      const int status = archive_read_next_header(handle, &entry);
      if (status == ARCHIVE_EOF) return;
      if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return unreadable(handle, path);
      const char* raw = archive_entry_pathname(entry);
      if (raw == nullptr) raw = archive_entry_pathname_utf8(entry);
      if (raw == nullptr) {
        breach(GuardRule::unreadable, path, "a member has no readable name");
        continue;
      }
      const auto inner = path + "!" + std::string(raw).substr(0, k_max_path);
      count_file(inner);
      if (const auto why = why_unsafe(raw); !why.empty()) breach(GuardRule::unsafe_name, inner, why);
      if (archive_entry_hardlink(entry) != nullptr || archive_entry_filetype(entry) == AE_IFLNK) {
        judge_type(ContentType::link, inner);
      } else if (archive_entry_filetype(entry) == AE_IFREG) {
        if (archive_entry_is_encrypted(entry) != 0) {
          breach(GuardRule::unreadable, inner, "it is encrypted");
        } else {
          read_member(handle, inner, level);
        }
      } else if (archive_entry_filetype(entry) != AE_IFDIR) {
        judge_type(ContentType::device, inner);
      }
    }
  }

  void read_member(archive* handle, const std::string& path, unsigned level) {
    MemberInput input(*this, handle, path);
    const auto begun = input.type();
    const bool nests = is_archive(begun) && may_nest(begun, path, level + 1);
    if (nests && begun == ContentType::zip) {
      read_zip(input, path, level + 1);
    } else if (nests) {
      open(input, begun, path, level + 1);
    }
    input.drain();
    const auto type = input.type();
    judge_type(type, path);
    if (is_archive(type) && !is_archive(begun) && may_nest(type, path, level + 1)) {
      breach(GuardRule::unreadable, path, "it ends as a zip, but does not begin as one");
    }
  }

  /// A zip is read by its directory, at its end.
  void read_zip(MemberInput& input, const std::string& path, unsigned level) {
    std::vector<std::uint8_t> bytes;
    while (const auto piece = input.next()) {
      if (piece->empty()) break;
      if (m_in_memory + bytes.size() + piece->size() > k_zip_in_memory) {
        return breach(GuardRule::unreadable, path,
                      fmt::format("a zip in an archive is opened up to {}", format_size(k_zip_in_memory)));
      }
      bytes.insert(bytes.end(), piece->begin(), piece->end());
    }
    const auto size = bytes.size();
    MemoryInput held(std::move(bytes));
    m_in_memory += size;
    open(held, ContentType::zip, path, level);
    m_in_memory -= size;
  }

  const UnpackRules& m_rules;
  std::uint64_t m_packed;
  std::uint64_t m_in_memory = 0;  ///< zips that are held while their members are read
  bool m_over = false;
  InsideReport m_report;
};

constexpr std::string_view k_where = "the answer of the cell";

}  // namespace

InsideReport look_inside(int fd, ContentType type, unsigned level, const UnpackRules& rules) {
  const auto size = regular_size(fd, "an archive");
  Levels levels(rules, size);
  try {
    FileInput input(fd, size);
    if (levels.may_nest(type, "", level)) levels.open(input, type, "", level);
  } catch (const Ended&) {
  }
  return std::move(levels).report();
}

std::string write_inside_request(ContentType type, unsigned level, const UnpackRules& rules) {
  auto types = Json::array();
  for (const auto one : rules.types) types.push_back(name(one));
  return dump_json_line({{"type", name(type)},
                         {"level", level},
                         {"max_nesting", rules.max_nesting},
                         {"types", std::move(types)},
                         {"max_files", rules.max_files},
                         {"max_bytes", rules.max_bytes},
                         {"max_ratio", rules.max_ratio}});
}

std::string answer_inside_request(std::string_view request, int fd) {
  constexpr std::string_view where = "a request to look into an archive";
  const auto json = parse_json(request);
  const auto type_member = [&](const Json& value) {
    const auto type = value.is_string() ? parse_content_type(value.get<std::string>()) : std::nullopt;
    if (!type) fail(ErrorCode::schema_violation, "{}: no such type", where);
    return *type;
  };
  UnpackRules rules;
  rules.max_nesting = static_cast<unsigned>(uint_member(json, "max_nesting", where));
  for (const auto& one : array_member(json, "types", where)) rules.types.insert(type_member(one));
  rules.max_files = uint_member(json, "max_files", where);
  rules.max_bytes = uint_member(json, "max_bytes", where);
  rules.max_ratio = uint_member(json, "max_ratio", where);
  const auto report = look_inside(fd, type_member(member(json, "type", where)),
                                  static_cast<unsigned>(uint_member(json, "level", where)), rules);
  auto breaches = Json::array();
  for (const auto& one : report.breaches) {
    breaches.push_back({{"rule", name(one.rule)}, {"path", one.path}, {"message", one.message}});
  }
  return dump_json_line(
      {{"breaches", std::move(breaches)}, {"count", report.count}, {"files", report.files}, {"bytes", report.bytes}});
}

InsideReport parse_inside_answer(std::string_view answer) {
  const auto json = parse_json(answer);
  InsideReport report;
  report.count = uint_member(json, "count", k_where);
  report.files = uint_member(json, "files", k_where);
  report.bytes = uint_member(json, "bytes", k_where);
  for (const auto& one : array_member(json, "breaches", k_where)) {
    const auto rule = parse_guard_rule(string_member(one, "rule", k_where));
    if (!rule || report.breaches.size() == InsideReport::k_most) {
      fail(ErrorCode::schema_violation, "{} names no such rule, or too many breaches", k_where);
    }
    report.breaches.push_back(
        {*rule, printable(string_member(one, "path", k_where)), printable(string_member(one, "message", k_where))});
  }
  return report;
}

}  // namespace liftlock
