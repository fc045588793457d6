#include "witness/witness_memory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/host.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_file = 80 * 1024;

std::string default_name() {
  std::array<std::uint8_t, 4> random{};
  if (::getentropy(random.data(), random.size()) != 0) fail_errno("getentropy");
  return fmt::format("liftlock-witness/{}/{}", host_name(), encode_hex(random));
}

std::string stored_text(const NoteKey& key, std::string_view note) {
  return fmt::format("key {}\n\n{}", key.text(), note);
}

WitnessedLog parse_stored(std::string_view text, const CosignerKey& witness) {
  constexpr std::string_view k_key = "key ";
  const auto end = text.find("\n\n");
  if (!text.starts_with(k_key) || end == std::string_view::npos) {
    fail(ErrorCode::schema_violation, "it does not begin with the log's key");
  }
  WitnessedLog out;
  out.key = NoteKey::parse(text.substr(k_key.size(), end - k_key.size()));
  out.note = text.substr(end + 2);
  const auto note = parse_signed_note(out.note);
  out.checkpoint = Checkpoint::parse(note.text);
  const auto time = cosigned_at(note, witness);
  if (!time || !is_signed_by(note, out.key) || out.checkpoint.origin != out.key.name) {
    fail(ErrorCode::signature_invalid, "it is not signed by the log and this witness");
  }
  out.time = *time;
  return out;
}

std::vector<WitnessedLog> read_logs(const fs::path& folder, const CosignerKey& witness) {
  std::vector<WitnessedLog> out;
  for (const auto& entry : walk(folder / "logs", 100'000)) {
    if (entry.path.starts_with('.')) continue;  // what a crash left of a file that was being written
    const auto file = folder / "logs" / entry.path;
    out.push_back(with_context("in " + printable(file.string()),
                               [&] { return parse_stored(read_file(file, k_max_file), witness); }));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.key.name < b.key.name; });
  return out;
}

/// Not now(): what a witness states of the time must not follow the environment.
Timestamp wall_clock() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

}  // namespace

Digest fingerprint(const NoteKey& key) {
  return sha256(key.text());
}

WitnessMemory::WitnessMemory(fs::path folder, std::string_view name) : m_folder(std::move(folder)) {
  make_folders(m_folder / "logs");
  const FileLock lock(m_folder / "lock", "a change of what the witness knows", FileLock::Wait::yes);
  const auto secret_file = m_folder / "key";
  const auto public_file = m_folder / "key.pub";
  // In this order, so that a crash in between leaves a folder that the next run completes.
  if (!fs::exists(secret_file)) {
    if (fs::exists(public_file)) {
      fail(ErrorCode::key_missing, "'{}' has lost the witness's key", printable(m_folder.string()));
    }
    write_file_atomically(secret_file, PrivateKey::generate(KeyAlgorithm::ed25519).to_pem(), 0600);
  }
  m_secret = PrivateKey::from_pem(read_file(secret_file, 4096));
  const auto raw = raw_ed25519(m_secret->public_key());
  if (!fs::exists(public_file)) {
    const auto chosen = name.empty() ? default_name() : std::string(name);
    if (const auto why = why_not_note_name(chosen); !why.empty()) {
      fail(ErrorCode::usage, "'{}' cannot name a witness: {}", printable(chosen), why);
    }
    write_file_atomically(public_file, CosignerKey{chosen, raw}.text() + "\n");
  }
  m_key = CosignerKey::parse(trim(read_file(public_file, 4096)));
  if (m_key.key != raw) fail(ErrorCode::key_missing, "key and key.pub of the witness differ");
  if (!name.empty() && name != m_key.name) {
    throw Error(ErrorCode::usage, fmt::format("this witness is '{}' already", printable(m_key.name)),
                "nodes know it by that name and its key; leave --name out");
  }
}

fs::path WitnessMemory::file_of(std::string_view origin) const {
  return m_folder / "logs" / sha256(origin).hex();
}

std::optional<WitnessedLog> WitnessMemory::find(std::string_view origin) const {
  const auto file = file_of(origin);
  const auto fd = open_file_if_exists(file, O_RDONLY);
  if (!fd) return std::nullopt;
  return with_context("in " + printable(file.string()), [&] {
    auto known = parse_stored(read_all(fd->get(), k_max_file, file.string()), m_key);
    if (known.key.name != origin) fail(ErrorCode::schema_violation, "it is of another log than its name says");
    return known;
  });
}

std::vector<WitnessedLog> WitnessMemory::logs() const {
  return read_logs(m_folder, m_key);
}

std::optional<WitnessMemory::View> WitnessMemory::look(const fs::path& folder) {
  const auto file = folder / "key.pub";
  const auto fd = open_file_if_exists(file, O_RDONLY);
  if (!fd) return std::nullopt;
  auto key = CosignerKey::parse(trim(read_all(fd->get(), 4096, file.string())));
  auto logs = read_logs(folder, key);
  return View{std::move(key), std::move(logs)};
}

void WitnessMemory::judge(const WitnessRequest& request, const std::optional<WitnessedLog>& known,
                          bool may_be_new) const {
  const auto& now = request.checkpoint;
  const auto origin = printable(now.origin);
  if (!known) {
    if (!may_be_new) {
      throw Error(ErrorCode::log_unknown, fmt::format("this witness does not know the log {}, with the fingerprint {}",
                                                      origin, fingerprint(request.key).spoken()));
    }
    if (request.old_size != 0) {
      throw Error(ErrorCode::usage,
                  fmt::format("the proof begins at size {}, and the log is new here", request.old_size),
                  "make the request with `liftlock audit witness request --since 0`");
    }
    if (!is_continuation(0, empty_root(), now.size, now.root, request.path)) {
      fail(ErrorCode::log_forked, "the checkpoint of {} is not that of any log", origin);
    }
    return;
  }
  const auto& before = known->checkpoint;
  const auto seen =
      fmt::format("this witness saw {} entries of {} on {}", before.size, origin, format_time(known->time));
  if (known->key.key != request.key.key) fail(ErrorCode::log_forked, "{}, and now it has another key", seen);
  if (now.size < before.size) fail(ErrorCode::log_rolled_back, "{}, and now it has {}", seen, now.size);
  if (now.size == before.size) {
    if (now.root != before.root) fail(ErrorCode::log_forked, "{}, and now it has as many others", seen);
    return;  // the same once more: the answer did not arrive
  }
  if (request.old_size != before.size) {
    throw Error(
        ErrorCode::usage, fmt::format("{}, and the proof begins at {}", seen, request.old_size),
        fmt::format("make the request with `liftlock audit witness request --since {}`; that the node did not know "
                    "that size means that an answer was lost on its way, or that an old copy was restored",
                    before.size));
  }
  if (!is_continuation(before.size, before.root, now.size, now.root, request.path)) {
    throw Error(ErrorCode::log_forked, fmt::format("{}, and its {} entries now do not continue them", seen, now.size),
                "both statements are kept. Make the request once more, in case the file was damaged; if it is refused "
                "again, the log was edited or forked: stop, and keep the node's disk as it is");
  }
}

void WitnessMemory::keep_evidence(const WitnessRequest& request, const WitnessedLog& known) const {
  const auto presented = request.text();
  const auto folder = m_folder / "evidence" / sha256(presented).hex();
  make_folders(folder);
  write_file_atomically(folder / "remembered", stored_text(known.key, known.note));
  write_file_atomically(folder / "presented", presented);
}

std::string WitnessMemory::cosign(const WitnessRequest& request, const std::optional<NewLog>& accept_new, AuditLog& log,
                                  std::string_view actor) {
  // Judging and remembering is one step: two requests at once must not take each other back.
  const FileLock lock(m_folder / "lock", "a change of what the witness knows", FileLock::Wait::yes);
  const auto known = find(request.checkpoint.origin);
  Json detail = {
      {"size", request.checkpoint.size}, {"root", encode_base64(request.checkpoint.root)}, {"key", request.key.text()}};
  if (known) detail["seen"] = known->checkpoint.size;
  AuditEvent event{.type = known ? "witness.cosign" : "witness.pin",
                   .actor = std::string(actor),
                   .outcome = Outcome::intent,
                   .subject = request.checkpoint.origin,
                   .detail = {}};
  if (!known && accept_new) detail["remark"] = "new-log: " + accept_new->reason;
  try {
    judge(request, known, accept_new.has_value());
  } catch (Error& error) {
    const bool kept = known && (error.code() == ErrorCode::log_rolled_back || error.code() == ErrorCode::log_forked);
    detail["code"] = info(error.code()).slug;
    if (kept) detail["evidence"] = sha256(request.text()).text();
    event.outcome = Outcome::failure;
    event.detail = dump_json_line(detail);
    log.append(event);
    if (kept) {
      keep_evidence(request, *known);
      error.add_context(fmt::format("both statements are kept in {}",
                                    printable((m_folder / "evidence" / sha256(request.text()).hex()).string())));
    }
    throw;
  }
  const NoteKey& log_key = request.key;
  const auto note = parse_signed_note(request.note);
  const auto id = log_key.id();
  std::string answer = request.checkpoint_text + "\n";
  for (const auto& signature : note.signatures) {
    const bool of_log = signature.name == log_key.name && std::equal(id.begin(), id.end(), signature.bytes.begin());
    if (of_log) answer += signature_line(signature.name, signature.bytes);
  }
  answer += liftlock::cosign(request.checkpoint_text, m_key, *m_secret, wall_clock());
  event.detail = dump_json_line(detail);
  logged_effect(log, event,
                [&] { write_file_atomically(file_of(request.checkpoint.origin), stored_text(log_key, answer)); });
  return answer;
}

}  // namespace liftlock
