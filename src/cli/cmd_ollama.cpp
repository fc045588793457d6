#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/interrupt.hpp"
#include "ecosystem/ollama/store_check.hpp"
#include "ecosystem/ollama/store_reader.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string folder;
  std::string user;
};

ollama::StoreUser user_of(const passwd& entry) {
  ollama::StoreUser out{entry.pw_name, entry.pw_uid, {entry.pw_gid}};
  std::vector<gid_t> groups(256);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(entry.pw_name, entry.pw_gid, groups.data(), &count) >= 0) {
    groups.resize(static_cast<std::size_t>(count));
    out.groups = std::move(groups);
  }
  return out;
}

/// Who Ollama runs as: who is named, else the user of its service, else who asks.
ollama::StoreUser find_user(const std::string& wanted) {
  if (!wanted.empty()) {
    const auto* entry = ::getpwnam(wanted.c_str());
    if (entry == nullptr)
      throw Error(ErrorCode::not_found, fmt::format("there is no user '{}'", printable(wanted)), "check --user");
    return user_of(*entry);
  }
  if (const auto* service = ::getpwnam("ollama"); service != nullptr) return user_of(*service);
  if (const auto* self = ::getpwuid(::geteuid()); self != nullptr) return user_of(*self);
  return {std::to_string(::geteuid()), ::geteuid(), {::getegid()}};
}

void run(Invocation& invocation, const Options& options) {
  begin_anew_after_interrupt();
  const auto user = find_user(options.user);
  const auto folder = options.folder.empty() ? ollama::default_store() : fs::path(options.folder);
  const auto checked = ollama::check_store(folder, user, invocation.reporter());
  Json findings = Json::array();
  for (const auto& finding : checked.findings) {
    findings.push_back(
        {{"kind", name(finding.kind)}, {"path", finding.path}, {"message", finding.message}, {"fix", finding.fix}});
  }
  const Json document = {{"store", printable(checked.store.string())},
                         {"user", user.name},
                         {"models", checked.models},
                         {"hashed", checked.hashed},
                         {"findings", std::move(findings)}};
  if (!checked.findings.empty()) invocation.set_status(static_cast<int>(ErrorClass::integrity));
  invocation.print(document, [&] {
    std::string out;
    for (const auto& model : checked.models) out += fmt::format("ok            {}\n", model);
    for (const auto& finding : checked.findings) {
      out += fmt::format("{:<13} {}\n              {}\n              fix: {}\n", name(finding.kind), finding.path,
                         finding.message, finding.fix);
    }
    out += fmt::format("{} of blobs hashed, {} whole models, {} findings; Ollama runs as '{}'\n",
                       format_size(checked.hashed), checked.models.size(), checked.findings.size(), user.name);
    return out;
  });
}

}  // namespace

void add_ollama(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("ollama", "Stores of Ollama on this machine");
  group->require_subcommand(1);
  auto* command = group->add_subcommand(
      "check", "Is a store of Ollama whole: its layout, its manifests, every blob hashed, who may read it");
  auto options = std::make_shared<Options>();
  command->add_option(
      "DIR", options->folder,
      "OLLAMA_MODELS of the service (default: that of the environment, of this user or of the service)");
  command->add_option("--user", options->user, "Whom Ollama runs as (default: 'ollama' where there is such a user)");
  command->footer(
      "Says of each thing that is wrong what sets it right, and ends with status 4 when there is any. Nothing is "
      "changed.\nExample: liftlock ollama check /usr/share/ollama/.ollama/models");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
