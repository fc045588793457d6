#include "ecosystem/pypi/closure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "base/encoding.hpp"
#include "ecosystem/pypi/project_name.hpp"

namespace liftlock {
namespace {

class Walk {
 public:
  Walk(const std::vector<ClosureMember>& members, const MarkerEnvironment& environment)
      : m_members(members), m_environment(environment), m_extras(members.size()) {
    for (std::size_t i = 0; i < members.size(); ++i) {
      m_by_name[normalize_project_name(members[i].metadata.name)].push_back(i);
      m_extras[i] = members[i].extras;
      m_todo.push_back(i);
    }
  }

  Closure run() {
    while (!m_todo.empty()) {
      const auto index = m_todo.front();
      m_todo.pop_front();
      for (const auto& text : m_members[index].metadata.requires_dist) visit(index, text);
    }
    for (std::size_t i = 0; i < m_members.size(); ++i) check_python(i);
    for (const auto& [from, to] : m_edges) m_out.edges.push_back({from, to});
    return std::move(m_out);
  }

 private:
  void gap(std::size_t from, const std::string& project, const std::string& text, std::string reason) {
    if (!m_told.insert({from, text}).second) return;
    m_out.gaps.push_back({from, project, printable(text), std::move(reason)});
  }

  void visit(std::size_t from, const std::string& text) {
    const auto requirement = Requirement::parse(text);
    if (!requirement) return gap(from, "", text, "it is no requirement that can be read");
    if (!requirement->applies(m_environment, m_extras[from])) return;
    const auto found = m_by_name.find(requirement->name);
    if (found == m_by_name.end())
      return gap(from, requirement->name, text, fmt::format("nothing here is called {}", requirement->name));
    bool satisfied = false;
    std::string versions;
    for (const auto to : found->second) {
      const auto version = PyVersion::parse(m_members[to].metadata.version);
      versions += (versions.empty() ? "" : ", ") + m_members[to].metadata.version;
      if (!version || !all_allow(requirement->clauses, *version)) continue;
      satisfied = true;
      m_edges.insert({from, to});
      const auto before = m_extras[to].size();
      m_extras[to].insert(requirement->extras.begin(), requirement->extras.end());
      if (m_extras[to].size() > before) m_todo.push_back(to);
    }
    if (!satisfied) {
      gap(from, requirement->name, text,
          fmt::format("{} {} does not satisfy {}", requirement->name, versions, printable(requirement->specifier)));
    }
  }

  void check_python(std::size_t index) {
    const auto& wanted = m_members[index].metadata.requires_python;
    const auto python = m_environment.find("python_full_version");
    if (wanted.empty() || python == m_environment.end()) return;
    const auto version = PyVersion::parse(python->second);
    const auto specifiers = parse_specifiers(wanted);
    if (version && specifiers && all_allow(*specifiers, *version)) return;
    gap(index, "", "Requires-Python: " + wanted, fmt::format("the interpreter is {}", python->second));
  }

  const std::vector<ClosureMember>& m_members;
  const MarkerEnvironment& m_environment;
  std::map<std::string, std::vector<std::size_t>> m_by_name;
  std::vector<std::set<std::string>> m_extras;
  std::deque<std::size_t> m_todo;
  std::set<std::pair<std::size_t, std::size_t>> m_edges;
  std::set<std::pair<std::size_t, std::string>> m_told;
  Closure m_out;
};

}  // namespace

Closure check_closure(const std::vector<ClosureMember>& members, const MarkerEnvironment& environment) {
  return Walk(members, environment).run();
}

}  // namespace liftlock
