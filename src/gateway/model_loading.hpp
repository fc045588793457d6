// A request that asks nothing: it only has a model loaded, as Ollama's clients do before their user has typed.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "engine/model_host.hpp"
#include "gateway/dialect.hpp"
#include "net/live_answer.hpp"

namespace liftlock {

struct LoadingRequest {
  Api api = Api::ollama;
  std::string caller;  ///< who takes turns with others
  std::string model;   ///< as the catalog has it
  std::chrono::seconds keep_alive{0};
  HttpResponse answer;  ///< once it is loaded
};

/// The host must outlive the answer.
std::shared_ptr<LiveAnswer> make_loading(engine::ModelHost& host, LoadingRequest request);

}  // namespace liftlock
