#include "access/labels.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace liftlock {
namespace {

const Labels k_labels({"OPEN", "INNER", "SECRET"},
                      {{"open", "OPEN"}, {"inner", "INNER"}, {"secret", "SECRET"}, {"gpu/open", "OPEN"}},
                      {{"gpu", "INNER"}, {"vault", "SECRET"}});

template <typename Ask>
bool allowed(const Ask& ask) {
  try {
    ask();
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::forbidden);
    return false;
  }
}

bool may_local(const Labels& labels, std::string_view key, std::string_view model) {
  return allowed([&] { labels.require_local(key, model); });
}

bool may_remote(std::string_view key, std::string_view model) {
  return allowed([&] { k_labels.require_remote(key, model); });
}

TEST(Labels, NobodyReadsUp) {
  EXPECT_TRUE(may_local(k_labels, "INNER", "open"));
  EXPECT_TRUE(may_local(k_labels, "INNER", "inner"));
  EXPECT_FALSE(may_local(k_labels, "INNER", "secret"));
  EXPECT_FALSE(may_local(k_labels, "INNER", "unnamed")) << "what nobody labelled has the highest";
  EXPECT_TRUE(may_local(k_labels, "SECRET", "unnamed"));
  EXPECT_TRUE(may_local(k_labels, "", "open"));
  EXPECT_FALSE(may_local(k_labels, "", "inner"));
  EXPECT_FALSE(may_local(k_labels, "GONE", "inner")) << "a label that is gone is no label";
}

TEST(Labels, NothingIsWrittenDown) {
  EXPECT_TRUE(may_remote("INNER", "gpu/x"));
  EXPECT_FALSE(may_remote("SECRET", "gpu/x")) << "the prompt would go to a lesser place";
  EXPECT_FALSE(may_remote("SECRET", "gpu/open"));
  EXPECT_FALSE(may_remote("GONE", "gpu/open")) << "of a label that is gone nobody knows its height";
  EXPECT_FALSE(may_remote("OPEN", "gpu/x")) << "a model has its pool's label";
  EXPECT_TRUE(may_remote("OPEN", "gpu/open")) << "unless it has one of its own";
  EXPECT_TRUE(may_remote("SECRET", "vault/x"));
  EXPECT_TRUE(may_remote("OPEN", "unnamed/x")) << "a pool that nobody labelled is for the lowest";
  EXPECT_FALSE(may_remote("INNER", "unnamed/x"));
}

TEST(Labels, WithoutAnyEverythingGoes) {
  EXPECT_FALSE(Labels().in_use());
  EXPECT_TRUE(may_local(Labels(), "", "secret"));
  EXPECT_NO_THROW(Labels().require_remote("", "gpu/x"));
}

}  // namespace
}  // namespace liftlock
