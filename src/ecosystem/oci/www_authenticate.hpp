// The challenges by which a registry says how it wants to be asked: RFC 9110 §11.6.1.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::oci {

struct Challenge {
  std::string scheme;                         ///< lower case: "bearer", "basic"
  std::map<std::string, std::string> params;  ///< names in lower case

  /// The parameter, or empty.
  std::string param(const std::string& name) const;
};

/// All challenges of one WWW-Authenticate value, in order. What is malformed ends the list: what stands before it
/// counts. At most 16 challenges of 16 parameters; a parameter given twice keeps its first value.
std::vector<Challenge> parse_www_authenticate(std::string_view value);

}  // namespace liftlock::oci
