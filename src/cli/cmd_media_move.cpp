#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/bundle_folder.hpp"
#include "bundle/bundle_reader.hpp"
#include "cli/cmd_media.hpp"
#include "cli/command.hpp"
#include "cli/config_record.hpp"
#include "cli/recorded_effect.hpp"
#include "os/medium.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_text = 200;
constexpr std::size_t k_max_bundles = 100;
constexpr std::size_t k_max_name = 200;

struct Options {
  std::string folder;
  std::string serial;
  std::string carrier;
  std::string ticket;
};

std::vector<fs::path> bundles_at(const fs::path& folder) {
  auto out = bundles_below(folder);
  if (is_bundle(folder)) out.insert(out.begin(), folder);
  return out;
}

/// What is damaged is named by its folder.
Json describe(const fs::path& folder) {
  try {
    const BundleReader bundle(folder);
    return {{"bundle", fmt::format("{}/{}", bundle.info().channel, bundle.info().sequence)},
            {"digest", bundle.digest().text()}};
  } catch (const Error& error) {
    const auto name = printable(folder.filename().string());
    return {{"bundle", name.size() <= k_max_name ? name : "a folder with a long name"},
            {"error", info(error.code()).slug}};
  }
}

/// A medium without a bundle comes and goes, too, and is registered; but perhaps it was meant to have one.
std::string warning_of_no_bundle(const fs::path& folder) {
  const auto error = no_bundle(folder);
  return fmt::format("no bundle is registered with it: {}; {}", error.message(), error.hint());
}

/// By its last entry in the log.
std::optional<AuditEntry> last_move(const AuditLog& log, const std::string& serial) {
  const auto in = log.find_last(k_media_in_event, serial), out = log.find_last(k_media_out_event, serial);
  return !in ? out : !out ? in : in->index > out->index ? in : out;
}

void run(Invocation& invocation, const Options& options, std::string_view event) {
  const auto site = invocation.site();
  site.require_zone("media", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  if (options.folder.empty() && options.serial.empty())
    fail(ErrorCode::usage, "name the folder of the medium, or, when it is not mounted, its --serial");
  if (!options.folder.empty() && !fs::is_directory(options.folder))
    fail(ErrorCode::usage, "'{}' is no folder", printable(options.folder));
  const auto medium = options.folder.empty() ? Medium() : medium_of(options.folder);
  const auto serial = options.serial.empty() ? medium.serial : options.serial;
  if (serial.empty()) {
    throw Error(ErrorCode::usage, "the medium says no serial number",
                "give the one on its label: --serial TEXT (a disc, a tape)");
  }
  for (const auto* text : {&serial, &options.carrier, &options.ticket}) {
    if (text->size() > k_max_text || printable(*text) != *text)
      fail(ErrorCode::usage, "'{}' is no line of at most {} bytes", printable(text->substr(0, k_max_text)), k_max_text);
  }
  auto warnings = Json::array();
  const auto warn = [&](const std::string& text) {
    invocation.reporter().warn(text);
    warnings.push_back(text);
  };
  if (!medium.serial.empty() && medium.serial != serial)
    warn(fmt::format("the device says that its serial number is {}; it is registered as {}", medium.serial, serial));
  record_config(invocation, site);
  const auto before = last_move(AuditLog::open_to_read(site.audit_folder()), serial);
  if (before && before->event.type == event) {
    warn(fmt::format("the register has it {} already, since {}", event == k_media_in_event ? "in" : "out",
                     format_time(before->time)));
  }
  auto bundles = Json::array();
  const auto found = options.folder.empty() ? std::vector<fs::path>() : bundles_at(options.folder);
  std::error_code ignored;
  if (!options.folder.empty() && found.empty() && !fs::is_empty(options.folder, ignored))
    warn(warning_of_no_bundle(options.folder));
  for (const auto& folder : std::span(found).first(std::min(found.size(), k_max_bundles)))
    bundles.push_back(describe(folder));
  const Json detail = {{"model", medium.model},
                       {"device", medium.device},
                       {"device_serial", medium.serial},
                       {"bundles", std::move(bundles)},
                       {"more_bundles", found.size() - std::min(found.size(), k_max_bundles)},
                       {"carrier", options.carrier},
                       {"ticket", options.ticket}};
  recorded_effect(invocation, std::string(event), serial, detail, [] {});
  auto json = detail;
  json["serial"] = serial;
  json["warnings"] = std::move(warnings);
  json["move"] = event == k_media_in_event ? "in" : "out";
  invocation.print(json, [&] {
    std::string text = fmt::format("{}: medium {}{}\n", event == k_media_in_event ? "in" : "out", serial,
                                   medium.model.empty() ? "" : ", " + medium.model);
    for (const auto& one : detail["bundles"])
      text += fmt::format("  {} {}\n", one.value("bundle", ""), one.value("digest", one.value("error", "")));
    if (const auto more = detail["more_bundles"].get<std::size_t>(); more > 0)
      text += fmt::format("  and {} that {} not registered: only the first 100 are\n", counted(more, "bundle"),
                          more == 1 ? "is" : "are");
    return text;
  });
}

void add_move(CLI::App& group, Invocation& invocation, const char* word, const char* what, std::string_view event,
              const char* example) {
  auto* command = group.add_subcommand(word, what);
  auto options = std::make_shared<Options>();
  command->add_option("FOLDER", options->folder,
                      "Where it is mounted, or a folder on it; the bundles in it are listed");
  command
      ->add_option("--serial", options->serial,
                   "Its serial number, where the device says none or it is not mounted (default: what the device says)")
      ->type_name("TEXT");
  command->add_option("--carrier", options->carrier, "Who brings or takes it")->type_name("NAME");
  command->add_option("--ticket", options->ticket, "The number under which the crossing was asked for")
      ->type_name("TEXT");
  command->footer(fmt::format(
      "Written to the audit log with who ran the command. No byte of the content is read: `liftlock verify` does.\n"
      "Example: {}",
      example));
  command->callback([&invocation, options, event] { run(invocation, *options, event); });
}

}  // namespace

void add_media_in(CLI::App& group, Invocation& invocation) {
  add_move(group, invocation, "in", "Register a medium that came in", k_media_in_event,
           "liftlock media in /mnt/usb --carrier 'Bea Courier' --ticket CHG-4711");
}

void add_media_out(CLI::App& group, Invocation& invocation) {
  add_move(group, invocation, "out", "Register a medium that leaves", k_media_out_event,
           "liftlock media out --serial 4C53-0001 --carrier 'Bea Courier'");
}

}  // namespace liftlock
