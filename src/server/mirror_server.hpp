// The mirror: what was published, through the protocols of ordinary clients, read-only, every read audited.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_log.hpp"
#include "base/reporter.hpp"
#include "ecosystem/route.hpp"
#include "net/server.hpp"
#include "os/file.hpp"
#include "server/access_log.hpp"
#include "server/log_check.hpp"
#include "server/readiness.hpp"

namespace liftlock {

class Gateway;

struct MirrorOptions {
  fs::path store_folder;
  fs::path catalog_file;
  fs::path rings_file;  ///< may be missing
  fs::path key_folder;  ///< GnuPG home of the mirror's key
  /// Where routes keep what they make from blobs; empty: what needs it is not served.
  fs::path cache_folder;
  std::string organisation;
  std::optional<fs::path> tokens_file;
  std::vector<MakeRoute> routes;
  std::function<Json(const Artifact&)> inspect;  ///< of RouteEnvironment; may be empty
  HttpServerOptions http;                        ///< its functions are set by the mirror
  Gateway* gateway = nullptr;                    ///< answers for its paths; must outlive the mirror
  /// Plain HTTP on an address that is not loopback.
  enum class InsecureListen : std::uint8_t { refuse, allow } insecure_listen = InsecureListen::refuse;
  std::chrono::milliseconds poll{1000};  ///< how often the catalog is looked at, and readiness
  std::vector<ReadinessCheck> checks;    ///< besides those of the mirror itself
  std::uint64_t least_free = 64u << 20;  ///< bytes of the store's file system; with fewer it is not ready
  std::optional<AccessLogOptions> access_log;
  LogCheckTimes log_check;
};

class MirrorServer {
 public:
  /// Reads the catalog, creates the mirror's key at the first start, binds the address.
  /// @param log, reporter must outlive the mirror
  /// @throws Error{tls_required, tls_invalid, tokens_invalid, tool_missing, …}
  MirrorServer(MirrorOptions options, AuditLog& log, Reporter& reporter, std::string actor);
  ~MirrorServer();
  MirrorServer(const MirrorServer&) = delete;
  MirrorServer& operator=(const MirrorServer&) = delete;

  /// Appends "mirror.start" to the log, then accepts, and checks the whole log meanwhile (LogCheck). @throws
  /// Error{audit_unwritable}
  void start();
  std::string url() const;
  /// Reads certificate, key, tokens and catalog again; what is broken keeps its old form and is reported.
  void reload();
  /// From here on /readyz says that the server is about to stop; all else is served as before.
  void drain();
  /// Lets running answers finish, commits the reads, appends "mirror.stop".
  void stop(std::chrono::milliseconds patience);

  /// The answer to one request, without a socket. Any thread.
  HttpResponse handle(const HttpRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

/// Makes the routes over what is published and asks each for its client configuration.
/// @return (title, prefix, text)
struct ClientConfiguration {
  std::string title;
  std::string prefix;
  std::vector<std::string> clients;
  std::string text;
};
std::vector<ClientConfiguration> client_configurations(const fs::path& store_folder, const fs::path& catalog_file,
                                                       const std::vector<MakeRoute>& routes, std::string_view base_url);

/// "127.0.0.1:8480", "[::1]:8480". @throws Error{usage}
std::pair<std::string, std::uint16_t> parse_listen(std::string_view text);
/// Is it an address of the loopback interface?
bool is_loopback(std::string_view address);

}  // namespace liftlock
