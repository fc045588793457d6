#include "ecosystem/oci/made_registry.hpp"

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/answers.hpp"

namespace liftlock::oci {
namespace {

/// A text of a manifest that others hold, too, as a body that shares it.
HttpResponse text_of(std::shared_ptr<const MadeManifest> manifest, const std::string& text, std::string media_type,
                     const Digest& digest) {
  HttpResponse out;
  out.set("Content-Type", std::move(media_type));
  out.set("ETag", "\"" + digest.hex() + "\"");
  out.body = std::shared_ptr<const std::string>(std::move(manifest), &text);
  out.audit_subject = digest.text();
  return out;
}

HttpResponse with_digest(HttpResponse&& response, const Digest& digest) {
  response.set("Docker-Content-Digest", digest.text());
  response.set("Docker-Distribution-Api-Version", "registry/2.0");
  return std::move(response);
}

/// Does it follow from the artifact alone?
bool is_lasting(ErrorCode code) {
  return code != ErrorCode::internal && code != ErrorCode::io_error && code != ErrorCode::disk_full &&
         code != ErrorCode::not_found;
}

}  // namespace

void MadeRegistry::add(const std::string& name, const std::vector<std::string>& tags, Make make) {
  auto source = std::make_shared<Source>();
  source->make = std::move(make);
  for (const auto& tag : tags) m_names[name].insert_or_assign(tag, source);
}

std::string MadeRegistry::example() const {
  if (m_names.empty()) return "NAME:TAG";
  const auto& [name, tags] = *m_names.begin();
  return name + ":" + tags.begin()->first;
}

std::shared_ptr<const MadeManifest> MadeRegistry::made(const Source& source) {
  const std::lock_guard lock(source.mutex);
  if (source.failure) throw Error(*source.failure);
  if (source.manifest) return source.manifest;
  try {
    source.manifest = std::make_shared<const MadeManifest>(source.make());
  } catch (const Error& error) {
    if (is_lasting(error.code())) source.failure = error;
    throw;
  }
  return source.manifest;
}

HttpResponse MadeRegistry::handle(const HttpRequest& request) const {
  auto path = request.path;
  if (path.starts_with(m_prefix)) path.remove_prefix(m_prefix.size());
  const auto asked = split_registry_path(path);
  if (!asked) return refusal(404, "NAME_UNKNOWN", "this is no path of the registry protocol");
  const auto found = m_names.find(asked->name);
  if (found == m_names.end()) {
    return refusal(404, "NAME_UNKNOWN",
                   fmt::format("nothing called {} came across", printable(asked->name.substr(0, 200))));
  }
  if (asked->what == "tags" && asked->which == "list") {
    auto list = Json::array();
    for (const auto& [tag, source] : found->second) list.push_back(tag);
    return document(200, k_json, {{"name", std::string(m_prefix.substr(4)) + found->first}, {"tags", std::move(list)}});
  }
  if (asked->what == "manifests") return manifest(found->second, found->first, asked->which);
  if (asked->what == "blobs") return blob(found->second, asked->which, request.raw_path);
  return refusal(404, "UNSUPPORTED", "manifests, blobs and tags are answered here");
}

HttpResponse MadeRegistry::manifest(const Tags& tags, std::string_view name, std::string_view reference) const {
  const auto answer = [](const std::shared_ptr<const MadeManifest>& manifest) {
    const auto digest = sha256(manifest->bytes);
    return with_digest(text_of(manifest, manifest->bytes, manifest->media_type, digest), digest);
  };
  try {
    if (const auto tag = tags.find(reference); tag != tags.end()) return answer(made(*tag->second));
    const auto digest = Digest::try_parse(reference);
    for (const auto& [tag, source] : tags) {
      if (!digest) break;
      if (const auto manifest = made(*source); sha256(manifest->bytes) == *digest) return answer(manifest);
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal || error.code() == ErrorCode::io_error) throw;
    // Not 404, of which Ollama would only say that it does not exist.
    return refusal(400, "UNSUPPORTED", error.what());
  }
  return refusal(404, "MANIFEST_UNKNOWN",
                 fmt::format("{} of {} did not come across", printable(reference.substr(0, 200)), name));
}

HttpResponse MadeRegistry::blob(const Tags& tags, std::string_view reference, std::string_view raw_path) const {
  const auto digest = Digest::try_parse(reference);
  if (!digest) return refusal(400, "DIGEST_INVALID", "only sha256: digests are known here");
  constexpr auto k_bytes = "application/octet-stream";
  for (const auto& [tag, source] : tags) {
    std::shared_ptr<const MadeManifest> manifest;
    try {
      manifest = made(*source);
    } catch (const Error&) {
      continue;  // its manifest says why
    }
    HttpResponse out;
    if (const auto text = manifest->made.find(*digest); text != manifest->made.end()) {
      out = text_of(manifest, text->second, k_bytes, *digest);
    } else if (const auto file = manifest->stored.find(*digest); file != manifest->stored.end()) {
      try {
        out = blob_response(m_blobs, file->second, k_bytes);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::not_found) throw;
        break;
      }
    } else {
      continue;
    }
    // Ollama asks once where the blob really is, and then asks there for its parts; it is here.
    out.set("Location", std::string(raw_path));
    return with_digest(std::move(out), *digest);
  }
  return refusal(404, "BLOB_UNKNOWN", fmt::format("{} is not here", digest->text()));
}

}  // namespace liftlock::oci
