#include "ecosystem/pypi/collector.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/pypi/closure.hpp"
#include "ecosystem/pypi/distribution.hpp"
#include "ecosystem/pypi/pip.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/wheel.hpp"
#include "os/file.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

constexpr unsigned k_parallel_heads = 8;

constexpr std::array k_keys{
    KeySpec{.name = "requirements",
            .type = ValueType::strings,
            .doc = "requirements as pip takes them",
            .example = R"(["requests>=2.31", "uvicorn[standard]"])"},
    KeySpec{.name = "requirements_file",
            .doc = "a requirements.txt, relative to the stack file",
            .example = R"("requirements.txt")"},
    KeySpec{.name = "constraints",
            .doc = "a constraints file, relative to the stack file",
            .example = R"("constraints.txt")"},
    KeySpec{
        .name = "interpreter", .doc = "the Python whose pip resolves; default python3", .example = R"("python3.11")"},
    KeySpec{.name = "python_version",
            .doc = "wheels for another Python; markers are still those of the interpreter",
            .example = R"("3.12")"},
    KeySpec{.name = "platforms",
            .type = ValueType::strings,
            .doc = "platform tags of another machine",
            .example = R"(["manylinux_2_28_aarch64", "manylinux2014_aarch64"])"},
    KeySpec{.name = "find_links",
            .type = ValueType::strings,
            .doc = "more folders with wheels, relative to the stack file",
            .example = R"(["wheels"])"},
    KeySpec{.name = "sdists",
            .type = ValueType::boolean,
            .doc = "allow source distributions (their build code runs while locking); default false",
            .example = "false"},
    KeySpec{.name = "pre", .type = ValueType::boolean, .doc = "allow pre-releases; default false", .example = "false"},
};

std::string machine_of(std::string_view platform) {
  const auto architecture = platform.substr(std::min(platform.find('/') + 1, platform.size()));
  if (architecture == "amd64") return "x86_64";
  if (architecture == "arm64") return "aarch64";
  return std::string(architecture);
}

/// What pip asked for, seen from here: file, kind, id.
Artifact artifact_of(const PipChoice& choice, const FetchResult& content, const PipReport& report) {
  const bool wheel = choice.filename.ends_with(".whl");
  Artifact out{.kind = wheel ? "wheel" : "sdist",
               .name = normalize_project_name(choice.metadata.name),
               .version = choice.metadata.version};
  if (!choice.metadata.requires_python.empty()) out.facts["requires_python"] = choice.metadata.requires_python;
  Evidence evidence{.type = "first-use", .details = Json::object()};
  if (!choice.url.starts_with("file:") && choice.digest) {
    evidence.type = "index-hash";
    evidence.details["sha256"] = choice.digest->hex();
    evidence.details["resolver"] = "pip " + report.pip_version;
  }
  out.files.push_back(
      {RelPath::parse("packages/pypi/" + choice.filename), content.size, content.digest, choice.url, {evidence}});
  return out;
}

class PypiCollector : public Collector {
 public:
  std::string_view table() const override { return "python"; }
  std::string_view summary() const override { return "Python packages: wheels and what they need, resolved by pip"; }
  std::span<const KeySpec> keys() const override { return k_keys; }

  std::vector<fs::path> input_files(const StackEntry& entry, const fs::path&) const override {
    std::vector<fs::path> out;
    for (const auto* key : {"requirements_file", "constraints"}) {
      if (const auto path = entry.text(key); !path.empty()) out.emplace_back(path);
    }
    return out;
  }

  Collected resolve(const StackEntry& entry, CollectContext& context) const override;
  std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry& entry, CollectContext& context) const override;
  CheckResult check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                    CollectContext& context) const override;

 private:
  static void refuse_twins(const PipReport& report, const PipQuestion& question, const StackEntry& entry);
  static PipQuestion question_of(const StackEntry& entry, const CollectContext& context);
  static std::vector<FetchResult> contents_of(const PipReport& report, const IndexCredentials& credentials,
                                              CollectContext& context);
  static std::string license_of(const PipChoice& choice, const Digest& digest, const IndexCredentials& credentials,
                                CollectContext& context);

  mutable std::mutex m_mutex;
  mutable std::map<std::string, IndexCredentials> m_credentials;  ///< by interpreter: asking pip takes a moment
};

PipQuestion PypiCollector::question_of(const StackEntry& entry, const CollectContext& context) {
  const auto absolute = [&](const std::string& path) { return (context.stack_folder / path).string(); };
  PipQuestion out{.requirements = entry.texts("requirements"),
                  .python_version = entry.text("python_version"),
                  .platforms = entry.texts("platforms"),
                  .sdists = entry.flag("sdists", false),
                  .prereleases = entry.flag("pre", false)};
  for (auto& requirement : out.requirements) {
    if (trim(requirement).starts_with('-')) {
      fail(ErrorCode::stack_invalid, "{}: '{}' is an option, not a requirement", entry.where(), printable(requirement));
    }
    if (requirement.starts_with("./") || requirement.starts_with("../")) requirement = absolute(requirement);
  }
  if (const auto file = entry.text("requirements_file"); !file.empty()) out.requirements_file = absolute(file);
  if (const auto file = entry.text("constraints"); !file.empty()) out.constraints = absolute(file);
  for (const auto& folder : entry.texts("find_links")) {
    out.find_links.push_back(absolute(folder));
    // pip takes no notice of a folder that is not there, and would ask the index.
    if (!fs::is_directory(out.find_links.back())) {
      throw Error(ErrorCode::not_found,
                  fmt::format("{}: find_links: '{}' is no folder", entry.where(), printable(folder)), "check the path");
    }
  }
  if (out.requirements.empty() && out.requirements_file.empty()) {
    fail(ErrorCode::stack_invalid, "{} names neither requirements nor requirements_file", entry.where());
  }
  if (out.sdists && (!out.python_version.empty() || !out.platforms.empty())) {
    fail(ErrorCode::stack_invalid, "{}: sdists can be had only for the interpreter that resolves", entry.where());
  }
  return out;
}

/// pip says nothing of a second file in its folders that is the same wheel or source distribution by another spelling.
void PypiCollector::refuse_twins(const PipReport& report, const PipQuestion& question, const StackEntry& entry) {
  std::set<Distribution> chosen;
  for (const auto& choice : report.choices) {
    if (!choice.url.starts_with("file:")) continue;
    if (auto distribution = Distribution::of_filename(choice.filename)) chosen.insert(std::move(*distribution));
  }
  if (chosen.empty()) return;
  std::map<Distribution, fs::path> known;
  for (const auto& folder : question.find_links) {
    for (const auto& file : fs::directory_iterator(folder)) {
      const auto distribution = Distribution::of_filename(file.path().filename().string());
      if (!distribution || !chosen.contains(*distribution) || !file.is_regular_file()) continue;
      const auto [other, fresh] = known.emplace(*distribution, file.path());
      if (fresh) continue;
      const auto digest_of = [](const fs::path& at) {
        return sha256_of_file(open_file(at, O_RDONLY).get(), at.string());
      };
      if (digest_of(other->second) == digest_of(file.path())) continue;
      const auto names = std::minmax({other->second.string(), file.path().string()});
      throw Error(
          ErrorCode::path_collision,
          fmt::format("{}: {}", entry.where(), one_distribution_twice(*distribution, names.first, names.second)),
          "pip would take either: keep the one that you mean in the folders of find_links");
    }
  }
}

/// Sizes and digests: by a HEAD request where the index gave the digest, else by fetching the file.
std::vector<FetchResult> PypiCollector::contents_of(const PipReport& report, const IndexCredentials& credentials,
                                                    CollectContext& context) {
  std::vector<std::optional<FetchResult>> found(report.choices.size());
  parallel_for(
      report.choices.size(),
      [&](std::size_t i) {
        const auto& choice = report.choices[i];
        if (!choice.digest) return;
        if (const auto size = context.store.size(*choice.digest)) found[i] = FetchResult{*choice.digest, *size};
        if (found[i] || choice.url.starts_with("file:")) return;
        const auto head = context.downloader.get({.url = choice.url,
                                                  .headers = credentials.headers_for(choice.url),
                                                  .head = true,
                                                  .accepted_status = {200, 403, 404, 405, 501}});
        const auto size = parse_uint(head.header("Content-Length").value_or(""));
        if (head.status == 200 && size && *size > 0) found[i] = FetchResult{*choice.digest, *size};
      },
      k_parallel_heads);
  std::vector<FetchJob> jobs;
  std::vector<std::size_t> owners;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i]) continue;
    const auto& choice = report.choices[i];
    owners.push_back(i);
    jobs.push_back({.title = choice.filename,
                    .digest = choice.digest,
                    .size = {},
                    .url = choice.url,
                    .headers = [credentials, url = choice.url] { return credentials.headers_for(url); },
                    .produce = {}});
  }
  const auto fetched = context.downloader.fetch(jobs);
  for (std::size_t i = 0; i < owners.size(); ++i) found[owners[i]] = fetched[i];
  std::vector<FetchResult> out;
  for (const auto& one : found) out.push_back(*one);
  return out;
}

/// pip before 24 leaves License-Expression out of its report: METADATA itself has it, from the wheel when it is here,
/// else from the index (PEP 658).
std::string PypiCollector::license_of(const PipChoice& choice, const Digest& digest,
                                      const IndexCredentials& credentials, CollectContext& context) {
  const auto name = WheelFilename::parse(choice.filename);
  if (const auto stated = choice.metadata.license_text(); !stated.empty() || !name) return stated;
  if (context.store.contains(digest)) {
    const auto fd = context.store.open(digest);
    return Wheel(fd.get(), *name).metadata().license_text();
  }
  const auto document = context.downloader.get({.url = choice.url + ".metadata",
                                                .headers = credentials.headers_for(choice.url),
                                                .max_bytes = k_max_core_metadata,
                                                .accepted_status = {200, 401, 403, 404, 405, 410}});
  if (document.status != 200) return {};
  const auto metadata = parse_core_metadata(document.body);
  check_same_project(metadata, name->name, name->version);
  return metadata.license_text();
}

Collected PypiCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  const auto question = question_of(entry, context);
  const Pip pip(entry.text("interpreter", "python3"), context.scratch);
  const auto report = with_context(entry.where(), [&] { return pip.resolve(question); });
  refuse_twins(report, question, entry);

  Collected out;
  const auto machine = report.environment.find("platform_machine");
  const auto wanted = machine_of(context.platform);
  if (question.platforms.empty() && machine != report.environment.end() && machine->second != wanted) {
    throw Error(
        ErrorCode::stack_invalid,
        fmt::format("{}: the stack is for {}, the interpreter runs on {}", entry.where(), wanted, machine->second),
        "name the wheel tags of the target with `platforms`");
  }
  if (!question.platforms.empty() || !question.python_version.empty()) {
    out.notes.push_back(fmt::format(
        "{}: pip judged environment markers for Python {} on this machine, not for the named target; "
        "requirements that only the target needs must be named in the stack",
        entry.where(),
        report.environment.count("python_full_version") != 0 ? report.environment.at("python_full_version") : "?"));
  }

  std::vector<ClosureMember> members;
  for (const auto& choice : report.choices) members.push_back({.metadata = choice.metadata, .extras = choice.extras});
  const auto closure = check_closure(members, report.environment);
  for (const auto& gap : closure.gaps) {
    if (gap.requirement.starts_with("Requires-Python") && !question.python_version.empty()) continue;
    out.notes.push_back(
        fmt::format("{} needs {}, but {}", report.choices[gap.from].metadata.name, gap.requirement, gap.reason));
  }

  const auto credentials = pip.index_credentials();
  const auto contents = contents_of(report, credentials, context);
  std::vector<std::string> licenses(report.choices.size());
  parallel_for(
      licenses.size(),
      [&](std::size_t i) { licenses[i] = license_of(report.choices[i], contents[i].digest, credentials, context); },
      k_parallel_heads);
  for (std::size_t i = 0; i < report.choices.size(); ++i) {
    out.artifacts.push_back(artifact_of(report.choices[i], contents[i], report));
    out.artifacts.back().license = licenses[i];
    if (report.choices[i].yanked)
      out.notes.push_back(fmt::format("{} was yanked by its authors", out.artifacts[i].id()));
  }
  for (const auto& edge : closure.edges) {
    if (edge.from != edge.to) out.artifacts[edge.from].needs.push_back(out.artifacts[edge.to].id());
  }
  for (auto& artifact : out.artifacts) std::sort(artifact.needs.begin(), artifact.needs.end());
  std::sort(out.artifacts.begin(), out.artifacts.end(),
            [](const Artifact& a, const Artifact& b) { return a.id() < b.id(); });
  return out;
}

std::vector<FetchJob> PypiCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                          CollectContext& context) const {
  auto jobs = Collector::plan(artifact, entry, context);
  if (jobs.empty()) return jobs;
  const auto interpreter = entry.text("interpreter", "python3");
  const std::lock_guard lock(m_mutex);
  auto known = m_credentials.find(interpreter);
  if (known == m_credentials.end()) {
    known = m_credentials.emplace(interpreter, Pip(interpreter, context.scratch).index_credentials()).first;
  }
  for (auto& job : jobs) {
    job.headers = [credentials = known->second, url = job.url] { return credentials.headers_for(url); };
  }
  return jobs;
}

CheckResult PypiCollector::check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                                 CollectContext& context) const {
  const auto question = question_of(entry, context);
  const auto wheelhouse = context.scratch / "wheelhouse";
  make_folders(wheelhouse);
  std::size_t files = 0;
  for (const auto& artifact : artifacts) {
    for (const auto& file : artifact.files) {
      // The name is that of the last component: pip reads the project and its version from it.
      fs::create_symlink(context.store.path(file.digest), wheelhouse / fs::path(file.path.text()).filename());
      ++files;
    }
  }
  const Pip pip(entry.text("interpreter", "python3"), context.scratch);
  const auto target = context.scratch / "installed";
  const auto words = pip.install_from(question, wheelhouse, target);
  fs::remove_all(target);
  fs::remove_all(wheelhouse);
  if (!words.empty()) return {.proven = {}, .missing = {{"they do not install without a network: " + words, ""}}};
  return {.proven = fmt::format("{} without a network ({})", counted(files, "package installs", "packages install"),
                                pip.version()),
          .missing = {}};
}

}  // namespace

std::unique_ptr<Collector> make_pypi_collector() {
  return std::make_unique<PypiCollector>();
}

}  // namespace liftlock
