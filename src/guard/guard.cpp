#include "guard/guard.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/sha256sums.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

using Place = GuardedFile::Place;

class Judgement {
 public:
  Judgement(const GuardProfile& profile, GuardReport& report) : m_profile(profile), m_report(report) {}

  void breach(GuardRule rule, const std::string& path, std::string message) {
    if (m_report.count++ < GuardReport::k_most)
      m_report.breaches.push_back({rule, printable(path), std::move(message)});
  }

  void take(const InsideReport& inside, const std::string& path) {
    for (const auto& one : inside.breaches) breach(one.rule, path + one.path, one.message);
    m_report.count += inside.count - inside.breaches.size();
  }

  void judge_bundle(const std::vector<GuardedFile>& files) {
    std::uint64_t bytes = 0;
    std::uint64_t count = 0;
    std::uint64_t member_bytes = 0;
    std::uint64_t members = 0;
    for (const auto& file : files) {
      (file.place == Place::in_tar ? member_bytes : bytes) += file.size;
      ++(file.place == Place::in_tar ? members : count);
    }
    if (bytes > m_profile.max_bundle_size) {
      breach(GuardRule::bundle_size, "", too_large(bytes, m_profile.max_bundle_size));
    }
    if (count > m_profile.max_files) {
      breach(GuardRule::file_count, "", fmt::format("{} files, {} are allowed", count, m_profile.max_files));
    }
    if (!m_profile.unpack) return;
    if (members > m_profile.unpack->max_files) {
      breach(GuardRule::unpacked_count, "content.tar",
             fmt::format("{} files come out, {} are allowed", members, m_profile.unpack->max_files));
    }
    if (member_bytes > m_profile.unpack->max_bytes) {
      breach(GuardRule::unpacked_size, "content.tar", too_large(member_bytes, m_profile.unpack->max_bytes));
    }
  }

  void judge_file(const GuardedFile& file, ContentType type) {
    if (file.place == Place::in_tar) {
      if (!m_profile.unpack || allows(m_profile.unpack->types, type)) return;
      return breach(GuardRule::nested_type, file.path, fmt::format("{} is not allowed in archives", name(type)));
    }
    if (!allows(m_profile.types, type)) {
      breach(GuardRule::type, file.path, fmt::format("{} is not allowed", name(type)));
    }
    if (file.type && is_archive(type) && m_profile.unpack && m_profile.unpack->max_nesting == 0) {
      breach(GuardRule::nesting, file.path, fmt::format("{} at level 1, 0 are allowed", name(type)));
    }
    if (file.size > m_profile.max_file_size) {
      breach(GuardRule::file_size, file.path, too_large(file.size, m_profile.max_file_size));
    }
    judge_path(file.path);
  }

 private:
  static std::string too_large(std::uint64_t bytes, std::uint64_t most) {
    return fmt::format("{} bytes ({}), {} are allowed", bytes, format_size(bytes), most);
  }

  void judge_path(const std::string& path) {
    const auto parts = split(path, '/');
    if (path.size() > m_profile.max_path_length) {
      breach(GuardRule::path_length, path,
             fmt::format("a path of {} bytes, {} are allowed", path.size(), m_profile.max_path_length));
    }
    if (parts.size() - 1 > m_profile.max_depth) {
      breach(GuardRule::depth, path,
             fmt::format("{} folders deep, {} are allowed", parts.size() - 1, m_profile.max_depth));
    }
    const auto longest =
        std::max_element(parts.begin(), parts.end(), [](auto a, auto b) { return a.size() < b.size(); });
    if (longest->size() > m_profile.max_name_length) {
      breach(GuardRule::name_length, path,
             fmt::format("a name of {} bytes, {} are allowed", longest->size(), m_profile.max_name_length));
    }
    for (const char c : path) {
      if (c == '/' || m_profile.name_characters.test(static_cast<unsigned char>(c))) continue;
      breach(GuardRule::name_characters, path, fmt::format("the character '{}' is not allowed", printable({&c, 1})));
      break;
    }
  }

  const GuardProfile& m_profile;
  GuardReport& m_report;
};

}  // namespace

Guard::Guard(GuardProfile profile, LookInside look_inside)
    : m_profile(std::move(profile)), m_look_inside(std::move(look_inside)) {}

std::optional<InsideReport> Guard::inside_of(const GuardedFile& file, ContentType type, int fd) const {
  if (!m_profile.unpack || !is_archive(type) || fd < 0) return std::nullopt;
  const unsigned level = file.place == Place::in_tar ? 2 : 1;
  try {
    return parse_inside_answer(m_look_inside(write_inside_request(type, level, *m_profile.unpack), fd));
  } catch (const Error& error) {
    return InsideReport{.breaches = {{GuardRule::unreadable, "", printable(error.message())}}, .count = 1};
  }
}

Guard::Seen Guard::look_at(const GuardedFile& file, Archives archives) {
  if (file.type) return {*file.type, {}};
  if (file.place == Place::in_tar && !m_profile.unpack) return {};  // nobody looks
  if (file.text) return {type_of_bytes(*file.text), {}};
  if (file.digest) {
    const std::lock_guard lock(m_mutex);
    if (const auto found = m_seen.find(*file.digest); found != m_seen.end()) return found->second;
  }
  const auto fd = file.open();
  Seen seen;
  seen.type = type_of_file(fd.get(), file.path);
  if (archives == Archives::look_inside) seen.inside = inside_of(file, seen.type, fd.get());
  if (file.digest) {
    const std::lock_guard lock(m_mutex);
    m_seen.emplace(*file.digest, seen);
  }
  return seen;
}

GuardReport Guard::judge(const std::vector<GuardedFile>& files, Archives archives) {
  std::vector<Seen> seen(files.size());
  parallel_for(files.size(), [&](std::size_t i) { seen[i] = look_at(files[i], archives); });
  GuardReport report;
  Judgement judgement(m_profile, report);
  judgement.judge_bundle(files);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& file = files[i];
    judgement.judge_file(file, seen[i].type);
    if (seen[i].inside) judgement.take(*seen[i].inside, file.path);
    if (file.place == Place::in_folder) report.files.push_back({file.path, file.size, seen[i].type, file.digest});
  }
  std::sort(report.files.begin(), report.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return report;
}

std::string write_sha256_list(const GuardReport& report) {
  std::string out;
  for (const auto& file : report.files) out += sha256sums_line(file.digest.value(), file.path);
  return out;
}

std::string write_csv_list(const GuardReport& report) {
  std::string out = "path,size,type,sha256\r\n";
  for (const auto& file : report.files) {
    std::string cell;
    if (std::string_view("=+-@\t\r").find(file.path.front()) != std::string_view::npos) cell = "'";
    for (const char c : file.path) cell += c == '"' ? std::string("\"\"") : std::string(1, c);
    out += fmt::format("\"{}\",{},{},{}\r\n", cell, file.size, name(file.type), file.digest.value().hex());
  }
  return out;
}

std::vector<fs::path> write_guard_lists(const fs::path& folder, const GuardReport& report) {
  const fs::path sums = folder.string() + ".sha256";
  const fs::path table = folder.string() + ".csv";
  write_file_atomically(sums, write_sha256_list(report));
  write_file_atomically(table, write_csv_list(report));
  return {sums, table};
}

std::string folder_name(const fs::path& folder) {
  const auto absolute = fs::absolute(folder).lexically_normal();
  return (absolute.has_filename() ? absolute.filename() : absolute.parent_path().filename()).string();
}

}  // namespace liftlock
