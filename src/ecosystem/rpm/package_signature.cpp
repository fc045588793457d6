#include "ecosystem/rpm/package_signature.hpp"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock::rpm {

std::optional<Evidence> own_signature(const Artifact& package, const Json& facts, const Repository& repository,
                                      const StackEntry& entry, CollectContext& context, const Keyring& keyring,
                                      std::vector<std::string>& notes) {
  if (!facts.contains("signature")) {
    if (!repository.signed_by.empty() && entry.flag("unsigned_packages", false)) {
      notes.push_back(fmt::format("{} is not signed: dnf takes it with gpgcheck = 0 only", package.id()));
      return std::nullopt;
    }
    throw Error(ErrorCode::release_unsigned,
                fmt::format("{} has no signature of its publisher ({})", package.id(), package.files[0].origin),
                repository.signed_by.empty()
                    ? "neither has its repository: nothing says where it comes from; `rpmsign --addsign` signs your own"
                    : fmt::format("where the repository's signature is enough for you: unsigned_packages = true in {}; "
                                  "dnf takes it with gpgcheck = 0 only",
                                  entry.where()));
  }
  const auto& signature = facts.at("signature");
  const auto packet = decode_base64(string_member(signature, "openpgp", package.id()));
  const auto start = uint_member(signature, "start", package.id()), end = uint_member(signature, "end", package.id());
  const auto& file = package.files[0];
  if (!packet || start >= end || end > file.size) fail(ErrorCode::internal, "the inspection of a signature is broken");
  const TemporaryFolder folder("rpm", context.scratch);
  const auto signed_part = folder.path() / "signed";
  {
    const auto in = context.store.open(file.digest);
    const auto out = open_file(signed_part, O_WRONLY | O_CREAT | O_EXCL, 0600);
    std::vector<std::uint8_t> block(1u << 20);
    for (auto at = start; at < end;) {
      const std::span part(block.data(), static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), end - at)));
      if (!pread_exact(in.get(), part, at, file.path.text())) fail(ErrorCode::blob_corrupt, "a package is too short");
      write_all(out.get(), part, "a package");
      at += part.size();
    }
  }
  const auto keys = verify_detached(signed_part, as_text(*packet), keyring, folder.path(), package.id());
  return Evidence{"rpm-signature",
                  {{"signed_by", keys}, {"covers", end == file.size ? "header and payload" : "header"}}};
}

}  // namespace liftlock::rpm
