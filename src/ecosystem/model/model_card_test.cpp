#include "ecosystem/model/model_card.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace liftlock {
namespace {

TEST(ModelCard, TellsLicenceDatasetsAndOrigin) {
  const auto card = read_model_card(
      "---\nlicense: apache-2.0\ndatasets:\n- HuggingFaceH4/ultrachat_200k\n- a/b\nbase_model: mistralai/Mistral-7B\n"
      "language:\n- en\ntags: [x]\npipeline_tag: text-generation\nwidget:\n- text: {a: b}\n---\n# Title\n---\nlicense: "
      "no\n");
  EXPECT_EQ(card, (Json{{"license", "apache-2.0"},
                        {"datasets", {"HuggingFaceH4/ultrachat_200k", "a/b"}},
                        {"base_model", {"mistralai/Mistral-7B"}},
                        {"language", {"en"}},
                        {"pipeline_tag", "text-generation"}}));
}

TEST(ModelCard, OfOtherFormsIsNothingOrAnError) {
  for (const auto* text :
       {"", "# Title\n", "---\nlicense: mit\n", "----\nlicense: mit\n----\n", "---\n---\n", "---\n- a\n---\n",
        "---\nlicense: {a: b}\ndatasets: {}\nbase_model: [[x]]\n---\n", "text\n---\nlicense: mit\n---\n"}) {
    EXPECT_EQ(read_model_card(text), Json::object()) << text;
  }
  EXPECT_EQ(read_model_card("\xef\xbb\xbf---\r\nlicense: [mit, cc0-1.0]\r\n---\r\n"),
            (Json{{"license", "mit AND cc0-1.0"}}));
  EXPECT_THROW(read_model_card("---\na: &x [1]\nb: *x\n---\n"), Error);
  EXPECT_THROW(read_model_card("---\nlicense: mit\nlicense: no\n---\n"), Error);
  EXPECT_THROW(read_model_card("---\na: [\n---\n"), Error);
}

TEST(ModelCard, IsCutWhereItIsLong) {
  const auto card = read_model_card("---\nlicense: " + std::string(1000, 'x') + "\nbase_model: \"" +
                                    std::string(299, 'x') + "\xc3\xa9\"\n---\n");
  EXPECT_EQ(card["license"].get<std::string>().size(), 300u);
  EXPECT_EQ(card["base_model"][0].get<std::string>().size(), 299u) << "not in the middle of a character";
  std::string many = "---\ndatasets:\n";
  for (int i = 0; i < 100; ++i) many += "- d\n";
  EXPECT_EQ(read_model_card(many + "---\n")["datasets"].size(), 50u);
}

}  // namespace
}  // namespace liftlock
