// Types are decided by bytes: the table of docs/formats/profile.md.
#include "guard/content_type.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "archive/archive_fixture.hpp"
#include "base/encoding.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using namespace std::string_literals;

std::string type_name(const std::string& bytes) {
  return std::string(name(type_of_bytes(bytes)));
}

/// An end record without a directory: what every zip reader looks for first.
std::string zip_end(const std::string& comment = "") {
  std::string out = "PK\5\6"s + std::string(16, '\0');
  out += static_cast<char>(comment.size() & 0xff);
  out += static_cast<char>(comment.size() >> 8);
  return out + comment;
}

std::string portable_executable() {
  std::string out = "MZ" + std::string(0x3a, '\0') + "\x40"s + std::string(3, '\0');
  return out + "PE\0\0"s + std::string(100, '\1');
}

std::string safetensors(const std::string& header) {
  std::string out(8, '\0');
  out[0] = static_cast<char>(header.size());
  return out + header + std::string(4, '\xff');
}

TEST(ContentType, IsDecidedByTheBytes) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "empty"},
      {"PK\3\4 and so on", "zip"},
      {zip_end(), "zip"},
      {"\x1f\x8b\x08 …", "gzip"},
      {"BZh9…", "bzip2"},
      {"BZh are three letters", "text"},
      {"\xfd"s + "7zXZ\0\1"s, "xz"},
      {"\x28\xb5\x2f\xfd\1"s, "zstd"},
      {test_archive("ustar", "none", {{"a", ""}}), "tar"},
      {std::string(1024, '\0'), "unknown"},
      {"!<arch>\ndebian-binary   0  ", "deb"},
      {"!<arch>\nother.o/  ", "ar"},
      {"7z\xbc\xaf\x27\x1c\0"s, "7z"},
      {"Rar!\x1a\x07\1"s, "rar"},
      {"MSCF\0\0"s, "cab"},
      {"\x7f"s + "ELF\2\1", "elf"},
      {portable_executable(), "pe"},
      {"MZ is how this text begins", "text"},
      {"%PDF-1.7\n", "pdf"},
      {"\n\n%PDF-1.7\n", "pdf"},
      {std::string(1100, ' ') + "%PDF-1.7", "text"},
      {"\x89PNG\r\n\x1a\n\0"s, "png"},
      {"\xff\xd8\xff\xe0", "jpeg"},
      {"GGUF\3\0\0\0"s, "gguf"},
      {"lmgg\0"s, "ggml"},
      {safetensors("{\"a\":1}"), "safetensors"},
      {safetensors("[\"a\"]"), "unknown"},
      {"\xff\0\0\0\0\0\0\0{\1"s, "unknown"},
      {"-----BEGIN PGP SIGNATURE-----\n", "openpgp-armor"},
      {"-----BEGIN CERTIFICATE-----\n", "pem"},
      {"-----BEGIN CERTIFICATE-----\n\1", "unknown"},
      {"#!/bin/sh\n", "script"},
      {"plain\r\n\twords, ümlaut €\n", "text"},
      {"a bell \a", "unknown"},
      {"latin1 \xfc", "unknown"},
      {"cut \xc3", "unknown"},
      {"overlong \xc0\xaf", "unknown"},
      {"\xed\xa0\x80 half a pair", "unknown"},
      {"readme.py is a name, and names do not count\n", "text"},
  };
  for (const auto& [bytes, type] : cases) EXPECT_EQ(type_name(bytes), type) << printable(bytes.substr(0, 60));
}

TEST(ContentType, JsonIsReadToItsEnd) {
  for (const auto* text : {"{}", "[]", " {\"a\": [1, -0.5e+3, true, false, null, \"x\\u00e9\\n\"]} ",
                           "{\"a\":1}\n{\"b\":2}\n", "[1][2]", "{\"schemaVersion\":1}", "[{\"schemaVersion\":2}]",
                           "{\"a\":{\"schemaVersion\":2}}", "{\"schemaVersion\":20}", "{\"schemaVersions\":2}"}) {
    EXPECT_EQ(type_name(text), "json") << text;
  }
  for (const auto* text : {"[![badge](a)](b)",
                           "{",
                           "[1,]",
                           "{\"a\"}",
                           "{\"a\":1,}",
                           "[01]",
                           "[1.]",
                           "[+1]",
                           "[1e]",
                           "[nul]",
                           "[truex]",
                           "{]",
                           "[\"\\x\"]",
                           "[\"\\u00g0\"]",
                           "{} x",
                           "12",
                           "\"words\"",
                           "[1 2]",
                           "{'a':1}",
                           "[-]",
                           "{\"a\":1]",
                           "[\"\n\"]"}) {
    EXPECT_EQ(type_name(text), "text") << text;
  }
  EXPECT_EQ(type_name(std::string(256, '[') + std::string(256, ']')), "json");
  EXPECT_EQ(type_name(std::string(257, '[') + std::string(257, ']')), "text");
  EXPECT_EQ(type_name("{\"schemaVersion\": 2, \"layers\": []}"), "oci-json");
  EXPECT_EQ(type_name("{\"imageLayoutVersion\": \"1.0.0\"}"), "oci-json");
}

TEST(ContentType, WhatEndsAsAZipIsAZipWhateverItBeginsWith) {
  for (const auto& begin : {"#!/bin/sh\n"s, "%PDF-1.7"s, "GGUF\3"s, "\x7f"s + "ELF", std::string(300'000, 'x')}) {
    EXPECT_EQ(type_name(begin + zip_end()), "zip") << begin.substr(0, 20);
    EXPECT_EQ(type_name(begin + zip_end(std::string(65535, 'c'))), "zip");
    EXPECT_NE(type_name(begin + zip_end() + "more"), "zip");
  }
  // Two end records: the one whose comment fits decides, wherever the other stands.
  EXPECT_EQ(type_name("x" + zip_end("abc" + zip_end() + "tail")), "zip");
}

TEST(ContentType, OfAFileIsThatOfItsBytes) {
  const TemporaryFolder folder;
  const std::string large(ContentSniffer::k_head * 5 + 17, 'x');
  auto hidden = large;
  hidden[ContentSniffer::k_head * 2] = '\0';
  auto model = "GGUF" + std::string(large.size(), '\0');
  for (const auto& bytes : {large, hidden, hidden + zip_end(), model, model + zip_end("hello"),
                            "{\"a\": \"" + large + "\"}", "{\"a\": \"" + hidden + "\"}", "short"s, ""s}) {
    const auto path = folder.path() / "file";
    write_file_atomically(path, bytes);
    const auto fd = open_file(path, O_RDONLY);
    EXPECT_EQ(type_of_file(fd.get(), "file"), type_of_bytes(bytes)) << bytes.size() << printable(bytes.substr(0, 10));
  }
  EXPECT_EQ(type_name(hidden), "unknown") << "one control byte in the middle of a text";
}

TEST(ContentType, TheWiderNameAllowsTheNarrower) {
  EXPECT_TRUE(allows({ContentType::ar}, ContentType::deb));
  EXPECT_TRUE(allows({ContentType::json}, ContentType::oci_json));
  EXPECT_FALSE(allows({ContentType::deb}, ContentType::ar));
  EXPECT_FALSE(allows({ContentType::text}, ContentType::json));
  EXPECT_FALSE(allows({ContentType::text}, ContentType::script));
}

}  // namespace
}  // namespace liftlock
