// An installation: its folder, its zone, its configuration (config.toml). Format: docs/formats/config.md.
//
//   STATE/config.toml   zone, sources, policy, serving
//   STATE/store/        blobs and catalog.db
//   STATE/audit/        the log
//   STATE/witness/      what this machine remembers of other logs as their witness
//   STATE/syslog/       how far audit entries were sent to the site's collector
//   STATE/trust/        pinned trust statements
//   STATE/keys/         private keys of this installation (mode 0700)
//   STATE/engines/      unpacked engines
//   STATE/records/      the encrypted record of prompts and answers
//   STATE/access.db     the users' API keys
//   STATE/engines.json  the default engine of each model format
//   STATE/rings.json    which bundles a person promoted to which ring of production nodes
//   STATE/sync/         what stands in front of the bundle that `store sync` takes
//   STATE/aliases.json  which model stands behind an alias
//   STATE/gate/         empty; what `gate` starts sees the model there
//   STATE/verified.json where the audit log has the last full check of each model
//   STATE/countersignatures/  the organisation's signatures over models
//   STATE/logs/         what engines wrote, and the access log
//   STATE/run/          what stands there while `serve` runs: the socket that `ps` and `top` ask
//   STATE/transfers.log the line per transfer (requirement G34)
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "os/file.hpp"

namespace liftlock {

enum class Zone : std::uint8_t { none, low, transfer, ingest, production };
std::string_view name(Zone zone);
std::optional<Zone> parse_zone(std::string_view text);

/// Where bundles may come from: a mount that must be read-only, or the drop folder of a guard.
struct Source {
  fs::path path;
  bool require_read_only = true;
};

/// Inference servers on other machines, as config.toml says it.
struct PoolConfig {
  std::string api = "openai";
  std::vector<std::string> endpoints;         ///< "http://10.0.0.5:8000"
  std::map<std::string, std::string> models;  ///< by their names here: as the endpoints call them
  std::optional<fs::path> credential_file;    ///< its one line is sent as a bearer token
  std::optional<fs::path> ca_file;            ///< PEM; needed for https
  std::string label;                          ///< what may be sent there; empty: the lowest
  bool gated = false;                         ///< the site's word that its engines start behind a load gate
  unsigned slots = 64;                        ///< requests that one endpoint answers at a time
  std::chrono::seconds connect_timeout{5};
  std::chrono::seconds answer_timeout{600};  ///< until the first byte of an answer
  std::chrono::seconds idle_timeout{120};    ///< between two pieces of it
};

/// The site's own malware scanner, as config.toml says it.
struct ScanConfig {
  std::vector<std::string> command;            ///< a program and its arguments; the folder to look at comes last
  std::vector<std::string> version;            ///< its first line names engine and signatures
  std::optional<std::uint64_t> max_file_size;  ///< larger files are not given to it
  std::vector<std::string> skip_kinds;         ///< kinds of artifacts that are not given to it
  std::vector<std::string> not_scanned_names;  ///< findings that mean "I did not look", by how they begin
  bool accept_not_scanned = false;
  std::chrono::seconds timeout = std::chrono::hours(6);
};

/// The ingest node that a production node takes its bundles from, as config.toml says it.
struct SyncConfig {
  std::string peer;                    ///< "https://ingest.example:8443"
  std::optional<fs::path> ca_file;     ///< PEM; needed for https
  std::optional<fs::path> token_file;  ///< its one line is sent as a bearer token
  bool allow_http = false;             ///< also to other machines than this
  std::string ring;                    ///< which of the peer's bundles are for this node
  std::vector<std::string> channels;   ///< of the ring; empty: all
  bool follow_retired = true;          ///< what the peer took out of use goes out of use here
  unsigned connections = 4;            ///< at a time
  std::chrono::seconds patience{30};   ///< in which at least 64 KiB, or what is left, must come
};

/// A repository that the site runs, which `push` fills: [repository.NAME], or [registry.NAME], which is the older way
/// to write kind = "oci". Format: docs/formats/push.md.
struct RepositoryConfig {
  std::string table;                   ///< "[repository.pypi]": for errors
  std::string kind;                    ///< "oci", "pypi", "npm", "maven", "helm", "aptly", "reprepro", "raw"
  std::string address;                 ///< "https://pypi.site.example"; empty where it is a folder
  std::optional<fs::path> folder;      ///< of this machine, where the repository takes files from
  std::optional<fs::path> ca_file;     ///< PEM; needed for https
  std::optional<fs::path> login_file;  ///< its one line is USER:PASSWORD
  std::optional<fs::path> token_file;  ///< its one line is sent as a bearer token
  bool allow_http = false;             ///< also to other machines than this
  std::vector<std::string> takes;      ///< kinds of artifacts; empty: what `kind` is for
  std::map<std::string, std::string> of_its_kind;  ///< what else its kind has: "prefix", "index", "layout" …

  /// A key of its kind; empty when it is not there.
  std::string text(std::string_view key) const;
};

/// Where audit entries are sent to as well, as config.toml says it.
struct SyslogConfig {
  std::string address;                                        ///< "tls://HOST:PORT" or "unix:///PATH"
  std::optional<fs::path> ca_file;                            ///< PEM; needed for tls
  std::optional<fs::path> certificate;                        ///< PEM; of this side, where the receiver wants one
  std::optional<fs::path> key;                                ///< PEM; of the certificate
  std::chrono::seconds max_delay = std::chrono::minutes(15);  ///< what waits longer is an alarm
};

struct SiteConfig {
  Zone zone = Zone::none;
  std::string organisation;
  std::map<std::string, Source> sources;
  // [policy]
  bool require_expect = true;  ///< ingest wants --expect
  bool accept_expired_bundles = false;
  std::uint64_t approvals = 0;  ///< people whose approver signatures ingest wants, whatever the trust root says
  std::vector<std::string> accept_kinds;    ///< kinds of artifacts that may land; empty: all
  std::uint64_t reserve_bytes = 1u << 30;   ///< kept free by ingest
  bool unsigned_imports = false;            ///< `import` takes in what nobody vouches for, with a reason
  bool may_send_receipts = false;           ///< outbound: "receipts" rather than "nothing"
  std::vector<std::string> countersigners;  ///< roles that must have countersigned a model before it is loaded
  bool recheck_models = true;  ///< hash every byte at each load; false: not those of a file that nobody touched since
  bool seal_models = false;    ///< engines read models from sealed memory, not from the store's files
  /// [channel.NAME] every: how often a bundle is expected
  std::map<std::string, std::chrono::seconds> cadence;
  std::optional<ScanConfig> scan;
  // [audit]
  std::vector<std::string> witnesses;                            ///< verifier keys of those that cosign the log
  std::chrono::seconds witness_max_age = std::chrono::days(31);  ///< after that, `status` calls a cosignature old
  std::optional<SyncConfig> sync;
  std::map<std::string, RepositoryConfig, std::less<>> repositories;  ///< [repository.NAME] and [registry.NAME]
  std::optional<SyslogConfig> syslog;
  // [serve]
  std::string listen = "127.0.0.1:8480";
  std::optional<fs::path> tls_certificate;
  std::optional<fs::path> tls_key;
  bool allow_tls12 = false;
  std::optional<fs::path> tokens_file;        ///< lines "NAME SHA256-OF-TOKEN"; absent: no token is needed
  std::string access_log = "file";            ///< "file" (STATE/logs/access.jsonl), "stderr", "off"
  std::uint64_t access_log_size = 64u << 20;  ///< of one file
  std::chrono::seconds drain{0};              ///< between SIGTERM and the end of accepting
  std::optional<std::string> otlp_endpoint;   ///< [telemetry]; where traces go
  std::optional<fs::path> otlp_ca_file;       ///< PEM; needed for https
  // [models]
  std::uint64_t model_memory = 0;  ///< bytes for all engines together; 0: most of the machine's
  std::chrono::seconds keep_alive{1800};
  unsigned slots = 2;    ///< requests that one model answers at a time
  unsigned queue = 64;   ///< requests that may wait for one model
  unsigned context = 0;  ///< tokens of one request; 0: what the model was made for, within the memory
  std::chrono::seconds work_patience{600};  ///< for one step of an engine's work
  unsigned speech_pace = 2;                 ///< seconds that an engine may take for a second of a recording
  bool speech_hint = false;                 ///< an engine for speech is told a client's hint, on its command line
  // [gateway]
  std::vector<std::string> networks;         ///< where pools may be; empty: private ones
  bool require_gate = false;                 ///< pools without `gated` are refused
  std::map<std::string, std::string> roles;  ///< "cognitive.scout" → "local://NAME"
  std::map<std::string, PoolConfig> pools;
  // [record]
  std::string record = "full";                       ///< of prompts and answers: "full", "hash-only", "off"
  std::map<std::string, std::string> record_models;  ///< the mode by model, as the catalog names it
  bool record_or_stop = true;                        ///< without a record there is no answer
  bool record_recordings = true;                     ///< what is heard is kept, not its digest only
  std::optional<std::chrono::seconds> record_keep;   ///< what `record expire` erases when older; absent: nothing
  std::map<std::string, std::chrono::seconds> record_keeps;  ///< the same, of one class of records: "embeddings"
  // [labels]
  std::vector<std::string> labels;                  ///< from the lowest to the highest; empty: there are none
  std::map<std::string, std::string> model_labels;  ///< by model, as the catalog names it, or POOL/MODEL
};

/// What `init` writes where the site chose.
struct RecordChoice {
  std::string mode = "full";
  bool or_stop = true;
};

/// parse_duration(), and "6y" for years of 365 days.
std::optional<std::chrono::seconds> parse_retention(std::string_view text);

/// One flat object, "source.usb.path": "/mnt": what was set and what holds by default. For the audit log.
Json settings_json(const SiteConfig& config);

class Site {
 public:
  /// --state, else LIFTLOCK_STATE, else /var/lib/liftlock for root, else $XDG_DATA_HOME/liftlock
  /// (~/.local/share/liftlock).
  static fs::path default_folder();
  /// Opens; an installation that does not exist has Zone::none and default settings. @throws Error{config_invalid,
  /// unknown_key}
  explicit Site(fs::path folder);
  /// Creates the folders, for the user and its group only, and a commented config.toml.
  /// @param witnesses keys for [audit] witness, which the caller has looked at
  /// @throws Error{immutable} if there is one with another zone
  static Site create(const fs::path& folder, Zone zone, std::string_view organisation, const RecordChoice& record = {},
                     const std::vector<std::string>& witnesses = {});

  bool exists() const { return m_exists; }
  const fs::path& folder() const { return m_folder; }
  const SiteConfig& config() const { return m_config; }
  /// The exact bytes of the config.toml that config() was read from.
  const std::string& config_text() const { return m_config_text; }
  fs::path store_folder() const { return m_folder / "store"; }
  fs::path catalog_file() const { return m_folder / "store" / "catalog.db"; }
  fs::path audit_folder() const { return m_folder / "audit"; }
  fs::path witness_folder() const { return m_folder / "witness"; }
  fs::path syslog_folder() const { return m_folder / "syslog"; }
  fs::path trust_folder() const { return m_folder / "trust"; }
  fs::path keys_folder() const { return m_folder / "keys"; }
  fs::path engines_folder() const { return m_folder / "engines"; }
  fs::path records_folder() const { return m_folder / "records"; }
  fs::path record_key_file() const { return m_folder / "keys" / "record.kek"; }
  fs::path access_file() const { return m_folder / "access.db"; }
  fs::path engine_defaults_file() const { return m_folder / "engines.json"; }
  fs::path aliases_file() const { return m_folder / "aliases.json"; }
  fs::path rings_file() const { return m_folder / "rings.json"; }
  fs::path sync_folder() const { return m_folder / "sync"; }
  fs::path countersignatures_folder() const { return m_folder / "countersignatures"; }
  fs::path gate_folder() const { return m_folder / "gate"; }
  fs::path verified_file() const { return m_folder / "verified.json"; }
  fs::path logs_folder() const { return m_folder / "logs"; }
  fs::path access_log() const { return m_folder / "logs" / "access.jsonl"; }
  fs::path run_folder() const { return m_folder / "run"; }
  fs::path transfers_log() const { return m_folder / "transfers.log"; }

  /// @throws Error{state_missing} when there is no installation, Error{wrong_zone} when its zone is not among these
  void require_zone(std::string_view command, const std::vector<Zone>& allowed) const;
  /// For what writes, before it does: root would leave files that the user whose installation it is cannot change.
  /// @throws Error{wrong_user}
  void require_own() const;

 private:
  fs::path m_folder;
  SiteConfig m_config;
  std::string m_config_text;
  bool m_exists = false;
};

}  // namespace liftlock
