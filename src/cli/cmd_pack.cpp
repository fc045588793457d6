#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/bundle_reader.hpp"
#include "bundle/guarded_bundle.hpp"
#include "bundle/lock.hpp"
#include "bundle/pack.hpp"
#include "bundle/packed.hpp"
#include "bundle/resolve.hpp"
#include "bundle/withheld.hpp"
#include "cli/bundle_view.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/collectors.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/inspection.hpp"
#include "cli/interrupt.hpp"
#include "cli/output_file.hpp"
#include "cli/trust_change.hpp"
#include "cli/whole_number.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/image.hpp"
#include "os/host.hpp"
#include "store/catalog.hpp"
#include "trust/logged_trust.hpp"
#include "trust/trust.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string lock = "liftlock.lock";
  std::string output;
  std::string form;
  std::uint64_t sequence = 0;
  std::vector<std::uint64_t> pending;
  std::string expires;
  std::string expedited;
  std::optional<std::string> since;
  std::string profile;
};

/// "out/demo-7/" names the same folder as "out/demo-7"; what stands beside it while it is packed must not stand in it.
fs::path output_folder(const Options& options) {
  const fs::path output(options.output);
  return output.has_filename() || !output.has_parent_path() ? output : output.parent_path();
}

/// A bundle within another one, or within the installation, would be the end of either.
void require_own_place(const fs::path& output, const Site& site) {
  require_file_name(output.string(), "--output");
  const auto whole = fs::weakly_canonical(fs::absolute(output));
  const auto state = fs::weakly_canonical(fs::absolute(site.folder()));
  for (auto above = whole.parent_path(); above.has_relative_path(); above = above.parent_path()) {
    if (fs::exists(above / k_bundle_json_path))
      fail(ErrorCode::usage, "--output is within the bundle '{}'", printable(above.string()));
    if (above == state) fail(ErrorCode::usage, "--output is within the installation '{}'", printable(above.string()));
  }
}

/// A receipt is believed once its signers are, where the trust root names some for it.
void judge_receipt(const CarriedReceipt& carried, const TrustStore& trust) {
  if (trust.empty()) return;
  const auto root = trust.current();
  if (!root.thresholds.contains(Role::ingest)) return;
  require_thresholds(judge(carried.text, carried.signatures, root, now(), {Role::ingest}), root, {Role::ingest});
}

/// What the receiver has, as a lock, a bundle, a receipt or a request tells.
DeltaBase base_at(const fs::path& place, const TrustStore& trust) {
  const auto type = fs::status(place).type();
  if (type != fs::file_type::regular && type != fs::file_type::directory) {
    throw Error(ErrorCode::not_found, fmt::format("there is no file or folder '{}'", printable(place.string())),
                "--since takes a lock, or the folder of a bundle, a receipt or a request");
  }
  if (!fs::is_directory(place)) {
    const auto [lock, digest] = read_lock_file(place);
    return base_of_artifacts("lock", digest, artifacts_of(lock));
  }
  if (const auto carried = read_receipt(place)) {
    judge_receipt(*carried, trust);
    return base_of_receipt(*carried);
  }
  BundleReader bundle(place);
  bundle.load_lists();
  // What a scanner withheld, the receiver does not have.
  const auto carried = read_withheld(place);
  if (!carried) return base_of_artifacts("bundle", bundle.digest(), bundle.artifacts());
  check_withheld(carried->withheld, bundle);
  return base_of_artifacts("bundle", bundle.digest(),
                           judge_landing(bundle.artifacts(), paths_of(carried->withheld)).artifacts);
}

/// Guards and scanners look at files, and withhold some: where there are any, files stay files unless somebody says so.
std::optional<ContentForm> wanted_form(const Options& options, const TrustStore& trust) {
  if (options.form == "tar") return ContentForm::tar;
  if (options.form == "tree" || !options.profile.empty()) return ContentForm::tree;
  if (trust.empty()) return std::nullopt;
  const auto root = trust.current();
  const bool scanned =
      std::any_of(root.keys.begin(), root.keys.end(), [](const auto& key) { return key.role == Role::scanner; });
  return scanned ? std::optional(ContentForm::tree) : std::nullopt;
}

/// "file.docs"; empty: none of them.
std::string entry_of(const Lock& lock, const Digest& digest) {
  for (const auto& entry : lock.entries) {
    for (const auto& artifact : entry.artifacts) {
      for (const auto& file : artifact.files) {
        if (file.digest == digest) return fmt::format("{}.{}", entry.table, entry.name);
      }
    }
  }
  return "";
}

PackRequest make_request(const Invocation& invocation, const Options& options, const Site& site,
                         const LockFile& lock_file, const Catalog& catalog,
                         const std::optional<PreviousBundle>& previous) {
  const auto& lock = lock_file.lock;
  const auto trust = trust_of(site);
  PackRequest request{.output = output_folder(options),
                      .artifacts = artifacts_of(lock),
                      .generated = {},
                      .trust_statements = trust.empty() ? std::vector<std::string>() : trust.statements(),
                      .stack = lock.stack,
                      .lock = lock_file.digest,
                      .form = wanted_form(options, trust),
                      .entry_of = [&lock](const Digest& digest) { return entry_of(lock, digest); },
                      .inspected = [&catalog](const Artifact& artifact) { return catalog.inspection(artifact); },
                      .channel = lock.channel,
                      .sequence = options.sequence != 0 ? options.sequence : (previous ? previous->sequence + 1 : 1),
                      .pending = options.pending,
                      .previous = previous,
                      .expires = std::nullopt,
                      .expedited = options.expedited,
                      .creator = invocation.actor(),
                      .low_side_host = host_name()};
  if (options.expedited.size() > 256 || printable(options.expedited) != options.expedited)
    fail(ErrorCode::usage, "--expedited is a line of at most 256 bytes");
  require_own_place(request.output, site);
  if (options.since) request.base = base_at(*options.since, trust);
  if (!request.trust_statements.empty()) request.first_trust_version = parse_root(request.trust_statements[0]).version;
  request.generated = oci::assemble_oci_layout(request.artifacts);
  std::sort(request.pending.begin(), request.pending.end());
  request.pending.erase(std::unique(request.pending.begin(), request.pending.end()), request.pending.end());
  if (!request.pending.empty() && request.pending.back() >= request.sequence) {
    throw Error(ErrorCode::usage,
                fmt::format("--pending {}: the bundle itself is sequence {}, and what is under way is lower",
                            request.pending.back(), request.sequence),
                "`liftlock status` lists what was packed and not acknowledged");
  }
  if (previous && request.sequence <= previous->sequence) request.previous = std::nullopt;
  if (!options.expires.empty()) request.expires = parse_expiry(options.expires);
  return request;
}

/// The lock must be that of the stack that lies beside it, as StackSession names them, and hold something.
void check_lock(const Options& options, const Lock& lock, Reporter& reporter) {
  const auto stack_file = fs::path(options.lock).replace_extension(".toml");
  const auto shown = printable(stack_file.string());
  if (fs::exists(stack_file)) {
    if (const auto why = why_stale(read_stack(stack_file, collectors()), lock); !why.empty()) {
      const auto which = stack_file.filename() == "liftlock.toml" ? "" : " --stack " + shown;
      throw Error(ErrorCode::lock_stale, fmt::format("the lock is not that of the stack {}: {}", shown, why),
                  fmt::format("run `liftlock lock{0}`, then `liftlock fetch{0}`, and pack again", which));
    }
  } else {
    reporter.note(fmt::format("there is no {}: whether the lock is still that of its stack was not checked", shown));
  }
  if (std::all_of(lock.entries.begin(), lock.entries.end(),
                  [](const auto& entry) { return entry.artifacts.empty(); })) {
    throw Error(ErrorCode::stack_invalid, "the lock holds no artifact",
                fmt::format("declare something in {}, then lock and fetch it", shown));
  }
}

/// What arrived last of a channel, for who has to build on something else: "plant/6", or empty.
std::string last_acknowledged(const std::string& channel, const std::map<std::uint64_t, PackedBundle>& bundles) {
  for (auto one = bundles.rbegin(); one != bundles.rend(); ++one) {
    if (one->second.acknowledged) return packed_subject(channel, one->first);
  }
  return "";
}

/// Does a delta on this base stand on that bundle?
bool stands_on(const DeltaBase& base, const PackedBundle& bundle) {
  return base.digest == (base.kind == "lock" ? bundle.lock : bundle.digest);
}

/// What was given up is not under way, and no receiver has it, unless it arrived all the same. What a lock holds may
/// have gone into another bundle, too.
void require_not_given_up(const PackRequest& request, const AuditLog& log) {
  if (request.pending.empty() && !request.base) return;
  for (const auto& [channel, bundles] : packed_bundles(log)) {
    for (const auto& [sequence, bundle] : bundles) {
      if (!bundle.abandoned) continue;
      if (channel == request.channel && std::binary_search(request.pending.begin(), request.pending.end(), sequence)) {
        throw Error(ErrorCode::usage,
                    fmt::format("--pending {}: that bundle was given up: {}", sequence, printable(*bundle.abandoned)),
                    "leave it out, and pack what it held into this bundle");
      }
      if (!request.base || !stands_on(*request.base, bundle)) continue;
      const bool is_with_receiver = std::any_of(bundles.begin(), bundles.end(), [&](const auto& one) {
        return stands_on(*request.base, one.second) && !one.second.is_given_up();
      });
      if (is_with_receiver) continue;
      const auto other = last_acknowledged(channel, bundles);
      const auto subject = printable(packed_subject(channel, sequence));
      throw Error(
          ErrorCode::usage,
          fmt::format("--since: {} was given up, so no receiver has it: {}",
                      request.base->kind == "lock" ? fmt::format("the lock is that of {}, which", subject) : subject,
                      printable(*bundle.abandoned)),
          fmt::format("build on {}, or on a receipt or request of the receiver; or leave --since out. Should it "
                      "have arrived all the same, note that first with `liftlock acknowledge`",
                      other.empty() ? "a bundle that arrived" : printable(other) + ", which arrived"));
    }
  }
}

/// A sequence is used once; what is packed already keeps the sequence and the expiry that it has.
void check_sequence(const Options& options, const std::optional<PreviousBundle>& previous) {
  if (options.sequence == 0 || !previous || options.sequence > previous->sequence ||
      fs::exists(options.output / fs::path(k_bundle_json_path))) {
    return;
  }
  fail(ErrorCode::immutable, "sequence {} of the channel was used already; the next is {}", options.sequence,
       previous->sequence + 1);
}

void check_unchanged(const Options& options, const PackResult& result) {
  if (!result.unchanged ||
      ((options.sequence == 0 || options.sequence == result.info.sequence) && options.expires.empty() &&
       (options.expedited.empty() || options.expedited == result.info.expedited)))
    return;
  throw Error(
      ErrorCode::immutable,
      fmt::format("'{}' holds this content already, as sequence {}", printable(options.output), result.info.sequence),
      "name a new folder with --output to pack it under another sequence, expiry or reason");
}

/// --profile: a guard that judges what is packed, and remembers what it said.
class Gatehouse {
 public:
  explicit Gatehouse(const std::string& profile)
      : m_guard(read_guard_profile(profile), make_look_inside()), m_digest(sha256(read_file(profile, 1u << 20))) {}

  /// @throws Error{profile_refused}
  void judge(const std::vector<GuardedFile>& files, Guard::Archives archives = Guard::Archives::look_inside) {
    m_report = m_guard.judge(files, archives);
    if (m_report.count == 0) return;
    const auto& first = m_report.breaches.at(0);
    throw Error(ErrorCode::profile_refused,
                fmt::format("the profile '{}' does not let it pass: {}, the first is {} of {}",
                            printable(m_guard.profile().name), counted(m_report.count, "breach", "breaches"),
                            name(first.rule), first.path.empty() ? "the whole bundle" : "'" + first.path + "'"));
  }

  /// As the bundle lies there now, with the signatures that it has.
  std::vector<fs::path> write_lists(const fs::path& bundle) {
    try {
      judge(files_of_bundle(bundle), Guard::Archives::seen_before);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::profile_refused) throw;
      throw Error(error.code(), error.message(),
                  "the bundle is there, but no lists: let the profile allow what signers add (JSON in signatures/), or "
                  "remove what does not belong there; then run this again");
    }
    return write_guard_lists(bundle, m_report);
  }

  /// For the audit log.
  Json detail() const { return {{"name", printable(m_guard.profile().name)}, {"digest", m_digest.text()}}; }

  Json breaches_json() const {
    auto out = Json::array();
    for (const auto& one : m_report.breaches) {
      out.push_back(
          {{"rule", name(one.rule)}, {"path", one.path}, {"message", one.message}, {"remedy", remedy(one.rule)}});
    }
    return out;
  }

  std::string breaches_text() const {
    std::string out;
    std::set<GuardRule> rules;
    for (const auto& one : m_report.breaches) {
      out +=
          fmt::format("[{}] {}: {}\n", name(one.rule), one.path.empty() ? "the whole bundle" : one.path, one.message);
      rules.insert(one.rule);
    }
    if (m_report.count > m_report.breaches.size()) {
      out += fmt::format("… and {} more\n", m_report.count - m_report.breaches.size());
    }
    for (const auto rule : rules) out += fmt::format("what to do about {}: {}\n", name(rule), remedy(rule));
    return out;
  }

  std::uint64_t count() const { return m_report.count; }

 private:
  Guard m_guard;
  Digest m_digest;
  GuardReport m_report;
};

/// A refusal is listed whole, as text or as the one JSON document of the run. @return it is told
bool tell_refusal(Invocation& invocation, const Gatehouse& gate, const Error& error) {
  const Json json = {{"error",
                      {{"code", info(error.code()).slug},
                       {"message", printable(error.message())},
                       {"context", error.context()},
                       {"hint", error.hint()},
                       {"exit_status", error.exit_status()}}},
                     {"breaches", gate.breaches_json()},
                     {"count", gate.count()}};
  invocation.print(json, [&] { return gate.breaches_text(); });
  if (!invocation.json()) return false;
  invocation.set_status(error.exit_status());
  return true;
}

void pack_and_tell(Invocation& invocation, const Options& options, Gatehouse* gate) {
  const auto site = invocation.site();
  site.require_zone("pack", {Zone::low});
  site.require_own();
  if (!options.form.empty() && options.form != "tree" && options.form != "tar")
    fail(ErrorCode::usage, "--form must be tree or tar, not '{}'", printable(options.form));
  Catalog catalog(site.catalog_file());
  const auto file = read_lock_file(options.lock);
  resume_after_interrupt();
  record_config(invocation, site);
  const auto last = last_packed(catalog, open_audit_log(invocation), file.lock.channel);
  if (const auto trouble = last.trouble(); !trouble.empty())
    invocation.reporter().warn(fmt::format("channel {}: {}", printable(file.lock.channel), trouble));
  auto request = [&] {
    check_lock(options, file.lock, invocation.reporter());
    check_sequence(options, last.newest());
    return make_request(invocation, options, site, file, catalog, last.newest());
  }();
  if (gate != nullptr) request.judge = [gate](const auto& files) { gate->judge(files); };
  if (request.trust_statements.empty()) {
    invocation.reporter().warn(
        "no trust root here: the bundle carries no trust statements (see `liftlock trust init`)");
  }
  AuditLog log(site.audit_folder(), "");
  require_not_given_up(request, log);
  auto subject = packed_subject(request.channel, request.sequence);
  const auto record = [&](Outcome outcome, const Json& detail) {
    log.append({.type = std::string(k_pack_event),
                .actor = invocation.actor(),
                .outcome = outcome,
                .subject = subject,
                .detail = dump_json_line(detail)});
  };
  Json intent = {{"output", request.output.string()}, {"lock", request.lock.text()}};
  if (gate != nullptr) intent["profile"] = gate->detail();
  record(Outcome::intent, intent);
  PackResult result = [&] {
    try {
      return pack(BlobStore(site.store_folder()), request, invocation.reporter());
    } catch (const Error& error) {
      record(Outcome::failure, {{"code", info(error.code()).slug}, {"message", printable(error.what())}});
      throw;
    }
  }();
  check_unchanged(options, result);
  if (options.form.empty() && result.info.form == ContentForm::tar) {
    invocation.reporter().note("the many small files travel as one content.tar; --form tree keeps each a file");
  }
  if (!result.unchanged) {
    set_last_packed(catalog, request.channel, {request.sequence, result.digest});
  }
  // What was there already, unchanged, has its own sequence.
  subject = packed_subject(result.info.channel, result.info.sequence);
  record(Outcome::success, {{"bundle", result.digest.text()}, {"unchanged", result.unchanged}});
  Json json = {{"bundle", request.output.string()},  {"digest", result.digest.text()},
               {"channel", result.info.channel},     {"sequence", result.info.sequence},
               {"files", result.info.content_files}, {"bytes", result.info.content_bytes},
               {"unchanged", result.unchanged}};
  if (const auto& base = result.info.builds_on) {
    json["left_out"] = {{"base", base->base}, {"files", base->files}, {"bytes", base->bytes}};
  }
  std::string lists;
  if (gate != nullptr) {
    json["lists"] = Json::array();
    for (const auto& list : gate->write_lists(request.output)) {
      json["lists"].push_back(list.string());
      lists += fmt::format("for the guard: {}\n", list.string());
    }
  }
  invocation.print(json, [&] {
    return fmt::format(
        "{}{}, {} in {}{}\n{}{}announce this digest to the receiver by another way than the medium:\n  {}\n",
        bundle_heading(result.info, result.digest), counted(result.info.content_files, "file"),
        format_size(result.info.content_bytes), request.output.string(),
        result.unchanged ? " (it was there already, whole and unchanged)" : "", left_out_text(result.info), lists,
        result.digest.text());
  });
}

void run(Invocation& invocation, const Options& options) {
  std::optional<Gatehouse> gate;
  if (!options.profile.empty()) gate.emplace(options.profile);
  try {
    pack_and_tell(invocation, options, gate ? &*gate : nullptr);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::profile_refused && tell_refusal(invocation, *gate, error)) return;
    throw;
  }
}

}  // namespace

void add_pack(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("pack", "Seal a fetched stack into a bundle folder");
  auto options = std::make_shared<Options>();
  command->add_option("--output,-o", options->output, "The bundle folder to make")->required()->type_name("DIR");
  command
      ->add_option("--lock", options->lock, "The lock to pack (default liftlock.lock); that of stack X.toml is X.lock")
      ->type_name("FILE");
  command
      ->add_option(
          "--form", options->form,
          "tree (plain folders) or tar (one content.tar). Default: tree; tar for 5000 or more files of at most 64 KiB, "
          "unless there is a profile or a scanner, who judge files")
      ->type_name("{tree,tar}");
  command->add_option("--sequence", options->sequence, "Place in the channel (default: one more than the last)")
      ->check(whole_number(1, k_max_exact));
  command->add_option("--pending", options->pending, "Lower sequences still under way that may arrive later")
      ->delimiter(',')
      ->check(whole_number(1, k_max_exact));
  command
      ->add_option("--since", options->since,
                   "Leave out what the receiver has: by a lock, or the folder of a bundle, a receipt or a request")
      ->type_name("PLACE");
  command
      ->add_option(
          "--profile", options->profile,
          "Judge every file by this guard profile first, and write the hash lists of a guard beside the bundle")
      ->type_name("FILE");
  command
      ->add_option("--expires", options->expires,
                   "When the bundle is stale: 90d, a day like 2027-01-31 (to its end, UTC), a time, or never (default)")
      ->type_name("TIME");
  command
      ->add_option("--expedited", options->expedited,
                   "Why it does not wait for the channel's next date: it overtakes, and is told apart everywhere")
      ->type_name("REASON");
  command->footer(
      "Sign it afterwards, here or elsewhere, with `liftlock sign`. Killed, it checks what it wrote, and goes on; run "
      "again with "
      "nothing\n"
      "changed, it checks the bundle and leaves it alone.\n"
      "Example: liftlock pack --output /media/out/demo-7 --since /media/out/demo-6 --expires 90d");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
