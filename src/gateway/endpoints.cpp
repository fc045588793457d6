#include "gateway/endpoints.hpp"

#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "gateway/offline.hpp"
#include "gateway/record_desk.hpp"

namespace liftlock {
namespace {

constexpr std::array k_endpoints = {
    Endpoint{"POST", "/v1/chat/completions", Api::openai, Does::chat},
    Endpoint{"POST", "/v1/completions", Api::openai, Does::complete},
    Endpoint{"POST", "/v1/embeddings", Api::openai, Does::embed},
    Endpoint{"POST", "/v1/rerank", Api::openai, Does::rerank},
    Endpoint{"GET", "/v1/models", Api::openai, Does::list},
    Endpoint{"POST", "/v1/responses", Api::openai, Does::responses},
    Endpoint{"POST", "/v1/images/generations", Api::openai, Does::images},
    Endpoint{"POST", "/v1/audio/transcriptions", Api::openai, Does::transcribe},
    Endpoint{"POST", "/v1/audio/translations", Api::openai, Does::translate_speech},
    Endpoint{"POST", "/v1/messages", Api::anthropic, Does::messages},
    Endpoint{"POST", "/v1/messages/count_tokens", Api::anthropic, Does::count_tokens},
    Endpoint{"POST", "/api/chat", Api::ollama, Does::ollama_chat},
    Endpoint{"POST", "/api/generate", Api::ollama, Does::ollama_generate},
    Endpoint{"POST", "/api/embed", Api::ollama, Does::ollama_embed},
    Endpoint{"POST", "/api/embeddings", Api::ollama, Does::ollama_embeddings},
    Endpoint{"POST", RecordDesk::k_search_path, Api::openai, Does::search_records},
    Endpoint{"GET", "/api/tags", Api::ollama, Does::ollama_tags},
    Endpoint{"GET", "/api/ps", Api::ollama, Does::ollama_ps},
    Endpoint{"POST", "/api/show", Api::ollama, Does::ollama_show},
    Endpoint{"GET", "/api/version", Api::ollama, Does::ollama_version},
    Endpoint{"POST", "/api/pull", Api::ollama, Does::ollama_pull},
};

Endpoint require_get(const HttpRequest& request, const Endpoint& endpoint) {
  if (request.method == "GET" || request.method == "HEAD") return endpoint;
  throw Error(ErrorCode::method_not_allowed, fmt::format("{} takes GET", printable(request.path)), "use GET");
}

}  // namespace

Endpoint endpoint_of(const HttpRequest& request) {
  const auto at_path = [&](const auto& endpoint) { return endpoint.path == request.path; };
  if (request.path.starts_with(k_one_model)) return require_get(request, {"GET", k_one_model, Api::openai, Does::show});
  if (request.path.starts_with(RecordDesk::k_record_path) && request.path != RecordDesk::k_search_path)
    return require_get(request, {"GET", RecordDesk::k_record_path, Api::openai, Does::read_record});
  const auto found = std::find_if(k_endpoints.begin(), k_endpoints.end(), at_path);
  if (found == k_endpoints.end() && not_on_this_side(request.path))
    return {"", "absent", api_of(request.path), Does::absent};
  if (found == k_endpoints.end()) fail(ErrorCode::not_found, "the gateway has no '{}'", printable(request.path));
  const bool head = request.method == "HEAD" && found->method == "GET";
  if (found->method != request.method && !head) {
    throw Error(ErrorCode::method_not_allowed, fmt::format("{} takes {}", found->path, found->method),
                fmt::format("use {}", found->method));
  }
  return *found;
}

Api api_of(std::string_view path) {
  if (path.starts_with("/api/")) return Api::ollama;
  return path.starts_with("/v1/messages") ? Api::anthropic : Api::openai;
}

HttpResponse problem_at(std::string_view path, Api api, const Error& error) {
  auto response = api_problem(api, error);
  const auto found =
      std::find_if(k_endpoints.begin(), k_endpoints.end(), [&](const auto& endpoint) { return endpoint.path == path; });
  if (response.status == 405 && found != k_endpoints.end()) response.replace("Allow", std::string(found->method));
  return response;
}

}  // namespace liftlock
