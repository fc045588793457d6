#include "engine/package.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::engine {
namespace {

constexpr std::string_view k_format = "liftlock.engine/1";
constexpr std::string_view k_where = "engine.json";
constexpr std::size_t k_name = 100, k_prefix = 155;

std::string path_member(const Json& value, std::string_view what) {
  if (!value.is_string()) fail(ErrorCode::schema_violation, "{}: {} must be a string", k_where, what);
  auto path = value.get<std::string>();
  if (const auto why = why_not_engine_path(path); !why.empty()) {
    fail(ErrorCode::engine_malformed, "{}: {} '{}': {}", k_where, what, printable(path), why);
  }
  return path;
}

EngineInput input_from(const Json& json) {
  only_members(json, {"name", "version", "architecture", "sha256", "size"}, k_where);
  return {.name = string_member(json, "name", k_where),
          .version = string_member(json, "version", k_where),
          .architecture = string_member(json, "architecture", k_where),
          .digest = Digest::parse_sha256_hex(string_member(json, "sha256", k_where)),
          .size = uint_member(json, "size", k_where)};
}

void put(std::string& header, std::size_t at, std::string_view text) {
  header.replace(at, text.size(), text);
}

/// The position of the '/' at which ustar splits the path; npos when none is needed.
std::size_t split_point(std::string_view path) {
  if (path.size() <= k_name) return std::string_view::npos;
  const auto slash = path.find('/', path.size() - k_name - 1);
  if (slash == std::string_view::npos || slash == 0 || slash > k_prefix) {
    fail(ErrorCode::engine_malformed, "the path '{}' is too long for a tar", printable(path));
  }
  return slash;
}

}  // namespace

Json to_json(const EngineManifest& manifest) {
  auto inputs = Json::array();
  for (const auto& input : manifest.inputs) {
    inputs.push_back({{"name", input.name},
                      {"version", input.version},
                      {"architecture", input.architecture},
                      {"sha256", input.digest.hex()},
                      {"size", input.size}});
  }
  return {{"format", k_format},
          {"name", manifest.name},
          {"version", manifest.version},
          {"variant", manifest.variant},
          {"architecture", manifest.architecture},
          {"executables", manifest.executables},
          {"library_path", manifest.library_path},
          {"loader", manifest.loader},
          {"files", manifest.files},
          {"unpacked_size", manifest.unpacked_size},
          {"inputs", std::move(inputs)}};
}

EngineManifest parse_engine_manifest(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = EngineLimits{}.max_manifest, .max_depth = 8});
  const auto format = string_member(json, "format", k_where);
  if (format != k_format) {
    fail(format.starts_with("liftlock.engine/") ? ErrorCode::too_new : ErrorCode::engine_malformed,
         "{} is of format '{}', {} is read", k_where, printable(format), k_format);
  }
  only_members(json,
               {"format", "name", "version", "variant", "architecture", "executables", "library_path", "loader",
                "files", "unpacked_size", "inputs"},
               k_where);
  EngineManifest out;
  out.name = string_member(json, "name", k_where);
  out.version = string_member(json, "version", k_where);
  out.variant = string_member(json, "variant", k_where);
  out.architecture = string_member(json, "architecture", k_where);
  for (const auto& [command, path] : object_member(json, "executables", k_where).items()) {
    out.executables[command] = path_member(path, "an executable");
  }
  for (const auto& folder : array_member(json, "library_path", k_where)) {
    out.library_path.push_back(path_member(folder, "library_path"));
  }
  out.loader = path_member(member(json, "loader", k_where), "loader");
  out.files = uint_member(json, "files", k_where);
  out.unpacked_size = uint_member(json, "unpacked_size", k_where);
  for (const auto& input : array_member(json, "inputs", k_where)) out.inputs.push_back(input_from(input));
  return out;
}

std::string why_not_engine_path(std::string_view path) {
  if (path.empty() || path.size() > k_name + k_prefix) return "it is empty or too long";
  for (const char c : path) {
    if (c < ' ' || c > '~' || c == '\\') return "it holds a byte that is not allowed";
  }
  for (const auto part : split(path, '/')) {
    if (part.empty() || part == "." || part == "..") return "it is absolute, traverses, or has an empty component";
    if (part.size() > k_name) return "a component is too long";
  }
  return {};
}

std::string why_not_engine_link(std::string_view path, std::string_view target) {
  if (target.empty() || target.size() > k_name) return "its target is empty or too long";
  if (target == ".") return {};
  auto depth = std::count(path.begin(), path.end(), '/');
  bool down = false;
  for (const auto part : split(target, '/')) {
    if (part != "..") {
      if (const auto why = why_not_engine_path(part); !why.empty()) return why;
      down = true;
      continue;
    }
    if (down) return "'..' follows a name in its target";
    if (--depth < 0) return "its target leaves the package";
  }
  return {};
}

std::string tar_header(const Member& member) {
  std::string header(512, '\0');
  const auto at = split_point(member.path);
  if (at == std::string_view::npos) {
    put(header, 0, member.path);
  } else {
    put(header, 0, std::string_view(member.path).substr(at + 1));
    put(header, 345, std::string_view(member.path).substr(0, at));
  }
  const bool link = member.type == MemberType::symlink;
  const bool wide = member.type == MemberType::folder || member.executable;
  const auto size = member.type == MemberType::file ? member.size : 0;
  if (size > 077777777777ull) fail(ErrorCode::engine_malformed, "'{}' is larger than 8 GiB", printable(member.path));
  put(header, 100, link ? "0000777" : wide ? "0000755" : "0000644");
  put(header, 108, "0000000");
  put(header, 116, "0000000");
  put(header, 124, fmt::format("{:011o}", size));
  put(header, 136, "00000000000");
  put(header, 148, "        ");
  header[156] = link ? '2' : member.type == MemberType::folder ? '5' : '0';
  if (link) put(header, 157, member.target);
  put(header, 257,
      std::string_view("ustar\0"
                       "00",
                       8));
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(header, 148, fmt::format("{:06o}", sum));
  header[154] = '\0';
  header[155] = ' ';
  return header;
}

}  // namespace liftlock::engine
