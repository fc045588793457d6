// The add function of every command; each is defined in the cmd_*.cpp of its name.
#pragma once

#include "cli/command.hpp"

namespace liftlock {

// both sides
void add_verify(CLI::App& app, Invocation& invocation);
void add_inspect(CLI::App& app, Invocation& invocation);
void add_init(CLI::App& app, Invocation& invocation);
void add_explain(CLI::App& app, Invocation& invocation);
void add_cell(CLI::App& app, Invocation& invocation);
void add_completion(CLI::App& app, Invocation& invocation);
void add_manual(CLI::App& app, Invocation& invocation);

// low side

// high side
void add_ingest(CLI::App& app, Invocation& invocation);

}  // namespace liftlock
