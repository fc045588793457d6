#include "ecosystem/git/pack.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/git/delta.hpp"
#include "ecosystem/git/links.hpp"
#include "ecosystem/git/pack_stream.hpp"
#include "os/file.hpp"

namespace liftlock::git {
namespace {

constexpr std::size_t k_trailer = 20;
constexpr unsigned k_offset_delta = 6, k_id_delta = 7;
constexpr std::uint32_t k_none = std::numeric_limits<std::uint32_t>::max();
constexpr std::string_view k_what = "the pack";

class Sha1 {
 public:
  Sha1() : m_context(EVP_MD_CTX_new(), EVP_MD_CTX_free), m_sha1(EVP_MD_fetch(nullptr, "SHA1", nullptr), EVP_MD_free) {
    if (!m_context || !m_sha1) fail(ErrorCode::internal, "SHA-1 is not available, so git objects cannot be named");
    begin();
  }
  void begin() { EVP_DigestInit_ex2(m_context.get(), m_sha1.get(), nullptr); }
  void begin_object(ObjectType type, std::uint64_t size) {
    begin();
    const auto head = fmt::format("{} {}", name_of(type), size);
    EVP_DigestUpdate(m_context.get(), head.c_str(), head.size() + 1);
  }
  void update(std::span<const std::uint8_t> bytes) { EVP_DigestUpdate(m_context.get(), bytes.data(), bytes.size()); }
  ObjectId finish() {
    ObjectId id;
    EVP_DigestFinal_ex(m_context.get(), id.data(), nullptr);
    return id;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> m_context;
  std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> m_sha1;
};

class PackCheck {
 public:
  PackCheck(int file, std::uint64_t offset, std::uint64_t size, const PackLimits& limits,
            const std::function<void(const LfsPointer&)>& on_pointer)
      : m_file(file),
        m_limits(limits),
        m_on_pointer(on_pointer),
        m_begin(offset),
        m_end(offset + size - k_trailer),
        m_window(file, offset, m_end) {}

  PackFacts run(const std::vector<std::pair<std::string, ObjectId>>& wanted) {
    if (m_limits.trailer == PackLimits::Trailer::right) check_trailer();
    const auto count = read_head();
    m_links.emplace(count);
    m_entries.reserve(std::min<std::uint64_t>(count, (m_end - m_begin) / 2));
    for (std::uint32_t i = 0; i < count; ++i) read_object();
    if (m_window.at() != m_end) fail(ErrorCode::package_malformed, "bytes follow the last object of the pack");
    apply_deltas();
    finish(wanted);
    return m_facts;
  }

 private:
  struct Entry {
    std::uint64_t data = 0;   ///< where the zlib stream begins
    std::uint64_t size = 0;   ///< of what it holds
    std::uint64_t place = 0;  ///< where the object begins
    std::uint32_t base = k_none;
    std::uint8_t type = 0;  ///< 0: a delta that was not applied yet
    bool whole = false;     ///< no delta
    ObjectId id{};          ///< until then, of an id delta, its base's
  };

  void check_trailer() {
    Sha1 all;
    Window window(m_file, m_begin, m_end);
    for (auto piece = window.peek(); !piece.empty(); piece = window.peek()) {
      all.update(piece);
      window.skip(piece.size());
    }
    ObjectId stated;
    if (!pread_exact(m_file, stated, m_end, k_what) || stated != all.finish())
      fail(ErrorCode::package_malformed, "the pack is damaged: its last 20 bytes are not its SHA-1");
  }

  std::uint32_t read_number() {
    std::uint32_t out = 0;
    for (int i = 0; i < 4; ++i) out = out << 8 | m_window.byte();
    return out;
  }

  std::uint32_t read_head() {
    constexpr std::uint32_t k_pack = 0x5041434b;  // "PACK"
    if (read_number() != k_pack) fail(ErrorCode::package_malformed, "the bundle has no pack behind its head");
    if (const auto version = read_number(); version != 2 && version != 3)
      fail(ErrorCode::package_malformed, "the pack has the unknown version {}", version);
    const auto count = read_number();
    if (count == 0) fail(ErrorCode::package_malformed, "the pack is empty");
    if (count > m_limits.objects)
      fail(ErrorCode::limit_exceeded, "the pack has {} objects, of at most {}", count, m_limits.objects);
    return count;
  }

  void add_bytes(std::uint64_t bytes) {
    m_facts.bytes += bytes;
    if (m_facts.bytes > m_limits.total)
      fail(ErrorCode::limit_exceeded, "the objects of the pack have more than {} bytes", m_limits.total);
  }

  void read_object() {
    Entry entry{.place = m_window.at()};
    const auto head = read_object_head(m_window);
    entry.size = head.size;
    const bool is_delta = head.type == k_offset_delta || head.type == k_id_delta;
    if (head.type == k_offset_delta) {
      entry.base = entry_at(entry.place, read_base_distance(m_window));
    } else if (head.type == k_id_delta) {
      for (auto& byte : entry.id) byte = m_window.byte();
    } else if (head.type < 1 || head.type > 4) {
      fail(ErrorCode::package_malformed, "an object of the pack has the unknown type {}", head.type);
    }
    const bool in_memory = is_delta || head.type != static_cast<unsigned>(ObjectType::blob);
    if (const auto most = in_memory ? m_limits.object_in_memory : m_limits.object; head.size > most)
      fail(ErrorCode::limit_exceeded, "an object of the pack has {} bytes, of at most {}", head.size, most);
    add_bytes(head.size);
    entry.data = m_window.at();
    if (is_delta) {
      m_inflater.run(m_window, entry.size, [](auto) {});
      ++m_deltas;
    } else {
      entry.whole = true;
      entry.type = static_cast<std::uint8_t>(head.type);
      entry.id = read_whole(static_cast<ObjectType>(head.type), entry.size);
    }
    m_entries.push_back(entry);
  }

  /// An object without a delta, at the window's place.
  ObjectId read_whole(ObjectType type, std::uint64_t size) {
    const bool keep = type != ObjectType::blob || size <= k_max_lfs_pointer;
    std::string content;
    m_sha1.begin_object(type, size);
    m_inflater.run(m_window, size, [&](std::span<const std::uint8_t> piece) {
      m_sha1.update(piece);
      if (keep) content += as_text(piece);
    });
    const auto id = m_sha1.finish();
    note(type, id, content, size);
    return id;
  }

  std::uint32_t entry_at(std::uint64_t place, std::uint64_t distance) const {
    const auto found = std::lower_bound(m_entries.begin(), m_entries.end(), place - distance,
                                        [](const Entry& entry, std::uint64_t at) { return entry.place < at; });
    if (distance > place || found == m_entries.end() || found->place != place - distance)
      fail(ErrorCode::package_malformed, "a delta's base is no object of the pack");
    return static_cast<std::uint32_t>(found - m_entries.begin());
  }

  void note(ObjectType type, const ObjectId& id, std::string_view content, std::uint64_t size) {
    const auto take = [this](const Link& link) { m_links->add(link); };
    switch (type) {
      case ObjectType::commit:
        ++m_facts.commits;
        return links_of_commit(content, take);
      case ObjectType::tree:
        ++m_facts.trees;
        m_facts.submodules += links_of_tree(content, take);
        return;
      case ObjectType::tag:
        ++m_facts.tags;
        return links_of_tag(content, [&](const Link& link) {
          take(link);
          m_tags.emplace_back(id, link.id);
        });
      case ObjectType::blob:
        ++m_facts.blobs;
        if (size <= k_max_lfs_pointer) note_small_blob(content);
        return;
    }
  }

  void note_small_blob(std::string_view content) {
    const auto pointer = parse_lfs_pointer(content);
    if (!pointer) return;
    ++m_facts.lfs_pointers;
    if (m_on_pointer) m_on_pointer(*pointer);
  }

  std::string inflate_in_memory(const Entry& entry) {
    if (entry.size > m_limits.object_in_memory) {
      fail(ErrorCode::limit_exceeded, "a delta builds on an object of {} bytes, of at most {}", entry.size,
           m_limits.object_in_memory);
    }
    std::string out;
    out.reserve(entry.size);
    m_window.seek(entry.data);
    m_inflater.run(m_window, entry.size, [&](std::span<const std::uint8_t> piece) { out += as_text(piece); });
    return out;
  }

  /// By base: indices of the deltas on it, offset deltas by its place, id deltas by its id.
  void index_deltas() {
    for (std::uint32_t i = 0; i < m_entries.size(); ++i) {
      if (m_entries[i].type != 0) continue;
      (m_entries[i].base != k_none ? m_by_place : m_by_id).push_back(i);
    }
    std::sort(m_by_place.begin(), m_by_place.end(),
              [this](auto a, auto b) { return std::pair(m_entries[a].base, a) < std::pair(m_entries[b].base, b); });
    std::sort(m_by_id.begin(), m_by_id.end(),
              [this](auto a, auto b) { return std::pair(m_entries[a].id, a) < std::pair(m_entries[b].id, b); });
    // m_entries[i].id of an id delta becomes its own once it was applied: the bases are kept aside.
    m_bases.reserve(m_by_id.size());
    for (const auto i : m_by_id) m_bases.push_back(m_entries[i].id);
    m_base_seen.resize(m_bases.size());
  }

  /// Places in m_by_place and m_by_id: no base has a list of its own, however many there are.
  struct Deltas {
    std::size_t place = 0, place_end = 0, id = 0, id_end = 0;
    bool empty() const { return place == place_end && id == id_end; }
  };

  /// Once for each object. @throws Error{package_malformed} for a second one with the id of a base: each of them would
  /// lead to the same deltas again.
  Deltas deltas_on(std::uint32_t index) {
    Deltas out;
    const auto from = std::lower_bound(m_by_place.begin(), m_by_place.end(), index,
                                       [this](auto a, auto base) { return m_entries[a].base < base; });
    const auto to =
        std::upper_bound(from, m_by_place.end(), index, [this](auto base, auto a) { return base < m_entries[a].base; });
    out.place = static_cast<std::size_t>(from - m_by_place.begin());
    out.place_end = static_cast<std::size_t>(to - m_by_place.begin());
    const auto [first, last] = std::equal_range(m_bases.begin(), m_bases.end(), m_entries[index].id);
    if (first == last) return out;
    out.id = static_cast<std::size_t>(first - m_bases.begin());
    out.id_end = static_cast<std::size_t>(last - m_bases.begin());
    if (m_base_seen[out.id]) there_twice(*first);
    m_base_seen[out.id] = true;
    return out;
  }

  [[noreturn]] static void there_twice(const ObjectId& id) {
    fail(ErrorCode::package_malformed, "the pack has {} twice", to_hex(id));
  }

  /// A base whose deltas are being applied.
  struct Frame {
    std::string content;
    Deltas deltas;
  };

  void apply_deltas() {
    index_deltas();
    for (std::uint32_t i = 0; i < m_entries.size() && m_deltas > 0; ++i) {
      if (!m_entries[i].whole) continue;
      const auto deltas = deltas_on(i);
      if (!deltas.empty()) apply_tree({inflate_in_memory(m_entries[i]), deltas}, m_entries[i].type);
    }
    if (m_deltas > 0) fail(ErrorCode::package_malformed, "the bases of {} deltas are not in the pack", m_deltas);
  }

  void apply_tree(Frame root, std::uint8_t type) {
    std::vector<Frame> frames;
    std::uint64_t memory = root.content.size();
    frames.push_back(std::move(root));
    while (!frames.empty()) {
      auto& frame = frames.back();
      auto& left = frame.deltas;
      if (left.empty()) {
        memory -= frame.content.size();
        frames.pop_back();
        continue;
      }
      const auto index = left.place < left.place_end ? m_by_place[left.place++] : m_by_id[left.id++];
      auto content = apply(index, frame.content, type);
      const auto deltas = deltas_on(index);
      // A long chain holds two contents at a time, not all of them.
      if (left.empty()) {
        memory -= frame.content.size();
        frames.pop_back();
      }
      if (deltas.empty()) continue;
      memory += content.size();
      if (memory > m_limits.memory)
        fail(ErrorCode::limit_exceeded, "the deltas of the pack need more than {} bytes of memory", m_limits.memory);
      frames.push_back({std::move(content), deltas});
    }
  }

  std::string apply(std::uint32_t index, std::string_view base, std::uint8_t type) {
    auto& entry = m_entries[index];
    const auto delta = inflate_in_memory(entry);
    auto content = apply_delta(base, as_bytes(delta), m_limits.object_in_memory);
    add_bytes(content.size());
    m_sha1.begin_object(static_cast<ObjectType>(type), content.size());
    m_sha1.update(as_bytes(content));
    entry.id = m_sha1.finish();
    entry.type = type;
    --m_deltas;
    note(static_cast<ObjectType>(type), entry.id, content, content.size());
    return content;
  }

  void finish(const std::vector<std::pair<std::string, ObjectId>>& wanted) {
    m_facts.objects = static_cast<std::uint32_t>(m_entries.size());
    std::vector<Link> objects;
    objects.reserve(m_entries.size());
    for (const auto& entry : m_entries) objects.push_back({entry.id, static_cast<ObjectType>(entry.type)});
    m_entries = {};
    std::sort(objects.begin(), objects.end(), [](const Link& a, const Link& b) { return a.id < b.id; });
    const auto twice =
        std::adjacent_find(objects.begin(), objects.end(), [](const Link& a, const Link& b) { return a.id == b.id; });
    if (twice != objects.end()) there_twice(twice->id);
    m_links->finish(objects);
    std::sort(m_tags.begin(), m_tags.end());
    for (const auto& [name, id] : wanted) {
      const auto found = std::lower_bound(objects.begin(), objects.end(), id,
                                          [](const Link& a, const ObjectId& b) { return a.id < b; });
      if (found == objects.end() || found->id != id)
        fail(ErrorCode::package_malformed, "{} is {}, which is not in the pack", name, to_hex(id));
      if (name.starts_with("refs/heads/") && found->type != ObjectType::commit)
        fail(ErrorCode::package_malformed, "{} is no commit but a {}", name, name_of(found->type));
      m_facts.peeled[name] = peeled(id);
    }
  }

  /// What a tag leads to, at whatever length; of anything else itself.
  ObjectId peeled(ObjectId id) const {
    // A tag names an older object: they do not form a circle, unless somebody broke SHA-1.
    for (std::size_t steps = 0; steps <= m_tags.size(); ++steps) {
      const auto found = std::lower_bound(m_tags.begin(), m_tags.end(), std::pair(id, ObjectId{}));
      if (found == m_tags.end() || found->first != id) return id;
      id = found->second;
    }
    fail(ErrorCode::package_malformed, "the tag {} leads to itself", to_hex(id));
  }

  int m_file;
  const PackLimits& m_limits;
  const std::function<void(const LfsPointer&)>& m_on_pointer;
  std::uint64_t m_begin, m_end;
  Window m_window;
  Inflater m_inflater;
  Sha1 m_sha1;
  std::vector<Entry> m_entries;
  std::vector<std::uint32_t> m_by_place, m_by_id;
  std::vector<ObjectId> m_bases;  ///< of m_by_id
  std::vector<bool> m_base_seen;  ///< by the first place of an id in m_bases: an object with this id was there
  std::uint64_t m_deltas = 0;     ///< not applied yet
  std::vector<std::pair<ObjectId, ObjectId>> m_tags;  ///< id, and what it names
  std::optional<Links> m_links;
  PackFacts m_facts;
};

}  // namespace

PackFacts check_pack(int file, std::uint64_t offset, std::uint64_t size,
                     const std::vector<std::pair<std::string, ObjectId>>& wanted, const PackLimits& limits,
                     const std::function<void(const LfsPointer&)>& on_pointer) {
  if (size < 12 + k_trailer) fail(ErrorCode::package_malformed, "the bundle ends before its pack does");
  return PackCheck(file, offset, size, limits, on_pointer).run(wanted);
}

}  // namespace liftlock::git
