#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/dockerfile_recipe.hpp"
#include "cli/offline_settings.hpp"
#include "cli/program.hpp"

namespace liftlock {
namespace {

struct Options {
  dockerfile::Recipe recipe;
  std::string stack;
};

void run(Invocation& invocation, const Options& options) {
  dockerfile::Recipe recipe;
  if (!options.stack.empty()) {
    auto of_stack = recipe_of_stack(options.stack);
    if (!of_stack) fail(ErrorCode::usage, "there are no stacks on the {} side", side_name());
    recipe = std::move(*of_stack);
  }
  const auto& given = options.recipe;
  if (!given.base.empty()) recipe.base = given.base;
  if (!given.packages.empty()) recipe.packages = given.packages;
  if (!given.requirements.empty()) recipe.requirements = given.requirements;
  recipe.wheelhouse = given.wheelhouse;
  if (!given.mirror.empty()) recipe.mirror = checked_mirror_url(given.mirror);
  if (recipe.base.empty()) {
    throw Error(ErrorCode::usage, "the base image is not known",
                "give --base NAME@sha256:…, or --stack with an [image.NAME] whose source is docker://…");
  }
  const auto text = dockerfile::write_dockerfile(recipe);
  invocation.print({{"dockerfile", text}}, [&] { return text; });
}

}  // namespace

void add_render_dockerfile(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("dockerfile", "A Dockerfile whose caches work, for builds without a network");
  auto options = std::make_shared<Options>();
  command->add_option("--base", options->recipe.base, "The image it begins with, by digest")->type_name("IMAGE");
  command->add_option("--package", options->recipe.packages, "A package of apt")
      ->allow_extra_args(false)
      ->type_name("NAME");
  command->add_option("--requirements", options->recipe.requirements, "File of requirements, in the build context")
      ->type_name("FILE");
  command
      ->add_option("--wheelhouse", options->recipe.wheelhouse,
                   "Folder of wheels in the build context: pip installs from it, without a network")
      ->type_name("FOLDER");
  command->add_option("--mirror", options->recipe.mirror, "Address that the build reaches the mirror by, for pip")
      ->type_name("URL");
  if (side_name() == "low") {
    command
        ->add_option("--stack", options->stack,
                     "Take packages, requirements and the image with its locked digest from this liftlock.toml")
        ->type_name("FILE");
  }
  command->footer(
      "apt's caches are locked, pip's and the wheelhouse are shared, docker-clean is removed, and the switches for\n"
      "telemetry stand in ENV. Needs BuildKit (DOCKER_BUILDKIT=1 before Docker 23). `liftlock lint dockerfile` finds\n"
      "nothing wrong with it.\n"
      "Example: liftlock render dockerfile --base python@sha256:… --package curl --requirements requirements.txt");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
