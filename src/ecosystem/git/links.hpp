// What the objects of a pack say of each other.
#pragma once

#include <cstddef>
#include <vector>

#include "ecosystem/git/object.hpp"

namespace liftlock::git {

/// The links of all objects, each of which must lead to an object of its type in the pack. As long as nothing is wrong
/// there are not more different ones than objects, so that a pack of lies does not fill the memory.
class Links {
 public:
  explicit Links(std::size_t objects) : m_most(objects) {}

  void add(const Link& link);
  /// @param objects sorted by id
  /// @throws Error{package_malformed} for a link that leads to none of them, or to one of another type
  void finish(const std::vector<Link>& objects);

 private:
  void tidy();

  static constexpr std::size_t k_slack = 4096;
  std::size_t m_most;
  std::vector<Link> m_links;
  bool m_overflow = false;
};

}  // namespace liftlock::git
