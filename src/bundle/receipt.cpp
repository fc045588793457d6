#include "bundle/receipt.hpp"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "bundle/manifest.hpp"
#include "bundle/signatures.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_reader = 1;
constexpr std::size_t k_max_text = 256;
constexpr std::size_t k_max_channels = 1000;
/// A line of hex, its quotes, comma and indent, for each file; and the rest.
constexpr std::uint64_t k_max_bytes = bundle_limits::k_files * 80 + (1u << 20);

std::string format_of(Receipt::Kind kind) {
  return fmt::format("liftlock.{}/1", name(kind));
}

std::string file_of(Receipt::Kind kind) {
  return fmt::format("{}.json", name(kind));
}

std::string short_text(const Json& object, std::string_view key, std::string_view where) {
  auto text = string_member(object, key, where);
  if (text.size() > k_max_text) fail(ErrorCode::limit_exceeded, "{}: '{}' is longer than {}", where, key, k_max_text);
  return text;
}

Receipt::Place parse_place(const Json& json, std::string_view where) {
  auto channel = short_text(json, "channel", where);
  if (portable_component(channel) != channel) {
    fail(ErrorCode::schema_violation, "{}: '{}' is no channel name", where, printable(channel));
  }
  return {std::move(channel), uint_member(json, "sequence", where),
          Digest::parse_sha256_hex(string_member(object_member(json, "digests", where), "sha256", where))};
}

template <typename T, typename Less>
void require_sorted(const std::vector<T>& values, Less less, std::string_view key, std::string_view where) {
  const auto unsorted =
      std::adjacent_find(values.begin(), values.end(), [&](const T& a, const T& b) { return !less(a, b); });
  if (unsorted != values.end()) {
    fail(ErrorCode::schema_violation, "{}: '{}' must be sorted, each once", where, key);
  }
}

}  // namespace

std::string_view name(Receipt::Kind kind) {
  return kind == Receipt::Kind::receipt ? "receipt" : "request";
}

std::string write_receipt(const Receipt& receipt) {
  auto channels = Json::array();
  for (const auto& place : receipt.channels) {
    channels.push_back(
        {{"channel", place.channel}, {"sequence", place.sequence}, {"digests", {{"sha256", place.bundle.hex()}}}});
  }
  auto files = Json::array();
  for (const auto& digest : receipt.files) files.push_back(digest.hex());
  return dump_json({{"format", format_of(receipt.kind)},
                    {"min_reader", 1},
                    {"organisation", receipt.organisation},
                    {"host", receipt.host},
                    {"creator", receipt.creator},
                    {"created", format_time(receipt.created)},
                    {"channels", std::move(channels)},
                    {"files", std::move(files)}});
}

Receipt parse_receipt(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = k_max_bytes, .max_depth = 4});
  const auto format = string_member(json, "format", "receipt");
  Receipt out;
  if (format == format_of(Receipt::Kind::request)) {
    out.kind = Receipt::Kind::request;
  } else if (format != format_of(Receipt::Kind::receipt)) {
    fail(ErrorCode::too_new, "'{}' is no receipt or request that is known here", printable(format));
  }
  const auto where = name(out.kind);
  if (const auto needed = uint_member(json, "min_reader", where); needed > k_reader) {
    fail(ErrorCode::too_new, "the {} needs a reader of version {}, and this one is {}", where, needed, k_reader);
  }
  out.organisation = short_text(json, "organisation", where);
  out.host = short_text(json, "host", where);
  out.creator = short_text(json, "creator", where);
  out.created = parse_time(string_member(json, "created", where));
  const auto& channels = array_member(json, "channels", where);
  if (channels.size() > k_max_channels) fail(ErrorCode::limit_exceeded, "{}: {} channels", where, channels.size());
  for (const auto& place : channels) out.channels.push_back(parse_place(place, where));
  require_sorted(
      out.channels, [](const auto& a, const auto& b) { return a.channel < b.channel; }, "channels", where);
  if (out.kind == Receipt::Kind::request && out.channels.size() != 1) {
    fail(ErrorCode::schema_violation, "{}: it must be about one bundle", where);
  }
  const auto& files = array_member(json, "files", where);
  if (files.size() > bundle_limits::k_files) fail(ErrorCode::limit_exceeded, "{}: {} files", where, files.size());
  out.files.reserve(files.size());
  for (const auto& hex : files) {
    if (!hex.is_string()) fail(ErrorCode::schema_violation, "{}: 'files' must hold strings", where);
    out.files.push_back(Digest::parse_sha256_hex(hex.get_ref<const std::string&>()));
  }
  require_sorted(out.files, std::less<>(), "files", where);
  return out;
}

std::optional<CarriedReceipt> read_receipt(const fs::path& folder) {
  for (const auto kind : {Receipt::Kind::receipt, Receipt::Kind::request}) {
    const auto file = folder / file_of(kind);
    std::error_code absent;
    if (!fs::is_regular_file(fs::symlink_status(file, absent))) continue;
    CarriedReceipt out{.receipt = {}, .text = read_file(file, k_max_bytes), .signatures = read_signatures(folder)};
    out.receipt = with_context(fmt::format("in {}", file_of(kind)), [&] { return parse_receipt(out.text); });
    return out;
  }
  return std::nullopt;
}

void put_receipt(const fs::path& folder, const Receipt& receipt, const std::function<void(const fs::path&)>& sign) {
  if (fs::exists(fs::symlink_status(folder))) {
    throw Error(ErrorCode::immutable, fmt::format("'{}' is there already", printable(folder.string())),
                "name a new folder with --output");
  }
  // Under its name only when it is whole: killed before that, the same command begins anew.
  const fs::path partial = folder.string() + ".partial";
  remove_tree(partial);
  make_folders(partial / "signatures");
  write_file_atomically(partial / file_of(receipt.kind), write_receipt(receipt));
  try {
    sign(partial);
  } catch (const Error&) {
    remove_tree(partial);
    throw;
  }
  rename_file(partial, folder);
}

}  // namespace liftlock
