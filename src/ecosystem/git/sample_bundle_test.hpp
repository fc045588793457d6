// Bundles for tests, written by hand, so that they can be wrong in any way.
#pragma once

#include <openssl/sha.h>
#include <zlib.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ecosystem/git/object.hpp"

namespace liftlock::git::sample {

inline ObjectId sha1_of(std::string_view bytes) {
  ObjectId id;
  ::SHA1(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), id.data());
  return id;
}
inline std::string text_of(const ObjectId& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}
inline ObjectId name_for(ObjectType type, std::string_view content) {
  return sha1_of(std::string(name_of(type)) + " " + std::to_string(content.size()) + '\0' + std::string(content));
}

inline std::string deflated(std::string_view bytes) {
  auto size = ::compressBound(bytes.size());
  std::string out(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  out.resize(size);
  return out;
}

/// The number and size in front of an object of a pack.
inline std::string object_head(unsigned type, std::uint64_t size) {
  std::string out(1, static_cast<char>(type << 4 | (size & 15)));
  for (size >>= 4; size > 0; size >>= 7) {
    out.back() = static_cast<char>(out.back() | 0x80);
    out += static_cast<char>(size & 0x7f);
  }
  return out;
}

class Pack {
 public:
  ObjectId add(ObjectType type, std::string_view content) {
    raw(object_head(static_cast<unsigned>(type), content.size()) + deflated(content));
    return name_for(type, content);
  }
  void add_delta(const ObjectId& base, std::string_view delta) {
    raw(object_head(7, delta.size()) + text_of(base) + deflated(delta));
  }
  void raw(std::string bytes) {
    m_objects += bytes;
    ++m_count;
  }
  std::string bytes(int more = 0) const {
    const auto count = static_cast<std::uint32_t>(m_count + more);
    std::string out = "PACK";
    for (const auto number : {std::uint32_t{2}, count}) {
      for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
    }
    out += m_objects;
    return out + text_of(sha1_of(out));
  }

 private:
  std::string m_objects;
  int m_count = 0;
};

inline std::string tree_entry(std::string_view mode, std::string_view name, const ObjectId& id) {
  return std::string(mode) + " " + std::string(name) + '\0' + text_of(id);
}
inline std::string commit_text(const ObjectId& tree, const std::vector<ObjectId>& parents = {}) {
  auto out = "tree " + to_hex(tree) + "\n";
  for (const auto& parent : parents) out += "parent " + to_hex(parent) + "\n";
  return out + "author A <a@example.test> 1700000000 +0000\ncommitter A <a@example.test> 1700000000 +0000\n\nword\n";
}
inline std::string bundle(const std::vector<std::pair<std::string, ObjectId>>& refs, const std::string& pack,
                          std::string_view first = "# v2 git bundle\n") {
  auto out = std::string(first);
  for (const auto& [name, id] : refs) out += to_hex(id) + " " + name + "\n";
  return out + "\n" + pack;
}

}  // namespace liftlock::git::sample
