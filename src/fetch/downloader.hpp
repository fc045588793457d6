// Downloads on the low side, over libcurl: parallel, resumable (Range with ETag), retried with backoff and jitter, into
// the store. The user's proxies, CA files and .netrc are honoured (libcurl's environment variables).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/reporter.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

struct HttpHeader {
  std::string name;
  std::string value;
};

/// A small document fetched into memory.
struct Document {
  std::string body;
  std::string final_url;  ///< after redirects
  std::vector<HttpHeader> headers;
  /// nullopt when absent; name in any case.
  std::optional<std::string> header(std::string_view name) const;
  int status = 200;
};

struct DocumentRequest {
  std::string url;
  std::vector<HttpHeader> headers;  ///< credentials are dropped when a redirect leaves the host
  std::uint64_t max_bytes = 64u << 20;
  bool head = false;
  std::vector<int> accepted_status = {200};
  /// Sent with POST, of a question that may be asked twice: it is repeated as a GET is. Its type is among `headers`. A
  /// redirect is followed only within the origin, and only as POST (307, 308). nullopt: GET or HEAD.
  std::optional<std::string> body = {};
};

/// To whom a login of .netrc is sent.
enum class Logins : std::uint8_t {
  all,   ///< to whichever host is asked, and to those that it redirects to
  own,   ///< to the host that is asked, until a redirect leaves its origin
  none,  ///< to nobody
};

/// Where a file is to be had at this moment.
struct FetchPlace {
  std::string url;  ///< https or http
  std::vector<HttpHeader> headers;
  Logins logins = Logins::own;
};

/// One file of the queue.
struct FetchJob {
  std::string title;                  ///< what people see: "idna-3.4-py3-none-any.whl"
  std::optional<Digest> digest;       ///< nullopt: first use, the digest is the result
  std::optional<std::uint64_t> size;  ///< checked before the digest
  std::string url;                    ///< https, http or file; empty when `produce` makes the bytes
  /// Headers for each attempt (a registry token may have to be renewed); may be empty.
  std::function<std::vector<HttpHeader>()> headers;
  /// Makes the bytes locally: writes them to the descriptor. Used when url is empty.
  std::function<void(int out)> produce;
  /// A digest of another algorithm that the bytes must have, too, made in the same pass: for upstreams that state no
  /// SHA-256. What the store has by its SHA-256 is not read for it.
  std::optional<Digest> also = {};
  /// Asked for each attempt, where an address is good for a while only: the request goes there, and `url` is the name
  /// by which the file is known in messages and resumed. Those of one queue are asked one after the other, on a thread
  /// of their own, and hold up no transfer that runs; each counts as one of those at a time. May be empty.
  std::function<FetchPlace()> locate = {};
};

struct FetchResult {
  Digest digest;
  std::uint64_t size = 0;
};

/// Told which of the jobs it is: others are still on their way.
using FetchArrived = std::function<void(std::size_t job, const FetchResult& result)>;

struct DownloaderOptions {
  unsigned parallel = 16;  ///< transfers at once: of small files from far away each is mostly waiting
  /// Tries of one file without a new byte before its error is final; a try that got further starts the count again.
  unsigned attempts = 5;
  /// Refuses every http(s) request: Error{network}; file: URLs still work. For tests and for `--offline`.
  bool offline = false;
  /// Try n waits a random time up to retry_base * 2^n, at most retry_cap ("full jitter"), or what Retry-After says.
  std::chrono::milliseconds retry_base{500};
  std::chrono::milliseconds retry_cap{30'000};
  std::chrono::seconds connect_timeout{30};
  /// A transfer below low_speed_limit bytes per second for low_speed_time counts as a lost connection.
  long low_speed_limit = 1024;
  std::chrono::seconds low_speed_time{60};
};

/// Only https, http and file; at most 10 redirects, never from https to http, never to file; when a redirect leaves the
/// origin (scheme, host, port) every header but Accept* is dropped. 408, 425, 429, 5xx and lost connections are tried
/// again, other errors not. Unfinished files stay in the store's staging area under "fetch-…" and are resumed with
/// Range and If-Range (RFC 9110 §13.1.5, §14.2); what is there is hashed again first. One without a digest to compare
/// with begins anew after a reboot.
///
/// Environment: http_proxy, https_proxy, all_proxy, no_proxy; CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR; ~/.netrc or
/// the file that NETRC names. Error messages never show user names, passwords or query strings of URLs.
///
/// get() may be called from several threads; fetch() from one at a time.
class Downloader {
 public:
  Downloader(BlobStore& store, Reporter& reporter, DownloaderOptions options = {});
  ~Downloader();

  /// @throws Error{http_status, network, limit_exceeded, not_found (file:)}
  Document get(const DocumentRequest& request);

  /// Runs the queue; what the store has already is skipped without a request. Each file is committed to the store as
  /// it completes. Returns one result per job, in order. The first error stops new work and is thrown after running
  /// transfers were saved for resumption.
  /// @throws Error{http_status, network, size_mismatch, digest_mismatch, disk_full, busy, not_found (file:)}
  /// @param arrived told of each job once its file is in the store, in the calling thread, which transfers wait for;
  ///        throws nothing
  std::vector<FetchResult> fetch(const std::vector<FetchJob>& jobs, const FetchArrived& arrived = {});

  /// Requests that went out so far; a second lock and fetch must leave it at 0.
  std::uint64_t requests() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace liftlock
