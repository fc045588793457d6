#include "bundle/tar_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace liftlock {
namespace {

constexpr std::size_t k_block = 512;
constexpr std::uint64_t k_ustar_max_size = 8ull << 30;  // 11 octal digits

struct UstarName {
  std::string_view prefix;
  std::string_view name;
};

/// POSIX ustar: name of up to 100 bytes, prefix of up to 155 before a '/'.
std::optional<UstarName> split_name(std::string_view path) {
  if (path.size() <= 100) return UstarName{{}, path};
  for (auto slash = path.find('/'); slash != std::string_view::npos && slash <= 155;
       slash = path.find('/', slash + 1)) {
    if (path.size() - slash - 1 <= 100) return UstarName{path.substr(0, slash), path.substr(slash + 1)};
  }
  return std::nullopt;
}

void put(char* block, std::size_t offset, std::string_view text) {
  std::copy(text.begin(), text.end(), block + offset);
}

std::string ustar_block(const UstarName& name, std::uint64_t size, char type) {
  char block[k_block] = {};
  put(block, 0, name.name);
  put(block, 100, "0000644");
  put(block, 108, "0000000");
  put(block, 116, "0000000");
  put(block, 124, fmt::format("{:011o}", size));
  put(block, 136, "00000000000");
  put(block, 148, "        ");
  block[156] = type;
  put(block, 257,
      std::string_view("ustar\0"
                       "00",
                       8));
  put(block, 329, "0000000");
  put(block, 337, "0000000");
  put(block, 345, name.prefix);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(block, 148, fmt::format("{:06o}", sum));
  block[154] = '\0';
  block[155] = ' ';
  return {block, sizeof block};
}

/// "LENGTH KEY=VALUE\n", where LENGTH counts itself.
std::string pax_record(std::string_view key, std::string_view value) {
  const auto rest = key.size() + value.size() + 3;
  auto length = rest + 1;
  while (rest + std::to_string(length).size() != length) length = rest + std::to_string(length).size();
  return fmt::format("{} {}={}\n", length, key, value);
}

/// Of tar_header().
std::size_t header_size(const RelPath& path, std::uint64_t size) {
  const bool plain = size < k_ustar_max_size && split_name(path.text());
  return plain ? k_block : tar_header(path, size).size();
}

}  // namespace

std::string tar_header(const RelPath& path, std::uint64_t size) {
  const auto name = split_name(path.text());
  const bool large = size >= k_ustar_max_size;
  if (name && !large) return ustar_block(*name, size, '0');
  std::string records;
  if (!name) records += pax_record("path", path.text());
  if (large) records += pax_record("size", std::to_string(size));
  auto out = ustar_block({{}, "PaxHeaders/0"}, records.size(), 'x') + records;
  out.append(tar_padding(records.size()), '\0');
  const auto stand_in = std::string_view(path.text()).substr(0, 100);
  return out + ustar_block(name.value_or(UstarName{{}, stand_in}), large ? 0 : size, '0');
}

TarLayout tar_layout(const std::vector<FileEntry>& files) {
  TarLayout layout;
  layout.members.reserve(files.size());
  std::uint64_t at = 0;
  for (const auto& file : files) {
    const auto header = header_size(file.path, file.size);
    layout.members.push_back({at, at + header});
    at += header + file.size + tar_padding(file.size);
  }
  layout.end_offset = at;
  layout.total_size = at + 1024;
  return layout;
}

}  // namespace liftlock
