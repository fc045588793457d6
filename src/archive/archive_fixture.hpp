// Archives for tests, written by libarchive.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

namespace liftlock {

struct TestMember {
  std::string path;
  std::string content;
  mode_t type = S_IFREG;  ///< S_IFLNK: content is the target; S_IFDIR, S_IFCHR
};

/// @param format "ustar", "zip", "ar", "raw"
/// @param filter "none", "gzip", "xz", "zstd", "bzip2"
/// @param options of libarchive, such as "zip:encryption=traditional"
inline std::string test_archive(const std::string& format, const std::string& filter,
                                const std::vector<TestMember>& members, const std::string& options = "") {
  std::string out(16u << 20, '\0');
  std::size_t used = 0;
  auto* a = archive_write_new();
  EXPECT_EQ(archive_write_set_format_by_name(a, format == "ar" ? "arbsd" : format.c_str()), ARCHIVE_OK);
  if (filter != "none") {
    EXPECT_EQ(archive_write_add_filter_by_name(a, filter.c_str()), ARCHIVE_OK);
  }
  archive_write_set_bytes_in_last_block(a, 1);
  if (!options.empty()) {
    EXPECT_EQ(archive_write_set_options(a, options.c_str()), ARCHIVE_OK) << archive_error_string(a);
    archive_write_set_passphrase(a, "secret");
  }
  EXPECT_EQ(archive_write_open_memory(a, out.data(), out.size(), &used), ARCHIVE_OK);
  for (const auto& member : members) {
    auto* entry = archive_entry_new();
    archive_entry_set_pathname(entry, member.path.c_str());
    archive_entry_set_filetype(entry, member.type);
    archive_entry_set_perm(entry, 0644);
    if (member.type == S_IFLNK) {
      archive_entry_set_symlink(entry, member.content.c_str());
    } else if (member.type == S_IFREG) {
      archive_entry_set_size(entry, static_cast<la_int64_t>(member.content.size()));
    }
    EXPECT_EQ(archive_write_header(a, entry), ARCHIVE_OK) << archive_error_string(a);
    if (member.type == S_IFREG) {
      EXPECT_EQ(archive_write_data(a, member.content.data(), member.content.size()),
                static_cast<la_ssize_t>(member.content.size()));
    }
    archive_entry_free(entry);
  }
  EXPECT_EQ(archive_write_close(a), ARCHIVE_OK) << archive_error_string(a);
  archive_write_free(a);
  out.resize(used);
  return out;
}

inline std::string test_compressed(const std::string& filter, const std::string& content) {
  return test_archive("raw", filter, {{"data", content}});
}

}  // namespace liftlock
