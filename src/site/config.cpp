#include "site/config.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/rel_path.hpp"
#include "base/text.hpp"
#include "site/table_reader.hpp"

namespace liftlock {
void read_strings(const TableReader& reader, std::string_view key, const toml::table& table,
                  const std::function<void(const std::string&)>& take) {
  const auto* array = table[key].as_array();
  if (array == nullptr) {
    if (table.contains(key))
      fail(ErrorCode::config_invalid, "config.toml line {}: '{}' must be an array", reader.line(key), key);
    return;
  }
  for (const auto& node : *array) {
    const auto text = node.value_exact<std::string>();
    if (!text) {
      fail(ErrorCode::config_invalid, "config.toml line {}: '{}' must hold strings", node.source().begin.line, key);
    }
    take(*text);
  }
}

std::map<std::string, std::string> read_names(const toml::table& table, std::string_view where) {
  std::map<std::string, std::string> out;
  for (const auto& [key, node] : table) {
    const auto text = node.value_exact<std::string>();
    if (!text || text->empty()) {
      fail(ErrorCode::config_invalid, "config.toml line {}: '{}' of {} must be a string", key.source().begin.line,
           printable(key.str()), where);
    }
    out[std::string(key.str())] = *text;
  }
  return out;
}

namespace {

std::map<std::string, Source> read_sources(const toml::table& table) {
  std::map<std::string, Source> sources;
  for (const auto& [key, node] : table) {
    const std::string source_name(key.str());
    const auto line = key.source().begin.line;
    if (!node.is_table()) {
      fail(ErrorCode::config_invalid, "config.toml line {}: [source.{}] must be a table", line, source_name);
    }
    const TableReader reader(*node.as_table(), "[source." + source_name + "]", {"path", "require_read_only"});
    const auto path = reader.get<std::string>("path");
    if (!path || !fs::path(*path).is_absolute()) {
      fail(ErrorCode::config_invalid, "config.toml line {}: [source.{}] needs an absolute 'path'",
           path ? reader.line("path") : line, source_name);
    }
    sources[source_name] = {*path, reader.get<bool>("require_read_only").value_or(true)};
  }
  return sources;
}

void read_policy(const toml::table& table, SiteConfig& config) {
  const TableReader reader(
      table, "[policy]",
      {"require_expect", "accept_expired_bundles", "approvals", "reserve", "require_countersignature", "recheck_models",
       "model_memory", "outbound", "unsigned_imports", "accept_kinds"});
  config.accept_kinds = reader.texts("accept_kinds");
  config.unsigned_imports = reader.get<bool>("unsigned_imports").value_or(config.unsigned_imports);
  const auto outbound = reader.get<std::string>("outbound").value_or("nothing");
  if (outbound != "nothing" && outbound != "receipts") {
    throw Error(ErrorCode::config_invalid,
                fmt::format("config.toml line {}: 'outbound' of [policy] cannot be '{}'", reader.line("outbound"),
                            printable(outbound)),
                "it is nothing or receipts");
  }
  config.may_send_receipts = outbound == "receipts";
  config.countersigners = reader.texts("require_countersignature");
  for (const auto& role : config.countersigners) {
    if (role == "approver" || role == "scanner") continue;
    throw Error(ErrorCode::config_invalid,
                fmt::format("config.toml line {}: '{}' does not countersign models",
                            reader.line("require_countersignature"), printable(role)),
                "the roles are approver and scanner");
  }
  const auto memory = reader.get<std::string>("model_memory").value_or("file");
  if (memory != "file" && memory != "sealed") {
    throw Error(ErrorCode::config_invalid,
                fmt::format("config.toml line {}: 'model_memory' of [policy] cannot be '{}'",
                            reader.line("model_memory"), printable(memory)),
                "it is file or sealed; how many bytes models may take is memory of [models]");
  }
  config.seal_models = memory == "sealed";
  config.recheck_models = reader.get<bool>("recheck_models").value_or(config.recheck_models);
  config.require_expect = reader.get<bool>("require_expect").value_or(config.require_expect);
  config.accept_expired_bundles = reader.get<bool>("accept_expired_bundles").value_or(config.accept_expired_bundles);
  const auto approvals = reader.get<std::int64_t>("approvals").value_or(0);
  if (approvals < 0 || approvals > 16) {
    fail(ErrorCode::config_invalid, "config.toml line {}: 'approvals' of [policy] is no number from 0 to 16",
         reader.line("approvals"));
  }
  config.approvals = static_cast<std::uint64_t>(approvals);
  if (const auto text = reader.get<std::string>("reserve")) {
    const auto bytes = parse_size(*text);
    if (!bytes) {
      fail(ErrorCode::config_invalid, "config.toml line {}: 'reserve' of [policy] is no size like \"1GiB\"",
           reader.line("reserve"));
    }
    config.reserve_bytes = *bytes;
  }
}

ScanConfig read_scan(const toml::table& table) {
  const TableReader reader(
      table, "[scan]",
      {"command", "version", "max_file_size", "skip_kinds", "not_scanned_names", "not_scanned", "timeout"});
  ScanConfig out;
  out.command = reader.texts("command");
  if (out.command.empty()) {
    throw Error(ErrorCode::config_invalid, "config.toml: [scan] needs 'command'",
                "for ClamAV: command = [\"clamscan\", \"--recursive\", \"--infected\", \"--no-summary\"]");
  }
  out.version = reader.texts("version");
  out.skip_kinds = reader.texts("skip_kinds");
  out.not_scanned_names = reader.texts("not_scanned_names");
  const auto not_scanned = reader.get<std::string>("not_scanned").value_or("refuse");
  if (not_scanned != "refuse" && not_scanned != "accept") {
    throw Error(ErrorCode::config_invalid,
                fmt::format("config.toml line {}: 'not_scanned' of [scan] cannot be '{}'", reader.line("not_scanned"),
                            printable(not_scanned)),
                "it is refuse or accept");
  }
  out.accept_not_scanned = not_scanned == "accept";
  if (const auto text = reader.get<std::string>("max_file_size")) {
    out.max_file_size = parse_size(*text);
    if (!out.max_file_size) {
      fail(ErrorCode::config_invalid, "config.toml line {}: 'max_file_size' of [scan] is no size like \"2GiB\"",
           reader.line("max_file_size"));
    }
  }
  if (const auto text = reader.get<std::string>("timeout")) {
    const auto timeout = parse_duration(*text);
    if (!timeout || timeout->count() <= 0) {
      fail(ErrorCode::config_invalid, "config.toml line {}: 'timeout' of [scan] is no time like \"6h\"",
           reader.line("timeout"));
    }
    out.timeout = *timeout;
  }
  return out;
}

void read_audit(const toml::table& table, SiteConfig& config) {
  const TableReader reader(table, "[audit]",
                           {"witness", "witness_max_age", "syslog", "syslog_ca_file", "syslog_certificate",
                            "syslog_key", "syslog_max_delay"});
  config.witnesses = reader.texts("witness");
  if (const auto text = reader.get<std::string>("witness_max_age")) {
    const auto age = parse_duration(*text);
    if (!age || age->count() <= 0) {
      fail(ErrorCode::config_invalid, "config.toml line {}: 'witness_max_age' of [audit] is no duration like \"31d\"",
           reader.line("witness_max_age"));
    }
    config.witness_max_age = *age;
  }
  const auto address = reader.get<std::string>("syslog");
  if (!address) return;
  auto& syslog = config.syslog.emplace();
  syslog.address = *address;
  if (const auto path = reader.get<std::string>("syslog_ca_file")) syslog.ca_file = *path;
  if (const auto path = reader.get<std::string>("syslog_certificate")) syslog.certificate = *path;
  if (const auto path = reader.get<std::string>("syslog_key")) syslog.key = *path;
  if (const auto text = reader.get<std::string>("syslog_max_delay")) {
    const auto delay = parse_duration(*text);
    if (!delay || delay->count() <= 0) {
      fail(ErrorCode::config_invalid, "config.toml line {}: 'syslog_max_delay' of [audit] is no duration like \"15m\"",
           reader.line("syslog_max_delay"));
    }
    syslog.max_delay = *delay;
  }
}

SyncConfig read_sync(const toml::table& table) {
  const TableReader reader(
      table, "[sync]",
      {"peer", "ca_file", "token_file", "allow_http", "ring", "channels", "follow_retired", "connections", "patience"});
  SyncConfig out;
  out.peer = reader.get<std::string>("peer").value_or("");
  out.ring = reader.get<std::string>("ring").value_or("");
  if (out.peer.empty() || out.ring.empty()) {
    throw Error(
        ErrorCode::config_invalid, "config.toml: [sync] needs 'peer' and 'ring'",
        "peer = \"https://NAME:8443\" is the ingest node's mirror; the ring \"canary\" takes what landed there, any "
        "other what a person promoted");
  }
  if (portable_component(out.ring) != out.ring || out.ring.size() > 64) {
    fail(ErrorCode::config_invalid, "config.toml line {}: 'ring' of [sync] is no name of letters, digits, '-' and '_'",
         reader.line("ring"));
  }
  if (const auto path = reader.get<std::string>("ca_file")) out.ca_file = *path;
  if (const auto path = reader.get<std::string>("token_file")) out.token_file = *path;
  out.allow_http = reader.get<bool>("allow_http").value_or(out.allow_http);
  out.channels = reader.texts("channels");
  out.follow_retired = reader.get<bool>("follow_retired").value_or(out.follow_retired);
  if (const auto count = reader.get<std::int64_t>("connections")) {
    if (*count < 1 || *count > 32) {
      fail(ErrorCode::config_invalid, "config.toml line {}: 'connections' of [sync] must be 1 to 32",
           reader.line("connections"));
    }
    out.connections = static_cast<unsigned>(*count);
  }
  if (const auto text = reader.get<std::string>("patience")) {
    const auto patience = parse_duration(*text);
    if (!patience || patience->count() <= 0 || *patience > std::chrono::hours(1)) {
      fail(ErrorCode::config_invalid, "config.toml line {}: 'patience' of [sync] is no time like \"30s\"",
           reader.line("patience"));
    }
    out.patience = *patience;
  }
  return out;
}

/// [channel.NAME]
std::map<std::string, std::chrono::seconds> read_cadence(const toml::table& table) {
  std::map<std::string, std::chrono::seconds> out;
  for (const auto& [key, node] : table) {
    const std::string channel(key.str());
    const auto where = fmt::format("[channel.{}]", printable(channel));
    if (!node.is_table() || portable_component(channel) != channel) {
      fail(ErrorCode::config_invalid, "config.toml line {}: {} must be a table, with the name of a channel",
           key.source().begin.line, where);
    }
    const TableReader reader(*node.as_table(), where, {"every"});
    const auto every = parse_duration(reader.get<std::string>("every").value_or(""));
    if (!every || every->count() <= 0) {
      fail(ErrorCode::config_invalid, "config.toml line {}: {} needs every = \"90d\" or the like",
           key.source().begin.line, where);
    }
    out[channel] = *every;
  }
  return out;
}

void read_labels(const toml::table& table, SiteConfig& config) {
  const TableReader reader(table, "[labels]", {"order", "models"});
  read_strings(reader, "order", table, [&](const std::string& text) { config.labels.push_back(text); });
  if (const auto* models = reader.table("models")) config.model_labels = read_names(*models, "[labels.models]");
}

/// A label that is not in the order would bind nobody.
void require_known_labels(const SiteConfig& config) {
  const auto require = [&](const std::string& label, std::string_view of) {
    if (std::find(config.labels.begin(), config.labels.end(), label) != config.labels.end()) return;
    throw Error(ErrorCode::config_invalid,
                fmt::format("config.toml: the label '{}' of '{}' is not known", printable(label), printable(of)),
                "list it in order under [labels], from the lowest to the highest");
  };
  for (const auto& [model, label] : config.model_labels) require(label, model);
  for (const auto& [name, pool] : config.pools) {
    if (!pool.label.empty()) require(pool.label, name);
  }
  for (std::size_t i = 0; i < config.labels.size(); ++i) {
    if (std::find(config.labels.begin(), config.labels.begin() + static_cast<std::ptrdiff_t>(i), config.labels[i]) !=
        config.labels.begin() + static_cast<std::ptrdiff_t>(i)) {
      fail(ErrorCode::config_invalid, "config.toml: the label '{}' stands twice in the order of [labels]",
           printable(config.labels[i]));
    }
  }
}

}  // namespace

SiteConfig parse_config(const std::string& text) {
  const auto document = parse_toml(text, ErrorCode::config_invalid, "config.toml ");
  const TableReader reader(
      document, "the top level",
      {"zone", "organisation", "source", "policy", "serve", "models", "gateway", "roles", "pool", "record", "labels",
       "telemetry", "channel", "scan", "audit", "sync", "registry", "repository"});
  SiteConfig config;
  const auto zone_text = reader.get<std::string>("zone");
  if (zone_text) {
    const auto zone = parse_zone(*zone_text);
    if (!zone) {
      throw Error(ErrorCode::config_invalid,
                  fmt::format("config.toml line {}: there is no zone '{}'", reader.line("zone"), printable(*zone_text)),
                  "the zones are low, transfer, ingest and production");
    }
    config.zone = *zone;
  }
  config.organisation = reader.get<std::string>("organisation").value_or("");
  if (const auto* table = reader.table("source")) config.sources = read_sources(*table);
  if (const auto* table = reader.table("policy")) read_policy(*table, config);
  if (const auto* table = reader.table("scan")) config.scan = read_scan(*table);
  if (const auto* table = reader.table("audit")) read_audit(*table, config);
  if (const auto* table = reader.table("sync")) config.sync = read_sync(*table);
  if (const auto* table = reader.table("repository")) read_repositories(*table, config);
  if (const auto* table = reader.table("registry")) read_registries(*table, config);
  if (const auto* table = reader.table("channel")) config.cadence = read_cadence(*table);
  if (const auto* table = reader.table("serve")) read_serve(*table, config);
  if (const auto* table = reader.table("models")) read_models(*table, config);
  if (const auto* table = reader.table("gateway")) read_gateway(*table, config);
  if (const auto* table = reader.table("roles")) config.roles = read_names(*table, "[roles]");
  if (const auto* table = reader.table("pool")) config.pools = read_pools(*table);
  if (const auto* table = reader.table("record")) read_record(*table, config);
  if (const auto* table = reader.table("telemetry")) read_telemetry(*table, config);
  if (const auto* table = reader.table("labels")) read_labels(*table, config);
  require_known_labels(config);
  return config;
}

}  // namespace liftlock
