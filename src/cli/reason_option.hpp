// --reason, as the commands that ask for one take it.
#pragma once

#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace liftlock {

/// Blanks around it go, so that a blank one is none: what asks for a reason refuses that with reason-required.
CLI::Option* add_reason(CLI::App& command, std::string& reason, const std::string& description);

}  // namespace liftlock
