// What is sent is what `docker save` writes since Docker 25: an OCI layout, of which the manifest keeps its bytes, with
// the manifest.json of older ones beside it. podman and containerd read the layout, and Docker what its image store is
// made for. Sources: containerd, `ctr images import` (io.containerd.image.name is the name); podman-load(1); moby,
// image/tarexport/load.go.
#include "cli/export_into.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/config_record.hpp"
#include "cli/export_image.hpp"
#include "cli/export_tar.hpp"
#include "cli/recorded_effect.hpp"
#include "ecosystem/oci/image.hpp"
#include "ecosystem/oci/reference.hpp"
#include "os/process.hpp"
#include "os/program_pipe.hpp"

namespace liftlock {
namespace {

struct LocalEngine {
  std::string_view program;
  std::vector<std::string> before;  ///< arguments of the program itself
  std::vector<std::string> load;    ///< reads the archive from its standard input
  std::vector<std::string> ask;     ///< with the name behind it: prints ids and digests of what has the name
  std::vector<std::string> check;   ///< the same, with "complete" where no byte lacks; empty: names are of whole ones
  enum class Names : std::uint8_t { tags, any } names = Names::tags;
};

/// Where the kubelet looks, unless the environment says otherwise, as ctr reads it.
std::string containerd_namespace() {
  const char* own = std::getenv("CONTAINERD_NAMESPACE");
  return own != nullptr && *own != '\0' ? own : "k8s.io";
}

std::vector<LocalEngine> engines() {
  return {{.program = "podman",
           .before = {},
           .load = {"load", "-q"},
           .ask = {"image", "inspect", "--format", "{{.Id}} {{.Digest}}"},
           .check = {}},
          {.program = "docker",
           .before = {},
           .load = {"load", "-q"},
           .ask = {"image", "inspect", "--format", "{{.Id}}"},
           .check = {}},
          {.program = "ctr",
           .before = {"-n", containerd_namespace()},
           .load = {"images", "import", "-"},
           .ask = {"images", "ls"},
           .check = {"images", "check"},
           .names = LocalEngine::Names::any}};
}

LocalEngine find_engine(const std::string& name) {
  for (auto& engine : engines()) {
    if (engine.program == name) return engine;
  }
  throw Error(ErrorCode::usage, fmt::format("'{}' is no engine that is known here", printable(name)),
              fmt::format("it is one of {}; for others write a file: --to FILE --oci-archive",
                          fmt::join(local_engines(), ", ")));
}

std::vector<std::string> command_line(const LocalEngine& engine, const std::vector<std::string>& arguments) {
  std::vector<std::string> out{std::string(engine.program)};
  out.insert(out.end(), engine.before.begin(), engine.before.end());
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

std::optional<Digest> digest_in(std::string_view word) {
  return Digest::try_parse(word.starts_with("sha256:") ? std::string(word) : "sha256:" + std::string(word));
}

/// What the program answers about this name; empty: nothing has it, or it does not say.
std::string answer_about(const LocalEngine& engine, std::vector<std::string> question, const std::string& name) {
  const bool is_list = engine.names == LocalEngine::Names::any;
  question.push_back(is_list ? "name==" + name : name);
  auto answer =
      run_process({.argv = command_line(engine, question), .max_output = 1u << 20, .timeout = std::chrono::minutes(5)});
  return answer.status == 0 ? std::move(answer.output) : std::string();
}

/// The ids and digests that stand in it, last the one that deployments would pin.
std::vector<Digest> digests_in(std::string_view answer) {
  std::vector<Digest> out;
  for (const auto line : split(answer, '\n')) {
    for (const auto word : split(line, ' ')) {
      if (auto digest = digest_in(trim(word))) out.push_back(std::move(*digest));
    }
  }
  return out;
}

std::vector<Digest> held_as(const LocalEngine& engine, const std::string& name) {
  return digests_in(answer_about(engine, engine.ask, name));
}

/// The same of what the engine has whole. containerd keeps a name whose layers it lacks: removed, or never fetched.
std::vector<Digest> held_whole_as(const LocalEngine& engine, const std::string& name) {
  if (engine.check.empty()) return held_as(engine, name);
  const auto answer = answer_about(engine, engine.check, name);
  return answer.find(" complete ") != std::string::npos ? digests_in(answer) : std::vector<Digest>();
}

/// One image of the store, as an engine is to get it.
class Loading {
 public:
  Loading(const OpenStore& store, const Artifact& image, std::string name)
      : m_store(store),
        m_image(image),
        m_root(oci::parse_image_facts(image.facts).manifest),
        m_native(native_image(store, image)),
        m_name(std::move(name)) {}

  const Digest& digest() const { return m_root.digest; }

  /// Engines call an image by the digest of its index, of the manifest for this machine, or of its config; each of them
  /// stands for all of its bytes.
  bool is_known(const Digest& held) const {
    return held == m_root.digest || held == m_native.digest || held == m_native.manifest.config.digest;
  }

  void write(int out, std::string what, Reporter& reporter) const {
    ImageTar tar(m_store.blobs, out, std::move(what), reporter, m_image.total_size());
    const Json layout = {{"imageLayoutVersion", "1.0.0"}};
    tar.add_text("oci-layout", dump_json_line(layout));
    tar.add_text("index.json", index());
    tar.add_text("manifest.json", docker_manifest());
    for (const auto& file : m_image.files) tar.add_blob(blob_of(file.digest), file.digest, file.size);
    tar.end();
  }

 private:
  static std::string blob_of(const Digest& digest) { return "blobs/sha256/" + digest.hex(); }

  /// Of the image alone: podman takes no layout in which others, such as its signatures, have names too.
  std::string index() const {
    auto root = m_root;
    root.annotations = {{"org.opencontainers.image.ref.name", m_name}, {"io.containerd.image.name", m_name}};
    const Json out = {{"schemaVersion", 2},
                      {"mediaType", oci::media::oci_index},
                      {"manifests", Json::array({oci::descriptor_json(root)})}};
    return dump_json(out);
  }

  std::string docker_manifest() const {
    auto layers = Json::array(), tags = Json::array();
    for (const auto& layer : m_native.manifest.layers) layers.push_back(blob_of(layer.digest));
    if (!oci::parse_reference(m_name).digest) tags.push_back(m_name);
    return dump_json_line(Json::array({{{"Config", blob_of(m_native.manifest.config.digest)},
                                        {"RepoTags", std::move(tags)},
                                        {"Layers", std::move(layers)}}}));
  }

  const OpenStore& m_store;
  const Artifact& m_image;
  oci::Descriptor m_root;
  NativeImage m_native;
  std::string m_name;
};

void feed(const LocalEngine& engine, const Loading& loading, Reporter& reporter) {
  const auto argv = command_line(engine, engine.load);
  const auto what = fmt::format("to `{}`", fmt::join(argv, " "));
  const auto require_success = [&](int status) {
    if (status != 0) fail(ErrorCode::tool_failed, "`{}` ended with status {}", fmt::join(argv, " "), status);
  };
  ProgramPipe program(argv, ProgramPipe::Way::into);
  try {
    loading.write(program.input(), what, reporter);
  } catch (const Error&) {
    // One that ended early has said why. Where the store failed, the engine is not to see an end of its input.
    if (program.is_shut()) require_success(program.wait());
    throw;
  }
  require_success(program.wait());
}

void require_same(const LocalEngine& engine, const Loading& loading, const std::string& name) {
  const auto held = held_as(engine, name);
  if (std::any_of(held.begin(), held.end(), [&](const auto& digest) { return loading.is_known(digest); })) return;
  throw Error(ErrorCode::digest_mismatch,
              held.empty() ? fmt::format("{} has nothing called {} after it was loaded", engine.program, name)
                           : fmt::format("{} has {} as {}, which is not the image that was sent ({})", engine.program,
                                         name, held.front().text(), loading.digest().text()),
              "do not run it: look at what the engine says of the name, and load it again");
}

std::string require_name(const LocalEngine& engine, const Artifact& image, const std::string& wanted) {
  auto name = full_image_name(image, wanted);
  if (engine.names == LocalEngine::Names::tags && oci::parse_reference(name).digest) {
    throw Error(ErrorCode::usage, fmt::format("{} cannot give an image the name {}", engine.program, printable(name)),
                "name it with a tag: --image-name HOST/NAME:TAG");
  }
  return name;
}

}  // namespace

std::vector<std::string> local_engines() {
  std::vector<std::string> out;
  for (const auto& engine : engines()) out.emplace_back(engine.program);
  return out;
}

void export_into(Invocation& invocation, const OpenStore& store, const Artifact& image, const std::string& engine_name,
                 const std::string& image_name) {
  const auto engine = find_engine(engine_name);
  const auto name = require_name(engine, image, image_name);
  const Loading loading(store, image, name);
  const auto held = held_whole_as(engine, name);
  const bool was_there = !held.empty() && loading.is_known(held.back());
  if (!was_there) {
    record_config(invocation, invocation.site());
    recorded_effect(invocation, image.kind + ".push", image.id(),
                    {{"to", engine.program}, {"place", name}, {"manifest", loading.digest().text()}}, [&] {
                      feed(engine, loading, invocation.reporter());
                      require_same(engine, loading, name);
                    });
  }
  const Json json = {{"id", image.id()},
                     {"into", engine.program},
                     {"name", name},
                     {"digest", loading.digest().text()},
                     {"loaded", !was_there}};
  invocation.print(json, [&] {
    return fmt::format("{} {} {} in {}\n", loading.digest().text(), was_there ? "was" : "is", name, engine.program);
  });
}

}  // namespace liftlock
