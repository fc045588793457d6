#include "ecosystem/maven/build_check.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/maven/repository_layout.hpp"
#include "ecosystem/offline_client.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock::maven {
namespace {

constexpr std::size_t k_max_files = 200'000;
constexpr std::uint64_t k_max_bytes = 4ULL << 30;

void make_repository(const std::vector<Artifact>& artifacts, const CollectContext& context, const fs::path& folder) {
  link_files(context, artifacts, k_repository_folder, folder);
  Modules modules;
  for (const auto& artifact : artifacts) {
    for (const auto& [path, file] : repository_files(artifact)) add_version(modules, *parse_repository_path(path));
  }
  for (const auto& [at, module] : modules) write_file_atomically(folder / at / "maven-metadata.xml", module.metadata());
}

/// A project, copied to where its build may write: without what it built before, and without what is Liftlock's own
/// where that lies in it.
class ProjectCopy {
 public:
  ProjectCopy(fs::path project, const std::vector<fs::path>& left_out) : m_project(std::move(project)) {
    for (const auto& path : left_out) {
      struct stat status {};
      if (::stat(path.c_str(), &status) == 0) m_left_out.insert({status.st_dev, status.st_ino});
    }
  }

  void write(const fs::path& to) { copy(m_project, to); }

 private:
  void copy(const fs::path& from, const fs::path& to) {
    fs::create_directory(to);
    for (const auto& item : fs::directory_iterator(from)) {
      const auto name = item.path().filename().string();
      struct stat status {};
      if (::lstat(item.path().c_str(), &status) != 0 || m_left_out.contains({status.st_dev, status.st_ino})) continue;
      if (S_ISDIR(status.st_mode)) {
        if (name == "target" || (name.starts_with('.') && name != ".mvn")) continue;
        count(0);
        copy(item.path(), to / name);
      } else if (S_ISREG(status.st_mode)) {
        count(static_cast<std::uint64_t>(status.st_size));
        fs::copy_file(item.path(), to / name);
      }
    }
  }

  void count(std::uint64_t bytes) {
    m_bytes += bytes;
    if (++m_files > k_max_files || m_bytes > k_max_bytes) {
      throw Error(ErrorCode::limit_exceeded,
                  fmt::format("'{}' has more than {} files, or than {}, outside its folders named target",
                              printable(m_project.string()), k_max_files, format_size(k_max_bytes)),
                  "move what is not built out of the project, or leave out the key project");
    }
  }

  fs::path m_project;
  std::set<std::pair<dev_t, ino_t>> m_left_out;
  std::size_t m_files = 0;
  std::uint64_t m_bytes = 0;
};

}  // namespace

CheckResult check_build(const StackEntry& entry, const std::vector<Artifact>& artifacts, CollectContext& context) {
  const auto wanted = entry.text("project");
  if (wanted.empty() || !find_program("mvn")) return {};
  const auto pom = fs::absolute(stack_path(wanted, context.stack_folder));
  if (!fs::is_regular_file(pom)) {
    throw Error(ErrorCode::not_found, fmt::format("{}: there is no file '{}'", entry.where(), printable(wanted)),
                "name the project's pom.xml");
  }
  const ScratchFolder scratch(context.scratch, "maven-" + portable_component(entry.name));
  const auto& folder = scratch.path();
  make_repository(artifacts, context, folder / "repository");
  // The state folder holds the store and, for as long as a command runs, its scratch folder.
  ProjectCopy(pom.parent_path(), {stack_path(entry.text("repository"), context.stack_folder), context.scratch,
                                  context.store.folder(), fs::absolute(context.store.folder()).parent_path()})
      .write(folder / "project");
  write_file_atomically(folder / "settings.xml",
                        fmt::format("<settings><mirrors><mirror><id>stack</id><mirrorOf>*</mirrorOf><url>file://{}"
                                    "</url></mirror></mirrors></settings>\n",
                                    encode_percent_path((folder / "repository").string())));
  ProcessSpec spec;
  spec.argv = {"mvn",
               "--batch-mode",
               "--quiet",
               "--settings",
               (folder / "settings.xml").string(),
               "--global-settings",
               (folder / "settings.xml").string(),
               "--file",
               (folder / "project" / pom.filename()).string(),
               "-Dmaven.repo.local=" + (folder / "m2").string(),
               "-Dstyle.color=never"};
  auto goals = entry.texts("goals");
  if (goals.empty()) goals = {"package"};
  spec.argv.insert(spec.argv.end(), goals.begin(), goals.end());
  spec.unset_environment = {"MAVEN_ARGS"};
  spec.working_folder = folder / "project";
  const auto answer = run_offline(spec, {.prefixes = {"[ERROR]", "[WARNING]"}});
  std::string asked;
  for (const auto& goal : goals) asked += " " + printable(goal);
  if (!answer.done) {
    // Maven speaks on its standard output.
    const auto words = in_one_line(answer.output, {.prefixes = {"[ERROR]", "[WARNING]"}});
    return {.proven = {},
            .missing = {{fmt::format("mvn{} does not work without a network: {}; run it again with the repository that "
                                     "the stack names and a network, then lock and fetch again",
                                     asked, words.empty() ? answer.words : words),
                         ""}}};
  }
  return {.proven = fmt::format("{} for mvn{} without a network, from an empty local repository",
                                counted(artifacts.size(), "artifact suffices", "artifacts suffice"), asked),
          .missing = {}};
}

}  // namespace liftlock::maven
