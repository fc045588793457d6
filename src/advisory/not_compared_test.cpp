#include "advisory/not_compared.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace liftlock::advisory {
namespace {

Artifact artifact(std::string kind, Json facts = Json::object()) {
  Artifact out{.kind = std::move(kind), .name = "x", .version = "1-1"};
  out.facts = std::move(facts);
  return out;
}

TEST(NotCompared, IsCountedByKind) {
  EXPECT_EQ(to_text(not_compared({})), "");
  EXPECT_EQ(to_text(not_compared({artifact("wheel"), artifact("advisories"), artifact("apt-index"), artifact("rpm-key"),
                                  artifact("rpm", {{"vendor", "Red Hat, Inc."}})})),
            "");
  EXPECT_EQ(to_text(not_compared(
                {artifact("model"), artifact("image"), artifact("rpm", {{"vendor", ""}}), artifact("model")})),
            "1 image, 2 model, 1 rpm");
}

// As they were locked and imported before the vendor was kept: another reason than that OSV does not have them.
TEST(NotCompared, PackagesWithoutAVendorCanBeTakenInAgain) {
  const auto what = not_compared({artifact("rpm"), artifact("rpm", {{"vendor", "Somebody"}}), artifact("image")});
  EXPECT_EQ(what.without_vendor, 1u);
  EXPECT_EQ(to_text(what), "1 image, 2 rpm (the vendor of 1 was not kept: lock or import them again)");
}

}  // namespace
}  // namespace liftlock::advisory
