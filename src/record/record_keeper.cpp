#include "record/record_keeper.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "record/segment_files.hpp"

namespace liftlock {
namespace {

using namespace record;

FileLock keep_others_out(const fs::path& folder) {
  return {folder / "lock", "an erasure of records", FileLock::Wait::yes};
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
  const auto [segment, number] = find_slot(m_folder, id, Access::read);
  const auto lock = keep_others_out(m_folder);
  if (find_slot(m_folder, id, Access::read).first.slot(number).erased()) {
    throw Error(ErrorCode::record_erased, fmt::format("the content of the record {} was erased", id));
  }
  make_folders(m_folder / "holds");
  const Json json = {{"reason", hold.reason}, {"actor", hold.actor}, {"time", format_time(hold.time)}};
  write_file_atomically(hold_file(id), dump_json(json), 0600);
}

void RecordKeeper::release(const std::string& id) {
  find_slot(m_folder, id, Access::read);
  const auto lock = keep_others_out(m_folder);
  const auto file = hold_file(id);
  if (!fs::exists(file)) fail(ErrorCode::not_found, "the record {} is not held", id);
  if (::unlink(file.c_str()) != 0) fail_errno("remove a hold");
  sync_folder(file.parent_path());
}

void RecordKeeper::erase(const std::string& id) {
  find_slot(m_folder, id, Access::read);
  const auto lock = keep_others_out(m_folder);
  if (const auto hold = hold_of(id)) {
    throw Error(ErrorCode::immutable, fmt::format("the record {} is held: {}", id, hold->reason),
                fmt::format("end the hold first: liftlock record release {} --reason …", id));
  }
  const auto wanted = parse_record_id(id);
  for (const auto& name : segment_names(m_folder)) {
    SegmentFiles segment(m_folder, name, Access::write);
    bool erased = false;
    for (std::uint32_t number = 0; number < segment.slot_count(); ++number) {
      const auto slot = segment.slot(number);
      if (!slot.used() || slot.id != wanted) continue;
      segment.erase(number);
      erased = true;
    }
    if (erased) segment.sync_keys();
  }
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
