#include "ecosystem/git/lfs_route.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/git/lfs_batch.hpp"

namespace liftlock::git {
namespace {

HttpResponse document(int status, const Json& json) {
  return text_response(status, std::string(k_lfs_type), dump_json_line(json)).set("Cache-Control", "no-cache");
}

Json object_error(const LfsAsked& asked, int code, std::string message) {
  return {{"oid", printable(asked.oid)},
          {"size", asked.size},
          {"error", {{"code", code}, {"message", std::move(message)}}}};
}

Json object_answer(const LfsAsked& asked, const Artifact& repository, std::string_view base) {
  if (!parse_lfs_oid(asked.oid)) return object_error(asked, 422, "an oid is 64 lower-case hexadecimal digits");
  const auto* file = find_lfs_file(repository, asked.oid);
  if (file == nullptr) {
    return object_error(asked, 404,
                        "this file of Git LFS did not cross: it was left out (lfs = false), or its upstream lacked it");
  }
  if (file->size != asked.size) return object_error(asked, 422, fmt::format("this file has {} bytes", file->size));
  return {{"oid", asked.oid},
          {"size", asked.size},
          {"actions", {{"download", {{"href", fmt::format("{}{}", base, asked.oid)}}}}}};
}

HttpResponse answer(const HttpRequest& request, const LfsQuestion& question, const Artifact& repository,
                    std::string_view base) {
  if (question.operation == LfsQuestion::Operation::upload) {
    return lfs_refusal(
        request, 403,
        "This mirror is read-only: what it serves came across in a signed bundle. Nothing can be uploaded to it.");
  }
  if (!question.sha256) return lfs_refusal(request, 409, "Files have SHA-256 names here.");
  if (!question.basic) return lfs_refusal(request, 422, "Files are handed out in the basic transfer only.");
  auto objects = Json::array();
  for (const auto& asked : question.objects) objects.push_back(object_answer(asked, repository, base));
  return document(200, {{"transfer", "basic"}, {"hash_algo", "sha256"}, {"objects", std::move(objects)}});
}

}  // namespace

const ArtifactFile* find_lfs_file(const Artifact& repository, std::string_view oid) {
  const auto digest = parse_lfs_oid(oid);
  if (!digest) return nullptr;
  const auto path = lfs_path(repository.name, *digest);
  const auto found =
      std::lower_bound(repository.files.begin(), repository.files.end(), path,
                       [](const ArtifactFile& file, const std::string& at) { return file.path.text() < at; });
  return found == repository.files.end() || found->path.text() != path ? nullptr : &*found;
}

HttpResponse answer_lfs_batch(const HttpRequest& request, const Artifact& repository, std::string_view base) {
  const auto type = request.header("Content-Type");
  if (trim(type.substr(0, type.find(';'))) != k_lfs_type)
    return lfs_refusal(request, 415, fmt::format("{} is expected here.", k_lfs_type));
  if (const auto encoding = request.header("Content-Encoding"); !encoding.empty() && encoding != "identity")
    return lfs_refusal(request, 415, "The body is expected as it is, without a Content-Encoding.");
  try {
    return answer(request, parse_lfs_question(request.body), repository, base);
  } catch (const Error& error) {
    const int status = error.code() == ErrorCode::limit_exceeded ? 413 : 422;
    return lfs_refusal(request, status, printable(error.what()));
  }
}

HttpResponse lfs_refusal(const HttpRequest& request, int status, std::string message) {
  return document(status, {{"message", std::move(message)}, {"request_id", printable(request.id)}});
}

std::string address_of_server(const HttpRequest& request, std::string_view scheme) {
  const auto host = request.header("Host");
  const bool clean = !host.empty() && host.size() <= 300 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".-_:[]").find(c) != std::string_view::npos;
  });
  if (!clean) fail(ErrorCode::bad_request, "the request names no host");
  const auto forwarded = request.header("X-Forwarded-Proto");
  return fmt::format("{}://{}", forwarded == "https" || forwarded == "http" ? forwarded : scheme, host);
}

}  // namespace liftlock::git
