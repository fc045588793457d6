// The transfer loop: one thread, libcurl's multi interface, at most N transfers, slow work on a few other threads. What
// has come in whole makes room for the next request: the link does not wait for the disk, unless the disk lags far
// behind.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "fetch/transfer.hpp"
#include "fetch/worker_pool.hpp"

typedef void CURLM;  // NOLINT(modernize-use-using): must be spelled as <curl/curl.h> does

namespace liftlock {

class FetchQueue {
 public:
  FetchQueue(BlobStore& store, Reporter& reporter, const TransferSettings& settings,
             std::atomic<std::uint64_t>& requests);
  ~FetchQueue();
  FetchQueue(const FetchQueue&) = delete;
  FetchQueue& operator=(const FetchQueue&) = delete;

  /// As Downloader::fetch; call once.
  std::vector<FetchResult> run(const std::vector<FetchJob>& jobs, const FetchArrived& arrived);

 private:
  enum class Phase : std::uint8_t { queued, opening, waiting, locating, transferring, finishing, done };
  static constexpr std::size_t k_phases = static_cast<std::size_t>(Phase::done) + 1;
  struct Item {
    const FetchJob* job;
    std::string batch;
    std::unique_ptr<Transfer> transfer;  ///< while it is neither queued nor done
    std::vector<std::size_t> jobs;       ///< all jobs that want this file
    Phase phase = Phase::queued;
    std::optional<FetchResult> result;
    bool grown = false;  ///< its size is part of the progress task's total
  };

  struct Finished {
    Item* item;
    std::optional<FetchResult> result;
    std::exception_ptr failure;
  };

  void plan(const std::vector<FetchJob>& jobs);
  void note_result(std::size_t job, const FetchResult& result);
  void begin_queued();
  void begin_due();
  void post(WorkerPool& workers, std::function<std::function<void()>()> work);
  void post_step(WorkerPool& workers, Item& item, std::function<void()> step, std::function<void()> then);
  void locate(Item& item);
  void open_here(Item& item);
  void after_open(Item& item);
  void after_finish(const Finished& finished);
  void send(Item& item, Transfer& transfer);
  static std::vector<Finished> finish_together(const std::vector<Item*>& items);
  void finish(Item& item);
  void begin_finishing();
  void run_completions();
  void read_messages();
  void on_message(Item& item, int curl_code);
  void report_progress(Item& item);
  void stop_transfers();
  void forget_done();
  void wait() const;
  void note_failure();
  void set_phase(Item& item, Phase phase);
  std::size_t count(Phase phase) const { return m_counts[static_cast<std::size_t>(phase)]; }

  BlobStore& m_store;
  Reporter& m_reporter;
  const TransferSettings& m_settings;
  std::atomic<std::uint64_t>& m_requests;
  CURLM* m_multi;
  std::vector<std::unique_ptr<Item>> m_items;
  std::size_t m_next = 0;        ///< the first that is still queued
  std::vector<Item*> m_arrived;  ///< whole, and not being finished yet
  unsigned m_groups = 0;         ///< of files that are being finished, each with one sync for all of them
  std::vector<Item*> m_running;  ///< neither queued nor done, in the order of their beginning
  std::array<std::size_t, k_phases> m_counts{};
  std::vector<std::optional<FetchResult>> m_results;
  FetchArrived m_tell;
  std::exception_ptr m_failure;
  ProgressTask* m_task = nullptr;  ///< of the running run()
  std::mutex m_mutex;
  std::vector<std::function<void()>> m_completions;  ///< run in the loop's thread
  std::unique_ptr<WorkerPool> m_workers;
  /// One thread: jobs may share what they ask with, and a server that is slow to answer holds up no file that came in.
  std::unique_ptr<WorkerPool> m_locator;
};

}  // namespace liftlock
