#include "ecosystem/ollama/manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/ollama/name.hpp"

namespace liftlock::ollama {
namespace {

using testing::ElementsAre;

Manifest sample(std::vector<std::string_view> types) {
  Manifest out{{std::string(media::config), sha256("config"), 6}, {}};
  for (const auto type : types) out.layers.push_back({std::string(type), sha256(type), type.size()});
  return out;
}

TEST(OllamaManifest, IsReadAsItWasWritten) {
  const auto manifest = sample({media::model, media::chat_template, media::license, media::license});
  EXPECT_EQ(parse_manifest(manifest_text(manifest)), manifest);
  EXPECT_THAT(file_names(manifest), ElementsAre("model.gguf", "ollama/template", "ollama/license", "ollama/license-2"));
  EXPECT_EQ(media_type_of_file("ollama/license-2"), media::license);
  EXPECT_EQ(media_type_of_file("model.gguf"), media::model);
  EXPECT_EQ(media_type_of_file("ollama/license-x"), "");
  EXPECT_EQ(media_type_of_file("ollama/manifest"), "");
}

TEST(OllamaManifest, RefusesWhatIsNone) {
  const auto good = manifest_text(sample({media::model}));
  const auto changed = [&](std::string_view from, std::string_view to) {
    auto out = good;
    const auto at = out.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return out.replace(at, from.size(), to);
  };
  for (const auto& evil :
       {std::string(), std::string("null"), std::string("[]"), good.substr(0, good.size() / 2), good + "x",
        changed("\"schemaVersion\":2", "\"schemaVersion\":1"),
        changed("\"schemaVersion\":2", "\"schemaVersion\":2,\"schemaVersion\":2"),
        changed("distribution.manifest.v2", "distribution.manifest.list.v2"), changed("sha256:", "sha256:../../"),
        changed("sha256:", "sha512:"), changed("\"size\":6", "\"size\":-6"), changed("\"size\":6", "\"size\":1e3"),
        changed("\"size\":6", "\"size\":9223372036854775807"), changed("\"layers\":[", "\"layers\":[[],"),
        std::string(5u << 20, ' ')}) {
    EXPECT_THROW(parse_manifest(evil), Error) << evil.substr(0, 300);
  }
  EXPECT_THROW(file_names(sample({media::model, "application/vnd.ollama.image.tensor"})), Error);
}

TEST(OllamaName, IsReadAsOllamaDoes) {
  EXPECT_EQ(parse_name("llama3").path(), "registry.ollama.ai/library/llama3/latest");
  EXPECT_EQ(parse_name("llama3:8b").text(), "llama3:8b");
  EXPECT_EQ(parse_name("team/x").path(), "registry.ollama.ai/team/x/latest");
  EXPECT_EQ(parse_name("mirror:8480/ollama/x:q4_K").path(), "mirror:8480/ollama/x/q4_K");
  EXPECT_EQ(parse_name("http://mirror:8480/ollama/x").text(), "mirror:8480/ollama/x:latest");
  EXPECT_EQ(name_of_path("h:1/n/m/t")->text(), "h:1/n/m:t");
  for (const auto* bad :
       {"", ":", "a:", "/a", "a/", "../x", "a/../b", "a/b/c/d", "-a", "a:b:c", "a b", "a/.b/c", "x:..", "n.s/x"}) {
    EXPECT_THROW(parse_name(bad), Error) << bad;
  }
  for (const auto* bad : {"", "a", "h/n/m", "h/n/m/t/u", "h/n/../t", "h/n/m/.t", "h//m/t"})
    EXPECT_FALSE(name_of_path(bad)) << bad;
  EXPECT_EQ(fit_part("a+b/c"), "a-b-c");
  EXPECT_EQ(fit_part(".x"), "m.x");
  EXPECT_EQ(fit_part(""), "m");
}

}  // namespace
}  // namespace liftlock::ollama
