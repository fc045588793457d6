#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

using std::string_view_literals::operator""sv;

struct Beginning {
  std::string_view ending;
  std::string_view bytes;
  std::string_view words;
};
constexpr std::array k_beginnings = {
    Beginning{".gguf", "GGUF", "a GGUF model"},           Beginning{".whl", "PK\x03\x04"sv, "a wheel"},
    Beginning{".deb", "!<arch>\n", "a Debian package"},   Beginning{".tar.gz", "\x1f\x8b"sv, "a gzipped archive"},
    Beginning{".tgz", "\x1f\x8b"sv, "a gzipped archive"}, Beginning{".zip", "PK"sv, "a zip archive"},
};

/// The length of its header in eight bytes, the lowest first, and then a JSON object.
bool begins_as_safetensors(std::string_view head, std::uint64_t size) {
  if (head.size() < 9 || head[8] != '{') return false;
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(head[i]);
  return size >= 8 && length <= size - 8;
}

/// What the file begins otherwise than; empty where it begins well, or nobody knows how it should.
std::string_view begins_not_as(std::string_view name, std::string_view head, std::uint64_t size) {
  const auto lower = to_lower(name);
  if (lower.ends_with(".safetensors")) return begins_as_safetensors(head, size) ? ""sv : "safetensors"sv;
  for (const auto& one : k_beginnings) {
    if (!lower.ends_with(one.ending)) continue;
    return head.starts_with(one.bytes) ? ""sv : one.words;
  }
  return {};
}

/// What an ending would have told.
struct Ending {
  std::string_view bytes;
  std::string_view words;
  std::string_view ending;
};
constexpr std::array k_endings = {
    Ending{"GGUF", "a GGUF model", ".gguf"},
    Ending{"!<arch>\ndebian-binary", "a Debian package", ".deb"},
    Ending{"\xed\xab\xee\xdb"sv, "an RPM package", ".rpm"},
};

constexpr std::string_view k_decrypt = "decrypt it first, and import what comes out";
constexpr std::string_view k_unpack = "unpack it, or pack it as a tar, and import that";
constexpr std::string_view k_list =
    "any files are taken in with a list of their digests: put it into a folder, run `sha256sum * > SHA256SUMS` there, "
    "and import the folder; --expect, with the digest of that list, vouches for it";

struct Kind {
  std::string_view bytes;
  std::string_view words;
  std::string_view advice;
};
constexpr std::array k_kinds = {
    Kind{"-----BEGIN PGP MESSAGE", "is encrypted (OpenPGP)", k_decrypt},
    Kind{"\x85\x01"sv, "is encrypted (OpenPGP)", k_decrypt},
    Kind{"\x85\x02"sv, "is encrypted (OpenPGP)", k_decrypt},
    Kind{"\x8c\x0d"sv, "is encrypted (OpenPGP)", k_decrypt},
    Kind{"age-encryption.org/", "is encrypted (age)", k_decrypt},
    Kind{"-----BEGIN AGE ENCRYPTED", "is encrypted (age)", k_decrypt},
    Kind{"Salted__", "is encrypted (openssl enc)", k_decrypt},
    Kind{"LUKS\xba\xbe"sv, "is an encrypted disk (LUKS)", "open it with cryptsetup, and import what lies on it"},
    Kind{"-----BEGIN PGP SIGNATURE", "is a signature", "name the file that it signs; the signature is found beside it"},
    Kind{"-----BEGIN ", "is a key or a certificate in PEM", k_list},
    Kind{"7z\xbc\xaf\x27\x1c"sv, "is a 7z archive", k_unpack},
    Kind{"Rar!", "is a RAR archive", k_unpack},
    Kind{"MSCF", "is a cabinet archive", k_unpack},
    Kind{"\x7f"
         "ELF",
         "is a program or a library for Linux", k_list},
    Kind{"MZ", "is a program for Windows", k_list},
    Kind{"%PDF-", "is a PDF document", k_list},
    Kind{"#!", "is a script", k_list},
    Kind{"SQLite format 3", "is a SQLite database", k_list},
};

/// PROTO and its version (Python's pickletools): 2 and later; before, nothing tells it from text.
bool is_pickle(std::string_view head) {
  return head.size() > 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5;
}

/// The command that gives a file its ending; in words where its name holds what a shell would read.
std::string rename_to(std::string_view name, std::string_view ending) {
  if (name.find('\'') != std::string_view::npos || printable(name) != name)
    return fmt::format("give it a name that ends in {}, and import that", ending);
  return fmt::format("give it its ending: mv '{0}' '{0}{1}', and import that", name, ending);
}

bool is_plain_text(std::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 ? byte != 0x7f : c == '\n' || c == '\r' || c == '\t';
  });
}

}  // namespace

Looks looks_of(std::string_view name, std::string_view head, std::uint64_t size) {
  if (size == 0) return {"is empty", "look at it where it came from: the copy was cut short, or there never was more"};
  for (const auto& one : k_endings) {
    if (head.starts_with(one.bytes))
      return {fmt::format("begins as {} does, and does not end in {}", one.words, one.ending),
              rename_to(name, one.ending)};
  }
  if (begins_as_safetensors(head, size))
    return {"begins as safetensors do, and does not end in .safetensors", rename_to(name, ".safetensors")};
  for (const auto& one : k_kinds) {
    if (head.starts_with(one.bytes)) return {std::string(one.words), std::string(one.advice)};
  }
  if (is_pickle(head)) {
    return {"is a Python pickle, which runs code when it is loaded",
            "convert it to safetensors on the low side, and carry that"};
  }
  if (is_plain_text(head)) return {"is text", std::string(k_list)};
  std::string bytes;
  for (const char c : head.substr(0, 4)) bytes += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return {fmt::format("begins with the bytes {}", bytes), std::string(k_list)};
}

std::vector<std::string> doubts_about(const Found& found) {
  constexpr std::size_t k_head = 64;
  constexpr std::size_t k_most = 20;
  std::vector<std::string> out;
  std::size_t more = 0;
  for (const auto& file : found.files) {
    const auto as = begins_not_as(file.path, file.tree->head(file.path, k_head), file.tree->size(file.path));
    if (as.empty()) continue;
    if (out.size() == k_most) {
      ++more;
    } else {
      out.push_back(fmt::format("{} does not begin as {} does", printable(file.path), as));
    }
  }
  if (more > 0) out.push_back(fmt::format("and {} more of that kind", more));
  return out;
}

}  // namespace liftlock
