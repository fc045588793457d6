// Downloads on the low side, over libcurl: parallel, resumable (Range with ETag), retried with backoff and jitter, into
// the store. The user's proxies, CA files and .netrc are honoured (libcurl's environment variables).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
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
};

/// One file of the queue.
struct FetchJob {
  std::string title;  ///< what people see: "idna-3.4-py3-none-any.whl"
  std::optional<Digest> digest;       ///< nullopt: first use, the digest is the result
  std::optional<std::uint64_t> size;  ///< checked before the digest
  std::string url;                    ///< https, http or file; empty when `produce` makes the bytes
  /// Headers for each attempt (a registry token may have to be renewed); may be empty.
  std::function<std::vector<HttpHeader>()> headers;
  /// Makes the bytes locally: writes them to the descriptor. Used when url is empty.
  std::function<void(int out)> produce;
};

struct FetchResult {
  Digest digest;
  std::uint64_t size = 0;
};

struct DownloaderOptions {
  unsigned parallel = 6;
  unsigned attempts = 5;
  /// Refuses every request: Error{network}. For tests and for `--offline`.
  bool offline = false;
};

class Downloader {
 public:
  Downloader(BlobStore& store, Reporter& reporter, DownloaderOptions options = {});
  ~Downloader();

  /// @throws Error{http_status, network, limit_exceeded}
  Document get(const DocumentRequest& request);

  /// Runs the queue; what the store has already is skipped without a request. Each file is committed to the store as
  /// it completes. Returns one result per job, in order. The first error stops new work and is thrown after running
  /// transfers were saved for resumption.
  /// @throws Error{http_status, network, size_mismatch, digest_mismatch, upstream_changed, disk_full}
  std::vector<FetchResult> fetch(const std::vector<FetchJob>& jobs);

  /// Requests that went out so far; a second lock and fetch must leave it at 0.
  std::uint64_t requests() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace liftlock
