#include <fcntl.h>

#include "base/error.hpp"
#include "ecosystem/oci/image_source.hpp"
#include "ecosystem/oci/layout_reader.hpp"
#include "os/file.hpp"

namespace liftlock::oci {
namespace {

class LayoutSource : public ImageSource {
 public:
  LayoutSource(const Source& source, const fs::path& stack_folder)
      : m_written(source.path),
        m_path(stack_folder / source.path),
        m_folder(open_folder(m_path)),
        m_reader(source.path, source.inner,
                 [this](const std::string& path, std::uint64_t max_bytes) { return read(path, max_bytes); }) {}

  ImageReader& reader() override { return m_reader; }

  FetchJob job(const ArtifactFile& file) override {
    const auto path = m_path / "blobs/sha256" / file.digest.hex();
    return {.title = file.origin,
            .digest = file.digest,
            .size = file.size,
            .url = {},
            .headers = {},
            .produce = [path, size = file.size](int out) {
              copy_hashed(open_file(path, O_RDONLY).get(), 0, out, size, path.string(), {});
            }};
  }

 private:
  std::string read(const std::string& name, std::uint64_t max_bytes) const {
    const auto file = open_beneath(m_folder.get(), RelPath::parse(name), O_RDONLY);
    if (!file) fail(ErrorCode::unresolvable, "{} has no {}", m_written, name);
    return read_all(file->get(), max_bytes, m_written + "/" + name);
  }

  std::string m_written;
  fs::path m_path;
  UniqueFd m_folder;
  LayoutReader m_reader;
};

}  // namespace

std::unique_ptr<ImageSource> make_layout_source(const Source& source, CollectContext& context) {
  return std::make_unique<LayoutSource>(source, context.stack_folder);
}

}  // namespace liftlock::oci
