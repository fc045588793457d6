#include "gateway/key_order.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace liftlock {
namespace {

TEST(KeyOrder, IsThatOfTheClient) {
  const std::string text = R"({"type":"object","properties":{"why":{"type":"string"},"answer":{"type":"integer"}}})";
  EXPECT_EQ(KeyOrder(text).dump(parse_json(text)), text);
  EXPECT_EQ(KeyOrder(text).dump({{"tools", {parse_json(text)}}, {"a", 1}}), R"({"a":1,"tools":[)" + text + "]}");
}

TEST(KeyOrder, IsSortedWhereNothingIsKnown) {
  const Json value = {{"b", "\xff\n"}, {"a", {1.5, nullptr, true, Json::object(), Json::array()}}};
  EXPECT_EQ(KeyOrder().dump(value), dump_json_line(value));
  EXPECT_EQ(KeyOrder(R"({"z":1,"y":{"d":1,"c":2}})").dump(value), dump_json_line(value));
}

TEST(KeyOrder, TheFirstOfSeveralWithTheSameKeysCounts) {
  const std::string text = R"([{"b":1,"a":2},{"a":3,"b":4}])";
  EXPECT_EQ(KeyOrder(text).dump(parse_json(text)), R"([{"b":1,"a":2},{"b":4,"a":3}])");
}

TEST(KeyOrder, KeysThatLookLikeTwoAreOne) {
  const std::string text = R"([{"b":1,"a":2},{"a1:b":1}])";
  EXPECT_EQ(KeyOrder(text).dump(parse_json(text)), text);
}

}  // namespace
}  // namespace liftlock
