#include "fetch/downloader.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"
#include "fetch/exchange.hpp"
#include "fetch/fetch_queue.hpp"
#include "fetch/retry.hpp"
#include "fetch/url.hpp"

namespace liftlock {

struct Downloader::Impl {
  Impl(BlobStore& the_store, Reporter& the_reporter, DownloaderOptions options)
      : store(the_store), reporter(the_reporter), settings(options) {}

  BlobStore& store;
  Reporter& reporter;
  const TransferSettings settings;
  std::atomic<std::uint64_t> requests{0};
  std::mutex mutex;
  std::vector<std::unique_ptr<Exchange>> idle;  ///< with their open connections

  std::unique_ptr<Exchange> take_exchange() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return std::make_unique<Exchange>(settings);
    auto out = std::move(idle.back());
    idle.pop_back();
    return out;
  }
  void give_back(std::unique_ptr<Exchange> exchange) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(exchange));
  }
};

namespace {

/// One try, redirects included. nullopt: worth another try, and `error` says why.
std::optional<Document> try_document(Exchange& exchange, const DocumentRequest& request,
                                     std::atomic<std::uint64_t>& requests, std::optional<Error>& error) {
  Document document;
  bool too_large = false;
  const auto sink = [&](std::span<const std::uint8_t> bytes) {
    too_large = document.body.size() + bytes.size() > request.max_bytes;
    if (!too_large) document.body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return !too_large;
  };
  using Method = ExchangeRequest::Method;
  using Encoding = ExchangeRequest::Encoding;
  exchange.prepare({.url = request.url,
                    .headers = request.headers,
                    .range = {},
                    .if_range = {},
                    .method = request.body   ? Method::post
                              : request.head ? Method::head
                                             : Method::get,
                    .encoding = request.head ? Encoding::identity : Encoding::any,
                    .body = request.body.value_or("")},
                   sink);
  do {
    document.body.clear();
    if (!exchange.is_file()) requests.fetch_add(1);
    const auto code = curl_easy_perform(exchange.handle());
    if (too_large) {
      fail(ErrorCode::limit_exceeded, "{} is larger than {}", shown_url(exchange.url()),
           format_size(request.max_bytes));
    }
    if (code != CURLE_OK) {
      error = exchange.error_for(code);
      if (!is_transient_curl_code(code)) throw *error;
      return std::nullopt;
    }
  } while (exchange.follow_redirect());

  const auto& accepted = request.accepted_status;
  document.status = exchange.status();
  if (std::find(accepted.begin(), accepted.end(), document.status) == accepted.end()) {
    error = exchange.error_for_status();
    if (!is_transient_status(document.status)) throw *error;
    return std::nullopt;
  }
  document.final_url = exchange.url();
  document.headers = exchange.headers();
  return document;
}

}  // namespace

std::optional<std::string> Document::header(std::string_view name) const {
  const auto wanted = to_lower(name);
  for (const auto& header : headers) {
    if (to_lower(header.name) == wanted) return header.value;
  }
  return std::nullopt;
}

Downloader::Downloader(BlobStore& store, Reporter& reporter, DownloaderOptions options)
    : m_impl(std::make_unique<Impl>(store, reporter, options)) {}
Downloader::~Downloader() = default;

Document Downloader::get(const DocumentRequest& request) {
  auto exchange = m_impl->take_exchange();
  const auto& options = m_impl->settings.options;
  for (unsigned attempt = 0;; ++attempt) {
    std::optional<Error> error;
    if (auto document = try_document(*exchange, request, m_impl->requests, error)) {
      m_impl->give_back(std::move(exchange));
      return std::move(*document);
    }
    const auto demanded = exchange->retry_after().value_or(std::chrono::seconds(0));
    if (attempt + 1 >= options.attempts || demanded > k_longest_retry_after) throw *error;
    std::this_thread::sleep_for(
        std::max<std::chrono::milliseconds>(demanded, backoff(attempt, options.retry_base, options.retry_cap)));
  }
}

std::vector<FetchResult> Downloader::fetch(const std::vector<FetchJob>& jobs, const FetchArrived& arrived) {
  return FetchQueue(m_impl->store, m_impl->reporter, m_impl->settings, m_impl->requests).run(jobs, arrived);
}

std::uint64_t Downloader::requests() const {
  return m_impl->requests.load();
}

}  // namespace liftlock
