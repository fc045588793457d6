// What execve(2) takes: arguments and environment.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace liftlock {

/// Name and value; of a name that stands twice the first, as getenv(3) has it.
std::map<std::string, std::string> own_environment();

/// "NAME=VALUE" each, sorted.
/// @param set wins over `unset`, and both over `variables`
std::vector<std::string> environment_lines(std::map<std::string, std::string> variables,
                                           const std::vector<std::string>& unset,
                                           const std::map<std::string, std::string>& set);

/// Points into `strings`, which must stay as they are; nullptr at the end.
std::vector<char*> exec_pointers(std::vector<std::string>& strings);

}  // namespace liftlock
