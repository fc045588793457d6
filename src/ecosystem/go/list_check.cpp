#include "ecosystem/go/list_check.hpp"

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/text.hpp"
#include "ecosystem/offline_client.hpp"
#include "os/file.hpp"

namespace liftlock::go {
namespace {

ProcessSpec go(const fs::path& folder, const fs::path& scratch, std::string_view platform,
               std::vector<std::string> words) {
  ProcessSpec out;
  out.argv = {"go"};
  out.argv.insert(out.argv.end(), words.begin(), words.end());
  out.set_environment = {{"GOPROXY", "file://" + encode_percent_path((scratch / "proxy").string())},
                         {"GOSUMDB", "off"},
                         {"GONOPROXY", "none"},  // empty would be what the user's configuration says
                         {"GOTOOLCHAIN", "local"},
                         {"GOMODCACHE", (scratch / "modules").string()},
                         {"GOCACHE", (scratch / "build").string()}};
  if (const auto parts = split(platform, '/'); parts.size() >= 2) {
    out.set_environment["GOOS"] = parts[0];
    out.set_environment["GOARCH"] = parts[1];
  }
  out.working_folder = folder;
  return out;
}

}  // namespace

CheckResult check_list(const StackEntry& entry, const fs::path& go_mod, const std::vector<Artifact>& artifacts,
                       CollectContext& context) {
  if (!find_program("go")) return {};
  const ScratchFolder scratch(context.scratch, "go-" + portable_component(entry.name));
  link_files(context, artifacts, "packages/go/", scratch.path() / "proxy");
  const auto folder = go_mod.parent_path();
  const auto ask = [&](std::vector<std::string> words) {
    words.insert(words.begin() + 1, {"-mod=readonly", "-modcacherw"});
    return run_offline(go(folder, scratch.path(), context.platform, std::move(words)));
  };
  auto answer = ask({"list", "-deps", "-test", "./..."});
  auto what = counted(artifacts.size(), "module suffices", "modules suffice");
  const bool no_packages = answer.done && trim(answer.output).empty();
  if (no_packages) answer = ask({"list", "-m", "all"});
  if (!answer.done) {
    // Its progress is on the same stream.
    std::string words;
    for (const auto line : split(answer.words, ';')) {
      if (!trim(line).starts_with("go: downloading ")) words += (words.empty() ? "" : "; ") + std::string(trim(line));
    }
    return {.proven = {},
            .missing = {{fmt::format("go does not find all of them without a network: {}; `go mod tidy` beside the "
                                     "go.mod completes go.sum, then lock and fetch again",
                                     words),
                         ""}}};
  }
  const bool builds = entry.flag("build", false) && !no_packages;
  if (builds) {
    // Into nothing: of one program alone go would write it into the folder.
    if (const auto built = ask({"build", "-o", "/dev/null", "./..."}); !built.done) {
      return {.proven = {},
              .missing = {{fmt::format("go finds all of them, and does not build the module without a network: {}",
                                       built.words),
                           ""}}};
    }
  }
  auto asking = go(folder, scratch.path(), {}, {"env", "GOVERSION"});
  const auto version = run_process(asking).output;
  const auto* tried = no_packages ? "list -m all: there is no package"
                      : builds    ? "build ./..."
                                  : "list -deps -test ./...";
  return {.proven = fmt::format("{} without a network (go {}, {}){}", what, tried, printable(trim(version)),
                                builds ? "" : "; nothing was compiled"),
          .missing = {}};
}

}  // namespace liftlock::go
