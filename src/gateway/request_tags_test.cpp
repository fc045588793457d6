#include "gateway/request_tags.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"

namespace liftlock {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> tags(const std::string& header, const Json& document = Json::object()) {
  HttpRequest request;
  request.header = [&](std::string_view name) { return name == "X-Liftlock-Tags" ? std::string_view(header) : ""; };
  return tags_of(request, document);
}

TEST(RequestTags, AreTakenFromWhereClientsPutThem) {
  EXPECT_THAT(tags(""), IsEmpty());
  EXPECT_THAT(tags(" case-7 ,ward 3,, case-7"), ElementsAre("case-7", "ward 3"));
  EXPECT_THAT(tags("", {{"metadata", {{"patient", "12"}, {"n", 5}}}, {"user", "eve"}}),
              ElementsAre("patient:12", "end-user:eve"));
  EXPECT_THAT(tags("a", {{"metadata", "text"}, {"user", nullptr}}), ElementsAre("a"));
  EXPECT_THAT(tags("a", Json::array()), ElementsAre("a"));
}

TEST(RequestTags, AreBounded) {
  std::string many;
  for (int i = 0; i < 16; ++i) many += std::to_string(i) + ",";
  EXPECT_EQ(tags(many).size(), 16u);
  EXPECT_EQ(code_of([&] { tags(many + "17th"); }), ErrorCode::bad_request);
  EXPECT_EQ(tags(std::string(256, 'x')).size(), 1u);
  EXPECT_EQ(code_of([&] { tags(std::string(257, 'x')); }), ErrorCode::bad_request);
  EXPECT_EQ(code_of([&] { tags("\xff"); }), ErrorCode::bad_request);
}

}  // namespace
}  // namespace liftlock
