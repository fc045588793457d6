#include <fcntl.h>
#include <gtest/gtest.h>

#include <functional>

#include "audit/audit_log.hpp"
#include "base/code_of.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "witness/meetings.hpp"
#include "witness/request.hpp"
#include "witness/witness_memory.hpp"

namespace liftlock {
namespace {

/// A node and its witness, each with a state folder.
struct Room {
  TemporaryFolder folder;
  fs::path node = folder.path() / "node";
  AuditLog witness_log{folder.path() / "witness" / "audit", "witness"};
  WitnessMemory memory{folder.path() / "witness" / "witness", "archive"};

  Room() {
    Site::create(node, Zone::ingest, "");
    write_config("ingest");
    append("site.init");
  }
  void write_config(std::string_view zone) const {
    write_file_atomically(node / "config.toml",
                          fmt::format("zone = \"{}\"\n[audit]\nwitness = [\"{}\"]\n", zone, memory.key().text()));
  }
  Site site() const { return Site(node); }
  AuditLog log() const { return AuditLog(node / "audit", ""); }
  void append(const std::string& type) const {
    log().append({.type = type, .actor = "a", .outcome = Outcome::success, .subject = "s", .detail = "{}"});
  }
  std::string ask(std::optional<std::uint64_t> since = std::nullopt) const {
    auto log = this->log();
    const Meetings meetings(site());
    return meetings.request(log, meetings.witness(""), since, "a").text;
  }
  std::string cosign(const std::string& request, bool is_new = false) {
    return memory.cosign(WitnessRequest::parse(request),
                         is_new ? std::optional(WitnessMemory::NewLog{"first"}) : std::nullopt, witness_log, "w");
  }
  void accept(const std::string& answer) const {
    auto log = this->log();
    Meetings(site()).accept(log, answer, "a");
  }
  void meet(bool is_new = false) { accept(cosign(ask(), is_new)); }
  WitnessState state(Timestamp when = now()) const { return Meetings(site()).standings(log(), when).at(0).state; }
  std::optional<ErrorCode> refusal() const {
    return code_of([&] { Meetings(site()).require_met(log()); });
  }
  bool may_ingest() const {
    Meetings(site()).require_met(log());
    return true;
  }
};

TEST(Witness, IsMetOnceThenKnowsTheLog) {
  Room room;
  EXPECT_EQ(room.refusal(), ErrorCode::witness_required);
  EXPECT_EQ(room.state(), WitnessState::never_met);
  EXPECT_EQ(code_of([&] { room.cosign(room.ask()); }), ErrorCode::log_unknown);
  room.meet(true);
  EXPECT_TRUE(room.may_ingest());
  for (int i = 0; i < 300; ++i) room.append("x");
  room.meet();
  EXPECT_TRUE(room.may_ingest());
  EXPECT_EQ(room.state(), WitnessState::ok);
  EXPECT_EQ(room.state(now() + std::chrono::days(32)), WitnessState::old);
  EXPECT_EQ(room.state(now() - std::chrono::hours(1)), WitnessState::clock);
  EXPECT_EQ(room.memory.logs().size(), 1u);
}

TEST(Witness, AnOldCopyOfTheStateIsToMeetAndIsARollback) {
  Room room;
  room.meet(true);
  const auto copy = room.folder.path() / "copy";
  fs::copy(room.node, copy, fs::copy_options::recursive);
  room.append("bundle.ingest");
  const auto answer = room.cosign(room.ask());
  room.accept(answer);
  remove_tree(room.node);
  fs::rename(copy, room.node);  // inode numbers and change times are those of the copy, as after any restore
  EXPECT_EQ(room.refusal(), ErrorCode::witness_required);
  EXPECT_EQ(room.state(), WitnessState::to_meet);
  EXPECT_EQ(code_of([&] { room.accept(answer); }), ErrorCode::witness_required)
      << "the stick still holds the old answer";
  EXPECT_EQ(code_of([&] { room.cosign(room.ask()); }), ErrorCode::log_rolled_back);
  EXPECT_EQ(room.refusal(), ErrorCode::witness_required);
  // Longer than what was seen, and another history: the rollback does not grow over.
  for (int i = 0; i < 9; ++i) room.append("y");
  EXPECT_EQ(code_of([&] { room.cosign(room.ask()); }), ErrorCode::usage);
  const auto seen = room.memory.logs().at(0).checkpoint.size;
  EXPECT_EQ(code_of([&] { room.cosign(room.ask(seen)); }), ErrorCode::log_forked);
  EXPECT_GE(walk(room.folder.path() / "witness" / "witness" / "evidence", 99).size(), 4u);
  EXPECT_EQ(room.memory.logs().at(0).checkpoint.size, seen);
}

TEST(Witness, ACopyFromBetweenRequestAndAnswerIsNoWayAround) {
  Room room;
  room.meet(true);
  const auto request = room.ask();
  const auto copy = room.folder.path() / "copy";
  fs::copy(room.node, copy, fs::copy_options::recursive);
  const auto answer = room.cosign(request);
  room.accept(answer);
  room.append("bundle.ingest");
  // Only what differs is restored, as rsync does.
  const auto audit = room.node / "audit";
  remove_tree(audit / "tile");
  for (const auto& entry : walk(copy / "audit", 999)) {
    const auto from = read_file(copy / "audit" / entry.path, 1u << 24);
    const auto fd = open_file_if_exists(audit / entry.path, O_RDONLY);
    if (fd && read_all(fd->get(), 1u << 24, "") == from) continue;
    fs::create_directories((audit / entry.path).parent_path());
    write_file_atomically(audit / entry.path, from);
  }
  EXPECT_EQ(room.refusal(), ErrorCode::witness_required);
}

TEST(Witness, AProductionNodeIsToMeetToo) {
  for (const auto& [zone, after_copy] :
       {std::pair{"production", WitnessState::to_meet}, {"transfer", WitnessState::ok}}) {
    Room room;
    room.write_config(zone);
    room.meet(true);
    EXPECT_EQ(room.state(), WitnessState::ok);
    const auto copy = room.folder.path() / "copy";
    fs::copy(room.node, copy, fs::copy_options::recursive);
    remove_tree(room.node);
    fs::rename(copy, room.node);
    EXPECT_EQ(room.refusal(), ErrorCode::witness_required) << "what store sync and import ask";
    EXPECT_EQ(room.state(), after_copy) << zone;
  }
}

TEST(Witness, ARequestUnsealsWhatACopyOfBeforeHolds) {
  Room room;
  room.meet(true);
  const auto copy = room.folder.path() / "copy";
  fs::copy(room.node, copy, fs::copy_options::recursive);
  room.append("bundle.ingest");
  room.cosign(room.ask());  // the witness saw it; its answer never arrives
  EXPECT_TRUE(room.may_ingest());
  for (const auto& entry : fs::directory_iterator(copy / "audit" / "witness")) {
    const auto there = room.node / "audit" / "witness" / entry.path().filename();
    if (read_file(there, 1u << 20) == read_file(entry.path(), 1u << 20)) continue;
    write_file_atomically(there, read_file(entry.path(), 1u << 20));
  }
  EXPECT_EQ(room.refusal(), ErrorCode::witness_required);
}

TEST(Witness, ATruncatedLogIsSeenWithoutMeeting) {
  Room room;
  const auto copy = room.folder.path() / "copy";
  fs::copy(room.node / "audit", copy, fs::copy_options::recursive);
  room.meet(true);
  fs::rename(room.node / "audit" / "witness", room.folder.path() / "kept");
  remove_tree(room.node / "audit");
  fs::rename(copy, room.node / "audit");
  remove_tree(room.node / "audit" / "witness");
  fs::rename(room.folder.path() / "kept", room.node / "audit" / "witness");
  EXPECT_EQ(room.refusal(), ErrorCode::log_rolled_back);
  EXPECT_EQ(room.state(), WitnessState::rolled_back);
  for (int i = 0; i < 9; ++i) room.append("y");
  EXPECT_EQ(room.refusal(), ErrorCode::log_forked);
  EXPECT_EQ(room.state(), WitnessState::forked);
}

TEST(Witness, TheSameRequestIsAnsweredTwice) {
  Room room;
  const auto request = room.ask();
  const auto first = room.cosign(request, true);
  room.accept(room.cosign(request));
  EXPECT_TRUE(room.may_ingest());
}

TEST(Witness, ALineIsEnough) {
  Room room;
  const auto answer = room.cosign(room.ask(), true);
  const auto line = answer.substr(answer.rfind("\n", answer.size() - 2) + 1);
  EXPECT_TRUE(line.starts_with("\xE2\x80\x94 archive "));
  room.accept("- " + line.substr(4));
  EXPECT_TRUE(room.may_ingest());
}

TEST(Witness, ANewLogDoesNotTakeTheNameOfAKnownOne) {
  Room room;
  room.meet(true);
  remove_tree(room.node / "audit");
  make_folders(room.node / "audit");
  AuditLog(room.node / "audit", room.memory.logs().at(0).key.name);
  EXPECT_EQ(code_of([&] { room.cosign(room.ask(), true); }), ErrorCode::log_forked);
  // Under a name of its own it is new, and somebody says so.
  remove_tree(room.node / "audit");
  make_folders(room.node / "audit");
  EXPECT_EQ(code_of([&] { room.cosign(room.ask()); }), ErrorCode::log_unknown);
  room.meet(true);
  EXPECT_TRUE(room.may_ingest());
  EXPECT_EQ(room.memory.logs().size(), 2u);
}

TEST(Witness, OnlyTheKeysOfConfigTomlCount) {
  Room room;
  WitnessMemory other(room.folder.path() / "other", "archive");
  const auto answer =
      other.cosign(WitnessRequest::parse(room.ask()), WitnessMemory::NewLog{"x"}, room.witness_log, "w");
  EXPECT_EQ(code_of([&] { room.accept(answer); }), ErrorCode::key_unknown);
}

TEST(Witness, AFlippedBitIsNoStatement) {
  Room room;
  room.meet(true);
  for (const auto& entry : fs::directory_iterator(room.node / "audit" / "witness")) {
    if (entry.path().extension() != ".checkpoint") continue;
    auto text = read_file(entry.path(), 1u << 20);
    text[text.size() - 20] ^= 1;
    write_file_atomically(entry.path(), text);
  }
  EXPECT_EQ(room.state(), WitnessState::broken);
  EXPECT_EQ(room.refusal(), ErrorCode::audit_broken);
}

TEST(Cosignature, NoFlippedBitPasses) {
  const auto secret = PrivateKey::generate(KeyAlgorithm::ed25519);
  const CosignerKey key{.name = "w", .key = raw_ed25519(secret.public_key())};
  const auto text = Checkpoint{"log", 7, {}}.text();
  const auto time = Timestamp(std::chrono::seconds(1679315147));
  const auto good = text + "\n" + cosign(text, key, secret, time);
  EXPECT_EQ(cosigned_at(parse_signed_note(good), key), time);
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    bool accepted = false;
    try {
      accepted = cosigned_at(parse_signed_note(bad), key).has_value();
    } catch (const Error&) {
    }
    ASSERT_FALSE(accepted) << bit;
  }
  EXPECT_EQ(code_of([&] { cosigned_at(parse_signed_note(good + cosign(text, key, secret, time)), key); }),
            ErrorCode::signature_invalid);
}

TEST(Cosignature, TheExampleOfTheSpecificationHasThisMessage) {
  // c2sp.org/tlog-cosignature: 4 bytes of key id, then 1679315147 as eight bytes.
  const auto note = parse_signed_note(
      "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
      "\xE2\x80\x94 witness.example.com/w1 "
      "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n");
  const auto& bytes = note.signatures.at(0).bytes;
  EXPECT_EQ(bytes.size(), 76u);
  EXPECT_EQ(encode_hex(std::span(bytes).subspan(4, 8)), fmt::format("{:016x}", 1679315147));
}

TEST(WitnessRequest, EvilOnesAreRefused) {
  Room room;
  room.meet(true);
  for (int i = 0; i < 20; ++i) room.append("x");
  const auto good = room.ask();
  EXPECT_EQ(WitnessRequest::parse(good).text(), good);
  const auto line_of = [&](std::size_t number) { return std::string(split(std::string_view(good), '\n').at(number)); };
  const auto with = [&](const std::string& from, const std::string& to) {
    auto out = good;
    return out.replace(out.find(from), from.size(), to);
  };
  const auto path = line_of(2);
  std::string many;
  for (int i = 0; i < 64; ++i) many += path + "\n";
  for (const auto& [bad, code] : std::vector<std::pair<std::string, ErrorCode>>{
           {"", ErrorCode::schema_violation},
           {good.substr(4), ErrorCode::schema_violation},
           {with("old ", "old 0"), ErrorCode::schema_violation},
           {with("old ", "old -"), ErrorCode::schema_violation},
           {with("old ", "old 99999999999999999999"), ErrorCode::schema_violation},
           {with("old ", "old 9999"), ErrorCode::schema_violation},
           {with(path, path.substr(4)), ErrorCode::schema_violation},
           {with(path + "\n", many), ErrorCode::limit_exceeded},
           {with("\n\n", "\n"), ErrorCode::schema_violation},
           {good.substr(0, good.size() - 1), ErrorCode::schema_violation},
           {good + std::string(90'000, 'x'), ErrorCode::limit_exceeded},
       }) {
    EXPECT_EQ(code_of([&] { WitnessRequest::parse(bad); }), code) << bad.substr(0, 300);
  }
  // A proof whose bytes are wrong leads nowhere.
  auto forged = WitnessRequest::parse(good);
  forged.path.at(0)[5] ^= 1;
  EXPECT_EQ(code_of([&] { room.cosign(forged.text()); }), ErrorCode::log_forked);
  room.cosign(good);
}

}  // namespace
}  // namespace liftlock
