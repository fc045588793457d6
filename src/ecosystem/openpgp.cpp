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

std::vector<std::string> verify_detached(const fs::path& document, std::string_view signature, std::string_view keyring,
                                         const fs::path& scratch, const std::string& where) {
  const TemporaryFolder folder("gpgv", scratch);
  write_file_atomically(folder.path() / "keyring.gpg", keyring);
  write_file_atomically(folder.path() / "signature", signature);
  ProcessSpec spec{.argv = {"gpgv", "--status-fd", "1", "--weak-digest", "SHA1", "--weak-digest", "RIPEMD160",
                            "--keyring", (folder.path() / "keyring.gpg").string(),
                            (folder.path() / "signature").string(), document.string()}};
  spec.set_environment = {{"GNUPGHOME", folder.path().string()}, {"LC_ALL", "C"}};
  spec.timeout = std::chrono::minutes(10);
  const auto result = run_process(spec);
  std::vector<std::string> out;
  bool good = false;
  for (const auto line : split(result.output, '\n')) {
    const auto parts = words_of(line);
    if (parts.size() < 2 || parts[0] != "[GNUPG:]") continue;
    if (parts[1] == "NEWSIG") good = false;
    if (parts[1] == "GOODSIG") good = true;
    if (parts[1] == "BADSIG") fail(ErrorCode::release_unsigned, "{}: a signature does not fit it", where);
    if (parts[1] == "VALIDSIG" && good) out.push_back(parts.back());
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
