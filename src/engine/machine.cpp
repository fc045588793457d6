#include "engine/machine.hpp"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/process.hpp"

namespace liftlock::engine {
namespace {

constexpr std::uint64_t k_max_text = 4u << 20;

/// x86-64 psABI, "Micro-Architecture Levels"; the names are those of /proc/cpuinfo ("abm" is LZCNT, "pni" SSE3).
constexpr std::array<std::string_view, 7> k_level2 = {"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"};
constexpr std::array<std::string_view, 8> k_level3 = {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"};
constexpr std::array<std::string_view, 5> k_level4 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"};

struct Feature {
  std::string_view variant, flag, label;
};
constexpr std::array<Feature, 5> k_features = {{{"avx", "avx", "AVX"},
                                                {"avx2", "avx2", "AVX2"},
                                                {"avx512", "avx512f", "AVX-512"},
                                                {"amx", "amx_tile", "AMX"},
                                                {"sve", "sve", "SVE"}}};

struct CudaDriver {
  unsigned cuda, driver;
};
/// CUDA Toolkit Release Notes, table "CUDA Toolkit and Minimum Required Driver Version for CUDA Minor Version
/// Compatibility", Linux.
constexpr std::array<CudaDriver, 3> k_cuda_drivers = {{{11, 450}, {12, 525}, {13, 580}}};

std::string text_of(const fs::path& file) {
  try {
    const auto fd = open_file_if_exists(file, O_RDONLY);
    return fd ? std::string(trim(read_all(fd->get(), k_max_text, file.string()))) : std::string();
  } catch (const Error&) {
    return {};  // a probe that cannot look sees nothing
  }
}

std::vector<fs::path> entries(const fs::path& folder, std::string_view prefix) {
  std::vector<fs::path> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().filename().string().starts_with(prefix)) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::set<std::string, std::less<>> cpu_features(const std::string& cpuinfo) {
  for (const auto line : split(cpuinfo, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto key = trim(line.substr(0, colon));
    if (key != "flags" && key != "Features") continue;
    std::set<std::string, std::less<>> out;
    for (const auto word : split(trim(line.substr(colon + 1)), ' ')) {
      if (!word.empty()) out.emplace(word);
    }
    return out;
  }
  return {};
}

std::string oci_architecture(std::string_view machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return std::string(machine);
}

std::uint64_t memory_of(const std::string& meminfo) {
  constexpr std::string_view k_key = "MemTotal:";
  for (const auto line : split(meminfo, '\n')) {
    if (!line.starts_with(k_key)) continue;
    const auto words = trim(line.substr(k_key.size()));
    return parse_uint(words.substr(0, words.find(' '))).value_or(0) * 1024;
  }
  return 0;
}

/// "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 …", also of the open module.
std::string nvidia_driver_of(const std::string& version) {
  const auto first_line = std::string_view(version).substr(0, version.find('\n'));
  for (const auto word : split(first_line, ' ')) {
    const auto dot = word.find('.');
    if (dot != std::string_view::npos && dot > 0 && parse_uint(word.substr(0, dot))) return std::string(word);
  }
  return {};
}

std::string vendor_of(const std::string& pci_id) {
  if (pci_id == "0x10de") return "nvidia";
  if (pci_id == "0x1002") return "amd";
  if (pci_id == "0x8086") return "intel";
  return pci_id;
}

/// What the kernel's drivers tell; NVIDIA's tells the name, and the memory only to nvidia-smi.
std::vector<Gpu> gpus_of(const fs::path& root) {
  std::vector<Gpu> out;
  for (const auto& card : entries(root / "sys/class/drm", "card")) {
    if (card.filename().string().find('-') != std::string::npos) continue;  // a connector
    const auto vendor = vendor_of(text_of(card / "device/vendor"));
    if (vendor.empty() || vendor == "nvidia") continue;
    const auto memory = parse_uint(text_of(card / "device/mem_info_vram_total")).value_or(0);
    out.push_back({fmt::format("{} {}", vendor, card.filename().string()), vendor, memory});
  }
  for (const auto& card : entries(root / "proc/driver/nvidia/gpus", "")) {
    Gpu gpu{"NVIDIA", "nvidia", 0};
    const auto information = text_of(card / "information");
    for (const auto line : split(information, '\n')) {
      if (line.starts_with("Model:")) gpu.name = printable(trim(line.substr(6)));
    }
    out.push_back(std::move(gpu));
  }
  return out;
}

/// "NVIDIA H100 80GB HBM3, 81559" a line, in MiB.
std::vector<Gpu> gpus_of_nvidia_smi() {
  if (!find_program("nvidia-smi")) return {};
  std::vector<Gpu> out;
  try {
    const auto told =
        run_process({.argv = {"nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"},
                     .input = {},
                     .set_environment = {},
                     .unset_environment = {},
                     .clear_environment = false,
                     .working_folder = {},
                     .max_output = 1u << 20,
                     .timeout = std::chrono::seconds(20)});
    if (told.status != 0) return {};
    for (const auto line : split(told.output, '\n')) {
      const auto comma = line.rfind(',');
      if (comma == std::string_view::npos) continue;
      const auto size = parse_uint(trim(line.substr(comma + 1))).value_or(0) << 20;
      out.push_back({printable(trim(line.substr(0, comma))), "nvidia", size});
    }
  } catch (const Error&) {
    return {};
  }
  return out;
}

template <std::size_t N>
bool has_all(const Machine& machine, const std::array<std::string_view, N>& features) {
  return std::all_of(features.begin(), features.end(),
                     [&](auto feature) { return machine.cpu_features.contains(feature); });
}

/// false: no such variant is known.
bool judge_cpu(std::string_view wanted, const Machine& machine, Suitability& out) {
  constexpr std::string_view k_level = "x86-64-v";
  if (wanted == "cpu" || wanted == "blas") return true;
  if (wanted.starts_with(k_level)) {
    const auto level = parse_uint(wanted.substr(k_level.size())).value_or(0);
    if (level < 1 || level > 4) return false;
    out.needs.push_back(fmt::format("a CPU of the level {}", wanted));
    if (x86_64_level(machine) < level)
      out.lacking.push_back(fmt::format("the CPU is {}, and {} is needed", describe_cpu(machine), wanted));
    return true;
  }
  for (const auto& feature : k_features) {
    if (feature.variant != wanted) continue;
    out.needs.push_back(fmt::format("a CPU with {}", feature.label));
    if (!machine.cpu_features.contains(feature.flag))
      out.lacking.push_back(fmt::format("the CPU has no {}: it is {}", feature.label, describe_cpu(machine)));
    return true;
  }
  return false;
}

/// How much of a CPU a variant uses, to compare those that run; 0 for cpu, blas and what is not known.
int cpu_rank(std::string_view variant) {
  constexpr std::string_view k_cpu = "cpu-";
  if (variant.starts_with(k_cpu)) variant.remove_prefix(k_cpu.size());
  constexpr std::array<std::pair<std::string_view, int>, 8> k_ranks = {{{"x86-64-v2", 1},
                                                                        {"avx", 2},
                                                                        {"avx2", 3},
                                                                        {"x86-64-v3", 3},
                                                                        {"avx512", 4},
                                                                        {"x86-64-v4", 4},
                                                                        {"amx", 5},
                                                                        {"sve", 1}}};
  const auto* found =
      std::find_if(k_ranks.begin(), k_ranks.end(), [&](const auto& one) { return one.first == variant; });
  return found == k_ranks.end() ? 0 : found->second;
}

/// Before what the hardware lacks: it is the reason that holds on every machine.
void judge_gpu(Suitability& out) {
  out.lacking.emplace_back("not in this version, which shows no GPU to an engine");
}

void judge_vulkan(const Machine& machine, Suitability& out) {
  judge_gpu(out);
  out.needs.push_back("a GPU with a Vulkan driver (a render node below /dev/dri)");
  if (machine.render_nodes.empty())
    out.lacking.push_back("there is no /dev/dri/renderD*: no GPU, or no kernel driver for it");
}

void judge_rocm(const Machine& machine, Suitability& out) {
  judge_gpu(out);
  out.needs.push_back("an AMD GPU with the amdgpu kernel driver (/dev/kfd and a render node)");
  if (!machine.has_kfd) out.lacking.push_back("there is no /dev/kfd: no AMD GPU, or amdgpu is not loaded");
  if (machine.has_kfd && machine.render_nodes.empty()) out.lacking.push_back("there is no /dev/dri/renderD*");
}

void judge_cuda(std::string_view version, const Machine& machine, Suitability& out) {
  judge_gpu(out);
  unsigned least = 0;
  for (const auto& known : k_cuda_drivers) {
    if (version == std::to_string(known.cuda)) least = known.driver;
  }
  out.needs.push_back(least == 0 ? std::string("an NVIDIA GPU with NVIDIA's kernel driver")
                                 : fmt::format("an NVIDIA GPU with NVIDIA's kernel driver {} or newer", least));
  if (!machine.has_nvidia_device) out.lacking.push_back("there is no /dev/nvidia0: no NVIDIA GPU, or no driver for it");
  if (machine.nvidia_driver.empty()) {
    if (machine.has_nvidia_device) out.lacking.push_back("NVIDIA's kernel driver is not loaded");
    return;
  }
  const auto major = parse_uint(machine.nvidia_driver.substr(0, machine.nvidia_driver.find('.'))).value_or(0);
  if (major < least)
    out.lacking.push_back(
        fmt::format("NVIDIA's driver is {}, and CUDA {} needs {} or newer", machine.nvidia_driver, version, least));
}

}  // namespace

Machine probe_machine(const fs::path& root) {
  Machine out;
  utsname system{};
  ::uname(&system);
  out.architecture = oci_architecture(system.machine);
  out.cpu_features = cpu_features(text_of(root / "proc/cpuinfo"));
  out.memory = memory_of(text_of(root / "proc/meminfo"));
  for (const auto& node : entries(root / "dev/dri", "renderD")) {
    out.render_nodes.push_back("/dev/dri/" + node.filename().string());
  }
  std::error_code ignored;
  out.has_kfd = fs::exists(root / "dev/kfd", ignored);
  for (const auto& device : entries(root / "dev", "nvidia")) {
    if (parse_uint(device.filename().string().substr(6))) out.has_nvidia_device = true;
  }
  out.nvidia_driver = nvidia_driver_of(text_of(root / "proc/driver/nvidia/version"));
  out.gpus = gpus_of(root);
  if (root != "/") return out;
  if (auto told = gpus_of_nvidia_smi(); !told.empty()) {
    std::erase_if(out.gpus, [](const auto& gpu) { return gpu.vendor == "nvidia"; });
    out.gpus.insert(out.gpus.end(), told.begin(), told.end());
  }
  return out;
}

const Machine& this_machine() {
  static const Machine machine = probe_machine();
  return machine;
}

unsigned x86_64_level(const Machine& machine) {
  if (machine.architecture != "amd64") return 0;
  if (!has_all(machine, k_level2)) return 1;
  if (!has_all(machine, k_level3)) return 2;
  return has_all(machine, k_level4) ? 4 : 3;
}

std::string describe_cpu(const Machine& machine) {
  auto out = machine.architecture == "amd64" ? fmt::format("x86-64-v{}", x86_64_level(machine)) : machine.architecture;
  for (const auto& feature : k_features) {
    if (machine.cpu_features.contains(feature.flag)) out += fmt::format(", {}", feature.label);
  }
  return out;
}

const Gpu* largest_gpu(const Machine& machine) {
  const auto largest = std::max_element(machine.gpus.begin(), machine.gpus.end(),
                                        [](const Gpu& a, const Gpu& b) { return a.memory < b.memory; });
  return largest == machine.gpus.end() ? nullptr : &*largest;
}

Suitability judge_variant(std::string_view variant, std::string_view architecture, const Machine& machine) {
  Suitability out;
  out.needs.push_back(fmt::format("a machine of the architecture {}", architecture));
  if (architecture != machine.architecture) {
    out.lacking.push_back(fmt::format("it is made for {}, and this machine is {}", architecture, machine.architecture));
    return out;
  }
  constexpr std::string_view k_cpu = "cpu-", k_cuda = "cuda";
  if (variant == "vulkan") {
    judge_vulkan(machine, out);
  } else if (variant == "rocm" || variant == "hip") {
    judge_rocm(machine, out);
  } else if (variant.starts_with(k_cuda)) {
    judge_cuda(variant.substr(k_cuda.size()), machine, out);
  } else if (!judge_cpu(variant.starts_with(k_cpu) ? variant.substr(k_cpu.size()) : variant, machine, out)) {
    out.lacking.push_back(
        fmt::format("this version does not know the variant '{}': it runs cpu and blas, and what is made for a level "
                    "or a feature of the CPU, such as x86-64-v3 or avx2",
                    printable(variant)));
  }
  return out;
}

std::vector<std::string> left_unused(std::string_view variant, const std::map<std::string, std::string>& others,
                                     const Machine& machine) {
  std::vector<std::string> out;
  if (const auto* gpu = largest_gpu(machine)) {
    out.push_back(
        fmt::format("{} is here, and no engine of this version uses it: an inference server does, as a pool "
                    "(docs/guides/gateway.md)",
                    gpu->name));
  }
  auto most = cpu_rank(variant);
  const std::string* best = nullptr;
  for (const auto& [name, other] : others) {
    if (cpu_rank(other) <= most || !judge_variant(other, machine.architecture, machine).runs()) continue;
    most = cpu_rank(other);
    best = &name;
  }
  if (best != nullptr) {
    out.push_back(
        fmt::format("{} uses more of this CPU: `liftlock engine install` where it is not installed, then "
                    "`liftlock engine default`",
                    *best));
  }
  return out;
}

}  // namespace liftlock::engine
