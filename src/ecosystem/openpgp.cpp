#include "ecosystem/openpgp.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

std::string armor_body(std::string_view block) {
  std::string out;
  bool in_header = true;
  for (auto line : split(block, '\n')) {
    line = trim(line);
    if (in_header) {
      if (line.empty()) in_header = false;
      continue;
    }
    if (line.starts_with('=') || line.empty()) continue;
    out += line;
  }
  return out;
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> out;
  for (const auto word : split(line, ' ')) {
    if (!word.empty()) out.emplace_back(word);
  }
  return out;
}

/// Fingerprints of a keyring's primary keys, or "others" where there is no gpg to ask.
std::string keys_of(const fs::path& keyring, const fs::path& home) {
  if (!find_program("gpg")) return "others";
  const auto listing = run_process({.argv = {"gpg", "--homedir", home.string(), "--batch", "--no-permission-warning",
                                             "--with-colons", "--show-keys", keyring.string()}});
  std::string out;
  bool primary = false;
  for (const auto line : split(listing.output, '\n')) {
    const auto fields = split(line, ':');
    if (fields[0] == "pub" || fields[0] == "sub") primary = fields[0] == "pub";
    if (!primary || fields[0] != "fpr" || fields.size() < 10) continue;
    out += (out.empty() ? "" : ", ") + printable(fields[9]);
  }
  return out.empty() ? "others" : out;
}

/// Fingerprint, or key id, of an "ERRSIG" line for a key that the keyring lacks; else empty.
/// GnuPG's doc/DETAILS: ERRSIG KEYID PUBLIC-KEY-ALGORITHM HASH CLASS TIME RC FINGERPRINT, RC 9: no public key
std::string missing_key(const std::vector<std::string>& words) {
  if (words.size() < 8 || words[1] != "ERRSIG" || words[7] != "9") return {};
  return words.size() > 8 && words[8] != "-" ? words[8] : words[2];
}

}  // namespace

std::string binary_keyring(std::string_view bytes, const std::string& where) {
  constexpr std::string_view k_begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----",
                             k_end = "-----END PGP PUBLIC KEY BLOCK-----";
  if (bytes.find(k_begin) == std::string_view::npos) return std::string(bytes);
  std::string out;
  while (true) {
    const auto begin = bytes.find(k_begin);
    if (begin == std::string_view::npos) return out;
    bytes.remove_prefix(begin + k_begin.size());
    const auto newline = bytes.find('\n');
    const auto end = bytes.find(k_end);
    if (newline == std::string_view::npos || end == std::string_view::npos || newline > end) break;
    const auto raw = decode_base64(armor_body(bytes.substr(newline + 1, end - newline - 1)));
    if (!raw) break;
    out += as_text(*raw);
    bytes.remove_prefix(end);
  }
  fail(ErrorCode::config_invalid, "{}: an armored key is broken", where);
}

std::vector<std::string> verify_detached(const fs::path& document, std::string_view signature, const Keyring& keyring,
                                         const fs::path& scratch, const std::string& where) {
  const TemporaryFolder folder("gpgv", scratch);
  write_file_atomically(folder.path() / "keyring.gpg", keyring.bytes);
  write_file_atomically(folder.path() / "signature", signature);
  ProcessSpec spec{.argv = {"gpgv", "--status-fd", "1", "--weak-digest", "SHA1", "--weak-digest", "RIPEMD160",
                            "--keyring", (folder.path() / "keyring.gpg").string(),
                            (folder.path() / "signature").string(), document.string()}};
  spec.set_environment = {{"GNUPGHOME", folder.path().string()}, {"LC_ALL", "C"}};
  spec.timeout = std::chrono::minutes(10);
  const auto result = run_process(spec);
  std::vector<std::string> out;
  std::string missing;  // a key's, of the last signature by one that we do not have
  bool good = false;
  for (const auto line : split(result.output, '\n')) {
    const auto parts = words_of(line);
    if (parts.size() < 2 || parts[0] != "[GNUPG:]") continue;
    if (parts[1] == "NEWSIG") good = false;
    if (parts[1] == "GOODSIG") good = true;
    if (parts[1] == "BADSIG") fail(ErrorCode::release_unsigned, "{}: a signature does not fit it", where);
    if (parts[1] == "VALIDSIG" && good) out.push_back(parts.back());
    if (auto key = missing_key(parts); !key.empty()) missing = printable(key);
  }
  if (out.empty() && !missing.empty()) {
    throw Error(ErrorCode::release_unsigned,
                fmt::format("{}: it is signed by the key {}; {} has {}", where, missing, keyring.name,
                            keys_of(folder.path() / "keyring.gpg", folder.path())),
                fmt::format("compare {0} with what the publisher announces; where it is the publisher's: "
                            "gpg --armor --export {0} >> {1}",
                            missing, keyring.name));
  }
  if (out.empty()) {
    throw Error(ErrorCode::release_unsigned,
                fmt::format("{}: no good signature by a key that the stack names: {}", where,
                            printable(trim(result.error_output).substr(0, 600))),
                "compare the key file with what the publisher announces");
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace liftlock
