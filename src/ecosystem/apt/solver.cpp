#include "ecosystem/apt/solver.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/apt/package_match.hpp"

namespace liftlock::apt {
namespace {

constexpr std::size_t k_max_steps = 2'000'000;
constexpr int k_no_frame = -1;

struct ParsedPackage {
  std::vector<Alternatives> depends;
  std::vector<Alternatives> recommends;
  std::vector<Relation> negatives;
};

enum class Strength : std::uint8_t { hard, soft };

/// Something that must be fulfilled, and who wants it.
struct Group {
  const Alternatives* alternatives = nullptr;
  PackageId requester = k_no_package;
  int frame = k_no_frame;  ///< the choice that brought it
  Strength strength = Strength::hard;
  std::string_view suite = {};  ///< of a request; empty: any
};

struct Marks {
  std::size_t forced, forced_head, open, open_head, soft, soft_head;
};

/// One choice: which candidate of a group was taken, and what to restore when it is taken back.
struct Frame {
  Group group;
  std::vector<PackageId> candidates;
  std::size_t next = 0;
  PackageId picked = k_no_package;
  std::vector<PackageId> evicted;
  std::set<int> conflicts;  ///< earlier frames that ruled candidates out
  std::vector<std::string> why;
  Marks marks{};
};

class Solver {
 public:
  explicit Solver(const SolveInput& input)
      : m_input(input),
        m_index(input.index),
        m_matcher(input.index, input.native),
        m_in(input.index.size(), 0),
        m_base(input.index.size(), 0) {}

  Solution run() {
    for (const auto id : m_input.present) m_base[id] = 1;
    for (const auto id : m_input.present) enter(id);
    for (const auto& request : m_input.requests) add_request(request);
    while (true) {
      const auto group = next_group();
      if (!group) return finish();
      open_frame(*group);
      advance();
    }
  }

 private:
  const ParsedPackage& parsed(PackageId id) {
    const auto [place, fresh] = m_parsed.try_emplace(id);
    if (fresh) {
      const auto& package = m_index[id];
      for (const auto text : {package.pre_depends, package.depends}) {
        for (auto& group : parse_relations(text)) place->second.depends.push_back(std::move(group));
      }
      place->second.recommends = parse_relations(package.recommends);
      for (const auto text : {package.conflicts, package.breaks}) {
        for (const auto& group : parse_relations(text)) {
          place->second.negatives.insert(place->second.negatives.end(), group.begin(), group.end());
        }
      }
    }
    return place->second;
  }

  void add_request(const Request& request) {
    Relation relation{request.name, request.architecture, VersionRelation::any, {}};
    if (!request.version.empty()) {
      relation.relation = VersionRelation::equal;
      relation.version = request.version;
    }
    m_own_groups.push_back({relation});
    m_request_groups.push_back(&m_own_groups.back());
    m_forced.push_back({&m_own_groups.back(), k_no_package, k_no_frame, Strength::hard, request.suite});
  }

  std::string_view wanting(const Group& group) const {
    return group.requester == k_no_package ? std::string_view(m_input.native)
                                           : m_matcher.architecture(m_index[group.requester]);
  }

  bool of_suite(const Group& group, PackageId id) const {
    if (group.suite.empty()) return true;
    const auto source = m_index[id].source;
    return !m_index[id].installed && source < m_input.suite_names.size() && m_input.suite_names[source] == group.suite;
  }

  bool fulfilled(const Group& group) const {
    for (const auto id : m_matcher.candidates(*group.alternatives, wanting(group))) {
      if (m_in[id] && of_suite(group, id)) return true;
    }
    return false;
  }

  std::optional<Group> next_group() {
    for (auto* queue : {&m_forced, &m_open, &m_soft}) {
      auto& head = queue == &m_forced ? m_forced_head : queue == &m_open ? m_open_head : m_soft_head;
      while (head < queue->size()) {
        const auto group = (*queue)[head++];
        if (!fulfilled(group)) return group;
      }
    }
    return std::nullopt;
  }

  void open_frame(const Group& group) {
    Frame frame;
    frame.group = group;
    for (const auto id : m_matcher.candidates(*group.alternatives, wanting(group))) {
      if (!m_index[id].installed && of_suite(group, id)) frame.candidates.push_back(id);
    }
    frame.marks = {m_forced.size(), m_forced_head, m_open.size(), m_open_head, m_soft.size(), m_soft_head};
    m_frames.push_back(std::move(frame));
  }

  /// Takes the next possible candidate of the last frame; without one, goes back to the newest choice that is to blame.
  void advance() {
    while (true) {
      if (++m_steps > k_max_steps) {
        throw Error(ErrorCode::unresolvable,
                    "the choice of packages took too many steps; the first obstacle: " + m_failure);
      }
      auto& frame = m_frames.back();
      if (take_next(frame)) return;
      if (frame.group.strength == Strength::soft) {
        frame.picked = k_no_package;
        m_notes.push_back(fmt::format("recommended by {}, left out: {}", m_index[frame.group.requester].name,
                                      text(*frame.group.alternatives)));
        return;
      }
      if (m_failure.empty()) m_failure = describe(frame);
      auto blame = frame.conflicts;
      blame.insert(frame.group.frame);
      blame.erase(k_no_frame);
      if (blame.empty()) throw Error(ErrorCode::unresolvable, m_failure);
      const int target = *blame.rbegin();
      blame.erase(target);
      while (static_cast<int>(m_frames.size()) - 1 > target) {
        undo(m_frames.back());
        m_frames.pop_back();
      }
      auto& back = m_frames.back();
      undo(back);
      back.conflicts.insert(blame.begin(), blame.end());
    }
  }

  bool take_next(Frame& frame) {
    while (frame.next < frame.candidates.size()) {
      const auto candidate = frame.candidates[frame.next++];
      std::vector<PackageId> blockers;
      collect_blockers(candidate, blockers);
      std::vector<PackageId> evicted;
      bool possible = true;
      for (const auto blocker : blockers) {
        if (m_base[blocker]) {
          evicted.push_back(blocker);
          continue;
        }
        possible = false;
        frame.conflicts.insert(m_frame_of[blocker]);
        frame.why.push_back(fmt::format("{} does not go with {}", title(candidate), title(blocker)));
      }
      if (!possible) continue;
      pick(frame, candidate, std::move(evicted));
      return true;
    }
    return false;
  }

  void collect_blockers(PackageId candidate, std::vector<PackageId>& out) {
    const auto add = [&](PackageId id) {
      if (std::find(out.begin(), out.end(), id) == out.end()) out.push_back(id);
    };
    const auto& package = m_index[candidate];
    for (const auto id : m_index.named(package.name)) {
      if (m_in[id] && !m_matcher.coinstallable(m_index[id], package)) add(id);
    }
    for (const auto& negative : parsed(candidate).negatives) {
      const auto check = [&](PackageId id) {
        if (m_in[id] && id != candidate && m_index[id].name != package.name && m_matcher.hits(negative, id)) add(id);
      };
      for (const auto id : m_index.named(negative.name)) check(id);
      for (const auto& provider : m_index.providers(negative.name)) check(provider.package);
    }
    const auto check_name = [&](std::string_view name) {
      const auto found = m_negatives.find(name);
      if (found == m_negatives.end()) return;
      for (const auto& [owner, relation] : found->second) {
        if (m_in[owner] && m_index[owner].name != package.name && m_matcher.hits(*relation, candidate)) add(owner);
      }
    };
    check_name(package.name);
    for (const auto& group : parse_relations(package.provides)) {
      for (const auto& relation : group) check_name(relation.name);
    }
  }

  /// Marks as present and lets its Conflicts and Breaks take effect.
  void enter(PackageId id) {
    m_in[id] = 1;
    for (const auto& negative : parsed(id).negatives) m_negatives[negative.name].emplace_back(id, &negative);
  }

  void pick(Frame& frame, PackageId id, std::vector<PackageId> evicted) {
    const int number = static_cast<int>(m_frames.size()) - 1;
    frame.picked = id;
    frame.evicted = std::move(evicted);
    for (const auto base : frame.evicted) m_in[base] = 0;
    enter(id);
    m_frame_of[id] = number;
    m_reason[id] = frame.group.requester;
    const auto& relations = parsed(id);
    for (const auto& group : relations.depends) push({&group, id, number});
    if (m_input.recommends == Recommends::yes) {
      for (const auto& group : relations.recommends) m_soft.push_back({&group, id, number, Strength::soft});
    }
    for (const auto base : frame.evicted) after_eviction(base, id, number);
  }

  void push(const Group& group) {
    const bool one_way = group.alternatives->size() == 1 && !m_index.named(group.alternatives->front().name).empty();
    (one_way ? m_forced : m_open).push_back(group);
  }

  /// The base must still hold together: the package itself in another version, and whoever needed the old one.
  void after_eviction(PackageId gone, PackageId by, int number) {
    const auto& name = m_index[gone].name;
    if (name != m_index[by].name) {
      m_own_groups.push_back({Relation{name, {}, VersionRelation::any, {}}});
      push({&m_own_groups.back(), by, number});
    }
    std::set<std::string_view> lost{name};
    for (const auto& group : parse_relations(m_index[gone].provides)) {
      for (const auto& relation : group) lost.insert(relation.name);
    }
    for (const auto base : m_input.present) {
      if (!m_in[base]) continue;
      for (const auto& group : parsed(base).depends) {
        const bool touched =
            std::any_of(group.begin(), group.end(), [&](const auto& relation) { return lost.contains(relation.name); });
        if (touched) push({&group, base, number});
      }
    }
  }

  void undo(Frame& frame) {
    if (frame.picked != k_no_package) {
      for (const auto& negative : parsed(frame.picked).negatives) m_negatives[negative.name].pop_back();
      m_in[frame.picked] = 0;
      m_frame_of.erase(frame.picked);
      for (const auto base : frame.evicted) m_in[base] = 1;
      frame.evicted.clear();
      frame.picked = k_no_package;
    }
    m_forced.resize(frame.marks.forced);
    m_open.resize(frame.marks.open);
    m_soft.resize(frame.marks.soft);
    m_forced_head = frame.marks.forced_head;
    m_open_head = frame.marks.open_head;
    m_soft_head = frame.marks.soft_head;
  }

  std::string title(PackageId id) const {
    const auto& package = m_index[id];
    const bool foreign = package.architecture != "all" && package.architecture != m_input.native;
    return fmt::format("{}{}{} {}", package.name, foreign ? ":" : "", foreign ? package.architecture : "",
                       package.version);
  }

  std::string describe(const Frame& frame) const {
    std::string out = printable(text(*frame.group.alternatives)) + " cannot be had";
    std::string chain;
    for (auto at = frame.group.requester; at != k_no_package && chain.size() < 2000;) {
      chain += fmt::format("{}{}", chain.empty() ? ", needed by " : ", which is needed by ", printable(title(at)));
      const auto found = m_reason.find(at);
      at = found == m_reason.end() ? k_no_package : found->second;
    }
    out += chain.empty() ? ", which was asked for" : chain;
    if (frame.candidates.empty()) {
      const auto name = frame.group.alternatives->front().name;
      out += m_index.named(name).empty() ? ": no suite has it" : ": no suite has that version or architecture";
      if (const auto near = m_index.nearest_name(name); near && m_index.named(name).empty()) {
        out += fmt::format(" (is '{}' meant?)", *near);
      }
    }
    for (std::size_t i = 0; i < frame.why.size() && i < 4; ++i) out += "; " + printable(frame.why[i]);
    return out;
  }

  PackageId fulfiller(const Alternatives& alternatives, std::string_view architecture) const {
    for (const auto id : m_matcher.candidates(alternatives, architecture)) {
      if (m_in[id]) return id;
    }
    return k_no_package;
  }

  Solution finish() {
    Solution out;
    for (const auto& frame : m_frames) {
      if (frame.picked != k_no_package) out.chosen.push_back(frame.picked);
    }
    std::sort(out.chosen.begin(), out.chosen.end(), [&](auto a, auto b) {
      return std::tuple(m_index[a].name, m_index[a].architecture) <
             std::tuple(m_index[b].name, m_index[b].architecture);
    });
    const std::set<PackageId> chosen(out.chosen.begin(), out.chosen.end());
    for (const auto id : out.chosen) {
      std::set<PackageId> needs;
      for (const auto& group : parsed(id).depends) {
        const auto by = fulfiller(group, m_matcher.architecture(m_index[id]));
        if (by != id && chosen.contains(by)) needs.insert(by);
      }
      out.needs[id].assign(needs.begin(), needs.end());
      const auto reason = m_reason.at(id);
      out.reasons[id] = reason == k_no_package ? "asked for" : "needed by " + title(reason);
    }
    for (const auto* group : m_request_groups) out.asked.push_back(fulfiller(*group, m_input.native));
    out.notes = std::move(m_notes);
    return out;
  }

  const SolveInput& m_input;
  const PackageIndex& m_index;
  PackageMatcher m_matcher;
  std::vector<char> m_in;    ///< present now, by PackageId
  std::vector<char> m_base;  ///< of the base, by PackageId
  std::unordered_map<PackageId, ParsedPackage> m_parsed;
  std::unordered_map<std::string_view, std::vector<std::pair<PackageId, const Relation*>>> m_negatives;
  std::unordered_map<PackageId, int> m_frame_of;
  std::unordered_map<PackageId, PackageId> m_reason;
  std::deque<Alternatives> m_own_groups;
  std::vector<const Alternatives*> m_request_groups;
  std::vector<Group> m_forced, m_open, m_soft;  ///< one way only, several ways, only recommended
  std::size_t m_forced_head = 0, m_open_head = 0, m_soft_head = 0;
  std::vector<Frame> m_frames;
  std::size_t m_steps = 0;
  std::string m_failure;
  std::vector<std::string> m_notes;
};

}  // namespace

Request parse_request(std::string_view text) {
  Request request;
  auto rest = trim(text);
  const auto cut = [&](char mark) {
    const auto at = rest.find(mark);
    std::string after;
    if (at != std::string_view::npos) {
      after = rest.substr(at + 1);
      rest = rest.substr(0, at);
    }
    return std::pair(at != std::string_view::npos, after);
  };
  const auto [has_suite, suite] = cut('/');
  const auto [has_version, version] = cut('=');
  const auto [has_architecture, architecture] = cut(':');
  request = {std::string(rest), architecture, version, suite};
  const bool broken = request.name.empty() || request.name.find_first_of(" \t(|,") != std::string::npos ||
                      (has_suite && suite.empty()) || (has_architecture && architecture.empty()) ||
                      (has_version && !is_version(version));
  if (broken) {
    throw Error(ErrorCode::stack_invalid, fmt::format("'{}' names no package", printable(text)),
                "write name, name=version, name:architecture or name/suite");
  }
  return request;
}

std::string text(const Request& request) {
  std::string out = request.name;
  if (!request.architecture.empty()) out += ":" + request.architecture;
  if (!request.version.empty()) out += "=" + request.version;
  if (!request.suite.empty()) out += "/" + request.suite;
  return out;
}

Solution solve(const SolveInput& input) {
  return Solver(input).run();
}

}  // namespace liftlock::apt
