#include "site/site.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace liftlock {
namespace {

template <typename F>
ErrorCode code_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no Error was thrown";
  return ErrorCode::internal;
}

TEST(Site, WhatCreateWritesIsReadBack) {
  const TemporaryFolder folder;
  const auto site = Site::create(folder.path() / "state", Zone::ingest, "Test \"Lab\"");
  EXPECT_TRUE(site.exists());
  EXPECT_EQ(site.config().zone, Zone::ingest);
  EXPECT_EQ(site.config().organisation, "Test \"Lab\"");
  EXPECT_TRUE(site.config().require_expect);
  EXPECT_EQ(site.config().reserve_bytes, 1u << 30);
  EXPECT_EQ(fs::status(site.keys_folder()).permissions(), fs::perms::owner_all);
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
  }
}

TEST(Site, RefusesWrongTypesZonesAndRelativeSources) {
  const TemporaryFolder folder;
  for (const auto* text : {"zone = 1", "zone = \"high\"", "[source.usb]\npath = \"mnt\"", "[serve]\nlisten = true",
                           "[policy]\nreserve = \"much\"", "not toml"}) {
    write_file_atomically(folder.path() / "config.toml", text);
    EXPECT_EQ(code_of([&] { Site site(folder.path()); }), ErrorCode::config_invalid) << text;
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
