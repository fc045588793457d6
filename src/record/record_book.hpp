// The writing half of the record: one process, one thread that commits groups, and one that settles them behind it.
// Format: docs/formats/record.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "audit/audit_log.hpp"
#include "base/error.hpp"
#include "os/file.hpp"
#include "record/record.hpp"

namespace liftlock {

/// Told once when the thing and its audit entry are durable (nullopt), or with record_unwritable. Comes on the book's
/// thread; what is refused at once (record_unwritable, overloaded), and everything in mode off, on the caller's. Must
/// neither throw nor block.
using RecordDone = std::function<void(std::optional<Error>)>;

/// An answer that is being streamed. One thread at a time. Outlives its book: then every call is refused.
class OpenRecord {
 public:
  struct Impl;
  explicit OpenRecord(std::unique_ptr<Impl> impl);
  /// Not closed: closed with the outcome {"outcome": "interrupted"}.
  ~OpenRecord();
  OpenRecord(const OpenRecord&) = delete;
  OpenRecord& operator=(const OpenRecord&) = delete;

  const std::string& id() const;
  /// After open() was told done. Written, not synced, when it returns: it survives the end of this process.
  /// @throws Error{record_unwritable}: the piece must not be sent; Error{limit_exceeded} past 512 MiB
  void append(std::string_view piece);
  /// The last call. @param outcome token counts, timings, why it ended; never content: it goes to the audit log, too
  /// @throws Error{limit_exceeded} for an outcome past 16 KiB
  void close(Json outcome, RecordDone done);

 private:
  std::unique_ptr<Impl> m_impl;
};

/// Head and prompt of a record that is begun later. Sealing them takes time, and can be done while a model thinks.
class SealedPrompt {
 public:
  struct Impl;
  explicit SealedPrompt(std::unique_ptr<Impl> impl);
  ~SealedPrompt();
  SealedPrompt(SealedPrompt&&) noexcept;
  SealedPrompt& operator=(SealedPrompt&&) noexcept;

 private:
  friend class RecordBook;
  std::unique_ptr<Impl> m_impl;
};

/// Safe to use from several threads. Content is sealed on the caller's thread.
class RecordBook {
 public:
  struct Options {
    fs::path folder;
    fs::path kek_file;
    RecordMode mode = RecordMode::full;  ///< of what is recorded without a mode of its own
    std::uint64_t segment_bytes = 256u << 20;
    std::uint64_t queue_bytes = 256u << 20;  ///< what may wait to be written
    /// How long what is on record may wait until the audit log has its entry, too, which then come many at a time.
    std::chrono::milliseconds log_after{100};
  };
  struct Counters {
    std::uint64_t records = 0;  ///< begun
    std::uint64_t groups = 0;   ///< commits
    std::uint64_t refused = 0;  ///< overloaded or unwritable
    bool writable = true;       ///< false: everything is refused from here on
  };

  /// Makes the folder and the key when there are none; with mode off not before something is recorded. What a process
  /// that ended did not put into the log is put there now. The log must outlive the book.
  /// @throws Error{busy} when another process writes, Error{key_missing, record_unwritable, …}
  RecordBook(Options options, AuditLog& log);
  /// Writes what waits.
  ~RecordBook();
  RecordBook(const RecordBook&) = delete;
  RecordBook& operator=(const RecordBook&) = delete;

  /// Keeps nothing yet.
  /// @param prompt JSON
  /// @param recording what was heard, if it is to be kept
  /// @throws Error{limit_exceeded} for a head past its limits, or a prompt, recording included, past 513 MiB
  SealedPrompt seal(RecordHead head, std::string_view prompt, std::optional<RecordMode> mode = {},
                    std::string_view recording = {}) const;
  /// The whole exchange at once. @throws Error{limit_exceeded} for an outcome past its limits, or an answer past 513
  /// MiB
  void write(SealedPrompt prompt, std::string_view answer, Json outcome, RecordDone done);
  void write(RecordHead head, std::string_view prompt, std::string_view answer, Json outcome, RecordDone done,
             std::optional<RecordMode> mode = {});
  /// Head and prompt are durable when done is told.
  std::shared_ptr<OpenRecord> open(SealedPrompt prompt, RecordDone done);
  std::shared_ptr<OpenRecord> open(RecordHead head, std::string_view prompt, RecordDone done,
                                   std::optional<RecordMode> mode = {});

  Counters counters() const;

  struct Core;

 private:
  std::shared_ptr<Core> m_core;
};

}  // namespace liftlock
