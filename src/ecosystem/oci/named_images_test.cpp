#include "ecosystem/oci/named_images.hpp"

#include <gmock/gmock.h>

#include "base/encoding.hpp"

namespace liftlock::oci {
namespace {

std::vector<std::string> names(std::string_view yaml) {
  std::vector<std::string> out;
  for (const auto& one : images_named_in(yaml)) out.push_back(one.text());
  return out;
}

TEST(NamedImages, AreTheImageLinesOfObjectsAndComposeFiles) {
  EXPECT_THAT(
      names("services:\n  web:\n    image: nginx:1.25  # the front\n  db:\n    image: \"reg.example:5000/a/b:2\"\n"
            "spec:\n  containers:\n  - image: 'team/app@sha256:"
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'\n    name: x\n  - image: nginx:1.25\n"),
      testing::ElementsAre("nginx:1.25", "reg.example:5000/a/b:2",
                           "team/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

TEST(NamedImages, LeaveOutTemplatesVariablesAndOtherThings) {
  EXPECT_THAT(
      names("image: {{ .Values.image }}\nimage: ${IMAGE}\nimage:\nimage: /a/picture.png\nimagePullPolicy: Always\n"
            "image: \"unclosed\nimage: " +
            std::string(5000, 'a') + "\n"),
      testing::IsEmpty());
  EXPECT_EQ(names("image: a\r\nimage: b\r\n").size(), 2u);
  EXPECT_THAT(names("# image: a\nmyimage: b\nimages: c\n\"image': d\n"), testing::IsEmpty());
}

TEST(NamedImages, AreSeenInFlowStyleAndInJson) {
  EXPECT_THAT(
      names("x: {image: \"quay.example/a/b:1\"}\nspec: {containers: [{name: a, image: c/d:2}, {image: 'e/f:3'}]}\n"
            "\"image\": g/h:4\n{\"services\":{\"x\":{\"image\":\"i/j:5\"}}}\n"),
      testing::ElementsAre("quay.example/a/b:1", "c/d:2", "e/f:3", "g/h:4", "i/j:5"));
}

TEST(NamedImages, AreBounded) {
  std::string many;
  for (int i = 0; i < 3000; ++i) many += "image: a" + std::to_string(i) + "\n";
  EXPECT_EQ(images_named_in(many).size(), 1000u);
}

TEST(NamedImages, AnImageIsAskedForByRepositoryAndTagOrDigest) {
  const std::string digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  const Artifact image{
      .kind = "image", .name = "library/nginx", .version = "1.25", .facts = {{"manifest", {{"digest", digest}}}}};
  EXPECT_TRUE(is_asked_for(image, parse_reference("nginx:1.25")));
  EXPECT_TRUE(is_asked_for(image, parse_reference("docker.io/nginx:1.25")));
  EXPECT_TRUE(is_asked_for(image, parse_reference("registry.example/library/nginx:1.25")));
  EXPECT_FALSE(is_asked_for(image, parse_reference("registry.example/nginx:1.25"))) << "the mirror has no such name";
  EXPECT_TRUE(is_asked_for(image, parse_reference("nginx@" + digest)));
  EXPECT_FALSE(is_asked_for(image, parse_reference("nginx")));
  EXPECT_FALSE(is_asked_for(image, parse_reference("team/nginx:1.25")));
  EXPECT_FALSE(is_asked_for(image, parse_reference("nginx@sha256:" + std::string(64, '0'))));
}

TEST(NamedImages, TheSameNameInAnotherRegistryIsAnotherImage) {
  const auto is_there = [](std::string name, std::string ref, std::string_view asked) {
    const Artifact image{.kind = "image", .name = std::move(name), .version = "1", .facts = {{"ref", std::move(ref)}}};
    return is_asked_for(image, parse_reference(asked));
  };
  for (const auto* asked : {"team/app:1", "docker.io/team/app:1", "index.docker.io/team/app:1"}) {
    EXPECT_TRUE(is_there("team/app", "docker.io/team/app:1", asked)) << asked;
    EXPECT_FALSE(is_there("team/app", "one.example:5000/team/app:1", asked)) << asked;
  }
  EXPECT_TRUE(is_there("library/nginx", "docker.io/library/nginx:1", "nginx:1"));
  EXPECT_FALSE(is_there("nginx", "docker.io/nginx:1", "nginx:1")) << "the mirror has no library/nginx";
  EXPECT_FALSE(is_there("library/nginx", "one.example/library/nginx:1", "nginx:1"));
  EXPECT_TRUE(is_there("team/app", "one.example:5000/team/app:1", "one.example:5000/team/app:1"));
  EXPECT_FALSE(is_there("team/app", "one.example:5000/team/app:1", "two.example/team/app:1"));
  EXPECT_FALSE(is_there("team/app", "docker.io/team/app:1", "two.example/team/app:1"));
  // By the mirror's own name, which has the registry in it.
  EXPECT_TRUE(is_there("team/app", "one.example:5000/team/app:1", "mirror.site/one.example_5000/team/app:1"));
  // A name of the stack's, for what comes through a proxy; by its own it is there as well.
  EXPECT_TRUE(is_there("library/nginx", "proxy.example/hub/library/nginx:1", "nginx:1"));
  EXPECT_TRUE(is_there("library/nginx", "proxy.example/hub/library/nginx:1", "proxy.example/hub/library/nginx:1"));
  EXPECT_TRUE(is_there("one.example/team/app", "oci:folder:1", "one.example/team/app:1"));
  EXPECT_TRUE(is_there("team/app", "docker-archive:app.tar", "one.example/team/app:1")) << "of no registry";
}

}  // namespace
}  // namespace liftlock::oci
