#include "ecosystem/apt/apt_collector.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/apt/deb822.hpp"
#include "ecosystem/apt/solver.hpp"
#include "ecosystem/apt/suite_loader.hpp"
#include "os/file.hpp"

namespace liftlock::apt {
namespace {

constexpr std::uint64_t k_max_status = 256u << 20;

constexpr std::array<KeySpec, 11> k_keys = {{
    {"packages", ValueType::strings, true,
     "What is wanted: name, name=version, name:architecture or name/suite; everything these need comes along.",
     "[\"jq\", \"curl=7.88.1-10+deb12u12\"]"},
    {"suites", ValueType::strings, false,
     "Suites to read; by default those of the system's own sources. The highest version wins.",
     "[\"bookworm\", \"bookworm-security\"]"},
    {"components", ValueType::strings, false, "Components to read; by default those of the source.", "[\"main\"]"},
    {"mirror", ValueType::string, false, "Address of the archive; by default that of the system's own sources.",
     "\"https://mirror.example/debian\""},
    {"architectures", ValueType::strings, false, "Architectures; by default that of the stack's platform.",
     "[\"amd64\"]"},
    {"keyring", ValueType::string, false,
     "Keys that must have signed the suites, binary or armored; by default the Signed-By of the source, or the "
     "distribution's keyring.",
     "\"keys/vendor.asc\""},
    {"sources_file", ValueType::string, false, "A *.list or *.sources file to use instead of the system's own sources.",
     "\"vendor.sources\""},
    {"accept_expired", ValueType::string, false,
     "How long past its Valid-Until a suite is accepted; recorded as an exception in the evidence. By default not at "
     "all.",
     "\"30d\""},
    {"base", ValueType::string, false,
     "What the receiving machines have already and is left out: \"essential\", or the path of a dpkg status file. By "
     "default nothing is left out.",
     "\"essential\""},
    {"recommends", ValueType::boolean, false, "Take recommended packages too; false by default.", "true"},
    {"evidence", ValueType::boolean, false,
     "Carry the signed indexes that prove each package's digest; true by default. A mirror replaces its InRelease: "
     "without "
     "the store that locked it, such a lock can be fetched only until then.",
     "false"},
}};

std::filesystem::path base_file(const StackEntry& entry) {
  const auto base = entry.text("base");
  return base == "essential" || base == "none" ? std::filesystem::path() : std::filesystem::path(base);
}

/// The stanza as apt may serve it again: without what a mirror states anew.
std::string portable_stanza(std::string_view stanza) {
  static constexpr std::array<std::string_view, 7> k_own = {"Filename", "Size",   "MD5sum", "SHA1",
                                                            "SHA256",   "SHA512", "Status"};
  ParagraphReader reader(stanza, "a stanza");
  Paragraph paragraph;
  reader.next(paragraph);
  std::string out;
  for (const auto& [name, value] : paragraph.fields()) {
    const bool own =
        std::any_of(k_own.begin(), k_own.end(), [&name = name](auto other) { return same_field(name, other); });
    if (!own) out += fmt::format("{}: {}\n", name, value);
  }
  return out;
}

class Resolution {
 public:
  Resolution(const StackEntry& entry, CollectContext& context)
      : m_entry(entry), m_context(context), m_native(debian_architecture(context.platform)) {}

  Collected run() {
    load();
    SolveInput input{
        m_index,      m_native, {}, base(), m_entry.flag("recommends", false) ? Recommends::yes : Recommends::no,
        suite_names()};
    for (const auto& text : m_entry.texts("packages")) input.requests.push_back(parse_request(text));
    if (input.requests.empty()) fail(ErrorCode::stack_invalid, "{}: 'packages' is empty", m_entry.where());
    const auto solution = solve(input);
    for (std::size_t i = 0; i < solution.asked.size(); ++i) {
      if (!solution.needs.contains(solution.asked[i])) {
        m_out.notes.push_back(fmt::format("{} is in the base already", text(input.requests[i])));
      }
    }
    m_out.notes.insert(m_out.notes.end(), solution.notes.begin(), solution.notes.end());
    for (const auto id : solution.chosen) m_out.artifacts.push_back(artifact(id, solution));
    if (m_entry.flag("evidence", true)) add_proofs(solution);
    std::sort(m_out.artifacts.begin(), m_out.artifacts.end(),
              [](const auto& a, const auto& b) { return a.id() < b.id(); });
    check_names();
    return std::move(m_out);
  }

 private:
  void load() {
    LoadRequest request;
    request.architectures = m_entry.texts("architectures");
    if (request.architectures.empty()) request.architectures = {m_native};
    request.accept_expired_text = m_entry.text("accept_expired");
    if (!request.accept_expired_text.empty()) {
      const auto duration = parse_duration(request.accept_expired_text);
      if (!duration)
        fail(ErrorCode::stack_invalid, "{}: accept_expired '{}' is no duration such as 30d", m_entry.where(),
             request.accept_expired_text);
      request.accept_expired = *duration;
    }
    const auto suites = choose_suites(m_entry, m_context.stack_folder, m_out.notes);
    m_loaded = load_suites(suites, request, m_index, m_context, m_out.notes);
  }

  std::vector<std::string> suite_names() const {
    std::vector<std::string> names;
    for (const auto& loaded : m_loaded) names.push_back(loaded.suite);
    return names;
  }

  std::vector<PackageId> base() {
    if (m_entry.text("base") == "essential") return essential();
    const auto file = base_file(m_entry);
    if (file.empty()) return {};
    const auto first = m_index.size();
    const auto path = file.is_absolute() ? file : m_context.stack_folder / file;
    m_index.add(read_file(path, k_max_status), static_cast<std::uint32_t>(m_loaded.size()),
                PackageIndex::Kind::installed, path.string());
    std::vector<PackageId> present;
    for (auto id = first; id < m_index.size(); ++id) present.push_back(static_cast<PackageId>(id));
    return present;
  }

  /// Every Essential package of the suites with what it needs: less is on no Debian machine.
  std::vector<PackageId> essential() const {
    std::set<std::string> names;
    for (PackageId id = 0; id < m_index.size(); ++id) {
      const auto& package = m_index[id];
      if (package.essential && (package.architecture == m_native || package.architecture == "all"))
        names.emplace(package.name);
    }
    SolveInput input{m_index, m_native, {}, {}, Recommends::no, {}};
    for (const auto& name : names) input.requests.push_back({name, {}, {}, {}});
    return with_context("while closing over the essential packages", [&] { return solve(input).chosen; });
  }

  std::string artifact_name(const Package& package) const {
    const bool foreign = package.architecture != "all" && package.architecture != m_native;
    return foreign ? fmt::format("{}:{}", package.name, package.architecture) : std::string(package.name);
  }

  Artifact artifact(PackageId id, const Solution& solution) const {
    const auto& package = m_index[id];
    const auto& loaded = m_loaded.at(package.source);
    Artifact out{.kind = "deb", .name = artifact_name(package), .version = std::string(package.version)};
    out.facts = {{"architecture", package.architecture}, {"stanza", portable_stanza(package.stanza)}};
    for (const auto need : solution.needs.at(id)) {
      out.needs.push_back(fmt::format("deb:{}@{}", artifact_name(m_index[need]), m_index[need].version));
    }
    std::sort(out.needs.begin(), out.needs.end());
    const auto where = fmt::format("{} of {}", out.name, loaded.suite);
    if (package.sha256.empty()) fail(ErrorCode::schema_violation, "{}: its stanza states no SHA256", where);
    auto filename = package.filename;
    while (filename.starts_with("./")) filename.remove_prefix(2);
    const auto path = with_context(where, [&] { return RelPath::parse(filename); });
    out.files.push_back({.path = RelPath::parse("packages/apt") / path.filename(),
                         .size = package.size,
                         .digest = Digest::parse_sha256_hex(package.sha256),
                         .origin = loaded.base_url + encode_percent_path(path.text()),
                         .evidence = {{"apt-release", loaded.evidence}}});
    return out;
  }

  /// Of the indexes that something was chosen from.
  void add_proofs(const Solution& solution) {
    std::set<std::uint32_t> used;
    for (const auto id : solution.chosen) used.insert(m_index[id].source);
    for (const auto number : used) m_out.artifacts.push_back(m_loaded.at(number).proof);
  }

  void check_names() const {
    std::map<std::string, const Artifact*> seen;
    for (const auto& one : m_out.artifacts) {
      if (one.kind != "deb") continue;
      const auto [place, fresh] = seen.emplace(one.files[0].path.case_folded(), &one);
      if (!fresh) fail(ErrorCode::path_collision, "{} and {} have the same file name", place->second->id(), one.id());
    }
  }

  const StackEntry& m_entry;
  CollectContext& m_context;
  std::string m_native;
  PackageIndex m_index;
  std::vector<LoadedIndex> m_loaded;
  Collected m_out;
};

}  // namespace

std::string_view AptCollector::summary() const {
  return "packages of an apt repository, with everything they need";
}

std::span<const KeySpec> AptCollector::keys() const {
  return k_keys;
}

std::vector<std::filesystem::path> AptCollector::input_files(const StackEntry& entry,
                                                             const std::filesystem::path&) const {
  std::vector<std::filesystem::path> out;
  for (const auto key : {"keyring", "sources_file"}) {
    if (const auto path = entry.text(key); !path.empty()) out.emplace_back(path);
  }
  if (const auto base = base_file(entry); !base.empty()) out.push_back(base);
  return out;
}

Collected AptCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  return with_context("while resolving " + entry.where(), [&] { return Resolution(entry, context).run(); });
}

std::string debian_architecture(std::string_view platform) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> k_map = {{{"linux/amd64", "amd64"},
                                                                                          {"linux/arm64", "arm64"},
                                                                                          {"linux/arm64/v8", "arm64"},
                                                                                          {"linux/arm/v7", "armhf"},
                                                                                          {"linux/386", "i386"},
                                                                                          {"linux/ppc64le", "ppc64el"},
                                                                                          {"linux/riscv64", "riscv64"},
                                                                                          {"linux/s390x", "s390x"}}};
  for (const auto& [oci, debian] : k_map) {
    if (oci == platform) return std::string(debian);
  }
  throw Error(ErrorCode::stack_invalid, fmt::format("the platform '{}' is none that Debian has", printable(platform)),
              "write linux/amd64, linux/arm64, …");
}

}  // namespace liftlock::apt
