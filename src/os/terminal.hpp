// The person at the terminal, wherever standard input and output go.
#pragma once

#include <string>
#include <string_view>

namespace liftlock {

/// Asks on /dev/tty without showing what is typed. @throws Error{passphrase} when there is no terminal, or nothing is
/// typed
std::string ask_secret(std::string_view prompt);

}  // namespace liftlock
