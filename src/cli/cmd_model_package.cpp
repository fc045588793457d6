// .baimodel packages: made of models of the store, and looked at.
#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/cmd_import.hpp"
#include "cli/commands.hpp"
#include "cli/inspection.hpp"
#include "cli/interrupt.hpp"
#include "cli/output_file.hpp"
#include "cli/recorded_effect.hpp"
#include "cli/signing.hpp"
#include "cli/store_view.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/model/baimodel.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
namespace {

struct ExportOptions {
  std::string model;
  std::string output;
  bool plan = false;
  bool with_projector = false;
  bool without_projector = false;
  SigningKey key;
};

Json plan_json(const Artifact& model, const BaimodelPlan& plan) {
  auto files = Json::array();
  for (const auto& one : plan.files)
    files.push_back({{"path", one.entry.text()}, {"size", one.file.size}, {"sha256", one.file.digest.hex()}});
  return {{"model", model.id()},
          {"name", plan.manifest.name},
          {"version", plan.manifest.model_version},
          {"format", plan.manifest.format},
          {"quantization", plan.manifest.quantization},
          {"publisher", plan.manifest.publisher},
          {"repository", plan.manifest.repository},
          {"files", std::move(files)},
          {"left_out", plan.left_out},
          {"content_size", plan.content_size()},
          {"package_size", plan.package_size()}};
}

std::string plan_text(const Artifact& model, const BaimodelPlan& plan) {
  auto out = fmt::format("{}  {} {}\n", printable(model.id()), printable(plan.manifest.format),
                         printable(plan.manifest.quantization));
  for (const auto& one : plan.files) out += fmt::format("  {:>10}  {}\n", format_size(one.file.size), one.entry.text());
  for (const auto& path : plan.left_out) out += fmt::format("  left out    {}\n", path);
  return out +
         fmt::format("total package size: {} ({} bytes)\n", format_size(plan.package_size()), plan.package_size());
}

std::vector<NamedText> signatures_of(Invocation& invocation, const BaimodelPlan& plan, const SigningKey& key) {
  if (key.key.empty()) return {};
  const auto signer =
      open_signer(key.key, key.passphrase_file.empty() ? std::nullopt : std::optional<fs::path>(key.passphrase_file));
  if (const auto trust = trust_of(invocation.site()); !trust.empty())
    require_listed(trust.current(), signer->key_id(), Role::builder);
  else
    invocation.reporter().warn(
        "no root statement is pinned here: nobody checked that this is a builder's key, and another one will not be "
        "believed");
  const auto file = fmt::format("{}.{}{}", name(Role::builder), signer->key_id().substr(0, 16), signer->suffix());
  return {{file, signer->sign(encode_baimodel_manifest(plan.manifest))}};
}

void check_output(const fs::path& output, std::uint64_t needed) {
  if (fs::exists(output)) {
    throw Error(ErrorCode::immutable, fmt::format("'{}' exists", printable(output.string())),
                "name another file, or remove that one");
  }
  const auto folder = fs::absolute(output).parent_path();
  if (!fs::is_directory(folder))
    fail(ErrorCode::not_found, "the folder '{}' does not exist", printable(folder.string()));
  std::error_code error;
  if (fs::space(folder, error).capacity == 0 && !error) {
    throw Error(ErrorCode::not_regular, fmt::format("'{}' is no place for files", printable(folder.string())),
                "it belongs to the kernel, as /proc and /sys do: name a folder of a disk");
  }
  if (const auto free = free_space(folder); free < needed) {
    throw Error(ErrorCode::disk_full,
                fmt::format("the package takes {}, and there are {} free", format_size(needed), format_size(free)),
                "choose another medium, or leave the projector out with --without-mmproj");
  }
}

void run_export(Invocation& invocation, const ExportOptions& options) {
  begin_anew_after_interrupt();
  if (options.with_projector && options.without_projector)
    fail(ErrorCode::usage, "either --with-mmproj or --without-mmproj");
  const auto site = invocation.site();
  const OpenStore store(site, "model export", Access::read);
  const auto model = require_artifact(store.catalog, options.model);
  if (model.kind != "model") fail(ErrorCode::not_found, "'{}' is no model", printable(model.id()));
  const auto plan =
      plan_baimodel(model, store.catalog.inspection(model),
                    options.without_projector ? Projector::without : Projector::with, "liftlock " LIFTLOCK_VERSION);
  const bool has_projector = std::any_of(model.files.begin(), model.files.end(),
                                         [](const auto& file) { return is_projector_name(file.path.text()); });
  if (options.with_projector && !has_projector)
    fail(ErrorCode::model_incomplete, "{} has no vision projector (mmproj….gguf)", printable(model.id()));
  auto json = plan_json(model, plan);
  if (options.plan) return invocation.print(json, [&] { return plan_text(model, plan); });
  if (options.output.empty()) fail(ErrorCode::usage, "--output FILE says where the package goes; --plan only looks");
  require_file_name(options.output, "--output");
  require_blobs(site, store, model);
  check_output(options.output, plan.package_size());
  const auto signatures = signatures_of(invocation, plan, options.key);
  const Json detail = {{"manifest", sha256(encode_baimodel_manifest(plan.manifest)).text()},
                       {"file", fs::path(options.output).filename().string()}};
  recorded_effect(invocation, "model.export", model.id(), detail, [&] {
    AtomicFile out(options.output);
    {
      ProgressTask progress(invocation.reporter(), "hashing and packaging", Unit::bytes, plan.content_size());
      UniqueFd blob;
      write_baimodel(
          plan, signatures, out.fd(),
          [&](const Digest& digest) {
            blob = store.blobs.open(digest);
            return blob.get();
          },
          [&](std::uint64_t done) { progress.advance(done); });
    }
    sync_file(out.fd(), options.output);
    ProgressTask progress(invocation.reporter(), "verification", Unit::bytes, plan.content_size());
    verify_baimodel(out.fd(), [&](std::uint64_t done) { progress.advance(done); });
    json["sha256"] = sha256_of_file(out.fd(), options.output).hex();
    json["file"] = options.output;
    json["signed"] = !signatures.empty();
    json["phases"] = {"hashing and packaging", "verification"};
    out.commit();
  });
  invocation.print(json, [&] {
    return plan_text(model, plan) +
           fmt::format("wrote {}{}\n{}  {}\n", printable(options.output),
                       signatures.empty() ? "; nobody signed it: announce its digest" : "",
                       json["sha256"].get<std::string>(), printable(fs::path(options.output).filename().string())) +
           "carry its digest by another way, and an engine package where the other side has no engine for it\n";
  });
}

void run_inspect(Invocation& invocation, const std::string& file) {
  const TemporaryFolder scratch;
  const auto cells = make_import_cells(scratch.path(), 0);
  const auto found = recognise_baimodel(open_import(file, nullptr, cells), cells);
  if (!found) {
    throw Error(ErrorCode::import_unknown, fmt::format("'{}' is no .baimodel package", printable(file)),
                "`liftlock import FILE --plan` on the high side says what else it may be");
  }
  auto json = preview_json(*found);
  auto& signed_by = json["signatures"] = Json::array();
  const auto trust = trust_of(invocation.site());
  std::string words;
  for (const auto& signature : found->document->signatures) {
    Json one = {{"file", signature.name}, {"status", "not judged"}};
    if (!trust.empty()) {
      const auto judged =
          judge(found->document->text, {signature}, trust.current(), now(), {Role::builder, Role::approver}).at(0);
      one["status"] = name(judged.status);
      one["owner"] = judged.owner;
    }
    words += fmt::format("  signature      {}: {}\n", printable(signature.name), one["status"].get<std::string>());
    signed_by.push_back(std::move(one));
  }
  if (words.empty()) words = "warning: nobody signed manifest.json; its checksums find accidents, not tampering\n";
  invocation.print(json, [&] { return preview_text(*found) + words; });
}

}  // namespace

void add_model_export(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("export", "Pack a model of the store as one .baimodel file");
  auto options = std::make_shared<ExportOptions>();
  add_model_argument(*command, "MODEL", options->model)->required();
  command->add_option("--output", options->output, "The file; never replaced")->type_name("FILE");
  command->add_flag("--plan", options->plan, "Say what would go in, and the total package size");
  command->add_flag("--with-mmproj", options->with_projector, "Insist on the vision projector (it goes in by default)");
  command->add_flag("--without-mmproj", options->without_projector, "Leave the vision projector out");
  add_signing_options(*command, options->key, false);
  command->footer(
      "Equal models give equal bytes, but for the signature. The package is read back before it gets its name.\n"
      "Example: liftlock model export tiny --output /mnt/usb/tiny.baimodel --key builder.pem");
  command->callback([&invocation, options] { run_export(invocation, *options); });
}

void add_model_inspect(CLI::App& group, Invocation& invocation) {
  auto* command =
      group.add_subcommand("inspect", "Show what a .baimodel file says of itself, and take nothing out of it");
  auto file = std::make_shared<std::string>();
  command->add_option("FILE", *file, "A .baimodel file")->required();
  command->footer("Example: liftlock model inspect /mnt/usb/tiny.baimodel");
  command->callback([&invocation, file] { run_inspect(invocation, *file); });
}

void add_model_packages(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("model", "Models as single files: pack one, look at one");
  group->require_subcommand(1);
  add_model_export(*group, invocation);
  add_model_inspect(*group, invocation);
}

}  // namespace liftlock
