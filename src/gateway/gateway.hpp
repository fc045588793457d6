// The front of the models: OpenAI's, Ollama's and Anthropic's APIs over engines that were verified, for callers that
// have a key, with a record of all of it. Endpoints and fields: docs/guides/gateway.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "access/gatekeeper.hpp"
#include "access/labels.hpp"
#include "audit/audit_log.hpp"
#include "base/json.hpp"
#include "engine/model_host.hpp"
#include "engine/speech_host.hpp"
#include "net/http.hpp"
#include "pool/pools.hpp"
#include "record/record_book.hpp"
#include "record/record_policy.hpp"
#include "record/record_reader.hpp"
#include "trace/trace_exporter.hpp"

namespace liftlock {

/// All must outlive the gateway, and the gateway the server that calls it.
struct GatewayParts {
  fs::path catalog_file;
  fs::path aliases_file;  ///< engine::Choices
  engine::ModelHost& host;
  engine::SpeechHost& speech;
  const pool::Pools& pools;
  std::map<std::string, std::string> roles;  ///< as ModelNames takes them
  RecordBook& book;
  Gatekeeper& gatekeeper;
  AuditLog& log;  ///< takes logins, failed ones too
  std::string actor;
  RecordPolicy record = {};
  Labels labels = {};
  TraceExporter* traces = nullptr;           ///< gets one of each request to a model
  std::optional<RecordReader> records = {};  ///< for auditors; nullopt: nobody reads over HTTP
  std::optional<fs::path> keys = {};         ///< of the gatekeeper, for admins; nullopt: nobody makes any over HTTP
  /// Whether an engine for speech may have a client's hint on its command line, where every user of the machine reads
  /// it; it takes it in no other way.
  bool speech_hint = false;
};

class Gateway {
 public:
  /// @throws Error{config_invalid} for a role that leads nowhere
  explicit Gateway(GatewayParts parts);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// Is it a path of one of the APIs?
  static bool serves(std::string_view path);
  /// For HttpServerOptions::max_body.
  static std::uint64_t max_body(std::string_view method, std::string_view path);
  static std::uint64_t max_local_body(std::string_view method, std::string_view path);

  /// For HttpServerOptions::refusal.
  static std::optional<HttpResponse> refusal(std::string_view path, const Error& error);

  /// For HttpServerOptions::admit: who has no valid key does not get a large body read.
  std::optional<Error> admit(const HttpRequest& request);

  /// Any thread. Never throws: failures are answers in the form of the API that was asked.
  HttpResponse handle(const HttpRequest& request);
  /// The same for a command of this machine, whose user the kernel vouches for (HttpServerOptions::local): without a
  /// key, under the name in X-Liftlock-User, with the highest label; failures are Api::local.
  HttpResponse handle_local(const HttpRequest& request);

  /// Prometheus text format.
  std::string metrics() const;
  /// What runs and what was answered, for `ps` and `top`; docs/formats/local-door.md.
  Json status() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace liftlock
