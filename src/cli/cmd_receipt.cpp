#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/channel.hpp"
#include "bundle/ingest.hpp"
#include "bundle/receipt.hpp"
#include "bundle/source.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/long_list.hpp"
#include "cli/signing.hpp"
#include "crypto/hash.hpp"
#include "os/host.hpp"
#include "store/catalog.hpp"
#include "trust/logged_trust.hpp"
#include "trust/trust_fork.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string source;  ///< of a request
  std::string output;
  SigningKey key;
  bool all = false;  ///< of a list on a terminal
};

Receipt begin(const Invocation& invocation, const Site& site, Receipt::Kind kind) {
  if (!site.config().may_send_receipts) {
    throw Error(ErrorCode::outbound_forbidden, fmt::format("the policy lets no {} leave this side", name(kind)));
  }
  Receipt out;
  out.kind = kind;
  out.organisation = site.config().organisation;
  out.host = host_name();
  out.creator = invocation.actor();
  out.created = now();
  return out;
}

/// What every live publication consists of, as far as the store has it.
std::vector<Digest> held_files(const Site& site) {
  const BlobStore store(site.store_folder());
  std::vector<Digest> out;
  for (const auto& [digest, size] : Catalog(site.catalog_file(), Access::read).required()) {
    if (store.size(digest) == size) out.push_back(digest);
  }
  return out;  // sorted, as the map is
}

void put(Invocation& invocation, const Site& site, const Options& options, const Receipt& receipt) {
  const fs::path folder(options.output);
  const auto text = write_receipt(receipt);
  const auto event = fmt::format("{}.write", name(receipt.kind));
  Json json = {{"folder", folder.string()},
               {"kind", name(receipt.kind)},
               {"files", receipt.files.size()},
               {"digest", sha256(text).text()},
               {"signature", nullptr}};
  put_receipt(folder, receipt, [&](const fs::path& made) {
    if (options.key.key.empty()) {
      AuditLog(site.audit_folder(), "")
          .append({.type = event,
                   .actor = invocation.actor(),
                   .outcome = Outcome::success,
                   .subject = sha256(text).text(),
                   .detail = dump_json_line({{"files", receipt.files.size()}})});
      return;
    }
    const auto trust = trust_of(site);
    const auto root = trust.empty() ? std::nullopt : std::optional(trust.current());
    json["signature"] = sign_beside(invocation, made, text, Role::ingest, options.key, root, event);
  });
  invocation.print(json, [&] {
    return fmt::format("{} of {} in {}{}\n", name(receipt.kind), counted(receipt.files.size(), "file"),
                       printable(folder.string()), options.key.key.empty() ? ", unsigned" : ", signed");
  });
}

void run_receipt(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("receipt", {Zone::ingest, Zone::production});
  auto receipt = begin(invocation, site, Receipt::Kind::receipt);
  record_config(invocation, site);
  const auto log = open_audit_log(invocation);
  for (const auto& [channel, history] : channel_histories(log)) {
    if (history.seen.empty()) continue;
    receipt.channels.push_back({channel, history.newest(), history.seen.rbegin()->second});
  }
  receipt.files = held_files(site);
  put(invocation, site, options, receipt);
}

/// Signature first, here too: what an unsigned bundle says is missing is nobody's request.
void require_signed(const Invocation& invocation, const Site& site, const BundleReader& bundle) {
  const auto statements = bundle.trust_statements();
  noting_forks(site, statements, invocation.actor(), [&] {
    const auto root = judge_chain(trust_of(site).pinned_chain(), statements, now());
    require_thresholds(judge(bundle.bundle_json(), bundle.signatures(), root, now()), root);
  });
}

/// For people: where nothing may leave, they say it.
void list_missing(Invocation& invocation, const BundleReader& bundle, const std::vector<FileEntry>& missing,
                  const LongList& list) {
  constexpr std::size_t k_most = 40;
  auto files = Json::array();
  std::vector<std::vector<std::string>> rows{{"FILE", "SIZE", "OF"}};
  const auto shown = list.shown(missing.size(), k_most);
  for (const auto& file : missing) {
    files.push_back({{"path", file.path.text()},
                     {"size", file.size},
                     {"digest", file.digest.text()},
                     {"artifacts", file.artifacts}});
    if (rows.size() <= shown)
      rows.push_back({printable(file.path.text()), format_size(file.size),
                      printable(fmt::format("{}", fmt::join(file.artifacts, ", ")))});
  }
  const auto name = fmt::format("{}/{}", bundle.info().channel, bundle.info().sequence);
  invocation.print({{"bundle", name}, {"digest", bundle.digest().text()}, {"missing", std::move(files)}}, [&] {
    return fmt::format("{} leaves out {} that this store lacks:\n{}{}", printable(name),
                       counted(missing.size(), "file"), format_table(rows), list.rest(missing.size(), k_most, "file")) +
           "`--output DIR` writes them for `pack --since`, where the policy lets that leave; where not, have the low "
           "side pack\nwithout --since, or --since a bundle that landed here (`liftlock acknowledge` says which)\n";
  });
}

void run_request(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("request", {Zone::ingest});
  const bool written = !options.output.empty();
  std::optional<Receipt> request;
  if (written) {
    request = begin(invocation, site, Receipt::Kind::request);
    record_config(invocation, site);
  }
  BundleReader bundle(resolve_source(site.config(), options.source));
  require_signed(invocation, site, bundle);
  bundle.load_lists();
  const BlobStore store(site.store_folder());
  const auto missing = missing_files(bundle, store);
  if (missing.empty()) {
    throw Error(ErrorCode::usage, "the bundle leaves out nothing that this store lacks",
                "ingest it: there is nothing to ask for");
  }
  if (!written) return list_missing(invocation, bundle, missing, LongList(options.all));
  request->channels.push_back({bundle.info().channel, bundle.info().sequence, bundle.digest()});
  request->files = wanted_files(bundle, store);
  put(invocation, site, options, *request);
}

}  // namespace

void add_receipt(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("receipt", "Write what this side holds, so that the next bundle can be small");
  auto options = std::make_shared<Options>();
  command->add_option("--output,-o", options->output, "The folder to make")->required()->type_name("DIR");
  add_signing_options(*command, options->key, false);
  command->footer(
      "It leaves this side only where [policy] outbound is \"receipts\"; where nothing may leave, say what\n"
      "`liftlock acknowledge` prints. On the low side: liftlock pack --since DIR\n"
      "Example: liftlock receipt --output /media/back/receipt-7 --key keys/ingest.pem");
  command->callback([&invocation, options] { run_receipt(invocation, *options); });
}

void add_request(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("request", "List or write what this store lacks of a bundle that does not land without it");
  auto options = std::make_shared<Options>();
  command->add_option("SOURCE", options->source, "The bundle: as for ingest")->required();
  command->add_option("--output,-o", options->output, "The folder to make (default: none, only list them)")
      ->type_name("DIR");
  add_all_flag(*command, options->all);
  add_signing_options(*command, options->key, false);
  command->footer(
      "On the low side `liftlock pack --since DIR` then carries these files and leaves out all others: a bundle that\n"
      "lands by itself.\n"
      "Example: liftlock request usb/demo-7 --output /media/back/request-7 --key keys/ingest.pem");
  command->callback([&invocation, options] { run_request(invocation, *options); });
}

}  // namespace liftlock
