#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/bundle_folder.hpp"
#include "bundle/signatures.hpp"
#include "bundle/verify.hpp"
#include "cli/bundle_view.hpp"
#include "cli/cmd_media.hpp"
#include "cli/command.hpp"
#include "cli/long_list.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
namespace {

/// On a terminal; a rotten medium has many.
constexpr std::size_t k_most = 40;

struct Options {
  std::vector<std::string> folders;
  std::string expect;
  bool all = false;
};

constexpr std::string_view k_signatures = "signatures", k_below_signatures = "signatures/";

/// One copy of the bundle, on a medium of its own.
struct Copy {
  std::string folder;
  std::optional<VerifyReport> report;             ///< none: its bundle.json cannot be read at all
  std::vector<Problem> damage;                    ///< bytes that are not what was sealed, or cannot be read
  std::vector<Problem> remarks;                   ///< that the bundle is past its date, say: it rotted nowhere
  std::set<std::string> bad;                      ///< the paths of `damage`
  std::map<std::string, std::string> signatures;  ///< path → bytes, of each that can be read

  void add(const Problem& problem) {
    if (problem.path == k_signatures && problem.code == ErrorCode::extra_file) return;  // the folder, emptied
    const auto error_class = info(problem.code).error_class;
    const bool rotten = error_class == ErrorClass::integrity && problem.code != ErrorCode::expect_mismatch;
    if (!rotten && problem.code != ErrorCode::io_error) return remarks.push_back(problem);
    damage.push_back(problem);
    bad.insert(problem.path);
  }
  /// By the trust root that is pinned here.
  bool doubts_signatures() const {
    return bad.contains(std::string(k_signatures)) ||
           std::any_of(remarks.begin(), remarks.end(), [](const auto& one) { return one.path == k_signatures; });
  }
  /// Does the root of trust believe this signature, as it lies here?
  bool believes_signature(const std::string& path) const {
    if (!report || !report->signatures_judged) return false;
    const auto& judged = report->signatures;
    return std::any_of(judged.begin(), judged.end(), [&](const auto& one) {
      return std::string(k_below_signatures) + one.file == path && one.status == SignatureStatus::valid;
    });
  }
  /// Was this file of the bundle read, and found to be what was sealed?
  bool has_whole(const std::string& path) const {
    if (!report || bad.contains(path)) return false;
    if (path.starts_with(k_below_signatures))
      return signatures.contains(path) && (!doubts_signatures() || believes_signature(path));
    const auto is_it = [&](const auto& one) { return one.path == path; };
    if (std::any_of(remarks.begin(), remarks.end(), is_it)) return false;
    const auto withheld = [&](const auto& one) { return one.path.text() == path; };
    if (std::any_of(report->withheld.begin(), report->withheld.end(), withheld)) return false;  // it was not read
    if (report->content_read || path.starts_with("manifest") || path == k_signatures) return true;
    const auto& lists = report->info.lists;
    return std::any_of(lists.begin(), lists.end(), [&](const auto& one) { return one.first.text() == path; });
  }
};

Copy read_copy(Invocation& invocation, const std::string& folder, const Options& options) {
  const auto trust = trust_of(invocation.site());
  VerifyOptions verify{.expect = std::nullopt, .pinned = std::nullopt, .when = now()};
  verify.io_errors_are_problems = true;
  if (!trust.empty()) verify.pinned = trust.pinned_chain();
  if (!options.expect.empty()) verify.expect = parse_digest(options.expect);
  invocation.reporter().note(folder);
  Copy out{.folder = folder, .report = {}, .damage = {}, .remarks = {}, .bad = {}, .signatures = {}};
  try {
    for (auto& one : read_signatures(folder))
      out.signatures.emplace(std::string(k_below_signatures) + one.name, std::move(one.bytes));
  } catch (const Error&) {
    // Which is a problem of the report.
  }
  try {
    out.report = verify_bundle(folder, verify, invocation.reporter());
    for (const auto& problem : out.report->problems) out.add(problem);
  } catch (const Error& error) {
    // The medium instead of the bundle on it is a slip, and no rot.
    if (!fs::is_directory(folder) || (error.code() == ErrorCode::not_a_bundle && !bundles_below(folder).empty())) throw;
    out.damage.push_back({error.code(), std::string(k_bundle_json_path), error.what()});
    out.bad.insert(std::string(k_bundle_json_path));
  }
  return out;
}

/// Is its bundle.json what was announced, or what its signers signed?
bool is_vouched_for(const Copy& copy, const Options& options) {
  if (!copy.report) return false;
  if (!options.expect.empty()) return copy.report->digest == parse_digest(options.expect);
  const auto& signatures = copy.report->signatures;
  return copy.report->signatures_judged && !copy.doubts_signatures() &&
         std::any_of(signatures.begin(), signatures.end(),
                     [](const auto& one) { return one.status == SignatureStatus::valid; });
}

/// Copies whose bundle.json is another one are damaged, where one is vouched for; two that are vouched for are two
/// bundles.
void compare_digests(std::vector<Copy>& copies, const Options& options) {
  const auto differs = [](const Copy& a, const Copy& b) {
    return a.report && b.report && a.report->digest != b.report->digest;
  };
  auto chosen =
      std::find_if(copies.begin(), copies.end(), [&](const auto& one) { return is_vouched_for(one, options); });
  if (chosen == copies.end()) {
    chosen = std::find_if(copies.begin(), copies.end(), [](const auto& one) { return one.report.has_value(); });
  }
  if (chosen == copies.end()) {
    const bool has_any =
        std::any_of(copies.begin(), copies.end(), [](const auto& one) { return is_bundle(one.folder); });
    if (has_any) fail(ErrorCode::not_a_bundle, "bundle.json is damaged in every copy");
    throw Error(ErrorCode::not_a_bundle, fmt::format("no copy holds a {}", k_bundle_json_path),
                "mount the media, or name the folders of the bundle on them");
  }
  const bool vouched = is_vouched_for(*chosen, options);
  for (auto& copy : copies) {
    if (!differs(*chosen, copy)) continue;
    if (!vouched || is_vouched_for(copy, options)) {
      throw Error(
          ErrorCode::expect_mismatch,
          fmt::format("'{}' and '{}' hold different bundles: bundle.json is {} and {}", printable(chosen->folder),
                      printable(copy.folder), chosen->report->digest.text(), copy.report->digest.text()),
          "name copies of one bundle; where one of them is damaged, say with --expect which digest was "
          "announced");
    }
    copy.report.reset();
    copy.bad.clear();
    copy.damage.clear();
    copy.add({ErrorCode::digest_mismatch, std::string(k_bundle_json_path), "it is not the one that was sealed"});
  }
}

/// No list names signatures: they are compared with each other. Where they differ and nobody can be asked which is
/// right, neither is.
void compare_signatures(std::vector<Copy>& copies) {
  std::set<std::string> paths;
  for (const auto& copy : copies) {
    for (const auto& [path, bytes] : copy.signatures) paths.insert(path);
  }
  for (const auto& path : paths) {
    std::set<std::string> contents;
    for (const auto& copy : copies) {
      if (const auto found = copy.signatures.find(path); found != copy.signatures.end()) contents.insert(found->second);
    }
    for (auto& copy : copies) {
      const auto found = copy.signatures.find(path);
      if (found != copy.signatures.end()) {
        if (contents.size() > 1 && !copy.believes_signature(path))
          copy.add({ErrorCode::signature_invalid, path, "it is another one than in the other copies"});
        continue;
      }
      // One that came later than the copy was made, perhaps; what it has may do.
      const Problem missing{ErrorCode::missing_file, path, "it is missing, and another copy has it"};
      const bool does = copy.report && copy.report->signatures_judged && !copy.doubts_signatures();
      does ? copy.remarks.push_back(missing) : copy.add(missing);
    }
  }
  const bool judged = std::any_of(copies.begin(), copies.end(),
                                  [](const auto& one) { return one.report && one.report->signatures_judged; });
  if (paths.empty() && judged) {
    for (auto& copy : copies) copy.add({ErrorCode::missing_file, std::string(k_signatures), "no copy has a signature"});
  }
  // Where single files are named, the word on all of them says nothing more.
  for (auto& copy : copies) {
    const auto below = copy.bad.lower_bound(std::string(k_below_signatures));
    if (below == copy.bad.end() || !below->starts_with(k_below_signatures)) continue;
    std::erase_if(copy.damage, [](const auto& one) { return one.path == k_signatures; });
    copy.bad.erase(std::string(k_signatures));
  }
}

struct Damaged {
  std::string path;
  bool is_extra = false;  ///< a file that no list names: it is to go, and whole in no other
  std::vector<std::string> bad_in;
  const Copy* good_in = nullptr;
};

std::vector<Damaged> damaged_files(const std::vector<Copy>& copies) {
  std::map<std::string, Damaged> by_path;
  for (const auto& copy : copies) {
    for (const auto& problem : copy.damage) {
      auto& damaged = by_path[problem.path];
      damaged.path = problem.path;
      damaged.is_extra = problem.code == ErrorCode::extra_file;
      const auto folder = printable(copy.folder);
      if (damaged.bad_in.empty() || damaged.bad_in.back() != folder) damaged.bad_in.push_back(folder);
    }
  }
  std::vector<Damaged> out;
  for (auto& [path, damaged] : by_path) {
    const auto good = std::find_if(copies.begin(), copies.end(), [&](const auto& one) { return one.has_whole(path); });
    if (good != copies.end() && !damaged.is_extra) damaged.good_in = &*good;
    out.push_back(std::move(damaged));
  }
  return out;
}

Json problems_json(const std::vector<Problem>& problems) {
  auto out = Json::array();
  for (const auto& problem : problems) {
    out.push_back({{"code", info(problem.code).slug}, {"path", problem.path}, {"message", printable(problem.message)}});
  }
  return out;
}

bool was_read(const Copy& copy) {
  return copy.report && copy.report->content_read;
}

std::string copies_text(const std::vector<Copy>& copies) {
  std::string out;
  for (const auto& copy : copies) {
    out += copy.damage.empty()
               ? fmt::format("good  {}: {}, {}\n", printable(copy.folder), counted(copy.report->files, "file"),
                             format_size(copy.report->bytes))
               : fmt::format("BAD   {}: {}{}\n", printable(copy.folder), counted(copy.bad.size(), "damaged file"),
                             was_read(copy) ? "" : "; its lists are damaged, so that its content was not read");
    for (const auto& remark : copy.remarks)
      out += fmt::format("      {}: {}\n", info(remark.code).slug, printable(remark.message));
  }
  const bool judged = std::any_of(copies.begin(), copies.end(),
                                  [](const auto& one) { return one.report && one.report->signatures_judged; });
  return out + (judged ? "" : "signatures were not judged: no trust root is pinned here\n");
}

bool is_lost(const Damaged& file) {
  return file.good_in == nullptr && !file.is_extra;
}

std::string line_of(const Damaged& file) {
  const auto where = fmt::format("{}", fmt::join(file.bad_in, ", "));
  const auto path = file.path.empty() ? std::string("the bundle") : printable(file.path);
  if (file.is_extra) return fmt::format("{}: belongs to no bundle, and is in {}\n", path, where);
  return fmt::format("{}: bad in {}; {}\n", path, where,
                     is_lost(file) ? "WHOLE IN NONE THAT WAS READ" : "whole in " + printable(file.good_in->folder));
}

std::string closing_text(const std::vector<Copy>& copies, const std::vector<Damaged>& files) {
  if (files.empty()) return "";
  const auto lost = std::count_if(files.begin(), files.end(), is_lost);
  const bool all_read = std::all_of(copies.begin(), copies.end(), was_read);
  if (!all_read)
    return "mend the lists first: copy them from the copy that has them whole, then run this again for the content\n";
  if (lost == 0) return "together they are whole: make a new copy from the whole files, and `liftlock verify` it\n";
  const bool only_signatures = std::all_of(files.begin(), files.end(), [](const auto& file) {
    return !is_lost(file) || file.path == k_signatures || file.path.starts_with(k_below_signatures);
  });
  if (only_signatures) return "no copy has the signatures that it needs: have it signed again (`liftlock sign`)\n";
  return fmt::format("{} whole in no copy: have the bundle made again\n",
                     lost == 1 ? "1 file is" : counted(static_cast<std::uint64_t>(lost), "file") + " are");
}

void run(Invocation& invocation, const Options& options) {
  if (options.folders.size() < 2) fail(ErrorCode::usage, "name two copies or more; `liftlock verify` judges one alone");
  std::vector<Copy> copies;
  for (const auto& folder : options.folders) {
    std::error_code absent;
    for (const auto& copy : copies) {
      if (fs::equivalent(copy.folder, folder, absent))
        fail(ErrorCode::usage, "'{}' is the same folder as '{}'", printable(folder), printable(copy.folder));
    }
    copies.push_back(read_copy(invocation, folder, options));
  }
  compare_digests(copies, options);
  compare_signatures(copies);
  const auto damaged = damaged_files(copies);
  auto files = Json::array();
  for (const auto& file : damaged) {
    files.push_back({{"path", file.path},
                     {"bad_in", file.bad_in},
                     {"good_in", file.good_in == nullptr ? Json() : Json(file.good_in->folder)}});
  }
  auto list = Json::array();
  for (const auto& copy : copies) {
    list.push_back({{"folder", copy.folder},
                    {"good", copy.damage.empty()},
                    {"content_read", was_read(copy)},
                    {"damage", problems_json(copy.damage)},
                    {"remarks", problems_json(copy.remarks)}});
  }
  const bool together =
      std::all_of(copies.begin(), copies.end(), was_read) && std::none_of(damaged.begin(), damaged.end(), is_lost);
  invocation.print({{"copies", std::move(list)}, {"damaged", std::move(files)}, {"together_whole", together}}, [&] {
    const LongList shown(options.all);
    auto out = copies_text(copies);
    for (std::size_t i = 0; i < shown.shown(damaged.size(), k_most); ++i) out += line_of(damaged[i]);
    return out + shown.rest(damaged.size(), k_most, "damaged file") + closing_text(copies, damaged);
  });
  if (!damaged.empty()) invocation.set_status(static_cast<int>(ErrorClass::integrity));
}

}  // namespace

void add_media_verify(CLI::App& group, Invocation& invocation) {
  auto* command =
      group.add_subcommand("verify", "Read two copies or more of a bundle, and say which files rotted where");
  auto options = std::make_shared<Options>();
  command->add_option("BUNDLE", options->folders, "The folder of the bundle on each medium")->required();
  command->add_option("--expect", options->expect, "The announced digest of bundle.json")->type_name("DIGEST");
  add_all_flag(*command, options->all);
  command->footer(
      "Every byte of each copy is read and compared with the signed manifest; of a file that rotted, or that a medium\n"
      "does not give any more, it says which copy has it whole. That a bundle is past its date, or its key retired, "
      "is\n"
      "told and is no damage. The exit status is 4 when something rotted in any of them.\n"
      "Example: liftlock media verify /mnt/usb1/demo-7 /mnt/usb2/demo-7");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
