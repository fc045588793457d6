#include "ecosystem/model/completeness.hpp"

#include <algorithm>
#include <set>

#include "base/encoding.hpp"
#include "base/rel_path.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

std::string folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash + 1));
}

std::string_view name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string shard_path(const ShardName& shard, std::uint64_t number) {
  auto path = shard.set;
  return path.replace(path.find('\n'), 1, fmt::format("{:05}", number));
}

class Check {
 public:
  explicit Check(const ModelFiles& files) : m_files(files) {
    numbered_shards();
    gguf_splits();
    for (const auto& [path, index] : files.indexes) check_index(path, index);
  }
  std::vector<Finding> take() { return std::move(m_findings); }

 private:
  template <typename... Args>
  void add(ErrorCode code, const std::string& path, fmt::format_string<Args...> format, Args&&... args) {
    m_findings.push_back({code, path, fmt::format(format, std::forward<Args>(args)...)});
  }

  bool has(const std::string& path) const {
    return std::binary_search(m_files.paths.begin(), m_files.paths.end(), path);
  }

  void numbered_shards() {
    std::map<std::string, ShardName> sets;
    for (const auto& path : m_files.paths) {
      const auto shard = parse_shard_name(path);
      if (!shard) continue;
      if (shard->number == 0 || shard->number > shard->count) {
        add(ErrorCode::model_malformed, path, "shard {} of {}", shard->number, shard->count);
      }
      sets.emplace(shard->set, *shard);
    }
    for (const auto& [set, shard] : sets) {
      std::vector<std::string> missing;
      std::uint64_t absent = 0;
      for (std::uint64_t number = 1; number <= shard.count; ++number) {
        auto path = shard_path(shard, number);
        if (has(path)) continue;
        if (++absent <= 3) missing.push_back(std::move(path));
      }
      if (absent > 0) {
        add(ErrorCode::model_incomplete, missing.front(), "{} of {} shards are missing, {} for one", absent,
            shard.count, name_of(missing.front()));
      }
    }
  }

  void gguf_splits() {
    std::map<std::string, std::vector<const std::pair<const std::string, GgufModel>*>> sets;
    for (const auto& entry : m_files.gguf) {
      if (!entry.second.split) continue;
      const auto& split = *entry.second.split;
      const auto name = parse_shard_name(entry.first);
      if (!name || name->number != split.number + 1 || name->count != split.count) {
        add(ErrorCode::model_malformed, entry.first, "its name does not say that it is file {} of {}", split.number + 1,
            split.count);
        continue;
      }
      sets[name->set].push_back(&entry);
    }
    for (const auto& [set, members] : sets) {
      const auto& first = *members.front();
      const auto& split = *first.second.split;
      std::set<std::string_view> names;
      std::uint64_t tensors = 0;
      for (const auto* member : members) {
        tensors += member->second.tensor_count;
        if (member->second.split->tensors != split.tensors) {
          add(ErrorCode::model_malformed, member->first, "it states another number of tensors than {}",
              name_of(first.first));
        }
        for (const auto& name : member->second.tensor_names) {
          if (!names.insert(name).second) {
            add(ErrorCode::model_malformed, member->first, "the tensor '{}' stands in two files of the set",
                printable(name));
          }
        }
      }
      if (members.size() == split.count && split.tensors != 0 && tensors != split.tensors) {
        add(ErrorCode::model_malformed, first.first, "the set holds {} tensors where it states {}", tensors,
            split.tensors);
      }
    }
  }

  void check_index(const std::string& path, const SafetensorsIndex& index) {
    for (const auto& [shard, weights] : index.shards) {
      if (!RelPath::try_parse(shard)) {
        add(ErrorCode::model_malformed, path, "it names the shard '{}', which is no contained path", printable(shard));
        continue;
      }
      const auto shard_at = folder_of(path) + shard;
      if (!has(shard_at)) {
        add(ErrorCode::model_incomplete, shard_at, "{} names it and it is missing", name_of(path));
        continue;
      }
      const auto found = m_files.safetensors.find(shard_at);
      if (found == m_files.safetensors.end()) continue;  // malformed: that is a finding of its own
      const auto& names = found->second.names;
      const auto absent = std::count_if(weights.begin(), weights.end(), [&](const NameKey& weight) {
        return !std::binary_search(names.begin(), names.end(), weight);
      });
      if (absent > 0) {
        add(ErrorCode::model_incomplete, shard_at, "it lacks {} of the {} weights that {} places in it", absent,
            weights.size(), name_of(path));
      }
    }
  }

  const ModelFiles& m_files;
  std::vector<Finding> m_findings;
};

constexpr std::string_view k_tokenizers[] = {"tokenizer.json",     "tokenizer.model", "spiece.model",
                                             "vocab.json",         "vocab.txt",       "sentencepiece.bpe.model",
                                             "tokenizer.tiktoken", "tekken.json"};

bool is_tokenizer(std::string_view name) {
  return std::find(std::begin(k_tokenizers), std::end(k_tokenizers), name) != std::end(k_tokenizers) ||
         name.ends_with(".tiktoken");
}

bool is_config(std::string_view name) {
  return name == "config.json" || name == "params.json" || name == "adapter_config.json";
}

bool has_in(const std::vector<std::string>& paths, const std::string& folder, bool (*wanted)(std::string_view name)) {
  return std::any_of(paths.begin(), paths.end(),
                     [&](const std::string& path) { return folder_of(path) == folder && wanted(name_of(path)); });
}

}  // namespace

std::optional<ShardName> parse_shard_name(std::string_view path) {
  // …-00001-of-00005.ext
  const auto dot = path.rfind('.');
  if (dot == std::string_view::npos || path.find('\n') != std::string_view::npos) return std::nullopt;
  constexpr std::size_t k_tail = std::string_view("-00001-of-00005").size();
  if (dot < k_tail) return std::nullopt;
  const auto tail = path.substr(dot - k_tail, k_tail);
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-") return std::nullopt;
  const auto number = parse_uint(tail.substr(1, 5));
  const auto count = parse_uint(tail.substr(10, 5));
  if (!number || !count) return std::nullopt;
  auto set = std::string(path.substr(0, dot - k_tail + 1)) + "\n" + std::string(path.substr(dot - k_tail + 6));
  return ShardName{std::move(set), *number, *count};
}

std::vector<Finding> check_completeness(const ModelFiles& files) {
  return Check(files).take();
}

std::span<const std::string_view> tokenizer_names() {
  return k_tokenizers;
}

std::vector<std::string> folders_without_tokenizer(const std::vector<std::string>& paths,
                                                   const std::set<std::string>& weights) {
  std::vector<std::string> out;
  // Parts of a diffusion pipeline (unet/, vae/) have a configuration and no tokenizer of their own.
  if (std::any_of(paths.begin(), paths.end(), [](const auto& path) { return name_of(path) == "model_index.json"; }))
    return out;
  std::copy_if(weights.begin(), weights.end(), std::back_inserter(out), [&](const auto& folder) {
    return has_in(paths, folder, is_config) && !has_in(paths, folder, is_tokenizer);
  });
  return out;
}

std::vector<std::string> completeness_notes(const ModelFiles& files) {
  std::vector<std::string> notes;
  std::set<std::string> folders;
  for (const auto& [path, model] : files.safetensors) folders.emplace(folder_of(path));
  const auto shown = [](const std::string& folder) { return folder.empty() ? std::string("the model") : folder; };
  for (const auto& folder : folders_without_tokenizer(files.paths, folders))
    notes.push_back(fmt::format("{} has weights but no tokenizer", shown(folder)));
  for (const auto& folder : folders) {
    if (!has_in(files.paths, folder, is_config))
      notes.push_back(fmt::format("{} has weights but no config.json", shown(folder)));
    const bool sharded = std::any_of(files.safetensors.begin(), files.safetensors.end(), [&](const auto& entry) {
      return folder_of(entry.first) == folder && parse_shard_name(entry.first);
    });
    if (sharded &&
        !has_in(files.paths, folder, [](std::string_view name) { return name.ends_with(".safetensors.index.json"); })) {
      notes.push_back(fmt::format("{} has shards but no index", shown(folder)));
    }
  }
  for (const auto& path : files.paths) {
    if (path.ends_with(".py")) {
      notes.push_back(
          fmt::format("{} is Python code, which loaders run only when they are told to trust remote code", path));
    }
  }
  std::sort(notes.begin(), notes.end());
  return notes;
}

}  // namespace liftlock
