#include "trust/root_statement.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "trust/trust_fixture.hpp"

namespace liftlock {
namespace {

/// A statement whose payload was changed as text before root1 signed it, as a hostile or newer writer would.
std::string statement_with(const std::function<void(Json&)>& change) {
  auto statement = draft_root(sample_root());
  auto json = parse_json(statement.payload);
  change(json);
  statement.payload = dump_json(json);
  sign_root(statement, key_of("root1"));
  return encode_root(statement);
}

std::optional<ErrorCode> parse_changed(const std::function<void(Json&)>& change) {
  const auto text = statement_with(change);
  return code_of([&] { parse_root(text); });
}

std::string bob() {
  return key_of("bob").public_key().id();
}

TEST(RootStatement, SurvivesWritingAndReading) {
  auto root = sample_root();
  root.expires = k_now + std::chrono::days(365);
  find_owner(root, "eve").revoked_since = k_now;
  find_owner(root, "eve").revoked_reason = "lost her laptop";
  find_owner(root, "ada").expires = k_now + std::chrono::days(30);
  const auto text = signed_statement(root, {"root1"});
  auto read = parse_root(text);
  EXPECT_EQ(read.organisation, "Example");
  EXPECT_EQ(read.expires, root.expires);
  EXPECT_EQ(read.created, root.created);
  EXPECT_EQ(read.thresholds, root.thresholds);
  EXPECT_EQ(read.keys.size(), 7u);
  EXPECT_EQ(find_owner(read, "eve").revoked_reason, "lost her laptop");
  EXPECT_EQ(find_owner(read, "ada").expires, find_owner(root, "ada").expires);
  EXPECT_EQ(find_owner(read, "ada").type, KeyType::ed25519);
  EXPECT_EQ(read.fingerprint, root_fingerprint(text));
  EXPECT_EQ(root_fingerprint(text), sha256(decode_root(text).payload));
}

TEST(RootStatement, MustCarryItsOwnThreshold) {
  EXPECT_EQ(code_of([] { parse_root(signed_statement(sample_root(), {})); }), ErrorCode::trust_broken);
  EXPECT_EQ(code_of([] { parse_root(signed_statement(sample_root(), {"bob"})); }), ErrorCode::trust_broken);
  auto root = sample_root();
  root.thresholds[Role::root] = 2;
  EXPECT_EQ(code_of([&] { parse_root(signed_statement(root, {"root1"})); }), ErrorCode::trust_broken);
  EXPECT_EQ(code_of([&] { parse_root(signed_statement(root, {"root1", "root2"})); }), std::nullopt);
}

TEST(RootStatement, SignedOverOtherBytesIsBroken) {
  auto statement = draft_root(sample_root());
  sign_root(statement, key_of("root1"));
  statement.payload.insert(statement.payload.size() - 1, " ");
  EXPECT_EQ(code_of([&] { parse_root(encode_root(statement)); }), ErrorCode::trust_broken);
}

TEST(RootStatement, KeyIdOfAnotherKeyInTheEnvelopeIsBroken) {
  auto statement = draft_root(sample_root());
  sign_root(statement, key_of("bob"));
  statement.signatures[0].key_id = key_of("root1").public_key().id();
  EXPECT_EQ(code_of([&] { parse_root(encode_root(statement)); }), ErrorCode::trust_broken);
}

TEST(RootStatement, SameKeyTwiceIsRefused) {
  auto statement = draft_root(sample_root());
  sign_root(statement, key_of("root1"));
  statement.signatures.push_back({statement.signatures[0].key_id, key_of("root1").sign("x")});
  EXPECT_EQ(code_of([&] { decode_root(encode_root(statement)); }), ErrorCode::schema_violation);
}

TEST(RootStatement, LyingKeyIdInTheListIsRefused) {
  EXPECT_EQ(parse_changed([](Json& json) {
              json["keys"][std::string(64, 'a')] = json["keys"][bob()];
              json["keys"].erase(bob());
            }),
            ErrorCode::schema_violation);
  EXPECT_EQ(parse_changed([](Json& json) { json["keys"][bob()]["public_key"] = key_of("eve").public_key().pem(); }),
            ErrorCode::schema_violation);
  EXPECT_EQ(parse_changed([](Json& json) { json["keys"][bob()]["type"] = "ed25519"; }), ErrorCode::schema_violation);
}

TEST(RootStatement, DuplicateKeysAreRefusedInEnvelopeAndPayload) {
  auto text = signed_statement(sample_root(), {"root1"});
  text.insert(text.find('{') + 1, R"("payload":"e30=",)");
  EXPECT_EQ(code_of([&] { parse_root(text); }), ErrorCode::json_duplicate_key);
  auto statement = draft_root(sample_root());
  statement.payload.insert(statement.payload.find('{') + 1, R"("version": 9,)");
  sign_root(statement, key_of("root1"));
  EXPECT_EQ(code_of([&] { parse_root(encode_root(statement)); }), ErrorCode::json_duplicate_key);
}

TEST(RootStatement, UnknownCriticalMembersAreRefusedAndOthersIgnored) {
  EXPECT_EQ(parse_changed([](Json& json) { json["colour"] = "blue"; }), std::nullopt);
  EXPECT_EQ(parse_changed([](Json& json) {
              json["colour"] = "blue";
              json["critical"] = {"colour"};
            }),
            ErrorCode::too_new);
  EXPECT_EQ(parse_changed([](Json& json) { json["critical"] = {"expires"}; }), std::nullopt);
  EXPECT_EQ(parse_changed([](Json& json) { json["min_reader"] = 2; }), ErrorCode::too_new);
}

TEST(RootStatement, RefusesNonsense) {
  const std::function<void(Json&)> changes[] = {
      [](Json& json) { json["type"] = "targets"; },
      [](Json& json) { json["version"] = 0; },
      [](Json& json) { json["version"] = -1; },
      [](Json& json) { json["version"] = 1.5; },
      [](Json& json) { json["version"] = std::uint64_t{1} << 60; },
      [](Json& json) { json["organisation"] = "a\nb"; },
      [](Json& json) { json["organisation"] = ""; },
      [](Json& json) { json["expires"] = "2020-01-01T00:00:00Z"; },
      [](Json& json) { json["expires"] = nullptr; },
      [](Json& json) { json["created"] = "yesterday"; },
      [](Json& json) { json["thresholds"]["root"] = 0; },
      [](Json& json) { json["thresholds"]["root"] = 3; },
      [](Json& json) { json["thresholds"]["builder"] = 65; },
      [](Json& json) { json["thresholds"].erase("builder"); },
      [](Json& json) { json["thresholds"]["king"] = 1; },
      [](Json& json) { json["keys"][bob()]["role"] = "king"; },
      [](Json& json) { json["keys"][bob()]["owner"] = std::string(201, 'x'); },
      [](Json& json) {
        json["keys"][bob()]["revoked"] = {{"since", "2026-01-01T00:00:00Z"}};
      },
      [](Json& json) { json["keys"][key_of("root1").public_key().id()]["expires"] = "2030-01-01T00:00:00Z"; },
      [](Json& json) { json["keys"] = Json::array(); },
  };
  int number = 0;
  for (const auto& change : changes) {
    EXPECT_EQ(parse_changed(change), ErrorCode::schema_violation) << "change " << number;
    ++number;
  }
}

TEST(RootStatement, RefusesGiants) {
  EXPECT_EQ(code_of([] { parse_root(std::string(2u << 20, ' ')); }), ErrorCode::limit_exceeded);
  EXPECT_EQ(parse_changed([](Json& json) { json["note"] = std::string(600u << 10, 'x'); }), ErrorCode::limit_exceeded);
  EXPECT_EQ(parse_changed([](Json& json) {
              for (int i = 0; i < 300; ++i) json["keys"][std::to_string(i)] = json["keys"][bob()];
            }),
            ErrorCode::limit_exceeded);
  EXPECT_EQ(parse_changed([](Json& json) {
              for (int i = 0; i < 40; ++i) json["deep"] = Json::array({json["deep"]});
            }),
            ErrorCode::limit_exceeded);
}

// -- the chain

TEST(RootChain, FollowsVersionsSignedByOldAndNew) {
  const auto first = parse_root(signed_statement(sample_root(), {"root1"}));
  auto second = next(sample_root());
  find_owner(second, "root1") = listed(key_of("root3"), Role::root, "root3");  // rotates root1 away
  const auto third = next(second);
  const std::vector<std::string> chain{signed_statement(sample_root(), {"root1"}),
                                       signed_statement(second, {"root1", "root3"}),
                                       signed_statement(third, {"root3"})};
  EXPECT_EQ(advance(first, chain, k_now).version, 3u);
  EXPECT_EQ(advance(first, {chain[1]}, k_now).version, 2u);
  EXPECT_EQ(advance(first, {}, k_now).version, 1u);
  EXPECT_EQ(advance(first, {chain[0]}, k_now).version, 1u);
}

TEST(RootChain, RefusesAGap) {
  const auto first = parse_root(signed_statement(sample_root(), {"root1"}));
  const auto third = signed_statement(next(next(sample_root())), {"root1"});
  EXPECT_EQ(code_of([&] { advance(first, {third}, k_now); }), ErrorCode::trust_broken);
}

TEST(RootChain, RefusesARootSignedOnlyByTheNewKey) {
  const auto first = parse_root(signed_statement(sample_root(), {"root1"}));
  auto stolen = next(sample_root());
  stolen.keys.push_back(listed(key_of("mallory"), Role::root, "mallory"));
  EXPECT_EQ(code_of([&] { advance(first, {signed_statement(stolen, {"mallory"})}, k_now); }), ErrorCode::trust_broken);
}

TEST(RootChain, RefusesARootSignedOnlyByTheOldKey) {
  const auto first = parse_root(signed_statement(sample_root(), {"root1"}));
  auto second = next(sample_root());
  std::erase_if(second.keys, [](const auto& key) { return key.owner == "root1"; });
  EXPECT_EQ(code_of([&] { advance(first, {signed_statement(second, {"root1"})}, k_now); }), ErrorCode::trust_broken);
}

TEST(RootChain, RefusesKeysThatTheOldVersionRevoked) {
  auto root = sample_root();
  find_owner(root, "root2").revoked_since = k_now;
  find_owner(root, "root2").revoked_reason = "stolen";
  const auto first = parse_root(signed_statement(root, {"root1"}));
  EXPECT_EQ(code_of([&] { advance(first, {signed_statement(next(sample_root()), {"root2"})}, k_now); }),
            ErrorCode::trust_broken);
}

TEST(RootChain, RefusesAFork) {
  const auto first = parse_root(signed_statement(sample_root(), {"root1"}));
  auto other = sample_root();
  other.thresholds[Role::scanner] = 1;
  EXPECT_EQ(code_of([&] { advance(first, {signed_statement(other, {"root1"})}, k_now); }), ErrorCode::trust_broken);
}

TEST(RootChain, RefusesAnotherOrganisationAndAStatementFromTheFuture) {
  const auto first = parse_root(signed_statement(sample_root(), {"root1"}));
  auto other = next(sample_root());
  other.organisation = "Elsewhere";
  EXPECT_EQ(code_of([&] { advance(first, {signed_statement(other, {"root1"})}, k_now); }), ErrorCode::trust_broken);
  auto future = next(sample_root());
  future.created = k_now + std::chrono::days(2);
  EXPECT_EQ(code_of([&] { advance(first, {signed_statement(future, {"root1"})}, k_now); }), ErrorCode::clock_behind);
}

TEST(RootChain, FollowsThroughExpiredVersions) {
  const auto first = parse_root(signed_statement(sample_root(), {"root1"}));
  auto second = next(sample_root());
  second.expires = k_now - std::chrono::hours(1);
  const auto third = next(sample_root());
  auto newest = third;
  newest.version = 3;
  EXPECT_EQ(advance(first, {signed_statement(second, {"root1"}), signed_statement(newest, {"root1"})}, k_now).version,
            3u);
}

}  // namespace
}  // namespace liftlock
