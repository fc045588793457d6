// What this machine offers to engines, and whether a variant of an engine can run on it. The judgement is a pure
// function of a described machine; probe_machine() describes the one that we run on.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "os/file.hpp"

namespace liftlock::engine {

struct Gpu {
  std::string name;          ///< "NVIDIA H100 80GB HBM3", "amdgpu card0"
  std::string vendor;        ///< "nvidia", "amd", "intel", or the PCI id of another one
  std::uint64_t memory = 0;  ///< bytes of its own; 0: unknown
  bool operator==(const Gpu&) const = default;
};

struct Machine {
  std::string architecture;                         ///< as OCI has it: "amd64", "arm64"
  std::set<std::string, std::less<>> cpu_features;  ///< as /proc/cpuinfo has them: "avx2", "amx_int8"
  std::uint64_t memory = 0;                         ///< bytes
  std::vector<std::string> render_nodes;            ///< "/dev/dri/renderD128"
  bool has_kfd = false;                             ///< /dev/kfd, which ROCm computes through
  bool has_nvidia_device = false;                   ///< /dev/nvidia0 or another number
  std::string nvidia_driver;                        ///< "535.104.05"; empty without the kernel module
  std::vector<Gpu> gpus;
};

/// @param root of the file system to look at; only with "/" programs (nvidia-smi) are asked, too
Machine probe_machine(const fs::path& root = "/");
/// The one that we run on, as this process found it first.
const Machine& this_machine();

/// The highest level of the x86-64 psABI that the CPU has, 1 to 4; 0 on other architectures.
unsigned x86_64_level(const Machine& machine);
/// What people want to know of a CPU: "x86-64-v4, AVX2, AVX-512, AMX".
std::string describe_cpu(const Machine& machine);
/// The GPU with the most memory; nullptr without one.
const Gpu* largest_gpu(const Machine& machine);

struct Suitability {
  std::vector<std::string> needs;    ///< in words, what the variant wants of a machine
  std::vector<std::string> lacking;  ///< of that, what this machine has not, and why
  bool runs() const { return lacking.empty(); }
};

/// Variants that run: cpu, blas; a level or feature of the CPU ("x86-64-v3", "avx2", "avx512", "amx"), also as
/// "cpu-avx2". vulkan, rocm or hip, cuda with or without its major version ("cuda12") do not: no hardware was there to
/// prove that a sandbox with a GPU in it still holds. What the machine lacks for them is told besides. Nor do others.
/// @param architecture as OCI has it
Suitability judge_variant(std::string_view variant, std::string_view architecture, const Machine& machine);

/// What of this machine an engine leaves unused that could make it faster, and what to do, in words.
/// @param variant its own
/// @param others variants of it that are here, too, by the names that people know them by
std::vector<std::string> left_unused(std::string_view variant, const std::map<std::string, std::string>& others,
                                     const Machine& machine);

}  // namespace liftlock::engine
