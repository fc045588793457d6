// A model of this installation, asked by a command: through the door of the server that runs (server/local_door.hpp),
// or through one that the command opens for itself. So there is one way to a model: the gateway's, with its gate, its
// sandbox and its record.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "cli/command.hpp"
#include "engine/transcriber.hpp"
#include "net/unix_client.hpp"

namespace liftlock {

class ModelSession {
 public:
  /// @param model name, alias or id of the store, a role, or a model of a pool
  /// @param stop ends whatever the session waits for, soon after it is true; outlives the session
  /// @throws Error{not_found} for a model that is not here, Error{busy} when another command answers for the models
  ModelSession(const Site& site, std::string actor, const std::string& model, const std::atomic<bool>& stop);
  ~ModelSession();

  const std::string& model() const { return m_model; }
  /// What its name leads to now: the digest of a content of the store; where it is elsewhere, the name there.
  std::string resolved() const;
  /// From here on another model is asked, once it is loaded. @throws as load(); then the one before stays
  void use(const std::string& model);
  /// Loads the model, so that the first question need not wait. False: stopped.
  bool load();
  /// Its engine ends as soon as nobody uses it. False: stopped. @throws Error{bad_request} for a model of a pool
  bool unload();

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

  struct Heard {
    engine::Transcript transcript;
    std::string record;
  };
  struct Listening {
    std::string language = "auto", hint;
    bool to_english = false;
  };
  /// nullopt: stopped. @throws Error{usage} for a file that cannot be decoded, Error{not_regular, limit_exceeded}
  std::optional<Heard> transcribe(const fs::path& file, const Listening& how);

 private:
  class OwnServer;

  std::string resolve(const std::string& model) const;
  bool load(const std::string& model) const;
  UnixRequest post(std::string target, std::string body, std::string type = "application/json") const;
  /// nullopt: stopped.
  std::optional<UnixResponse> request(const UnixRequest& call) const;
  UnixClientLimits limits() const;

  const Site m_site;
  std::unique_ptr<OwnServer> m_own;  ///< where no server runs
  fs::path m_door;
  std::string m_actor, m_model;
  const std::atomic<bool>& m_stop;
};

/// What every command does before it asks a model: zone, and where no server runs, owner and the configuration on
/// record.
ModelSession open_model_session(Invocation& invocation, const std::string& model, std::string_view command);

/// True after Ctrl-C; from the first call on Ctrl-C no longer ends the program.
std::atomic<bool>& stop_on_interrupt();

}  // namespace liftlock
