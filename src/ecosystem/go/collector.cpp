#include "ecosystem/go/collector.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/go/go_mod.hpp"
#include "ecosystem/go/go_sum.hpp"
#include "ecosystem/go/list_check.hpp"
#include "ecosystem/go/module_path.hpp"
#include "ecosystem/go/module_proxies.hpp"
#include "ecosystem/go/module_zip.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"
#include "os/parallel.hpp"

namespace liftlock::go {
namespace {

constexpr unsigned k_parallel_documents = 8;

constexpr std::array k_keys = {
    KeySpec{"module", ValueType::string, true,
            "A go.mod, relative to the stack file; every module that the go.sum beside it lists is taken.",
            "\"app/go.mod\""},
    KeySpec{"proxy", ValueType::string, false,
            "Module proxies to take them from, as GOPROXY lists them; by default what `go env GOPROXY` says.",
            "\"https://goproxy.example\""},
    KeySpec{"build", ValueType::boolean, false,
            "`liftlock check` also compiles the module's packages where they lie, without a network, and keeps nothing "
            "of it; default false.",
            "true"},
};

/// One module on its way.
struct Module {
  ModuleSums sums;
  std::string proxy;
  std::string mod;  ///< the bytes of its go.mod
  GoMod parsed;
  FetchResult zip{sha256(""), 0};
};

class Resolution {
 public:
  Resolution(const StackEntry& entry, CollectContext& context)
      : m_entry(entry), m_context(context), m_path(stack_path(entry.text("module"), context.stack_folder)) {}

  Collected run() {
    const auto go_mod = with_context(m_entry.where(), [&] { return parse_go_mod(read_file(m_path, k_max_go_mod)); });
    const auto sum = read_sum();
    const auto sums = with_context(m_entry.where(), [&] { return parse_go_sum(sum); });
    m_sum_digest = sha256(sum).hex();
    for (const auto& one : sums) {
      m_modules.push_back({.sums = one});
      m_known.insert({one.path, one.version});
    }
    check_is_whole(go_mod);
    if (!m_modules.empty()) {
      const auto list = m_entry.text("proxy");
      const auto proxies = with_context(m_entry.where(), [&] {
        return list.empty() ? ModuleProxies::of_go(fs::absolute(m_path).parent_path()) : ModuleProxies::parse(list);
      });
      for (const auto& proxy : proxies.list()) refuse_credentials(proxy.url, m_entry.where());
      get_mods(proxies);
      get_zips();
    }
    Collected out;
    for (auto& module : m_modules) out.artifacts.push_back(artifact_of(module));
    std::sort(out.artifacts.begin(), out.artifacts.end(),
              [](const Artifact& a, const Artifact& b) { return a.id() < b.id(); });
    if (m_modules.empty()) out.notes.push_back(fmt::format("{}: go.sum lists no module", m_entry.where()));
    return out;
  }

 private:
  std::string read_sum() const {
    const auto path = m_path.parent_path() / "go.sum";
    if (!fs::exists(path)) return {};
    return read_file(path, k_max_go_sum);
  }

  /// A requirement without a line in go.sum would stop the build on the other side, where nobody can add it.
  void check_is_whole(const GoMod& go_mod) const {
    for (const auto& requirement : go_mod.requirements) {
      if (go_mod.replaced.count(requirement.path) != 0) continue;
      if (m_known.count(requirement) != 0) continue;
      throw Error(ErrorCode::unresolvable,
                  fmt::format("{}: go.mod requires {} {}, of which go.sum has no hash", m_entry.where(),
                              requirement.path, requirement.version),
                  "run `go mod tidy` in its folder");
    }
  }

  void get_mods(const ModuleProxies& proxies) {
    ProgressTask progress(m_context.reporter, "go.mod files", Unit::items, m_modules.size());
    parallel_for(
        m_modules.size(),
        [&](std::size_t i) {
          auto& module = m_modules[i];
          Document document;
          module.proxy = proxies.base_for(module.sums.path, module.sums.version, m_context.downloader, document);
          module.mod = std::move(document.body);
          const auto actual = h1_of_go_mod(module.mod);
          if (!module.sums.mod.empty() && actual != module.sums.mod)
            differs(module, "/go.mod", actual, module.sums.mod);
          module.parsed = with_context(module.sums.path, [&] { return parse_go_mod(module.mod); });
          progress.advance(1);
        },
        k_parallel_documents);
  }

  void get_zips() {
    std::vector<FetchJob> jobs;
    std::vector<Module*> owners;
    for (auto& module : m_modules) {
      if (module.sums.zip.empty()) continue;
      owners.push_back(&module);
      jobs.push_back({.title = module.sums.path + "@" + module.sums.version,
                      .digest = {},
                      .size = {},
                      .url = module_url(module.proxy, module.sums.path, module.sums.version, "zip"),
                      .headers = {},
                      .produce = {}});
    }
    const auto results = m_context.downloader.fetch(jobs);
    parallel_for(results.size(), [&](std::size_t i) {
      auto& module = *owners[i];
      module.zip = results[i];
      const auto fd = m_context.store.open(module.zip.digest);
      const auto zip = with_context(module.sums.path,
                                    [&] { return check_module_zip(fd.get(), module.sums.path, module.sums.version); });
      if (zip.h1 != module.sums.zip) differs(module, "", zip.h1, module.sums.zip);
    });
  }

  [[noreturn]] void differs(const Module& module, std::string_view what, std::string_view actual,
                            std::string_view stated) const {
    throw Error(ErrorCode::digest_mismatch,
                fmt::format("{}: {} {}{} from {} has the hash {}; go.sum states {}", m_entry.where(), module.sums.path,
                            module.sums.version, what, module.proxy, actual, stated),
                "somebody changed the module, or the proxy lies: find out which before you touch go.sum");
  }

  Evidence sum_evidence(const std::string& h1) const {
    Evidence out{.type = "lock-hash", .details = Json::object()};
    out.details["lock"] = "go.sum";
    out.details["lock_sha256"] = m_sum_digest;
    out.details["h1"] = h1;
    return out;
  }

  Artifact artifact_of(const Module& module) const {
    const auto& sums = module.sums;
    Artifact out{.kind = "go-module", .name = sums.path, .version = sums.version};
    out.facts["h1_mod"] = h1_of_go_mod(module.mod);
    for (const auto& requirement : module.parsed.requirements) {
      if (m_known.count(requirement) != 0)
        out.needs.push_back(fmt::format("go-module:{}@{}", requirement.path, requirement.version));
    }
    std::sort(out.needs.begin(), out.needs.end());
    out.needs.erase(std::unique(out.needs.begin(), out.needs.end()), out.needs.end());
    const auto path = [&](std::string_view end) {
      return RelPath::parse(
          fmt::format("packages/go/{}/@v/{}.{}", escape_module(sums.path), escape_module(sums.version), end));
    };
    const auto info = info_of(sums.version);
    Evidence derived{.type = "derived", .details = Json::object()};
    derived.details["from"] = "the version";
    out.files.push_back({path("info"), info.size(), m_context.store.put(info), {}, {derived}});
    out.files.push_back({path("mod"),
                         module.mod.size(),
                         m_context.store.put(module.mod),
                         module_url(module.proxy, sums.path, sums.version, "mod"),
                         {sums.mod.empty() ? first_use_evidence() : sum_evidence(sums.mod)}});
    if (!sums.zip.empty()) {
      out.facts["h1"] = sums.zip;
      out.files.push_back({path("zip"),
                           module.zip.size,
                           module.zip.digest,
                           module_url(module.proxy, sums.path, sums.version, "zip"),
                           {sum_evidence(sums.zip)}});
    }
    return out;
  }

  const StackEntry& m_entry;
  CollectContext& m_context;
  fs::path m_path;
  std::string m_sum_digest;
  std::vector<Module> m_modules;
  std::set<Requirement> m_known;  ///< what go.sum lists
};

}  // namespace

std::string_view GoCollector::table() const {
  return "go";
}
std::string_view GoCollector::summary() const {
  return "Go modules: all that a go.sum lists, with the hashes that stand there";
}
std::span<const KeySpec> GoCollector::keys() const {
  return k_keys;
}

std::vector<fs::path> GoCollector::input_files(const StackEntry& entry, const fs::path& stack_folder) const {
  const auto at = stack_path(entry.text("module"), stack_folder);
  // As the stack writes it, so that the declaration is the same wherever the stack lies.
  const auto path = entry.text("module").starts_with('~') ? at : fs::path(entry.text("module"));
  std::vector<fs::path> out{path};
  if (fs::exists(at.parent_path() / "go.sum")) out.push_back(path.parent_path() / "go.sum");
  return out;
}

Collected GoCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  return Resolution(entry, context).run();
}

std::vector<FetchJob> GoCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                        CollectContext& context) const {
  auto jobs = Collector::plan(artifact, entry, context);
  for (auto& job : jobs) {
    if (!job.title.ends_with(".info")) continue;
    job.url.clear();
    job.produce = [info = info_of(artifact.version)](int out) { write_all(out, info, "a .info"); };
  }
  return jobs;
}

CheckResult GoCollector::check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                               CollectContext& context) const {
  return check_list(entry, fs::absolute(stack_path(entry.text("module"), context.stack_folder)), artifacts, context);
}

}  // namespace liftlock::go
