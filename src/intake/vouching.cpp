#include "intake/vouching.hpp"

#include <fcntl.h>

#include <algorithm>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/signatures.hpp"
#include "crypto/hash.hpp"
#include "engine/import.hpp"
#include "intake/split_file.hpp"
#include "intake/staging.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
namespace {

/// From here on a file of a .baimodel is worth to be staged while the whole is copied.
constexpr std::uint64_t k_large_file = 4u << 20;

}  // namespace

std::string source_name(const ImportRequest& request) {
  const auto source = request.source.lexically_normal();
  return (source.has_filename() ? source : source.parent_path()).filename().string();
}

Vouching::Vouching(const Site& site, const ImportRequest& request) : m_site(site), m_request(request) {}

void Vouching::judge_whole(StagedBlobs& staged, Reporter& reporter) {
  if (m_request.plan) return;
  const auto split = split_file(m_request.source);
  if (!split && !needs_private_copy()) return;
  // What is hashed as a whole must be what is read afterwards: the medium could answer otherwise the second time.
  const auto source = split ? split->whole : m_request.source;
  const auto size = split ? split->size : fs::file_size(source);
  require_room(size, m_site.store_folder(), m_site.config().reserve_bytes);
  ProgressTask progress(reporter, "copy and verify", Unit::bytes, size);
  const auto advance = [&](std::uint64_t done) { progress.advance(done); };
  if (split) {
    auto joined = join(*split, m_site.store_folder(), advance);
    m_digest = joined.digest;
    m_copy = std::make_shared<const UniqueFd>(std::move(joined.file));
  } else {
    auto& copy = m_whole_copy.emplace(copy_whole(source, m_site.store_folder(), large_parts(), staged, advance));
    m_digest = copy.digest;
    m_copy = std::make_shared<const UniqueFd>(std::move(copy.file));
  }
  judge_copy(source);
}

void Vouching::judge_copy(const fs::path& source) {
  const auto name = source.filename().string();
  if (m_request.expect) {
    engine::require_announced(*m_digest, *m_request.expect, source);
    m_whole = {.belief = Belief::digest, .document = name, .keys = {}};
  }
  const auto signatures = engine::import_signatures(source);
  if (signatures.empty()) return;
  const auto trust = trust_of(m_site);
  if (trust.empty() && m_request.expect) return;
  m_whole = {.belief = Belief::signature,
             .document = name + ".sha256",
             .keys = engine::require_signed_list(*m_digest, source, trust.current(), now())};
  for (const auto& signature : signatures) keep_signature(signature);
  m_kept.emplace_back("list.sha256", read_file(source.string() + ".sha256", 64u << 10));
}

std::optional<Digest> Vouching::staged_of_copy(const TreeBytes& range) const {
  if (!m_whole_copy || range.fd != m_copy->get()) return std::nullopt;
  return m_whole_copy->digest_of(range.offset, range.size);
}

/// Where a .baimodel says, before anybody vouched for it, that its large files lie. What it says is looked at again in
/// the copy, and that counts; other archives are copied as they are.
std::vector<WholePart> Vouching::large_parts() const {
  std::vector<WholePart> parts;
  try {
    const auto file = std::make_shared<const UniqueFd>(open_file(m_request.source, O_RDONLY | O_NONBLOCK));
    if (container_form(file->get()) != "zip") return {};
    const auto tree = open_import(m_request.source, file, m_request.cells);
    const auto found = recognise_baimodel(tree, m_request.cells);
    if (!found) return {};
    for (const auto& one : found->files) {
      const auto range = one.tree->open(one.path);
      if (range.size >= k_large_file) parts.push_back({range.offset, range.size});
    }
  } catch (const Error&) {
    return {};  // what is wrong with it is found, and said, once it is known whether anybody vouches for it
  }
  std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  const auto overlap = [](const auto& a, const auto& b) { return b.offset < a.offset + a.size; };
  parts.erase(std::unique(parts.begin(), parts.end(), overlap), parts.end());
  return parts;
}

void Vouching::judge_found(Found& found, const Tree& tree) {
  if (expects_one_file()) expect_of_one_file(found, tree);
  const auto& document = found.document;
  if (m_request.expect && m_whole.belief == Belief::nobody && !m_request.plan) {
    if (!document) {
      throw Error(ErrorCode::usage, "--expect is for a file, or for a folder with a list of digests in it",
                  "write a list there with `sha256sum`, as SHA256SUMS, and announce its digest");
    }
    engine::require_announced(sha256(document->text), *m_request.expect, document->what);
    m_inner = {.belief = Belief::digest, .document = document->what, .keys = {}};
  }
  m_missing = document ? fmt::format("nobody signed {}, and no digest was announced", document->what)
                       : "it carries no signature, and no digest was announced";
  if (document && !document->signatures.empty()) judge_document(*document);
  require_approvals();
}

const Voucher& Vouching::best() const {
  return std::max(m_whole.belief, m_inner.belief) == m_whole.belief ? m_whole : m_inner;
}

const Voucher& Vouching::of(const Artifact& artifact, const Found& found) const {
  const bool bound = !found.bound || found.bound(artifact);
  return bound && m_inner.belief > m_whole.belief ? m_inner : m_whole;
}

void Vouching::require_allowed() const {
  if (best().belief == Belief::nobody) require_unsigned(m_missing);
}

void Vouching::require_unsigned(const std::string& why) const {
  if (!m_request.allow_unsigned) {
    throw Error(ErrorCode::unsigned_document,
                fmt::format("nobody vouches for '{}': {}", printable(source_name(m_request)), why),
                "give --expect SHA256 as it was announced by another way, or bring a signature of a builder; unsigned "
                "imports need unsigned_imports = true in [policy] of config.toml, and --reason");
  }
  if (trim(m_request.reason).empty()) fail(ErrorCode::reason_required, "an unsigned import needs --reason");
}

/// Is the file believed as a whole, for its digest or for a signed list beside it?
bool Vouching::needs_private_copy() const {
  if (m_request.plan || !fs::is_regular_file(m_request.source)) return false;
  return !engine::import_signatures(m_request.source).empty() || (m_request.expect && !expects_one_file());
}

bool Vouching::expects_one_file() const {
  if (m_request.plan || !m_request.expect || m_copy || !fs::is_regular_file(m_request.source)) return false;
  return engine::import_signatures(m_request.source).empty() &&
         container_form(open_file(m_request.source, O_RDONLY | O_NONBLOCK).get()).empty();
}

/// A file that is no archive is compared with the announced digest while it is taken in: no copy is needed before.
void Vouching::expect_of_one_file(Found& found, const Tree& tree) {
  auto& files = found.files;
  if (files.size() != 1 || files[0].tree.get() != &tree || tree.paths().size() != 1 || files[0].stated)
    fail(ErrorCode::digest_mismatch, "'{}' changed while it was looked at", printable(source_name(m_request)));
  files[0].stated = m_request.expect;
  files[0].stated_by = "--expect";
  m_whole = {.belief = Belief::digest, .document = source_name(m_request), .keys = {}};
}

std::optional<TrustRoot> Vouching::root() const {
  const auto trust = trust_of(m_site);
  if (trust.empty()) return std::nullopt;
  return trust.current();
}

void Vouching::judge_document(const SignedDocument& document) {
  const auto trusted = root();
  if (!trusted) {
    m_missing = fmt::format("{} is signed, and no trust root is pinned here to judge that by", document.what);
    m_notes.push_back(m_missing);
    return;
  }
  m_judged = judge(document.text, document.signatures, *trusted, now(), {Role::builder, Role::approver});
  for (const auto& signature : document.signatures) keep_signature(signature);
  // A signature by somebody unknown, or by a key that retired, is as good as none; a false one, or one by a revoked
  // key, ends the import.
  if (std::all_of(m_judged.begin(), m_judged.end(), [](const auto& one) { return is_unlisted(one.status); })) {
    m_missing = fmt::format("{} is signed by a key that the trust root does not list", document.what);
    m_notes.push_back(m_missing);
    return;
  }
  require_thresholds(m_judged, *trusted, {Role::builder});
  m_inner = {.belief = Belief::signature, .document = document.what, .keys = {}};
  for (const auto& one : m_judged) {
    if (one.status == SignatureStatus::valid) m_inner.keys.push_back(one.key_id);
  }
}

void Vouching::keep_signature(const SignatureFile& signature) {
  m_kept.emplace_back("signatures/" + portable_component(signature.name), signature.bytes);
}

/// The site's own rule for bundles holds here, too.
void Vouching::require_approvals() {
  const auto wanted = m_site.config().approvals;
  if (wanted == 0 || approvers_of(m_judged).size() >= wanted) return;
  m_whole = m_inner = {};
  m_missing = fmt::format("the policy wants the approval of {}", counted(wanted, "person", "people"));
  m_notes.push_back(m_missing);
}

}  // namespace liftlock
