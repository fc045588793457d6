#include <algorithm>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/rel_path.hpp"
#include "base/text.hpp"
#include "site/config.hpp"
#include "site/table_reader.hpp"

namespace liftlock {
namespace {

unsigned read_count(const TableReader& reader, std::string_view key, unsigned fallback, std::int64_t most) {
  const auto value = reader.get<std::int64_t>(key);
  if (!value) return fallback;
  if (*value < 0 || *value > most) {
    fail(ErrorCode::config_invalid, "config.toml line {}: '{}' of [models] must be 0 to {}", reader.line(key), key,
         most);
  }
  return static_cast<unsigned>(*value);
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

void require_record_mode(const std::string& mode, toml::source_index line) {
  if (mode == "full" || mode == "hash-only" || mode == "off") return;
  throw Error(ErrorCode::config_invalid,
              fmt::format("config.toml line {}: a mode of [record] cannot be '{}'", line, printable(mode)),
              "it is full, hash-only or off");
}

std::optional<std::chrono::seconds> read_retention(const TableReader& reader, std::string_view key,
                                                   std::string_view where) {
  const auto text = reader.get<std::string>(key);
  if (!text) return std::nullopt;
  const auto retention = parse_retention(*text);
  if (!retention) {
    fail(ErrorCode::config_invalid, "config.toml line {}: '{}' of {} is no duration like \"6y\" or \"365d\"",
         reader.line(key), key, where);
  }
  return retention;
}

/// By the classes of records.
void read_keeps(const toml::table& table, SiteConfig& config) {
  constexpr std::string_view k_default = "default";
  const std::vector<std::string_view> known = {k_default,  "prompts", "embeddings",
                                               "rankings", "images",  "transcriptions"};
  const TableReader reader(table, "[record.keep]", known);
  for (const auto one : known) {
    const auto keep = read_retention(reader, one, "[record.keep]");
    if (!keep) continue;
    if (one == k_default) {
      config.record_keep = keep;
    } else {
      config.record_keeps.emplace(one, *keep);
    }
  }
}

}  // namespace

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

void read_models(const toml::table& table, SiteConfig& config) {
  const TableReader reader(
      table, "[models]",
      {"memory", "keep_alive", "slots", "queue", "context", "work_patience", "speech_pace", "speech_hint"});
  if (const auto text = reader.get<std::string>("memory")) {
    const auto bytes = parse_size(*text);
    if (!bytes) {
      fail(ErrorCode::config_invalid, "config.toml line {}: 'memory' of [models] is no size like \"8GiB\"",
           reader.line("memory"));
    }
    config.model_memory = *bytes;
  }
  config.keep_alive = std::chrono::minutes(read_count(reader, "keep_alive", 30, 60 * 24 * 365));
  config.work_patience = std::chrono::minutes(std::max(1u, read_count(reader, "work_patience", 10, 60 * 24)));
  config.speech_pace = std::max(1u, read_count(reader, "speech_pace", config.speech_pace, 1000));
  config.speech_hint = reader.get<bool>("speech_hint").value_or(config.speech_hint);
  config.slots = std::max(1u, read_count(reader, "slots", config.slots, 256));
  config.queue = read_count(reader, "queue", config.queue, 100'000);
  config.context = read_count(reader, "context", config.context, 10'000'000);
}

void read_gateway(const toml::table& table, SiteConfig& config) {
  const TableReader reader(table, "[gateway]", {"networks", "require_gate"});
  read_strings(reader, "networks", table, [&](const std::string& text) { config.networks.push_back(text); });
  config.require_gate = reader.get<bool>("require_gate").value_or(config.require_gate);
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

void read_record(const toml::table& table, SiteConfig& config) {
  const TableReader reader(table, "[record]", {"mode", "keep", "models", "when_unwritable", "recordings"});
  if (const auto* keep = table.get("keep"); keep != nullptr && keep->is_table()) {
    read_keeps(*keep->as_table(), config);
  } else {
    config.record_keep = read_retention(reader, "keep", "[record]");
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
  config.record_recordings = reader.get<bool>("recordings").value_or(config.record_recordings);
}

}  // namespace liftlock
