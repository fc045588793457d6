#include "ecosystem/route.hpp"

namespace liftlock {

HttpResponse blob_response(const BlobStore& blobs, const ArtifactFile& file, std::string content_type) {
  HttpResponse response;
  response.body = FileBody{std::make_shared<const UniqueFd>(blobs.open(file.digest)), 0, file.size};
  response.set("Content-Type", std::move(content_type));
  response.set("ETag", "\"" + file.digest.hex() + "\"");
  response.audit_subject = file.digest.text();
  return response;
}

}  // namespace liftlock
