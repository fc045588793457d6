// Pools: inference servers on other machines that answer for models as the engines of this machine do. Each endpoint is
// looked at again and again; a request goes to the one that has least to do among those that answer.
//
// Nothing here proves what runs on those machines: the load gate of this one ends at its own engines.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/upstream.hpp"

namespace liftlock::pool {

/// What the endpoints of a pool understand.
enum class Api : std::uint8_t {
  openai,  ///< vLLM, llama-server, Ollama, sd-server and others
  tei,     ///< text-embeddings-inference: embeds, and ranks in a form of its own
};

struct Settings {
  std::string name;
  Api api = Api::openai;
  std::vector<HttpAddress> endpoints;
  std::map<std::string, std::string> models;  ///< by their names here: as the endpoints call them
  std::string credential;                     ///< sent as "Authorization: Bearer"; empty: none is sent
  ClientTls tls;                              ///< for the endpoints with https
  UnixClientLimits limits;
  unsigned slots = 64;  ///< requests that one endpoint answers at a time
  std::chrono::milliseconds probe_every{10'000};
};

struct Model {
  std::string name;      ///< POOL/MODEL
  std::string upstream;  ///< as the endpoints call it
  Api api = Api::openai;
};

/// How an endpoint is, for metrics and people.
struct EndpointState {
  std::string pool, address;
  bool up = true;
  std::string why_down;
  unsigned active = 0;
  std::uint64_t requests = 0, failures = 0;
};

struct Endpoint;

/// The place of one request at an endpoint, until the object goes. May outlive the pools. Any thread.
class Seat {
 public:
  explicit Seat(std::shared_ptr<Endpoint> endpoint);
  ~Seat();
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;

  RemoteServer server() const;
  const UnixClientLimits& limits() const;
  /// Path and credential included. @param path of the endpoint's API
  UnixRequest request(std::string_view path, std::string body) const;
  /// Pool and address, for the record.
  std::string text() const;

  /// Gives the place at the endpoint back before the seat goes; what it is is still known.
  void leave();
  /// It could not be connected to: nobody is sent there until it is seen to answer.
  void unreachable(const std::string& why);
  /// It failed a request that was not the request's fault: another endpoint answered it, or it broke off.
  void blame();

 private:
  friend class Pools;
  std::shared_ptr<Endpoint> m_endpoint;
  bool m_is_left = false;
};

/// Safe with several threads. One thread of its own looks at the endpoints.
class Pools {
 public:
  Pools(const std::vector<Settings>& settings, std::shared_ptr<const Networks> networks);
  ~Pools();
  Pools(const Pools&) = delete;
  Pools& operator=(const Pools&) = delete;

  /// Sorted by name.
  const std::vector<Model>& models() const { return m_models; }
  /// nullptr: none of that name.
  const Model* find(std::string_view name) const;
  /// At the endpoint that answers and has least to do, none of those that failed.
  /// @throws Error{engine_unavailable} when none answers; Error{overloaded} when those that do are full
  std::shared_ptr<Seat> seat(const Model& model, std::span<const std::shared_ptr<Seat>> failed) const;
  std::vector<EndpointState> states() const;

 private:
  struct Watch;
  std::vector<Model> m_models;
  std::map<std::string, std::vector<std::shared_ptr<Endpoint>>> m_endpoints;  ///< by pool
  std::unique_ptr<Watch> m_watch;
};

}  // namespace liftlock::pool
