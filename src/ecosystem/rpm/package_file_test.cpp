#include "ecosystem/rpm/package_file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "base/error.hpp"
#include "ecosystem/rpm/test_rpms.hpp"

namespace liftlock::rpm {
namespace {

using namespace testing_support;
using testing::HasSubstr;

PackageFile read(std::string_view bytes) {
  return PackageFile::read(file_of(bytes).get());
}

std::string why_not(std::string_view bytes) {
  try {
    const auto fd = file_of(bytes);
    const auto package = PackageFile::read(fd.get());
    (void)package.identity();
    (void)package.files();
    (void)package.relations(Relation::provides);
    (void)package.signature();
    (void)package.check_payload(fd.get());
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

/// The header's bytes with another 32-bit number at this place.
std::string with_word(std::string bytes, std::size_t at, std::uint32_t value) {
  return bytes.replace(at, 4, big(value, 4));
}

TEST(PackageFile, IsReadToItsPayload) {
  TestRpm rpm{.epoch = 2};
  const auto bytes = rpm.bytes();
  const auto package = read(bytes);
  EXPECT_EQ(package.identity().evr(), "2:1.0-1");
  EXPECT_EQ(package.identity().name, "tool");
  EXPECT_EQ(package.size(), bytes.size());
  EXPECT_EQ(bytes.substr(package.payload_start()), "a payload");
  ASSERT_EQ(package.files().size(), 1u);
  EXPECT_EQ(package.files()[0].path, "/usr/bin/tool");
  const auto provides = package.relations(Relation::provides);
  ASSERT_EQ(provides.size(), 1u);
  EXPECT_EQ(provides[0].version, "1.0-1");
  EXPECT_EQ(provides[0].flags, k_sense_equal);
  EXPECT_TRUE(package.relations(Relation::requires_).empty());
  EXPECT_TRUE(package.check_payload(file_of(bytes).get()));
}

TEST(PackageFile, EachTruncationIsRefused) {
  const auto bytes = TestRpm{}.bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_NE(why_not(bytes.substr(0, size)), "") << size;
  EXPECT_EQ(why_not(bytes), "");
  EXPECT_NE(why_not(bytes + "x"), "");
}

TEST(PackageFile, EachChangedByteOfHeaderAndPayloadIsNoticed) {
  const auto bytes = TestRpm{}.bytes();
  const auto start = read(bytes).header_start();
  for (auto at = start; at < bytes.size(); ++at) {
    auto changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_NE(why_not(changed), "") << at;
  }
}

TEST(PackageFile, NumbersOfTheHeaderThatLieAreRefused) {
  const TestRpm rpm;
  const auto header = rpm.header();
  const auto changed = [&](std::size_t at, std::uint32_t value) {
    return why_not(rpm.with_header(with_word(header, at, value)));
  };
  EXPECT_THAT(changed(8, 0), HasSubstr("has no entry"));
  EXPECT_THAT(changed(8, 0xffff'ffff), HasSubstr("entries"));
  EXPECT_THAT(changed(8, 0xffff), HasSubstr("ends within a header"));
  EXPECT_THAT(changed(12, 0xffff'ffff), HasSubstr("bytes of data"));
  EXPECT_THAT(changed(12, 60u << 20), HasSubstr("ends within a header"));
  constexpr std::size_t k_first = 16 + 16, k_type = 4, k_offset = 8, k_count = 12;
  EXPECT_THAT(changed(k_first, 63), HasSubstr("none that an entry may have"));
  EXPECT_THAT(changed(k_first, 1001), HasSubstr("twice"));
  EXPECT_THAT(changed(k_first + k_type, 0), HasSubstr("unknown type"));
  EXPECT_THAT(changed(k_first + k_type, 10), HasSubstr("unknown type"));
  EXPECT_THAT(changed(k_first + k_offset, 0x8000'0000), HasSubstr("outside"));
  EXPECT_THAT(changed(k_first + k_count, 0), HasSubstr("has no item"));
  EXPECT_THAT(changed(k_first + k_count, 2), HasSubstr("a string and several"));
  EXPECT_THAT(changed(k_first + 16 + k_offset, 0), HasSubstr("overlaps"));
  // The region is the whole header, or parts of it are not signed.
  EXPECT_THAT(changed(16, 62), HasSubstr("no immutable region"));
  EXPECT_THAT(changed(16 + k_count, 15), HasSubstr("region of a header is broken"));
  EXPECT_THAT(changed(header.size() - 8, 0u - 16), HasSubstr("behind its region"));
  EXPECT_THAT(changed(header.size() - 8, 1), HasSubstr("broken"));
}

TEST(PackageFile, CountsThatOverflowAreRefused) {
  TestRpm rpm;
  rpm.more = {{1009, 5, 0x2000'0001, std::string(8, 'x')}};  // times 8 is 8 in 32 bits
  EXPECT_THAT(why_not(rpm.bytes()), HasSubstr("states 536870913 items"));
  rpm.more = {{1009, 4, 0x0040'0000, std::string(8, 'x')}};
  EXPECT_THAT(why_not(rpm.bytes()), HasSubstr("outside of the data"));
  rpm.more = {{9000, 8, 0x0040'0000, std::string(8, '\0')}};
  EXPECT_THAT(why_not(rpm.bytes()), HasSubstr("outside of the data"));
  rpm.more = {numbers_entry(1116, {7})};
  EXPECT_THAT(why_not(rpm.bytes()), HasSubstr("a folder that is not listed"));
  rpm.more = {numbers_entry(1112, {8, 8})};
  EXPECT_THAT(why_not(rpm.bytes()), HasSubstr("1 versions and 2 flags"));
}

TEST(PackageFile, OtherKindsOfFilesAreRefused) {
  auto bytes = TestRpm{}.bytes();
  bytes[7] = 1;
  EXPECT_THAT(why_not(bytes), HasSubstr("source package"));
  EXPECT_THAT(why_not(std::string(200, 'x')), HasSubstr("no rpm"));
  TestRpm rpm;
  rpm.more = {{1044, 6, 0, {}}};
  EXPECT_THAT(why_not(rpm.bytes()), HasSubstr("names no source package"));
}

TEST(PackageFile, NamesOfOtherCharactersAreRefused) {
  EXPECT_THAT(why_not(TestRpm{.name = "../x"}.bytes()), HasSubstr("usable name"));
  EXPECT_THAT(why_not(TestRpm{.version = "1-2"}.bytes()), HasSubstr("'-'"));
  EXPECT_THAT(why_not(TestRpm{.architecture = ""}.bytes()), HasSubstr("usable architecture"));
}

TEST(PackageFile, ASignatureOfTheHeaderCountsOnlyWithThePayloadsDigest) {
  TestRpm rpm;
  EXPECT_FALSE(read(rpm.bytes()).signature());
  rpm.signatures = {binary_entry(268, "header"), binary_entry(1002, "both")};
  auto found = read(rpm.bytes()).signature();
  ASSERT_TRUE(found);
  EXPECT_EQ(as_text(found->packet), "header");
  EXPECT_FALSE(found->covers_payload);
  rpm.more = {{5092, 8, 0, {}}};
  found = read(rpm.bytes()).signature();
  ASSERT_TRUE(found);
  EXPECT_EQ(as_text(found->packet), "both");
  EXPECT_TRUE(found->covers_payload);
}

TEST(PackageFile, APayloadOfAnotherDigestIsRefused) {
  EXPECT_THAT(why_not(TestRpm{.payload_digest = std::string(64, '0')}.bytes()), HasSubstr("payload does not have"));
  TestRpm rpm;
  rpm.more = {numbers_entry(5093, {1})};
  EXPECT_THAT(why_not(rpm.bytes()), HasSubstr("unknown kind"));
  rpm.more = {{5092, 6, 0, {}}};
  const auto bytes = rpm.bytes();
  EXPECT_FALSE(read(bytes).check_payload(file_of(bytes).get()));
}

}  // namespace
}  // namespace liftlock::rpm
