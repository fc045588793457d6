// For tests: one known attack, as a signed bundle carries it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"

namespace liftlock::attack {

struct Attack {
  std::string name;
  ErrorCode code;
  std::string kind;
  std::vector<std::pair<std::string, std::string>> files;  ///< path in the bundle, content
  std::string word = {};                                   ///< stands in the message
  Json facts = Json::object();
  std::function<Attack()> made_later = {};  ///< bombs are large: only when they are carried
  std::string called = {};                  ///< the artifact, where it is not called as others of its kind
};

inline void PrintTo(const Attack& attack, std::ostream* out) {
  *out << attack.name;
}

inline Attack later(const std::string& name, ErrorCode code, std::function<Attack()> make) {
  Attack out{name, code, "", {}};
  out.made_later = std::move(make);
  return out;
}

}  // namespace liftlock::attack
