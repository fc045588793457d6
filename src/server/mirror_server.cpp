#include "server/mirror_server.hpp"

#include <arpa/inet.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "gateway/gateway.hpp"
#include "server/index_page.hpp"
#include "server/metrics.hpp"
#include "server/mirror_key.hpp"
#include "server/mirror_state.hpp"
#include "server/read_audit.hpp"
#include "server/read_tokens.hpp"
#include "store/blob_cache.hpp"

namespace liftlock {
namespace {

using StatePtr = std::shared_ptr<const MirrorState>;
using TokensPtr = std::shared_ptr<const ReadTokens>;

void check_exposure(const MirrorOptions& options) {
  if (is_loopback(options.http.address) || options.http.tls) return;
  if (options.insecure_listen == MirrorOptions::InsecureListen::allow) return;
  fail(ErrorCode::tls_required, "'{}' is reachable from other machines, and would be without TLS",
       options.http.address);
}

HttpResponse labelled(HttpResponse&& response, std::string_view route) {
  response.route = route;
  return std::move(response);
}

HttpResponse redirect(std::string location) {
  return text_response(308, "text/plain", "moved to " + location + "\n").set("Location", location);
}

}  // namespace

struct MirrorServer::Impl {
  Impl(MirrorOptions given, AuditLog& log, Reporter& the_reporter, std::string who, HttpHandler handler)
      : options(std::move(given)),
        audit(log),
        reporter(the_reporter),
        actor(std::move(who)),
        blobs(options.store_folder),
        cache(blobs),
        catalog(options.catalog_file),
        readiness(all_checks()),
        key(options.key_folder, options.organisation),
        environment{.blobs = blobs,
                    .clearsign = [this](std::string_view text) { return key.clearsign(text); },
                    .public_key = key.public_key(),
                    .public_key_armored = key.public_key_armored(),
                    .scheme = options.http.tls ? "https" : "http",
                    .inspection = [this](const Artifact& artifact) { return catalog.inspection(artifact); },
                    .inspect = options.inspect,
                    .rsa_public_key_armored = [this] { return rsa_key().public_key_armored(); },
                    .rsa_sign = [this](std::string_view text) { return rsa_key().sign(text); },
                    .cache_folder = options.cache_folder,
                    .warn = [this](const std::string& text) { reporter.warn(text); }} {
    blobs.use_cache(&cache);
    check_exposure(options);
    if (options.tokens_file) tokens = std::make_shared<const ReadTokens>(ReadTokens::load(*options.tokens_file));
    state = load_mirror_state(catalog, options.routes, environment);
    auto http = options.http;
    http.max_body = [this](std::string_view method, std::string_view path) {
      if (options.gateway != nullptr && Gateway::serves(path)) return Gateway::max_body(method, path);
      return max_body(*current_state(), method, path);
    };
    // Bodies for routes are not kept from them by how they are encoded; the gateway's are read as they are.
    http.reads_encoded = [this](std::string_view path) {
      return (options.gateway == nullptr || !Gateway::serves(path)) && max_body(*current_state(), "POST", path) > 0;
    };
    if (options.gateway != nullptr) {
      http.refusal = &Gateway::refusal;
    }
    http.admit = [this](const HttpRequest& request) -> std::optional<Error> {
      if (options.gateway != nullptr && Gateway::serves(request.path)) return options.gateway->admit(request);
      const auto the_tokens = current_tokens();
      if (!the_tokens || the_tokens->user(request.header("Authorization"))) return std::nullopt;
      return unknown_token();
    };
    if (options.access_log) access_log.emplace(*options.access_log);
    http.observe = [this](const HttpExchange& exchange) {
      metrics.count(exchange);
      if (access_log) access_log->write(exchange);
    };
    server = std::make_unique<HttpServer>(std::move(http), std::move(handler));
  }

  // -- state that changes

  StatePtr current_state() const {
    const std::lock_guard lock(mutex);
    return state;
  }
  TokensPtr current_tokens() const {
    const std::lock_guard lock(mutex);
    return tokens;
  }

  /// On the polling thread, or while it waits: Catalog is for one thread at a time.
  void refresh(bool always) {
    const std::lock_guard one_at_a_time(refresh_mutex);
    try {
      if (always || catalog.generation() != current_state()->generation) {
        auto fresh = load_mirror_state(catalog, options.routes, environment);
        const std::lock_guard lock(mutex);
        state.swap(fresh);
      }
      catalog_is_readable = true;
    } catch (const std::exception& error) {
      catalog_is_readable = false;
      reporter.warn(fmt::format("the catalog could not be read again, the old view stays: {}", error.what()));
    }
  }

  void refresh_tokens() {
    if (!options.tokens_file) return;
    try {
      auto fresh = std::make_shared<const ReadTokens>(ReadTokens::load(*options.tokens_file));
      const std::lock_guard lock(mutex);
      tokens = std::move(fresh);
    } catch (const std::exception& error) {
      reporter.warn(fmt::format("the tokens could not be read again, the old ones stay: {}", error.what()));
    }
  }

  void poll() {
    std::unique_lock lock(poll_mutex);
    while (!poll_wake.wait_for(lock, options.poll, [this] { return stopping; })) {
      refresh(false);
      readiness.look();
    }
  }

  /// What those who send requests here may know of how this server is.
  std::vector<ReadinessCheck> all_checks() {
    const auto unless = [](bool good, std::string why) {
      return good ? std::nullopt : std::optional<std::string>(std::move(why));
    };
    std::vector<ReadinessCheck> checks = std::move(options.checks);
    checks.push_back({"catalog", [this, unless] {
                        return unless(catalog_is_readable && fs::exists(options.catalog_file),
                                      "the catalog of the store cannot be read");
                      }});
    checks.push_back({"store", [this, unless] {
                        return unless(fs::is_directory(options.store_folder / "blobs" / "sha256"),
                                      "the store is not there");
                      }});
    checks.push_back({"audit", [this, unless] {
                        return unless(audit.is_writable() && reads->healthy(), "the audit log cannot be written");
                      }});
    checks.push_back({"audit-log", [this, unless] {
                        return unless(!log_check || !log_check->found().damaged, "the audit log is damaged");
                      }});
    checks.push_back({"disk", [this, unless] {
                        return unless(free_space(options.store_folder) >= options.least_free, "the disk is full");
                      }});
    return checks;
  }

  void note(std::string_view type) {
    const Json detail = {{"url", server->url()}, {"tokens", options.tokens_file.has_value()}};
    audit.append({.type = std::string(type),
                  .actor = actor,
                  .outcome = Outcome::success,
                  .subject = server->url(),
                  .detail = dump_json_line(detail)});
  }

  // -- answers

  HttpResponse answer(const HttpRequest& incoming) {
    HttpRequest request = incoming;
    std::string_view route = "none";
    try {
      if (request.path == "/healthz") return labelled(health(), "/healthz");
      if (request.path == "/readyz") return labelled(readiness.answer(), "/readyz");
      // It has keys of its own, for people: read tokens are for machines that install things.
      if (options.gateway != nullptr && Gateway::serves(request.path)) return options.gateway->handle(request);
      const auto the_tokens = current_tokens();
      if (the_tokens) {
        const auto user = the_tokens->user(request.header("Authorization"));
        if (!user) throw unknown_token();
        request.user = *user;
      }
      const auto the_state = current_state();
      if (request.method != "GET" && request.method != "HEAD" &&
          max_body(*the_state, request.method, request.path) == 0) {
        fail(ErrorCode::method_not_allowed, "{} is not for a mirror", request.method.substr(0, 20));
      }
      auto response = dispatch(*the_state, request, route);
      if (!response.audit_subject.empty() && request.method != "HEAD") {
        reads->record(request.user, request.peer, response.audit_subject, request.path);
      }
      response.note.user = request.user;
      return labelled(std::move(response), route);
    } catch (const Error& error) {
      auto response = problem_response(error);
      response.note.user = request.user;
      return labelled(std::move(response), route);
    }
  }

  static Error unknown_token() { return {ErrorCode::unauthorized, "no known read token was given"}; }

  /// What the route of this path says; 0 where there is none.
  static std::uint64_t max_body(const MirrorState& the_state, std::string_view method, std::string_view path) {
    for (const auto& one : the_state.routes) {
      if (path.starts_with(one->prefix())) return one->max_body(method, path);
    }
    return 0;
  }

  HttpResponse dispatch(const MirrorState& the_state, const HttpRequest& request, std::string_view& route) {
    const auto path = request.path;
    const auto under = [&](std::string_view prefix) {
      if (!path.starts_with(prefix)) return false;
      route = prefix;
      return true;
    };
    for (const auto& one : the_state.routes) {
      // The label must outlive this state: routes of one kind have one prefix, a literal.
      if (under(one->prefix())) return the_state.pages->answer(request, [&] { return one->handle(request); });
      if (one->prefix().ends_with('/') && path == one->prefix().substr(0, one->prefix().size() - 1)) {
        return redirect(std::string(one->prefix()));
      }
    }
    if (under("/files/")) return the_state.files.answer(blobs, path.substr(7));
    if (under("/bundles/")) return bundle_file(the_state, path.substr(9));
    if (under("/sync/")) return the_state.sync.answer(blobs, Rings(options.rings_file), path.substr(6));
    if (path == "/files" || path == "/bundles") return redirect(std::string(path) + "/");
    if (path == "/") {
      route = "/";
      return page(the_state, request);
    }
    if (path == "/metrics") {
      route = "/metrics";
      return text_response(200, "text/plain; version=0.0.4; charset=utf-8",
                           metrics.text(gauges(the_state)) + (options.gateway ? options.gateway->metrics() : ""));
    }
    if (under("/mirror-key.asc")) return text_response(200, "application/pgp-keys", key.public_key_armored());
    if (under("/mirror-key.gpg")) return text_response(200, "application/octet-stream", key.public_key());
    fail(ErrorCode::not_found, "nothing is served at '{}'", path);
  }

  HttpResponse bundle_file(const MirrorState& the_state, std::string_view path) const {
    const auto slash = path.find('/');
    if (slash != std::string_view::npos) {
      const auto rest = path.substr(slash + 1);
      const auto latest = the_state.latest.find(path.substr(0, slash));
      if (latest != the_state.latest.end() && (rest == "latest" || rest.starts_with("latest/"))) {
        auto response = the_state.bundles.answer(
            blobs, fmt::format("{}/{}{}", path.substr(0, slash), latest->second, rest.substr(6)));
        return response.set("Cache-Control", "no-cache");
      }
    }
    return the_state.bundles.answer(blobs, path);
  }

  HttpResponse health() const {
    const bool healthy = reads->healthy();
    const auto the_state = current_state();
    const Json body = {{"status", healthy ? "ok" : "audit-unwritable"}, {"generation", the_state->generation}};
    return text_response(healthy ? 200 : 503, "application/json", dump_json(body)).set("Cache-Control", "no-store");
  }

  HttpResponse page(const MirrorState& the_state, const HttpRequest& request) const {
    const auto host = request.header("Host");
    const auto base = host.empty() ? server->url() : fmt::format("{}://{}", options.http.tls ? "https" : "http", host);
    return text_response(200, "text/html; charset=utf-8", index_page(the_state, options.organisation, base))
        .set("Cache-Control", "no-cache")
        .set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
        .set("Referrer-Policy", "no-referrer");
  }

  MirrorGauges gauges(const MirrorState& the_state) const {
    const auto checked = log_check ? log_check->found() : LogCheck::Found{};
    return {.connections = server->connections(),
            .view_generation = the_state.generation,
            .artifacts = the_state.view->artifacts.size(),
            .publications = the_state.publications.size(),
            .published_bytes = the_state.bytes,
            .free_bytes = free_space(options.store_folder),
            .audited_reads = reads->events_written(),
            .audit_healthy = reads->healthy(),
            .audit_damaged = checked.damaged,
            .audit_checked = checked.checked.time_since_epoch().count(),
            .access_log_lines = access_log ? access_log->lines() : 0,
            .access_log_dropped = access_log ? access_log->dropped() : 0};
  }

  /// Only mirrors of packages that need it have it. The environment is used by one thread at a time.
  MirrorKey& rsa_key() {
    if (!the_rsa_key) {
      the_rsa_key.emplace(options.key_folder.string() + "-rsa", options.organisation, MirrorKey::Algorithm::rsa3072);
    }
    return *the_rsa_key;
  }

  MirrorOptions options;
  AuditLog& audit;
  Reporter& reporter;
  const std::string actor;
  BlobStore blobs;
  BlobCache cache;
  Catalog catalog;
  std::atomic<bool> catalog_is_readable = true;
  Readiness readiness;
  MirrorKey key;
  std::optional<MirrorKey> the_rsa_key;
  RouteEnvironment environment;
  Metrics metrics;
  std::optional<AccessLog> access_log;

  mutable std::mutex mutex;  // of state and tokens
  StatePtr state;
  TokensPtr tokens;
  std::mutex refresh_mutex;

  std::unique_ptr<ReadAudit> reads;
  std::optional<LogCheck> log_check;
  std::unique_ptr<HttpServer> server;
  std::mutex poll_mutex;
  std::condition_variable poll_wake;
  bool stopping = false;
  std::thread poll_thread;
};

MirrorServer::MirrorServer(MirrorOptions options, AuditLog& log, Reporter& reporter, std::string actor)
    : m_impl(std::make_unique<Impl>(std::move(options), log, reporter, std::move(actor),
                                    [this](const HttpRequest& request) { return handle(request); })) {
  m_impl->reads = std::make_unique<ReadAudit>(log);
}

MirrorServer::~MirrorServer() {
  try {
    stop(std::chrono::milliseconds(0));
  } catch (const Error& error) {
    m_impl->reporter.warn(error.what());
  }
}

void MirrorServer::start() {
  m_impl->note("mirror.start");
  m_impl->log_check.emplace(m_impl->audit, m_impl->reporter, m_impl->actor, m_impl->options.log_check);
  m_impl->readiness.look();
  m_impl->server->start();
  m_impl->poll_thread = std::thread([this] { m_impl->poll(); });
}

std::string MirrorServer::url() const {
  return m_impl->server->url();
}
HttpResponse MirrorServer::handle(const HttpRequest& request) {
  return m_impl->answer(request);
}

void MirrorServer::reload() {
  try {
    m_impl->server->reload_tls();
  } catch (const Error& error) {
    m_impl->reporter.warn(fmt::format("the certificate could not be read again, the old one stays: {}", error.what()));
  }
  m_impl->refresh_tokens();
  m_impl->refresh(true);
}

void MirrorServer::drain() {
  m_impl->readiness.drain();
}

void MirrorServer::stop(std::chrono::milliseconds patience) {
  if (!m_impl->poll_thread.joinable()) return;
  {
    const std::lock_guard lock(m_impl->poll_mutex);
    m_impl->stopping = true;
  }
  m_impl->poll_wake.notify_all();
  m_impl->poll_thread.join();
  m_impl->server->stop(patience);
  m_impl->log_check.reset();
  m_impl->reads.reset();
  m_impl->note("mirror.stop");
}

std::vector<ClientConfiguration> client_configurations(const fs::path& store_folder, const fs::path& catalog_file,
                                                       const std::vector<MakeRoute>& routes,
                                                       std::string_view base_url) {
  const BlobStore blobs(store_folder);
  const Catalog catalog(catalog_file, Access::read);
  // Nothing is signed here: a configuration does not depend on the signature, and the key may be the server's alone.
  const RouteEnvironment environment{.blobs = blobs,
                                     .clearsign = [](std::string_view text) { return std::string(text); },
                                     .public_key = {},
                                     .public_key_armored = {},
                                     .inspection = [&](const Artifact& one) { return catalog.inspection(one); },
                                     .rsa_public_key_armored = [] { return std::string(); },
                                     .rsa_sign = [](std::string_view) { return std::string(); }};
  const auto state = load_mirror_state(catalog, routes, environment);
  std::vector<ClientConfiguration> out;
  for (const auto& route : state->routes) {
    out.push_back({std::string(route->title()), std::string(route->prefix()), route->clients(),
                   route->client_configuration(base_url)});
  }
  return out;
}

std::pair<std::string, std::uint16_t> parse_listen(std::string_view text) {
  const auto colon = text.rfind(':');
  const auto port =
      parse_uint(colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1)).value_or(65536);
  auto address = std::string(text.substr(0, colon));
  if (address == "localhost") address = "127.0.0.1";
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  in6_addr ignored{};
  const bool known =
      ::inet_pton(AF_INET, address.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, address.c_str(), &ignored) == 1;
  if (!known || port > 65535) {
    throw Error(ErrorCode::usage, fmt::format("'{}' is no ADDRESS:PORT", text),
                "give e.g. 127.0.0.1:8480 or [::1]:8480");
  }
  return {address, static_cast<std::uint16_t>(port)};
}

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1";
}

}  // namespace liftlock
