// The add functions of the commands that take in what others packed, and give it back.
#pragma once

#include "cli/command.hpp"
#include "intake/shape.hpp"

namespace liftlock {

// high side
void add_import(CLI::App& app, Invocation& invocation);
void add_model_import(CLI::App& group, Invocation& invocation);

// both sides
void add_model_inspect(CLI::App& group, Invocation& invocation);
void add_model_export(CLI::App& group, Invocation& invocation);
/// The group `model` of the low side: what packs.
void add_model_packages(CLI::App& app, Invocation& invocation);

/// Name, format, quantisation … and the warnings of what was recognised, for people.
std::string preview_text(const Found& found);
Json preview_json(const Found& found);

}  // namespace liftlock
