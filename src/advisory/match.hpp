// The search of databases for affected artifacts, as a question to the cell: its records are foreign bytes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "advisory/affected.hpp"

namespace liftlock::advisory {

struct Match {
  std::size_t records = 0;  ///< looked at
  std::vector<Affected> affected;
};

std::string match_request(const std::vector<Subject>& subjects);
/// Inside the cell. @param files the databases. @throws Error of each_advisory
std::string answer_match_request(std::string_view request, std::span<const int> files);
/// Texts of the answer are printable. @throws Error{schema_violation, json_invalid, limit_exceeded}
Match parse_match_answer(std::string_view answer);

}  // namespace liftlock::advisory
