#include "net/address.hpp"

#include <gtest/gtest.h>

#include "net/origin.hpp"

namespace liftlock {
namespace {

bool inside(std::string_view network, std::string_view address) {
  return Network::parse(network).value().contains(IpAddress::parse(address).value());
}

TEST(Network, HoldsTheAddressesOfItsRange) {
  EXPECT_TRUE(inside("10.0.0.0/8", "10.255.255.255"));
  EXPECT_FALSE(inside("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(inside("172.16.0.0/12", "172.31.0.1"));
  EXPECT_FALSE(inside("172.16.0.0/12", "172.32.0.0"));
  EXPECT_TRUE(inside("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(inside("192.0.2.7", "192.0.2.6"));
  EXPECT_TRUE(inside("0.0.0.0/0", "203.0.113.1"));
  EXPECT_TRUE(inside("fc00::/7", "fd12:3456::1"));
  EXPECT_FALSE(inside("fc00::/7", "fe80::1"));
  EXPECT_FALSE(inside("::/0", "10.0.0.1"));
}

TEST(Network, AMappedAddressIsTheOneInIt) {
  EXPECT_TRUE(inside("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_FALSE(inside("fc00::/7", "::ffff:10.1.2.3"));
  EXPECT_EQ(IpAddress::parse("::ffff:10.1.2.3")->text(), "10.1.2.3");
}

TEST(Network, WhatIsNoRangeIsRefused) {
  for (const auto* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/8", "10.0.0/8", "ten/8",
                           "fc00::/129", "fc00::1/7", "fe80::1%eth0", "10.0.0.0/8 ", "010.0.0.0/8", "10.0.0.0/8/8"}) {
    EXPECT_FALSE(Network::parse(text)) << text;
  }
}

TEST(Network, PrivateOnesLeadNowhereOutside) {
  std::vector<Network> all;
  for (const auto text : k_private_networks) all.push_back(Network::parse(text).value());
  const Networks networks(all);
  for (const auto* text : {"127.0.0.1", "::1", "10.9.8.7", "172.20.0.1", "192.168.1.1", "fd00::1"}) {
    EXPECT_TRUE(networks.contain(*IpAddress::parse(text))) << text;
  }
  for (const auto* text : {"8.8.8.8", "169.254.169.254", "0.0.0.0", "100.64.0.1", "2001:4860::8888", "fe80::1",
                           "::", "::ffff:8.8.8.8", "64:ff9b::a00:1"}) {
    EXPECT_FALSE(networks.contain(*IpAddress::parse(text))) << text;
  }
}

TEST(HttpAddress, IsReadAndWritten) {
  const auto text = [](std::string_view given) { return HttpAddress::parse(given).value().text(); };
  EXPECT_EQ(text("http://10.0.0.5:8000"), "http://10.0.0.5:8000");
  EXPECT_EQ(text("https://gpu-1.example"), "https://gpu-1.example:443");
  EXPECT_EQ(text("http://gpu/"), "http://gpu:80");
  EXPECT_EQ(text("https://[fd00::5]:8443/one/two/"), "https://[fd00::5]:8443/one/two");
  EXPECT_EQ(HttpAddress::parse("https://[fd00::5]:8443/one")->host, "fd00::5");
  EXPECT_EQ(HttpAddress::parse("https://[fd00::5]:8443/one")->path, "/one");
}

TEST(HttpAddress, LinksOfTheSameServerAreTold) {
  const auto to = [](std::string_view address, std::string_view link) {
    return target_at(HttpAddress::parse(address).value(), link).value_or("nowhere");
  };
  EXPECT_EQ(to("http://127.0.0.1/x", "http://127.0.0.1/service/token?a=b"), "/service/token?a=b");
  EXPECT_EQ(to("http://127.0.0.1", "http://127.0.0.1:80/token"), "/token");
  EXPECT_EQ(to("http://127.0.0.1:80", "http://127.0.0.1/token"), "/token");
  EXPECT_EQ(to("https://Hub.example", "https://hub.example:443/token"), "/token");
  EXPECT_EQ(to("https://[fd00::5]", "https://[fd00:0::5]/"), "/");
  for (const auto* link :
       {"", "/token", "token", "http://127.0.0.1:81/token", "https://127.0.0.1/token", "https://127.0.0.1:80/token",
        "http://127.0.0.1.elsewhere/", "http://127.0.0.1@elsewhere/", "http://elsewhere/", "http://127.0.0.1",
        "http://127.0.0.1:80@elsewhere/", "http://127.0.0.1?/x", "http://127.0.0.1#/x", "ftp://127.0.0.1/x", "://x/"})
    EXPECT_EQ(to("http://127.0.0.1", link), "nowhere") << link;
}

TEST(HttpAddress, WhatIsNoneIsRefused) {
  for (const auto* text : {"", "http://", "ftp://a", "gpu:8000", "http://a:0", "http://a:65536", "http://a:x",
                           "http://user@a", "http://a?b", "http://a/b?c", "http://a/b c", "http://a/#", "http://[::1",
                           "http://[10.0.0.1]", "http://a b", "http://a\r\nX: y", "http:///x", "HTTP://a"}) {
    EXPECT_FALSE(HttpAddress::parse(text)) << text;
  }
}

}  // namespace
}  // namespace liftlock
