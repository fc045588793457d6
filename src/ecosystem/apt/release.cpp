#include "ecosystem/apt/release.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/apt/deb822.hpp"
#include "ecosystem/openpgp.hpp"
#include "os/process.hpp"

namespace liftlock::apt {
namespace {

constexpr std::uint64_t k_max_keyring = 16u << 20;
constexpr std::size_t k_max_files = 200'000;

void add_files(Release& release, std::string_view value, const std::string& where) {
  for (const auto line : split(value, '\n')) {
    const auto parts = words(line);
    if (parts.empty()) continue;
    if (parts.size() != 3) fail(ErrorCode::schema_violation, "{}: a line of SHA256 is broken", where);
    const auto size = parse_uint(parts[1]);
    if (!size) fail(ErrorCode::schema_violation, "{}: a size in SHA256 is no number", where);
    if (release.files.size() >= k_max_files)
      fail(ErrorCode::limit_exceeded, "{}: more than {} files", where, k_max_files);
    release.files.emplace(std::string(parts[2]), IndexFile{Digest::parse_sha256_hex(parts[0]), *size});
  }
}

std::optional<Timestamp> date_field(const Paragraph& paragraph, std::string_view name, const std::string& where) {
  const auto value = paragraph.field(name);
  if (!value) return std::nullopt;
  const auto time = parse_release_date(*value);
  if (!time) fail(ErrorCode::schema_violation, "{}: {} '{}' is no date", where, name, printable(*value));
  return time;
}

/// One clear-signed message and nothing around it: gpgv would write the text of a second one to the same output, and
/// skip what stands before the first.
bool is_single_clearsigned(std::string_view document) {
  std::size_t messages = 0, signatures = 0, ends = 0;
  std::string_view last;
  for (const auto line : split(document, '\n')) {
    messages += line.starts_with("-----BEGIN PGP SIGNED MESSAGE-----");
    signatures += line.starts_with("-----BEGIN PGP SIGNATURE-----");
    ends += line.starts_with("-----END PGP");
    if (!trim(line).empty()) last = trim(line);
  }
  return document.starts_with("-----BEGIN PGP SIGNED MESSAGE-----") && messages == 1 && signatures == 1 && ends == 1 &&
         last == "-----END PGP SIGNATURE-----";
}

}  // namespace

Release parse_release(std::string_view text, const std::string& where) {
  ParagraphReader reader(text, where, Comments::refuse, {.max_paragraph = 32u << 20});
  Paragraph paragraph, more;
  if (!reader.next(paragraph)) fail(ErrorCode::schema_violation, "{}: the Release is empty", where);
  if (reader.next(more)) fail(ErrorCode::schema_violation, "{}: the Release has two paragraphs", where);
  const auto value = [&](std::string_view name) { return std::string(paragraph.field_or(name, "")); };
  Release release;
  release.origin = value("Origin");
  release.label = value("Label");
  release.suite = value("Suite");
  release.codename = value("Codename");
  for (const auto word : words(paragraph.field_or("Architectures", ""))) release.architectures.emplace_back(word);
  for (const auto word : words(paragraph.field_or("Components", ""))) release.components.emplace_back(word);
  release.date = date_field(paragraph, "Date", where);
  release.valid_until = date_field(paragraph, "Valid-Until", where);
  release.by_hash = paragraph.field_or("Acquire-By-Hash", "") == "yes";
  const auto unsupported = words(paragraph.field_or("No-Support-for-Architecture-all", ""));
  release.all_in_each_architecture = std::find(unsupported.begin(), unsupported.end(), "Packages") != unsupported.end();
  add_files(release, paragraph.field_or("SHA256", ""), where);
  if (release.files.empty())
    fail(ErrorCode::schema_violation, "{}: the Release states no SHA256 of its indexes", where);
  return release;
}

std::uint64_t index_limit(const Release& release, const std::string& path, const std::string& where) {
  const auto plain = release.files.find(path);
  if (plain == release.files.end()) return k_max_index;
  if (plain->second.size > k_max_index) {
    fail(ErrorCode::limit_exceeded, "{} states {} bytes for {}, and at most {} are read", where, plain->second.size,
         printable(path), k_max_index);
  }
  return plain->second.size;
}

VerifiedRelease verify_inrelease(std::string_view document, const Keyring& keyring, const fs::path& scratch,
                                 const std::string& where) {
  if (!is_single_clearsigned(document)) fail(ErrorCode::release_unsigned, "{}: it is no clear-signed document", where);
  const TemporaryFolder folder("gpgv", scratch);
  ProcessSpec spec{.argv = {"gpgv", "--status-fd", "1", "--weak-digest", "SHA1", "--weak-digest", "RIPEMD160",
                            "--output", (folder.path() / "signed").string()}};
  spec.set_environment = {{"GNUPGHOME", folder.path().string()}, {"LC_ALL", "C"}};
  spec.timeout = std::chrono::minutes(2);
  int number = 0;
  const auto add_keyring = [&](std::string_view bytes, const std::string& name) {
    const auto file = folder.path() / fmt::format("keyring-{}.gpg", number++);
    write_file_atomically(file, binary_keyring(bytes, name));
    spec.argv.insert(spec.argv.end(), {"--keyring", file.string()});
  };
  auto files = keyring.files;
  if (files.empty() && keyring.embedded.empty()) files = default_keyring().files;
  for (const auto& file : files) add_keyring(read_file(file, k_max_keyring), file.string());
  for (const auto& block : keyring.embedded) add_keyring(block, "an embedded Signed-By");
  if (number == 0) fail(ErrorCode::release_unsigned, "{}: there is no keyring to check it with", where);
  write_file_atomically(folder.path() / "InRelease", document);
  spec.argv.push_back((folder.path() / "InRelease").string());

  const auto result = run_process(spec);
  VerifiedRelease out;
  bool good = false;
  int texts = 0;
  for (const auto line : split(result.output, '\n')) {
    const auto parts = words(line);
    if (parts.size() < 2 || parts[0] != "[GNUPG:]") continue;
    if (parts[1] == "PLAINTEXT" && ++texts > 1) fail(ErrorCode::release_unsigned, "{}: it holds two texts", where);
    if (parts[1] == "NEWSIG") good = false;
    if (parts[1] == "GOODSIG") good = true;
    if (parts[1] == "BADSIG") fail(ErrorCode::release_unsigned, "{}: a signature does not fit the document", where);
    if (parts[1] == "VALIDSIG" && good && parts.size() >= 3) {
      const std::string own(parts[2]), primary(parts.back());
      const auto& wanted = keyring.fingerprints;
      const auto listed = [&](const std::string& key) {
        return std::find(wanted.begin(), wanted.end(), key) != wanted.end();
      };
      if (wanted.empty() || listed(own) || listed(primary)) out.fingerprints.push_back(primary);
    }
  }
  if (out.fingerprints.empty()) {
    fail(ErrorCode::release_unsigned, "{}: no good signature by a key of its keyring: {}", where,
         printable(trim(result.error_output).substr(0, 600)));
  }
  out.text = read_file(folder.path() / "signed", 32u << 20);
  return out;
}

Freshness check_freshness(const Release& release, std::chrono::seconds grace, Timestamp when,
                          const std::string& where) {
  if (release.date && *release.date > when + std::chrono::days(1)) {
    fail(ErrorCode::release_expired, "{}: its Date, {}, lies in the future", where, format_time(*release.date));
  }
  if (!release.valid_until || when <= *release.valid_until) return Freshness::current;
  if (when > *release.valid_until + grace) {
    fail(ErrorCode::release_expired, "{}: it was valid until {}", where, format_time(*release.valid_until));
  }
  return Freshness::expired_but_accepted;
}

}  // namespace liftlock::apt
