// A conversation with a model of this installation, in this process: with the load gate, the sandbox and the record
// that the gateway has, without its network.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "cli/model_serving.hpp"

namespace liftlock {

class ChatSession {
 public:
  /// @throws Error{busy} when a server answers for the models of this installation
  ChatSession(const Site& site, const std::string& actor, std::string model);

  struct Said {
    std::string text;
    std::string record;  ///< the id of its record
    std::uint64_t prompt_tokens = 0, completion_tokens = 0;
    bool stopped = false;  ///< by `stop`
  };
  /// @param request as for /v1/chat/completions, without model and stream
  /// @param on_piece is told of words as they come, after they are on record
  /// @param stop is looked at between pieces
  Said ask(Json request, const std::function<void(std::string_view)>& on_piece, const std::atomic<bool>& stop);

  /// Loads the model, so that the first question need not wait.
  void load();

 private:
  std::shared_ptr<engine::Lease> lease();

  AuditLog m_log;
  RecordBook m_book;
  engine::ModelHost m_host;
  std::string m_actor, m_model;
};

}  // namespace liftlock
