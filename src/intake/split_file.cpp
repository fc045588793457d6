#include "intake/split_file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "intake/container.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_parts = 10'000;
constexpr std::size_t k_block = 1u << 20;
constexpr std::string_view k_head = ".part000";
constexpr std::string_view k_where = "the first part";

std::string_view digits_at_end(std::string_view text) {
  return text.substr(text.find_last_not_of("0123456789") + 1);
}

std::uint64_t size_of_part(const fs::path& part) {
  return regular_size(open_file(part, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).get(), printable(part.string()));
}

void require_part(const fs::path& part) {
  if (fs::exists(part)) return;
  throw Error(ErrorCode::missing_file, fmt::format("the part '{}' is missing", printable(part.filename().string())),
              "carry all parts into one folder");
}

/// Zarf says in the first how many there are, and what they are together.
SplitFile with_head(fs::path whole) {
  const auto head = whole.string() + std::string(k_head);
  const auto json = with_context("in " + printable(fs::path(head).filename().string()),
                                 [&] { return parse_json(read_file(head, 4096)); });
  SplitFile out{.whole = std::move(whole), .parts = {}, .digest = {}, .size = 0};
  out.digest = Digest::parse_sha256_hex(string_member(json, "Sha256Sum", k_where));
  const auto count = uint_member(json, "Count", k_where);
  if (count == 0 || count > k_max_parts) fail(ErrorCode::limit_exceeded, "a file in {} parts", count);
  for (std::uint64_t i = 1; i <= count; ++i) {
    out.parts.emplace_back(fmt::format("{}.part{:03}", out.whole.string(), i));
    require_part(out.parts.back());
    out.size += size_of_part(out.parts.back());
  }
  if (const auto stated = uint_member(json, "Bytes", k_where); stated != out.size)
    fail(ErrorCode::size_mismatch, "the parts of '{}' have {} bytes together, {} are stated",
         printable(out.whole.filename().string()), out.size, stated);
  return out;
}

/// Numbers and nothing else: a gap is told by the highest that is there. What is cut is an archive, so the first part
/// begins as one; the next, where it does, too, is an archive of its own.
std::optional<SplitFile> numbered(fs::path whole, std::size_t first,
                                  const std::function<std::string(std::size_t)>& name) {
  const auto folder = whole.parent_path();
  const auto next = folder / name(first + 1);
  if (is_one_file(whole.filename().string())) return std::nullopt;
  if (!fs::is_regular_file(folder / name(first)) || !fs::is_regular_file(next)) return std::nullopt;
  const auto is_archive = [](const fs::path& part) {
    return !container_form(open_file(part, O_RDONLY | O_NONBLOCK).get()).empty();
  };
  if (!is_archive(folder / name(first)) || is_archive(next)) return std::nullopt;
  SplitFile out{.whole = std::move(whole), .parts = {}, .digest = {}, .size = 0};
  for (std::size_t i = first; fs::exists(folder / name(i)); ++i) {
    if (out.parts.size() == k_max_parts) fail(ErrorCode::limit_exceeded, "more than {} parts", k_max_parts);
    out.parts.push_back(folder / name(i));
    out.size += size_of_part(out.parts.back());
  }
  // A hole in the middle: what comes behind it would be missed without a word.
  for (std::size_t ahead = 1; ahead <= 8; ++ahead) {
    if (fs::exists(folder / name(first + out.parts.size() + ahead)))
      require_part(folder / name(first + out.parts.size()));
  }
  return out;
}

std::optional<SplitFile> with_number_behind(const fs::path& whole) {
  const auto name = whole.filename().string();
  return numbered(whole, 1, [&](std::size_t i) { return fmt::format("{}.{:03}", name, i); });
}

/// "haul_1.tar.zst" → the parts of "haul.tar.zst"
std::optional<SplitFile> with_number_inside(const fs::path& source) {
  const auto name = source.filename().string();
  const auto dot = std::min(name.find('.'), name.size());
  const auto stem = std::string_view(name).substr(0, dot);
  const auto digits = digits_at_end(stem);
  if (digits.empty() || digits.size() == stem.size() || stem[stem.size() - digits.size() - 1] != '_')
    return std::nullopt;
  const std::string base(stem.substr(0, stem.size() - digits.size() - 1)), ending = name.substr(dot);
  return numbered(source.parent_path() / (base + ending), 0,
                  [&](std::size_t i) { return fmt::format("{}_{}{}", base, i, ending); });
}

/// A file beside the parts, with a number that is none of theirs, is a file of its own.
std::optional<SplitFile> with_part(std::optional<SplitFile> split, const fs::path& source) {
  if (!split) return split;
  const auto& parts = split->parts;
  const bool among = std::any_of(parts.begin(), parts.end(),
                                 [&](const fs::path& part) { return part.filename() == source.filename(); });
  return among ? std::move(split) : std::nullopt;
}

}  // namespace

std::optional<SplitFile> split_file(const fs::path& source) {
  if (fs::is_directory(source)) return std::nullopt;
  const auto text = source.string();
  const auto digits = digits_at_end(text);
  const auto before = std::string_view(text).substr(0, text.size() - digits.size());
  if (!fs::exists(source)) {
    if (fs::exists(text + std::string(k_head))) return with_head(source);
    return with_number_behind(source);
  }
  if (digits.size() >= 3 && before.ends_with(".part")) {
    const fs::path whole(before.substr(0, before.size() - std::string_view(".part").size()));
    if (fs::exists(whole.string() + std::string(k_head))) return with_head(whole);
  } else if (digits.size() >= 3 && before.ends_with('.')) {
    return with_part(with_number_behind(fs::path(before.substr(0, before.size() - 1))), source);
  }
  return with_part(with_number_inside(source), source);
}

JoinedFile join(const SplitFile& split, const fs::path& folder, const std::function<void(std::uint64_t)>& progress) {
  UniqueFd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file.valid()) fail_errno("a file in " + folder.string());
  Hasher hasher;
  std::vector<std::uint8_t> block(k_block);
  std::uint64_t sum = 0;
  for (const auto& part : split.parts) {
    const auto shown = printable(part.string());
    const auto in = open_file(part, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const auto size = regular_size(in.get(), shown);
    for (std::uint64_t done = 0; done < size;) {
      const auto bytes =
          std::span(block).first(static_cast<std::size_t>(std::min<std::uint64_t>(k_block, size - done)));
      if (!pread_exact(in.get(), bytes, done, shown))
        fail(ErrorCode::size_mismatch, "'{}' became shorter while it was read", shown);
      hasher.update(bytes);
      write_all(file.get(), bytes, "the joined parts");
      done += bytes.size();
      if (progress) progress(bytes.size());
    }
    sum += size;
  }
  if (sum != split.size) fail(ErrorCode::size_mismatch, "the parts changed while they were read");
  const auto digest = hasher.finish();
  if (split.digest && digest != *split.digest)
    fail(ErrorCode::digest_mismatch, "the parts of '{}' are {} together, and the first states {}",
         printable(split.whole.filename().string()), digest.text(), split.digest->text());
  return {std::move(file), digest};
}

}  // namespace liftlock
