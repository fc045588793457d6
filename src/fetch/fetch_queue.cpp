#include "fetch/fetch_queue.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr int k_poll_ms = 500;
/// Files that came in and wait for the disk, for each transfer that may run; each keeps two descriptors.
constexpr std::size_t k_finishing_per_transfer = 4;
constexpr unsigned k_groups = 2;

/// Equal for equal files in different runs, so that a later run finds the part file of an earlier one.
std::string batch_name(const FetchJob& job) {
  if (job.digest) return "fetch-" + job.digest->hex();
  const auto also =
      job.also ? "also:" + job.also->text() : std::string();  // it is checked, so it is part of what is wanted
  return "fetch-" + sha256((job.url.empty() ? "produce:" + job.title : "url:" + job.url) + also).hex();
}

}  // namespace

FetchQueue::FetchQueue(BlobStore& store, Reporter& reporter, const TransferSettings& settings,
                       std::atomic<std::uint64_t>& requests)
    : m_store(store), m_reporter(reporter), m_settings(settings), m_requests(requests), m_multi(curl_multi_init()) {
  if (m_multi == nullptr) fail(ErrorCode::internal, "libcurl has no multi handle");
  m_workers = std::make_unique<WorkerPool>(std::clamp(settings.options.parallel, 1u, 4u));
}

FetchQueue::~FetchQueue() {
  m_workers.reset();
  m_locator.reset();
  for (const auto& item : m_items) {
    if (item->phase == Phase::transferring) curl_multi_remove_handle(m_multi, item->transfer->handle());
  }
  m_items.clear();
  curl_multi_cleanup(m_multi);
}

void FetchQueue::plan(const std::vector<FetchJob>& jobs) {
  std::map<std::string, Item*> known;
  m_results.resize(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto& job = jobs[i];
    if (job.url.empty() && !job.produce) fail(ErrorCode::internal, "the job '{}' has no source", job.title);
    if (job.digest && m_store.contains(*job.digest)) {
      note_result(i, {*job.digest, m_store.size(*job.digest).value_or(0)});
      continue;
    }
    auto name = batch_name(job);
    if (!job.digest && job.url.empty()) name += fmt::format("-{}", i);
    if (auto*& item = known[name]; item != nullptr) {
      item->jobs.push_back(i);
    } else {
      m_items.push_back(std::make_unique<Item>());
      item = m_items.back().get();
      item->jobs = {i};
      ++m_counts[static_cast<std::size_t>(Phase::queued)];
      item->job = &job;
      item->batch = std::move(name);
    }
  }
}

void FetchQueue::note_result(std::size_t job, const FetchResult& result) {
  m_results[job] = result;
  if (m_tell) m_tell(job, result);
}

void FetchQueue::set_phase(Item& item, Phase phase) {
  --m_counts[static_cast<std::size_t>(item.phase)];
  ++m_counts[static_cast<std::size_t>(phase)];
  item.phase = phase;
}

void FetchQueue::note_failure() {
  if (!m_failure) m_failure = std::current_exception();
}

/// work runs on another thread, throws nothing, and returns what to do afterwards in the loop's.
void FetchQueue::post(WorkerPool& workers, std::function<std::function<void()>()> work) {
  workers.post([this, work = std::move(work)] {
    auto then = work();
    {
      const std::lock_guard lock(m_mutex);
      m_completions.push_back(std::move(then));
    }
    curl_multi_wakeup(m_multi);
  });
}

/// What `step` throws ends the item.
void FetchQueue::post_step(WorkerPool& workers, Item& item, std::function<void()> step, std::function<void()> then) {
  post(workers, [this, &item, step = std::move(step), then = std::move(then)]() -> std::function<void()> {
    try {
      step();
      return then;
    } catch (...) {
      return [this, failed = Finished{&item, {}, std::current_exception()}] { after_finish(failed); };
    }
  });
}

void FetchQueue::begin_queued() {
  const std::size_t most = std::max(1u, m_settings.options.parallel);
  while (m_next < m_items.size()) {
    if (count(Phase::opening) + count(Phase::waiting) + count(Phase::locating) + count(Phase::transferring) >= most)
      return;
    if (count(Phase::finishing) >= most * k_finishing_per_transfer) return;
    auto& item = *m_items[m_next++];
    m_running.push_back(&item);
    item.transfer = std::make_unique<Transfer>(*item.job, item.batch, m_settings);
    set_phase(item, Phase::opening);
    if (!item.transfer->opens_slowly(m_store)) {
      open_here(item);
      continue;
    }
    post_step(
        *m_workers, item, [this, &item] { item.transfer->open(m_store); }, [this, &item] { after_open(item); });
  }
}

void FetchQueue::locate(Item& item) {
  if (!m_locator) m_locator = std::make_unique<WorkerPool>(1);
  set_phase(item, Phase::locating);
  post_step(
      *m_locator, item, [&item] { item.transfer->locate(); }, [this, &item] { set_phase(item, Phase::waiting); });
}

void FetchQueue::open_here(Item& item) {
  try {
    item.transfer->open(m_store);
    after_open(item);
  } catch (...) {
    set_phase(item, Phase::done);
    note_failure();
  }
}

void FetchQueue::after_open(Item& item) {
  report_progress(item);
  if (item.transfer->is_complete()) return finish(item);
  set_phase(item, Phase::waiting);
}

void FetchQueue::begin_due() {
  for (auto* item : m_running) {
    if (item->phase != Phase::waiting || item->transfer->not_before() > Transfer::Clock::now()) continue;
    if (item->transfer->needs_place()) {
      locate(*item);
      continue;
    }
    try {
      item->transfer->start();
      send(*item, *item->transfer);
    } catch (...) {
      set_phase(*item, Phase::done);
      note_failure();
      return;
    }
  }
}

void FetchQueue::send(Item& item, Transfer& transfer) {
  if (transfer.is_remote()) m_requests.fetch_add(1);
  curl_easy_setopt(transfer.handle(), CURLOPT_PRIVATE, &item);
  curl_multi_add_handle(m_multi, transfer.handle());
  set_phase(item, Phase::transferring);
}

void FetchQueue::finish(Item& item) {
  set_phase(item, Phase::finishing);
  m_arrived.push_back(&item);
}

/// What came in while the disk was busy becomes durable with one sync; one group is renamed while the other is synced.
void FetchQueue::begin_finishing() {
  if (m_groups == k_groups || m_arrived.empty()) return;
  ++m_groups;
  post(*m_workers, [this, items = std::exchange(m_arrived, {})]() -> std::function<void()> {
    return [this, all = finish_together(items)] {
      --m_groups;
      for (const auto& one : all) after_finish(one);
    };
  });
}

std::vector<FetchQueue::Finished> FetchQueue::finish_together(const std::vector<Item*>& items) {
  std::vector<Finished> all;
  std::vector<StagedBlobs*> sealed;
  StagedBlobs* shared = nullptr;
  for (auto* item : items) {
    auto& one = all.emplace_back(Finished{item, {}, {}});
    try {
      one.result = item->transfer->finish(shared);
      auto* own = item->transfer->batch_of_its_own();
      if (one.result && own != nullptr && own != shared) sealed.push_back(own);
    } catch (...) {
      one.failure = std::current_exception();
    }
  }
  if (shared != nullptr) sealed.push_back(shared);
  try {
    StagedBlobs::commit_all(sealed);
  } catch (...) {
    for (auto& one : all) {
      if (one.result) one.failure = std::current_exception();
    }
  }
  return all;
}

void FetchQueue::after_finish(const Finished& finished) {
  auto& item = *finished.item;
  if (finished.failure && !m_failure) m_failure = finished.failure;
  item.result = finished.failure ? std::nullopt : finished.result;
  set_phase(item, item.result || finished.failure ? Phase::done : Phase::waiting);
  if (!item.result) return;
  for (const auto index : item.jobs) note_result(index, *item.result);
}

void FetchQueue::run_completions() {
  std::vector<std::function<void()>> ready;
  {
    const std::lock_guard lock(m_mutex);
    ready.swap(m_completions);
  }
  for (const auto& completion : ready) completion();
}

void FetchQueue::read_messages() {
  int left = 0;
  while (const auto* message = curl_multi_info_read(m_multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    Item* item = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &item);
    const int code = message->data.result;
    curl_multi_remove_handle(m_multi, message->easy_handle);  // message is invalid from here on
    on_message(*item, code);
  }
}

void FetchQueue::on_message(Item& item, int curl_code) {
  try {
    const auto next = item.transfer->on_done(curl_code);
    report_progress(item);
    switch (next) {
      case Transfer::Next::again_now:
        return send(item, *item.transfer);
      case Transfer::Next::again_later:
        set_phase(item, Phase::waiting);
        return;
      case Transfer::Next::finish:
        return finish(item);
    }
  } catch (...) {
    set_phase(item, Phase::done);
    note_failure();
  }
}

void FetchQueue::report_progress(Item& item) {
  const auto expected = item.transfer->expected_size();
  if (!item.grown && expected && !item.transfer->job().size) {
    item.grown = true;
    m_task->grow(*expected);
  }
  if (const auto more = item.transfer->take_progress(); more > 0) m_task->advance(more);
}

/// Their bytes stay in the part files.
void FetchQueue::stop_transfers() {
  for (auto* item : m_running) {
    if (item->phase != Phase::transferring) continue;
    curl_multi_remove_handle(m_multi, item->transfer->handle());
    try {
      item->transfer->keep();
    } catch (const std::exception&) {
      // Then a later run gets them anew.
    }
    set_phase(*item, Phase::done);
  }
}

/// A handle of libcurl for each of thousands of files would not be nothing.
void FetchQueue::forget_done() {
  std::erase_if(m_running, [](auto* item) {
    if (item->phase != Phase::done) return false;
    item->transfer.reset();
    return true;
  });
}

void FetchQueue::wait() const {
  auto until = Transfer::Clock::now() + std::chrono::milliseconds(k_poll_ms);
  for (const auto* item : m_running) {
    if (!m_failure && item->phase == Phase::waiting) until = std::min(until, item->transfer->not_before());
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Transfer::Clock::now()).count();
  curl_multi_poll(m_multi, nullptr, 0, static_cast<int>(std::max<std::int64_t>(0, left)), nullptr);
}

std::vector<FetchResult> FetchQueue::run(const std::vector<FetchJob>& jobs, const FetchArrived& arrived) {
  m_tell = arrived;
  plan(jobs);
  if (!m_items.empty()) {
    std::uint64_t total = 0;
    for (const auto& item : m_items) total += item->job->size.value_or(0);
    ProgressTask task(m_reporter, "fetch", Unit::bytes, total);
    m_task = &task;
    while (count(Phase::done) < m_items.size()) {
      if (m_failure) {
        stop_transfers();
        // What is whole is kept, too.
        if (count(Phase::opening) + count(Phase::finishing) == 0) break;
      } else {
        begin_queued();
        begin_due();
      }
      int running = 0;
      curl_multi_perform(m_multi, &running);
      read_messages();
      run_completions();
      begin_finishing();
      forget_done();
      for (auto* item : m_running) {
        if (item->phase == Phase::transferring) report_progress(*item);
      }
      if (count(Phase::done) < m_items.size()) wait();
    }
  }
  if (m_failure) std::rethrow_exception(m_failure);
  std::vector<FetchResult> out;
  for (auto& result : m_results) out.push_back(*result);
  return out;
}

}  // namespace liftlock
