// A model of this installation, asked in this process: with the load gate, the sandbox and the record that the gateway
// has, without its network.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "cli/command.hpp"
#include "cli/model_serving.hpp"
#include "net/unix_client.hpp"

namespace liftlock {

class ModelSession {
 public:
  /// @param stop ends whatever the session waits for, soon after it is true; outlives the session
  /// @throws Error{busy} when a server answers for the models of this installation
  ModelSession(const Site& site, std::string actor, std::string model, const std::atomic<bool>& stop);

  const std::string& model() const { return m_model; }
  /// From here on another model is asked, once it is loaded. @throws as load(); then the one before stays
  void use(std::string model);
  /// Loads the model, so that the first question need not wait. False: stopped.
  bool load();

  struct Said {
    std::string text;    ///< without the model's thoughts, which on_piece is told, too
    std::string record;  ///< the id of its record; empty when it was stopped before it was asked
    std::string finish;  ///< the engine's word for why it ended: "stop", "length"
    std::uint64_t prompt_tokens = 0, completion_tokens = 0;
    bool stopped = false;
  };
  /// @param request as for /v1/chat/completions, without model and stream
  /// @param on_piece is told of words as they come, after they are on record
  Said ask(Json request, const std::function<void(std::string_view)>& on_piece);

  struct Vectors {
    std::vector<std::vector<double>> vectors;  ///< one for each text, in their order; empty when it was stopped
    std::string record;
    std::uint64_t prompt_tokens = 0;
  };
  Vectors embed(const std::vector<std::string>& texts);

 private:
  std::shared_ptr<engine::Lease> lease(const std::string& model);
  RecordHead head(const engine::Lease& engine) const;
  UnixClientLimits limits() const;
  RecordMode record_mode();

  AuditLog m_log;
  RecordBook m_book;
  RecordPolicy m_record;
  engine::ModelHost m_host;
  std::string m_actor, m_model;
  const std::atomic<bool>& m_stop;
};

/// What every command does before it asks a model: zone, owner, the configuration on record.
/// @throws Error{busy} with a remedy when a server answers for the models
ModelSession open_model_session(Invocation& invocation, const std::string& model, std::string_view command);

/// True after Ctrl-C; from the first call on Ctrl-C no longer ends the program.
std::atomic<bool>& stop_on_interrupt();

}  // namespace liftlock
