// Small .rpm files for tests, with everything that can be said wrongly.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock::rpm::testing_support {

struct TestEntry {
  std::uint32_t tag = 0, type = 0, count = 0;
  std::string data;
};

inline std::string big(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

inline TestEntry text_entry(std::uint32_t tag, const std::string& text) {
  return {tag, 6, 1, text + '\0'};
}
inline TestEntry texts_entry(std::uint32_t tag, const std::vector<std::string>& texts) {
  TestEntry out{tag, 8, static_cast<std::uint32_t>(texts.size()), {}};
  for (const auto& text : texts) out.data += text + '\0';
  return out;
}
inline TestEntry numbers_entry(std::uint32_t tag, const std::vector<std::uint32_t>& numbers, std::uint32_t type = 4) {
  TestEntry out{tag, type, static_cast<std::uint32_t>(numbers.size()), {}};
  for (const auto number : numbers) out.data += big(number, type == 3 ? 2 : 4);
  return out;
}
inline TestEntry binary_entry(std::uint32_t tag, const std::string& bytes) {
  return {tag, 7, static_cast<std::uint32_t>(bytes.size()), bytes};
}

/// A header as rpmbuild writes it: the region first in the index and last in the data.
inline std::string make_header(std::uint32_t region, const std::vector<TestEntry>& entries) {
  const auto count = static_cast<std::uint32_t>(entries.size() + 1);
  std::string index, data;
  for (const auto& entry : entries) {
    const std::size_t align = entry.type == 3 ? 2 : entry.type == 4 ? 4 : entry.type == 5 ? 8 : 1;
    while (data.size() % align != 0) data += '\0';
    index += big(entry.tag, 4) + big(entry.type, 4) + big(data.size(), 4) + big(entry.count, 4);
    data += entry.data;
  }
  index = big(region, 4) + big(7, 4) + big(data.size(), 4) + big(16, 4) + index;
  data += big(region, 4) + big(7, 4) + big(0u - 16 * count, 4) + big(16, 4);
  return std::string("\x8e\xad\xe8\x01\0\0\0\0", 8) + big(count, 4) + big(data.size(), 4) + index + data;
}

struct TestRpm {
  std::string name = "tool", version = "1.0", release = "1", architecture = "noarch";
  std::optional<std::uint32_t> epoch;
  std::vector<std::pair<std::string, std::string>> files = {{"/usr/bin/", "tool"}};  ///< folder, name
  std::vector<std::uint32_t> modes = {0100755};
  std::vector<TestEntry> more;  ///< of the header; one of a tag that is here already replaces it
  std::vector<TestEntry> signatures;
  std::string payload = "a payload";
  std::string payload_digest;  ///< empty: the right one

  std::vector<TestEntry> entries() const {
    std::vector<std::string> folders, names;
    std::vector<std::uint32_t> indexes, flags;
    for (const auto& [folder, file] : files) {
      indexes.push_back(static_cast<std::uint32_t>(folders.size()));
      folders.push_back(folder);
      names.push_back(file);
      flags.push_back(0);
    }
    std::vector<TestEntry> out = {text_entry(1000, name),
                                  text_entry(1001, version),
                                  text_entry(1002, release),
                                  text_entry(1004, "A <tool>"),
                                  text_entry(1014, "MIT"),
                                  text_entry(1022, architecture),
                                  text_entry(1044, "tool-1.src.rpm"),
                                  numbers_entry(1006, {1700000000}),
                                  texts_entry(1047, {name}),
                                  texts_entry(1113, {"1.0-1"}),
                                  numbers_entry(1112, {8}),
                                  numbers_entry(1030, modes, 3),
                                  numbers_entry(1037, flags),
                                  numbers_entry(1116, indexes),
                                  texts_entry(1117, names),
                                  texts_entry(1118, folders),
                                  texts_entry(5092, {payload_digest.empty() ? sha256(payload).hex() : payload_digest}),
                                  numbers_entry(5093, {8})};
    if (epoch) out.push_back(numbers_entry(1003, {*epoch}));
    if (files.empty()) std::erase_if(out, [](const auto& e) { return e.count == 0; });
    for (const auto& entry : more) {
      std::erase_if(out, [&](const auto& e) { return e.tag == entry.tag; });
      if (entry.count != 0) out.push_back(entry);
    }
    return out;
  }
  std::string header() const { return make_header(63, entries()); }
  std::string bytes() const { return with_header(header()); }
  std::string with_header(const std::string& header) const {
    std::string lead = std::string("\xed\xab\xee\xdb\x03\0\0\0\0\x01", 10) + name.substr(0, 65);
    lead.resize(76, '\0');
    lead += big(1, 2) + big(5, 2) + std::string(16, '\0');
    auto all = signatures;
    all.push_back(text_entry(273, sha256(header).hex()));
    all.push_back(numbers_entry(1000, {static_cast<std::uint32_t>(header.size() + payload.size())}));
    auto out = lead + make_header(62, all);
    while (out.size() % 8 != 0) out += '\0';
    return out + header + payload;
  }
};

/// A descriptor of these bytes.
inline UniqueFd file_of(std::string_view bytes) {
  UniqueFd fd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  write_all(fd.get(), bytes, "a test's file");
  return fd;
}

}  // namespace liftlock::rpm::testing_support
