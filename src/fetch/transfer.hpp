// One file on its way into the store: which request to send next, what to make of the answer, when to give up.
// Lives in the transfer loop's thread; open(), locate() and finish() may run on another while the loop leaves it alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fetch/downloader.hpp"
#include "fetch/exchange.hpp"
#include "fetch/part_file.hpp"

namespace liftlock {

class Transfer {
 public:
  using Clock = std::chrono::steady_clock;

  /// @param batch name of the staging batch; equal for equal files of different runs
  Transfer(const FetchJob& job, std::string batch, const TransferSettings& settings);

  const std::string& batch() const { return m_batch; }
  const FetchJob& job() const { return m_job; }
  CURL* handle() const { return m_exchange->handle(); }
  /// Does the next request go out over the network?
  bool is_remote() const { return !m_exchange->is_file(); }

  /// Opens the part file, hashing what is there; runs the producer if the job has one.
  void open(BlobStore& store);
  /// Does that take time?
  bool opens_slowly(const BlobStore& store) const;
  /// No request is needed: a producer made the bytes, or an earlier run got them all.
  bool is_complete() const;
  /// Has the job to be asked where the file is, before the next request? That may take minutes.
  bool needs_place() const { return m_job.locate && !m_place; }
  /// @throws what the job does
  void locate() { m_place = m_job.locate(); }
  /// Makes the handle ready for the next request, which needs no place. What was said of it is used up.
  void start();

  enum class Next { again_now, again_later, finish };
  /// What to do after libcurl is done with the handle. again_now: the handle is ready for the redirect's target.
  /// @throws the Error that ends the job
  Next on_done(int curl_code);
  Clock::time_point not_before() const { return m_not_before; }

  /// Checks size and digest, and seals the file in its batch or the shared one (PartFile::seal), which has to be
  /// committed then. nullopt: bytes of an earlier run did not fit, start again.
  /// @throws Error{size_mismatch, digest_mismatch, disk_full, io_error}
  std::optional<FetchResult> finish(StagedBlobs*& shared);
  StagedBlobs* batch_of_its_own() { return m_part->batch(); }
  /// It ends here, and a later run may go on with what came in.
  void keep();

  /// Bytes that were not reported yet; the size once it is known. For progress.
  std::uint64_t take_progress();
  std::optional<std::uint64_t> expected_size() const { return m_job.size ? m_job.size : m_announced; }

 private:
  bool on_body(std::span<const std::uint8_t> bytes);
  void on_first_bytes();
  void begin_partial();
  void check_size(std::uint64_t size) const;
  Next retry(Error error);
  void restart();

  const FetchJob& m_job;
  std::string m_batch;
  const TransferSettings& m_settings;
  std::unique_ptr<Exchange> m_exchange;
  std::unique_ptr<PartFile> m_part;
  std::optional<FetchPlace> m_place;  ///< for the next request
  std::exception_ptr m_failure;       ///< of the body callback
  bool m_answer_begun = false;
  bool m_range_refused = false;  ///< the bytes of the server do not continue ours
  bool m_from_earlier = false;   ///< some bytes were continued rather than got from their start
  std::optional<std::uint64_t> m_announced;
  std::uint64_t m_requested_from = 0;
  std::uint64_t m_reported = 0;
  std::uint64_t m_furthest = 0;
  unsigned m_attempt = 0;
  Clock::time_point m_not_before{};
};

}  // namespace liftlock
