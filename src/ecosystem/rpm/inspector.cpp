#include "ecosystem/rpm/inspector.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/rpm/indexed_package.hpp"
#include "os/file.hpp"

namespace liftlock::rpm {
namespace {

constexpr std::array<std::string_view, 1> k_kinds = {k_kind};
constexpr std::array<std::string_view, 1> k_index_kinds = {k_index_kind};
constexpr std::array<std::string_view, 1> k_key_kinds = {k_key_kind};
constexpr std::size_t k_max_findings = 50;
constexpr std::size_t k_max_listed = 5000;
constexpr std::size_t k_max_told = 200;  ///< of a text that people read, or records of vulnerabilities are found by
constexpr std::uint64_t k_max_repomd = 4u << 20;
constexpr std::uint64_t k_max_key = 1u << 20;

class Judge {
 public:
  Judge(const Artifact& artifact, Inspection& out)
      : m_artifact(artifact), m_file(artifact.files[0].path.text()), m_out(out) {}

  void refuse(ErrorCode code, std::string message) {
    if (m_out.findings.size() < k_max_findings) m_out.findings.push_back({code, m_file, std::move(message)});
  }

  void names(const Identity& identity) {
    if (m_artifact.name != identity.name && m_artifact.name != identity.name + "." + identity.architecture) {
      differs("name", identity.name, m_artifact.name);
    }
    if (identity.evr() != m_artifact.version) differs("version", identity.evr(), m_artifact.version);
    const auto stated = m_artifact.facts.find("architecture");
    if (stated == m_artifact.facts.end() || !stated->is_string() || *stated != identity.architecture) {
      differs("architecture", identity.architecture, stated == m_artifact.facts.end() ? "" : stated->dump());
    }
    if (!m_file.ends_with(".rpm")) refuse(ErrorCode::package_malformed, "its file is not called .rpm");
    m_out.facts["name"] = identity.name;
    m_out.facts["version"] = identity.evr();
    m_out.facts["architecture"] = identity.architecture;
  }

  /// What the artifact says beyond that is what reports of vulnerabilities go by.
  void stated(const Json& told) {
    for (const auto* key : {k_fact_vendor, k_fact_source}) {
      const auto stated = m_artifact.facts.find(key);
      if (stated == m_artifact.facts.end() || *stated == told.at(key)) continue;
      differs(key, told.at(key).get<std::string>(), stated->dump());
    }
  }

  void listed(const PackageFile& package) {
    auto setuid = Json::array();
    const auto files = package.files();
    for (const auto& file : files) {
      const auto parts = split(file.path, '/');
      const auto shown = printable(file.path);
      if (!file.path.starts_with('/')) refuse(ErrorCode::path_unsafe, "the path '" + shown + "' is relative");
      if (std::any_of(parts.begin(), parts.end(), [](auto part) { return part == ".." || part == "."; })) {
        refuse(ErrorCode::path_unsafe, "the path '" + shown + "' traverses");
      }
      if (!S_ISREG(file.mode) && !S_ISDIR(file.mode) && !S_ISLNK(file.mode)) {
        refuse(ErrorCode::package_malformed, "'" + shown + "' is a device or another special file");
      }
      if (S_ISREG(file.mode) && (file.mode & 06000u) != 0 && setuid.size() < k_max_listed) setuid.push_back(shown);
    }
    m_out.facts["entries"] = files.size();
    m_out.facts["setuid"] = std::move(setuid);
    m_out.facts["capabilities"] = with_capabilities(package, files);
  }

 private:
  /// Paths of programs that get rights of root by them, as setuid ones do.
  Json with_capabilities(const PackageFile& package, const std::vector<PackagedFile>& files) {
    auto out = Json::array();
    const auto capabilities = package.header().texts(Tag::file_capabilities);
    if (capabilities.size() != files.size() && package.header().has(Tag::file_capabilities)) {
      refuse(ErrorCode::package_malformed,
             fmt::format("its header has {} files and capabilities of {}", files.size(), capabilities.size()));
      return out;
    }
    for (std::size_t i = 0; i < capabilities.size() && out.size() < k_max_listed; ++i) {
      if (!capabilities[i].empty()) out.push_back(printable(files[i].path));
    }
    return out;
  }
  void differs(std::string_view what, std::string_view has, std::string_view wanted) {
    refuse(ErrorCode::package_malformed,
           fmt::format("its header says {} '{}', the artifact '{}'", what, printable(has), printable(wanted)));
  }

  const Artifact& m_artifact;
  std::string m_file;
  Inspection& m_out;
};

Json names_of(const PackageFile& package, Relation relation) {
  auto out = Json::array();
  for (const auto& one : package.relations(relation)) {
    if (out.size() >= k_max_listed || !is_utf8(one.name) || one.name.starts_with("rpmlib(")) continue;
    if (out.empty() || out.back() != one.name) out.push_back(one.name);
  }
  return out;
}

/// What runs on the machine: a script, or a program without one (%post -p /sbin/ldconfig).
Json scripts_of(const RpmHeader& header) {
  struct Script {
    Tag text, program;
    std::string_view name;
  };
  constexpr std::array<Script, 12> k_scripts = {
      {{Tag::pre_trans, Tag::pre_trans_program, "pretrans"},
       {Tag::pre_in, Tag::pre_in_program, "pre"},
       {Tag::post_in, Tag::post_in_program, "post"},
       {Tag::pre_un, Tag::pre_un_program, "preun"},
       {Tag::post_un, Tag::post_un_program, "postun"},
       {Tag::post_trans, Tag::post_trans_program, "posttrans"},
       {Tag::pre_untrans, Tag::pre_untrans_program, "preuntrans"},
       {Tag::post_untrans, Tag::post_untrans_program, "postuntrans"},
       {Tag::trigger_scripts, Tag::trigger_program, "triggers"},
       {Tag::file_trigger_scripts, Tag::file_trigger_program, "filetriggers"},
       {Tag::transaction_file_trigger_scripts, Tag::transaction_file_trigger_program, "transfiletriggers"},
       {Tag::verify_script, Tag::verify_program, "verify"}}};
  auto out = Json::array();
  for (const auto& script : k_scripts) {
    if (header.has(script.text) || header.has(script.program)) out.push_back(script.name);
  }
  return out;
}

void tell(const PackageFile& package, Json& facts) {
  const auto& header = package.header();
  facts["license"] = printable(header.text(Tag::license).value_or(""));
  facts.update(origin_facts(package));
  facts["scripts"] = scripts_of(header);
  facts["unpacked_size"] = header.number(Tag::size).value_or(header.number(Tag::long_size).value_or(0));
  facts["provides"] = names_of(package, Relation::provides);
  facts["requires"] = names_of(package, Relation::requires_);
  if (const auto signature = package.signature()) {
    facts["signature"] = {{"openpgp", encode_base64(signature->packet)},
                          {"start", package.header_start()},
                          {"end", signature->covers_payload ? package.size() : package.payload_start()}};
  }
}

/// `work` fills facts; what it throws becomes a finding about the file at `index`.
template <typename Work>
Inspection judged(const Artifact& artifact, std::size_t index, Work&& work) {
  Inspection out;
  try {
    work(out);
  } catch (const Error& error) {
    out.findings.push_back({error.code(), artifact.files[index].path.text(), printable(error.what())});
  }
  return out;
}

}  // namespace

Json origin_facts(const PackageFile& package) {
  const auto told = [&](Tag tag) { return printable(package.header().text(tag).value_or("").substr(0, k_max_told)); };
  return {{k_fact_source, told(Tag::source_rpm)}, {k_fact_vendor, told(Tag::vendor)}};
}

std::span<const std::string_view> RpmInspector::kinds() const {
  return k_kinds;
}

Inspection RpmInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  return judged(artifact, 0, [&](Inspection& out) {
    if (artifact.files.size() != 1) fail(ErrorCode::package_malformed, "an artifact of kind rpm is exactly one file");
    Judge judge(artifact, out);
    const auto package = PackageFile::read(files[0]);
    judge.names(package.identity());
    const auto& file = artifact.files[0];
    out.facts[k_fact_lists] = to_facts(index_package(package, file.digest, location_of(file)));
    judge.listed(package);
    tell(package, out.facts);
    judge.stated(out.facts);
    out.facts["payload_digest"] = package.check_payload(files[0]);
  });
}

std::span<const std::string_view> RpmIndexInspector::kinds() const {
  return k_index_kinds;
}

Inspection RpmIndexInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  return judged(artifact, 0, [&](Inspection&) {
    int repomd = -1, index = -1;
    for (std::size_t i = 0; i < artifact.files.size(); ++i) {
      const auto name = artifact.files[i].path.filename();
      if (name == "repomd.xml.asc") continue;
      auto& place = name == "repomd.xml" ? repomd : index;
      if (place >= 0) fail(ErrorCode::package_malformed, "there is more than one index");
      place = files[i];
    }
    if (repomd < 0 || index < 0) fail(ErrorCode::package_malformed, "there must be a repomd.xml and one index");
    const auto text = read_all(repomd, k_max_repomd, "repomd.xml");
    const auto states = [&](DigestAlgorithm algorithm) {
      const auto hex = hash_file(index, 0, regular_size(index, "an index"), algorithm);
      return text.find(">" + hex + "<") != std::string::npos;
    };
    if (!states(DigestAlgorithm::sha256) && !states(DigestAlgorithm::sha512)) {
      fail(ErrorCode::package_malformed, "the repomd.xml states another digest for the index beside it");
    }
  });
}

std::span<const std::string_view> RpmKeyInspector::kinds() const {
  return k_key_kinds;
}

Inspection RpmKeyInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  return judged(artifact, 0, [&](Inspection&) {
    if (artifact.files.size() != 1)
      fail(ErrorCode::package_malformed, "an artifact of kind rpm-key is exactly one file");
    const auto text = read_all(files[0], k_max_key, "a key");
    if (text.find("-----BEGIN PGP PUBLIC KEY BLOCK-----") == std::string::npos ||
        text.find("PRIVATE KEY") != std::string::npos || text.find('\0') != std::string::npos) {
      fail(ErrorCode::package_malformed, "it is no armored OpenPGP public key");
    }
    // Clients import keys by this name, which is one for all channels: only the same key may have the same.
    const auto& path = artifact.files[0].path;
    const auto ending = "-" + sha256(text).hex().substr(0, 16) + ".asc";
    const auto name = path.filename();
    if (path.parent() != k_key_folder || name.size() <= ending.size() || !name.ends_with(ending)) {
      fail(ErrorCode::package_malformed, "a key lies at {}/NAME{}", k_key_folder, ending);
    }
  });
}

}  // namespace liftlock::rpm
