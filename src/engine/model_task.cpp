#include "engine/model_task.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

namespace liftlock::engine {
namespace {

constexpr std::uint64_t k_pooling_none = 0;
constexpr std::uint64_t k_pooling_rank = 4;

/// Encoders: llama.cpp generates nothing with them.
constexpr std::array<std::string_view, 10> k_encoders = {
    "bert",         "modern-bert",  "neo-bert", "nomic-bert", "nomic-bert-moe",
    "jina-bert-v2", "jina-bert-v3", "eurobert", "t5encoder",  "gemma-embedding"};

}  // namespace

std::string_view name(ModelTask task) {
  if (task == ModelTask::embeddings) return "embeddings";
  if (task == ModelTask::speech) return "speech";
  return task == ModelTask::reranking ? "reranking" : "texts";
}

ModelTask task_of(const Json& facts) {
  const auto pooling = facts.find("pooling_type");
  if (pooling != facts.end() && pooling->is_number_unsigned()) {
    const auto type = pooling->get<std::uint64_t>();
    if (type == k_pooling_rank) return ModelTask::reranking;
    if (type != k_pooling_none) return ModelTask::embeddings;
  }
  const auto architecture = facts.value("architecture", std::string());
  if (architecture == "whisper") return ModelTask::speech;
  const bool encodes = std::find(k_encoders.begin(), k_encoders.end(), architecture) != k_encoders.end();
  return encodes ? ModelTask::embeddings : ModelTask::text;
}

}  // namespace liftlock::engine
