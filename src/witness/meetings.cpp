#include "witness/meetings.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"
#include "os/host.hpp"
#include "witness/request.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_file = 80 * 1024;
constexpr auto k_clock_slack = std::chrono::minutes(10);
constexpr std::string_view k_request_event = "witness.request";
constexpr std::string_view k_statement_event = "witness.statement";

/// Which file it is, and in which run of the machine: what no copy of it has in common with it.
std::string seal_of(const fs::path& file) {
  const auto fd = open_file(file, O_RDONLY);
  const auto status = stat_of(fd.get(), file.string());
  return fmt::format("{} {}.{:09} {}\n", status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec, boot_id());
}

void write_sealed(const fs::path& file, std::string_view content, const fs::path& seal) {
  write_file_atomically(file, content);
  write_file_atomically(seal, seal_of(file));
}

bool is_sealed(const fs::path& file, const fs::path& seal) {
  const auto there = open_file_if_exists(seal, O_RDONLY);
  return there && fs::exists(file) && read_all(there->get(), 4096, seal.string()) == seal_of(file);
}

std::string how_to_meet(const CosignerKey& witness) {
  return fmt::format(
      "carry it to the witness: `liftlock audit witness request --witness {} --output FILE` here, `liftlock audit "
      "witness "
      "cosign FILE` there, `liftlock audit witness accept ANSWER` here",
      printable(witness.name));
}

[[noreturn]] void refuse(WitnessState state, const CosignerKey& witness, std::uint64_t seen, std::uint64_t size) {
  if (state == WitnessState::rolled_back) {
    fail(ErrorCode::log_rolled_back, "{} saw {} entries of the audit log, and there are {}", printable(witness.name),
         seen, size);
  }
  fail(ErrorCode::log_forked, "the first {} entries of the audit log are not those that {} saw", seen,
       printable(witness.name));
}

}  // namespace

std::string_view name(WitnessState state) {
  switch (state) {
    case WitnessState::ok:
      return "ok";
    case WitnessState::never_met:
      return "never-met";
    case WitnessState::old:
      return "old";
    case WitnessState::clock:
      return "clock";
    case WitnessState::to_meet:
      return "to-meet";
    case WitnessState::rolled_back:
      return "rolled-back";
    case WitnessState::forked:
      return "forked";
    case WitnessState::broken:
      return "broken";
  }
  fail(ErrorCode::internal, "unknown state of a witness");
}

bool is_broken(WitnessState state) {
  return state == WitnessState::rolled_back || state == WitnessState::forked || state == WitnessState::broken;
}

Meetings::Meetings(const Site& site)
    : m_folder(site.audit_folder() / "witness"),
      m_max_age(site.config().witness_max_age),
      m_takes_in(site.config().zone == Zone::ingest || site.config().zone == Zone::production) {
  for (const auto& text : site.config().witnesses) {
    try {
      m_witnesses.push_back(CosignerKey::parse(text));
    } catch (const Error&) {
      throw Error(ErrorCode::config_invalid,
                  fmt::format("config.toml: 'witness' of [audit] cannot be '{}'", printable(text)),
                  "it is a list of what `liftlock audit witness key` prints on each witness");
    }
    const auto same_name = [&](const auto& other) { return other.name == m_witnesses.back().name; };
    if (std::any_of(m_witnesses.begin(), m_witnesses.end() - 1, same_name)) {
      fail(ErrorCode::config_invalid, "config.toml: the witness '{}' stands twice in [audit]",
           printable(m_witnesses.back().name));
    }
  }
}

const CosignerKey& Meetings::witness(std::string_view name) const {
  if (m_witnesses.empty()) {
    throw Error(ErrorCode::config_invalid, "config.toml names no witness",
                "write what `liftlock audit witness key` prints on the witness under [audit]: witness = [\"…\"]");
  }
  if (name.empty()) {
    if (m_witnesses.size() == 1) return m_witnesses.front();
    std::string names;
    for (const auto& one : m_witnesses) names += (names.empty() ? "" : ", ") + printable(one.name);
    throw Error(ErrorCode::ambiguous, "there are several witnesses: " + names, "name one with --witness");
  }
  const auto found =
      std::find_if(m_witnesses.begin(), m_witnesses.end(), [&](const auto& w) { return w.name == name; });
  if (found == m_witnesses.end()) {
    throw Error(ErrorCode::not_found, fmt::format("config.toml names no witness '{}'", printable(name)),
                "`liftlock audit witness show` lists them");
  }
  return *found;
}

fs::path Meetings::file(const CosignerKey& witness, std::string_view kind) const {
  return m_folder / fmt::format("{}.{}", sha256(witness.text()).hex().substr(0, 16), kind);
}

std::optional<Meetings::Statement> Meetings::statement(const AuditLog& log, const CosignerKey& witness) const {
  const auto path = file(witness, "checkpoint");
  const auto fd = open_file_if_exists(path, O_RDONLY);
  if (!fd) return std::nullopt;
  try {
    const auto note = parse_signed_note(read_all(fd->get(), k_max_file, path.string()));
    const auto checkpoint = Checkpoint::parse(note.text);
    const auto log_key = NoteKey::parse(log.verifier_key());
    const auto time = cosigned_at(note, witness);
    if (time && checkpoint.origin == log_key.name && is_signed_by(note, log_key)) return Statement{checkpoint, *time};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::io_error) throw;
  }
  fail(ErrorCode::audit_broken, "the statement of the witness {} is not what this log and the witness signed",
       printable(witness.name));
}

WitnessState Meetings::compare(const AuditLog& log, const Checkpoint& seen) {
  if (seen.size > log.size()) return WitnessState::rolled_back;
  return log.root_at(seen.size) == seen.root ? WitnessState::ok : WitnessState::forked;
}

std::vector<WitnessStanding> Meetings::standings(const AuditLog& log, Timestamp when) const {
  std::vector<WitnessStanding> out;
  for (const auto& witness : m_witnesses) {
    auto& standing = out.emplace_back();
    standing.key = witness;
    try {
      const auto seen = statement(log, witness);
      if (!seen) continue;
      standing.size = seen->checkpoint.size;
      standing.time = seen->time;
      standing.state = compare(log, seen->checkpoint);
      if (standing.state != WitnessState::ok) continue;
      if (m_takes_in && !is_sealed(file(witness, "checkpoint"), file(witness, "met"))) {
        standing.state = WitnessState::to_meet;
      } else if (seen->time > when + k_clock_slack) {
        standing.state = WitnessState::clock;
      } else if (seen->time + m_max_age < when) {
        standing.state = WitnessState::old;
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::audit_broken) throw;
      standing.state = WitnessState::broken;
    }
  }
  return out;
}

void Meetings::require_met(const AuditLog& log) const {
  for (const auto& witness : m_witnesses) {
    const auto seen = statement(log, witness);
    if (!seen) {
      throw Error(ErrorCode::witness_required,
                  fmt::format("the witness {} was never met by this installation", printable(witness.name)),
                  how_to_meet(witness));
    }
    const auto state = compare(log, seen->checkpoint);
    if (state != WitnessState::ok) refuse(state, witness, seen->checkpoint.size, log.size());
    if (!is_sealed(file(witness, "checkpoint"), file(witness, "met"))) {
      throw Error(ErrorCode::witness_required,
                  fmt::format("the witness {} was not met since the machine was booted, or this state folder was "
                              "restored from a copy",
                              printable(witness.name)),
                  how_to_meet(witness));
    }
  }
}

std::uint64_t Meetings::last_seen(const AuditLog& log, const CosignerKey& witness) const {
  if (const auto seen = statement(log, witness)) return seen->checkpoint.size;
  // Its file was lost; the log still knows.
  const auto entry = log.find_last(k_statement_event, witness.name, [&](const AuditEntry& one) {
    return one.event.outcome == Outcome::success && parse_json(one.event.detail).value("key", "") == witness.text();
  });
  return entry ? uint_member(parse_json(entry->event.detail), "size", "an audit entry") : 0;
}

Meetings::Asked Meetings::request(AuditLog& log, const CosignerKey& witness, std::optional<std::uint64_t> since,
                                  std::string_view actor) const {
  Asked out;
  out.since = since ? *since : last_seen(log, witness);
  if (out.since > log.size()) {
    if (since) log.root_at(*since);  // says what is wrong with it
    refuse(WitnessState::rolled_back, witness, out.since, log.size());
  }
  std::array<std::uint8_t, 16> challenge{};
  if (::getentropy(challenge.data(), challenge.size()) != 0) fail_errno("getentropy");
  log.append({.type = std::string(k_request_event),
              .actor = std::string(actor),
              .outcome = Outcome::success,
              .subject = witness.name,
              .detail = dump_json_line({{"challenge", encode_hex(challenge)}, {"since", out.since}})});
  make_folders(m_folder);
  const auto checkpoint = file(witness, "checkpoint"), met = file(witness, "met");
  // Who restores only what differs leaves these two alone where they are the same: they must not be.
  if (is_sealed(checkpoint, met)) write_sealed(checkpoint, read_file(checkpoint, k_max_file), met);
  const auto proof = log.prove_continuation(out.since);
  WitnessRequest request;
  request.key = NoteKey::parse(log.verifier_key());
  request.old_size = out.since;
  request.path = proof.path;
  request.note = proof.checkpoint;
  out.text = request.text();
  out.size = Checkpoint::parse(parse_signed_note(proof.checkpoint).text).size;
  write_sealed(file(witness, "request"), out.text, file(witness, "asked"));
  return out;
}

std::vector<WitnessStanding> Meetings::accept(AuditLog& log, std::string_view answer, std::string_view actor) const {
  std::vector<WitnessStanding> out;
  const auto another = [](const CosignerKey& witness, std::string_view why) {
    throw Error(ErrorCode::witness_required,
                fmt::format("this is no answer to the newest request to {}: {}", printable(witness.name), why),
                how_to_meet(witness));
  };
  for (const auto& witness : m_witnesses) {
    const auto request_file = file(witness, "request");
    const auto fd = open_file_if_exists(request_file, O_RDONLY);
    const auto id = witness.id();
    const auto request =
        fd ? std::optional(WitnessRequest::parse(read_all(fd->get(), k_max_file, request_file.string())))
           : std::nullopt;
    const auto note = parse_answer(answer, request ? request->checkpoint_text : "none\n");
    const auto is_theirs = [&](const NoteSignature& one) {
      return one.name == witness.name && std::equal(id.begin(), id.end(), one.bytes.begin());
    };
    if (std::none_of(note.signatures.begin(), note.signatures.end(), is_theirs)) continue;
    if (!request) another(witness, "none was made here");
    if (!is_sealed(request_file, file(witness, "asked"))) {
      another(witness, "the machine was booted since that was made, or this state folder restored from a copy");
    }
    if (note.text != request->checkpoint_text) another(witness, "it is about another checkpoint");
    const auto time = cosigned_at(note, witness);
    const auto state = compare(log, request->checkpoint);
    if (state != WitnessState::ok) refuse(state, witness, request->checkpoint.size, log.size());
    const Json detail = {{"size", request->checkpoint.size},
                         {"root", encode_base64(request->checkpoint.root)},
                         {"time", format_time(*time)},
                         {"key", witness.text()}};
    auto statement = request->note;
    for (const auto& one : note.signatures) {
      if (is_theirs(one)) statement += signature_line(one.name, one.bytes);
    }
    logged_effect(log,
                  {.type = std::string(k_statement_event),
                   .actor = std::string(actor),
                   .outcome = Outcome::intent,
                   .subject = witness.name,
                   .detail = dump_json_line(detail)},
                  [&] { write_sealed(file(witness, "checkpoint"), statement, file(witness, "met")); });
    out.push_back({witness, WitnessState::ok, request->checkpoint.size, time});
  }
  if (out.empty()) {
    throw Error(ErrorCode::key_unknown, "the answer is not signed by a witness that config.toml names",
                "`liftlock audit witness show` lists them; `liftlock audit witness key` prints a witness's key there");
  }
  return out;
}

}  // namespace liftlock
