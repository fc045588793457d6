#include "ecosystem/route.hpp"

#include "store/blob_cache.hpp"

namespace liftlock {

HttpResponse blob_response(const BlobStore& blobs, const ArtifactFile& file, std::string content_type) {
  HttpResponse response;
  if (auto* cache = blobs.cache()) {
    std::visit(
        [&](auto content) {
          if constexpr (std::is_same_v<decltype(content), std::shared_ptr<const UniqueFd>>) {
            response.body = FileBody{std::move(content), 0, file.size};
          } else {
            response.body = std::move(content);
          }
        },
        cache->get(file.digest));
  } else {
    response.body = FileBody{std::make_shared<const UniqueFd>(blobs.open(file.digest)), 0, file.size};
  }
  response.headers.reserve(4);
  response.set("Content-Type", std::move(content_type));
  response.set("ETag", "\"" + file.digest.hex() + "\"");
  response.audit_subject = file.digest.text();
  return response;
}

}  // namespace liftlock
