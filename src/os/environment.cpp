#include "os/environment.hpp"

#include <unistd.h>

#include <string_view>
#include <utility>

extern char** environ;

namespace liftlock {

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

std::vector<std::string> environment_lines(std::map<std::string, std::string> variables,
                                           const std::vector<std::string>& unset,
                                           const std::map<std::string, std::string>& set) {
  for (const auto& name : unset) variables.erase(name);
  for (const auto& [name, value] : set) variables[name] = value;
  std::vector<std::string> out;
  for (const auto& [name, value] : variables) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> exec_pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace liftlock
