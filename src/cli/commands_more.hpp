#pragma once
#include "cli/command.hpp"
namespace liftlock {
void add_doctor_cache(CLI::App& app, Invocation& invocation);
void add_offline(CLI::App& app, Invocation& invocation);
void add_egress(CLI::App& app, Invocation& invocation);
void add_checklist(CLI::App& app, Invocation& invocation);
void add_lint(CLI::App& app, Invocation& invocation);
void add_health_telemetry(CLI::App& group, Invocation& invocation);
void add_render(CLI::App& app, Invocation& invocation);
void add_render_telemetry(CLI::App& group, Invocation& invocation);
void add_render_dockerfile(CLI::App& group, Invocation& invocation);
void add_health_of_side(CLI::App& group, Invocation& invocation);
void add_render_of_side(CLI::App& group, Invocation& invocation);
void add_health_services(CLI::App& group, Invocation& invocation);
}
