#include <fcntl.h>

#include "ecosystem/oci/docker_archive.hpp"
#include "ecosystem/oci/image_source.hpp"
#include "os/file.hpp"

namespace liftlock::oci {
namespace {

class ArchiveSource : public ImageSource {
 public:
  ArchiveSource(const Source& source, const fs::path& stack_folder)
      : m_archive(std::make_shared<DockerArchive>(open_file(stack_folder / source.path, O_RDONLY), source.path)),
        m_image(*m_archive, source.inner) {}

  ImageReader& reader() override { return m_image; }

  FetchJob job(const ArtifactFile& file) override {
    FetchJob out{
        .title = file.origin, .digest = file.digest, .size = file.size, .url = {}, .headers = {}, .produce = {}};
    if (!m_image.made_manifest().empty() && file.digest == m_image.root()) {
      out.produce = [bytes = m_image.made_manifest()](int fd) { write_all(fd, bytes, "manifest"); };
    } else {
      out.produce = [archive = m_archive, name = m_image.name_of(file.digest)](int fd) { archive->copy(name, fd); };
    }
    return out;
  }

 private:
  std::shared_ptr<const DockerArchive> m_archive;
  DockerImage m_image;
};

}  // namespace

std::unique_ptr<ImageSource> make_archive_source(const Source& source, CollectContext& context) {
  return std::make_unique<ArchiveSource>(source, context.stack_folder);
}

}  // namespace liftlock::oci
