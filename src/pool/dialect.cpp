#include "pool/dialect.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace liftlock::pool {
namespace {

constexpr std::string_view k_rerank = "/v1/rerank";
constexpr std::string_view k_embeddings = "/v1/embeddings";
constexpr std::string_view k_images = "/v1/images/generations";
constexpr JsonLimits k_list_limits{.max_bytes = 4u << 20, .max_depth = 16};

[[noreturn]] void refuse_answer(const Model& model) {
  fail(ErrorCode::engine_failed, "the answer of an endpoint for '{}' has not the form of its API", model.name);
}

Json number_at(const Json& object, const char* key, const Model& model) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) refuse_answer(model);
  return *found;
}

/// [{"index": 0, "score": 0.9, "text": "…"}], best first.
Json ranking_of_tei(const Model& model, const Json& call, const Json& answer) {
  if (!answer.is_array()) refuse_answer(model);
  auto results = Json::array();
  for (const auto& one : answer) {
    if (!one.is_object()) refuse_answer(model);
    Json result = {{"index", number_at(one, "index", model)}, {"relevance_score", number_at(one, "score", model)}};
    if (const auto text = one.find("text"); text != one.end() && text->is_string()) {
      result["document"] = {{"text", *text}};
    }
    results.push_back(std::move(result));
  }
  std::stable_sort(results.begin(), results.end(), [](const Json& a, const Json& b) {
    return a.at("relevance_score").get<double>() > b.at("relevance_score").get<double>();
  });
  const auto most = call.value("top_n", results.size());
  while (results.size() > most) results.erase(results.size() - 1);
  return {{"model", model.name}, {"object", "list"}, {"results", std::move(results)}};
}

/// What a client needs of each, and no link to anywhere.
Json images_of(const Model& model, const Json& answer) {
  const auto data = answer.find("data");
  if (data == answer.end() || !data->is_array()) refuse_answer(model);
  auto images = Json::array();
  for (const auto& one : *data) {
    const auto image = one.is_object() ? one.find("b64_json") : one.end();
    if (!one.is_object() || image == one.end() || !image->is_string()) refuse_answer(model);
    images.push_back({{"b64_json", *image}});
    if (const auto prompt = one.find("revised_prompt"); prompt != one.end() && prompt->is_string()) {
      images.back()["revised_prompt"] = *prompt;
    }
  }
  Json out = {{"data", std::move(images)}, {"created", answer.value("created", Json(0))}};
  for (const auto* key : {"output_format", "usage"}) {
    if (const auto found = answer.find(key); found != answer.end()) out[key] = *found;
  }
  return out;
}

/// Newer vLLM calls "reasoning" what llama-server and older vLLM call "reasoning_content".
void name_reasoning(Json& answer) {
  const auto choices = answer.find("choices");
  if (choices == answer.end() || !choices->is_array()) return;
  for (auto& choice : *choices) {
    for (const auto* key : {"delta", "message"}) {
      if (!choice.is_object() || !choice.contains(key)) continue;
      auto& message = choice[key];
      if (!message.is_object() || !message.contains("reasoning") || message.contains("reasoning_content")) continue;
      message["reasoning_content"] = std::move(message["reasoning"]);
      message.erase("reasoning");
    }
  }
}

}  // namespace

Call call_of(const Model& model, std::string_view path, Json body) {
  body["model"] = model.upstream;
  if (model.api == Api::tei) {
    if (path != k_embeddings && path != k_rerank) {
      fail(ErrorCode::bad_request, "'{}' makes vectors of texts and ranks them, nothing else", model.name);
    }
    if (path == k_rerank) {
      Json own = {{"query", body.at("query")},
                  {"texts", body.at("documents")},
                  {"return_text", body.value("return_documents", false)}};
      // For answer_of(): the endpoint knows no top_n.
      if (body.contains("top_n")) own["top_n"] = body["top_n"];
      return {"/rerank", std::move(own)};
    }
  }
  return {std::string(path), std::move(body)};
}

Json answer_of(const Model& model, const Call& call, Json answer) {
  if (call.path == "/rerank") return ranking_of_tei(model, call.body, answer);
  if (!answer.is_object()) refuse_answer(model);
  if (call.path == k_images) return images_of(model, answer);
  if (answer.contains("model")) answer["model"] = model.name;
  name_reasoning(answer);
  return answer;
}

std::vector<std::string> listed_models(std::string_view body) {
  const auto document = parse_json(body, k_list_limits);
  const auto data = document.is_object() ? document.find("data") : document.end();
  if (!document.is_object() || data == document.end() || !data->is_array()) {
    fail(ErrorCode::engine_failed, "what it lists is no list of models");
  }
  std::vector<std::string> names;
  for (const auto& one : *data) {
    if (one.is_object() && one.contains("id") && one["id"].is_string()) names.push_back(one["id"].get<std::string>());
  }
  return names;
}

}  // namespace liftlock::pool
