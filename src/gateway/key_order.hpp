// Json sorts the keys of objects. To an engine their order means something: the properties of a schema are answered in
// the order in which they stand, and chat templates show tools as they were written.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.hpp"

namespace liftlock {

class KeyOrder {
 public:
  KeyOrder() = default;
  /// As the client wrote them. @param text JSON that parse_json took
  explicit KeyOrder(std::string_view text);

  /// On one line. Each object has the order of the first one of the text with the same keys; sorted where there is
  /// none.
  std::string dump(const Json& value) const;

 private:
  std::unordered_map<std::string, std::vector<std::string>> m_by_keys;  ///< the sorted keys, as one text
};

}  // namespace liftlock
