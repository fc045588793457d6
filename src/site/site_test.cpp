#include "site/site.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

TEST(Site, WhatCreateWritesIsReadBack) {
  const TemporaryFolder folder;
  const auto site = Site::create(folder.path() / "state", Zone::ingest, "Test \"Lab\"");
  EXPECT_TRUE(site.exists());
  EXPECT_EQ(site.config().zone, Zone::ingest);
  EXPECT_EQ(site.config().organisation, "Test \"Lab\"");
  EXPECT_TRUE(site.config().require_expect);
  EXPECT_EQ(site.config().reserve_bytes, 1u << 30);
  EXPECT_EQ(fs::status(site.keys_folder()).permissions(), fs::perms::owner_all);
  EXPECT_TRUE(site.config().witnesses.empty());
  const std::vector<std::string> witnesses{"one+01+AA==", "two+02+AA=="};
  EXPECT_EQ(Site::create(folder.path() / "watched", Zone::ingest, "", {}, witnesses).config().witnesses, witnesses);
  EXPECT_NO_THROW(Site::create(site.folder(), Zone::ingest, "again"));
  EXPECT_EQ(code_of([&] { Site::create(site.folder(), Zone::low, ""); }), ErrorCode::immutable);
}

TEST(Site, AnUnknownKeyIsRefusedWithTheNearestOne) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "config.toml", "zone = \"low\"\n[policy]\nrequire_expct = false\n");
  try {
    Site site(folder.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unknown_key);
    EXPECT_NE(error.message().find("line 3"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("'require_expect'"), std::string::npos) << error.message();
    EXPECT_NE(error.hint().find("config.md"), std::string::npos) << error.hint();
    EXPECT_EQ(error.hint().find("stack.md"), std::string::npos) << error.hint();
  }
}

TEST(Site, UnsignedImportsAreASettingLikeTheOthers) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "config.toml", "zone = \"ingest\"\n[policy]\nunsigned_imports = true\n");
  EXPECT_TRUE(Site(folder.path()).config().unsigned_imports);
  EXPECT_EQ(settings_json(Site(folder.path()).config())["policy.unsigned_imports"], true);
  EXPECT_EQ(settings_json({})["policy.unsigned_imports"], false);
}

TEST(Site, HintsForSpeechAreRefusedUnlessTheSiteSaysOtherwise) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "config.toml", "zone = \"production\"\n[models]\n");
  EXPECT_FALSE(Site(folder.path()).config().speech_hint);
  write_file_atomically(folder.path() / "config.toml", "zone = \"production\"\n[models]\nspeech_hint = true\n");
  const Site site(folder.path());
  EXPECT_TRUE(site.config().speech_hint);
  EXPECT_EQ(settings_json(site.config()).at("models.speech_hint"), true) << "loosened, it is on record";
}

TEST(Site, AScannerWithoutAVersionIsReadForWhoeverNeedsNone) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "config.toml", "[scan]\ncommand = [\"clamscan\"]\n");
  const Site site(folder.path());
  ASSERT_TRUE(site.config().scan);
  EXPECT_TRUE(site.config().scan->version.empty());
}

TEST(Site, RefusesWrongTypesZonesAndRelativeSources) {
  const TemporaryFolder folder;
  for (const auto* text :
       {"zone = 1", "zone = \"high\"", "[source.usb]\npath = \"mnt\"", "[serve]\nlisten = true",
        "[policy]\nreserve = \"much\"", "[policy]\nrequire_countersignature = \"approver\"",
        "[policy]\nrequire_countersignature = [\"root\"]", "[record]\nmode = \"some\"", "[record]\nkeep = \"6 years\"",
        "[record.keep]\nprompts = 6", "[record.keep]\ndefault = \"6 years\"", "[record.models]\nward = \"some\"",
        "[record]\nwhen_unwritable = \"go\"", "[labels]\norder = [\"A\", \"A\"]",
        "[labels]\norder = [\"A\"]\n[labels.models]\nward = \"B\"",
        "[pool.gpu]\nendpoints = [\"http://10.0.0.1:1\"]\nmodels = {a = \"b\"}\nlabel = \"A\"", "not toml"}) {
    write_file_atomically(folder.path() / "config.toml", text);
    EXPECT_EQ(code_of([&] { Site site(folder.path()); }), ErrorCode::config_invalid) << text;
  }
}

TEST(Site, TheRecordIsFullUnlessTheSiteChoosesOtherwise) {
  const TemporaryFolder folder;
  const auto fresh = Site::create(folder.path() / "state", Zone::production, "");
  EXPECT_EQ(fresh.config().record, "full");
  EXPECT_EQ(fresh.config().record_keep, std::nullopt);
  EXPECT_TRUE(fresh.config().record_recordings);
  const auto chosen =
      Site::create(folder.path() / "chosen", Zone::production, "", {.mode = "off", .or_stop = false}).config();
  EXPECT_EQ(chosen.record, "off");
  EXPECT_FALSE(chosen.record_or_stop);
  write_file_atomically(
      folder.path() / "config.toml",
      "[record]\nmode = \"hash-only\"\nkeep = \"6y\"\nrecordings = false\n[record.models]\nward = \"full\"\n"
      "[labels]\norder = [\"A\", \"B\"]\n[labels.models]\nward = \"B\"\n");
  const Site site(folder.path());
  EXPECT_EQ(site.config().record, "hash-only");
  EXPECT_EQ(site.config().record_models.at("ward"), "full");
  EXPECT_FALSE(site.config().record_recordings);
  EXPECT_EQ(settings_json(site.config()).at("record.recordings"), false);
  EXPECT_EQ(site.config().labels, (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(site.config().model_labels.at("ward"), "B");
  EXPECT_EQ(site.config().record_keep, std::chrono::days(2190));
  EXPECT_EQ(parse_retention("y"), std::nullopt);
  EXPECT_EQ(parse_retention("12h"), std::chrono::hours(12));
}

TEST(Site, ClassesOfRecordsAreKeptAsLongAsEachSays) {
  const TemporaryFolder folder;
  const auto config = [&](const std::string& text) {
    write_file_atomically(folder.path() / "config.toml", text);
    return Site(folder.path()).config();
  };
  const auto both = config("[record.keep]\ndefault = \"6y\"\nembeddings = \"90d\"\n");
  EXPECT_EQ(both.record_keep, std::chrono::days(2190));
  EXPECT_EQ(both.record_keeps, (std::map<std::string, std::chrono::seconds>{{"embeddings", std::chrono::days(90)}}));
  EXPECT_EQ(settings_json(both).at("record.keep.embeddings"), 90 * 86400);
  EXPECT_EQ(config("[record.keep]\nimages = \"1d\"\n").record_keep, std::nullopt);
  EXPECT_EQ(code_of([&] { config("[record.keep]\nembedings = \"1d\"\n"); }), ErrorCode::unknown_key);
}

TEST(Site, PoolsAndRolesAreRead) {
  TemporaryFolder folder;
  Site::create(folder.path(), Zone::production, "");
  const auto config = [&](const std::string& more) {
    write_file_atomically(folder.path() / "config.toml", "zone = \"production\"\n" + more);
    return Site(folder.path()).config();
  };
  const std::string pool = "[pool.gpu]\nendpoints = [\"http://10.0.0.5:8000\"]\nmodels = { qwen = \"Qwen/Qwen2.5\" }\n";
  const auto read = config(
      "[gateway]\nnetworks = [\"10.0.0.0/8\"]\nrequire_gate = true\n[roles]\n\"cognitive.scout\" = "
      "\"pool://gpu/qwen\"\n" +
      pool + "gated = true\nanswer_timeout = \"2h\"\nslots = 3\n");
  EXPECT_EQ(read.networks, std::vector<std::string>{"10.0.0.0/8"});
  EXPECT_TRUE(read.require_gate);
  EXPECT_EQ(read.roles.at("cognitive.scout"), "pool://gpu/qwen");
  const auto& gpu = read.pools.at("gpu");
  EXPECT_EQ(gpu.endpoints, std::vector<std::string>{"http://10.0.0.5:8000"});
  EXPECT_EQ(gpu.models.at("qwen"), "Qwen/Qwen2.5");
  EXPECT_TRUE(gpu.gated);
  EXPECT_EQ(gpu.slots, 3u);
  EXPECT_EQ(gpu.answer_timeout, std::chrono::hours(2));
  EXPECT_EQ(settings_json(read).at("pool.gpu").at("gated"), true);
  for (const auto* more : {"[pool.gpu]\n", "[pool.gpu]\nendpoints = [1]\nmodels = {}\n", "[pool.\"a/b\"]\n",
                           "[roles]\nscout = 1\n", "[gateway]\nnetworks = \"10.0.0.0/8\"\n"}) {
    EXPECT_EQ(code_of([&] { config(more); }), ErrorCode::config_invalid) << more;
  }
  for (const auto* more : {"api = \"grpc\"\n", "idle_timeout = \"soon\"\n", "answer_timeout = \"0s\"\n"}) {
    EXPECT_EQ(code_of([&] { config(pool + more); }), ErrorCode::config_invalid) << more;
  }
}

TEST(Site, ErrorsNameTheLine) {
  const TemporaryFolder folder;
  for (const auto* text : {"\nzone = \"high\"", "[policy]\nreserve = \"much\"", "source = 3\n[policy]\nreserve = 1",
                           "[source.usb]\npath = \"mnt\"", "# none\n[source.usb]\n"}) {
    write_file_atomically(folder.path() / "config.toml", text);
    try {
      Site site(folder.path());
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      const auto line = std::string_view(text).starts_with("source") ? "line 1" : "line 2";
      EXPECT_NE(error.message().find(line), std::string::npos) << text << ": " << error.message();
    }
  }
}

TEST(Site, IsForTheUserAndTheGroupUnlessItsFolderWasThere) {
  const TemporaryFolder folder;
  EXPECT_EQ(fs::status(Site::create(folder.path() / "new", Zone::low, "").folder()).permissions(), fs::perms(0750));
  fs::create_directory(folder.path() / "old");
  fs::permissions(folder.path() / "old", fs::perms(0711));
  EXPECT_EQ(fs::status(Site::create(folder.path() / "old", Zone::low, "").folder()).permissions(), fs::perms(0711));
}

TEST(Site, RootDoesNotWriteInTheInstallationOfAnotherUser) {
  const TemporaryFolder folder;
  const auto site = Site::create(folder.path() / "state", Zone::low, "");
  EXPECT_NO_THROW(site.require_own());
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give it to somebody else";
  ASSERT_EQ(::chown(site.folder().c_str(), 4711, 4711), 0);
  try {
    site.require_own();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::wrong_user);
    EXPECT_NE(error.hint().find("runuser -u 4711 -- liftlock --state " + site.folder().string()), std::string::npos)
        << error.hint();
  }
}

TEST(Site, AZoneKeepsCommandsOutThatHaveNoBusinessThere) {
  const TemporaryFolder folder;
  EXPECT_EQ(code_of([&] { Site(folder.path()).require_zone("pack", {Zone::low}); }), ErrorCode::state_missing);
  const auto site = Site::create(folder.path(), Zone::production, "");
  EXPECT_EQ(code_of([&] { site.require_zone("pack", {Zone::low}); }), ErrorCode::wrong_zone);
  EXPECT_NO_THROW(site.require_zone("serve", {Zone::ingest, Zone::production}));
}

}  // namespace
}  // namespace liftlock
