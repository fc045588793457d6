#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/cmd_audit.hpp"
#include "cli/record_view.hpp"

namespace liftlock {
namespace {

void run(Invocation& invocation, const std::string& id) {
  const auto log = open_audit_log(invocation);
  const auto site = invocation.site();
  site.require_zone("record verify", {Zone::ingest, Zone::production});
  const auto json = open_record_reader(site).verify(id, log);
  invocation.print(json, [&] {
    const bool erased = json.at("erased").get<bool>();
    const auto entry = json.at("entry").is_null()
                           ? std::string("an entry on its way into the audit log")
                           : fmt::format("entry {} of the audit log", json.at("entry").get<std::uint64_t>());
    if (json.at("ciphertext").is_null()) {
      return fmt::format("{} has no content here{}; {} is of it\n", id, erased ? " any more" : "", entry);
    }
    return fmt::format("{} is what {} says{}\nciphertext {}\n", id, entry, erased ? "; its content was erased" : "",
                       json.at("ciphertext").get<std::string>());
  });
}

}  // namespace

void add_record_verify(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("verify", "Compare a record with its entry in the audit log; shows no content");
  auto id = std::make_shared<std::string>();
  command->add_option("ID", *id, "As `liftlock record find` shows it")->required();
  command->footer(
      "`liftlock audit prove ENTRY` proves the entry itself.\n"
      "Example: liftlock record verify 01KASX5B3VCHWM2QJ4R8ZT0N6E");
  command->callback([&invocation, id] { run(invocation, *id); });
}

}  // namespace liftlock
