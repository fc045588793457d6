#include "ecosystem/oci/collector.hpp"

#include <array>

#include "base/error.hpp"
#include "ecosystem/oci/gather.hpp"
#include "ecosystem/oci/image_source.hpp"

namespace liftlock::oci {
namespace {

constexpr std::array k_keys = {
    KeySpec{.name = "source",
            .type = ValueType::string,
            .required = true,
            .doc = "Where the image is: docker://HOST[:PORT]/NAME:TAG or @sha256:…, docker-archive:FILE[:REF] of "
                   "`docker save`, "
                   "or oci:FOLDER[:TAG].",
            .example = "\"docker://registry.example/qdrant/qdrant:v1.9.4\""},
    KeySpec{.name = "platforms",
            .type = ValueType::strings,
            .required = false,
            .doc = "Which images of a multi-platform index are taken; the stack's platform when absent, [\"all\"] for "
                   "every one.",
            .example = "[\"linux/amd64\", \"linux/arm64\"]"},
    KeySpec{.name = "name",
            .type = ValueType::string,
            .required = false,
            .doc = "What the image is called on the high side; the source's name without its host when absent.",
            .example = "\"qdrant/qdrant\""},
    KeySpec{.name = "moving_tag",
            .type = ValueType::boolean,
            .required = false,
            .doc = "Whether a tag such as latest may be followed at all (it is pinned to a digest in any case); false "
                   "when absent.",
            .example = "true"},
    KeySpec{.name = "insecure",
            .type = ValueType::boolean,
            .required = false,
            .doc = "Whether the registry is spoken to over plain http, for one on this machine; false when absent.",
            .example = "true"},
    KeySpec{
        .name = "authfile",
        .type = ValueType::string,
        .required = false,
        .doc = "The file with the registry's credentials; the usual places of podman, skopeo and docker when absent.",
        .example = "\"auth.json\""}};

/// Before any error repeats them. What has no '/' is NAME@DIGEST, and no host.
void refuse_login_in(std::string_view source, const StackEntry& entry) {
  const auto begin = source.find("://");
  if (begin == std::string_view::npos) return;
  const auto slash = source.find('/', begin + 3);
  if (slash == std::string_view::npos || source.find('@', begin) > slash) return;
  throw Error(ErrorCode::stack_invalid, fmt::format("{}: the source holds a user name or password", entry.where()),
              "log in with podman, skopeo or docker, or name the file with the login in authfile: the stack and the "
              "lock are read by others");
}

Source source_of(const StackEntry& entry) {
  const auto source = entry.text("source");
  refuse_login_in(source, entry);
  return with_context("in " + entry.where(), [&] { return parse_source(source); });
}

std::unique_ptr<ImageSource> open_source(const StackEntry& entry, CollectContext& context) {
  const auto source = source_of(entry);
  switch (source.kind) {
    case Source::Kind::registry:
      return make_registry_source(source, entry, context);
    case Source::Kind::docker_archive:
      return make_archive_source(source, context);
    case Source::Kind::layout:
      return make_layout_source(source, context);
  }
  fail(ErrorCode::internal, "an image source of no kind");
}

PlatformChoice choice_of(const StackEntry& entry, const CollectContext& context) {
  PlatformChoice out;
  auto texts = entry.texts("platforms");
  if (texts.empty()) texts.push_back(context.platform);
  if (texts == std::vector<std::string>{"all"}) return out;
  for (const auto& text : texts) {
    try {
      out.wanted.push_back(parse_platform(text));
    } catch (const Error& error) {
      fail(ErrorCode::stack_invalid, "{}: {}", entry.where(), error.message());
    }
  }
  return out;
}

void name_it(Chosen& chosen, const StackEntry& entry) {
  if (const auto name = entry.text("name"); !name.empty()) {
    if (!is_repository(name)) fail(ErrorCode::stack_invalid, "{}: name = \"{}\" is no image name", entry.where(), name);
    chosen.name = name;
  }
  if (chosen.name.empty()) {
    if (!is_repository(entry.name)) {
      throw Error(ErrorCode::stack_invalid, entry.where() + ": the source does not say what the image is called",
                  "add name = \"…\"");
    }
    chosen.name = entry.name;
  }
}

void refuse_moving_tag(const Chosen& chosen, const StackEntry& entry) {
  if (!is_moving_tag(chosen.tag) || entry.flag("moving_tag", false)) return;
  throw Error(ErrorCode::moving_tag, fmt::format("{}: the tag '{}' of {} moves", entry.where(), chosen.tag, chosen.ref),
              fmt::format("name a version, or what the tag means today: @{}; or allow it with moving_tag = true",
                          chosen.root.digest.text()));
}

}  // namespace

std::string_view ImageCollector::table() const {
  return "image";
}

std::string_view ImageCollector::summary() const {
  return "container images and other OCI artifacts, with their signatures, from registries, archives and folders";
}

std::span<const KeySpec> ImageCollector::keys() const {
  return k_keys;
}

std::vector<std::filesystem::path> ImageCollector::input_files(const StackEntry& entry,
                                                               const std::filesystem::path&) const {
  const auto source = source_of(entry);
  switch (source.kind) {
    case Source::Kind::registry:
      return {};
    case Source::Kind::docker_archive:
      return {source.path};
    case Source::Kind::layout:
      return {std::filesystem::path(source.path) / "index.json"};
  }
  return {};
}

Collected ImageCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  return with_context("while resolving " + entry.where(), [&] {
    const auto source = open_source(entry, context);
    auto chosen = source->reader().choose();
    refuse_moving_tag(chosen, entry);
    name_it(chosen, entry);
    Collected out;
    out.artifacts.push_back(gather_image(source->reader(), chosen, choice_of(entry, context),
                                         [&](std::string_view bytes) { context.store.put(bytes); }));
    out.notes = std::move(chosen.notes);
    const auto facts = parse_image_facts(out.artifacts.front().facts);
    if (!facts.left_out.empty()) {
      out.notes.push_back(fmt::format("{} of {} images of {} are left out; the index keeps its digest {}",
                                      facts.left_out.size(), facts.left_out.size() + facts.platforms.size(), chosen.ref,
                                      chosen.root.digest.text()));
    }
    return out;
  });
}

std::vector<FetchJob> ImageCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                           CollectContext& context) const {
  std::vector<FetchJob> jobs;
  std::unique_ptr<ImageSource> source;
  for (const auto& file : artifact.files) {
    if (context.store.contains(file.digest)) continue;
    if (!source) source = open_source(entry, context);
    jobs.push_back(source->job(file));
  }
  return jobs;
}

}  // namespace liftlock::oci
