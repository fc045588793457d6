#include "ecosystem/pypi/pip.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/without_network.hpp"
#include "fetch/url.hpp"
#include "os/file.hpp"

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

/// `pip install` with these options, for what is asked for. The options of a target other than the interpreter's own
/// need
/// --target among them.
ProcessResult Pip::run(const std::vector<std::string>& options, const PipQuestion& question, bool network) const {
  ProcessSpec spec;
  spec.argv = {m_interpreter,
               "-m",
               "pip",
               "install",
               "--ignore-installed",
               "--quiet",
               "--no-input",
               "--disable-pip-version-check",
               "--no-python-version-warning"};
  spec.argv.insert(spec.argv.end(), options.begin(), options.end());
  if (!question.sdists) spec.argv.emplace_back("--only-binary=:all:");
  if (question.sdists) spec.argv.emplace_back("--prefer-binary");
  if (question.prereleases) spec.argv.emplace_back("--pre");
  if (!question.python_version.empty()) {
    spec.argv.insert(spec.argv.end(), {"--python-version", question.python_version});
  }
  for (const auto& platform : question.platforms) spec.argv.insert(spec.argv.end(), {"--platform", platform});
  for (const auto& folder : question.find_links) spec.argv.insert(spec.argv.end(), {"--find-links", folder});
  if (!question.constraints.empty()) spec.argv.insert(spec.argv.end(), {"--constraint", question.constraints});
  if (!question.requirements_file.empty()) {
    spec.argv.insert(spec.argv.end(), {"--requirement", question.requirements_file});
  }
  spec.argv.insert(spec.argv.end(), question.requirements.begin(), question.requirements.end());
  if (!network) spec.argv = without_network(std::move(spec.argv), m_scratch);
  // Not in the user's virtual environment's cache, and no package of the stack's folder in the place of pip's own.
  spec.set_environment = {{"PIP_CACHE_DIR", (m_scratch / "pip-cache").string()},
                          {"PYTHONSAFEPATH", "1"},
                          {"PYTHONDONTWRITEBYTECODE", "1"},
                          {"PIP_REQUIRE_VIRTUALENV", "0"},
                          {"PIP_USER", "0"}};
  spec.unset_environment = {"PIP_TARGET", "PIP_PREFIX", "PIP_REPORT", "PIP_LOG"};
  spec.working_folder = m_scratch;
  auto result = run_process(spec);
  if (result.status != 0 && result.error_output.find("No module named pip") != std::string::npos) {
    throw Error(ErrorCode::tool_missing, fmt::format("{} has no pip", m_interpreter), "install python3-pip for it");
  }
  return result;
}

PipReport Pip::resolve(const PipQuestion& question) const {
  const auto report = m_scratch / "pip-report.json";
  std::vector<std::string> options = {"--dry-run", "--report", report.string()};
  if (!question.platforms.empty() || !question.python_version.empty()) {
    options.insert(options.end(), {"--target", (m_scratch / "target").string()});  // pip insists; nothing is written
  }
  const auto result = run(options, question, true);
  if (result.status != 0 && result.error_output.find("no such option: --report") != std::string::npos) {
    throw Error(ErrorCode::tool_missing, fmt::format("the pip of {} is older than 22.2", m_interpreter),
                "upgrade it, or name another interpreter");
  }
  if (result.status != 0) fail(ErrorCode::unresolvable, "pip: {}", last_words(result));
  return parse_pip_report(read_file(report, k_max_report));
}

std::string Pip::install_from(const PipQuestion& question, const std::filesystem::path& wheelhouse,
                              const std::filesystem::path& target) const {
  auto there = question;
  there.find_links = {wheelhouse.string()};
  const auto result = run({"--no-index", "--no-compile", "--target", target.string()}, there, false);
  if (result.status == 0) return {};
  const auto words = last_words(result);
  return words.empty() ? fmt::format("pip ended with {}", result.status) : words;
}

std::string Pip::version() const {
  const auto result = run_process({.argv = {m_interpreter, "-m", "pip", "--version"},
                                   .input = {},
                                   .set_environment = {{"PYTHONSAFEPATH", "1"}},
                                   .unset_environment = {},
                                   .working_folder = m_scratch});
  // "pip 23.2.1 from FOLDER (python 3.11)"
  const auto words = split(trim(result.output), ' ');
  if (result.status != 0 || words.size() < 4) return "pip";
  auto python = words.back();
  if (python.ends_with(')')) python.remove_suffix(1);
  return fmt::format("pip {}, Python {}", printable(words[1]), printable(python));
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
