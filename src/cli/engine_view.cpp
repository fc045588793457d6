#include "cli/engine_view.hpp"

#include <ctime>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/error.hpp"
#include "engine/stored_engines.hpp"

namespace liftlock {
namespace {

sigset_t end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

std::vector<std::string> make_default(Invocation& invocation, const Site& site, const engine::InstalledEngine& one,
                                      Replace replace) {
  try {
    engine::require_suited(one, engine::this_machine());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::engine_unfit) throw;
    invocation.reporter().warn(fmt::format("it is no default: {}", error.message()));
    return {};
  }
  engine::Choices defaults(site.engine_defaults_file());
  AuditLog log(site.audit_folder(), "");
  std::vector<std::string> out;
  for (const auto& format : engine::model_formats()) {
    if (!one.manifest.executables.contains(std::string(format.executable))) continue;
    const auto before = defaults.current(format.name);
    if (before && replace == Replace::no) continue;
    const engine::Choice choice{full_name(one), one.facts.package, now(), invocation.actor()};
    logged_effect(log,
                  {.type = "engine.default",
                   .actor = choice.actor,
                   .outcome = Outcome::intent,
                   .subject = std::string(format.name),
                   .detail = dump_json_line({{"engine", choice.value}, {"before", before ? before->value : ""}})},
                  [&] { defaults.choose(std::string(format.name), choice); });
    out.emplace_back(format.name);
  }
  return out;
}

void block_end_signals() {
  const auto signals = end_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

std::vector<std::string> left_unused(const Site& site, const engine::InstalledEngine& one,
                                     const engine::Machine& machine) {
  std::map<std::string, std::string> others;
  for (const auto& other : engine::installed_engines(site.engines_folder())) {
    if (other.manifest.name == one.manifest.name) others.emplace(full_name(other), other.manifest.variant);
  }
  if (fs::exists(site.catalog_file())) {
    for (const auto& package : engine::stored_engines(Catalog(site.catalog_file(), Access::read))) {
      const auto variant = package.facts.find("variant");
      const bool is_known = variant != package.facts.end() && variant->is_string();
      if (is_known && engine::engine_in(package) == one.manifest.name)
        others.emplace(package.id(), variant->get<std::string>());
    }
  }
  return engine::left_unused(one.manifest.variant, others, machine);
}

int wait_for_end(Sandbox& sandbox) {
  const auto signals = end_signals();
  const timespec moment{0, 200'000'000};
  while (true) {
    if (const auto status = sandbox.poll()) return *status;
    if (::sigtimedwait(&signals, nullptr, &moment) > 0) {
      sandbox.kill();
      sandbox.wait();
      return 0;
    }
  }
}

}  // namespace liftlock
