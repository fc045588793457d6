#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "bundle/trust_mark.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/ecosystems_high.hpp"
#include "cli/engine_import.hpp"
#include "cli/inspection.hpp"
#include "cli/key_standing.hpp"
#include "cli/model_serving.hpp"
#include "cli/syslog_settings.hpp"
#include "net/server.hpp"
#include "os/file.hpp"
#include "server/local_door.hpp"
#include "server/log_check.hpp"
#include "server/mirror_server.hpp"
#include "server/sd_notify.hpp"
#include "store/blob_store.hpp"

namespace liftlock {
namespace {

/// How long running downloads may take to end after SIGTERM; below systemd's TimeoutStopSec of the unit.
constexpr std::chrono::seconds k_patience{60};

struct Options {
  std::string listen;
  std::string tls_certificate;
  std::string tls_key;
  std::string tokens;
  bool tls12 = false;
  bool insecure_listen = false;
  bool require_whole_log = false;
  std::string incoming_engines;
};

MirrorOptions mirror_options(const Site& site, const Options& options) {
  const auto& config = site.config();
  MirrorOptions mirror;
  mirror.store_folder = site.store_folder();
  mirror.catalog_file = site.catalog_file();
  mirror.rings_file = site.rings_file();
  mirror.key_folder = site.keys_folder() / "mirror-gnupg";
  mirror.cache_folder = site.folder() / "cache";
  mirror.organisation = config.organisation;
  mirror.tokens_file = config.tokens_file;
  if (!options.tokens.empty()) mirror.tokens_file = options.tokens;
  mirror.routes = mirror_routes();
  mirror.inspect = [inspect = make_inspect(), folder = site.store_folder()](const Artifact& artifact) {
    const auto open = [&](const Digest& digest) { return BlobStore(folder).open(digest); };
    auto inspection = inspect.artifact(artifact, open, {});
    if (!inspection.findings.empty()) throw Error(inspection.findings[0].code, inspection.findings[0].message);
    return std::move(inspection.facts);
  };
  std::tie(mirror.http.address, mirror.http.port) =
      parse_listen(options.listen.empty() ? config.listen : options.listen);
  const auto certificate = options.tls_certificate.empty() ? config.tls_certificate : fs::path(options.tls_certificate);
  const auto key = options.tls_key.empty() ? config.tls_key : fs::path(options.tls_key);
  if (certificate.has_value() != key.has_value()) {
    fail(ErrorCode::usage, "TLS needs both a certificate and a key");
  }
  if (certificate) {
    // OpenSSL does not say that a file is not there.
    for (const auto& file : {*certificate, *key}) (void)open_file(file, O_RDONLY);
    const bool old = options.tls12 || config.allow_tls12;
    mirror.http.tls =
        TlsSettings{*certificate, *key, old ? TlsSettings::Minimum::tls12 : TlsSettings::Minimum::tls13, {}};
  }
  if (config.access_log != "off") {
    mirror.access_log = AccessLogOptions{.file = site.access_log(), .max_bytes = config.access_log_size};
    if (config.access_log == "stderr") mirror.access_log->file.reset();
  }
  if (options.insecure_listen) mirror.insecure_listen = MirrorOptions::InsecureListen::allow;
  return mirror;
}

/// One process of an installation answers for models; what else is started serves files.
std::unique_ptr<ModelServing> serve_models(const Site& site, AuditLog& log, const Invocation& invocation) {
  try {
    return std::make_unique<ModelServing>(site, log, invocation.actor());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::busy) throw;
    return nullptr;
  }
}

/// For `ps` and `top`: docs/formats/local-door.md.
std::string status_text(ModelServing& models, const MirrorServer& mirror, Timestamp started) {
  auto status = models.gateway().status();
  status["format"] = "liftlock.status/1";
  status["version"] = LIFTLOCK_VERSION;
  status["pid"] = ::getpid();
  status["url"] = mirror.url();
  status["started"] = format_time(started);
  return dump_json(status);
}

struct StoppedEarly {};

/// @throws StoppedEarly when somebody ends the server meanwhile
void require_whole(AuditLog& log, const Invocation& invocation, StopSignals& signals) {
  const auto damage = find_damage(log, [&] {
    if (signals.came()) throw StoppedEarly();
  });
  log_damage(log, invocation.actor(), damage);
  if (!damage) return;
  throw Error(damage->code(), damage->what(), "keep the disk as it is; docs/guides/audit.md says how to mend the log");
}

/// A log that cannot be read through is told by its own check, and is no reason not to serve.
void compare_keys(const Site& site, AuditLog& log, Invocation& invocation) {
  try {
    const auto keys = key_standing(site, log);
    warn_of_foreign_keys(keys, invocation);
    for (const auto& id : revoke_revived(site, keys, log, invocation.actor()))
      invocation.reporter().warn(
          fmt::format("{} had been revoked and was valid again: it is revoked now", printable(id)));
  } catch (const Error& error) {
    invocation.reporter().warn(fmt::format("whether the users' keys are those of the audit log cannot be said: {}",
                                           printable(error.message())));
  }
}

/// What was judged by an old copy of the trust loads no more, and what is published stays served.
void compare_trust(const Site& site, const AuditLog& log, Invocation& invocation) {
  try {
    require_trust_as_marked(site, log);
    mark_trust(site, log);
  } catch (const Error& error) {
    invocation.reporter().warn(printable(error.message()));
  }
}

void serve(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("serve", {Zone::ingest, Zone::production});
  StopSignals signals;
  auto mirror_settings = mirror_options(site, options);  // a mistake of use is told before anything is begun
  record_config(invocation, site);
  AuditLog log(site.audit_folder(), "");
  if (options.require_whole_log) {
    require_whole(log, invocation, signals);
    mirror_settings.log_check.before_first = mirror_settings.log_check.while_good;
  }
  compare_keys(site, log, invocation);
  compare_trust(site, log, invocation);
  const auto models = serve_models(site, log, invocation);
  std::optional<IncomingEngines> incoming;
  if (models && !options.incoming_engines.empty()) incoming.emplace(invocation, site, options.incoming_engines);
  if (models) {
    mirror_settings.gateway = &models->gateway();
    mirror_settings.checks = models->checks();
  }
  MirrorServer mirror(std::move(mirror_settings), log, invocation.reporter(), invocation.actor());
  std::optional<LocalDoor> door;
  if (models) {
    door.emplace(site.run_folder(), [&, started = now()](const HttpRequest& request) {
      if (request.path != "/status") return models->gateway().handle_local(request);
      return text_response(200, "application/json", status_text(*models, mirror, started));
    });
  }
  auto collector = syslog_target(site);
  mirror.start();
  std::optional<SyslogShipper> shipper;
  if (collector) {
    shipper.emplace(site.syslog_folder(), site.audit_folder(), std::move(*collector), invocation.reporter());
  }
  if (!models)
    invocation.reporter().note("another process answers for the models of this installation; this one serves files");
  invocation.print({{"url", mirror.url()}, {"pid", ::getpid()}}, [&] { return "listening on " + mirror.url(); });
  std::fflush(stdout);
  sd_notify("READY=1\nSTATUS=serving on " + mirror.url());
  signals.wait([&] {
    sd_notify("RELOADING=1");
    mirror.reload();
    invocation.reporter().note("certificate, tokens and catalog were read again");
    sd_notify("READY=1");
  });
  sd_notify("STOPPING=1");
  mirror.drain();
  signals.wait_at_most(site.config().drain);
  mirror.stop(k_patience);
  if (door) door->stop(k_patience);
}

void run(Invocation& invocation, const Options& options) {
  try {
    serve(invocation, options);
  } catch (const StoppedEarly&) {
    invocation.reporter().note("ended before the audit log was read to its end; nothing was served");
  }
}

}  // namespace

void add_serve(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("serve", "Serve what was published to pip, apt, container tools, curl and others");
  auto options = std::make_shared<Options>();
  command->add_option("--listen", options->listen,
                      "ADDRESS:PORT; port 0 lets the kernel choose (default: config.toml)");
  command->add_option("--tls-cert", options->tls_certificate, "PEM certificate, the leaf first, then its chain");
  command->add_option("--tls-key", options->tls_key, "PEM private key of the certificate, without a passphrase");
  command->add_flag("--tls12", options->tls12, "Accept TLS 1.2 besides 1.3, for old clients");
  command->add_flag("--insecure-listen", options->insecure_listen, "Serve other machines without TLS");
  command->add_flag("--require-whole-log", options->require_whole_log,
                    "Check the whole audit log before anything is served, and refuse where it is damaged");
  command->add_option("--incoming-engines", options->incoming_engines,
                      "Folder that is looked into for engine packages; those that builders signed are installed");
  command->add_option("--tokens", options->tokens, "File of read tokens: lines NAME SHA256-OF-TOKEN");
  command->footer(
      "Prints 'listening on URL' once it answers. SIGHUP reads certificate, tokens and catalog again; SIGTERM ends it\n"
      "after the running downloads; /readyz answers 503 from then on. What is ingested meanwhile appears within a\n"
      "second. The whole audit log is checked meanwhile, and daily: damage is an alarm in /readyz, /metrics and "
      "`liftlock "
      "status`.\n"
      "Example: liftlock serve --listen 0.0.0.0:8443 --tls-cert mirror.pem --tls-key mirror.key");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
