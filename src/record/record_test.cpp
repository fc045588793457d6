// What the record keeps, for whom, and what it notices.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/code_of.hpp"
#include "base/encoding.hpp"
#include "record/record_book.hpp"
#include "record/record_keeper.hpp"
#include "record/record_reader.hpp"
#include "record/segment_format.hpp"

namespace liftlock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct RecordTest : testing::Test {
  TemporaryFolder temporary;
  fs::path state = temporary.path();
  AuditLog log{state / "audit", "test"};

  RecordBook::Options options(RecordMode mode = RecordMode::full) const {
    return {.folder = state / "records", .kek_file = state / "keys" / "record.kek", .mode = mode};
  }
  RecordReader reader() const { return {state / "records", state / "keys" / "record.kek"}; }
  RecordKeeper keeper() const { return RecordKeeper(state / "records"); }

  static RecordHead head(const std::string& user = "ada") {
    return {.id = new_record_id(),
            .time = parse_time("2026-11-23T06:00:00Z"),
            .user = user,
            .key_id = "k1",
            .peer = "127.0.0.1",
            .endpoint = "/v1/chat/completions",
            .model = "demo",
            .model_digest = "sha256:00",
            .engine = "llama.cpp@1",
            .tags = {"case-7"}};
  }
  /// Writes and waits. The id.
  static std::string write(RecordBook& book, const std::string& prompt, const std::string& answer,
                           const std::string& user = "ada") {
    auto h = head(user);
    std::promise<std::optional<Error>> promise;
    book.write(h, prompt, answer, {{"outcome", "complete"}, {"prompt_tokens", 3}},
               [&](auto error) { promise.set_value(std::move(error)); });
    if (auto error = promise.get_future().get()) throw *error;
    return h.id;
  }
  static std::shared_ptr<OpenRecord> open(RecordBook& book, const std::string& prompt) {
    std::promise<std::optional<Error>> promise;
    auto record = book.open(head(), prompt, [&](auto error) { promise.set_value(std::move(error)); });
    if (auto error = promise.get_future().get()) throw *error;
    return record;
  }
  static void close(OpenRecord& record) {
    std::promise<std::optional<Error>> promise;
    record.close({{"outcome", "complete"}}, [&](auto error) { promise.set_value(std::move(error)); });
    if (auto error = promise.get_future().get()) throw *error;
  }
  std::vector<std::string> found(const RecordReader::Filter& filter) const {
    std::vector<std::string> ids;
    reader().find(filter, [&](const RecordHead& h) {
      ids.push_back(h.id);
      return true;
    });
    return ids;
  }
  /// Of the log, which gets them a moment after the record is durable.
  AuditEvent entry(const std::string& id, Outcome outcome) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      const auto found = log.find_last("prompt.record", id);
      if (found && found->event.outcome == outcome) return found->event;
      if (std::chrono::steady_clock::now() > until) fail(ErrorCode::not_found, "the log has no such entry");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  /// As the commands do it.
  void log_erasure(const std::string& id, Outcome outcome = Outcome::success) {
    log.append({.type = "record.erase", .actor = "ada(1)", .outcome = outcome, .subject = id, .detail = "{}"});
  }
  void log_expiry(const Json& before) {
    log.append({.type = "record.expire",
                .actor = "ada(1)",
                .outcome = Outcome::intent,
                .subject = "records",
                .detail = dump_json_line({{"before", before}})});
  }
  /// Overwrites the key of the first record of a segment behind everybody's back.
  void destroy_first_key() const {
    const auto fd = open_file(state / "records/00000001.keys", O_RDWR);
    const std::string zeros(record::Slot::k_seed, '\0');
    const auto place = record::Slot::place(0) + record::Slot::k_size - record::Slot::k_seed;
    ASSERT_EQ(::pwrite(fd.get(), zeros.data(), zeros.size(), static_cast<off_t>(place)),
              static_cast<ssize_t>(zeros.size()));
  }
  /// read() and verify() both pass, and read() gives this.
  bool is_whole(const std::string& id, const std::string& prompt, const std::string& answer) const {
    try {
      const auto record = reader().read(id);
      reader().verify(id, log);
      return record.prompt == prompt && record.answer == answer && record.outcome.at("outcome") == "complete" &&
             record.head.user == "ada";
    } catch (const Error&) {
      return false;
    }
  }
};

TEST_F(RecordTest, AnExchangeIsReadAsItWasWritten) {
  const std::string prompt("what\0is\xff this", 13);
  std::string id;
  {
    RecordBook book(options(), log);
    id = write(book, prompt, "an answer");
  }
  const auto record = reader().read(id);
  EXPECT_EQ(record.prompt, prompt);
  EXPECT_EQ(record.answer, "an answer");
  EXPECT_EQ(record.outcome.at("prompt_tokens"), 3);
  EXPECT_EQ(record.head.id, id);
  EXPECT_EQ(record.head.model, "demo");
  EXPECT_THAT(record.head.tags, ElementsAre("case-7"));
  const auto verified = reader().verify(id, log);
  EXPECT_EQ(verified.at("erased"), false);
  EXPECT_THAT(verified.at("ciphertext").get<std::string>(), HasSubstr("sha256:"));
  log.verify();
}

TEST_F(RecordTest, ARecordingIsKeptBesideItsPrompt) {
  RecordBook book(options(), log);
  const std::string prompt = R"({"recording":{"bytes":3000000}})";
  const auto sound = "RIFF\x1erecording\x1f" + std::string(3'000'000, '\0');
  const auto h = head();
  std::promise<std::optional<Error>> promise;
  book.write(book.seal(h, prompt, {}, sound), "what was heard", {{"outcome", "complete"}},
             [&](auto error) { promise.set_value(std::move(error)); });
  ASSERT_FALSE(promise.get_future().get());
  EXPECT_TRUE(is_whole(h.id, prompt, "what was heard"));
  const auto record = reader().read(h.id);
  EXPECT_EQ(record.recording, sound);
  EXPECT_EQ(to_json(record).at("recording").at("bytes"), sound.size());
  EXPECT_THAT(found({.user = {}, .tag = {}, .text = "was heard", .model = {}, .from = {}, .to = {}}),
              ElementsAre(h.id));
  EXPECT_THAT(found({.user = {}, .tag = {}, .text = "RIFF", .model = {}, .from = {}, .to = {}}), ElementsAre())
      << "sound is no text";
}

TEST_F(RecordTest, LongContentIsSplitAndJoined) {
  RecordBook book(options(), log);
  const std::string prompt(3'000'000, 'p'), answer(2'500'001, 'a');
  EXPECT_TRUE(is_whole(write(book, prompt, answer), prompt, answer));
  EXPECT_TRUE(is_whole(write(book, "", ""), "", ""));
}

TEST_F(RecordTest, AStreamIsDurableBeforeItBeginsAndAfterItEnds) {
  RecordBook book(options(), log);
  auto record = open(book, "a question");
  const auto id = record->id();
  EXPECT_EQ(entry(id, Outcome::intent).actor, "ada");
  EXPECT_EQ(reader().read(id).prompt, "a question");
  for (const char* piece : {"one ", "two ", "three"}) record->append(piece);
  EXPECT_EQ(reader().read(id).answer, "one two three");
  EXPECT_EQ(reader().read(id).outcome.at("outcome"), "interrupted") << "not closed yet";
  EXPECT_NO_THROW(reader().verify(id, log));
  close(*record);
  EXPECT_TRUE(is_whole(id, "a question", "one two three"));
  EXPECT_EQ(entry(id, Outcome::success).actor, "ada");
  EXPECT_EQ(code_of([&] { record->append("more"); }), ErrorCode::internal);
}

TEST_F(RecordTest, WhatIsDroppedUnclosedWasInterrupted) {
  std::string id;
  {
    RecordBook book(options(), log);
    auto record = open(book, "q");
    id = record->id();
    record->append("half an ans");
    record.reset();
  }
  EXPECT_EQ(reader().read(id).answer, "half an ans");
  EXPECT_EQ(reader().read(id).outcome.at("outcome"), "interrupted");
  EXPECT_EQ(log.find_last("prompt.record", id)->event.outcome, Outcome::failure);
  EXPECT_NO_THROW(reader().verify(id, log));
}

TEST_F(RecordTest, AStreamThatOutlivesItsBookIsRefused) {
  std::shared_ptr<OpenRecord> record;
  {
    RecordBook book(options(), log);
    record = open(book, "q");
  }
  EXPECT_EQ(code_of([&] { record->append("x"); }), ErrorCode::record_unwritable);
  EXPECT_EQ(code_of([&] { close(*record); }), ErrorCode::record_unwritable);
}

TEST_F(RecordTest, ManyWritersAndStreamsShareGroups) {
  std::map<std::string, std::string> written;
  std::mutex mutex;
  RecordBook book(options(), log);
  std::vector<std::thread> threads;
  for (int who = 0; who < 4; ++who) {
    threads.emplace_back([&, who] {
      for (int i = 0; i < 50; ++i) {
        const auto text = fmt::format("{}/{}", who, i);
        std::string id;
        if (i % 2 == 0) {
          id = write(book, text, text + "!");
        } else {
          auto record = open(book, text);
          for (const char c : text) record->append({&c, 1});
          record->append("!");
          close(*record);
          id = record->id();
        }
        const std::lock_guard guard(mutex);
        written[id] = text;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(written.size(), 200u);
  for (const auto& [id, text] : written) EXPECT_TRUE(is_whole(id, text, text + "!")) << text;
  EXPECT_EQ(found({}).size(), 200u);
  log.verify();
}

TEST_F(RecordTest, SegmentsRollAndAreSearchedFromTheNewest) {
  auto small = options();
  small.segment_bytes = 2000;
  std::vector<std::string> ids;
  {
    RecordBook book(small, log);
    for (int i = 0; i < 20; ++i) ids.push_back(write(book, fmt::format("prompt {}", i), "a"));
  }
  EXPECT_GT(record::segment_names(state / "records").size(), 3u);
  const auto newest_first = found({});
  EXPECT_EQ(std::vector(newest_first.rbegin(), newest_first.rend()), ids);
  for (const auto& id : ids) EXPECT_NO_THROW(reader().verify(id, log));
}

TEST_F(RecordTest, FindsByUserTagModelTimeAndText) {
  RecordBook book(options(), log);
  const auto first = write(book, "the secret word is swordfish", "I see");
  const auto second = write(book, "hello", "swordfish, too", "bob");
  EXPECT_THAT(found({.user = "bob", .tag = {}, .text = {}, .model = {}, .from = {}, .to = {}}), ElementsAre(second));
  RecordReader::Filter filter;
  filter.text = "swordfish";
  EXPECT_THAT(found(filter), ElementsAre(second, first));
  filter.text = "is swordfish";
  EXPECT_THAT(found(filter), ElementsAre(first));
  filter = {};
  filter.tag = "case-8";
  EXPECT_TRUE(found(filter).empty());
  filter.tag = "case-7";
  filter.model = "demo";
  EXPECT_EQ(found(filter).size(), 2u);
  filter.from = parse_time("2026-11-23T06:00:01Z");
  EXPECT_TRUE(found(filter).empty());
}

TEST_F(RecordTest, TheErasedIsUnreadableAndTheLogStaysWhole) {
  RecordBook book(options(), log);
  const auto id = write(book, "erase me", "yes");
  const auto other = write(book, "keep me", "yes");
  log_erasure(id);
  keeper().erase(id);
  keeper().erase(id);
  EXPECT_EQ(code_of([&] { reader().read(id); }), ErrorCode::record_erased);
  EXPECT_EQ(reader().verify(id, log).at("erased"), true) << "the ciphertext is still the one of the log";
  EXPECT_TRUE(is_whole(other, "keep me", "yes"));
  EXPECT_THAT(found({}), ElementsAre(other));
  log.verify();
}

TEST_F(RecordTest, TheHeldCannotBeErased) {
  RecordBook book(options(), log);
  const auto id = write(book, "evidence", "yes");
  keeper().hold(id, {.reason = "case 12", .actor = "ada(1)", .time = now()});
  EXPECT_EQ(code_of([&] { keeper().erase(id); }), ErrorCode::immutable);
  const auto expired = keeper().expire(now() + std::chrono::hours(1), RecordKeeper::Do::erase);
  EXPECT_EQ(expired.held, 1u);
  EXPECT_EQ(expired.records, 0u);
  EXPECT_TRUE(is_whole(id, "evidence", "yes"));
  EXPECT_EQ(keeper().hold_of(id)->reason, "case 12");
  keeper().release(id);
  EXPECT_EQ(code_of([&] { keeper().release(id); }), ErrorCode::not_found);
  keeper().erase(id);
  EXPECT_EQ(code_of([&] { reader().read(id); }), ErrorCode::record_erased);
  EXPECT_EQ(code_of([&] { keeper().hold(id, {}); }), ErrorCode::record_erased);
}

TEST_F(RecordTest, WhatIsDoneToManyStopsAtNoneOfThem) {
  auto small = options();
  small.segment_bytes = 1000;
  RecordBook book(small, log);
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(write(book, fmt::format("prompt {}", i), "yes"));
  const std::set all(ids.begin(), ids.end());
  const auto nobody = new_record_id();
  const auto refused = [](const RecordKeeper::Outcomes& outcomes) {
    std::map<std::string, ErrorCode> out;
    for (const auto& [id, why] : outcomes) {
      if (why) out.emplace(id, why->code());
    }
    return out;
  };
  using Refused = std::map<std::string, ErrorCode>;
  EXPECT_EQ(refused(keeper().hold({ids[0], ids[4], nobody}, {.reason = "case 12", .actor = "ada(1)", .time = now()})),
            (Refused{{nobody, ErrorCode::not_found}}));
  EXPECT_EQ(keeper().hold_of(ids[4])->reason, "case 12");
  const auto erased = keeper().erase(all);
  EXPECT_EQ(erased.size(), 6u);
  EXPECT_EQ(refused(erased), (Refused{{ids[0], ErrorCode::immutable}, {ids[4], ErrorCode::immutable}}));
  EXPECT_THAT(found({}), ElementsAre(ids[4], ids[0])) << "in each segment, and no other one";
  EXPECT_EQ(refused(keeper().release(all)), (Refused{{ids[1], ErrorCode::not_found},
                                                     {ids[2], ErrorCode::not_found},
                                                     {ids[3], ErrorCode::not_found},
                                                     {ids[5], ErrorCode::not_found}}));
  EXPECT_EQ(refused(keeper().hold({ids[0], ids[1]}, {.reason = "late", .actor = "ada(1)", .time = now()})),
            (Refused{{ids[1], ErrorCode::record_erased}}));
  keeper().release(ids[0]);
  EXPECT_TRUE(refused(keeper().erase(all)).empty()) << "twice is fine";
  EXPECT_TRUE(found({}).empty());
}

TEST_F(RecordTest, WhereThereIsNoRecordNothingIsDoneToMany) {
  const auto id = new_record_id();
  EXPECT_EQ(keeper().erase(std::set{id}).at(id)->code(), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { keeper().hold(id, {}); }), ErrorCode::not_found);
  EXPECT_FALSE(fs::exists(state / "records" / "holds"));
  EXPECT_EQ(code_of([&] { keeper().release("no id"); }), ErrorCode::not_found);
}

TEST_F(RecordTest, AnErasureThatNobodyLoggedIsDamage) {
  RecordBook book(options(), log);
  const auto id = write(book, "evidence", "yes");
  ASSERT_TRUE(is_whole(id, "evidence", "yes"));
  destroy_first_key();
  const auto code = [&] { return code_of([&] { reader().verify(id, log); }); };
  EXPECT_EQ(code(), ErrorCode::blob_corrupt);
  log_erasure(id, Outcome::intent);
  log_erasure(id, Outcome::failure);
  EXPECT_EQ(code(), ErrorCode::blob_corrupt) << "it was refused";
  log_erasure(new_record_id());
  log_expiry({{"prompts", format_time(now() - std::chrono::hours(1))},
              {"embeddings", format_time(now() + std::chrono::hours(1))}});
  EXPECT_EQ(code(), ErrorCode::blob_corrupt) << "none of these was of it";
  log_erasure(id, Outcome::intent);
  EXPECT_EQ(code(), std::nullopt) << "killed after the deed";
  log_erasure(id);
  log_erasure(id, Outcome::failure);
  EXPECT_EQ(code(), std::nullopt) << "once is enough";
}

TEST_F(RecordTest, AHeldRecordWhoseKeyIsGoneIsDamaged) {
  RecordBook book(options(), log);
  const auto id = write(book, "evidence", "yes");
  ASSERT_TRUE(is_whole(id, "evidence", "yes"));
  keeper().hold(id, {.reason = "case 12", .actor = "ada(1)", .time = now()});
  log_erasure(id);
  destroy_first_key();
  EXPECT_EQ(code_of([&] { reader().verify(id, log); }), ErrorCode::blob_corrupt);
}

TEST_F(RecordTest, WhatExpiredIsErasedAndItsFramesGo) {
  auto small = options();
  small.segment_bytes = 1000;
  std::vector<std::string> ids;
  RecordBook book(small, log);
  for (int i = 0; i < 6; ++i) ids.push_back(write(book, "p", "a"));
  EXPECT_EQ(keeper().expire(now() - std::chrono::hours(1), RecordKeeper::Do::erase).records, 0u);
  EXPECT_EQ(keeper().expire(now() + std::chrono::hours(1), RecordKeeper::Do::count).records, 6u);
  EXPECT_TRUE(is_whole(ids[0], "p", "a")) << "counted only";
  const auto expired = keeper().expire(now() + std::chrono::hours(1), RecordKeeper::Do::erase);
  EXPECT_EQ(expired.records, 6u);
  EXPECT_GT(expired.segments, 0u);
  for (const auto& id : ids) EXPECT_EQ(code_of([&] { reader().read(id); }), ErrorCode::record_erased);
  EXPECT_EQ(code_of([&] { reader().verify(ids[0], log); }), ErrorCode::blob_corrupt) << "nobody logged that";
  log_expiry({{"prompts", format_time(now() + std::chrono::hours(1))}});
  EXPECT_EQ(reader().verify(ids[0], log).at("ciphertext"), Json());
  const auto next = write(book, "after", "a");
  EXPECT_TRUE(is_whole(next, "after", "a"));
}

TEST_F(RecordTest, HashOnlyKeepsNoContent) {
  RecordBook book(options(RecordMode::hash_only), log);
  const auto id = write(book, "not kept", "at all");
  auto stream = open(book, "not kept");
  stream->append("at all");
  close(*stream);
  for (const auto& each : {id, stream->id()}) {
    EXPECT_EQ(code_of([&] { reader().read(each); }), ErrorCode::not_found);
    EXPECT_EQ(reader().verify(each, log).at("mode"), "hash-only");
    EXPECT_THAT(entry(each, Outcome::success).detail, HasSubstr("answer_hmac"));
  }
  EXPECT_EQ(fs::file_size(state / "records" / "00000001.rec"),
            record::k_segment_magic.size() + 2 * (record::FrameHeader::k_size + record::Begin::k_size));
}

TEST_F(RecordTest, OffCountsOnly) {
  RecordBook book(options(RecordMode::off), log);
  write(book, "p", "a");
  auto stream = open(book, "p");
  stream->append("a");
  close(*stream);
  EXPECT_EQ(book.counters().records, 2u);
  EXPECT_FALSE(fs::exists(state / "records"));
  EXPECT_EQ(log.size(), 0u);
}

TEST_F(RecordTest, OneProcessWritesAndAMissingKeyStopsIt) {
  {
    RecordBook book(options(), log);
    EXPECT_EQ(code_of([&] { RecordBook(options(), log); }), ErrorCode::busy);
    write(book, "p", "a");
  }
  fs::rename(state / "keys" / "record.kek", state / "keys" / "gone");
  EXPECT_EQ(code_of([&] { RecordBook(options(), log); }), ErrorCode::key_missing);
  EXPECT_EQ(code_of([&] { found({}); }), ErrorCode::key_missing);
}

TEST_F(RecordTest, HeadsAndOutcomesAreBounded) {
  RecordBook book(options(), log);
  auto h = head();
  h.endpoint = std::string(513, 'x');
  EXPECT_EQ(code_of([&] { book.write(h, "", "", Json::object(), {}); }), ErrorCode::limit_exceeded);
  EXPECT_EQ(code_of([&] { book.write(head(), "", "", Json("text"), {}); }), ErrorCode::limit_exceeded);
  EXPECT_EQ(code_of([&] {
              book.write(head(), "", "", {{"x", std::string(20'000, 'x')}}, {});
            }),
            ErrorCode::limit_exceeded);
  h = head();
  h.endpoint = "/\xff\x01";
  std::promise<void> told;
  book.write(h, "", "", Json::object(), [&](auto error) {
    EXPECT_FALSE(error);
    told.set_value();
  });
  told.get_future().get();
  EXPECT_EQ(reader().read(h.id).head.endpoint, "/\\xff\\x01");
}

TEST_F(RecordTest, ASecretPromptIsInNoFile) {
  const std::string secret = "correct horse battery staple";
  {
    RecordBook book(options(), log);
    write(book, secret, "the answer: " + secret);
    auto stream = open(book, secret);
    stream->append(secret);
    close(*stream);
  }
  for (const auto& entry : walk(state, 10'000)) {
    const auto bytes = read_file(state / entry.path, 16u << 20);
    EXPECT_EQ(bytes.find(secret), std::string::npos) << entry.path;
    EXPECT_EQ(bytes.find("case-7"), std::string::npos) << entry.path;
  }
}

TEST_F(RecordTest, AFlippedBitInAnyByteIsNoticed) {
  std::vector<std::string> ids;
  {
    RecordBook book(options(), log);
    ids.push_back(write(book, "first", "one"));
    auto stream = open(book, "second");
    stream->append("tw");
    ids.push_back(write(book, "third", "three"));
    stream->append("o");
    close(*stream);
    ids.push_back(stream->id());
  }
  const auto all_whole = [&] {
    return is_whole(ids[0], "first", "one") && is_whole(ids[1], "third", "three") && is_whole(ids[2], "second", "two");
  };
  ASSERT_TRUE(all_whole());
  for (const auto* name : {"00000001.rec", "00000001.keys"}) {
    const auto path = state / "records" / name;
    const auto bytes = read_file(path, 1u << 20);
    const auto fd = open_file(path, O_RDWR);
    // Behind them lie slots that wait for a record; and 8 bytes of a slot are not used.
    const auto end = name == std::string_view("00000001.keys") ? record::Slot::place(ids.size()) : bytes.size();
    for (std::size_t i = 0; i < end; ++i) {
      if (end != bytes.size() && i >= record::Slot::place(0) && i % record::Slot::k_size / 8 == 3) continue;
      const char flipped = static_cast<char>(bytes[i] ^ (1 << (i % 8)));
      ASSERT_EQ(::pwrite(fd.get(), &flipped, 1, static_cast<off_t>(i)), 1);
      EXPECT_FALSE(all_whole()) << name << " byte " << i;
      ASSERT_EQ(::pwrite(fd.get(), &bytes[i], 1, static_cast<off_t>(i)), 1);
    }
  }
  EXPECT_TRUE(all_whole());
}

TEST_F(RecordTest, FramesOfOneRecordAreNoneOfAnother) {
  std::string first, second;
  {
    RecordBook book(options(), log);
    first = write(book, "aaaa", "bbbb");
    second = write(book, "cccc", "dddd");
  }
  // The answers have the same length: exchanging their bodies keeps every header right.
  const auto path = state / "records" / "00000001.rec";
  auto bytes = read_file(path, 1u << 20);
  std::vector<std::size_t> answers;
  record::walk_frames(
      [&](std::uint64_t offset, std::span<std::uint8_t> buffer) {
        if (offset + buffer.size() > bytes.size()) return false;
        std::copy_n(as_bytes(bytes).begin() + static_cast<std::ptrdiff_t>(offset), buffer.size(), buffer.begin());
        return true;
      },
      record::k_segment_magic.size(),
      [&](const record::FrameHeader& header, std::uint64_t body) {
        if (header.type == record::FrameType::piece) answers.push_back(body);
        return true;
      });
  ASSERT_EQ(answers.size(), 2u);
  for (std::size_t i = 0; i < 20; ++i) std::swap(bytes[answers[0] + i], bytes[answers[1] + i]);
  write_file_atomically(path, bytes);
  EXPECT_EQ(code_of([&] { reader().read(first); }), ErrorCode::blob_corrupt);
  EXPECT_EQ(code_of([&] { reader().read(second); }), ErrorCode::blob_corrupt);
}

TEST_F(RecordTest, ATornTailOfAnyLengthLosesOnlyWhatItCut) {
  std::vector<std::string> ids;
  {
    RecordBook book(options(), log);
    for (int i = 0; i < 3; ++i) ids.push_back(write(book, fmt::format("prompt {}", i), "answer"));
  }
  const auto path = state / "records" / "00000001.rec";
  const auto bytes = read_file(path, 1u << 20);
  for (auto size = bytes.size(); size-- > 0;) {
    ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(size)), 0);
    for (const auto& id : ids) {
      const auto code = code_of([&] {
        const auto record = reader().read(id);
        EXPECT_TRUE(record.outcome.at("outcome") == "interrupted" || record.answer == "answer");
      });
      EXPECT_TRUE(!code || code == ErrorCode::not_found || size < record::k_segment_magic.size()) << size;
    }
    const bool first_is_whole = size >= record::k_segment_magic.size() && [&] {
      try {
        return reader().read(ids[0]).outcome.at("outcome") == "complete";
      } catch (const Error&) {
        return false;
      }
    }();
    EXPECT_TRUE(first_is_whole || size <= bytes.size() / 2) << size;
    EXPECT_FALSE(is_whole(ids[2], "prompt 2", "answer")) << size;
  }
  RecordBook book(options(), log);
  EXPECT_TRUE(is_whole(write(book, "after the crash", "a"), "after the crash", "a"));
}

TEST_F(RecordTest, WhatTheLogKnowsAndIsCutOffIsDamaged) {
  std::vector<std::string> ids;
  {
    RecordBook book(options(), log);
    for (int i = 0; i < 3; ++i) ids.push_back(write(book, fmt::format("prompt {}", i), "answer"));
  }
  const auto code = [&](const std::string& id) { return code_of([&] { reader().verify(id, log); }); };
  const auto damaged_by = [&](const AuditLog* known) {
    RecordReader::Filter filter;
    filter.log = known;
    return reader().find(filter, [](const RecordHead&) { return true; }).damaged;
  };
  const auto path = state / "records" / "00000001.rec", keys = state / "records" / "00000001.keys";
  const auto frames = read_file(path, 1u << 20), slots = read_file(keys, 1u << 20);
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(frames.size() / 2)), 0);
  EXPECT_EQ(code_of([&] { reader().read(ids[2]); }), ErrorCode::not_found);
  EXPECT_EQ(code(ids[2]), ErrorCode::blob_corrupt);
  EXPECT_THAT(damaged_by(&log), testing::AllOf(testing::Contains(ids[2]), testing::Not(testing::Contains(ids[0]))));
  const AuditLog other(state / "other", "test");
  EXPECT_THAT(damaged_by(&other), testing::Not(testing::Contains(ids[2]))) << "a crash explains it";

  write_file_atomically(path, frames);
  const auto wipe = [&](std::size_t at, std::size_t count) {
    auto bytes = slots;
    write_file_atomically(keys, bytes.replace(record::Slot::place(1) + at, count, count, '\0'));
  };
  wipe(sizeof(record::RecordId), sizeof(record::Slot::offset));
  EXPECT_EQ(code(ids[1]), ErrorCode::blob_corrupt);
  EXPECT_THAT(damaged_by(&log), ElementsAre(ids[1]));
  wipe(0, record::Slot::k_size);
  EXPECT_EQ(code(ids[1]), ErrorCode::blob_corrupt);
  EXPECT_EQ(code(ids[0]), std::nullopt);
  EXPECT_EQ(code(new_record_id()), ErrorCode::not_found) << "neither of the two has it";
}

TEST(RecordId, IsAUlid) {
  record::RecordId id;
  id.fill(0xFF);
  EXPECT_EQ(record::text_of(id), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
  id.fill(0);
  id[15] = 33;
  EXPECT_EQ(record::text_of(id), "00000000000000000000000011");
  // Of the ULID specification: https://github.com/ulid/spec
  EXPECT_EQ(record::text_of(record::parse_record_id("01ARZ3NDEKTSV4RRFFQ69G5FAV")), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  for (const char* wrong :
       {"", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01ARZ3NDEKTSV4RRFFQ69G5FAU", "01arz3ndektsv4rrffq69g5fav"}) {
    EXPECT_EQ(code_of([&] { record::parse_record_id(wrong); }), ErrorCode::not_found) << wrong;
  }
  EXPECT_LT(new_record_id().substr(0, 8), std::string("7ZZZZZZZ"));
}

}  // namespace
}  // namespace liftlock
