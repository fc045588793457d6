#include "ecosystem/oci/docker_archive.hpp"

#include <archive_entry.h>

#include <array>
#include <functional>
#include <span>

#include "archive/descriptor_input.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock::oci {
namespace {

constexpr std::size_t k_max_members = 200'000;
constexpr int k_max_links = 8;
constexpr std::uint64_t k_max_total = 2ull << 40;

/// Calls visit for each entry; it returns false to stop.
void for_each_entry(int fd, std::string_view what, const std::function<bool(archive*, archive_entry*)>& visit) {
  DescriptorInput input(fd);
  const ReaderHandle tar(archive_read_new());
  archive_read_support_format_tar(tar.get());
  archive_read_support_filter_gzip(tar.get());
  archive_read_support_filter_zstd(tar.get());
  archive_read_support_filter_bzip2(tar.get());
  archive_read_support_filter_xz(tar.get());
  const auto stop = [&] {
    fail(ErrorCode::image_malformed, "{} is no archive that `docker save` writes: {}", what, reader_words(tar.get()));
  };
  if (input.open(tar.get()) != ARCHIVE_OK) stop();
  while (true) {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(tar.get(), &entry);
    if (result == ARCHIVE_EOF) return;
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) stop();
    if (!visit(tar.get(), entry)) return;
  }
}

void for_each_block(archive* tar, std::string_view what, const std::function<void(std::string_view)>& visit) {
  std::array<char, 64 * 1024> buffer;
  while (true) {
    const auto got = archive_read_data(tar, buffer.data(), buffer.size());
    if (got == 0) return;
    if (got < 0) fail(ErrorCode::image_malformed, "{}: {}", what, reader_words(tar));
    visit({buffer.data(), static_cast<std::size_t>(got)});
  }
}

std::string plain_name(const char* raw) {
  return raw == nullptr ? std::string() : plain_member_name(raw);
}

/// What a symlink at `name` means: "../HEX/layer.tar" of old archives.
std::string link_target(std::string_view name, std::string_view target) {
  std::vector<std::string_view> parts = split(name, '/');
  parts.pop_back();
  for (const auto part : split(target, '/')) {
    if (part == "..") {
      if (parts.empty()) return {};
      parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  return fmt::format("{}", fmt::join(parts, "/"));
}

}  // namespace

DockerArchive::DockerArchive(UniqueFd file, std::string what) : m_file(std::move(file)), m_what(std::move(what)) {
  std::uint64_t total = 0;
  for_each_entry(m_file.get(), m_what, [&](archive* tar, archive_entry* entry) {
    const auto name = plain_name(archive_entry_pathname(entry));
    const auto type = archive_entry_filetype(entry);
    const char* hard = archive_entry_hardlink(entry);
    if (hard == nullptr && type == AE_IFDIR) return true;
    if (name.empty()) fail(ErrorCode::path_unsafe, "{}: a member has no usable name", m_what);
    if (m_members.size() == k_max_members)
      fail(ErrorCode::limit_exceeded, "{}: more than {} members", m_what, k_max_members);
    Member member{{.size = 0, .digest = sha256(std::string_view()), .magic = {}}, {}};
    if (hard != nullptr || type == AE_IFLNK) {
      const char* target = hard != nullptr ? hard : archive_entry_symlink(entry);
      member.link = hard != nullptr ? plain_name(hard) : link_target(name, target == nullptr ? "" : target);
      if (member.link.empty())
        fail(ErrorCode::path_unsafe, "{}: the link '{}' leaves the archive", m_what, printable(name));
    } else if (type == AE_IFREG) {
      Hasher hasher;
      for_each_block(tar, m_what, [&](std::string_view bytes) {
        if (member.size == 0) bytes.copy(member.magic.data(), member.magic.size());
        member.size += bytes.size();
        total += bytes.size();
        if (total > k_max_total)
          fail(ErrorCode::limit_exceeded, "{} unpacks to more than {}", m_what, format_size(k_max_total));
        hasher.update(bytes);
      });
      member.digest = hasher.finish();
    } else {
      fail(ErrorCode::image_malformed, "{}: '{}' is neither a file nor a link", m_what, printable(name));
    }
    if (!m_members.emplace(name, std::move(member)).second) {
      fail(ErrorCode::image_malformed, "{}: two members are called '{}'", m_what, printable(name));
    }
    return true;
  });
}

const std::string& DockerArchive::resolve(const std::string& name) const {
  const std::string* at = &name;
  for (int links = 0; links <= k_max_links; ++links) {
    const auto found = m_members.find(*at);
    if (found == m_members.end()) fail(ErrorCode::image_malformed, "{} has no member '{}'", m_what, printable(*at));
    if (found->second.link.empty()) return found->first;
    at = &found->second.link;
  }
  fail(ErrorCode::image_malformed, "{}: the links of '{}' do not end", m_what, printable(name));
}

ArchiveMember DockerArchive::member(const std::string& name) const {
  return m_members.at(resolve(name));
}

std::string DockerArchive::read(const std::string& name, std::uint64_t max_bytes) const {
  const auto found = member(name);
  if (found.size > max_bytes)
    fail(ErrorCode::limit_exceeded, "{}: '{}' has {} bytes", m_what, printable(name), found.size);
  const auto wanted = resolve(name);
  std::string out;
  for_each_entry(m_file.get(), m_what, [&](archive* tar, archive_entry* entry) {
    if (plain_name(archive_entry_pathname(entry)) != wanted || archive_entry_filetype(entry) != AE_IFREG) return true;
    for_each_block(tar, m_what, [&](std::string_view bytes) {
      if (out.size() + bytes.size() > max_bytes)
        fail(ErrorCode::limit_exceeded, "{}: '{}' grew", m_what, printable(name));
      out += bytes;
    });
    return false;
  });
  if (sha256(out) != found.digest) fail(ErrorCode::digest_mismatch, "{} changed while it was read", m_what);
  return out;
}

void DockerArchive::copy(const std::string& name, int out) const {
  const auto wanted = resolve(name);
  for_each_entry(m_file.get(), m_what, [&](archive* tar, archive_entry* entry) {
    if (plain_name(archive_entry_pathname(entry)) != wanted || archive_entry_filetype(entry) != AE_IFREG) return true;
    for_each_block(tar, m_what, [&](std::string_view bytes) { write_all(out, bytes, m_what); });
    return false;
  });
}

}  // namespace liftlock::oci
