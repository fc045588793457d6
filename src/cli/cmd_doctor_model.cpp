#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/doctor_view.hpp"
#include "cli/inspection.hpp"
#include "cli/interrupt.hpp"
#include "cli/model_config.hpp"
#include "cli/store_view.hpp"
#include "crypto/hash.hpp"
#include "crypto/sha256sums.hpp"
#include "os/user.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string model;
  std::string user;
};

constexpr std::size_t k_most_files = 100'000;
constexpr const char* k_lists[] = {"MODEL_MANIFEST.sha256", "checksums.txt", "SHA256SUMS"};

struct ModelFile {
  std::string name;  ///< relative to the model
  fs::path at;
  std::optional<Digest> stated;
  std::string stated_by;  ///< "MODEL_MANIFEST.sha256", "the store"; empty: nobody
  ErrorCode mismatch = ErrorCode::digest_mismatch;
  std::optional<Digest> actual;
  std::uint64_t size = 0;
};

/// One model that was asked for.
struct Patient {
  std::string title;
  std::vector<ModelFile> files;
  std::vector<Diagnosis> diagnoses;
  std::vector<std::string> remarks;
  std::string readers;
  Json facts = Json::object();
};

// -- where the files are

/// There, or behind a folder that is closed to us.
bool may_be_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) || error == std::errc::permission_denied;
}

void require_reachable(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path, error) || error != std::errc::permission_denied) return;
  throw Error(
      ErrorCode::io_error, fmt::format("a folder on the way to '{}' is closed to you", printable(path.string())),
      fmt::format("`namei -l '{}'` shows the modes; ask somebody who may enter, or run it as the user who loads it",
                  printable(path.string())));
}

/// "'/srv' has no 'models'": the first component that is wrong.
[[noreturn]] void refuse_absent(const fs::path& path, const std::string& hint) {
  auto parent = fs::absolute(path).lexically_normal();
  auto missing = parent;
  while (!fs::exists(parent) && parent.has_relative_path()) {
    missing = parent;
    parent = parent.parent_path();
  }
  throw Error(ErrorCode::not_found,
              fmt::format("there is no '{}': '{}' has no '{}'", printable(path.string()), printable(parent.string()),
                          printable(missing.filename().string())),
              hint);
}

std::string nearest_in(const fs::path& folder, const std::string& filename) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (names.size() < 1000) names.push_back(entry.path().filename().string());
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const auto near = nearest(filename, known);
  return near ? fmt::format("did you mean '{}'?", printable((folder / *near).string())) : "";
}

std::vector<ModelFile> list_files(const fs::path& path) {
  if (!fs::is_directory(path)) return {{.name = path.filename().string(), .at = path}};
  std::vector<ModelFile> out;
  for (const auto& entry : walk(path, k_most_files)) {
    const bool hidden = entry.path.starts_with('.') || entry.path.find("/.") != std::string::npos;
    const auto name = fs::path(entry.path).filename().string();
    const bool list = std::find(std::begin(k_lists), std::end(k_lists), name) != std::end(k_lists);
    if (hidden || list || fs::is_directory(path / entry.path)) continue;
    out.push_back({.name = entry.path, .at = path / entry.path});
  }
  return out;
}

// -- what their digests should be

/// The list that stands beside the files states digests; what it names and is not there is told.
void apply_list(const fs::path& list, const fs::path& model, Patient& patient) {
  const auto folder = list.parent_path();
  const bool whole_folder = fs::is_directory(model);
  std::map<fs::path, ModelFile*> known;
  for (auto& file : patient.files) known.emplace(file.at.lexically_normal(), &file);
  for (const auto& line : parse_sha256sums(read_file(list, Sha256sumsLimits{}.max_bytes))) {
    const auto listed = (folder / fs::path(line.path).relative_path()).lexically_normal();
    if (const auto found = known.find(listed); found != known.end()) {
      found->second->stated = line.digest;
      found->second->stated_by = list.filename().string();
    } else if (whole_folder && !fs::exists(listed) && listed.string().starts_with(model.string() + "/")) {
      patient.diagnoses.push_back({ErrorCode::missing_file, printable(line.path),
                                   fmt::format("{} names it, and it is not there", list.filename().string()),
                                   "copy the model again"});
    }
  }
}

void find_stated(const fs::path& model, Patient& patient) {
  // In a bundle the list stands two folders above the model.
  const auto inside = fs::is_directory(model) ? model : model.parent_path();
  for (const auto& folder : {inside, inside.parent_path(), inside.parent_path().parent_path()}) {
    for (const auto* name : k_lists) {
      const auto list = folder / name;
      if (!fs::is_regular_file(list)) continue;
      try {
        apply_list(list, model, patient);
      } catch (const Error& error) {
        patient.diagnoses.push_back({error.code(), list.string(), error.message(), "correct or remove the list"});
      }
      return;
    }
  }
}

/// What the store of this installation has of the same bytes, or of the same name with other bytes.
void compare_with_store(const Catalog& catalog, Patient& patient) {
  std::map<std::string, std::pair<Digest, std::string>> by_name;
  for (const auto& artifact : catalog.artifacts()) {
    if (artifact.kind != "model") continue;
    for (const auto& file : artifact.files) {
      by_name.emplace(file.path.filename(), std::pair{file.digest, artifact.id()});
    }
  }
  for (auto& file : patient.files) {
    if (file.stated || !file.actual) continue;
    if (const auto users = catalog.users_of(*file.actual); !users.empty()) {
      file.stated = file.actual;
      file.stated_by = "the store: " + users.front();
    } else if (const auto found = by_name.find(fs::path(file.name).filename().string()); found != by_name.end()) {
      patient.remarks.push_back(fmt::format("{}: {} of the store has a file of this name with other bytes ({})",
                                            printable(file.name), found->second.second, found->second.first.text()));
    }
  }
}

// -- the examination

void check_readers(const std::optional<User>& user, Patient& patient) {
  std::optional<Barrier> public_barrier;
  for (const auto& file : patient.files) {
    std::error_code error;
    const auto path = fs::canonical(file.at, error);
    if (error) continue;  // reading it will tell
    if (!public_barrier) public_barrier = what_bars(path, std::nullopt);
    const auto barrier = user ? what_bars(path, user) : std::nullopt;
    if (!barrier) continue;
    const bool folder = fs::is_directory(barrier->path);
    const auto shown = printable(barrier->path.string());
    patient.diagnoses.push_back(
        {ErrorCode::io_error, file.name,
         fmt::format("the user {} cannot read it: '{}' has the mode {}", user->name, shown, barrier->mode),
         fmt::format("let the user in: setfacl -m u:{}:{} '{}'", user->name, folder ? "x" : "r", shown)});
  }
  patient.readers = public_barrier ? fmt::format("not everybody: '{}' has the mode {}",
                                                 printable(public_barrier->path.string()), public_barrier->mode)
                                   : "everybody on this machine";
}

void hash_files(Patient& patient, Reporter& reporter) {
  ProgressTask progress(reporter, "hash", Unit::bytes, 0);
  for (auto& file : patient.files) {
    try {
      const auto fd = open_file(file.at, O_RDONLY | O_NONBLOCK);  // a pipe would wait for its writer
      file.size = regular_size(fd.get(), file.name);
      progress.grow(file.size);
      file.actual =
          sha256_of_range(fd.get(), 0, file.size, file.name, [&](std::uint64_t done) { progress.advance(done); });
    } catch (const Error& error) {
      patient.diagnoses.push_back({error.code(), file.name, error.message()});
      continue;
    }
    if (file.stated && *file.stated != *file.actual) {
      patient.diagnoses.push_back(
          {file.mismatch, file.name,
           fmt::format("it has {}, and {} says {}", file.actual->text(), file.stated_by, file.stated->text())});
    }
  }
}

void inspect_files(Patient& patient) {
  Artifact artifact{.kind = "model", .name = "model", .version = "1"};
  std::map<Digest, fs::path> places;
  for (const auto& file : patient.files) {
    if (!file.actual) continue;
    const auto path = RelPath::try_parse(file.name);
    if (!path) {
      patient.diagnoses.push_back({ErrorCode::path_unsafe, file.name, why_not_rel_path(file.name)});
      continue;
    }
    places.emplace(*file.actual, file.at);
    artifact.files.push_back({.path = *path, .size = file.size, .digest = *file.actual, .origin = {}, .evidence = {}});
  }
  if (artifact.files.empty()) return;
  std::sort(artifact.files.begin(), artifact.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  const auto inspection = make_inspect().artifact(
      artifact, [&](const Digest& digest) { return open_file(places.at(digest), O_RDONLY); }, {});
  for (const auto& finding : inspection.findings) patient.diagnoses.push_back(diagnosis_of(finding));
  patient.facts = inspection.facts;
}

Patient examine(Patient patient, const std::optional<User>& user, const Catalog* catalog, Reporter& reporter) {
  check_readers(user, patient);
  hash_files(patient, reporter);
  if (catalog != nullptr) compare_with_store(*catalog, patient);
  inspect_files(patient);
  return patient;
}

Patient patient_at(const fs::path& path) {
  require_reachable(path);
  if (!fs::exists(path)) refuse_absent(path, nearest_in(path.parent_path(), path.filename().string()));
  Patient patient{.title = printable(path.string())};
  const auto model = fs::absolute(path).lexically_normal();
  const auto at = model.has_filename() ? model : model.parent_path();
  patient.files = list_files(at);
  if (patient.files.empty()) {
    throw Error(ErrorCode::not_found, fmt::format("the folder '{}' holds no file", patient.title),
                "name the folder of one model, or its file");
  }
  find_stated(at, patient);
  return patient;
}

Patient patient_of_store(const OpenStore& store, const Artifact& artifact) {
  Patient patient{.title = printable(artifact.id()) + " of the store"};
  for (const auto& file : artifact.files) {
    if (!store.blobs.contains(file.digest)) {
      patient.diagnoses.push_back({ErrorCode::missing_file, file.path.text(), "the store has lost its bytes",
                                   "run `liftlock scrub`, then ingest or fetch it again"});
      continue;
    }
    patient.files.push_back({.name = file.path.text(),
                             .at = store.blobs.path(file.digest),
                             .stated = file.digest,
                             .stated_by = "the store",
                             .mismatch = ErrorCode::blob_corrupt});
  }
  return patient;
}

// -- the answer

Json to_json(const Patient& patient) {
  auto files = Json::array();
  for (const auto& file : patient.files) {
    Json one = {{"path", printable(file.name)}, {"size", file.size}, {"stated_by", file.stated_by}};
    if (file.actual) one["sha256"] = file.actual->hex();
    files.push_back(std::move(one));
  }
  return {{"model", patient.title},
          {"good", patient.diagnoses.empty()},
          {"readers", patient.readers},
          {"files", std::move(files)},
          {"facts", patient.facts},
          {"notes", patient.remarks},
          {"problems", liftlock::to_json(patient.diagnoses)}};
}

std::string to_text(const Patient& patient) {
  std::uint64_t size = 0;
  for (const auto& file : patient.files) size += file.size;
  auto out = fmt::format("{}: {}, {}\n", patient.title, counted(patient.files.size(), "file"), format_size(size));
  out += fmt::format("  readable by     {}\n", patient.readers);
  out += facts_text(patient.facts, 16);
  for (const auto& file : patient.files) {
    if (!file.actual) continue;
    out += fmt::format("  {}\n    sha256 {}, {}\n", printable(file.name), file.actual->hex(),
                       file.stated_by.empty()         ? "which nothing here can confirm"
                       : *file.stated == *file.actual ? "as " + printable(file.stated_by) + " says"
                                                      : "which is wrong");
  }
  for (const auto& remark : patient.remarks) out += "note: " + remark + "\n";
  out += diagnoses_text(patient.diagnoses);
  return patient.diagnoses.empty() ? out + "good: nothing is wrong with it\n" : out;
}

std::vector<Patient> patients(Invocation& invocation, const Options& options) {
  std::optional<User> user;
  if (!options.user.empty()) {
    user = find_user(options.user);
    if (!user) fail(ErrorCode::usage, "this machine has no user '{}'", printable(options.user));
  }
  const auto site = invocation.site();
  std::optional<OpenStore> store;
  if (site.exists()) store.emplace(site, "doctor model", Access::read);
  const auto* catalog = store ? &store->catalog : nullptr;
  auto& reporter = invocation.reporter();

  std::vector<Patient> out;
  const bool is_path = may_be_there(options.model) || options.model.find('/') != std::string::npos;
  if (options.model.ends_with(".toml") && may_be_there(options.model)) {
    for (const auto& [key, path] : model_paths(options.model)) {
      auto patient = with_context("key " + key, [&, at = path] { return patient_at(at); });
      patient.title = key + " = " + patient.title;
      out.push_back(examine(std::move(patient), user, catalog, reporter));
    }
  } else if (is_path || !store) {
    out.push_back(examine(patient_at(options.model), user, catalog, reporter));
  } else {
    const auto artifact = require_artifact(store->catalog, options.model);
    if (artifact.kind != "model") fail(ErrorCode::usage, "{} is no model", printable(artifact.id()));
    out.push_back(examine(patient_of_store(*store, artifact), user, nullptr, reporter));
  }
  return out;
}

void run(Invocation& invocation, const Options& options) {
  begin_anew_after_interrupt();
  const auto examined = patients(invocation, options);
  std::vector<Diagnosis> all;
  auto models = Json::array();
  for (const auto& patient : examined) {
    all.insert(all.end(), patient.diagnoses.begin(), patient.diagnoses.end());
    models.push_back(to_json(patient));
  }
  invocation.print({{"good", all.empty()}, {"models", std::move(models)}}, [&] {
    std::string out;
    for (const auto& patient : examined) out += to_text(patient);
    return out;
  });
  invocation.set_status(status_of(all));
}

}  // namespace

void add_doctor_model(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("model", "Is a model there, readable, sound, and the one that was meant?");
  auto options = std::make_shared<Options>();
  command
      ->add_option("MODEL", options->model,
                   "A file or folder; a model of the store; or a .toml with paths in its [models] table")
      ->required();
  command->add_option("--user", options->user, "Also ask whether this user may read it, by file modes");
  command->footer(
      "Digests are compared with MODEL_MANIFEST.sha256, checksums.txt or SHA256SUMS beside the files, else with the\n"
      "store. GGUF, safetensors and ONNX are checked; formats that run code when they are loaded are refused.\n"
      "Example: liftlock doctor model /models/chat.gguf --user liftlock");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
