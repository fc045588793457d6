#include <nlohmann/json.hpp>

#include "site/site.hpp"

namespace liftlock {

Json settings_json(const SiteConfig& config) {
  const auto path_or_null = [](const std::optional<fs::path>& path) { return path ? Json(path->string()) : Json(); };
  Json out = {{"zone", name(config.zone)},
              {"organisation", config.organisation},
              {"policy.require_expect", config.require_expect},
              {"policy.accept_expired_bundles", config.accept_expired_bundles},
              {"policy.approvals", config.approvals},
              {"policy.accept_kinds", config.accept_kinds},
              {"policy.reserve", config.reserve_bytes},
              {"policy.require_countersignature", config.countersigners},
              {"policy.recheck_models", config.recheck_models},
              {"policy.model_memory", config.seal_models ? "sealed" : "file"},
              {"policy.unsigned_imports", config.unsigned_imports},
              {"policy.outbound", config.may_send_receipts ? "receipts" : "nothing"},
              {"serve.listen", config.listen},
              {"serve.tls_certificate", path_or_null(config.tls_certificate)},
              {"serve.tls_key", path_or_null(config.tls_key)},
              {"serve.allow_tls12", config.allow_tls12},
              {"serve.tokens_file", path_or_null(config.tokens_file)},
              {"serve.access_log", config.access_log},
              {"serve.access_log_size", config.access_log_size},
              {"serve.drain", config.drain.count()},
              {"telemetry.otlp_endpoint", config.otlp_endpoint ? Json(*config.otlp_endpoint) : Json()},
              {"telemetry.ca_file", path_or_null(config.otlp_ca_file)},
              {"models.memory", config.model_memory},
              {"models.keep_alive", config.keep_alive.count() / 60},
              {"models.slots", config.slots},
              {"models.queue", config.queue},
              {"models.context", config.context},
              {"models.work_patience", config.work_patience.count() / 60},
              {"models.speech_pace", config.speech_pace},
              {"models.speech_hint", config.speech_hint},
              {"gateway.networks", config.networks},
              {"gateway.require_gate", config.require_gate},
              {"record.mode", config.record},
              {"record.models", config.record_models},
              {"record.when_unwritable", config.record_or_stop ? "stop" : "answer"},
              {"record.recordings", config.record_recordings},
              {"labels.order", config.labels},
              {"labels.models", config.model_labels},
              {"audit.witness", config.witnesses},
              {"audit.witness_max_age", config.witness_max_age.count()},
              {"record.keep", config.record_keep ? Json(config.record_keep->count()) : Json()}};
  for (const auto& [record_class, keep] : config.record_keeps) out["record.keep." + record_class] = keep.count();
  if (const auto& syslog = config.syslog) {
    out["audit.syslog"] = syslog->address;
    out["audit.syslog_ca_file"] = path_or_null(syslog->ca_file);
    out["audit.syslog_certificate"] = path_or_null(syslog->certificate);
    out["audit.syslog_key"] = path_or_null(syslog->key);
    out["audit.syslog_max_delay"] = syslog->max_delay.count();
  }
  for (const auto& [source_name, source] : config.sources) {
    out["source." + source_name + ".path"] = source.path.string();
    out["source." + source_name + ".require_read_only"] = source.require_read_only;
  }
  if (const auto& scan = config.scan) {
    out["scan.command"] = scan->command;
    out["scan.version"] = scan->version;
    out["scan.max_file_size"] = scan->max_file_size ? Json(*scan->max_file_size) : Json();
    out["scan.skip_kinds"] = scan->skip_kinds;
    out["scan.not_scanned_names"] = scan->not_scanned_names;
    out["scan.not_scanned"] = scan->accept_not_scanned ? "accept" : "refuse";
    out["scan.timeout"] = scan->timeout.count();
  }
  for (const auto& [name, one] : config.repositories) {
    const auto key = one.table.substr(1, one.table.size() - 2) + ".";
    const auto put = [&](std::string_view member, const std::optional<fs::path>& path) {
      if (path) out[key + std::string(member)] = path->string();
    };
    out[key + "kind"] = one.kind;
    if (!one.address.empty()) out[key + "address"] = one.address;
    put("folder", one.folder);
    put("ca_file", one.ca_file);
    put("login_file", one.login_file);
    put("token_file", one.token_file);
    if (!one.folder) out[key + "allow_http"] = one.allow_http;
    if (!one.takes.empty()) out[key + "takes"] = one.takes;
    for (const auto& [member, text] : one.of_its_kind) out[key + member] = text;
  }
  if (const auto& sync = config.sync) {
    out["sync.peer"] = sync->peer;
    out["sync.ca_file"] = path_or_null(sync->ca_file);
    out["sync.token_file"] = path_or_null(sync->token_file);
    out["sync.allow_http"] = sync->allow_http;
    out["sync.ring"] = sync->ring;
    out["sync.channels"] = sync->channels;
    out["sync.follow_retired"] = sync->follow_retired;
    out["sync.connections"] = sync->connections;
    out["sync.patience"] = sync->patience.count();
  }
  for (const auto& [channel, every] : config.cadence) out["channel." + channel + ".every"] = every.count();
  for (const auto& [role, model] : config.roles) out["roles." + role] = model;
  for (const auto& [pool_name, pool] : config.pools) {
    const auto where = "pool." + pool_name;
    out[where] = {{"api", pool.api},
                  {"endpoints", pool.endpoints},
                  {"models", pool.models},
                  {"label", pool.label},
                  {"credential_file", path_or_null(pool.credential_file)},
                  {"ca_file", path_or_null(pool.ca_file)},
                  {"gated", pool.gated},
                  {"slots", pool.slots},
                  {"connect_timeout", pool.connect_timeout.count()},
                  {"answer_timeout", pool.answer_timeout.count()},
                  {"idle_timeout", pool.idle_timeout.count()}};
  }
  return out;
}

}  // namespace liftlock
