#include "dockerfile/lint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <regex>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "dockerfile/shell_commands.hpp"
#include "quiet/switch_check.hpp"

namespace liftlock::dockerfile {
namespace {

const Rule& rule(std::string_view id) {
  const auto rules = all_rules();
  return *std::find_if(rules.begin(), rules.end(), [&](const auto& one) { return one.id == id; });
}

/// Names that documents give, and that no reader was found for; see docs/formats/telemetry.md.
constexpr std::array<std::string_view, 5> k_not_read = {"OLLAMA_SKIP_TELEMETRY", "CRAWL4AI_NO_TELEMETRY",
                                                        "CRAWL4AI_TELEMETRY", "CHAINLIT_NO_TELEMETRY",
                                                        "LITELLM_DISABLE_TELEMETRY"};
constexpr std::array<std::string_view, 8> k_moving = {"latest",  "main", "master", "stable",
                                                      "nightly", "edge", "dev",    "rolling"};

class Linter {
 public:
  Linter(const Dockerfile& file, const IsThere& is_there) : m_file(file), m_is_there(is_there) {}

  std::vector<Finding> run() {
    look_at_syntax();
    for (const auto& one : m_file.instructions) {
      if (one.name == "FROM") look_at_from(one);
      if (one.name == "USER") m_user = one.arguments;
      if (one.name == "ENV" || one.name == "ARG") look_at_variables(one);
      if (one.name == "ADD" || one.name == "COPY") look_at_copy(one);
      if (one.name == "RUN") look_at_run(one);
    }
    std::stable_sort(m_found.begin(), m_found.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
    return std::move(m_found);
  }

 private:
  void find(std::string_view id, std::size_t line, std::string message) {
    m_found.push_back({&rule(id), line, std::move(message)});
  }

  void look_at_syntax() {
    if (m_file.syntax && m_file.syntax->find("@sha256:") == std::string::npos) {
      find("syntax-goes-out", 1, fmt::format("# syntax={} is pulled before the build", *m_file.syntax));
    }
  }

  void look_at_from(const Instruction& from) {
    m_docker_clean_removed = false;
    m_user.clear();
    m_pip_cache_off = m_pip_cache_moved = false;
    const auto words = words_of(from.arguments);
    if (words.empty()) return;
    const auto image = words[0];
    const bool is_stage = std::find(m_stages.begin(), m_stages.end(), to_lower(image)) != m_stages.end();
    if (words.size() >= 3 && to_lower(words[1]) == "as") m_stages.push_back(to_lower(words[2]));
    if (is_stage || image == "scratch") return;
    look_at_image(from, image);
  }

  void look_at_image(const Instruction& from, const std::string& image) {
    if (image.find('$') != std::string::npos) return;
    if (image.find("@sha256:") != std::string::npos) return;
    const auto colon = image.find(':', image.rfind('/') == std::string::npos ? 0 : image.rfind('/'));
    const auto tag = colon == std::string::npos ? std::string() : image.substr(colon + 1);
    if (tag.empty() || std::find(k_moving.begin(), k_moving.end(), to_lower(tag)) != k_moving.end()) {
      find("moving-tag", from.line, fmt::format("{} is another image from day to day", image));
    } else {
      find("tag-not-pinned", from.line, fmt::format("{} has no digest", image));
    }
  }

  void look_at_variables(const Instruction& one) {
    for (const auto& word : words_of(one.arguments)) {
      const auto equals = word.find('=');
      const auto name = word.substr(0, equals);
      const auto value = equals == std::string::npos ? std::string() : word.substr(equals + 1);
      if (name == "PIP_NO_CACHE_DIR" && !value.empty() && value != "0" && to_lower(value) != "false")
        m_pip_cache_off = true;
      if (name == "PIP_CACHE_DIR") m_pip_cache_moved = true;
      if (std::find(k_not_read.begin(), k_not_read.end(), name) != k_not_read.end()) {
        find("switch-not-read", one.line, fmt::format("{}: no program was found that reads it", name));
      }
      if (equals != std::string::npos && value.find('$') == std::string::npos) look_at_switch(one, name, value);
      static const std::regex k_secret("(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY)$", std::regex::icase);
      if (name.size() < 200 && !value.empty() && value.find('$') == std::string::npos &&
          std::regex_search(name, k_secret)) {
        find("secret-in-image", one.line, fmt::format("{} has a value", name));
      }
    }
  }

  void look_at_switch(const Instruction& one, const std::string& name, const std::string& value) {
    for (const auto& known : quiet::all_switches()) {
      if (known.variable != name || one.name != "ENV") continue;
      const auto states = quiet::check_switches({{name, value}}, [](std::string_view) { return std::nullopt; }, {});
      const auto state = std::find_if(states.begin(), states.end(), [&](const auto& s) { return s.what == &known; });
      const bool for_mirror = known.mirror_variable == known.variable && value.find("://") != std::string::npos;
      if (state != states.end() && !state->in_force() && !for_mirror) {
        find("switch-not-accepted", one.line,
             fmt::format("{}={} leaves {} as it is; it wants {}", name, value, known.program, known.value));
      }
    }
  }

  void look_at_copy(const Instruction& one) {
    bool from_elsewhere = !one.documents.empty(), checked = false;
    for (const auto& [flag, value] : one.flags) {
      from_elsewhere = from_elsewhere || flag == "from";
      if (flag == "from") look_at_copied_image(one, value);
      checked = checked || flag == "checksum";
    }
    auto words = words_of(plain_form(one.arguments));
    if (words.size() < 2) return;
    words.pop_back();
    for (const auto& source : words) {
      if (source.find("://") != std::string::npos || source.starts_with("git@")) {
        if (one.name == "ADD" && !checked) find("add-from-network", one.line, fmt::format("ADD {}", source));
        continue;
      }
      if (from_elsewhere || !m_is_there || source.find_first_of("*?[$") != std::string::npos) continue;
      if (!m_is_there(source)) find("source-missing", one.line, fmt::format("{} is not in the build context", source));
    }
  }

  /// --from names a stage, by its name or number, or an image that is pulled.
  void look_at_copied_image(const Instruction& copy, const std::string& name) {
    const bool is_stage =
        parse_uint(name) || std::find(m_stages.begin(), m_stages.end(), to_lower(name)) != m_stages.end();
    if (!is_stage && !name.empty() && name != "scratch") look_at_image(copy, name);
  }

  enum class Network : std::uint8_t { open, none };

  struct Caches {
    bool apt = false, lists = false, pip = false;
    std::vector<Mount> all;
  };

  Caches caches_of(const Instruction& run) {
    Caches out;
    for (const auto& [flag, value] : run.flags) {
      if (flag != "mount") continue;
      Mount mount(value);
      if (mount.value("type") != "cache") continue;
      auto target = mount.value("target");
      while (target.size() > 1 && target.ends_with('/')) target.remove_suffix(1);
      const bool archives = target == "/var/cache/apt" || target == "/var/cache/apt/archives";
      const bool lists = target == "/var/lib/apt" || target == "/var/lib/apt/lists";
      out.apt = out.apt || archives;
      out.lists = out.lists || lists;
      if ((archives || lists) && mount.value("sharing") != "locked") {
        find("apt-cache-sharing", run.line,
             fmt::format("{} is {}", target,
                         mount.value("sharing").empty() ? "shared, as caches are when nothing is said"
                                                        : mount.value("sharing")));
      }
      if (target.find("pip") != std::string_view::npos) {
        out.pip = true;
        if (!m_pip_cache_moved && target != pip_home()) {
          find("pip-cache-place", run.line, fmt::format("{} is mounted; pip uses {}", target, pip_home()));
        }
      }
      out.all.push_back(std::move(mount));
    }
    return out;
  }

  std::string pip_home() const {
    const auto user = m_user.substr(0, m_user.find(':'));
    return user.empty() || user == "root" || user == "0" ? "/root/.cache/pip"
                                                         : fmt::format("/home/{}/.cache/pip", user);
  }

  void look_at_run(const Instruction& run) {
    const auto caches = caches_of(run);
    const auto commands = commands_of(run);
    const auto text = run.shell_text();
    const bool no_network = std::any_of(run.flags.begin(), run.flags.end(), [](const auto& flag) {
      return flag.first == "network" && flag.second == "none";
    });
    if (text.find("docker-clean") != std::string::npos) m_docker_clean_removed = true;
    look_at_apt(run, caches, commands);
    if (const auto* shell = shell_of_download(commands))
      find("download-into-shell", run.line, fmt::format("{}", fmt::join(*shell, " ")));
    for (const auto& [words, is_fed] : commands) {
      if (const auto what = goes_out(words); !what.empty() && !no_network) find("packages-go-out", run.line, what);
      look_at_pip(run, caches, words, no_network ? Network::none : Network::open);
      look_at_download(run, words, text);
      look_at_wheelhouse(run, words, text);
    }
  }

  void look_at_apt(const Instruction& run, const Caches& caches, const std::vector<Command>& commands) {
    const auto any = [&](std::string_view verb) {
      return std::any_of(commands.begin(), commands.end(), [&](const auto& command) {
        return calls(command.words, {"apt-get", "apt"}, verb);
      });
    };
    const bool installs = any("install");
    if (any("update")) find("apt-goes-out", run.line, "apt-get update");
    if (installs && !caches.apt) find("apt-not-cached", run.line, "apt-get install");
    if (installs && caches.apt && !m_docker_clean_removed)
      find("apt-docker-clean", run.line, "docker-clean is still there");
    if (installs && caches.apt && !caches.lists) find("apt-lists-lost", run.line, "/var/lib/apt is not mounted");
    for (const auto& [words, is_fed] : commands) {
      const bool removes =
          has(words, "rm") && (has_prefix(words, "/var/lib/apt") || has_prefix(words, "/var/cache/apt"));
      const bool cleans = calls(words, {"apt-get", "apt"}, "clean");
      if ((removes || cleans) && (caches.apt || caches.lists))
        find("apt-lists-removed", run.line, fmt::format("{}", fmt::join(words, " ")));
    }
  }

  void look_at_pip(const Instruction& run, const Caches& caches, const Words& words, Network network) {
    const auto calls_pip = [&](std::string_view verb) { return calls(words, {"pip", "pip3"}, verb); };
    const bool installs = calls_pip("install"), builds = calls_pip("wheel") || calls_pip("download");
    if (!installs && !builds) return;
    const bool no_index = has(words, "--no-index");
    const bool links = has_prefix(words, "--find-links") || has(words, "-f");
    if (caches.pip && (has(words, "--no-cache-dir") || m_pip_cache_off))
      find("pip-no-cache-dir", run.line, "the cache stays empty");
    if (!caches.pip && !no_index) find("pip-not-cached", run.line, "pip downloads again in every build");
    if (links && !no_index)
      find("pip-index-reachable", run.line, "--find-links adds to the index, it does not replace it");
    if (builds && has(words, "--no-deps")) find("wheels-without-dependencies", run.line, "--no-deps");
    if (installs && no_index && network == Network::open) find("network-open", run.line, "pip install --no-index");
  }

  void look_at_download(const Instruction& run, const Words& words, const std::string& text) {
    if (!is_download(words)) return;
    if (calls(words, {"curl"}, "") && !asks_to_fail(words))
      find("curl-without-fail", run.line, fmt::format("{}", fmt::join(words, " ")));
    const bool named = has(words, "-O") || has_prefix(words, "--output-document") || has_prefix(words, "-O");
    if (calls(words, {"wget"}, "") && !named && std::any_of(words.begin(), words.end(), [](const auto& word) {
          return word.find("://") != std::string::npos && word.find('?') != std::string::npos;
        })) {
      find("download-name", run.line, fmt::format("{}", fmt::join(words, " ")));
    }
    if (text.find("sha256sum") == std::string::npos && text.find("sha512sum") == std::string::npos) {
      find("download-unchecked", run.line, fmt::format("{}", fmt::join(words, " ")));
    }
  }

  void look_at_wheelhouse(const Instruction& run, const Words& words, const std::string& text) {
    const bool unpacks = calls(words, {"tar"}, "") && std::any_of(words.begin(), words.end(), [](const auto& word) {
                           return base_name(word).starts_with("wheelhouse") && word.find(".t") != std::string::npos;
                         });
    if (!unpacks || has(words, "-C") || has_prefix(words, "--directory") || has_prefix(words, "--one-top-level"))
      return;
    if (text.find("--find-links=wheelhouse") == std::string::npos &&
        text.find("--find-links wheelhouse") == std::string::npos &&
        text.find("--find-links=./wheelhouse") == std::string::npos) {
      return;
    }
    find("wheelhouse-flat", run.line, "made with -C wheelhouse . it has no folder wheelhouse/ in it");
  }

  const Dockerfile& m_file;
  const IsThere& m_is_there;
  std::vector<Finding> m_found;
  std::vector<std::string> m_stages;
  std::string m_user;
  bool m_docker_clean_removed = false, m_pip_cache_off = false, m_pip_cache_moved = false;
};

}  // namespace

std::vector<Finding> lint(const Dockerfile& file, const IsThere& is_there) {
  return Linter(file, is_there).run();
}

}  // namespace liftlock::dockerfile
