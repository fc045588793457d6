#include "server/mirror_key.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

/// The owner as a comment of an OpenPGP user id may not bring brackets or control bytes along.
std::string safe_comment(std::string_view owner) {
  std::string out;
  for (const char c : owner.substr(0, 80)) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '.' || c == '-';
    out += plain ? c : '_';
  }
  return std::string(trim(out));
}

/// The first fingerprint in `gpg --with-colons`; empty when there is none.
std::string first_fingerprint(std::string_view colons) {
  for (const auto line : split(colons, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() > 9 && fields[0] == "fpr") return std::string(fields[9]);
  }
  return {};
}

}  // namespace

MirrorKey::MirrorKey(fs::path folder, std::string_view owner, Algorithm algorithm) : m_short("liftlock-gpg") {
  m_home = m_short.path() / "h";
  folder = fs::absolute(folder).lexically_normal();
  make_folders(folder.parent_path());
  use_home(folder);
  if (m_fingerprint.empty()) {
    // Two that start at once make one key; one that is killed meanwhile leaves nothing that the next would believe.
    FileLock lock(folder.string() + ".lock", "making the mirror's key", FileLock::Wait::yes);
    use_home(folder);
    if (m_fingerprint.empty()) make_key(folder, owner, algorithm);
    lock.remove();
  }
  m_public_key = gpg({"--export", m_fingerprint}, {});
  m_public_key_armored = gpg({"--armor", "--export", m_fingerprint}, {});
}

MirrorKey::~MirrorKey() {
  end_agent();
}

/// Looks for the key there; m_fingerprint stays empty when there is none. It asks for the public half, for which gpg
/// reads one file: the secret half would be asked of an agent that another process may be ending. gpg's sockets need a
/// short path.
void MirrorKey::use_home(const fs::path& folder) {
  fs::remove(m_home);
  fs::create_directory_symlink(folder, m_home);
  if (fs::exists(folder)) m_fingerprint = first_fingerprint(gpg({"--with-colons", "--list-keys"}, {}));
}

void MirrorKey::make_key(const fs::path& folder, std::string_view owner, Algorithm algorithm) {
  const auto fresh = fs::path(folder.string() + ".new");
  remove_tree(fresh);
  fs::create_directory(fresh);
  fs::permissions(fresh, fs::perms::owner_all);
  use_home(fresh);
  const auto comment = safe_comment(owner);
  const auto user = comment.empty() ? "Liftlock mirror" : "Liftlock mirror (" + comment + ")";
  const auto* name = algorithm == Algorithm::rsa3072 ? "rsa3072" : "ed25519";
  gpg({"--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key", user, name, "sign", "never"}, {});
  end_agent();
  sync_file_system(open_folder(fresh).get(), fresh.string());
  remove_tree(folder);
  rename_file(fresh, folder);
  sync_folder(folder.parent_path());
  use_home(folder);
  if (m_fingerprint.empty()) fail(ErrorCode::tool_failed, "gpg made no key in {}", folder.string());
}

void MirrorKey::end_agent() noexcept {
  try {
    ProcessSpec spec;
    spec.argv = {"gpgconf", "--homedir", m_home.string(), "--kill", "all"};
    spec.timeout = std::chrono::seconds(10);
    run_process(spec);
  } catch (const std::exception&) {
    // An agent that stays ends by itself once its home is gone.
  }
}

std::string MirrorKey::clearsign(std::string_view document) const {
  return gpg({"--local-user", m_fingerprint, "--digest-algo", "SHA512", "--clearsign"}, document);
}

std::string MirrorKey::sign(std::string_view document) const {
  return gpg({"--local-user", m_fingerprint, "--digest-algo", "SHA512", "--armor", "--detach-sign"}, document);
}

std::string MirrorKey::gpg(std::vector<std::string> arguments, std::string_view input) const {
  ProcessSpec spec;
  spec.argv = {"gpg", "--homedir", m_home.string(), "--batch", "--no-tty", "--quiet", "--no-permission-warning"};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.input = input;
  spec.timeout = std::chrono::minutes(2);
  spec.set_environment["LC_ALL"] = "C.UTF-8";
  return run_process_checked(spec).output;
}

}  // namespace liftlock
