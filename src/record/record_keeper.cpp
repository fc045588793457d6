#include "record/record_keeper.hpp"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.hpp"
#include "record/segment_files.hpp"

namespace liftlock {
namespace {

using namespace record;

FileLock keep_others_out(const fs::path& folder) {
  return {folder / "lock", "an erasure of records", FileLock::Wait::yes};
}

/// Where there is no record there is nobody to keep out, and no place for the lock.
std::optional<FileLock> keep_others_out_if_any(const fs::path& folder) {
  if (segment_names(folder).empty()) return std::nullopt;
  return keep_others_out(folder);
}

enum class State : std::uint8_t { nowhere, erased, whole };

struct Found {
  std::map<RecordId, State> records;
  std::map<std::string, std::set<RecordId>> segments;  ///< which of them lie in each that has any
};

/// One that lies in two places, as a copy of a segment makes it, is whole where one of them is.
Found look_for(const fs::path& folder, const std::set<std::string>& ids) {
  Found found;
  for (const auto& id : ids) found.records.emplace(parse_record_id(id), State::nowhere);
  for (const auto& name : segment_names(folder)) {
    const SegmentFiles segment(folder, name, Access::read);
    for (std::uint32_t number = 0; number < segment.slot_count(); ++number) {
      const auto slot = segment.slot(number);
      const auto one = slot.used() ? found.records.find(slot.id) : found.records.end();
      if (one == found.records.end()) continue;
      found.segments[name].insert(slot.id);
      one->second = std::max(one->second, slot.erased() ? State::erased : State::whole);
    }
  }
  return found;
}

/// @param act throws what keeps it from that record
RecordKeeper::Outcomes each_of(const Found& found, const std::function<void(const std::string& id, State state)>& act) {
  RecordKeeper::Outcomes outcomes;
  for (const auto& [record, state] : found.records) {
    const auto id = text_of(record);
    auto& outcome = outcomes[id];
    try {
      if (state == State::nowhere) no_such_record(id);
      act(id, state);
    } catch (const Error& error) {
      outcome = error;
    }
  }
  return outcomes;
}

/// Those of a segment that nothing speaks against.
void erase_in(const fs::path& folder, const std::string& name, const std::set<RecordId>& ids,
              RecordKeeper::Outcomes& outcomes) {
  try {
    SegmentFiles segment(folder, name, Access::write);
    for (std::uint32_t number = 0; number < segment.slot_count(); ++number) {
      const auto slot = segment.slot(number);
      if (slot.used() && ids.contains(slot.id) && !outcomes.at(text_of(slot.id))) segment.erase(number);
    }
    segment.sync_keys();
  } catch (const Error& error) {
    for (const auto& id : ids) {
      if (auto& outcome = outcomes.at(text_of(id)); !outcome) outcome = error;
    }
  }
}

void throw_of(const std::string& id, const RecordKeeper::Outcomes& outcomes) {
  const auto& outcome = outcomes.at(id);
  if (outcome) throw Error(*outcome);
}

}  // namespace

RecordKeeper::RecordKeeper(fs::path folder) : m_folder(std::move(folder)) {}

fs::path RecordKeeper::hold_file(const std::string& id) const {
  return m_folder / "holds" / text_of(parse_record_id(id));
}

std::optional<RecordKeeper::Hold> RecordKeeper::hold_of(const std::string& id) const {
  const auto file = hold_file(id);
  if (!fs::exists(file)) return std::nullopt;
  constexpr std::string_view where = "a hold of a record";
  const auto json = parse_json(read_file(file, 64u << 10));
  return Hold{.reason = string_member(json, "reason", where),
              .actor = string_member(json, "actor", where),
              .time = parse_time(string_member(json, "time", where))};
}

void RecordKeeper::hold(const std::string& id, const Hold& hold) {
  throw_of(id, this->hold(std::set{id}, hold));
}

RecordKeeper::Outcomes RecordKeeper::hold(const std::set<std::string>& ids, const Hold& hold) {
  const auto lock = keep_others_out_if_any(m_folder);
  const auto found = look_for(m_folder, ids);
  if (!found.segments.empty()) make_folders(m_folder / "holds");
  const Json json = {{"reason", hold.reason}, {"actor", hold.actor}, {"time", format_time(hold.time)}};
  const auto text = dump_json(json);
  return each_of(found, [&](const std::string& id, State state) {
    if (state == State::erased)
      throw Error(ErrorCode::record_erased, fmt::format("the content of the record {} was erased", id));
    write_file_atomically(hold_file(id), text, 0600);
  });
}

void RecordKeeper::release(const std::string& id) {
  throw_of(id, release(std::set{id}));
}

RecordKeeper::Outcomes RecordKeeper::release(const std::set<std::string>& ids) {
  const auto lock = keep_others_out_if_any(m_folder);
  bool any = false;
  auto outcomes = each_of(look_for(m_folder, ids), [&](const std::string& id, State) {
    const auto file = hold_file(id);
    if (!fs::exists(file)) fail(ErrorCode::not_found, "the record {} is not held", id);
    if (::unlink(file.c_str()) != 0) fail_errno("remove a hold");
    any = true;
  });
  if (any) sync_folder(m_folder / "holds");
  return outcomes;
}

void RecordKeeper::erase(const std::string& id) {
  throw_of(id, erase(std::set{id}));
}

RecordKeeper::Outcomes RecordKeeper::erase(const std::set<std::string>& ids) {
  const auto lock = keep_others_out_if_any(m_folder);
  const auto found = look_for(m_folder, ids);
  auto outcomes = each_of(found, [&](const std::string& id, State) {
    if (const auto hold = hold_of(id)) {
      throw Error(ErrorCode::immutable, fmt::format("the record {} is held: {}", id, hold->reason),
                  fmt::format("end the hold first: liftlock record release {} --reason …", id));
    }
  });
  for (const auto& [name, records] : found.segments) erase_in(m_folder, name, records, outcomes);
  return outcomes;
}

RecordKeeper::Expired RecordKeeper::expire(Timestamp before, Do what) {
  return expire([before](const std::string&, Timestamp begun) { return begun < before; }, what);
}

RecordKeeper::Expired RecordKeeper::expire(const std::function<bool(const std::string& id, Timestamp begun)>& is_over,
                                           Do what) {
  Expired expired;
  const auto names = segment_names(m_folder);
  if (names.empty()) return expired;
  const auto lock = keep_others_out(m_folder);
  for (const auto& name : names) {
    SegmentFiles segment(m_folder, name, what == Do::erase ? Access::write : Access::read);
    bool all_erased = true;
    for (std::uint32_t number = 0; number < segment.slot_count(); ++number) {
      const auto slot = segment.slot(number);
      if (!slot.used() || slot.erased()) continue;
      const auto id = text_of(slot.id);
      const bool old = is_over(id, time_of(slot.id));
      const bool held = old && fs::exists(hold_file(id));
      if (old) ++(held ? expired.held : expired.records);
      if (old && !held && what == Do::erase) {
        segment.erase(number);
      } else {
        all_erased = false;
      }
    }
    if (what == Do::erase) segment.sync_keys();
    // A server may still write to the newest one.
    if (what == Do::count || !all_erased || name == names.back() || !segment.has_frames()) continue;
    if (::unlink((m_folder / (name + ".rec")).c_str()) != 0) fail_errno("remove a segment");
    ++expired.segments;
  }
  if (expired.segments > 0) sync_folder(m_folder);
  return expired;
}

}  // namespace liftlock
