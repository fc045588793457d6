#include "engine/unpack.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock::engine {
namespace {

/// The reader has shown that every parent is a folder which this run made, so that no component is a link.
void unpack_member(EngineReader& reader, const Member& member, int root, std::vector<std::uint8_t>& buffer) {
  switch (member.type) {
    case MemberType::folder:
      if (::mkdirat(root, member.path.c_str(), 0755) != 0) fail_errno("mkdir " + printable(member.path));
      return;
    case MemberType::symlink:
      if (::symlinkat(member.target.c_str(), root, member.path.c_str()) != 0)
        fail_errno("symlink " + printable(member.path));
      return;
    case MemberType::file:
      break;
  }
  const UniqueFd out(::openat(root, member.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out.valid()) fail_errno("create " + printable(member.path));
  while (const auto got = reader.read(buffer)) write_all(out.get(), std::span(buffer.data(), got), member.path);
  if (::fchmod(out.get(), member.executable ? 0555 : 0444) != 0) fail_errno("chmod " + printable(member.path));
}

}  // namespace

EngineManifest unpack_engine(int tar_fd, const fs::path& folder, EngineLimits limits) {
  if (fs::exists(fs::symlink_status(folder)))
    fail(ErrorCode::immutable, "'{}' exists already", printable(folder.string()));
  EngineReader reader(tar_fd, limits);
  const auto place = folder.has_filename() ? folder : folder.parent_path();
  const TemporaryFolder work(".unpack-" + portable_component(place.filename().string()),
                             fs::absolute(place).parent_path());
  const auto root_path = work.path() / "root";
  if (::mkdir(root_path.c_str(), 0755) != 0) fail_errno("mkdir " + root_path.string());
  const auto root = open_folder(root_path);
  std::vector<std::uint8_t> buffer(1u << 20);
  Member member;
  while (reader.next(member)) unpack_member(reader, member, root.get(), buffer);
  {
    const UniqueFd manifest(::openat(root.get(), "engine.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
    if (!manifest.valid()) fail_errno("create engine.json");
    write_all(manifest.get(), reader.manifest_text(), "engine.json");
  }
  sync_file_system(root.get(), place.string());
  rename_file(root_path, place);
  sync_folder(fs::absolute(place).parent_path());
  return reader.manifest();
}

}  // namespace liftlock::engine
