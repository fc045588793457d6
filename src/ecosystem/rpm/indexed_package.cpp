#include "ecosystem/rpm/indexed_package.hpp"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::rpm {
namespace {

/// As XML text or attribute. What XML 1.0 cannot hold becomes '?': one package must not spoil the list for all. What is
/// no UTF-8 is taken for Latin-1, as createrepo_c does.
std::string xml(std::string_view text) {
  const bool utf8 = is_utf8(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    const bool control = byte < 0x20 && c != '\t' && c != '\n' && c != '\r';
    const auto three = text.substr(i, 3);
    if (three == "\xef\xbf\xbe" || three == "\xef\xbf\xbf") {  // U+FFFE, U+FFFF
      out += '?';
      i += 2;
    } else if (control) {
      out += '?';
    } else if (!utf8 && byte >= 0x80) {
      out += {static_cast<char>(0xc0 | byte >> 6), static_cast<char>(0x80 | (byte & 0x3f))};
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string xml(const RpmHeader& header, Tag tag) {
  return xml(header.text(tag).value_or(""));
}

/// ` epoch="E" ver="V" rel="R"` of "[EPOCH:]VERSION[-RELEASE]"
std::string evr_attributes(std::string_view evr) {
  std::string_view epoch = "0";
  if (const auto colon = evr.find(':'); colon != std::string_view::npos) {
    if (parse_uint(evr.substr(0, colon))) epoch = evr.substr(0, colon);
    evr.remove_prefix(colon + 1);
  }
  const auto dash = evr.rfind('-');
  auto out = fmt::format(" epoch=\"{}\" ver=\"{}\"", epoch, xml(evr.substr(0, dash)));
  if (dash != std::string_view::npos) out += fmt::format(" rel=\"{}\"", xml(evr.substr(dash + 1)));
  return out;
}

std::string_view comparison(std::uint64_t flags) {
  static_assert(k_sense_less == 2 && k_sense_greater == 4 && k_sense_equal == 8);
  constexpr std::array<std::string_view, 8> k_names = {"", "LT", "GT", "", "EQ", "LE", "GE", ""};
  return k_names.at(flags >> 1 & 7);
}

std::string relations_xml(const PackageFile& package, Relation relation, std::string_view element) {
  std::string out;
  std::set<std::string> seen;
  for (const auto& one : package.relations(relation)) {
    if (one.name.empty() || one.name.starts_with("rpmlib(")) continue;  // of rpm itself: no package has them
    auto line = fmt::format("      <rpm:entry name=\"{}\"", xml(one.name));
    const auto how = comparison(one.flags);
    if (!how.empty() && !one.version.empty()) line += fmt::format(" flags=\"{}\"{}", how, evr_attributes(one.version));
    if (relation == Relation::requires_ && (one.flags & k_sense_before) != 0) line += " pre=\"1\"";
    line += "/>\n";
    if (seen.insert(line).second) out += line;
  }
  if (out.empty()) return out;
  return fmt::format("    <rpm:{0}>\n{1}    </rpm:{0}>\n", element, out);
}

/// Those that other packages ask for by path: in the first list already.
bool is_primary(std::string_view path) {
  return path.starts_with("/etc/") || path.find("bin/") != std::string_view::npos || path == "/usr/lib/sendmail";
}

std::string file_xml(const PackagedFile& file, std::string_view indent) {
  const std::string_view type = S_ISDIR(file.mode)                 ? " type=\"dir\""
                                : (file.flags & k_file_ghost) != 0 ? " type=\"ghost\""
                                                                   : "";
  return fmt::format("{}<file{}>{}</file>\n", indent, type, xml(file.path));
}

std::string changelogs_xml(const RpmHeader& header) {
  const auto times = header.numbers(Tag::changelog_time);
  const auto names = header.texts(Tag::changelog_name), texts = header.texts(Tag::changelog_text);
  auto count = std::min({times.size(), names.size(), texts.size(), PackageFile::k_max_changelogs});
  std::string out;
  while (count-- > 0) {  // the header has the newest first, the list last
    out += fmt::format("  <changelog author=\"{}\" date=\"{}\">{}</changelog>\n", xml(names[count]), times[count],
                       xml(texts[count]));
  }
  return out;
}

std::uint64_t number_of(const RpmHeader& header, Tag tag, Tag other) {
  return header.number(tag).value_or(header.number(other).value_or(0));
}

/// Whoever took over the cell that made it adds no package to the list, and hides none. Texts of packages have no '<'.
bool is_one_package(std::string_view text) {
  constexpr std::string_view k_begin = "<package", k_end = "</package>\n";
  if (!text.starts_with("<package ") || !text.ends_with(k_end) || !is_utf8(text)) return false;
  for (auto at = text.find(k_begin, 1); at != std::string_view::npos; at = text.find(k_begin, at + 1)) {
    if (!text.substr(at + k_begin.size()).starts_with("r>")) return false;  // <packager>
  }
  return text.find("</package>") == text.size() - k_end.size() && text.find("<!") == std::string_view::npos &&
         text.find("<?") == std::string_view::npos;
}

/// Exactly `size` bytes. nullopt: it is broken.
std::optional<std::string> inflated(const std::string& base64, std::uint64_t size) {
  const auto packed = decode_base64(base64);
  if (!packed) return std::nullopt;
  std::string out(size, '\0');
  uLongf made = size;
  const auto status = ::uncompress(reinterpret_cast<Bytef*>(out.data()), &made, packed->data(), packed->size());
  return status == Z_OK && made == size ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

std::string location_of(const ArtifactFile& file) {
  return fmt::format("Packages/{}", file.path.filename());
}

IndexedPackage index_package(const PackageFile& package, const Digest& digest, std::string_view location) {
  package.check_listed_size();
  const auto& header = package.header();
  const auto identity = package.identity();
  const auto files = package.files();
  const auto version = fmt::format("<version epoch=\"{}\" ver=\"{}\" rel=\"{}\"/>", identity.epoch,
                                   xml(identity.version), xml(identity.release));
  const auto build_time = header.number(Tag::build_time).value_or(0);
  IndexedPackage out;
  out.primary = fmt::format(
      "<package type=\"rpm\">\n  <name>{}</name>\n  <arch>{}</arch>\n  {}\n"
      "  <checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>\n  <summary>{}</summary>\n"
      "  <description>{}</description>\n  <packager>{}</packager>\n  <url>{}</url>\n"
      "  <time file=\"{}\" build=\"{}\"/>\n  <size package=\"{}\" installed=\"{}\" archive=\"{}\"/>\n"
      "  <location href=\"{}\"/>\n  <format>\n",
      xml(identity.name), xml(identity.architecture), version, digest.hex(), xml(header, Tag::summary),
      xml(header, Tag::description), xml(header, Tag::packager), xml(header, Tag::url), build_time, build_time,
      package.size(), number_of(header, Tag::size, Tag::long_size),
      number_of(package.signatures(), RpmHeader::tag(SignatureTag::archive),
                RpmHeader::tag(SignatureTag::long_archive)),
      xml(location));
  out.primary += fmt::format(
      "    <rpm:license>{}</rpm:license>\n    <rpm:vendor>{}</rpm:vendor>\n    <rpm:group>{}</rpm:group>\n"
      "    <rpm:buildhost>{}</rpm:buildhost>\n    <rpm:sourcerpm>{}</rpm:sourcerpm>\n"
      "    <rpm:header-range start=\"{}\" end=\"{}\"/>\n",
      xml(header, Tag::license), xml(header, Tag::vendor), xml(header, Tag::group), xml(header, Tag::build_host),
      xml(header, Tag::source_rpm), package.header_start(), package.payload_start());
  constexpr std::array<std::pair<Relation, std::string_view>, 8> k_relations = {
      {{Relation::provides, "provides"},
       {Relation::requires_, "requires"},
       {Relation::conflicts, "conflicts"},
       {Relation::obsoletes, "obsoletes"},
       {Relation::suggests, "suggests"},
       {Relation::enhances, "enhances"},
       {Relation::recommends, "recommends"},
       {Relation::supplements, "supplements"}}};
  for (const auto& [relation, element] : k_relations) out.primary += relations_xml(package, relation, element);
  const auto head = fmt::format("<package pkgid=\"{}\" name=\"{}\" arch=\"{}\">\n  {}\n", digest.hex(),
                                xml(identity.name), xml(identity.architecture), version);
  out.filelists = head;
  for (const auto& file : files) {
    if (is_primary(file.path)) out.primary += file_xml(file, "    ");
    out.filelists += file_xml(file, "  ");
  }
  out.primary += "  </format>\n</package>\n";
  out.filelists += "</package>\n";
  out.other = head + changelogs_xml(header) + "</package>\n";
  if (out.size() > PackageFile::k_max_listed) {
    fail(ErrorCode::limit_exceeded, "it takes {} bytes of a repository's lists, of at most {}", out.size(),
         PackageFile::k_max_listed);
  }
  return out;
}

Json to_facts(const IndexedPackage& package) {
  const auto text = package.primary + package.filelists + package.other;
  std::vector<std::uint8_t> packed(::compressBound(text.size()));
  uLongf size = packed.size();
  if (::compress(packed.data(), &size, reinterpret_cast<const Bytef*>(text.data()), text.size()) != Z_OK) {
    fail(ErrorCode::memory_limit, "no memory for compressing what a package is in a repository's lists");
  }
  packed.resize(size);
  return {{"sizes", {package.primary.size(), package.filelists.size(), package.other.size()}},
          {"zlib", encode_base64(packed)}};
}

std::optional<IndexedPackage> indexed_package_from_facts(const Json& facts) {
  const auto sizes = facts.find("sizes"), packed = facts.find("zlib");
  if (sizes == facts.end() || !sizes->is_array() || sizes->size() != 3 || packed == facts.end() || !packed->is_string())
    return std::nullopt;
  std::uint64_t all = 0;
  for (const auto& size : *sizes) {
    if (!size.is_number_unsigned() || size.get<std::uint64_t>() > PackageFile::k_max_listed - all) return std::nullopt;
    all += size.get<std::uint64_t>();
  }
  const auto text = inflated(packed->get_ref<const std::string&>(), all);
  if (!text) return std::nullopt;
  const std::size_t first = (*sizes)[0], second = (*sizes)[1];
  IndexedPackage out{text->substr(0, first), text->substr(first, second), text->substr(first + second)};
  for (const auto* list : {&out.primary, &out.filelists, &out.other}) {
    if (!is_one_package(*list)) return std::nullopt;
  }
  return out;
}

}  // namespace liftlock::rpm
