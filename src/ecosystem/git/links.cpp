#include "ecosystem/git/links.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace liftlock::git {

void Links::add(const Link& link) {
  m_links.push_back(link);
  if (m_links.size() < 2 * (m_most + k_slack)) return;
  tidy();
  if (m_links.size() > m_most + k_slack) {
    // More names than objects: at least one is not here. finish() will find which.
    m_overflow = true;
    m_links.resize(m_most + k_slack);
  }
}

void Links::finish(const std::vector<Link>& objects) {
  tidy();
  for (const auto& link : m_links) {
    const auto found = std::lower_bound(objects.begin(), objects.end(), link.id,
                                        [](const Link& a, const ObjectId& id) { return a.id < id; });
    if (found == objects.end() || found->id != link.id)
      fail(ErrorCode::package_malformed, "the {} {} is missing from the pack", name_of(link.type), to_hex(link.id));
    if (found->type != link.type) {
      fail(ErrorCode::package_malformed, "{} is a {}, and is named as a {}", to_hex(link.id), name_of(found->type),
           name_of(link.type));
    }
  }
  if (m_overflow) fail(ErrorCode::package_malformed, "objects are missing from the pack");
}

void Links::tidy() {
  const auto key = [](const Link& link) { return std::pair(link.id, link.type); };
  std::sort(m_links.begin(), m_links.end(), [&](const Link& a, const Link& b) { return key(a) < key(b); });
  m_links.erase(
      std::unique(m_links.begin(), m_links.end(), [&](const Link& a, const Link& b) { return key(a) == key(b); }),
      m_links.end());
}

}  // namespace liftlock::git
