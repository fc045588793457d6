#include "fetch/transfer.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "fetch/retry.hpp"
#include "fetch/url.hpp"

namespace liftlock {
namespace {

struct ContentRange {
  std::optional<std::uint64_t> first;  ///< absent in "bytes */N"
  std::optional<std::uint64_t> total;  ///< absent for '*'
};

/// RFC 9110 §14.4: "bytes 5-9/10", "bytes 5-9/*", "bytes */10".
std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto span = text.substr(0, slash);
  ContentRange out;
  out.total = parse_uint(text.substr(slash + 1));
  if (span != "*") {
    out.first = parse_uint(span.substr(0, span.find('-')));
    if (!out.first) return std::nullopt;
  }
  return out;
}

/// What If-Range accepts: a strong ETag, else the date of the last change.
std::string validator_of(const Exchange& exchange) {
  const auto etag = exchange.header("ETag");
  if (etag && etag->starts_with('"')) return *etag;
  if (etag) return {};  // weak: the bytes may differ
  return exchange.header("Last-Modified").value_or("");
}

}  // namespace

Transfer::Transfer(const FetchJob& job, std::string batch, const TransferSettings& settings)
    : m_job(job),
      m_batch(std::move(batch)),
      m_settings(settings),
      m_exchange(job.url.empty() ? nullptr : std::make_unique<Exchange>(settings)) {}

void Transfer::open(BlobStore& store) {
  m_part = std::make_unique<PartFile>(
      store, m_batch, m_job.also ? std::optional(m_job.also->algorithm()) : std::optional<DigestAlgorithm>());
  if (m_job.url.empty()) {
    m_part->restart();
    m_job.produce(m_part->fd());
    m_part->rehash();
  } else {
    const bool is_too_long = m_job.size && m_part->size() > *m_job.size;
    // Only a digest would tell what a power cut did to the bytes.
    const bool is_doubtful = !m_job.digest && !m_job.also && !m_part->is_of_this_boot();
    if (is_too_long || is_doubtful) m_part->restart();
  }
  m_from_earlier = !m_job.url.empty() && m_part->size() > 0;
  m_furthest = m_part->size();
}

bool Transfer::opens_slowly(const BlobStore& store) const {
  return m_job.url.empty() || PartFile::left_behind(store, m_batch);
}

void Transfer::keep() {
  if (m_part && m_part->size() > 0) m_part->keep();
}

bool Transfer::is_complete() const {
  if (m_job.url.empty()) return true;
  // An empty file still needs its request: there is no other way to learn that the server has it.
  return m_job.digest && m_job.size && *m_job.size > 0 && m_part->size() == *m_job.size;
}

void Transfer::restart() {
  m_part->restart();
  m_from_earlier = false;
}

void Transfer::start() {
  m_failure = nullptr;
  m_answer_begun = false;
  m_range_refused = false;
  ExchangeRequest request{.url = m_job.url, .headers = m_job.headers ? m_job.headers() : std::vector<HttpHeader>{}};
  if (const auto place = std::exchange(m_place, std::nullopt)) {
    request.url = place->url;
    request.logins = place->logins;
    request.headers.insert(request.headers.end(), place->headers.begin(), place->headers.end());
  }
  if (m_part->size() > 0) {
    const auto validator = m_part->validator_for(m_job.url);
    const bool is_file = parse_url(m_job.url).scheme == "file";
    // Without a validator only the expected digest can tell whether both halves belong together.
    if (is_file || (validator.empty() && !m_job.digest && !m_job.also)) {
      restart();
    } else {
      request.range = fmt::format("{}-", m_part->size());
      request.if_range = validator;
    }
  }
  m_requested_from = m_part->size();
  m_exchange->prepare(std::move(request), [this](std::span<const std::uint8_t> bytes) { return on_body(bytes); });
}

void Transfer::check_size(std::uint64_t size) const {
  if (!m_job.size || *m_job.size == size) return;
  throw Error(ErrorCode::size_mismatch,
              fmt::format("'{}' has {} bytes where {} were expected", m_job.title, size, *m_job.size),
              m_job.url.empty() ? "" : fmt::format("taken from {}", shown_url(m_job.url)));
}

void Transfer::begin_partial() {
  const auto range = parse_content_range(m_exchange->header("Content-Range").value_or(""));
  const auto known = m_part->validator_for(m_job.url);
  const auto now = validator_of(*m_exchange);
  const bool changed = !known.empty() && !now.empty() && known != now;
  if (m_requested_from == 0 || changed || !range || range->first != m_requested_from) {
    m_range_refused = true;
    return;
  }
  if (range->total) {
    check_size(*range->total);
    m_announced = range->total;
  }
}

void Transfer::on_first_bytes() {
  m_answer_begun = true;
  if (m_exchange->status() == 206) {
    begin_partial();
    return;
  }
  if (m_part->size() > 0) restart();  // a server without ranges, or another version of the file
  if (const auto length = parse_uint(m_exchange->header("Content-Length").value_or(""))) {
    check_size(*length);
    m_announced = length;
  }
  m_part->expect(expected_size().value_or(0));
  m_part->remember(m_job.url, validator_of(*m_exchange));
}

bool Transfer::on_body(std::span<const std::uint8_t> bytes) {
  const auto status = m_exchange->status();
  if (status != 200 && status != 206) return true;  // an error page: read past it, so that the connection can be kept
  try {
    if (!m_answer_begun) on_first_bytes();
    if (m_range_refused) return false;
    if (m_job.size && m_part->size() + bytes.size() > *m_job.size) check_size(m_part->size() + bytes.size());
    m_part->append(bytes);
    return true;
  } catch (...) {
    m_failure = std::current_exception();
    return false;
  }
}

Transfer::Next Transfer::retry(Error error) {
  keep();
  if (m_part->size() > m_furthest) {
    m_furthest = m_part->size();
    m_attempt = 0;
  }
  const auto& options = m_settings.options;
  if (m_attempt + 1 >= options.attempts) {
    error.add_context(fmt::format("'{}' was tried {} times without getting further", m_job.title, m_attempt + 1));
    throw error;
  }
  std::chrono::milliseconds wait = backoff(m_attempt, options.retry_base, options.retry_cap);
  if (const auto demanded = m_exchange->retry_after()) {
    if (*demanded > k_longest_retry_after) {
      error.add_context(fmt::format("the server wants {} s of patience", demanded->count()));
      throw error;
    }
    wait = std::max<std::chrono::milliseconds>(wait, *demanded);
  }
  ++m_attempt;
  m_not_before = Clock::now() + wait;
  return Next::again_later;
}

Transfer::Next Transfer::on_done(int curl_code) {
  if (m_failure) std::rethrow_exception(m_failure);
  if (m_range_refused) {
    restart();
    return retry(
        Error(ErrorCode::network, fmt::format("{}: the answer does not continue the part", shown_url(m_job.url))));
  }
  if (curl_code != CURLE_OK) {
    auto error = m_exchange->error_for(curl_code);
    if (!is_transient_curl_code(curl_code)) throw error;
    return retry(std::move(error));
  }
  if (m_exchange->follow_redirect()) return Next::again_now;
  const auto status = m_exchange->status();
  if (status == 416 && m_part->size() > 0) {
    const auto range = parse_content_range(m_exchange->header("Content-Range").value_or(""));
    if (range && range->total == m_part->size() && m_job.digest) return Next::finish;
    restart();
    return retry(m_exchange->error_for_status());
  }
  if (status != 200 && status != 206) {
    auto error = m_exchange->error_for_status();
    if (!is_transient_status(status)) throw error;
    return retry(std::move(error));
  }
  if (!m_answer_begun) on_first_bytes();  // an empty body
  if (m_range_refused) return on_done(curl_code);
  const auto expected = expected_size();
  if (expected && m_part->size() < *expected) {
    return retry(Error(ErrorCode::size_mismatch,
                       fmt::format("'{}' ended after {} of {} bytes", m_job.title, m_part->size(), *expected)));
  }
  return Next::finish;
}

std::optional<FetchResult> Transfer::finish(StagedBlobs*& shared) {
  const auto size = m_part->size();
  const auto digest = m_part->finish();
  const auto also = m_job.also ? std::optional(m_part->finish_also()) : std::optional<Digest>();
  const bool fits =
      (!m_job.size || *m_job.size == size) && (!m_job.digest || *m_job.digest == digest) && m_job.also == also;
  if (!fits && m_from_earlier) {
    restart();
    return std::nullopt;
  }
  if (!fits) m_part->discard();  // nothing of a wrong file is kept
  check_size(size);
  if (!fits) {
    const bool is_other = !m_job.digest || *m_job.digest == digest;
    throw Error(ErrorCode::digest_mismatch,
                fmt::format("'{}' has the digest {} where {} was expected", m_job.title,
                            is_other ? also->text() : digest.text(), (is_other ? m_job.also : m_job.digest)->text()),
                m_job.url.empty() ? ""
                                  : fmt::format("taken from {}; the origin changed it, or somebody on the way did",
                                                shown_url(m_job.url)));
  }
  m_part->seal(digest, shared);
  return FetchResult{digest, size};
}

std::uint64_t Transfer::take_progress() {
  if (!m_part || m_part->size() <= m_reported) return 0;
  const auto more = m_part->size() - m_reported;
  m_reported += more;
  return more;
}

}  // namespace liftlock
