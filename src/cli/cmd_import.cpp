#include "cli/cmd_import.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/bundle_view.hpp"
#include "cli/config_record.hpp"
#include "cli/engine_import.hpp"
#include "cli/engine_view.hpp"
#include "cli/inspection.hpp"
#include "cli/interrupt.hpp"
#include "cli/reason_option.hpp"
#include "engine/package_reader.hpp"
#include "intake/import.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string source;
  std::string expect;
  std::string reason;
  std::string name;
  bool plan = false;
  bool replace = false;
  bool model_only = false;
  std::string base;
};

std::string_view status_name(ImportResult::Status status) {
  switch (status) {
    case ImportResult::Status::planned:
      return "planned";
    case ImportResult::Status::imported:
      return "imported";
    case ImportResult::Status::already_present:
      return "already-present";
  }
  fail(ErrorCode::internal, "unknown import status");
}

/// Of what was here before: an import that nobody vouches for takes nothing away from it.
std::string present_text(Belief belief) {
  switch (belief) {
    case Belief::signature:
      return "believed    as it came in before: signed";
    case Belief::digest:
      return "believed    as it came in before: by an announced digest";
    case Belief::nobody:
      return "UNSIGNED IMPORT: nobody vouches for these bytes, which are here as such already";
  }
  fail(ErrorCode::internal, "unknown belief");
}

std::string believed_text(const ImportResult& result) {
  if (result.present_as) return present_text(*result.present_as);
  switch (result.belief) {
    case Belief::signature:
      return fmt::format("believed    by signature: {} signed {}", counted(result.keys.size(), "key"),
                         printable(result.document));
    case Belief::digest:
      return fmt::format("believed    by the announced digest of {}", printable(result.document));
    case Belief::nobody:
      return "UNSIGNED IMPORT: nobody vouches for these bytes";
  }
  fail(ErrorCode::internal, "unknown belief");
}

Json result_json(const ImportResult& result) {
  return {{"status", status_name(result.status)},
          {"shape", result.shape},
          {"what", result.words},
          {"preview", result.preview},
          {"believed_by", name(result.present_as.value_or(result.belief))},
          {"document", result.document},
          {"keys", result.keys},
          {"import", result.number == 0 ? Json() : Json(fmt::format("import/{}", result.number))},
          {"artifacts", result.artifacts},
          {"unbound", result.unbound},
          {"replaced", result.replaced},
          {"files", result.files},
          {"bytes", result.bytes},
          {"scanned", result.scanned.empty() ? Json() : Json(result.scanned)},
          {"notes", result.notes}};
}

std::string result_text(const ImportResult& result) {
  Found found{.shape = result.shape, .words = result.words, .preview = result.preview};
  found.notes = result.notes;
  std::string out;
  if (result.status != ImportResult::Status::planned || result.belief != Belief::nobody) {
    out += believed_text(result) + "\n";
  } else {
    out += "believed    by nobody so far: --expect, or a signature, or unsigned_imports and --reason\n";
  }
  if (!result.scanned.empty()) out += fmt::format("scanned     {}\n", printable(result.scanned));
  out += preview_text(found);
  for (const auto& id : result.artifacts) out += fmt::format("  artifact       {}\n", printable(id));
  for (const auto& id : result.present_as ? std::vector<std::string>() : result.unbound)
    out += fmt::format("UNSIGNED: {}\n", printable(id));
  for (const auto& id : result.replaced) out += fmt::format("  replaced       {}\n", printable(id));
  const auto amount = fmt::format("{}, {}", counted(result.files, "file"), format_size(result.bytes));
  switch (result.status) {
    case ImportResult::Status::planned:
      return out + "plan: " + amount +
             " would be taken in; nothing was\n"
             "the content was not inspected: that happens in a cell when it is taken in, and can still refuse it\n";
    case ImportResult::Status::imported:
      return out + fmt::format("imported as import/{}: {}\n", result.number, amount);
    case ImportResult::Status::already_present:
      return out + "already present: exactly this content is here\n";
  }
  return out;
}

/// Engine packages go their own way: they are installed, not catalogued.
bool is_engine_package(const fs::path& source) {
  if (!fs::is_regular_file(source)) return false;
  if (is_baiengine(source)) return true;
  if (source.extension() != ".tar") return false;
  try {
    (void)engine::EngineReader(open_file(source, O_RDONLY).get());
    return true;
  } catch (const Error&) {
    return false;
  }
}

void plan_engine_package(Invocation& invocation, const Site& site, const EngineFileRequest& request) {
  Json json = {{"status", "planned"}, {"shape", "engine"}, {"what", "an engine package"}};
  if (!is_baiengine(request.file))
    return invocation.print(json, [] { return "an engine package: it would be installed\n"; });
  json["shape"] = "baiengine";
  json["what"] = "a .baiengine package";
  json["preview"] = describe_baiengine(site, request);
  invocation.print(json, [&] {
    const auto& preview = json["preview"];
    const auto base = preview["base"].is_string() ? preview["base"].get<std::string>() : std::string();
    auto out =
        fmt::format("a .baiengine package: {} {}, {}, for {}\n", printable(preview["name"].get<std::string>()),
                    printable(preview["version"].get<std::string>()), printable(preview["variant"].get<std::string>()),
                    printable(preview["architecture"].get<std::string>()));
    out += base.empty() ? std::string("it is static and needs no C library\n")
                        : fmt::format("its C library would be that of {}\n", printable(base));
    for (const auto& note : preview["notes"]) out += fmt::format("note: {}\n", printable(note.get<std::string>()));
    return out + "plan: it would be installed; nothing was\n";
  });
}

void import_engine_package(Invocation& invocation, const Site& site, const Options& options) {
  EngineFileRequest request{.file = options.source,
                            .expected = {},
                            .unsuited = engine::Unsuited::refuse,
                            .base = options.base,
                            .reason = options.reason};
  if (options.plan) return plan_engine_package(invocation, site, request);
  if (!options.expect.empty()) request.expected = parse_digest(options.expect);
  const auto one = import_engine(invocation, site, request);
  const auto formats = make_default(invocation, site, one, Replace::no);
  const bool stands = is_baiengine(request.file);
  const Json json = {{"status", "imported"},
                     {"shape", stands ? "baiengine" : "engine"},
                     {"what", stands ? "a .baiengine package" : "an engine package"},
                     {"engine", full_name(one)},
                     {"believed_by", one.facts.believed_by},
                     {"base", one.facts.base ? Json(one.facts.base->engine) : Json()},
                     {"notes", one.facts.notes},
                     {"default_of", formats}};
  invocation.print(json, [&] {
    auto out = engine_label(one.facts);
    if (!out.empty()) out += "\n";
    return out + base_text(one.facts) + fmt::format("installed the engine {}\n", printable(full_name(one)));
  });
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("import", {Zone::ingest, Zone::production});
  require_known_kinds(site.config());
  site.require_own();
  if (!options.plan) {
    resume_after_interrupt();
    record_config(invocation, site);
  }
  if (!options.model_only && is_engine_package(options.source)) return import_engine_package(invocation, site, options);
  ImportRequest request{.source = options.source,
                        .expect = std::nullopt,
                        .plan = options.plan,
                        .replace = options.replace,
                        .name = options.name,
                        .allow_unsigned = site.config().unsigned_imports,
                        .reason = options.reason,
                        .actor = invocation.actor(),
                        .shapes = {},
                        .cells = make_import_cells(site.store_folder(), site.config().reserve_bytes),
                        .inspect = make_inspect()};
  if (!options.expect.empty()) request.expect = parse_digest(options.expect);
  if (options.model_only) request.shapes = {"baimodel", "model", "modelkit", "hf-cache", "ollama"};
  if (!options.base.empty()) fail(ErrorCode::usage, "--base is for a .baiengine");
  const auto result = import_from(site, request, invocation.reporter());
  invocation.print(result_json(result), [&] { return result_text(result); });
}

void add_options(CLI::App& command, const std::shared_ptr<Options>& options) {
  command
      .add_option("--expect", options->expect,
                  "SHA-256 of the file as announced by another way; for a folder, of the list of digests in it")
      ->type_name("DIGEST");
  command.add_option("--name", options->name, "What the model or image is to be called here")->type_name("NAME");
  command.add_flag("--plan", options->plan, "Say what it is and what would come in; take nothing");
  command.add_flag("--replace", options->replace,
                   "Take the place of other content of the same name and version, once all was checked");
  add_reason(command, options->reason, "Why an unsigned import is taken in; written to the audit log");
}

std::string accepted_text() {
  std::string out = "What is taken in:\n";
  for (const auto& one : recognisers()) out += fmt::format("  {:<16} {}\n", one.shape, one.accepts);
  return out +
         "  engine           an engine package (.tar), which is installed\n"
         "  baiengine        a .baiengine package, which is installed on an engine that has a C library\n";
}

}  // namespace

void add_import(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("import", "Take in what others packed: models, images, packages, without a bundle");
  auto options = std::make_shared<Options>();
  command->add_option("FILE|FOLDER", options->source, "What was carried in")->required();
  add_options(*command, options);
  command
      ->add_option("--base", options->base,
                   "Installed engine whose C library a .baiengine gets (default: the one that fits)")
      ->type_name("ENGINE");
  command->footer(
      accepted_text() +
      "It is believed for --expect, for FILE.sha256 beside it that builders signed, or for signatures in it. What "
      "nobody\n"
      "vouches for is refused, unless [policy] unsigned_imports = true and --reason is given; it stays labelled.\n"
      "Example: liftlock import /mnt/usb/wheelhouse.tar.gz --expect 'sha256:3b1f…'");
  command->callback([&invocation, options] { run(invocation, *options); });
}

void add_model_import(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("import", "Take a model in that somebody packed: .baimodel, GGUF, safetensors");
  auto options = std::make_shared<Options>();
  options->model_only = true;
  command->add_option("FILE|FOLDER", options->source, "What was carried in")->required();
  add_options(*command, options);
  command->footer("The rules are those of `liftlock import`.\nExample: liftlock model import tiny.baimodel --replace");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
