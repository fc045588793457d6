#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/engine_view.hpp"
#include "cli/model_serving.hpp"
#include "cli/model_speed.hpp"
#include "cli/store_view.hpp"
#include "cli/whole_number.hpp"
#include "engine/choices.hpp"
#include "engine/engine_process.hpp"
#include "engine/llama_builds.hpp"
#include "engine/load_gate.hpp"
#include "engine/machine.hpp"
#include "engine/memory_need.hpp"
#include "engine/vllm_fit.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_config = 4u << 20;

struct FitOptions {
  std::string name;
  std::uint64_t context = 0;
  bool vllm = false;
  engine::VllmSettings settings;
  std::string gpu_memory;
  std::optional<unsigned> gpus;
};

bool has_gguf(const Artifact& model) {
  return std::any_of(model.files.begin(), model.files.end(),
                     [](const auto& file) { return file.path.filename().ends_with(".gguf"); });
}

/// Why the engine that would load this GGUF does not know it; empty where it does, or none is there to be asked.
std::string unknown_to_engine(const Site& site, const Artifact& model, const Json& facts) {
  const auto architecture = facts.value("architecture", std::string());
  if (!has_gguf(model) || architecture.empty()) return "";
  try {
    const engine::Choices defaults(site.engine_defaults_file());
    const auto one = engine::engine_for(site.engines_folder(), defaults, "gguf");
    if (engine::knows_architecture(one, architecture)) return "";
    return fmt::format("the engine {} does not know the architecture '{}'; {}: carry a newer one", full_name(one),
                       architecture, engine::who_knows(architecture));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found && error.code() != ErrorCode::engine_unavailable) throw;
    return "";
  }
}

/// What of the machine the engine leaves unused that would load GGUFs here; nothing where there is none.
std::vector<std::string> unused_here(const Site& site) {
  try {
    const engine::Choices defaults(site.engine_defaults_file());
    return left_unused(site, engine::engine_for(site.engines_folder(), defaults, "gguf"), engine::probe_machine());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found && error.code() != ErrorCode::engine_unavailable) throw;
    return {};
  }
}

std::string in_words(const std::vector<std::string>& unused) {
  std::string out;
  for (const auto& one : unused) out += fmt::format("not used: {}\n", printable(one));
  return out;
}

/// What `serve` would load models with.
struct Host {
  explicit Host(const Site& site, const FitOptions& options) : settings(host_options(site)) {
    budget = settings.memory_budget != 0 ? settings.memory_budget : engine::default_memory_budget();
    context = options.context != 0 ? static_cast<unsigned>(options.context) : settings.context;
  }
  engine::HostOptions settings;
  std::uint64_t budget = 0;
  unsigned context = 0;
};

struct Judged {
  Judged(const Site& site, const OpenStore& store, const Host& host, const Artifact& model) {
    const auto facts = store.catalog.inspection(model);
    const auto slots = host.settings.slots;
    const auto kept = host.settings.gate.memory;
    need = engine::memory_need(model, facts, host.context, slots, kept);
    memory = engine::fit_into(host.budget, model, facts, host.context, slots, kept);
    unknown = unknown_to_engine(site, model, facts);
  }
  engine::MemoryNeed need;
  engine::Fit memory;
  std::string unknown;
};

Json to_json(const Artifact& model, const Host& host, const Judged& judged) {
  const auto& [need, memory, unknown] = judged;
  return {{"model", model.id()},
          {"context", need.context},
          {"slots", host.settings.slots},
          {"weights", need.weights},
          {"kv_cache", need.kv_cache},
          {"computation", need.computation},
          {"sealed", need.sealed},
          {"total", need.total()},
          {"memory", {{"budget", memory.budget}, {"fits", memory.fits}, {"largest_context", memory.largest_context}}},
          {"engine_lacks", unknown.empty() ? Json() : Json(unknown)}};
}

std::string in_words(const engine::Fit& fit) {
  const auto most = fit.largest_context == 0 ? std::string("its weights alone are too large")
                                             : fmt::format("with up to {} tokens of context", fit.largest_context);
  return fmt::format("{}; {}, of the {} that engines may use", fit.fits ? "it fits" : "it does NOT fit", most,
                     format_size(fit.budget));
}

void fit_llama(Invocation& invocation, const FitOptions& options) {
  const auto site = invocation.site();
  const OpenStore store(site, "model fit", Access::read);
  const Host host(site, options);
  const auto model = engine::require_model(store.catalog, options.name);
  const Judged judged(site, store, host, model);
  const auto& [need, memory, unknown] = judged;
  const auto unused = unused_here(site);
  auto json = to_json(model, host, judged);
  json["leaves_unused"] = unused;
  invocation.print(json, [&] {
    auto out = fmt::format(
        "{}\n  context      {} tokens for each of {} requests at a time\n  weights      {}\n  context      {}\n"
        "  computation  {}\n{}  together     {}\n  memory       {}\n",
        printable(model.id()), need.context, host.settings.slots, format_size(need.weights), format_size(need.kv_cache),
        format_size(need.computation),
        need.sealed == 0 ? std::string() : fmt::format("  sealed copy  {}\n", format_size(need.sealed)),
        format_size(need.total()), in_words(memory));
    if (host.context > need.context) {
      out += fmt::format("the model was made for {} tokens of context, and gets no more\n", need.context);
    }
    if (!memory.fits) out += "try a smaller --context, or a stronger quantisation\n";
    if (!unknown.empty()) out += fmt::format("it will not load: {}\n", printable(unknown));
    return out + in_words(unused);
  });
  if (!unknown.empty()) invocation.set_status(static_cast<int>(ErrorClass::policy));
  if (!memory.fits) invocation.set_status(static_cast<int>(ErrorClass::space));
}

/// What answers took here; nothing where the log cannot be read, which keeps nobody from planning.
std::map<std::string, ModelSpeed> speeds_here(const Invocation& invocation, const Site& site) {
  try {
    return measured_speeds(AuditLog::open_to_read(site.audit_folder()));
  } catch (const Error& error) {
    invocation.reporter().warn(fmt::format("how fast models were is not known: {}", error.what()));
    return {};
  }
}

void fit_all(Invocation& invocation, const FitOptions& options) {
  const auto site = invocation.site();
  const OpenStore store(site, "model fit", Access::read);
  const Host host(site, options);
  const auto speeds = speeds_here(invocation, site);
  auto json = Json::array();
  std::vector<std::vector<std::string>> rows{
      {"NAME", "VERSION", "SIZE", "CONTEXT", "NEEDS", "FITS", "LARGEST CONTEXT", "TOKENS/S"}};
  for (const auto& model : store.catalog.artifacts()) {
    // What no GGUF is, another program loads: --vllm judges that, one by one.
    if (model.kind != "model" || !has_gguf(model)) continue;
    const Judged judged(site, store, host, model);
    const auto speed = speeds.find(engine::main_digest(model).text());
    auto one = to_json(model, host, judged);
    one["size"] = model.total_size();
    one["tokens_per_second"] = speed == speeds.end() ? Json() : Json(speed->second.tokens_per_second);
    one["answers_measured"] = speed == speeds.end() ? 0 : speed->second.answers;
    json.push_back(std::move(one));
    const auto* fits = !judged.unknown.empty() ? "NO, engine too old" : judged.memory.fits ? "yes" : "NO";
    rows.push_back({printable(model.name), printable(model.version), format_size(model.total_size()),
                    std::to_string(judged.need.context), format_size(judged.need.total()), fits,
                    std::to_string(judged.memory.largest_context),
                    speed == speeds.end() ? "-" : fmt::format("{:.1f}", speed->second.tokens_per_second)});
  }
  invocation.print(json, [&] {
    if (rows.size() == 1) return std::string("the store holds no GGUF model\n");
    return format_table(rows) +
           fmt::format("engines may use {}; each model alone, with {} requests at a time\n", format_size(host.budget),
                       host.settings.slots) +
           in_words(unused_here(site));
  });
}

Json config_of(const OpenStore& store, const Artifact& model) {
  for (const auto& file : model.files) {
    if (file.path.filename() != "config.json") continue;
    const auto fd = store.blobs.open(file.digest);
    return parse_json(read_all(fd.get(), k_max_config, file.path.text()));
  }
  throw Error(ErrorCode::model_unsupported,
              fmt::format("the model '{}' has no config.json, which vLLM needs", printable(model.name)),
              "for a GGUF model leave --vllm out");
}

void fit_vllm(Invocation& invocation, const FitOptions& options) {
  if (options.name.empty()) fail(ErrorCode::usage, "--vllm judges one model: say which");
  const OpenStore store(invocation.site(), "model fit", Access::read);
  const auto model = engine::require_model(store.catalog, options.name);
  auto settings = options.settings;
  const auto machine = engine::probe_machine();
  settings.gpus = options.gpus.value_or(static_cast<unsigned>(machine.gpus.size()));
  settings.max_model_len = options.context;
  if (!options.gpu_memory.empty()) {
    const auto size = parse_size(options.gpu_memory);
    if (!size)
      fail(ErrorCode::usage, "--gpu-memory wants a size such as 80GiB, not '{}'", printable(options.gpu_memory));
    settings.gpu_memory = *size;
  } else if (const auto* gpu = engine::largest_gpu(machine)) {
    settings.gpu_memory = gpu->memory;
  }
  const auto fit = engine::judge_vllm(model, config_of(store, model), settings);
  auto findings = Json::array();
  std::vector<std::vector<std::string>> rows{{"SETTING", "GOOD", "WHY"}};
  for (const auto& one : fit.findings) {
    findings.push_back({{"setting", one.setting}, {"good", one.good}, {"why", one.words}});
    rows.push_back({one.setting, one.good ? "yes" : "NO", one.words});
  }
  invocation.print({{"model", model.id()},
                    {"good", fit.good()},
                    {"findings", findings},
                    {"max_model_len", fit.max_model_len},
                    {"largest_model_len", fit.largest_model_len},
                    {"weights_per_gpu", fit.weights},
                    {"kv_cache_per_gpu", fit.kv_cache}},
                   [&] {
                     auto out = fmt::format("{}, served by vLLM\n{}", printable(model.id()), format_table(rows));
                     if (settings.gpu_memory == 0)
                       out += "memory was not judged: say how much a GPU has with --gpu-memory\n";
                     return out;
                   });
  if (!fit.good()) invocation.set_status(static_cast<int>(ErrorClass::space));
}

}  // namespace

void add_model_fit(CLI::App& group, Invocation& invocation) {
  auto* command =
      group.add_subcommand("fit", "Say from its facts whether a model will fit into memory, or of all of them");
  auto options = std::make_shared<FitOptions>();
  add_model_argument(*command, "NAME", options->name);
  command
      ->add_option("--context,--max-model-len", options->context,
                   "Tokens of one request (default: context of [models]; else as trained, with llama.cpp at most 8192)")
      ->check(whole_number(1, 16'777'216));
  auto* vllm =
      command->add_flag("--vllm", options->vllm, "Judge settings of a vLLM service by the model's config.json");
  command->add_option("--tensor-parallel-size", options->settings.tensor_parallel_size, "GPUs that share one model")
      ->check(whole_number(1, 1024))
      ->needs(vllm);
  command
      ->add_option("--quantization", options->settings.quantization, "awq, gptq or none (default: as config.json says)")
      ->check(CLI::IsMember({"awq", "gptq", "none"}))
      ->needs(vllm);
  command->add_option("--gpus", options->gpus, "GPUs of the machine that it is meant for (default: this one's)")
      ->check(whole_number(0, 1024))
      ->needs(vllm);
  command->add_option("--gpu-memory", options->gpu_memory, "Memory of each, such as 80GiB (default: as found here)")
      ->needs(vllm);
  command->footer(
      "It is judged as `serve` would load it, by memory, slots and context of [models] in config.toml. This version\n"
      "shows no GPU to an engine; --vllm judges servers that have some. Without a NAME: a table of all GGUF models, "
      "with\n"
      "the speed of the answers that the record has (the median of up to 100, in tokens a second), and exit status 0.\n"
      "Exit status 5: it does not fit; 3: the installed engine does not know its architecture. The estimate is rather "
      "too high than too low.\n"
      "Examples:\n"
      "  liftlock model fit\n"
      "  liftlock model fit tiny --context 4096\n"
      "  liftlock model fit llama-3-70b --vllm --tensor-parallel-size 2 --max-model-len 32768 --gpus 2 "
      "--gpu-memory 80GiB");
  command->callback([&invocation, options] {
    const auto fit = options->vllm ? fit_vllm : options->name.empty() ? fit_all : fit_llama;
    fit(invocation, *options);
  });
}

}  // namespace liftlock
