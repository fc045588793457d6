#include "record/record_book.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "audit/audit_entry.hpp"
#include "base/encoding.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "record/segment_files.hpp"
#include "record/segment_writer.hpp"
#include "record/settler.hpp"

namespace liftlock {
namespace {

/// Not now(): SOURCE_DATE_EPOCH is for documents.
Timestamp wall_clock() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

using namespace record;
using std::chrono::steady_clock;

constexpr std::size_t k_max_field = 512;
constexpr std::size_t k_max_tags = 64;
constexpr std::size_t k_max_outcome = 16u << 10;
constexpr int k_max_outcome_depth = 8;
constexpr std::size_t k_max_group = 4096;
constexpr std::size_t k_max_group_bytes = 32u << 20;
constexpr std::size_t k_job_overhead = 4096;  ///< what a waiting job costs beside its frames
constexpr std::uint32_t k_max_slots = 1'000'000;
constexpr std::size_t k_slots_ahead = 1024;
constexpr auto k_segment_age = std::chrono::hours(24);

/// Where a record's frames go; known from its first commit on.
struct Place {
  std::shared_ptr<Segment> segment;
  std::uint32_t slot = 0;
};

struct SealedFrame {
  FrameType type;
  std::uint32_t number;
  std::string body;

  void put(std::string& out, std::uint32_t slot) const {
    out += FrameHeader{.slot = slot, .number = number, .type = type, .size = static_cast<std::uint32_t>(body.size())}
               .bytes();
    out += body;
  }
};

/// Seals the frames of one record, and keeps the hashes that the audit log gets.
class Sealer {
 public:
  Sealer(RecordId id, RecordMode mode) : m_id(id), m_mode(mode) {}

  SealedFrame seal(FrameType type, std::string_view plain) {
    const auto number = m_frames++;
    SealedFrame frame{type, number, m_aead.seal(number, frame_data(m_id, number, type), plain)};
    m_ciphertext.update(frame.body);
    return frame;
  }
  void add_content(FrameType type, std::string_view text, std::vector<SealedFrame>& out) {
    auto& size = type == FrameType::prompt ? m_prompt_size : m_answer_size;
    if (text.size() > k_max_content - size) fail(ErrorCode::limit_exceeded, "a record past {} bytes", k_max_content);
    size += text.size();
    (type == FrameType::prompt ? m_prompt : m_answer).update(text);
    if (m_mode != RecordMode::full) return;
    for (; !text.empty(); text.remove_prefix(std::min(text.size(), k_max_body - Aead::k_tag))) {
      out.push_back(seal(type, text.substr(0, k_max_body - Aead::k_tag)));
    }
  }
  void add_document(FrameType type, const std::string& text, std::vector<SealedFrame>& out) {
    if (m_mode == RecordMode::full) out.push_back(seal(type, text));
  }

  const SecretKey& key() const { return m_key; }
  /// What the audit entry says of head and prompt, which are these frames.
  void put_open_hashes(Json& detail, const std::vector<SealedFrame>& frames) {
    Hasher so_far;
    for (const auto& frame : frames) so_far.update(frame.body);
    put_ciphertext(detail, so_far);
    m_prompt_hmac = encode_hex(m_prompt.finish());
    detail["prompt_hmac"] = *m_prompt_hmac;
  }
  /// What it says of the whole, once, at the end.
  void put_hashes(Json& detail) {
    put_ciphertext(detail, m_ciphertext);
    detail["prompt_hmac"] = m_prompt_hmac ? *m_prompt_hmac : encode_hex(m_prompt.finish());
    detail["answer_hmac"] = encode_hex(m_answer.finish());
  }

 private:
  void put_ciphertext(Json& detail, Hasher& hasher) const {
    if (m_mode != RecordMode::full) return;
    detail["frames"] = m_frames;
    detail["ciphertext"] = hasher.finish().text();
  }

  RecordId m_id;
  RecordMode m_mode;
  SecretKey m_key = SecretKey::random();
  Aead m_aead{m_key};
  SecretKey m_mac_key = mac_key(m_key);
  Hmac m_prompt{m_mac_key};
  Hmac m_answer{m_mac_key};
  Hasher m_ciphertext;
  std::optional<std::string> m_prompt_hmac;
  std::uint64_t m_prompt_size = 0;
  std::uint64_t m_answer_size = 0;
  std::uint32_t m_frames = 0;
};

struct NewRecord {
  RecordId id;
  RecordMode mode;
  SecretKey key;
};

struct Job {
  std::vector<SealedFrame> frames;
  std::optional<NewRecord> begins;
  std::shared_ptr<Place> place;  ///< read when the record has begun before, else filled
  std::string entry;             ///< of the audit log
  RecordDone done;

  std::size_t bytes() const {
    std::size_t sum = k_job_overhead + entry.size();
    for (const auto& frame : frames) sum += frame.body.size();
    return sum;
  }
};

void clean(std::string& text, std::string_view what) {
  if (!is_utf8(text)) text = printable(text);
  if (text.size() > k_max_field) fail(ErrorCode::limit_exceeded, "a record whose {} has {} bytes", what, text.size());
}

RecordId check_head(RecordHead& head) {
  clean(head.user, "user");
  clean(head.key_id, "key id");
  clean(head.peer, "peer");
  clean(head.endpoint, "endpoint");
  clean(head.model, "model");
  clean(head.model_digest, "model digest");
  clean(head.engine, "engine");
  if (head.tags.size() > k_max_tags) fail(ErrorCode::limit_exceeded, "a record with {} tags", head.tags.size());
  for (auto& tag : head.tags) clean(tag, "tag");
  if (head.time == Timestamp{}) head.time = wall_clock();
  const auto id = head.id.empty() ? make_record_id() : parse_record_id(head.id);
  head.id = text_of(id);
  return id;
}

int depth_of(const Json& value) {
  int deepest = 0;
  if (!value.is_structured()) return deepest;
  for (const auto& item : value) deepest = std::max(deepest, depth_of(item));
  return deepest + 1;
}

std::string outcome_text(const Json& outcome) {
  auto text = dump_json_line(outcome);
  if (!outcome.is_object() || text.size() > k_max_outcome || depth_of(outcome) > k_max_outcome_depth) {
    fail(ErrorCode::limit_exceeded, "the outcome of a record must be an object of at most {} bytes", k_max_outcome);
  }
  return text;
}

Json detail_of(const RecordHead& head, RecordMode mode) {
  return {{"user", head.user},     {"key_id", head.key_id},
          {"peer", head.peer},     {"endpoint", head.endpoint},
          {"model", head.model},   {"model_digest", head.model_digest},
          {"engine", head.engine}, {"mode", mode == RecordMode::full ? "full" : "hash-only"}};
}

std::string entry_of(const std::string& id, const Json& detail, Outcome outcome) {
  auto actor = detail["user"].get<std::string>();
  if (actor.empty() || actor.size() > 512) actor = "anonymous";
  return entry_to_bytes(
      {.type = "prompt.record", .actor = std::move(actor), .outcome = outcome, .subject = id, .detail = {}}, detail,
      wall_clock());
}

/// The entry of a record that ends.
std::string closing_entry(const std::string& id, Json detail, Sealer& sealer, Json outcome) {
  sealer.put_hashes(detail);
  const bool interrupted = outcome.value("outcome", Json()) == "interrupted";
  detail["outcome"] = std::move(outcome);
  return entry_of(id, detail, interrupted ? Outcome::failure : Outcome::success);
}

}  // namespace

/// The queue and the thread that empties it. OpenRecords hold it, too.
struct RecordBook::Core {
  Options options;
  AuditLog* log;
  std::optional<FileLock> lock;
  std::optional<SecretKey> kek;
  std::optional<Settler> settler;
  std::mutex current_mutex;  ///< the committing thread changes it, the settler's looks
  std::shared_ptr<Segment> current;

  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Job> queue;
  std::uint64_t waiting = 0;        ///< bytes in the queue
  std::string failure;              ///< why nothing can be written any more
  std::atomic<bool> ended = false;  ///< failure is set, or the book is gone
  bool stopping = false;
  std::atomic<std::uint64_t> records = 0, groups = 0, refused = 0;
  std::mutex begin_mutex;
  std::atomic<bool> begun = false;
  std::thread thread;

  Core(Options given, AuditLog& audit) : options(std::move(given)), log(&audit) {}

  void begin();
  void begin_if_needed();
  const std::shared_ptr<Segment>& segment_for_new_record();
  void run();
  void publish();
  void make_slots();
  void end();
  void commit(std::vector<Job>& group);
  void write_group(std::vector<Job>& group);

  Error unwritable();
  void give_up(std::string_view why);
  enum class Limit : std::uint8_t { bounded, none };
  void enqueue(Job job, Limit limit);
};

void RecordBook::Core::begin() {
  make_folders(options.folder);
  if (::chmod(options.folder.c_str(), 0700) != 0) fail_errno("chmod of the record's folder");
  lock.emplace(options.folder / "writer", "the server that writes the record", FileLock::Wait::no);
  const auto names = segment_names(options.folder);
  kek = load_or_make_kek(options.kek_file, names.empty());
  settle_what_was_left(options.folder, *log);
  // Of all but the last the slots were synced: when the next one was made, or by this.
  if (!names.empty()) SegmentFiles(options.folder, names.back(), Access::write).restore_slots();
  settler.emplace(Settler::Options{.folder = options.folder,
                                   .pause = options.log_after,
                                   .after = [this] { make_slots(); },
                                   .chores = [this] { publish(); },
                                   .failed = [this](std::string_view why) { give_up(why); }},
                  *log);
  thread = std::thread([this] { run(); });
}

void RecordBook::Core::begin_if_needed() {
  if (begun) return;
  const std::lock_guard guard(begin_mutex);
  if (begun) return;
  try {
    begin();
  } catch (const Error& error) {
    give_up(error.what());
  }
  begun = true;
}

const std::shared_ptr<Segment>& RecordBook::Core::segment_for_new_record() {
  const auto has_room = [&](Segment& segment) {
    return segment.slots() < k_max_slots && segment.end() < options.segment_bytes &&
           steady_clock::now() - segment.born() < k_segment_age;
  };
  if (current && has_room(*current)) return current;
  // Whose ids and offsets are durable needs no repair after a power cut.
  if (current) current->sync_slots();
  auto next = std::make_shared<Segment>(options.folder, *kek);
  next->keep_slots(1, k_slots_ahead);
  const std::lock_guard guard(current_mutex);
  current = std::move(next);
  return current;
}

void RecordBook::Core::run() {
  for (;;) {
    std::vector<Job> group;
    {
      std::unique_lock guard(mutex);
      wake.wait(guard, [&] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      for (std::size_t bytes = 0; !queue.empty() && group.size() < k_max_group && bytes < k_max_group_bytes;) {
        const auto size = queue.front().bytes();
        bytes += size;
        waiting -= size;
        group.push_back(std::move(queue.front()));
        queue.pop_front();
      }
    }
    commit(group);
  }
}

// What nobody waits for.
void RecordBook::Core::publish() {
  if (!ended) log->publish();
}

// Before the committing thread would have to.
void RecordBook::Core::make_slots() {
  if (ended) return;
  std::shared_ptr<Segment> segment;
  {
    const std::lock_guard guard(current_mutex);
    segment = current;
  }
  if (segment) segment->keep_slots(k_slots_ahead / 2, k_slots_ahead);
}

// Where this fails, the next start fills the slots.
void RecordBook::Core::end() {
  try {
    if (current && !ended) current->sync_slots();
  } catch (const std::exception& error) {
    give_up(error.what());
  }
}

void RecordBook::Core::commit(std::vector<Job>& group) {
  const auto tell = [&](const std::optional<Error>& error) {
    for (auto& job : group) {
      if (error) refused.fetch_add(1, std::memory_order_relaxed);
      if (const auto done = std::exchange(job.done, {})) done(error);
    }
  };
  if (ended) return tell(unwritable());
  try {
    write_group(group);
    groups.fetch_add(1, std::memory_order_relaxed);
    tell(std::nullopt);
  } catch (const std::exception& failed) {
    give_up(failed.what());
    tell(unwritable());
  }
}

void RecordBook::Core::write_group(std::vector<Job>& group) {
  struct Pending {
    std::string frames;
    std::uint32_t first = 0;  ///< number of the first slot; the others follow it
    std::vector<Slot> slots;  ///< with offsets from the start of `frames`
  };
  std::map<std::shared_ptr<Segment>, Pending> pending;
  for (auto& job : group) {
    if (job.begins) *job.place = {segment_for_new_record(), 0};
    auto& segment = *job.place->segment;
    auto& out = pending[job.place->segment];
    if (job.begins) {
      segment.keep_slots(1, std::max(group.size(), k_slots_ahead));
      auto [slot, number] = segment.take_slot();
      slot.id = job.begins->id;
      slot.offset = out.frames.size();
      job.place->slot = number;
      if (out.slots.empty()) out.first = number;
      out.slots.push_back(slot);
      const auto begin = segment.key().wrap(slot, number, job.begins->mode, job.begins->key);
      SealedFrame{FrameType::begin, 0, begin.bytes()}.put(out.frames, number);
    }
    for (const auto& frame : job.frames) frame.put(out.frames, job.place->slot);
  }
  std::vector<std::shared_ptr<Segment>> written;
  for (auto& [segment, out] : pending) {
    if (out.frames.empty()) continue;
    const auto begin = segment->append(out.frames);
    written.push_back(segment);
    for (auto& slot : out.slots) slot.offset += begin;
    if (out.slots.empty()) continue;
    segment->fill_slots(out.first, out.slots);
    if (segment != current) segment->sync_slots();  // the group changed it: nobody will look after these any more
  }
  std::vector<std::string> entries;
  entries.reserve(group.size());
  for (auto& job : group) entries.push_back(std::move(job.entry));
  settler->commit(written, std::move(entries));
}

Error RecordBook::Core::unwritable() {
  const std::lock_guard guard(mutex);
  return {ErrorCode::record_unwritable,
          "the record cannot be written: " + (failure.empty() ? std::string("the server ends") : failure)};
}

void RecordBook::Core::give_up(std::string_view why) {
  const std::lock_guard guard(mutex);
  if (!ended) failure = why;
  ended = true;
}

void RecordBook::Core::enqueue(Job job, Limit limit) {
  auto error = [&]() -> std::optional<Error> {
    std::unique_lock guard(mutex);
    if (ended || stopping) {
      guard.unlock();
      return unwritable();
    }
    const auto size = job.bytes();
    if (limit == Limit::bounded && waiting > 0 && waiting + size > options.queue_bytes) {
      return Error(ErrorCode::overloaded, fmt::format("{} wait to be recorded", format_size(waiting)));
    }
    waiting += size;
    queue.push_back(std::move(job));
    const bool is_first = queue.size() == 1;
    guard.unlock();
    if (is_first) wake.notify_one();
    return std::nullopt;
  }();
  if (!error) return;
  refused.fetch_add(1, std::memory_order_relaxed);
  if (job.done) job.done(std::move(error));
}

struct OpenRecord::Impl {
  enum class Stage : std::uint8_t { waiting, begun, refused };
  std::shared_ptr<RecordBook::Core> core;
  std::string id;
  std::optional<Sealer> sealer;  ///< nullopt: mode off
  Json detail;
  std::shared_ptr<Place> place;
  std::shared_ptr<std::atomic<Stage>> stage = std::make_shared<std::atomic<Stage>>(Stage::waiting);
  bool closed = false;
};

struct SealedPrompt::Impl {
  RecordId id{};
  RecordMode mode = RecordMode::off;
  std::optional<Sealer> sealer;  ///< nullopt: mode off
  std::vector<SealedFrame> frames;
  Json detail;
};

SealedPrompt::SealedPrompt(std::unique_ptr<Impl> impl) : m_impl(std::move(impl)) {}
SealedPrompt::~SealedPrompt() = default;
SealedPrompt::SealedPrompt(SealedPrompt&&) noexcept = default;
SealedPrompt& SealedPrompt::operator=(SealedPrompt&&) noexcept = default;

OpenRecord::OpenRecord(std::unique_ptr<Impl> impl) : m_impl(std::move(impl)) {}

OpenRecord::~OpenRecord() {
  if (m_impl->closed) return;
  try {
    close({{"outcome", "interrupted"}}, {});
  } catch (const std::exception&) {
    // Without a close frame it reads as interrupted all the same.
  }
}

const std::string& OpenRecord::id() const {
  return m_impl->id;
}

void OpenRecord::append(std::string_view piece) {
  auto& self = *m_impl;
  if (self.closed) fail(ErrorCode::internal, "a piece for a record that is closed");
  if (!self.sealer || piece.empty()) return;
  if (self.core->ended) throw self.core->unwritable();
  if (*self.stage != Impl::Stage::begun) fail(ErrorCode::internal, "a piece for a record that is not open yet");
  std::vector<SealedFrame> frames;
  self.sealer->add_content(FrameType::piece, piece, frames);
  if (frames.empty()) return;
  std::string bytes;
  for (const auto& frame : frames) frame.put(bytes, self.place->slot);
  try {
    self.place->segment->append(bytes);
  } catch (const Error& error) {
    self.core->give_up(error.what());
    throw self.core->unwritable();
  }
}

void OpenRecord::close(Json outcome, RecordDone done) {
  auto& self = *m_impl;
  if (self.closed) fail(ErrorCode::internal, "a record is closed twice");
  if (!self.sealer) {
    self.closed = true;
    if (done) done(std::nullopt);
    return;
  }
  const auto text = outcome_text(outcome);
  self.closed = true;
  if (*self.stage == Impl::Stage::refused) {
    if (done) done(Error(ErrorCode::record_unwritable, "the record could not be opened"));
    return;
  }
  Job job{.frames = {}, .begins = {}, .place = self.place, .entry = {}, .done = std::move(done)};
  self.sealer->add_document(FrameType::close, text, job.frames);
  job.entry = closing_entry(self.id, std::move(self.detail), *self.sealer, std::move(outcome));
  self.core->enqueue(std::move(job), RecordBook::Core::Limit::none);
}

RecordBook::RecordBook(Options options, AuditLog& log) : m_core(std::make_shared<Core>(std::move(options), log)) {
  if (m_core->options.mode == RecordMode::off && !may_be_unsettled(m_core->options.folder)) return;
  m_core->begin();
  m_core->begun = true;
}

RecordBook::~RecordBook() {
  {
    const std::lock_guard guard(m_core->mutex);
    m_core->stopping = true;
  }
  m_core->wake.notify_one();
  if (m_core->thread.joinable()) m_core->thread.join();
  m_core->settler.reset();
  m_core->end();
  m_core->give_up("the server ends");
  m_core->lock.reset();
}

SealedPrompt RecordBook::seal(RecordHead head, std::string_view prompt, std::optional<RecordMode> wanted,
                              std::string_view recording) const {
  auto impl = std::make_unique<SealedPrompt::Impl>();
  const auto mode = wanted.value_or(m_core->options.mode);
  impl->id = check_head(head);
  impl->mode = mode;
  if (mode != RecordMode::off) {
    auto& sealer = impl->sealer.emplace(impl->id, mode);
    const auto mark = recording.empty() ? std::string_view() : k_recording_mark;
    const auto size = prompt.size() + mark.size() + recording.size();
    sealer.add_document(FrameType::head, head_to_bytes(head, size), impl->frames);
    for (const auto part : {prompt, mark, recording}) sealer.add_content(FrameType::prompt, part, impl->frames);
    impl->detail = detail_of(head, mode);
  }
  return SealedPrompt(std::move(impl));
}

void RecordBook::write(SealedPrompt prompt, std::string_view answer, Json outcome, RecordDone done) {
  auto& core = *m_core;
  auto& begun = *prompt.m_impl;
  if (!begun.sealer) {
    core.records.fetch_add(1, std::memory_order_relaxed);
    if (done) done(std::nullopt);
    return;
  }
  const auto text = outcome_text(outcome);
  core.records.fetch_add(1, std::memory_order_relaxed);
  core.begin_if_needed();
  auto& sealer = *begun.sealer;
  Job job{.frames = std::move(begun.frames),
          .begins = NewRecord{begun.id, begun.mode, sealer.key()},
          .place = std::make_shared<Place>(),
          .entry = {},
          .done = std::move(done)};
  sealer.add_content(FrameType::piece, answer, job.frames);
  sealer.add_document(FrameType::close, text, job.frames);
  job.entry = closing_entry(text_of(begun.id), std::move(begun.detail), sealer, std::move(outcome));
  core.enqueue(std::move(job), Core::Limit::bounded);
}

void RecordBook::write(RecordHead head, std::string_view prompt, std::string_view answer, Json outcome, RecordDone done,
                       std::optional<RecordMode> mode) {
  write(seal(std::move(head), prompt, mode), answer, std::move(outcome), std::move(done));
}

std::shared_ptr<OpenRecord> RecordBook::open(SealedPrompt prompt, RecordDone done) {
  auto& core = *m_core;
  auto& begun = *prompt.m_impl;
  auto impl = std::make_unique<OpenRecord::Impl>();
  core.records.fetch_add(1, std::memory_order_relaxed);
  impl->core = m_core;
  impl->id = text_of(begun.id);
  if (!begun.sealer) {
    if (done) done(std::nullopt);
    return std::make_shared<OpenRecord>(std::move(impl));
  }
  core.begin_if_needed();
  impl->sealer = std::move(begun.sealer);
  impl->detail = std::move(begun.detail);
  impl->place = std::make_shared<Place>();
  Job job{.frames = std::move(begun.frames),
          .begins = NewRecord{begun.id, begun.mode, impl->sealer->key()},
          .place = impl->place,
          .entry = {},
          .done = {}};
  auto detail = impl->detail;
  impl->sealer->put_open_hashes(detail, job.frames);
  job.entry = entry_of(impl->id, detail, Outcome::intent);
  job.done = [stage = impl->stage, done = std::move(done)](std::optional<Error> error) {
    *stage = error ? OpenRecord::Impl::Stage::refused : OpenRecord::Impl::Stage::begun;
    if (done) done(std::move(error));
  };
  auto record = std::make_shared<OpenRecord>(std::move(impl));
  core.enqueue(std::move(job), Core::Limit::bounded);
  return record;
}

std::shared_ptr<OpenRecord> RecordBook::open(RecordHead head, std::string_view prompt, RecordDone done,
                                             std::optional<RecordMode> mode) {
  return open(seal(std::move(head), prompt, mode), std::move(done));
}

RecordBook::Counters RecordBook::counters() const {
  return {.records = m_core->records, .groups = m_core->groups, .refused = m_core->refused, .writable = !m_core->ended};
}

}  // namespace liftlock
