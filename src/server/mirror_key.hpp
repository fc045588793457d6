// A GnuPG key of the mirror's own: apt and dnf verify with it that an index comes from this mirror.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "os/file.hpp"

namespace liftlock {

class MirrorKey {
 public:
  enum class Algorithm : std::uint8_t { ed25519, rsa3072 };

  /// Opens the key in folder (a GnuPG home, mode 0700); creates one without expiry when there is none.
  /// Several processes may do so at once.
  /// @param owner stands in the user id: "Liftlock mirror (owner)"
  /// @throws Error{tool_missing, tool_failed}
  MirrorKey(fs::path folder, std::string_view owner, Algorithm algorithm = Algorithm::ed25519);
  /// Ends the gpg-agent that gpg started for this home.
  ~MirrorKey();
  MirrorKey(const MirrorKey&) = delete;
  MirrorKey& operator=(const MirrorKey&) = delete;

  /// A clear-signed document (RFC 9580 §7) with SHA-512. One at a time.
  std::string clearsign(std::string_view document) const;
  /// An armored detached signature of it (RFC 9580 §10.4) with SHA-512. One at a time.
  std::string sign(std::string_view document) const;
  const std::string& public_key() const { return m_public_key; }
  const std::string& public_key_armored() const { return m_public_key_armored; }
  const std::string& fingerprint() const { return m_fingerprint; }

 private:
  void use_home(const fs::path& folder);
  void make_key(const fs::path& folder, std::string_view owner, Algorithm algorithm);
  void end_agent() noexcept;
  std::string gpg(std::vector<std::string> arguments, std::string_view input) const;

  TemporaryFolder m_short;  ///< holds a link to the home: sockets of gpg-agent need short paths
  fs::path m_home;
  std::string m_fingerprint;
  std::string m_public_key;
  std::string m_public_key_armored;
};

}  // namespace liftlock
