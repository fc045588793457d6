#include "ecosystem/pypi/wheel_target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

struct Machine {
  std::string_view platform;
  std::string_view name;
};

constexpr std::array k_machines = {Machine{"linux/amd64", "x86_64"},    Machine{"linux/arm64", "aarch64"},
                                   Machine{"linux/386", "i686"},        Machine{"linux/arm", "armv7l"},
                                   Machine{"linux/ppc64le", "ppc64le"}, Machine{"linux/riscv64", "riscv64"},
                                   Machine{"linux/s390x", "s390x"}};

/// The names that manylinux had before it said its glibc.
constexpr std::array<std::pair<std::string_view, unsigned>, 3> k_old_manylinux = {
    {{"manylinux1_", 5}, {"manylinux2010_", 12}, {"manylinux2014_", 17}}};

/// 11 of "cp311", "py311" and "3.11"; nullopt for anything else, "cp313t" among it.
std::optional<unsigned> minor_after(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  const auto number = parse_uint(text.substr(prefix.size()));
  if (!number || *number > 999) return std::nullopt;
  return static_cast<unsigned>(*number);
}

}  // namespace

WheelTarget WheelTarget::parse(std::string_view python, std::string_view platform) {
  WheelTarget out;
  const auto parts = split(python, '.');
  const auto minor = parts.size() >= 2 ? minor_after(parts[1], "") : std::nullopt;
  const auto patch = parts.size() == 3 ? minor_after(parts[2], "") : std::optional(0u);
  if (parts.size() < 2 || parts.size() > 3 || parts[0] != "3" || !minor || !patch) {
    fail(ErrorCode::usage, "'{}' is no version of Python 3 such as 3.11", printable(python));
  }
  const auto machine = std::find_if(k_machines.begin(), k_machines.end(),
                                    [&](const Machine& candidate) { return candidate.platform == platform; });
  if (machine == k_machines.end()) {
    std::string names;
    for (const auto& known : k_machines) names += fmt::format("{}{}", names.empty() ? "" : ", ", known.platform);
    throw Error(ErrorCode::usage, fmt::format("the platform '{}' is unknown", printable(platform)),
                "the platforms are " + names);
  }
  out.m_minor = *minor;
  out.m_full = fmt::format("3.{}.{}", *minor, *patch);
  out.m_platform = platform;
  out.m_machine = machine->name;
  return out;
}

std::string WheelTarget::text() const {
  return fmt::format("Python 3.{} on {}", m_minor, m_platform);
}

bool WheelTarget::fits_interpreter(std::string_view python, std::string_view abi) const {
  if (python == "py3") return abi == "none";
  if (const auto minor = minor_after(python, "py3")) return abi == "none" && *minor <= m_minor;
  const auto minor = minor_after(python, "cp3");
  if (!minor) return false;
  if (abi == "abi3") return *minor <= m_minor;
  return *minor == m_minor && (abi == "none" || abi == python);
}

std::optional<unsigned> WheelTarget::fit_platform(std::string_view tag) const {
  if (tag == "any" || tag == "linux_" + m_machine) return 0;
  if (!tag.ends_with("_" + m_machine)) return std::nullopt;
  for (const auto& [prefix, glibc] : k_old_manylinux) {
    if (tag == std::string(prefix) + m_machine) return glibc;
  }
  return minor_after(tag.substr(0, tag.size() - m_machine.size() - 1), "manylinux_2_");
}

bool WheelTarget::takes(const WheelFilename& wheel) const {
  const bool platform = std::any_of(wheel.platforms.begin(), wheel.platforms.end(),
                                    [&](const std::string& tag) { return fit_platform(tag).has_value(); });
  return platform && std::any_of(wheel.pythons.begin(), wheel.pythons.end(), [&](const std::string& python) {
           return std::any_of(wheel.abis.begin(), wheel.abis.end(),
                              [&](const std::string& abi) { return fits_interpreter(python, abi); });
         });
}

unsigned WheelTarget::glibc_of(const WheelFilename& wheel) const {
  std::optional<unsigned> oldest;
  for (const auto& tag : wheel.platforms) {
    if (const auto fit = fit_platform(tag)) oldest = std::min(oldest.value_or(*fit), *fit);
  }
  return oldest.value_or(0);
}

MarkerEnvironment WheelTarget::environment() const {
  return {{"implementation_name", "cpython"},
          {"implementation_version", m_full},
          {"os_name", "posix"},
          {"platform_machine", m_machine},
          {"platform_python_implementation", "CPython"},
          {"platform_system", "Linux"},
          {"python_full_version", m_full},
          {"python_version", fmt::format("3.{}", m_minor)},
          {"sys_platform", "linux"}};
}

}  // namespace liftlock
