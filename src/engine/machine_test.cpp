#include "engine/machine.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view k_v2 = "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3";
constexpr std::string_view k_v3 = "avx avx2 bmi1 bmi2 f16c fma abm movbe";
constexpr std::string_view k_v4 = "avx512f avx512bw avx512cd avx512dq avx512vl";

Machine amd64(std::initializer_list<std::string_view> lists) {
  Machine machine;
  machine.architecture = "amd64";
  for (const auto list : lists) {
    for (const auto word : split(list, ' ')) machine.cpu_features.emplace(word);
  }
  return machine;
}

std::string why(std::string_view variant, const Machine& machine) {
  const auto suited = judge_variant(variant, "amd64", machine);
  return suited.runs() ? "" : suited.lacking.front();
}

TEST(Machine, LevelsOfX8664NeedEveryFeature) {
  EXPECT_EQ(x86_64_level(amd64({})), 1u);
  EXPECT_EQ(x86_64_level(amd64({k_v2})), 2u);
  EXPECT_EQ(x86_64_level(amd64({k_v2, k_v3})), 3u);
  EXPECT_EQ(x86_64_level(amd64({k_v3, k_v4})), 1u);
  auto newest = amd64({k_v2, k_v3, k_v4});
  EXPECT_EQ(x86_64_level(newest), 4u);
  newest.cpu_features.erase("movbe");
  EXPECT_EQ(x86_64_level(newest), 2u);
}

TEST(Machine, AVariantThatCannotRunIsRefusedWithTheReason) {
  const auto plain = amd64({k_v2, k_v3});
  for (const auto* variant : {"cpu", "blas", "avx2", "cpu-avx2", "x86-64-v3"}) EXPECT_EQ(why(variant, plain), "");
  EXPECT_THAT(why("avx512", plain), HasSubstr("no AVX-512: it is x86-64-v3"));
  EXPECT_THAT(why("cpu-x86-64-v4", plain), HasSubstr("x86-64-v4 is needed"));
  EXPECT_THAT(why("amx", plain), HasSubstr("no AMX"));
  for (const auto* variant : {"metal", "mlx", "sycl", "cann", "avx1024", "x86-64-v5", "cpu-", ""})
    EXPECT_THAT(why(variant, plain), HasSubstr(fmt::format("does not know the variant '{}'", variant)));
  EXPECT_THAT(judge_variant("cpu", "arm64", plain).lacking.front(), HasSubstr("made for arm64"));
}

TEST(Machine, WhatAnEngineLeavesUnusedIsTold) {
  auto machine = amd64({k_v2, k_v3});
  EXPECT_THAT(left_unused("cpu", {}, machine), IsEmpty());
  const std::map<std::string, std::string> others = {
      {"llama/1-avx", "avx"}, {"llama/1-cpu-avx2", "cpu-avx2"}, {"llama/1-avx512", "avx512"}};
  EXPECT_THAT(left_unused("cpu", others, machine), ElementsAre(HasSubstr("llama/1-cpu-avx2 uses more of this CPU")));
  EXPECT_THAT(left_unused("x86-64-v3", others, machine), IsEmpty()) << "this CPU has no AVX-512";
  machine.gpus = {{.name = "NVIDIA H100", .vendor = "nvidia", .memory = 1}};
  EXPECT_THAT(left_unused("avx2", others, machine), ElementsAre(HasSubstr("NVIDIA H100 is here, and no engine")));
}

/// What is said of the machine's hardware, after the reason that holds on all of them.
std::vector<std::string> lacks(std::string_view variant, const Machine& machine) {
  auto out = judge_variant(variant, "amd64", machine).lacking;
  EXPECT_THAT(out.front(), HasSubstr("shows no GPU to an engine")) << variant;
  out.erase(out.begin());
  return out;
}

TEST(Machine, AVariantForAGpuRunsNowhereAndWhatTheHardwareLacksIsTold) {
  auto machine = amd64({k_v2});
  EXPECT_THAT(lacks("vulkan", machine), ElementsAre(HasSubstr("/dev/dri/renderD")));
  EXPECT_THAT(lacks("hip", machine), ElementsAre(HasSubstr("/dev/kfd")));
  EXPECT_THAT(lacks("cuda12", machine), ElementsAre(HasSubstr("/dev/nvidia0")));
  machine.has_nvidia_device = true;
  EXPECT_THAT(lacks("cuda", machine), ElementsAre(HasSubstr("not loaded")));
  machine.nvidia_driver = "535.104.05";
  EXPECT_THAT(lacks("cuda", machine), IsEmpty());
  EXPECT_THAT(lacks("cuda12", machine), IsEmpty());
  EXPECT_THAT(lacks("cuda13", machine), ElementsAre(HasSubstr("is 535.104.05, and CUDA 13 needs 580")));
  machine.render_nodes = {"/dev/dri/renderD128"};
  machine.has_kfd = true;
  EXPECT_THAT(lacks("vulkan", machine), IsEmpty());
  EXPECT_THAT(lacks("rocm", machine), IsEmpty());
}

TEST(Machine, IsReadFromItsFiles) {
  const TemporaryFolder root;
  const auto put = [&](const fs::path& path, std::string_view text) {
    make_folders((root.path() / path).parent_path());
    write_file_atomically(root.path() / path, text);
  };
  put("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu avx2  sse4_2\n\nprocessor\t: 1\nflags\t\t: other\n");
  put("proc/meminfo", "MemFree: 3 kB\nMemTotal:       16384 kB\n");
  put("dev/dri/card0", "");
  put("dev/dri/renderD128", "");
  put("dev/kfd", "");
  put("dev/nvidia0", "");
  put("dev/nvidiactl", "");
  put("sys/class/drm/card0/device/vendor", "0x1002\n");
  put("sys/class/drm/card0/device/mem_info_vram_total", "17163091968\n");
  put("sys/class/drm/card0-DP-1/device/vendor", "0x1002\n");
  put("proc/driver/nvidia/version",
      "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\nGCC version: 12.2.0\n");
  put("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 1\n");
  const auto machine = probe_machine(root.path());
  EXPECT_THAT(machine.cpu_features, ElementsAre("avx2", "fpu", "sse4_2"));
  EXPECT_EQ(machine.memory, 16u << 20);
  EXPECT_THAT(machine.render_nodes, ElementsAre("/dev/dri/renderD128"));
  EXPECT_TRUE(machine.has_kfd);
  EXPECT_TRUE(machine.has_nvidia_device);
  EXPECT_EQ(machine.nvidia_driver, "535.104.05");
  EXPECT_THAT(machine.gpus,
              ElementsAre(Gpu{"amd card0", "amd", 17163091968}, Gpu{"NVIDIA H100 80GB HBM3", "nvidia", 0}));
  ASSERT_NE(largest_gpu(machine), nullptr);
  EXPECT_EQ(largest_gpu(machine)->memory, 17163091968u);
}

TEST(Machine, NothingToSeeIsNoError) {
  const TemporaryFolder empty;
  const auto machine = probe_machine(empty.path());
  EXPECT_THAT(machine.cpu_features, IsEmpty());
  EXPECT_THAT(machine.gpus, IsEmpty());
  EXPECT_FALSE(machine.has_nvidia_device);
  EXPECT_EQ(largest_gpu(machine), nullptr);
}

}  // namespace
}  // namespace liftlock::engine
