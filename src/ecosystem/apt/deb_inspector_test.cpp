#include "ecosystem/apt/deb_inspector.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "crypto/hash.hpp"
#include "ecosystem/apt/deb_reader.hpp"
#include "ecosystem/apt/test_debs.hpp"

namespace liftlock::apt {
namespace {

using namespace testing_support;
using testing::HasSubstr;

Artifact hello() {
  Artifact artifact{.kind = "deb", .name = "hello", .version = "1:2.0-1"};
  artifact.facts["architecture"] = "all";
  artifact.files.push_back({.path = RelPath::parse("packages/apt/hello_2.0-1_all.deb"),
                            .size = 0,
                            .digest = sha256("x"),
                            .origin = {},
                            .evidence = {}});
  return artifact;
}

Inspection inspect(const std::string& bytes) {
  const auto fd = as_file(bytes);
  const int files[] = {fd.get()};
  return DebInspector().inspect(hello(), files);
}

const std::string k_control = control_text("hello", "1:2.0-1", "all");
const std::vector<TarItem> k_data = {{"./", "", AE_IFDIR, 0755},
                                     {"./usr/", "", AE_IFDIR, 0755},
                                     {"./usr/bin/", "", AE_IFDIR, 0755},
                                     {"./usr/bin/hello", "#!/bin/sh\n", AE_IFREG, 0755},
                                     {"./usr/bin/hi", "", AE_IFLNK, 0777, "hello"}};

void expect_refused(const std::string& bytes, ErrorCode code, std::string_view words) {
  const auto out = inspect(bytes);
  ASSERT_FALSE(out.findings.empty()) << words;
  EXPECT_EQ(out.findings[0].code, code) << out.findings[0].message;
  EXPECT_THAT(out.findings[0].message, HasSubstr(words));
}

std::string with_data(const TarItem& item) {
  return make_deb(k_control, {item});
}

TEST(DebInspector, AcceptsAnOrdinaryPackageAndTellsFacts) {
  auto data = k_data;
  data.push_back({"./usr/bin/su", "x", AE_IFREG, 04755});
  const auto out = inspect(make_deb(k_control, data));
  EXPECT_TRUE(out.findings.empty()) << out.findings[0].message;
  EXPECT_EQ(out.facts["package"], "hello");
  EXPECT_EQ(out.facts["version"], "1:2.0-1");
  EXPECT_EQ(out.facts["setuid"], Json::array({"usr/bin/su"}));
  EXPECT_EQ(out.facts["unpacked_size"], 11);
}

TEST(DebInspector, TellsTheLicencesOfAMachineReadableCopyright) {
  const std::string text =
      "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: Expat\n";
  const auto license = [](const std::string& path, const std::string& content, mode_t type = AE_IFREG) {
    const auto out = inspect(make_deb(k_control, {{path, content, type, 0644, type == AE_IFLNK ? "x" : ""}}));
    EXPECT_TRUE(out.findings.empty());
    return out.facts.value("license", "");
  };
  EXPECT_EQ(license("./usr/share/doc/hello/copyright", text), "MIT");
  EXPECT_EQ(license("./usr/share/doc/other/copyright", text), "");
  EXPECT_EQ(license("./usr/share/doc/hello/copyright", "", AE_IFLNK), "");
  EXPECT_EQ(license("./usr/share/doc/hello/copyright", "It is free.\n"), "");
  EXPECT_EQ(license("./usr/share/doc/hello/copyright", text + std::string(1u << 20, '\n')), "") << "too large";
}

TEST(DebInspector, RefusesAnotherPackageUnderTheName) {
  expect_refused(make_deb(control_text("evil", "1:2.0-1", "all"), k_data), ErrorCode::package_malformed,
                 "Package 'evil'");
  expect_refused(make_deb(control_text("hello", "1:2.0-2", "all"), k_data), ErrorCode::package_malformed, "Version");
  expect_refused(make_deb(control_text("hello", "1:2.0-1", "arm64"), k_data), ErrorCode::package_malformed,
                 "Architecture");
  expect_refused(make_deb(k_control + "\nPackage: second\n", k_data), ErrorCode::package_malformed, "two paragraphs");
}

TEST(DebInspector, RefusesEveryTruncation) {
  const auto bytes = make_deb(k_control, k_data);
  for (std::size_t length = 0; length < bytes.size() - 2; length += 7) {
    EXPECT_FALSE(inspect(bytes.substr(0, length)).findings.empty()) << length;
  }
}

TEST(DebInspector, RefusesBrokenFraming) {
  const auto control = make_tar({{"./control", k_control}}, archive_write_add_filter_gzip);
  const auto data = make_tar(k_data, archive_write_add_filter_xz);
  const std::string head = "!<arch>\n" + ar_member("debian-binary", "2.0\n");
  const auto good_control = ar_member("control.tar.gz", control);
  const auto good_data = ar_member("data.tar.xz", data);
  ASSERT_TRUE(inspect(head + good_control + good_data).findings.empty());
  EXPECT_TRUE(inspect(head + good_control + good_data + ar_member("_gpgorigin", "x")).findings.empty());
  const auto code = ErrorCode::package_malformed;
  expect_refused(head + good_control + good_control + good_data, code, "where data.tar must");
  expect_refused(head + good_data + good_control, code, "where control.tar must");
  expect_refused(head + good_control + good_data + ar_member("extra", "x"), code, "another member");
  expect_refused(head + good_control + ar_member("data.tar.xz", data, "9999999999"), code, "claims");
  expect_refused(head + good_control + ar_member("data.tar.xz", data, "-1"), code, "no number");
  expect_refused(head + good_control + ar_member("data.tar.lz4", data), code, "compression is unknown");
  expect_refused(head + good_control + ar_member("data.tar.gz", data), code, "data.tar.gz");
  expect_refused("!<arch>\n" + ar_member("debian-binary", "3.0\n") + good_control + good_data, code, "format 2.0");
  expect_refused(head +
                     ar_member("control.tar.gz", make_tar({{"./control", k_control}, {"./control", k_control}},
                                                          archive_write_add_filter_gzip)) +
                     good_data,
                 code, "two files 'control'");
}

TEST(DebInspector, RefusesWhatWouldLandElsewhere) {
  expect_refused(with_data({"/etc/shadow", "x"}), ErrorCode::path_unsafe, "absolute");
  expect_refused(with_data({"./usr/../../etc/x", "x"}), ErrorCode::path_unsafe, "traverses");
  expect_refused(with_data({"./a", "", AE_IFREG, 0644, "../../b", true}), ErrorCode::path_unsafe, "leaves");
  expect_refused(with_data({"./dev/sda", "", AE_IFBLK}), ErrorCode::package_malformed, "device");
  expect_refused(with_data({"./pipe", "", AE_IFIFO}), ErrorCode::package_malformed, "special");
  expect_refused(make_deb(k_control, {{"./a", "", AE_IFLNK, 0777, "/etc"}, {"./a/passwd", "x"}}),
                 ErrorCode::path_unsafe, "below a symlink");
}

TEST(DebInspector, StopsBombs) {
  expect_refused(make_deb(k_control, {{"./bomb", std::string(100u << 20, '\0')}}), ErrorCode::limit_exceeded,
                 "times its size");
  DebLimits small;
  small.max_unpacked = 1000;
  const auto fd = as_file(make_deb(k_control, {{"./big", std::string(5000, 'x')}}));
  DebTar tar(fd.get(), read_deb_layout(fd.get()).data, small);
  DebEntry entry;
  EXPECT_THROW(tar.next(entry), Error);
}

}  // namespace
}  // namespace liftlock::apt
