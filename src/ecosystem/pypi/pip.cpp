#include "ecosystem/pypi/pip.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "fetch/url.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_report = 256u << 20;
constexpr std::size_t k_last_words = 1500;

std::string origin_of(const UrlParts& url) {
  return url.scheme + "://" + to_lower(url.host) + ":" + url.port;
}

/// pip's last error lines, without progress and hints, with URLs left as pip shows them (it hides passwords).
std::string last_words(const ProcessResult& result) {
  std::string out;
  for (const auto line : split(result.error_output, '\n')) {
    if (trim(line).empty() || line.starts_with("WARNING: ") || line.starts_with("[notice]")) continue;
    out += (out.empty() ? "" : "; ") + printable(trim(line));
  }
  if (out.size() > k_last_words) out = "… " + out.substr(out.size() - k_last_words);
  return out;
}

}  // namespace

IndexCredentials IndexCredentials::parse(std::string_view config_list) {
  IndexCredentials out;
  for (const auto line : split(config_list, '\n')) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const auto key = line.substr(0, equals);
    if (!key.ends_with("index-url") && !key.ends_with("find-links")) continue;
    // The value is a Python string literal that may hold several URLs, written with \n between them.
    std::string value(line.substr(equals + 1));
    for (auto at = value.find("\\n"); at != std::string::npos; at = value.find("\\n")) value.replace(at, 2, "  ");
    for (auto& c : value) {
      if (c == '\'' || c == '"') c = ' ';
    }
    for (const auto word : split(value, ' ')) {
      if (!word.starts_with("https://") && !word.starts_with("http://")) continue;
      try {
        const auto url = parse_url(std::string(word));
        const auto user = decode_percent(url.user), password = decode_percent(url.password);
        if (!url.user.empty() && user && password) out.m_by_origin[origin_of(url)] = *user + ":" + *password;
      } catch (const Error&) {
        continue;  // pip will say what is wrong with it
      }
    }
  }
  return out;
}

std::vector<HttpHeader> IndexCredentials::headers_for(const std::string& url) const {
  if (m_by_origin.empty() || !url.starts_with("http")) return {};
  const auto found = m_by_origin.find(origin_of(parse_url(url)));
  if (found == m_by_origin.end()) return {};
  return {{"Authorization", "Basic " + encode_base64(as_bytes(found->second))}};
}

Pip::Pip(std::string interpreter, std::filesystem::path scratch)
    : m_interpreter(std::move(interpreter)), m_scratch(std::move(scratch)) {}

PipReport Pip::resolve(const PipQuestion& question) const {
  const auto report = m_scratch / "pip-report.json";
  ProcessSpec spec;
  spec.argv = {m_interpreter,
               "-m",
               "pip",
               "install",
               "--dry-run",
               "--ignore-installed",
               "--quiet",
               "--no-input",
               "--disable-pip-version-check",
               "--no-python-version-warning",
               "--report",
               report.string()};
  if (!question.sdists) spec.argv.emplace_back("--only-binary=:all:");
  if (question.sdists) spec.argv.emplace_back("--prefer-binary");
  if (question.prereleases) spec.argv.emplace_back("--pre");
  if (!question.python_version.empty()) {
    spec.argv.insert(spec.argv.end(), {"--python-version", question.python_version});
  }
  for (const auto& platform : question.platforms) spec.argv.insert(spec.argv.end(), {"--platform", platform});
  if (!question.platforms.empty() || !question.python_version.empty()) {
    spec.argv.insert(spec.argv.end(),
                     {"--target", (m_scratch / "target").string()});  // pip insists; nothing is written
  }
  for (const auto& folder : question.find_links) spec.argv.insert(spec.argv.end(), {"--find-links", folder});
  if (!question.constraints.empty()) spec.argv.insert(spec.argv.end(), {"--constraint", question.constraints});
  if (!question.requirements_file.empty()) {
    spec.argv.insert(spec.argv.end(), {"--requirement", question.requirements_file});
  }
  spec.argv.insert(spec.argv.end(), question.requirements.begin(), question.requirements.end());
  // Not in the user's virtual environment's cache, and no package of the stack's folder in the place of pip's own.
  spec.set_environment = {{"PIP_CACHE_DIR", (m_scratch / "pip-cache").string()},
                          {"PYTHONSAFEPATH", "1"},
                          {"PYTHONDONTWRITEBYTECODE", "1"},
                          {"PIP_REQUIRE_VIRTUALENV", "0"},
                          {"PIP_USER", "0"}};
  spec.unset_environment = {"PIP_TARGET", "PIP_PREFIX", "PIP_REPORT", "PIP_LOG"};
  spec.working_folder = m_scratch;
  const auto result = run_process(spec);
  if (result.status != 0 && result.error_output.find("no such option: --report") != std::string::npos) {
    throw Error(ErrorCode::tool_missing, fmt::format("the pip of {} is older than 22.2", m_interpreter),
                "upgrade it, or name another interpreter");
  }
  if (result.status != 0 && result.error_output.find("No module named pip") != std::string::npos) {
    throw Error(ErrorCode::tool_missing, fmt::format("{} has no pip", m_interpreter), "install python3-pip for it");
  }
  if (result.status != 0) fail(ErrorCode::unresolvable, "pip: {}", last_words(result));
  return parse_pip_report(read_file(report, k_max_report));
}

IndexCredentials Pip::index_credentials() const {
  const auto result = run_process({.argv = {m_interpreter, "-m", "pip", "config", "list"},
                                   .input = {},
                                   .set_environment = {{"PYTHONSAFEPATH", "1"}},
                                   .unset_environment = {},
                                   .working_folder = m_scratch});
  return result.status == 0 ? IndexCredentials::parse(result.output) : IndexCredentials();
}

}  // namespace liftlock
