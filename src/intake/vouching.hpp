// The first question about an import: who vouches for it, and for which part of it. Nobody's word is taken for bytes
// that could be others when they are used: what is believed as a whole is read from a private copy.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/reporter.hpp"
#include "bundle/import_record.hpp"
#include "intake/import.hpp"
#include "intake/shape.hpp"
#include "intake/whole_copy.hpp"
#include "store/blob_store.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// Who speaks for an import, and how.
struct Voucher {
  Belief belief = Belief::nobody;
  std::string document;           ///< what was signed or announced
  std::vector<std::string> keys;  ///< that signed it
};

/// Asked in this order: judge_whole(), then judge_found() once it is known what lies in it.
class Vouching {
 public:
  /// Both outlive it.
  Vouching(const Site& site, const ImportRequest& request);

  /// Who vouches for the file as a whole, before anything that it says counts; parts of a split file are joined, and
  /// the whole is judged. Large files in a .baimodel are staged on the way.
  /// @throws Error{digest_mismatch, disk_full, limit_exceeded}, and what engine::require_signed_list() throws
  void judge_whole(StagedBlobs& staged, Reporter& reporter);
  /// The private copy of the source that judge_whole() judged; empty where it made none.
  const std::shared_ptr<const UniqueFd>& copy() const { return m_copy; }
  const std::optional<Digest>& digest_of_copy() const { return m_digest; }
  /// Of a range of the copy that was staged on the way. @throws Error{digest_mismatch}
  std::optional<Digest> staged_of_copy(const TreeBytes& range) const;

  /// Who vouches for a document in it, and by that for the files that it lists. A file that is no archive gets the
  /// announced digest, which it is compared with while it is taken in.
  /// @throws Error{usage, digest_mismatch}, and what judge() and require_thresholds() throw
  void judge_found(Found& found, const Tree& tree);

  /// The best that speaks for any of it.
  const Voucher& best() const;
  /// What an artifact is believed for.
  const Voucher& of(const Artifact& artifact, const Found& found) const;
  /// Where nobody vouches: the site's policy has to allow it, and a person to say why.
  /// @throws Error{unsigned_document, reason_required}
  void require_allowed() const;
  void require_unsigned(const std::string& why) const;

  /// The lists and signatures that were believed, for the catalog: name and bytes.
  const std::vector<std::pair<std::string, std::string>>& kept() const { return m_kept; }
  /// What people should see.
  const std::vector<std::string>& notes() const { return m_notes; }

 private:
  bool needs_private_copy() const;
  void judge_copy(const fs::path& source);
  std::vector<WholePart> large_parts() const;
  bool expects_one_file() const;
  void expect_of_one_file(Found& found, const Tree& tree);
  std::optional<TrustRoot> root() const;
  void judge_document(const SignedDocument& document);
  void keep_signature(const SignatureFile& signature);
  void require_approvals();

  const Site& m_site;
  const ImportRequest& m_request;
  std::shared_ptr<const UniqueFd> m_copy;
  std::optional<WholeCopy> m_whole_copy;  ///< of which m_copy is the file
  std::optional<Digest> m_digest;
  Voucher m_whole;        ///< for the file, and so for all that it holds
  Voucher m_inner;        ///< for what Found::document binds
  std::string m_missing;  ///< what could have vouched, where nobody does
  std::vector<std::pair<std::string, std::string>> m_kept;
  std::vector<JudgedSignature> m_judged;
  std::vector<std::string> m_notes;
};

/// The name of the file or folder that is imported.
std::string source_name(const ImportRequest& request);

}  // namespace liftlock
