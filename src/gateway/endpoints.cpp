#include "gateway/endpoints.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/encoding.hpp"
#include "gateway/key_desk.hpp"
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
    Endpoint{"GET", KeyDesk::k_keys_path, Api::openai, Does::list_keys},
    Endpoint{"POST", KeyDesk::k_keys_path, Api::openai, Does::make_key},
    Endpoint{"GET", "/api/tags", Api::ollama, Does::ollama_tags},
    Endpoint{"GET", "/api/ps", Api::ollama, Does::ollama_ps},
    Endpoint{"POST", "/api/show", Api::ollama, Does::ollama_show},
    Endpoint{"GET", "/api/version", Api::ollama, Does::ollama_version},
    Endpoint{"POST", "/api/pull", Api::ollama, Does::ollama_pull},
};

Endpoint require(const HttpRequest& request, const Endpoint& endpoint) {
  if (request.method == endpoint.method || (endpoint.method == "GET" && request.method == "HEAD")) return endpoint;
  throw Error(ErrorCode::method_not_allowed, fmt::format("{} takes {}", printable(request.path), endpoint.method),
              fmt::format("use {}", endpoint.method));
}

/// "GET, POST"; empty for a path that is none of ours.
std::string methods_at(std::string_view path) {
  if (path.starts_with(KeyDesk::k_key_path)) return "POST";
  std::vector<std::string_view> out;
  for (const auto& endpoint : k_endpoints) {
    if (endpoint.path == path) out.push_back(endpoint.method);
  }
  return fmt::format("{}", fmt::join(out, ", "));
}

}  // namespace

Endpoint endpoint_of(const HttpRequest& request) {
  if (request.path.starts_with(k_one_model)) return require(request, {"GET", k_one_model, Api::openai, Does::show});
  if (request.path.starts_with(RecordDesk::k_record_path) && request.path != RecordDesk::k_search_path)
    return require(request, {"GET", RecordDesk::k_record_path, Api::openai, Does::read_record});
  if (request.path.starts_with(KeyDesk::k_key_path))
    return require(request, {"POST", KeyDesk::k_key_path, Api::openai, Does::revoke_key});
  const auto takes = [&](const Endpoint& endpoint) {
    const bool head = request.method == "HEAD" && endpoint.method == "GET";
    return endpoint.path == request.path && (endpoint.method == request.method || head);
  };
  const auto found = std::find_if(k_endpoints.begin(), k_endpoints.end(), takes);
  if (found != k_endpoints.end()) return *found;
  const auto methods = methods_at(request.path);
  if (methods.empty() && not_on_this_side(request.path)) return {"", "absent", api_of(request.path), Does::absent};
  if (methods.empty()) fail(ErrorCode::not_found, "the gateway has no '{}'", printable(request.path));
  throw Error(ErrorCode::method_not_allowed, fmt::format("{} takes {}", request.path, methods),
              fmt::format("use {}", methods));
}

Api api_of(std::string_view path) {
  if (path.starts_with("/api/")) return Api::ollama;
  return path.starts_with("/v1/messages") ? Api::anthropic : Api::openai;
}

HttpResponse problem_at(std::string_view path, Api api, const Error& error) {
  auto response = api_problem(api, error);
  const auto methods = response.status == 405 ? methods_at(path) : std::string();
  if (!methods.empty()) response.replace("Allow", methods);
  return response;
}

}  // namespace liftlock
