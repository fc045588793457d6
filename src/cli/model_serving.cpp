#include "cli/model_serving.hpp"

#include "cli/pool_settings.hpp"
#include "cli/trace_settings.hpp"
#include "os/sandbox.hpp"

namespace liftlock {

engine::GatePolicy gate_policy(const Site& site) {
  engine::GatePolicy policy;
  for (const auto& role : site.config().countersigners) policy.countersigners.insert(parse_role(role).value());
  policy.countersignatures = site.countersignatures_folder();
  policy.trust_folder = site.trust_folder();
  policy.catalog_file = site.catalog_file();
  policy.recheck = site.config().recheck_models;
  policy.verified_file = site.verified_file();
  policy.memory = site.config().seal_models ? engine::ModelMemory::sealed : engine::ModelMemory::file;
  return policy;
}

engine::HostOptions host_options(const Site& site) {
  const auto& config = site.config();
  engine::HostOptions options;
  options.store_folder = site.store_folder();
  options.catalog_file = site.catalog_file();
  options.engines_folder = site.engines_folder();
  options.defaults_file = site.engine_defaults_file();
  options.gate = gate_policy(site);
  options.aliases_file = site.aliases_file();
  options.log_folder = site.logs_folder();
  options.memory_budget = config.model_memory;
  options.keep_alive = config.keep_alive;
  options.slots = config.slots;
  options.context = config.context;
  options.work_patience = config.work_patience;
  options.queue = config.queue;
  return options;
}

engine::SpeechOptions speech_options(const Site& site) {
  engine::SpeechOptions options;
  options.store_folder = site.store_folder();
  options.engines_folder = site.engines_folder();
  options.defaults_file = site.engine_defaults_file();
  options.gate = gate_policy(site);
  options.log_folder = site.logs_folder();
  options.queue = site.config().queue;
  options.pace = site.config().speech_pace;
  options.memory = site.config().model_memory;
  return options;
}

RecordBook::Options record_options(const Site& site) {
  RecordBook::Options options;
  options.folder = site.records_folder();
  options.kek_file = site.record_key_file();
  options.mode = parse_record_mode(site.config().record).value();
  return options;
}

RecordPolicy record_policy(const Site& site) {
  RecordPolicy policy;
  policy.mode = parse_record_mode(site.config().record).value();
  for (const auto& [model, mode] : site.config().record_models) {
    policy.models.emplace(model, parse_record_mode(mode).value());
  }
  policy.stop_when_unwritable = site.config().record_or_stop;
  policy.recordings = site.config().record_recordings;
  return policy;
}

namespace {

/// How soon a machine that allowed no sandbox is asked again.
constexpr std::chrono::minutes k_probe_again{1};

/// As [labels] of config.toml says, and `label` of the pools.
Labels site_labels(const Site& site) {
  std::map<std::string, std::string> pools;
  for (const auto& [name, pool] : site.config().pools) pools.emplace(name, pool.label);
  return {site.config().labels, site.config().model_labels, std::move(pools)};
}

/// One budget for the engines of both.
engine::SpeechOptions beside(engine::ModelHost& host, engine::SpeechOptions options) {
  options.room = [&host](const std::string& model, std::uint64_t size, const std::function<void()>& look) {
    return host.room(model, size, look);
  };
  return options;
}

}  // namespace

ModelServing::ModelServing(const Site& site, AuditLog& log, const std::string& actor)
    : m_site(site),
      m_catalog(site.catalog_file()),
      m_defaults(site.engine_defaults_file()),
      m_book(record_options(site), log),
      m_gatekeeper(site.access_file()),
      m_host(host_options(site), log, actor),
      m_speech(beside(m_host, speech_options(site)), log, actor),
      m_pools(open_pools(site, log, actor), pool_networks(site)),
      m_traces(trace_exporter(site)),
      m_gateway({site.catalog_file(), site.aliases_file(), m_host, m_speech, m_pools, site.config().roles, m_book,
                 m_gatekeeper, log, actor, record_policy(site), site_labels(site), m_traces.get(),
                 RecordReader(site.records_folder(), site.record_key_file()), site.access_file(),
                 site.config().speech_hint}) {}

std::vector<ReadinessCheck> ModelServing::checks() {
  const auto unless = [](bool good, std::string why) {
    return good ? std::nullopt : std::optional<std::string>(std::move(why));
  };
  return {
      {"record",
       [this, unless] {
         return unless(m_book.counters().writable || !m_site.config().record_or_stop,
                       "the record of prompts cannot be written");
       }},
      {"keys", [this, unless] { return unless(m_gatekeeper.knows_keys(), "the keys of the users cannot be read"); }},
      {"engine", [this] { return why_no_engine(); }},
      {"sandbox", [this] { return why_no_sandbox(); }},
  };
}

engine::WantedEngines ModelServing::wanted() {
  if (const auto generation = m_catalog.generation(); generation != m_generation) {
    m_wanted = engine::wanted_engines(m_catalog);
    m_generation = generation;
  }
  return m_wanted;
}

std::optional<std::string> ModelServing::why_no_engine() {
  const auto why_not = [&](std::string_view format) {
    return engine::why_no_engine(m_site.engines_folder(), m_defaults, format, engine::this_machine());
  };
  std::optional<std::string> why;
  if (wanted().gguf) why = why_not("gguf");
  if (!why && wanted().ggml) why = why_not("ggml");
  return why;
}

std::optional<std::string> ModelServing::why_no_sandbox() {
  if (m_has_sandbox || !wanted().any()) return std::nullopt;
  if (const auto now = std::chrono::steady_clock::now(); now >= m_next_probe) {
    m_next_probe = now + k_probe_again;
    try {
      require_sandbox();
      m_has_sandbox = true;
    } catch (const Error&) {
      // Whatever it is, no engine would start.
    }
  }
  if (m_has_sandbox) return std::nullopt;
  return "no sandbox can be set up for engines on this machine";
}

}  // namespace liftlock
