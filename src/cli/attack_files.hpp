// For tests: zips, tars and model files that lie, byte by byte.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/encoding.hpp"
#include "crypto/hash.hpp"

namespace liftlock::attack {

template <typename Number>
std::string little(Number value) {
  std::string out;
  for (std::size_t i = 0; i < sizeof(Number); ++i)
    out += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
  return out;
}

inline std::string deflate_raw(const std::string& bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::runtime_error("deflate");
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// One entry, told truly unless a member says otherwise.
struct ZipItem {
  std::string name;
  std::string content;
  bool deflated = false;
  std::uint32_t mode = 0100644;
  std::uint16_t flags = 0x800;  ///< the name is UTF-8
  std::string local_name = name;
  std::uint32_t size_too_many = 0;   ///< in the directory only
  std::uint32_t local_too_many = 0;  ///< in the local header only
  bool at_first = false;             ///< the directory points at the first entry: they overlap
};

struct Zip {
  std::string before;
  std::string after;
  std::uint16_t count_too_many = 0;
};

inline std::string zip(const std::vector<ZipItem>& items, const Zip& lies = {}) {
  std::string out = lies.before;
  std::string directory;
  for (const auto& item : items) {
    const auto packed = item.deflated ? deflate_raw(item.content) : item.content;
    const auto crc = static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(item.content.data()), static_cast<uInt>(item.content.size())));
    const auto size = static_cast<std::uint32_t>(item.content.size());
    const auto packed_size = static_cast<std::uint32_t>(packed.size());
    const auto offset = item.at_first ? 0u : static_cast<std::uint32_t>(out.size());
    const auto middle = [&](std::uint32_t more) {
      return little(item.flags) + little(std::uint16_t(item.deflated ? 8 : 0)) + little(std::uint32_t(0x00210000)) +
             little(crc) + little(std::uint32_t(packed_size + (item.deflated ? 0 : more))) + little(size + more);
    };
    if (!item.at_first) {
      out += "PK\3\4" + little(std::uint16_t(20)) + middle(item.local_too_many) +
             little(std::uint16_t(item.local_name.size())) + little(std::uint16_t(0)) + item.local_name + packed;
    }
    directory += "PK\1\2" + little(std::uint16_t(0x0314)) + little(std::uint16_t(20)) + middle(item.size_too_many) +
                 little(std::uint16_t(item.name.size())) + std::string(8, '\0') +
                 little(std::uint32_t(item.mode << 16)) + little(offset) + item.name;
  }
  const auto count = static_cast<std::uint16_t>(items.size() + lies.count_too_many);
  return out + directory + "PK\5\6" + std::string(4, '\0') + little(count) + little(count) +
         little(std::uint32_t(directory.size())) + little(std::uint32_t(out.size())) + little(std::uint16_t(0)) +
         lies.after;
}

/// A wheel "demo-pkg" 1.0 around these entries, with a RECORD that is true of them.
inline std::vector<ZipItem> wheel_items(std::vector<ZipItem> items, const std::string& record_lie = "") {
  const std::string info = "demo_pkg-1.0.dist-info/";
  items.push_back({info + "METADATA", "Metadata-Version: 2.1\nName: demo-pkg\nVersion: 1.0\n\n"});
  items.push_back({info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"});
  std::string record;
  for (const auto& item : items) {
    const auto digest = sha256(item.name == record_lie ? "something else" : item.content);
    record += item.name + ",sha256=" + encode_base64url(*decode_hex(digest.hex())) + "," +
              std::to_string(item.content.size()) + "\n";
  }
  items.push_back({info + "RECORD", record + info + "RECORD,,\n"});
  return items;
}

inline std::string wheel(std::vector<ZipItem> items, const Zip& lies = {}, const std::string& record_lie = "") {
  return zip(wheel_items(std::move(items), record_lie), lies);
}

/// A ustar header of one block; `edit` changes it before its checksum is computed.
template <typename Edit>
std::string tar_block(const std::string& name, std::uint64_t size, char type, Edit edit) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  put(0, name.substr(0, 100));
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", size));
  put(136, "00000000000");
  header[156] = type;
  put(257, std::string("ustar\0"
                       "00",
                       8));
  edit(header);
  put(148, "        ");
  unsigned long sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return header;
}
inline std::string tar_block(const std::string& name, std::uint64_t size, char type = '0') {
  return tar_block(name, size, type, [](std::string&) {});
}

inline std::string padded(std::string content) {
  content.resize((content.size() + 511) / 512 * 512, '\0');
  return content;
}
inline std::string tar_file(const std::string& name, const std::string& content, char type = '0',
                            const std::string& link = "") {
  return tar_block(name, content.size(), type, [&](std::string& header) { header.replace(157, link.size(), link); }) +
         padded(content);
}
/// A pax header for the entry behind it: "path=../x".
inline std::string pax(const std::string& record) {
  auto length = record.size() + 3;
  while (std::to_string(length).size() + 2 + record.size() != length) ++length;
  const auto line = std::to_string(length) + " " + record + "\n";
  return tar_file("PaxHeader", line, 'x');
}
/// GNU's header for a long name.
inline std::string gnu_name(const std::string& name) {
  return tar_file("././@LongLink", name + std::string(1, '\0'), 'L');
}
inline std::string tar_end() {
  return std::string(1024, '\0');
}
/// A number of a tar header past eight octal gigabytes, in 12 bytes.
inline std::string base256(std::uint64_t value) {
  std::string out(12, '\0');
  out[0] = '\x80';
  for (std::size_t i = 0; i < 8; ++i) out[11 - i] = static_cast<char>(value >> (8 * i));
  return out;
}

/// GNU's old sparse entry: no data but a hole of this size.
inline std::string gnu_sparse(const std::string& name, std::uint64_t real_size) {
  return tar_block(name, 0, 'S', [&](std::string& header) {
    header.replace(257, 8, "ustar  ", 8);
    header.replace(386, 12, base256(real_size));
    header.replace(398, 11, "00000000000");
    header.replace(483, 12, base256(real_size));
  });
}

/// GGUF version 3 with one tensor; numbers as they are given.
struct Gguf {
  std::uint64_t tensors = 1;
  std::uint64_t keys = 1;
  std::vector<std::uint64_t> dimensions = {8};
  std::uint32_t type = 0;  ///< F32
  std::uint64_t offset = 0;
  std::string more_keys;  ///< as they stand in the file; `keys` counts them
  std::size_t data = 32;
  std::string after;
};

inline std::string gguf_text(const std::string& text) {
  return little(std::uint64_t(text.size())) + text;
}

inline std::string gguf(const Gguf& what) {
  std::string out = "GGUF" + little(std::uint32_t(3)) + little(what.tensors) + little(what.keys);
  out += gguf_text("general.architecture") + little(std::uint32_t(8)) + gguf_text("llama") + what.more_keys;
  out += gguf_text("a") + little(std::uint32_t(what.dimensions.size()));
  for (const auto dimension : what.dimensions) out += little(dimension);
  out += little(what.type) + little(what.offset);
  out.resize((out.size() + 31) / 32 * 32, '\0');
  return out + std::string(what.data, '\0') + what.after;
}

inline std::string safetensors(const std::string& header, std::size_t data, std::uint64_t stated = 0) {
  return little(stated != 0 ? stated : std::uint64_t(header.size())) + header + std::string(data, '\0');
}

}  // namespace liftlock::attack
