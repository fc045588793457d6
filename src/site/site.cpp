#include "site/site.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/rel_path.hpp"
#include "base/text.hpp"
#include "base/toml_document.hpp"
#include "os/user.hpp"

namespace liftlock {
namespace {

constexpr std::array k_zones = {Zone::none, Zone::low, Zone::transfer, Zone::ingest, Zone::production};

/// Walks one table of config.toml: each known key is taken once, what is left over is an error.
class TableReader {
 public:
  TableReader(const toml::table& table, std::string where, std::vector<std::string_view> known)
      : m_table(table), m_where(std::move(where)), m_known(std::move(known)) {
    for (const auto& [key, value] : m_table) {
      if (std::find(m_known.begin(), m_known.end(), key.str()) != m_known.end()) continue;
      const auto near = nearest(key.str(), m_known);
      throw Error(ErrorCode::unknown_key,
                  fmt::format("config.toml line {}: {} has no key '{}'{}", key.source().begin.line, m_where,
                              printable(key.str()), near ? fmt::format("; did you mean '{}'?", *near) : ""),
                  "correct its spelling or remove it; docs/formats/config.md lists all keys");
    }
  }

  template <typename T>
  std::optional<T> get(std::string_view key) const {
    const auto* node = m_table.get(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->value_exact<T>();
    if (!value) {
      fail(ErrorCode::config_invalid, "config.toml line {}: '{}' of {} has the wrong type", node->source().begin.line,
           key, m_where);
    }
    return value;
  }

  std::vector<std::string> texts(std::string_view key) const {
    const auto* node = m_table.get(key);
    if (node == nullptr) return {};
    std::vector<std::string> out;
    if (const auto* array = node->as_array()) {
      for (const auto& one : *array) {
        if (const auto text = one.value_exact<std::string>()) out.push_back(*text);
      }
      if (out.size() == array->size()) return out;
    }
    fail(ErrorCode::config_invalid, "config.toml line {}: '{}' of {} must be an array of strings", line(key), key,
         m_where);
  }

  /// Of a key that is there.
  toml::source_index line(std::string_view key) const { return m_table.get(key)->source().begin.line; }

  const toml::table* table(std::string_view key) const {
    const auto* node = m_table.get(key);
    if (node == nullptr) return nullptr;
    if (!node->is_table()) fail(ErrorCode::config_invalid, "config.toml line {}: '{}' must be a table", line(key), key);
    return node->as_table();
  }

 private:
  const toml::table& m_table;
  std::string m_where;
  std::vector<std::string_view> m_known;
};

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
  const TableReader reader(table, "[policy]",
                           {"require_expect", "accept_expired_bundles", "approvals", "reserve",
                            "require_countersignature", "recheck_models", "outbound", "unsigned_imports"});
  (void)reader.get<bool>("unsigned_imports");  // allows_unsigned_imports() reads it
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

void read_serve(const toml::table& table, SiteConfig& config) {
  const TableReader reader(
      table, "[serve]",
      {"listen", "tls_certificate", "tls_key", "allow_tls12", "tokens_file", "access_log", "access_log_size", "drain"});
  config.listen = reader.get<std::string>("listen").value_or(config.listen);
  config.allow_tls12 = reader.get<bool>("allow_tls12").value_or(config.allow_tls12);
  if (const auto path = reader.get<std::string>("tls_certificate")) config.tls_certificate = *path;
  if (const auto path = reader.get<std::string>("tls_key")) config.tls_key = *path;
  if (const auto path = reader.get<std::string>("tokens_file")) config.tokens_file = *path;
  config.access_log = reader.get<std::string>("access_log").value_or(config.access_log);
  if (config.access_log != "file" && config.access_log != "stderr" && config.access_log != "off") {
    throw Error(ErrorCode::config_invalid,
                fmt::format("config.toml line {}: 'access_log' of [serve] cannot be '{}'", reader.line("access_log"),
                            printable(config.access_log)),
                "it is file, stderr or off");
  }
  if (const auto text = reader.get<std::string>("access_log_size")) {
    const auto bytes = parse_size(*text);
    if (!bytes || *bytes < 1u << 20) {
      fail(ErrorCode::config_invalid,
           "config.toml line {}: 'access_log_size' of [serve] is no size like \"64MiB\", of 1 MiB or more",
           reader.line("access_log_size"));
    }
    config.access_log_size = *bytes;
  }
  if (const auto text = reader.get<std::string>("drain")) {
    const auto duration = parse_duration(*text);
    if (!duration || *duration > std::chrono::minutes(10)) {
      fail(ErrorCode::config_invalid,
           "config.toml line {}: 'drain' of [serve] is no duration like \"15s\", of 10 minutes or less",
           reader.line("drain"));
    }
    config.drain = *duration;
  }
}

void read_telemetry(const toml::table& table, SiteConfig& config) {
  const TableReader reader(table, "[telemetry]", {"otlp_endpoint", "ca_file"});
  config.otlp_endpoint = reader.get<std::string>("otlp_endpoint");
  if (const auto path = reader.get<std::string>("ca_file")) config.otlp_ca_file = *path;
}

unsigned read_count(const TableReader& reader, std::string_view key, unsigned fallback, std::int64_t most) {
  const auto value = reader.get<std::int64_t>(key);
  if (!value) return fallback;
  if (*value < 0 || *value > most) {
    fail(ErrorCode::config_invalid, "config.toml line {}: '{}' of [models] must be 0 to {}", reader.line(key), key,
         most);
  }
  return static_cast<unsigned>(*value);
}

void read_models(const toml::table& table, SiteConfig& config) {
  const TableReader reader(table, "[models]", {"memory", "keep_alive", "slots", "queue", "context"});
  if (const auto text = reader.get<std::string>("memory")) {
    const auto bytes = parse_size(*text);
    if (!bytes) {
      fail(ErrorCode::config_invalid, "config.toml line {}: 'memory' of [models] is no size like \"8GiB\"",
           reader.line("memory"));
    }
    config.model_memory = *bytes;
  }
  config.keep_alive = std::chrono::minutes(read_count(reader, "keep_alive", 30, 60 * 24 * 365));
  config.slots = std::max(1u, read_count(reader, "slots", config.slots, 256));
  config.queue = read_count(reader, "queue", config.queue, 100'000);
  config.context = read_count(reader, "context", config.context, 10'000'000);
}

template <typename Take>
void read_strings(const TableReader& reader, std::string_view key, const toml::table& table, const Take& take) {
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

void read_gateway(const toml::table& table, SiteConfig& config) {
  const TableReader reader(table, "[gateway]", {"networks", "require_gate"});
  read_strings(reader, "networks", table, [&](const std::string& text) { config.networks.push_back(text); });
  config.require_gate = reader.get<bool>("require_gate").value_or(config.require_gate);
}

PoolConfig read_pool(const toml::table& table, const std::string& where) {
  const TableReader reader(table, where,
                           {"api", "endpoints", "models", "credential_file", "ca_file", "gated", "label", "slots",
                            "connect_timeout", "answer_timeout", "idle_timeout"});
  PoolConfig pool;
  pool.api = reader.get<std::string>("api").value_or(pool.api);
  if (pool.api != "openai" && pool.api != "tei") {
    throw Error(
        ErrorCode::config_invalid,
        fmt::format("config.toml line {}: 'api' of {} cannot be '{}'", reader.line("api"), where, printable(pool.api)),
        "it is openai (vLLM, llama-server, Ollama, sd-server) or tei (text-embeddings-inference)");
  }
  read_strings(reader, "endpoints", table, [&](const std::string& text) { pool.endpoints.push_back(text); });
  if (const auto* models = reader.table("models")) pool.models = read_names(*models, where);
  if (pool.endpoints.empty() || pool.models.empty()) {
    fail(ErrorCode::config_invalid, "config.toml: {} needs 'endpoints' and 'models'", where);
  }
  if (const auto path = reader.get<std::string>("credential_file")) pool.credential_file = *path;
  if (const auto path = reader.get<std::string>("ca_file")) pool.ca_file = *path;
  pool.gated = reader.get<bool>("gated").value_or(pool.gated);
  pool.label = reader.get<std::string>("label").value_or("");
  pool.slots = std::max(1u, read_count(reader, "slots", pool.slots, 100'000));
  const auto time = [&](std::string_view key, std::chrono::seconds& into) {
    const auto text = reader.get<std::string>(key);
    if (!text) return;
    const auto duration = parse_duration(*text);
    if (!duration || duration->count() <= 0) {
      fail(ErrorCode::config_invalid, "config.toml line {}: '{}' of {} is no duration like \"30s\"", reader.line(key),
           key, where);
    }
    into = *duration;
  };
  time("connect_timeout", pool.connect_timeout);
  time("answer_timeout", pool.answer_timeout);
  time("idle_timeout", pool.idle_timeout);
  return pool;
}

std::map<std::string, PoolConfig> read_pools(const toml::table& table) {
  std::map<std::string, PoolConfig> pools;
  for (const auto& [key, node] : table) {
    const std::string pool_name(key.str());
    const auto where = fmt::format("[pool.{}]", printable(pool_name));
    if (!node.is_table() || portable_component(pool_name) != pool_name) {
      fail(ErrorCode::config_invalid, "config.toml line {}: {} must be a table, of letters, digits, '-', '_' and '.'",
           key.source().begin.line, where);
    }
    pools[pool_name] = read_pool(*node.as_table(), where);
  }
  return pools;
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

std::map<std::string, RegistryConfig> read_registries(const toml::table& table) {
  std::map<std::string, RegistryConfig> registries;
  for (const auto& [key, node] : table) {
    const std::string registry_name(key.str());
    const auto where = fmt::format("[registry.{}]", registry_name);
    const auto* one = node.as_table();
    if (one == nullptr) fail(ErrorCode::config_invalid, "config.toml: {} must be a table", printable(where));
    const TableReader reader(*one, where, {"address", "prefix", "ca_file", "login_file", "allow_http"});
    RegistryConfig config;
    config.address = reader.get<std::string>("address").value_or("");
    if (config.address.empty()) {
      throw Error(ErrorCode::config_invalid, fmt::format("config.toml: {} has no 'address'", printable(where)),
                  "address = \"https://registry.site.example:5000\"");
    }
    config.prefix = reader.get<std::string>("prefix").value_or("");
    if (const auto path = reader.get<std::string>("ca_file")) config.ca_file = *path;
    if (const auto path = reader.get<std::string>("login_file")) config.login_file = *path;
    config.allow_http = reader.get<bool>("allow_http").value_or(false);
    registries[registry_name] = std::move(config);
  }
  return registries;
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
      fail(ErrorCode::config_invalid, "config.toml line {}: {} needs every = \"90d\" or the like", reader.line("every"),
           where);
    }
    out[channel] = *every;
  }
  return out;
}

void require_record_mode(const std::string& mode, toml::source_index line) {
  if (mode == "full" || mode == "hash-only" || mode == "off") return;
  throw Error(ErrorCode::config_invalid,
              fmt::format("config.toml line {}: a mode of [record] cannot be '{}'", line, printable(mode)),
              "it is full, hash-only or off");
}

void read_record(const toml::table& table, SiteConfig& config) {
  const TableReader reader(table, "[record]", {"mode", "keep", "models", "when_unwritable"});
  if (const auto text = reader.get<std::string>("keep")) {
    config.record_keep = parse_retention(*text);
    if (!config.record_keep) {
      fail(ErrorCode::config_invalid, "config.toml line {}: 'keep' of [record] is no duration like \"6y\" or \"365d\"",
           reader.line("keep"));
    }
  }
  if (const auto mode = reader.get<std::string>("mode")) {
    require_record_mode(*mode, reader.line("mode"));
    config.record = *mode;
  }
  if (const auto* models = reader.table("models")) config.record_models = read_names(*models, "[record.models]");
  for (const auto& [model, mode] : config.record_models) require_record_mode(mode, reader.line("models"));
  const auto without = reader.get<std::string>("when_unwritable").value_or("stop");
  if (without != "stop" && without != "answer") {
    throw Error(ErrorCode::config_invalid,
                fmt::format("config.toml line {}: 'when_unwritable' of [record] cannot be '{}'",
                            reader.line("when_unwritable"), printable(without)),
                "it is stop or answer");
  }
  config.record_or_stop = without == "stop";
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

SiteConfig parse_config(const std::string& text) {
  const auto document = parse_toml(text, ErrorCode::config_invalid, "config.toml ");
  const TableReader reader(document, "the top level",
                           {"zone", "organisation", "source", "policy", "serve", "models", "gateway", "roles", "pool",
                            "record", "labels", "telemetry", "channel", "scan", "audit", "sync", "registry"});
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
  if (const auto* table = reader.table("registry")) config.registries = read_registries(*table);
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

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + "\"";
}

std::string first_config(Zone zone, std::string_view organisation, const RecordChoice& record) {
  return fmt::format(R"(# Liftlock installation. Every key is described in docs/formats/config.md.
zone = "{}"
organisation = {}

[policy]
require_expect = true            # ingest wants the announced digest of bundle.json
accept_expired_bundles = false
reserve = "1GiB"                 # disk that ingest never fills

[serve]
listen = "127.0.0.1:8480"        # any other address needs tls_certificate and tls_key
# tls_certificate = "/etc/liftlock/tls.crt"
# tls_key = "/etc/liftlock/tls.key"
# tokens_file = "/etc/liftlock/tokens"

[models]                         # what `serve` runs for /v1/ and /api/; everybody needs a key: `liftlock key add`
# memory = "8GiB"                # for all engines together
keep_alive = 30                  # minutes that an idle model stays loaded

[record]
mode = "{}"{}# of prompts and answers: full, hash-only (digests in the audit log) or off
when_unwritable = "{}"{}# stop: no answer without its record; answer: it goes out, and is counted
# keep = "6y"                    # what `liftlock record expire` erases when older

# [audit]
# witness = ["NAME+HEX+BASE64"]  # what `liftlock audit witness key` prints on a second machine, which is met before ingests
# syslog = "tls://10.0.0.9:6514" # the site's collector, if entries are to go there as well; needs syslog_ca_file

# Where bundles may come from: `liftlock ingest SOURCE`.
# [source.usb]
# path = "/mnt/transfer"
# require_read_only = true
)",
                     name(zone), toml_string(organisation), record.mode, std::string(24 - record.mode.size(), ' '),
                     record.or_stop ? "stop" : "answer", std::string(record.or_stop ? 9 : 7, ' '));
}

}  // namespace

std::string_view name(Zone zone) {
  switch (zone) {
    case Zone::none:
      return "none";
    case Zone::low:
      return "low";
    case Zone::transfer:
      return "transfer";
    case Zone::ingest:
      return "ingest";
    case Zone::production:
      return "production";
  }
  fail(ErrorCode::internal, "unknown zone");
}

std::optional<Zone> parse_zone(std::string_view text) {
  for (const auto zone : k_zones) {
    if (name(zone) == text && zone != Zone::none) return zone;
  }
  return std::nullopt;
}

std::optional<std::chrono::seconds> parse_retention(std::string_view text) {
  if (!text.ends_with('y')) return parse_duration(text);
  const auto years = parse_uint(text.substr(0, text.size() - 1));
  if (!years || *years > 1000) return std::nullopt;
  return std::chrono::days(365 * static_cast<int>(*years));
}

Json settings_json(const SiteConfig& config) {
  const auto path_or_null = [](const std::optional<fs::path>& path) { return path ? Json(path->string()) : Json(); };
  Json out = {{"zone", name(config.zone)},
              {"organisation", config.organisation},
              {"policy.require_expect", config.require_expect},
              {"policy.accept_expired_bundles", config.accept_expired_bundles},
              {"policy.approvals", config.approvals},
              {"policy.reserve", config.reserve_bytes},
              {"policy.require_countersignature", config.countersigners},
              {"policy.recheck_models", config.recheck_models},
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
              {"gateway.networks", config.networks},
              {"gateway.require_gate", config.require_gate},
              {"record.mode", config.record},
              {"record.models", config.record_models},
              {"record.when_unwritable", config.record_or_stop ? "stop" : "answer"},
              {"labels.order", config.labels},
              {"labels.models", config.model_labels},
              {"audit.witness", config.witnesses},
              {"audit.witness_max_age", config.witness_max_age.count()},
              {"record.keep", config.record_keep ? Json(config.record_keep->count()) : Json()}};
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
  for (const auto& [registry, one] : config.registries) {
    const auto key = fmt::format("registry.{}.", registry);
    out[key + "address"] = one.address;
    out[key + "prefix"] = one.prefix;
    out[key + "ca_file"] = path_or_null(one.ca_file);
    out[key + "login_file"] = path_or_null(one.login_file);
    out[key + "allow_http"] = one.allow_http;
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

fs::path Site::default_folder() {
  if (const char* state = std::getenv("LIFTLOCK_STATE"); state != nullptr && *state != '\0') return state;
  if (::geteuid() == 0) return "/var/lib/liftlock";
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != '\0') {
    return fs::path(data) / "liftlock";
  }
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : "/") / ".local/share/liftlock";
}

Site::Site(fs::path folder) : m_folder(std::move(folder)) {
  const auto file = m_folder / "config.toml";
  std::error_code error;
  m_exists = fs::exists(file, error);
  if (error == std::errc::permission_denied) {
    throw Error(ErrorCode::io_error, fmt::format("no permission to look into '{}'", printable(m_folder.string())),
                "run it as the user whose installation it is, or as a member of the folder's group");
  }
  if (!m_exists) return;
  m_config_text = read_file(file, 1u << 20);
  m_config = parse_config(m_config_text);
}

Site Site::create(const fs::path& folder, Zone zone, std::string_view organisation, const RecordChoice& record) {
  const auto file = folder / "config.toml";
  if (fs::exists(file)) {
    Site existing(folder);
    if (existing.config().zone != zone) {
      fail(ErrorCode::immutable, "'{}' is already an installation of zone '{}'", printable(folder.string()),
           name(existing.config().zone));
    }
    return existing;
  }
  const bool fresh = !fs::exists(folder);
  make_folders(folder);
  // What was made before, by a package or a person, keeps the mode that they chose.
  if (fresh && ::chmod(folder.c_str(), 0750) != 0) fail_errno(fmt::format("chmod {}", printable(folder.string())));
  for (const auto* below : {"store", "audit", "trust", "keys", "engines"}) make_folders(folder / below);
  if (::chmod((folder / "keys").c_str(), 0700) != 0) fail_errno("chmod keys");
  write_file_atomically(file, first_config(zone, organisation, record));
  return Site(folder);
}

void Site::require_own() const {
  struct stat status {};
  if (::geteuid() != 0 || ::stat(m_folder.c_str(), &status) != 0 || status.st_uid == 0) return;
  const auto owner = user_name(status.st_uid);
  const auto folder = printable(m_folder.string());
  throw Error(ErrorCode::wrong_user,
              fmt::format("'{}' belongs to the user {}, who could not change what root writes there", folder, owner),
              fmt::format("run it as that user: runuser -u {} -- liftlock --state {} …", owner, folder));
}

void Site::require_zone(std::string_view command, const std::vector<Zone>& allowed) const {
  if (!m_exists) {
    fail(ErrorCode::state_missing, "there is no installation in '{}'", printable(m_folder.string()));
  }
  if (std::find(allowed.begin(), allowed.end(), m_config.zone) != allowed.end()) return;
  std::string names;
  for (const auto zone : allowed) names += fmt::format("{}{}", names.empty() ? "" : ", ", name(zone));
  fail(ErrorCode::wrong_zone, "'{}' works in zone {}, and this installation is zone {}", command, names,
       name(m_config.zone));
}

}  // namespace liftlock
