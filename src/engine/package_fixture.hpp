// For tests: engine packages of a few words.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/tar_writer.hpp"
#include "os/fd.hpp"

namespace liftlock::engine::testing_support {

struct Item {
  Member member;
  std::string content;
};

inline Item folder(std::string path) {
  return {{.path = std::move(path), .type = MemberType::folder}, {}};
}
inline Item file(std::string path, std::string content, bool executable = false) {
  Item item{{.path = std::move(path), .type = MemberType::file, .executable = executable}, std::move(content)};
  item.member.size = item.content.size();
  return item;
}
inline Item link(std::string path, std::string target) {
  return {{.path = std::move(path),
           .type = MemberType::symlink,
           .executable = false,
           .size = 0,
           .target = std::move(target)},
          {}};
}

inline UniqueFd package(const std::vector<Item>& items, const EngineManifest& manifest) {
  UniqueFd fd(::memfd_create("engine", MFD_CLOEXEC));
  EngineWriter writer(fd.get());
  writer.add_manifest(manifest);
  for (const auto& item : items) {
    if (item.member.type != MemberType::file) {
      writer.add(item.member);
      continue;
    }
    std::size_t done = 0;
    writer.add_file(item.member, [&](std::span<std::uint8_t> buffer) {
      const auto size = std::min(buffer.size(), item.content.size() - done);
      std::copy_n(item.content.begin() + static_cast<std::ptrdiff_t>(done), size, buffer.begin());
      done += size;
      return size;
    });
  }
  writer.finish();
  return fd;
}

}  // namespace liftlock::engine::testing_support
