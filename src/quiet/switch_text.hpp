// The switches as other programs read them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace liftlock::quiet {

enum class EnvironmentForm : std::uint8_t {
  shell,       ///< export NAME='value'
  systemd,     ///< EnvironmentFile= of systemd.exec(5)
  dockerfile,  ///< one ENV instruction
  compose,     ///< `environment:` of a service, to be indented by whoever pastes it
  env_file,    ///< --env-file of docker and podman, who read no quotes
  containers,  ///< the table `containers` of containers.conf(5), for every container that podman starts
};
std::optional<EnvironmentForm> parse_form(std::string_view name);
/// "shell, systemd, dockerfile, …"
std::string_view form_names();

/// Values are plain words (quiet_environment's are); anything else is quoted for the form.
std::string environment_text(const std::map<std::string, std::string>& variables, EnvironmentForm form);

/// docs/formats/telemetry.md, whole.
std::string table_document();

}  // namespace liftlock::quiet
