// What reprepro is to take, put into its folder.
#include "ecosystem/apt/push.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "ecosystem/apt/test_debs.hpp"

namespace liftlock::apt {
namespace {

using namespace testing_support;

class RepreproTest : public ::testing::Test {
 protected:
  RepreproTest() { fs::create_directory(m_incoming); }

  Artifact deb(const std::string& version, const std::string& more = {}) {
    const auto bytes = make_deb(control_text("hello", version, "amd64", more), {{"./usr/", {}, AE_IFDIR, 0755}});
    Artifact out;
    out.kind = "deb";
    out.name = "hello";
    out.version = version;
    out.files.push_back({.path = RelPath::parse("packages/apt/hello.deb"),
                         .size = bytes.size(),
                         .digest = m_store.put(bytes),
                         .origin = {},
                         .evidence = {}});
    return out;
  }
  std::unique_ptr<PushTarget> target() {
    return make_reprepro_push({.table = "[repository.incoming]", .access = {}, .folder = m_incoming, .of_its_kind = {}},
                              m_store);
  }

  TemporaryFolder m_folder;
  fs::path m_incoming = m_folder.path() / "incoming";
  BlobStore m_store{m_folder.path() / "store"};
};

TEST_F(RepreproTest, APackageIsGivenOnce) {
  const auto hello = deb("1:1.0-1");
  const auto plan = target()->plan(hello);
  EXPECT_EQ(plan->place, "hello_1.0-1_amd64.deb");
  const auto first = target();
  const auto sent = first->plan(hello);
  EXPECT_EQ(sent->lacking, 1u);
  sent->send({});
  EXPECT_EQ(sha256(read_file(m_incoming / "hello_1.0-1_amd64.deb", 1u << 20)), hello.files[0].digest);
  EXPECT_TRUE(target()->plan(hello)->is_done());
}

TEST_F(RepreproTest, TwoThatWantOneNameAreTold) {
  const auto one = target();
  EXPECT_EQ(one->plan(deb("1:1.0-1"))->lacking, 1u);
  const auto second = one->plan(deb("2:1.0-1"));  // its file name lacks the epoch
  EXPECT_EQ(second->lacking, 0u);
  EXPECT_EQ(second->other, std::vector<std::string>{"hello_1.0-1_amd64.deb"});
  EXPECT_EQ(one->plan(deb("1.0-2"))->lacking, 1u);
}

TEST_F(RepreproTest, WhatCameThereSinceIsNotWrittenOver) {
  const auto path = m_incoming / "hello_1.0-1_amd64.deb";
  const auto hello = deb("1.0-1");
  const auto one = target();
  const auto plan = one->plan(hello), again = one->plan(hello);
  write_file_atomically(path, "theirs");
  EXPECT_EQ(code_of([&] { plan->send({}); }), ErrorCode::immutable);
  EXPECT_EQ(read_file(path, 1u << 20), "theirs");
  EXPECT_EQ(std::distance(fs::directory_iterator(m_incoming), {}), 1);
  fs::remove(path);
  plan->send({});
  again->send({});  // the same bytes came there meanwhile
  EXPECT_EQ(sha256(read_file(path, 1u << 20)), hello.files[0].digest);
}

}  // namespace
}  // namespace liftlock::apt
