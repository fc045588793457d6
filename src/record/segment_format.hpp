// The bytes of segments and of their key files (docs/formats/record.md). Not for other rooms.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crypto/aead.hpp"
#include "os/file.hpp"
#include "record/record.hpp"

namespace liftlock::record {

constexpr std::string_view k_segment_magic = "liftlock.records/2\n";
constexpr std::size_t k_max_body = (1u << 20) + Aead::k_tag;
/// Of a prompt, a recording of 512 MiB and what was asked of it included; and of an answer.
constexpr std::uint64_t k_max_content = 513u << 20;
/// Behind it, in a prompt, is the recording. No JSON holds it as it is.
constexpr std::string_view k_recording_mark = "\x1erecording\x1f";

/// Big-endian, in the lowest `bytes` bytes.
void put_uint(std::string& out, std::uint64_t value, int bytes);
std::uint64_t get_uint(std::string_view bytes);

/// The 16 bytes of a ULID.
using RecordId = std::array<std::uint8_t, 16>;
std::string text_of(const RecordId& id);
/// @throws Error{not_found}: what is no id names no record
RecordId parse_record_id(std::string_view text);
RecordId make_record_id();
/// When it was made.
Timestamp time_of(const RecordId& id);

enum class FrameType : std::uint8_t { head = 1, prompt = 2, piece = 3, close = 4, begin = 5 };

struct FrameHeader {
  static constexpr std::size_t k_size = 17;
  std::uint32_t slot = 0;
  std::uint32_t number = 0;
  FrameType type = FrameType::head;
  std::uint32_t size = 0;  ///< of the body

  std::string bytes() const;
  /// nullopt when the check fails or a value is none that is written.
  static std::optional<FrameHeader> parse(std::string_view bytes);
};

/// What a frame's tag binds beside its body.
std::string frame_data(const RecordId& id, std::uint32_t number, FrameType type);

/// The body of a record's first frame: its id in the clear, and its key, sealed under the key of its slot.
struct Begin {
  static constexpr std::size_t k_key = SecretKey::k_size + Aead::k_tag;
  static constexpr std::size_t k_size = 16 + 1 + k_key;
  RecordId id{};
  RecordMode mode = RecordMode::full;
  std::array<std::uint8_t, k_key> key{};

  std::string bytes() const;
  /// nullopt when it has another size, or a mode that is none.
  static std::optional<Begin> parse(std::string_view bytes);
};

struct KeysHeader {
  static constexpr std::string_view k_magic = "liftlock.record-keys/2\n";
  static constexpr std::size_t k_size = 128;
  std::array<std::uint8_t, 16> kek{};
  std::array<std::uint8_t, 32> salt{};

  std::string bytes() const;
  /// @throws Error{too_new, blob_corrupt}
  static KeysHeader parse(std::string_view bytes);
};

/// Lies within one sector of a disk, which is written whole or not at all.
struct Slot {
  static constexpr std::size_t k_size = 64;
  static constexpr std::size_t k_seed = 32;
  RecordId id{};
  std::uint64_t offset = 0;  ///< of the begin frame; 0: the slot is not used, or a power cut lost its id and offset
  std::array<std::uint8_t, k_seed> seed{};

  bool used() const { return offset != 0; }
  bool erased() const { return seed == std::array<std::uint8_t, k_seed>{}; }
  std::string bytes() const;
  static Slot parse(std::string_view bytes);
  /// Where the slot with this number begins in its file.
  static std::uint64_t place(std::uint64_t number) { return KeysHeader::k_size + number * k_size; }
};

/// The key over the slots of a segment.
class SegmentKey {
 public:
  SegmentKey(const SecretKey& kek, const KeysHeader& header);
  /// What the segment gets for a record with this id and key.
  Begin wrap(const Slot& slot, std::uint32_t number, RecordMode mode, const SecretKey& key) const;
  /// nullopt when the slot or the frame was changed.
  std::optional<SecretKey> unwrap(const Slot& slot, std::uint32_t number, const Begin& begin) const;

 private:
  SecretKey m_key;
};

/// Reads exactly the buffer at offset; false when the bytes end before.
using ReadAt = std::function<bool(std::uint64_t offset, std::span<std::uint8_t> buffer)>;

enum class FramesEnd : std::uint8_t {
  whole,    ///< the last frame ends where the bytes end, or visit asked to stop
  torn,     ///< a frame is cut by the end, or there are zeros only: a crash explains it
  damaged,  ///< a header fails its check
};
/// The frames from offset on; visit returns false to stop. The body lies behind the header, at the offset it is given.
FramesEnd walk_frames(const ReadAt& read, std::uint64_t offset,
                      const std::function<bool(const FrameHeader&, std::uint64_t body)>& visit);

/// "00000001"
std::string segment_name(std::uint32_t number);
/// The names of segments in a folder, in order of time.
std::vector<std::string> segment_names(const fs::path& folder);

std::string head_to_bytes(const RecordHead& head, std::uint64_t prompt_size);
struct ParsedHead {
  RecordHead head;
  std::uint64_t prompt_size = 0;
};
/// @throws Error{schema_violation, json_invalid}
ParsedHead head_from_bytes(std::string_view bytes, const RecordId& id);

/// @throws Error{key_missing, schema_violation}
SecretKey load_kek(const fs::path& file);
/// Loads; makes it when there is none and `may_make`.
SecretKey load_or_make_kek(const fs::path& file, bool may_make);
std::array<std::uint8_t, 16> kek_id(const SecretKey& kek);
/// The key of the HMACs over a record's content.
SecretKey mac_key(const SecretKey& record_key);

}  // namespace liftlock::record
