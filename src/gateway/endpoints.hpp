// The paths of the gateway's APIs, and what each of them does.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.hpp"
#include "gateway/dialect.hpp"
#include "net/http.hpp"

namespace liftlock {

enum class Does : std::uint8_t {
  chat,
  complete,
  embed,
  rerank,
  list,
  show,
  ollama_chat,
  ollama_generate,
  ollama_embed,
  ollama_embeddings,
  search_records,
  read_record,
  list_keys,
  make_key,
  revoke_key,
  ollama_tags,
  ollama_ps,
  ollama_show,
  ollama_version,
  ollama_pull,
  messages,
  count_tokens,
  responses,
  images,
  transcribe,
  translate_speech,
  absent,
};

struct Endpoint {
  std::string_view method;  ///< HEAD is as good as GET. A path may take several, each by a line of its own
  std::string_view path;    ///< where all below it are one: what their paths begin with
  Api api;
  Does does;
};

/// What all begin with that take a recording, as a form and not as JSON.
inline constexpr std::string_view k_audio = "/v1/audio/";
/// The path of one model, before its name.
inline constexpr std::string_view k_one_model = "/v1/models/";

/// @throws Error{not_found, method_not_allowed}
Endpoint endpoint_of(const HttpRequest& request);
/// Whose form a path has, also one that is none of ours.
Api api_of(std::string_view path);
/// In the form of the API that was asked.
HttpResponse problem_at(std::string_view path, Api api, const Error& error);

}  // namespace liftlock
