#include "ecosystem/apt/apt_sources.hpp"

#include <algorithm>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/apt/deb822.hpp"
#include "os/file.hpp"

namespace liftlock::apt {
namespace {

constexpr std::uint64_t k_max_sources = 4u << 20;

std::vector<std::string> strings(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

bool is_fingerprint(std::string_view text) {
  if (text.ends_with('!')) text.remove_suffix(1);
  return text.size() == 40 && text.find_first_not_of("0123456789ABCDEFabcdef") == std::string_view::npos;
}

void add_signed_by(Keyring& keyring, std::string_view word, const std::string& where) {
  if (word.starts_with('/')) {
    keyring.files.emplace_back(word);
  } else if (is_fingerprint(word)) {
    std::string fingerprint(word.substr(0, 40));
    std::transform(fingerprint.begin(), fingerprint.end(), fingerprint.begin(),
                   [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c; });
    keyring.fingerprints.push_back(std::move(fingerprint));
  } else {
    fail(ErrorCode::config_invalid, "{}: Signed-By '{}' is neither an absolute path nor a fingerprint", where,
         printable(word));
  }
}

/// The lines of an embedded key: one blank in front of each, " ." for an empty line.
std::string unfold(std::string_view value) {
  std::string out;
  for (auto line : split(value, '\n')) {
    line = trim(line);
    if (line.starts_with('#')) continue;
    if (line != ".") out += line;
    out += '\n';
  }
  return out;
}

Keyring parse_signed_by(std::string_view value, const std::string& where) {
  Keyring keyring;
  if (value.find("-----BEGIN PGP") != std::string_view::npos) {
    keyring.embedded.push_back(unfold(value));
    return keyring;
  }
  for (const auto word : words(value)) {
    for (const auto one : split(word, ',')) {
      if (!one.empty()) add_signed_by(keyring, one, where);
    }
  }
  return keyring;
}

bool is_fetchable(std::string_view uri) {
  return uri.starts_with("https://") || uri.starts_with("http://") || uri.starts_with("file:/");
}

/// "file:/x" and "file:///x" are one to apt; libcurl wants the second.
std::string normal_uri(std::string uri, const std::string& where) {
  if (uri.starts_with("file:/") && !uri.starts_with("file://")) uri = "file://" + uri.substr(5);
  const auto host = uri.find("://");
  const auto slash = uri.find('/', host + 3);
  if (host != std::string::npos && uri.substr(host + 3, slash - host - 3).find('@') != std::string::npos) {
    throw Error(ErrorCode::config_invalid, fmt::format("{}: the URI of a source holds credentials", where),
                "put them into ~/.netrc, which is read, and leave the URI without them");
  }
  if (!uri.ends_with('/')) uri += '/';
  return uri;
}

struct ListOptions {
  std::vector<std::string> architectures;
  Keyring keyring;
};

ListOptions parse_list_options(std::string_view text, const std::string& where) {
  ListOptions out;
  for (const auto word : words(text)) {
    const auto equals = word.find('=');
    if (equals == std::string_view::npos)
      fail(ErrorCode::config_invalid, "{}: '{}' is no option", where, printable(word));
    const auto name = word.substr(0, equals), value = word.substr(equals + 1);
    if (name == "arch") out.architectures = strings(split(value, ','));
    if (name == "signed-by") out.keyring = parse_signed_by(value, where);
  }
  return out;
}

bool is_no(std::string_view value) {
  const auto lower = to_lower(value);
  return lower == "no" || lower == "false" || lower == "0" || lower == "off" || lower == "without" ||
         lower == "disable";
}

const AptSource* best_source(const std::vector<AptSource>& sources, std::string_view suite) {
  const auto has = [&](auto&& test) -> const AptSource* {
    for (const auto& source : sources) {
      if (std::any_of(source.suites.begin(), source.suites.end(), test)) return &source;
    }
    return nullptr;
  };
  if (const auto* exact = has([&](const std::string& name) { return name == suite; })) return exact;
  const auto dash = suite.rfind('-');
  const auto ending = dash == std::string_view::npos ? std::string_view() : suite.substr(dash);
  if (!ending.empty()) {
    if (const auto* similar = has([&](const std::string& name) { return name.ends_with(ending); })) return similar;
  }
  if (const auto* plain = has([](const std::string& name) { return !name.ends_with('/'); })) return plain;
  return sources.empty() ? nullptr : &sources.front();
}

}  // namespace

std::vector<AptSource> parse_sources_list(std::string_view text, const std::string& where) {
  std::vector<AptSource> out;
  std::size_t number = 0;
  for (auto line : split(text, '\n')) {
    const auto place = fmt::format("{}:{}", where, ++number);
    line = trim(line.substr(0, line.find('#')));
    if (!line.starts_with("deb ") && !line.starts_with("deb\t")) continue;
    line = trim(line.substr(3));
    ListOptions options;
    if (line.starts_with('[')) {
      const auto close = line.find(']');
      if (close == std::string_view::npos) fail(ErrorCode::config_invalid, "{}: a '[' is not closed", place);
      options = parse_list_options(line.substr(1, close - 1), place);
      line = trim(line.substr(close + 1));
    }
    const auto parts = words(line);
    if (parts.size() < 2 || (parts.size() < 3 && !parts[1].ends_with('/'))) {
      fail(ErrorCode::config_invalid, "{}: URI, suite and component are expected", place);
    }
    if (!is_fetchable(parts[0])) continue;
    out.push_back({.uris = {normal_uri(std::string(parts[0]), place)},
                   .suites = {std::string(parts[1])},
                   .components = {parts.begin() + 2, parts.end()},
                   .architectures = std::move(options.architectures),
                   .keyring = std::move(options.keyring),
                   .where = place});
  }
  return out;
}

std::vector<AptSource> parse_sources_deb822(std::string_view text, const std::string& where) try {
  std::vector<AptSource> out;
  ParagraphReader reader(text, where, Comments::skip);
  Paragraph paragraph;
  while (reader.next(paragraph)) {
    const auto types = words(paragraph.field_or("Types", ""));
    if (std::find(types.begin(), types.end(), "deb") == types.end() || is_no(paragraph.field_or("Enabled", "yes")))
      continue;
    AptSource source;
    for (const auto uri : words(paragraph.field_or("URIs", ""))) {
      if (is_fetchable(uri)) source.uris.push_back(normal_uri(std::string(uri), where));
    }
    source.suites = strings(words(paragraph.field_or("Suites", "")));
    source.components = strings(words(paragraph.field_or("Components", "")));
    source.architectures = strings(words(paragraph.field_or("Architectures", "")));
    source.keyring = parse_signed_by(paragraph.field_or("Signed-By", ""), where);
    source.where = where;
    if (source.suites.empty()) fail(ErrorCode::config_invalid, "{}: a paragraph has no Suites", where);
    if (!source.uris.empty()) out.push_back(std::move(source));
  }
  return out;
} catch (const Error& error) {
  if (error.code() == ErrorCode::config_invalid) throw;
  throw Error(ErrorCode::config_invalid, error.message());
}

std::vector<AptSource> read_sources(const fs::path& path) {
  if (!fs::is_directory(path)) {
    const auto text = read_file(path, k_max_sources);
    return path.extension() == ".sources" ? parse_sources_deb822(text, path.string())
                                          : parse_sources_list(text, path.string());
  }
  std::vector<AptSource> out;
  const auto append = [&](const fs::path& file) {
    auto more = read_sources(file);
    out.insert(out.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  if (fs::exists(path / "sources.list")) append(path / "sources.list");
  if (fs::is_directory(path / "sources.list.d")) {
    std::set<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path / "sources.list.d")) {
      if (entry.path().extension() == ".list" || entry.path().extension() == ".sources") files.insert(entry.path());
    }
    for (const auto& file : files) append(file);
  }
  return out;
}

Keyring default_keyring() {
  Keyring keyring;
  for (const auto* file :
       {"/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/ubuntu-archive-keyring.gpg"}) {
    if (fs::exists(file)) {
      keyring.files.emplace_back(file);
      return keyring;
    }
  }
  std::set<fs::path> files;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator("/etc/apt/trusted.gpg.d", absent)) {
    if (entry.path().extension() == ".gpg" || entry.path().extension() == ".asc") files.insert(entry.path());
  }
  keyring.files.assign(files.begin(), files.end());
  return keyring;
}

std::string Suite::release_url() const {
  if (!is_flat()) return uri + "dists/" + name + "/";
  return name == "/" ? uri : uri + (name.starts_with("./") ? name.substr(2) : name);
}

std::vector<Suite> choose_suites(const StackEntry& entry, const fs::path& stack_folder,
                                 std::vector<std::string>& notes) {
  const auto under_stack = [&](const std::string& path) {
    return fs::path(path).is_absolute() ? fs::path(path) : stack_folder / path;
  };
  const auto sources_file = entry.text("sources_file");
  const auto mirror = entry.text("mirror");
  const auto components = entry.texts("components");
  Keyring keyring;
  if (const auto file = entry.text("keyring"); !file.empty()) keyring.files.push_back(fs::absolute(under_stack(file)));
  std::vector<AptSource> sources;
  if (!sources_file.empty())
    sources = read_sources(under_stack(sources_file));
  else if (mirror.empty() || keyring.empty())
    sources = read_sources("/etc/apt");

  std::vector<Suite> out;
  const auto add = [&](const std::string& uri, const std::string& suite, const std::vector<std::string>& parts,
                       const Keyring& keys, const std::vector<std::string>& architectures) {
    Suite one{uri, suite,
              suite.ends_with('/') ? std::vector<std::string>()
              : components.empty() ? parts
                                   : components,
              !keyring.empty() ? keyring
              : !keys.empty()  ? keys
                               : default_keyring(),
              architectures};
    if (!one.is_flat() && one.components.empty()) one.components = {"main"};
    out.push_back(std::move(one));
  };
  const auto suites = entry.texts("suites");
  if (suites.empty() && !mirror.empty()) {
    throw Error(ErrorCode::stack_invalid, fmt::format("{}: 'mirror' needs 'suites'", entry.where()),
                "add suites = [\"…\"]");
  }
  for (const auto& suite : suites) {
    const auto* source = best_source(sources, suite);
    if (!mirror.empty()) {
      const auto uri = normal_uri(mirror, entry.where());
      const auto same = std::find_if(sources.begin(), sources.end(), [&](const auto& one) {
        return std::find(one.uris.begin(), one.uris.end(), uri) != one.uris.end();
      });
      add(uri, suite, {}, same == sources.end() ? Keyring{} : same->keyring, {});
    } else if (source != nullptr) {
      add(source->uris.front(), suite, source->components, source->keyring, source->architectures);
      notes.push_back(fmt::format("suite {} is taken from the mirror and keyring of {}", suite, source->where));
    }
  }
  if (suites.empty()) {
    for (const auto& source : sources) {
      for (const auto& suite : source.suites) {
        add(source.uris.front(), suite, source.components, source.keyring, source.architectures);
      }
    }
  }
  if (out.empty()) {
    throw Error(ErrorCode::stack_invalid, fmt::format("{}: no source of packages is known", entry.where()),
                "give mirror, suites and keyring, or a sources_file");
  }
  return out;
}

}  // namespace liftlock::apt
