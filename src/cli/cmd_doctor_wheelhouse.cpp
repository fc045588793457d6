#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/doctor_view.hpp"
#include "cli/inspection.hpp"
#include "cli/interrupt.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/pypi/distribution.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/wheelhouse.hpp"
#include "os/parallel.hpp"
#include "store/blob_store.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string path;
  std::string python = "3.11";
  std::string platform = "linux/amd64";
  std::vector<std::string> require;
};

constexpr std::size_t k_most_files = 100'000;

/// A wheel or sdist; what stood in an archive lies in a file of its own by then.
struct HousedFile {
  std::string filename;
  fs::path at;
};

struct Wheelhouse {
  std::string shown;
  std::string install_from;  ///< for --find-links
  std::vector<HousedFile> files;
};

struct Examined {
  std::vector<HousedWheel> wheels;
  std::vector<std::string> sdists;
  std::vector<Diagnosis> diagnoses;
};

bool is_housed(std::string_view filename) {
  return is_wheel_name(filename) || is_sdist_name(filename);
}

std::vector<HousedFile> list_folder(const fs::path& folder) {
  std::vector<HousedFile> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto filename = entry.path().filename().string();
    if (!is_housed(filename) || entry.is_directory()) continue;
    if (out.size() == k_most_files) fail(ErrorCode::limit_exceeded, "there are more than {} files", k_most_files);
    out.push_back({filename, entry.path()});
  }
  if (error) fail_errno(fmt::format("list '{}'", printable(folder.string())), error.value());
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.filename < b.filename; });
  return out;
}

/// The archive is read in a cell, which has no way to files of this machine but the one it is given.
std::vector<HousedFile> list_archive(const fs::path& archive, const fs::path& scratch) {
  const auto in = open_file(archive, O_RDONLY);
  const auto all = open_file(scratch / "all", O_RDWR | O_CREAT | O_EXCL, 0600);
  const auto unpacked = unpack_wheelhouse_in_cell(in.get(), all.get());
  if (!unpacked.findings.empty()) {
    const auto& finding = unpacked.findings[0];
    fail(finding.code, "'{}': {}", printable(archive.string()), finding.message);
  }
  constexpr std::string_view where = "the answer of the cell";
  std::vector<HousedFile> out;
  for (const auto& file : array_member(unpacked.facts, "files", where)) {
    const auto at = scratch / std::to_string(out.size());
    const auto part = open_file(at, O_WRONLY | O_CREAT | O_EXCL, 0600);
    copy_hashed(all.get(), uint_member(file, "offset", where), part.get(), uint_member(file, "size", where),
                archive.string(), {});
    out.push_back({string_member(file, "name", where), at});
  }
  fs::remove(scratch / "all");
  return out;
}

/// A path that is not there, or a folder without wheels, and the place where they probably are.
[[noreturn]] void refuse_absent(const fs::path& path) {
  const auto shown = printable(path.string());
  for (const auto* suffix : {".tgz", ".tar.gz", ".tar"}) {
    if (const auto archive = path.string() + suffix; fs::is_regular_file(archive)) {
      throw Error(ErrorCode::not_found, fmt::format("there is no folder '{}'", shown),
                  fmt::format("its archive is there: unpack it with `tar -xf {0} -C {1}`, or name '{0}' here",
                              printable(archive), printable((path / "..").lexically_normal().string())));
    }
  }
  throw Error(ErrorCode::not_found, fmt::format("there is no '{}'", shown),
              "name the folder that holds the .whl files, or its .tgz; a relative path begins at the current folder");
}

[[noreturn]] void refuse_empty(const fs::path& path, std::size_t sdists) {
  const auto shown = printable(path.string());
  const auto message =
      sdists == 0 ? fmt::format("'{}' holds no .whl file", shown)
                  : fmt::format("'{}' holds no .whl file, only {}", shown, counted(sdists, "source distribution"));
  if (fs::is_directory(path)) {
    for (const auto& below : {"wheelhouse", "packages/pypi", "wheels", "dist"}) {
      std::error_code ignored;
      if (!fs::is_directory(path / below, ignored) || list_folder(path / below).empty()) continue;
      throw Error(ErrorCode::not_found, message,
                  fmt::format("name '{}', which holds some; pip does not look into folders within a folder either",
                              printable((path / below).string())));
    }
  }
  throw Error(ErrorCode::not_found, message,
              "fill it on the connected machine: `pip download -r requirements.txt -d wheelhouse`, or pack a bundle, "
              "whose packages/pypi is a wheelhouse");
}

Wheelhouse open_wheelhouse(const fs::path& path, const fs::path& scratch) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    if (error == std::errc::permission_denied) fail_errno(fmt::format("look at '{}'", path.string()), error.value());
    refuse_absent(path);
  }
  Wheelhouse out{.shown = printable(path.string()), .install_from = path.string(), .files = {}};
  if (fs::is_directory(path)) {
    out.files = list_folder(path);
  } else {
    out.files = list_archive(path, scratch);
    out.install_from = "FOLDER";
  }
  const auto wheels =
      std::count_if(out.files.begin(), out.files.end(), [](const auto& file) { return is_wheel_name(file.filename); });
  if (wheels == 0) refuse_empty(path, out.files.size());
  return out;
}

std::vector<std::string> texts(const Json& facts, const char* key) {
  std::vector<std::string> out;
  if (const auto found = facts.find(key); found != facts.end() && found->is_array()) {
    for (const auto& text : *found) {
      if (text.is_string()) out.push_back(text.get<std::string>());
    }
  }
  return out;
}

class Examination {
 public:
  explicit Examination(Reporter& reporter) : m_reporter(reporter) {}

  Examined run(const std::vector<HousedFile>& files) {
    ProgressTask progress(m_reporter, "inspect", Unit::items, files.size());
    std::vector<Examined> each(files.size());
    parallel_for(files.size(), [&](std::size_t i) {
      try {
        each[i] = is_wheel_name(files[i].filename) ? wheel(files[i]) : sdist(files[i]);
      } catch (const Error& error) {
        each[i].diagnoses = {{error.code(), files[i].filename, error.what(), std::string(error.hint())}};
      }
      progress.advance(1);
    });
    Examined all;
    for (auto& one : each) {
      std::move(one.wheels.begin(), one.wheels.end(), std::back_inserter(all.wheels));
      std::move(one.sdists.begin(), one.sdists.end(), std::back_inserter(all.sdists));
      std::move(one.diagnoses.begin(), one.diagnoses.end(), std::back_inserter(all.diagnoses));
    }
    return all;
  }

 private:
  Inspection inspect(const HousedFile& file, const std::string& kind, const std::string& project,
                     const std::string& version) {
    const auto fd = open_file(file.at, O_RDONLY | O_NONBLOCK);  // a pipe would wait for its writer
    const auto size = regular_size(fd.get(), file.filename);
    const Artifact artifact{.kind = kind,
                            .name = normalize_project_name(project),
                            .version = version,
                            .files = {{.path = RelPath::parse(file.filename),
                                       .size = size,
                                       .digest = sha256_of_file(fd.get(), file.filename),
                                       .origin = {},
                                       .evidence = {}}}};
    return m_inspect.artifact(artifact, [&](const Digest&) { return open_file(file.at, O_RDONLY); }, {});
  }

  Examined wheel(const HousedFile& file) {
    Examined out;
    const auto name = WheelFilename::parse(file.filename);
    if (!name) {
      out.diagnoses.push_back({ErrorCode::package_malformed, file.filename,
                               "it is no wheel file name (NAME-VERSION-PYTHON-ABI-PLATFORM.whl): pip ignores it",
                               "give it the name that it has at its origin"});
      return out;
    }
    HousedWheel housed{.filename = file.filename, .name = *name, .metadata = {}};
    housed.metadata.name = name->name;
    housed.metadata.version = name->version;
    const auto inspection = inspect(file, "wheel", name->name, name->version);
    for (const auto& finding : inspection.findings) out.diagnoses.push_back(diagnosis_of(finding));
    housed.metadata.requires_dist = texts(inspection.facts, "requires_dist");
    housed.metadata.requires_python = inspection.facts.value("requires_python", "");
    out.wheels.push_back(std::move(housed));
    return out;
  }

  Examined sdist(const HousedFile& file) {
    Examined out;
    out.sdists.push_back(file.filename);
    const auto name = SdistFilename::parse(file.filename);
    if (!name) return out;  // any archive may have such a name
    for (const auto& finding : inspect(file, "sdist", name->name, name->version).findings) {
      out.diagnoses.push_back(diagnosis_of(finding));
    }
    return out;
  }

  Reporter& m_reporter;
  Inspect m_inspect = make_inspect();
};

/// Files that are one to pip, and differ: it takes either.
void add_twins(const std::vector<HousedFile>& files, std::vector<Diagnosis>& diagnoses) {
  std::map<Distribution, const HousedFile*> known;
  const auto digest_of = [](const HousedFile& file) {
    return sha256_of_file(open_file(file.at, O_RDONLY | O_NONBLOCK).get(), file.filename);
  };
  for (const auto& file : files) {
    const auto distribution = Distribution::of_filename(file.filename);
    if (!distribution) continue;
    const auto [other, fresh] = known.emplace(*distribution, &file);
    if (fresh || digest_of(*other->second) == digest_of(file)) continue;
    diagnoses.push_back({ErrorCode::path_collision, file.filename,
                         one_distribution_twice(*distribution, other->second->filename, file.filename),
                         "pip takes either: find out which one is meant, and take the other out"});
  }
}

std::string wanted_by(const MissingProject& project) {
  std::string out;
  for (const auto& want : project.wanted) {
    out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", want.by.empty() ? "--require" : want.by, want.requirement);
  }
  return out;
}

void add_gaps(const WheelhouseReport& report, std::vector<Diagnosis>& diagnoses) {
  for (const auto& project : report.missing) {
    auto message = project.reason;
    if (!project.wanted.empty()) message += "; wanted by " + wanted_by(project);
    diagnoses.push_back({ErrorCode::wheelhouse_incomplete, project.name, std::move(message)});
  }
  for (const auto& obstacle : report.obstacles) {
    diagnoses.push_back({ErrorCode::wheelhouse_incomplete, obstacle.by.empty() ? "--require" : obstacle.by,
                         fmt::format("{}: {}", obstacle.requirement, obstacle.reason),
                         "take a version that fits the target"});
  }
}

std::string remarks_text(const WheelhouseReport& report, const Examined& examined) {
  std::string out;
  for (const auto& filename : report.unfit) out += fmt::format("note: for another target: {}\n", printable(filename));
  for (const auto& filename : examined.sdists) {
    out += fmt::format("note: source that pip would have to build, with a compiler and build requirements: {}\n",
                       printable(filename));
  }
  if (report.glibc > 0) {
    out += fmt::format("note: the target needs glibc 2.{} or newer, because of {}\n", report.glibc,
                       printable(report.glibc_wheel));
  }
  return out;
}

Json to_json(const Wheelhouse& wheelhouse, const WheelTarget& target, const Examined& examined,
             const WheelhouseReport& report) {
  auto wheels = Json::array();
  for (const auto& wheel : examined.wheels) {
    const bool unfit = std::find(report.unfit.begin(), report.unfit.end(), wheel.filename) != report.unfit.end();
    wheels.push_back({{"file", printable(wheel.filename)},
                      {"name", normalize_project_name(wheel.metadata.name)},
                      {"version", wheel.metadata.version},
                      {"fits", !unfit}});
  }
  auto missing = Json::array();
  for (const auto& project : report.missing) {
    auto wanted = Json::array();
    for (const auto& want : project.wanted) wanted.push_back({{"by", want.by}, {"requirement", want.requirement}});
    missing.push_back({{"name", project.name}, {"reason", printable(project.reason)}, {"wanted", std::move(wanted)}});
  }
  auto sdists = Json::array();
  for (const auto& filename : examined.sdists) sdists.push_back(printable(filename));
  Json out = {{"good", examined.diagnoses.empty()},
              {"wheelhouse", wheelhouse.shown},
              {"target", target.text()},
              {"wheels", std::move(wheels)},
              {"sdists", std::move(sdists)},
              {"missing", std::move(missing)},
              {"problems", to_json(examined.diagnoses)}};
  if (report.glibc > 0) out["glibc"] = fmt::format("2.{}", report.glibc);
  return out;
}

std::string to_text(const Wheelhouse& wheelhouse, const WheelTarget& target, const Examined& examined,
                    const WheelhouseReport& report) {
  auto out = fmt::format("{}: {}, {}; judged for {}\n", wheelhouse.shown, counted(examined.wheels.size(), "wheel"),
                         counted(examined.sdists.size(), "source distribution"), target.text());
  out += remarks_text(report, examined);
  out += diagnoses_text(examined.diagnoses);
  if (!examined.diagnoses.empty()) return out;
  return out + fmt::format("good: everything in it installs with `pip install --no-index --find-links {} NAME`\n",
                           printable(wheelhouse.install_from));
}

void run(Invocation& invocation, const Options& options) {
  begin_anew_after_interrupt();
  const auto target = WheelTarget::parse(options.python, options.platform);
  const TemporaryFolder scratch;
  const auto wheelhouse = open_wheelhouse(options.path, scratch.path());
  auto examined = Examination(invocation.reporter()).run(wheelhouse.files);
  add_twins(wheelhouse.files, examined.diagnoses);
  const auto report = check_wheelhouse(examined.wheels, examined.sdists, options.require, target);
  add_gaps(report, examined.diagnoses);
  invocation.print(to_json(wheelhouse, target, examined, report),
                   [&] { return to_text(wheelhouse, target, examined, report); });
  invocation.set_status(status_of(examined.diagnoses));
}

}  // namespace

void add_doctor_wheelhouse(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("wheelhouse", "Will a folder of wheels install without an index?");
  auto options = std::make_shared<Options>();
  command->add_option("WHEELHOUSE", options->path, "Folder of .whl files, or a .tar or .tgz of one")->required();
  command->add_option("--python", options->python, "Python of the target")->type_name("VERSION")->capture_default_str();
  command->add_option("--platform", options->platform, "Platform of the target")->capture_default_str();
  command
      ->add_option("--require", options->require, "A requirement that must be satisfied, extras too: uvicorn[standard]")
      ->type_name("REQUIREMENT");
  command->footer(
      "Every wheel is unpacked and checked as ingest does it; then Requires-Dist and Requires-Python of all that fit\n"
      "the target are followed. Says which projects are missing and who wants them.\n"
      "Example: liftlock doctor wheelhouse wheelhouse.tgz --python 3.12 --require 'uvicorn[standard]'");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
