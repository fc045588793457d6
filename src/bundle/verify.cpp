#include "bundle/verify.hpp"

#include <algorithm>
#include <mutex>
#include <numeric>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/accepted_kinds.hpp"
#include "crypto/hash.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

/// Turns an Error into a problem of the report; trouble of the machine itself is thrown on.
void collect(std::vector<Problem>& problems, const std::string& path, const VerifyOptions& options,
             const std::function<void()>& check) {
  try {
    check();
  } catch (const Error& error) {
    const auto error_class = info(error.code()).error_class;
    const bool tolerated = options.io_errors_are_problems && error.code() == ErrorCode::io_error;
    if (!tolerated && (error_class == ErrorClass::internal || error_class == ErrorClass::space)) throw;
    problems.push_back({error.code(), path, error.what()});
  }
}

void check_content(const BundleReader& bundle, const VerifyOptions& options, VerifyReport& report, Reporter& reporter) {
  const auto& files = bundle.files();
  std::vector<std::size_t> order(files.size());
  std::iota(order.begin(), order.end(), 0u);
  // The largest first, so that no core ends with the longest piece alone.
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return files[a].size > files[b].size; });

  std::mutex mutex;
  ProgressTask progress(reporter, "verify", Unit::bytes, report.info.content_bytes);
  parallel_for(order.size(), [&](std::size_t i) {
    const auto& file = files[order[i]];
    if (bundle.is_withheld(file)) return;
    std::vector<Problem> found;
    collect(found, file.path.text(), options, [&] {
      const auto range = bundle.open_content(order[i]);
      const auto actual = sha256_of_range(range.fd, range.offset, file.size, file.path.text(),
                                          [&](std::uint64_t done) { progress.advance(done); });
      if (actual != file.digest) {
        fail(ErrorCode::digest_mismatch, "'{}' has {} instead of {}", file.path.text(), actual.text(),
             file.digest.text());
      }
    });
    const std::lock_guard lock(mutex);
    report.bytes += file.size;
    ++report.files;
    for (auto& problem : found) report.problems.push_back(std::move(problem));
  });
}

/// The root by which signatures are judged, where they are.
std::optional<TrustRoot> check_signatures(const BundleReader& bundle, const VerifyOptions& options,
                                          VerifyReport& report) {
  const auto signatures = bundle.signatures(options.signatures);
  // They are listed also where the chain is refused.
  for (const auto& signature : signatures) {
    report.signatures.push_back({.file = signature.name,
                                 .key_id = {},
                                 .owner = {},
                                 .role = std::nullopt,
                                 .status = SignatureStatus::unknown_key,
                                 .message = "not judged"});
  }
  if (!options.pinned) return std::nullopt;
  auto root = judge_chain(*options.pinned, bundle.trust_statements(), options.when);
  report.signatures = judge(bundle.bundle_json(), signatures, root, options.when);
  report.signatures_judged = true;
  require_thresholds(report.signatures, root);
  return root;
}

void take_withheld(BundleReader& bundle, const std::optional<TrustRoot>& root, const VerifyOptions& options,
                   VerifyReport& report) {
  const auto carried = read_withheld(bundle.folder());
  if (!carried) return;
  check_withheld(carried->withheld, bundle);
  if (options.pinned && !root) fail(ErrorCode::unsigned_document, "nobody is known here who could have signed it");
  if (root) require_scanner(*carried, *root, options.when);
  bundle.withhold(paths_of(carried->withheld));
  report.withheld = carried->withheld.files;
}

bool is_of_scanner(std::string_view path) {
  return path == k_withheld_path || path.starts_with(fmt::format("{}/", k_withheld_folder));
}

/// As ingest would take it in.
std::vector<Artifact> landing_of(const BundleReader& bundle, const VerifyReport& report) {
  std::set<RelPath> withheld;
  for (const auto& file : report.withheld) withheld.insert(file.path);
  return judge_landing(bundle.artifacts(), withheld).artifacts;
}

void drop_repeated(std::vector<Problem>& problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  // The survey and the content check may both have found a missing or wrongly sized file.
  const auto same = [](const auto& a, const auto& b) {
    return !a.path.empty() && a.path == b.path && a.code == b.code;
  };
  problems.erase(std::unique(problems.begin(), problems.end(), same), problems.end());
}

}  // namespace

VerifyReport verify_bundle(const fs::path& folder, const VerifyOptions& options, Reporter& reporter) {
  BundleReader bundle(folder);
  VerifyReport report{.info = bundle.info(),
                      .digest = bundle.digest(),
                      .signatures_judged = false,
                      .signatures = {},
                      .problems = {},
                      .withheld = {},
                      .files = 0,
                      .bytes = 0,
                      .content_read = false};
  auto& problems = report.problems;
  if (options.expect && *options.expect != bundle.digest()) {
    problems.push_back({ErrorCode::expect_mismatch, std::string(k_bundle_json_path),
                        fmt::format("it is {}, and {} was announced", bundle.digest().text(), options.expect->text())});
  }
  std::optional<TrustRoot> root;
  collect(problems, "signatures", options, [&] { root = check_signatures(bundle, options, report); });
  collect(problems, std::string(k_bundle_json_path), options, [&] { require_no_future(report.info, options.when); });
  if (report.info.expires && *report.info.expires < options.when) {
    problems.push_back({ErrorCode::bundle_expired, std::string(k_bundle_json_path),
                        fmt::format("the bundle expired at {}", format_end(*report.info.expires))});
  }
  for (const auto& [path, bound] : report.info.lists) {
    collect(problems, path.text(), options, [&] { bundle.read_list(path); });
  }
  bool lists_good = false;
  collect(problems, "manifest", options, [&] {
    bundle.load_lists();
    lists_good = true;
  });
  if (lists_good) {
    collect(problems, std::string(k_withheld_path), options, [&] { take_withheld(bundle, root, options, report); });
    collect(problems, "", options, [&] { require_accepted_kinds(options.accept_kinds, landing_of(bundle, report)); });
    collect(problems, "", options, [&] {
      // What is wrong with a scanner's statement was told; that it lies there needs no second word.
      const bool told =
          std::any_of(problems.begin(), problems.end(), [](const auto& one) { return one.path == k_withheld_path; });
      for (auto& problem : bundle.survey()) {
        if (told && problem.code == ErrorCode::extra_file && is_of_scanner(problem.path)) continue;
        problems.push_back(std::move(problem));
      }
    });
    check_content(bundle, options, report, reporter);
    report.content_read = true;
  }
  drop_repeated(problems);
  return report;
}

}  // namespace liftlock
