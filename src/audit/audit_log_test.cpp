#include "audit/audit_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "audit/audit_entry.hpp"
#include "audit/journal.hpp"
#include "audit/merkle.hpp"
#include "audit/signed_note.hpp"
#include "base/code_of.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

AuditEvent event(const std::string& subject, const std::string& type = "bundle.ingest") {
  return {.type = type, .actor = "tester(1)", .outcome = Outcome::success, .subject = subject, .detail = R"({"n":1})"};
}

std::vector<AuditEvent> events(std::size_t count) {
  std::vector<AuditEvent> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(event(std::to_string(i)));
  return out;
}

void overwrite(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(content.data(), static_cast<std::streamsize>(content.size()));
}

/// Exit status of the stand-alone script over an exported log.
int check(const fs::path& exported, std::vector<std::string> more = {}) {
  std::vector<std::string> argv{"python3", (exported / "check_log.py").string(), exported.string()};
  argv.insert(argv.end(), more.begin(), more.end());
  return run_process({.argv = argv}).status;
}

class AuditLogTest : public testing::Test {
 protected:
  TemporaryFolder m_temporary;
  fs::path m_folder = m_temporary.path() / "audit";
};

TEST_F(AuditLogTest, WhatIsAppendedIsThereAfterReopening) {
  {
    AuditLog log(m_folder, "liftlock/test/1");
    EXPECT_EQ(log.append(event("demo/1")), 0u);
    EXPECT_EQ(log.append(events(3)), 1u);
  }
  const AuditLog log(m_folder, "another origin is ignored");
  EXPECT_EQ(log.size(), 4u);
  EXPECT_EQ(log.read(0).event.subject, "demo/1");
  EXPECT_EQ(log.read(3).event.subject, "2");
  EXPECT_EQ(log.read(3).event.detail, R"({"n":1})");
  EXPECT_EQ(code_of([&] { log.read(4); }), ErrorCode::not_found);
  EXPECT_NO_THROW(log.verify());
  const auto note = parse_signed_note(log.checkpoint());
  EXPECT_TRUE(is_signed_by(note, NoteKey::parse(log.verifier_key())));
  EXPECT_EQ(Checkpoint::parse(note.text).origin, "liftlock/test/1");
}

TEST_F(AuditLogTest, TheKeyIsForItsOwnerOnly) {
  const AuditLog log(m_folder, "o");
  EXPECT_EQ(fs::status(m_folder / "key").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(AuditLogTest, FullTilesArePublishedAndPartialOnesReplaced) {
  AuditLog log(m_folder, "o");
  log.append(events(255));
  EXPECT_TRUE(fs::exists(m_folder / "tile/entries/000.p/255"));
  log.append(event("256th"));
  EXPECT_TRUE(fs::exists(m_folder / "tile/entries/000"));
  EXPECT_TRUE(fs::exists(m_folder / "tile/1/000.p/1"));
  EXPECT_FALSE(fs::exists(m_folder / "tile/entries/000.p"));
  EXPECT_FALSE(fs::exists(m_folder / "tile/0/000.p"));
  log.append(event("257th"));
  log.append(event("258th"));
  EXPECT_TRUE(fs::exists(m_folder / "tile/0/001.p/2"));
  EXPECT_FALSE(fs::exists(m_folder / "tile/0/001.p/1"));
  const auto journal = read_file(m_folder / "journal", 1 << 20);
  EXPECT_LT(parse_journal(journal).whole_bytes, 2000u);
  EXPECT_EQ(parse_journal(journal).torn_bytes, 0u) << "behind them are zeros that appends overwrite";
  log.append(event("259th"));
  EXPECT_EQ(fs::file_size(m_folder / "journal"), journal.size());
  EXPECT_NO_THROW(log.verify());
}

TEST_F(AuditLogTest, ABatchMayFillManyTiles) {
  AuditLog log(m_folder, "o");
  log.append(events(100));
  EXPECT_EQ(log.append(events(1000)), 100u);
  log.append(events(180));  // exactly 5 * 256
  EXPECT_EQ(log.size(), 1280u);
  EXPECT_NO_THROW(AuditLog(m_folder, "o").verify());
  std::uint64_t seen = 90;
  log.for_each(90, 700, [&](const AuditEntry& entry) {
    EXPECT_EQ(entry.index, seen);
    return ++seen < 600;
  });
  EXPECT_EQ(seen, 600u);
}

TEST_F(AuditLogTest, EntriesOfATypeAreFoundAmongOthers) {
  AuditLog log(m_folder, "o");
  log.append(events(300));
  log.append(event("first", "trust.pin"));
  log.append(event("\"type\":\"trust.pin\"", "test.quote"));
  log.append(events(300));
  log.append(event("second", "trust.update"));
  std::vector<std::string> found;
  const auto take = [&](const AuditEntry& entry) {
    found.push_back(fmt::format("{} {}", entry.index, entry.event.subject));
    return true;
  };
  log.for_each_of("trust.", 0, log.size(), take);
  EXPECT_THAT(found, testing::ElementsAre("300 first", "602 second"));
  found.clear();
  log.for_each_of("trust.", 301, 602, take);
  EXPECT_TRUE(found.empty());
}

TEST_F(AuditLogTest, ForeignTextIsKeptAsTextOrEscaped) {
  AuditLog log(m_folder, "o");
  log.append(event("a\"b\\c\n\x1b[2J"));
  log.append(event("bad \xff utf-8"));
  EXPECT_EQ(log.read(0).event.subject, "a\"b\\c\n\x1b[2J");
  EXPECT_EQ(log.read(1).event.subject, "bad \\xff utf-8");
}

TEST_F(AuditLogTest, AnEventThatNoEntryCanHoldChangesNothing) {
  AuditLog log(m_folder, "o");
  EXPECT_EQ(code_of([&] { log.append(event("x", "Not A Type")); }), ErrorCode::schema_violation);
  EXPECT_EQ(code_of([&] { log.append(event(std::string(70'000, 'x'))); }), ErrorCode::limit_exceeded);
  auto bad = event("x");
  bad.detail = "[]";
  EXPECT_EQ(code_of([&] { log.append({event("first"), bad}); }), ErrorCode::schema_violation);
  EXPECT_EQ(log.size(), 0u);
}

TEST_F(AuditLogTest, TimesDoNotFollowTheEnvironment) {
  ::setenv("SOURCE_DATE_EPOCH", "0", 1);
  AuditLog log(m_folder, "o");
  log.append(event("x"));
  ::unsetenv("SOURCE_DATE_EPOCH");
  EXPECT_GT(log.read(0).time, parse_time("2020-01-01T00:00:00Z"));
}

TEST_F(AuditLogTest, TheLastEventOfASubjectIsFound) {
  AuditLog log(m_folder, "o");
  log.append({event("demo"), event("other"), event("demo", "bundle.pack")});
  log.append(events(600));
  EXPECT_EQ(log.find_last("bundle.ingest", "demo")->index, 0u);
  EXPECT_EQ(log.find_last("bundle.ingest", "599")->index, 602u);
  EXPECT_EQ(log.find_last("bundle.pack", "demo")->index, 2u);
  EXPECT_FALSE(log.find_last("bundle.ingest", "nobody"));
  EXPECT_FALSE(log.find_last("bundle.ingest", "599", [](const AuditEntry&) { return false; }));
}

TEST_F(AuditLogTest, AnEffectIsAnnouncedBeforeItAndItsEndIsTold) {
  AuditLog log(m_folder, "o");
  const AuditEvent event{
      .type = "test", .actor = "a", .outcome = Outcome::intent, .subject = "s", .detail = R"({"n":1})"};
  logged_effect(log, event, [&] { EXPECT_EQ(log.read(0).event.outcome, Outcome::intent); });
  EXPECT_EQ(log.read(1).event.outcome, Outcome::success);
  EXPECT_THROW(logged_effect(log, event, [] { fail(ErrorCode::disk_full, "no"); }), Error);
  EXPECT_EQ(log.read(3).event.outcome, Outcome::failure);
  EXPECT_EQ(log.read(3).event.detail, R"({"error":"disk-full","n":1})");
  EXPECT_THROW(logged_effect(log, event, [] { throw std::bad_alloc(); }), std::bad_alloc);
  EXPECT_EQ(log.read(5).event.outcome, Outcome::failure);
  EXPECT_EQ(log.read(5).event.detail, R"({"error":"internal","n":1})");
}

TEST_F(AuditLogTest, AProofLeadsFromTheEntryToTheSignedRoot) {
  AuditLog log(m_folder, "o");
  log.append(events(700));
  for (const std::uint64_t index : {0, 255, 256, 511, 600, 699}) {
    const auto proof = log.prove(index);
    ASSERT_TRUE(proof.starts_with(fmt::format("c2sp.org/tlog-proof@v1\nindex {}\n", index)));
    const auto gap = proof.find("\n\n");
    EXPECT_EQ(proof.substr(gap + 2), log.checkpoint());
    auto lines = proof.substr(0, gap + 1).substr(proof.find('\n', proof.find("index")) + 1);
    const auto entry = log.read(index);
    std::vector<TreeHash> path;
    while (!lines.empty()) {
      const auto bytes = decode_base64(lines.substr(0, lines.find('\n'))).value();
      lines = lines.substr(lines.find('\n') + 1);
      std::copy(bytes.begin(), bytes.end(), path.emplace_back().begin());
    }
    const auto hash = root_by_path(index, 700, leaf_hash(entry_to_bytes(entry.event, entry.time)), path);
    EXPECT_EQ(hash, Checkpoint::parse(parse_signed_note(log.checkpoint()).text).root) << index;
  }
  EXPECT_EQ(code_of([&] { log.prove(700); }), ErrorCode::not_found);
}

TEST_F(AuditLogTest, WhoActsOnAnEntryHasItProven) {
  AuditLog log(m_folder, "o");
  log.append(events(300));
  for (const std::uint64_t index : {7, 299}) EXPECT_EQ(log.read_proven(index).event.subject, std::to_string(index));
  const auto path = m_folder / "tile/entries/000";
  auto forged = read_file(path, 1 << 20);
  const auto at = forged.find(R"("subject":"7")");
  ASSERT_NE(at, std::string::npos);
  forged[at + 11] = '8';
  overwrite(path, forged);
  EXPECT_EQ(log.read(7).event.subject, "8");
  EXPECT_EQ(code_of([&] { log.read_proven(7); }), ErrorCode::audit_broken);
  EXPECT_EQ(code_of([&] { log.read_proven(300); }), ErrorCode::not_found);
}

TEST_F(AuditLogTest, AChangedTileOrEntryIsFound) {
  AuditLog log(m_folder, "o");
  log.append(events(300));
  for (const auto* name :
       {"tile/0/000", "tile/entries/000", "tile/1/000.p/1", "tile/0/001.p/44", "tile/entries/001.p/44"}) {
    const auto good = read_file(m_folder / name, 1 << 20);
    auto bad = good;
    bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
    overwrite(m_folder / name, bad);
    EXPECT_EQ(code_of([&] { log.verify(); }) == ErrorCode::internal, false) << name;
    overwrite(m_folder / name, good);
    EXPECT_NO_THROW(log.verify());
  }
}

// Of a short log these are all the tiles there are: who only appends would write over them, and nobody would know.
TEST_F(AuditLogTest, ADamagedFileOfTheRightEdgeIsMadeAgainAndTheLogSaysSo) {
  { AuditLog(m_folder, "o").append(events(300)); }
  const auto path = m_folder / "tile/entries/001.p/44";
  auto bytes = read_file(path, 1 << 20);
  bytes[200] = static_cast<char>(bytes[200] ^ 1);
  overwrite(path, bytes);
  EXPECT_EQ(code_of([&] { AuditLog::open_to_read(m_folder); }), ErrorCode::audit_broken);
  const AuditLog log(m_folder, "o");
  EXPECT_THAT(log.repaired(), testing::ElementsAre("tile/entries/001.p/44"));
  ASSERT_EQ(log.size(), 301u);
  EXPECT_EQ(log.read(300).event.type, "audit.repaired");
  EXPECT_EQ(log.read(300).event.detail, R"({"files":["tile/entries/001.p/44"]})");
  EXPECT_NO_THROW(AuditLog::open_to_read(m_folder).verify());
  EXPECT_THAT(AuditLog(m_folder, "o").repaired(), testing::IsEmpty());
}

// A power cut leaves no file longer, and none that is short with other bytes.
TEST_F(AuditLogTest, OtherLengthsAreDamageWhereNoCrashLeavesThem) {
  for (const auto* kind : {"longer", "shorter"}) {
    const auto size = [&] {
      AuditLog log(m_folder, "o");
      log.append(events(10));
      return log.size();
    }();
    const auto path = m_folder / fmt::format("tile/entries/000.p/{}", size);
    auto bytes = read_file(path, 1 << 20);
    if (std::string_view(kind) == "longer") {
      bytes += "x";
    } else {
      bytes.pop_back();
      bytes[20] = static_cast<char>(bytes[20] ^ 1);
    }
    overwrite(path, bytes);
    EXPECT_EQ(code_of([&] { AuditLog::open_to_read(m_folder); }), ErrorCode::audit_broken) << kind;
    EXPECT_EQ(AuditLog(m_folder, "o").repaired().size(), 1u) << kind;
    EXPECT_EQ(AuditLog::open_to_read(m_folder).size(), size + 1) << kind;
  }
}

TEST_F(AuditLogTest, TheLogSaysSoBeforeAnythingIsMended) {
  { AuditLog(m_folder, "o").append(events(300)); }
  const auto leaves = m_folder / "tile/entries/001.p";
  overwrite(leaves / "44", std::string("damaged"));
  for (const auto* in_the_way : {".44.tmp", ".45.tmp"}) fs::create_directory(leaves / in_the_way);
  EXPECT_NE(code_of([&] { AuditLog(m_folder, "o"); }), std::nullopt) << "nothing can be mended";
  const auto seen = AuditLog::open_to_read(m_folder);
  ASSERT_EQ(seen.size(), 301u);
  EXPECT_EQ(seen.read(300).event.type, "audit.repaired");
  for (const auto* in_the_way : {".44.tmp", ".45.tmp"}) fs::remove(leaves / in_the_way);
  EXPECT_EQ(AuditLog(m_folder, "o").size(), 301u) << "told once";
  EXPECT_NO_THROW(AuditLog::open_to_read(m_folder).verify());
}

TEST_F(AuditLogTest, WhatAPowerCutLeavesBlankIsNoDamage) {
  { AuditLog(m_folder, "o").append(events(300)); }
  const auto path = m_folder / "tile/entries/001.p/44";
  auto bytes = read_file(path, 1 << 20);
  ASSERT_GT(bytes.size(), 2048u);
  bytes.replace(1024, bytes.size() - 1024, bytes.size() - 1024, '\0');
  overwrite(path, bytes);
  EXPECT_NO_THROW(AuditLog::open_to_read(m_folder));
  const AuditLog log(m_folder, "o");
  EXPECT_EQ(log.size(), 300u);
  EXPECT_THAT(log.repaired(), testing::IsEmpty());
  EXPECT_NO_THROW(log.verify());
}

TEST_F(AuditLogTest, WhateverBecomesOfAFileOfTheRightEdgeItIsMadeAgain) {
  using Change = std::function<void(const fs::path& path, const std::string& bytes)>;
  struct {
    Change change;
    bool is_told;
  } const changes[] = {
      {[](const fs::path& path, const std::string&) { fs::remove(path); }, false},
      {[](const fs::path& path, const std::string&) { fs::resize_file(path, 0); }, false},
      {[](const fs::path& path, const std::string&) { fs::resize_file(path, 1ull << 32); }, true},
      {[](const fs::path& path, const std::string& bytes) { overwrite(path, bytes + "x"); }, true},
      {[](const fs::path& path, const std::string& bytes) { overwrite(path, std::string(bytes.size(), '\0')); }, false},
      {[](const fs::path& path, std::string bytes) {
         bytes[0] = static_cast<char>(bytes[0] ^ 1);
         overwrite(path, bytes);
       },
       true},
      {[](const fs::path& path, const std::string& bytes) { overwrite(path, bytes.substr(1) + "x"); }, true},
  };
  int number = 0;
  for (const auto* name : {"tile/entries/001.p/44", "tile/0/001.p/44", "tile/1/000.p/1"}) {
    for (const auto& [change, is_told] : changes) {
      SCOPED_TRACE(fmt::format("{} of {}", number, name));
      const auto folder = m_temporary.path() / std::to_string(number++);
      { AuditLog(folder, "o").append(events(300)); }
      change(folder / name, read_file(folder / name, 1 << 20));
      const auto code = code_of([&] { AuditLog::open_to_read(folder); });
      EXPECT_EQ(code, is_told ? std::optional(ErrorCode::audit_broken) : std::nullopt);
      {
        const AuditLog log(folder, "o");
        EXPECT_EQ(log.size(), is_told ? 301u : 300u);
        EXPECT_EQ(log.repaired().size(), is_told ? 1u : 0u);
      }
      EXPECT_NO_THROW(AuditLog::open_to_read(folder).verify());
    }
  }
}

TEST_F(AuditLogTest, WhoAppendsBesideOthersMeetsDamageToo) {
  AuditLog log(m_folder, "o");
  log.append(events(3));
  { AuditLog(m_folder, "o").append(event("another process")); }
  const auto path = m_folder / "tile/0/000.p/4";
  overwrite(path, std::string(4 * 32, 'x'));
  EXPECT_EQ(log.append(event("5th")), 5u);
  EXPECT_EQ(log.read(4).event.type, "audit.repaired");
  EXPECT_NO_THROW(AuditLog::open_to_read(m_folder).verify());
}

TEST_F(AuditLogTest, AVerificationCanBeEnded) {
  AuditLog log(m_folder, "o");
  log.append(events(600));
  int calls = 0;
  EXPECT_EQ(code_of([&] {
              log.verify([&] {
                if (++calls == 2) fail(ErrorCode::busy, "enough");
              });
            }),
            ErrorCode::busy);
  EXPECT_EQ(calls, 2);
}

TEST_F(AuditLogTest, ACutLogIsRefused) {
  { AuditLog(m_folder, "o").append(events(3)); }
  const auto short_journal = read_file(m_folder / "journal", 1 << 20);
  { AuditLog(m_folder, "o").append(event("to be hidden")); }
  overwrite(m_folder / "journal", short_journal);
  EXPECT_EQ(code_of([&] { AuditLog(m_folder, "o"); }), ErrorCode::audit_broken);
}

TEST_F(AuditLogTest, AForkedLogIsRefused) {
  { AuditLog(m_folder, "o").append(events(3)); }
  const auto copy = m_temporary.path() / "copy";
  fs::copy(m_folder, copy, fs::copy_options::recursive);
  { AuditLog(m_folder, "o").append(event("what happened")); }
  { AuditLog(copy, "o").append(event("what did not")); }
  fs::copy_file(copy / "journal", m_folder / "journal", fs::copy_options::overwrite_existing);
  EXPECT_EQ(code_of([&] { AuditLog(m_folder, "o"); }), ErrorCode::audit_broken);
}

TEST_F(AuditLogTest, ALogWithoutItsJournalOrKeyIsRefused) {
  { AuditLog(m_folder, "o").append(events(3)); }
  const auto journal = read_file(m_folder / "journal", 1 << 20);
  fs::remove(m_folder / "journal");
  EXPECT_EQ(code_of([&] { AuditLog(m_folder, "o"); }), ErrorCode::audit_broken);
  overwrite(m_folder / "journal", journal);
  fs::remove(m_folder / "key");
  EXPECT_EQ(code_of([&] { AuditLog(m_folder, "o"); }), ErrorCode::audit_broken);
}

TEST_F(AuditLogTest, ALostPublicKeyIsMadeAgainUnderTheNameOfTheLogAndTheLogSaysSo) {
  { AuditLog(m_folder, "o").append(events(3)); }
  const auto was = read_file(m_folder / "key.pub", 4096);
  fs::remove(m_folder / "key.pub");
  EXPECT_EQ(code_of([&] { AuditLog::open_to_read(m_folder); }), ErrorCode::audit_broken);
  EXPECT_FALSE(fs::exists(m_folder / "key.pub"));
  const AuditLog log(m_folder, "");
  EXPECT_EQ(read_file(m_folder / "key.pub", 4096), was);
  EXPECT_THAT(log.repaired(), testing::ElementsAre("key.pub"));
  ASSERT_EQ(log.size(), 4u);
  EXPECT_EQ(log.read(3).event.type, "audit.repaired");
  EXPECT_NO_THROW(AuditLog::open_to_read(m_folder).verify());
  EXPECT_THAT(AuditLog(m_folder, "o").repaired(), testing::IsEmpty());
}

TEST_F(AuditLogTest, ReadingNeedsNoKeyNoLockAndWritesNothing) {
  EXPECT_EQ(code_of([&] { AuditLog::open_to_read(m_folder); }), ErrorCode::not_found);
  { AuditLog(m_folder, "o").append(events(300)); }
  fs::remove(m_folder / "key");
  fs::remove(m_folder / "lock");
  fs::remove(m_folder / "checkpoint");  // as an append that was cut off may leave it
  const auto log = AuditLog::open_to_read(m_folder);
  EXPECT_EQ(log.size(), 300u);
  EXPECT_EQ(log.read(299).event.subject, "299");
  EXPECT_NO_THROW(log.verify());
  EXPECT_NE(log.prove(7).find("index 7"), std::string::npos);
  EXPECT_FALSE(fs::exists(m_folder / "lock"));
  EXPECT_FALSE(fs::exists(m_folder / "checkpoint"));
}

TEST_F(AuditLogTest, AReaderRefusesWhatAWriterRefuses) {
  { AuditLog(m_folder, "o").append(events(300)); }
  const auto short_journal = read_file(m_folder / "journal", 1 << 20);
  { AuditLog(m_folder, "o").append(event("to be hidden")); }
  const auto journal = read_file(m_folder / "journal", 1 << 20);
  overwrite(m_folder / "journal", short_journal);
  EXPECT_EQ(code_of([&] { AuditLog::open_to_read(m_folder); }), ErrorCode::audit_broken);
  overwrite(m_folder / "journal", journal);
  auto tile = read_file(m_folder / "tile/0/000", 1 << 20);
  tile[5] = static_cast<char>(tile[5] ^ 1);
  overwrite(m_folder / "tile/0/000", tile);
  EXPECT_EQ(code_of([&] { AuditLog::open_to_read(m_folder).verify(); }), ErrorCode::audit_broken);
}

TEST_F(AuditLogTest, AReaderVerifiesWhileOthersAppend) {
  AuditLog writer(m_folder, "o");
  std::jthread appends([&](std::stop_token stop) {
    for (int i = 0; i < 500 && !stop.stop_requested(); ++i) writer.append(events(7));
  });
  for (int i = 0; i < 50; ++i) EXPECT_NO_THROW(AuditLog::open_to_read(m_folder).verify());
}

TEST_F(AuditLogTest, AnExportSatisfiesTheStandAloneScript) {
  AuditLog log(m_folder, "liftlock/test/1");
  for (const std::size_t more : {0u, 1u, 2u, 253u, 1u, 343u}) {
    if (more > 0) log.append(events(more));
    const auto exported = m_temporary.path() / fmt::format("export-{}", log.size());
    log.export_to(exported);
    EXPECT_EQ(check(exported), 0) << log.size();
    EXPECT_EQ(check(exported, {"--key", log.verifier_key()}), 0);
    EXPECT_EQ(code_of([&] { log.export_to(exported); }), ErrorCode::usage);
  }
}

TEST_F(AuditLogTest, NoFlippedBitOfAnExportPassesEvenWhenItsDigestWasMadeToFit) {
  AuditLog log(m_folder, "o");
  log.append(events(258));
  const auto exported = m_temporary.path() / "export";
  log.export_to(exported);
  const auto key = log.verifier_key();
  // One Python process for the whole sweep: it flips bits at every byte of small files and at every 97th of large ones.
  const auto sweep = m_temporary.path() / "sweep.py";
  overwrite(sweep, R"(
import pathlib, runpy, sys, io, contextlib, hashlib
folder, key = pathlib.Path(sys.argv[1]), sys.argv[2]
script = str(folder / "check_log.py")
sums = folder / "SHA256SUMS"
def put(path, content):
    path.write_bytes(content)
    lines = [line for line in sums.read_text().splitlines() if line[66:] != str(path.relative_to(folder))]
    lines.append(f"{hashlib.sha256(content).hexdigest()}  {path.relative_to(folder)}")
    sums.write_text("\n".join(lines) + "\n")
def good():
    sys.argv = [script, str(folder), "--key", key]
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            runpy.run_path(script, run_name="__main__")
    except SystemExit as e:
        return not e.code
    return True
assert good()
count = 0
for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in ("check_log.py", "README.txt", "SHA256SUMS")):
    original = path.read_bytes()
    step = 1 if len(original) < 100 else 5 if len(original) < 400 else 997
    for at in range(0, len(original), step):
        put(path, original[:at] + bytes([original[at] ^ (1 << at % 8)]) + original[at + 1:])
        assert not good(), f"{path} with byte {at} changed"
        count += 1
    for cut in (original[:-1], original + b"\0", original + b"\n", b""):
        put(path, cut)
        assert not good(), f"{path} with {len(cut)} bytes"
    path.unlink()
    assert not good(), f"without {path}"
    put(path, original)
assert good()
print(count)
)");
  const auto result = run_process({.argv = {"python3", sweep.string(), exported.string(), key}});
  EXPECT_EQ(result.status, 0) << result.error_output;
  EXPECT_GT(std::stoi("0" + result.output), 150);
}

TEST_F(AuditLogTest, NoSingleBitOfAnExportTurnsUnnoticed) {
  AuditLog log(m_folder, "o");
  log.append(events(3));
  const auto exported = m_temporary.path() / "export";
  log.export_to(exported);
  const auto sweep = m_temporary.path() / "sweep.py";
  overwrite(sweep, R"(
import contextlib, io, pathlib, shutil, subprocess, sys
folder, key, every = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
shutil.copyfile(folder / "check_log.py", "check_log_copy.py")  # the one that is trusted
code = compile(pathlib.Path("check_log_copy.py").read_text(), "check_log_copy.py", "exec")
def good():
    sys.argv = ["check_log_copy.py", str(folder), "--key", key]
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            exec(code, {"__name__": "__main__", "__doc__": ""})
    except SystemExit as e:
        return not e.code
    return True
def good_to_coreutils():
    return subprocess.run(["sha256sum", "--status", "--strict", "--check", "SHA256SUMS"], cwd=folder).returncode == 0
assert good() and good_to_coreutils()
count = 0
for path in sorted(p for p in folder.rglob("*") if p.is_file()):
    original = path.read_bytes()
    for bit in range(0, 8 * len(original), every):
        turned = bytearray(original)
        turned[bit // 8] ^= 1 << bit % 8
        path.write_bytes(turned)
        assert not good(), f"{path} with bit {bit} turned"
        if count % 50 == 0 and path.name != "SHA256SUMS":
            assert not good_to_coreutils(), f"{path} with bit {bit} turned"
        count += 1
    path.write_bytes(original)
assert good()
print(count)
)");
  const auto* const all = std::getenv("LIFTLOCK_EVERY_BIT");
  const auto result = run_process(
      {.argv = {"python3", sweep.string(), exported.string(), log.verifier_key(), all != nullptr ? "1" : "193"},
       .working_folder = m_temporary.path()});
  EXPECT_EQ(result.status, 0) << result.error_output;
  EXPECT_GT(std::stoi("0" + result.output), 400);
  std::cout << result.output << " bits turned, none unnoticed\n";
}

TEST_F(AuditLogTest, TheScriptSeesTruncationAndForkAgainstAnEarlierCheckpoint) {
  AuditLog log(m_folder, "o");
  log.append(events(5));
  const auto early = m_temporary.path() / "early";
  log.export_to(early);
  const auto copy = m_temporary.path() / "copy";
  fs::copy(m_folder, copy, fs::copy_options::recursive);
  log.append(event("what happened"));
  const auto late = m_temporary.path() / "late";
  log.export_to(late);
  EXPECT_EQ(check(late, {"--earlier", (early / "checkpoint").string()}), 0);
  EXPECT_NE(check(early, {"--earlier", (late / "checkpoint").string()}), 0) << "truncated";
  AuditLog forked(copy, "o");
  forked.append(event("what did not"));
  forked.append(event("and more"));
  const auto fork = m_temporary.path() / "fork";
  forked.export_to(fork);
  EXPECT_EQ(check(fork), 0) << "in itself a fork is a good log";
  EXPECT_NE(check(fork, {"--earlier", (late / "checkpoint").string()}), 0);
}

TEST_F(AuditLogTest, TheSignatureIsOneThatOpensslAccepts) {
  AuditLog log(m_folder, "o");
  log.append(event("x"));
  const auto note = parse_signed_note(log.checkpoint());
  overwrite(m_temporary.path() / "text", note.text);
  const auto& signature = note.signatures.at(0).bytes;
  overwrite(m_temporary.path() / "signature", as_text(std::span(signature).subspan(4)));
  EXPECT_NO_THROW(run_process_checked(
      {.argv = {"openssl", "pkeyutl", "-verify", "-rawin", "-inkey", (m_folder / "key").string(), "-in",
                (m_temporary.path() / "text").string(), "-sigfile", (m_temporary.path() / "signature").string()}}));
}

TEST(CurrentActor, NamesTheUserBehindSudo) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be somebody behind sudo";
  ::setenv("SUDO_UID", "65534", 1);
  EXPECT_THAT(current_actor(), testing::AllOf(testing::HasSubstr("(65534) as "), testing::HasSubstr("(0)")));
  ::setenv("SUDO_UID", "no number", 1);
  EXPECT_THAT(current_actor(), testing::Not(testing::HasSubstr("no number")));
  ::unsetenv("SUDO_UID");
}

}  // namespace
}  // namespace liftlock
