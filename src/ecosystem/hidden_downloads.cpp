#include "ecosystem/hidden_downloads.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "ecosystem/hidden_marks.hpp"

namespace liftlock {
namespace {

/// What a folder of sentence-transformers has, and other models have not.
constexpr std::string_view k_embedder = "/modules.json 1_Pooling";
constexpr std::string_view k_add_model = "[model.<name>]\nsource = \"hf:<organisation>/<repository>\"";
constexpr std::string_view k_hub_there = "give the program the model's folder, or HF_HUB_OFFLINE=1 and a cache folder";

// clang-format off
constexpr auto k_downloads = std::to_array<HiddenDownload>({
    {"npm", "@huggingface/transformers", "models by their names when they are first asked for",
     "", HiddenDownload::k_any_model, k_add_model,
     "env.localModelPath with the folder above the models, and env.allowRemoteModels = false",
     "@huggingface/transformers 4.3.2, src/env.js"},
    {"npm", "@prisma/engines", "its schema engine, a program, when it is installed",
     "", "schema-engine prisma-engines",
     "[file.prisma-engines]\nsource = \"<file schema-engine-… of node_modules/@prisma/engines, after an install>\"",
     "PRISMA_SCHEMA_ENGINE_BINARY with the file's path, and `npm ci --ignore-scripts`",
     "@prisma/engines 7.10.1, dist/scripts/postinstall.js; fetch-engine/src/env.ts of its repository"},
    {"npm", "cypress", "its program when it is installed",
     "", "cypress.zip cypress-cache",
     "[file.cypress]\nsource = \"<cypress.zip of that version>\"",
     "CYPRESS_INSTALL_BINARY with the path of cypress.zip; or CYPRESS_INSTALL_BINARY=0, and CYPRESS_RUN_BINARY with the unpacked program",
     "cypress 15.3.0, dist/tasks/install.js and verify.js"},
    {"npm", "electron", "its runtime when it is installed",
     "", "electron-v electron-dist",
     "[file.electron]\nsource = \"<electron-v<version>-<platform>.zip>\"",
     "ELECTRON_SKIP_BINARY_DOWNLOAD=1, and ELECTRON_OVERRIDE_DIST_PATH with the folder of the unpacked zip",
     "electron 41.7.1, install.js and index.js"},
    {"npm", "playwright", "browsers: `playwright install` fetches them",
     "", "ms-playwright chromium",
     "[file.browsers]\nsource = \"<folder ms-playwright that `playwright install` filled>\"",
     "PLAYWRIGHT_BROWSERS_PATH, or executablePath of a browser from [apt]",
     "playwright-core 1.65.1, lib/coreBundle.js"},
    {"npm", "puppeteer", "Chrome and its headless shell when it is installed",
     "", "puppeteer-cache chrome-headless-shell chrome-linux64 chromium",
     "[file.puppeteer-cache]\nsource = \"<folder that PUPPETEER_CACHE_DIR names, after an install>\"",
     "PUPPETEER_SKIP_DOWNLOAD=true while it is installed, then PUPPETEER_CACHE_DIR; or PUPPETEER_EXECUTABLE_PATH of a browser from [apt]",
     "puppeteer 24.43.1, getConfiguration.js and node/install.js"},
    {"wheel", "chromadb", "an ONNX embedding model (all-MiniLM-L6-v2) when a collection has no embedding function of its own",
     "", "all-MiniLM-L6-v2 onnx.tar.gz",
     "[file.chroma-embedder]\nsource = \"<address of onnx.tar.gz in chromadb's onnx_mini_lm_l6_v2.py>\"",
     "unpack it to ~/.cache/chroma/onnx_models/all-MiniLM-L6-v2, or give each collection an embedding function",
     "chromadb 1.5.9, utils/embedding_functions/onnx_mini_lm_l6_v2.py"},
    {"wheel", "docling", "its layout and table models when a document is first converted",
     "", "docling",
     "[model.docling]\nsource = \"hf:<organisation>/<repository that `docling-tools models download` names>\"",
     "DOCLING_ARTIFACTS_PATH, or artifacts_path of the pipeline options",
     "docling 2.143.0, document_converter.py"},
    {"wheel", "easyocr", "a text detector and a recogniser per language when a Reader is made",
     "", "craft_mlt_25k easyocr-models",
     "[file.easyocr-models]\nsource = \"<folder with craft_mlt_25k.pth and the recognisers>\"",
     "EASYOCR_MODULE_PATH, and download_enabled=False",
     "easyocr 1.7.2, config.py"},
    {"wheel", "fastembed", "the embedding model by its name when it is first asked for",
     "", "/modules.json 1_Pooling .onnx", k_add_model,
     "specific_model_path, or HF_HUB_OFFLINE=1 and cache_dir; without either it tries a second server",
     "fastembed 0.9.1, common/model_management.py"},
    {"wheel", "faster-whisper", "the speech model by its name when it is first asked for",
     "", "whisper", "[model.whisper]\nsource = \"hf:<organisation>/faster-whisper-<size>\"",
     "give WhisperModel the folder, and local_files_only=True",
     "faster-whisper 1.2.1, utils.py"},
    {"wheel", "flair", "taggers and embeddings by their names when they are first asked for",
     "", "flair-models", "[file.flair-models]\nsource = \"<folder with the models>\"",
     "FLAIR_CACHE_ROOT",
     "flair 0.15.1, __init__.py"},
    {"wheel", "flashinfer-python", "compiled GPU kernels (cubins) when a kernel is first used",
     "flashinfer-cubin", "",
     "[python.<name>]\nrequirements = [\"flashinfer-cubin==<version of flashinfer-python>\", \"flashinfer-jit-cache==<the same>\"]",
     "nothing to set: it prefers the installed wheels",
     "flashinfer-python 0.7.4, artifacts.py and __main__.py"},
    {"wheel", "litellm", "its table of models and prices at each import",
     "", "", "",
     "LITELLM_LOCAL_MODEL_COST_MAP=True: the table inside the package is used",
     "litellm 1.110.2, __init__.py"},
    {"wheel", "nltk", "tokenizers and taggers (punkt_tab, averaged_perceptron_tagger_eng) where the program calls nltk.download",
     "", "punkt_tab nltk_data nltk-data",
     "[file.nltk-data]\nsource = \"<folder nltk_data, as `python3 -m nltk.downloader -d nltk_data punkt_tab` fills it>\"",
     "NLTK_DATA",
     "nltk 3.10.4, downloader.py"},
    {"wheel", "open-webui", "an embedding model when it starts (sentence-transformers/all-MiniLM-L6-v2), and a speech model (base) when one speaks",
     "", "all-MiniLM-L6-v2",
     "[model.embedder]\nsource = \"hf:sentence-transformers/all-MiniLM-L6-v2\"",
     "OFFLINE_MODE=true and RAG_EMBEDDING_MODEL with the model's folder; or RAG_EMBEDDING_ENGINE=openai and the gateway's address",
     "open-webui 0.12.4, config.py and retrieval/utils.py"},
    {"wheel", "openai-harmony", "the vocabulary o200k_base when an encoding is first loaded; where that fails, tool calls come back empty",
     "", "o200k_base fb374d419588a4632f3f557e76b4b70aebbca790",
     "[file.harmony-vocabulary]\nsource = \"<address of o200k_base.tiktoken in tiktoken's openai_public.py>\"",
     "TIKTOKEN_ENCODINGS_BASE with the folder that holds o200k_base.tiktoken",
     "openai-harmony 0.0.8, its native module"},
    {"wheel", "openai-whisper", "the speech model by its size when load_model is called",
     "", "whisper-models tiny.pt base.pt small.pt medium.pt large-v3.pt large-v3-turbo.pt",
     "[file.whisper-models]\nsource = \"<address of the model in whisper/__init__.py>\"",
     "give load_model the file's path, or download_root",
     "openai-whisper 20250625, __init__.py"},
    {"wheel", "playwright", "browsers: `playwright install` fetches them",
     "", "ms-playwright chromium",
     "[file.browsers]\nsource = \"<folder ms-playwright that `playwright install` filled>\"",
     "PLAYWRIGHT_BROWSERS_PATH, or executable_path of a browser from [apt]",
     "playwright 1.65.2, _impl/transport.py"},
    {"wheel", "sentence-transformers", "the model by its name when it is first asked for",
     "", k_embedder, k_add_model, k_hub_there,
     "sentence-transformers 6.2.0, its use of huggingface_hub"},
    {"wheel", "spacy", "language models: `spacy download` fetches them as wheels",
     "en-core-web de-core-news xx-ent fr-core-news es-core-news", "",
     "[python.<name>]\nfind_links = [\"<folder with en_core_web_sm-….whl>\"]\nrequirements = [\"en-core-web-sm\"]",
     "nothing to set: they are packages",
     "spacy 3.8.18, about.py"},
    {"wheel", "stanza", "language models, and a list of them, when a Pipeline is made",
     "", "stanza_resources stanza-resources",
     "[file.stanza-resources]\nsource = \"<folder stanza_resources that `stanza.download` filled>\"",
     "STANZA_RESOURCES_DIR, and download_method=None",
     "stanza 1.15.0, resources/common.py"},
    {"wheel", "surya-ocr", "its models when a predictor is made",
     "", "datalab surya-models",
     "[file.surya-models]\nsource = \"<folder that MODEL_CACHE_DIR names, after a first run>\"",
     "MODEL_CACHE_DIR",
     "surya-ocr 0.22.1, settings.py and common/s3.py"},
    {"wheel", "tiktoken", "a vocabulary when an encoding is first used",
     "", "9b5ad71b2ce5302211f9c61530b329a4922fc6a4 fb374d419588a4632f3f557e76b4b70aebbca790 cl100k_base o200k_base tiktoken-cache",
     "[file.tiktoken-cache]\nsource = \"<folder that TIKTOKEN_CACHE_DIR names, after a first run>\"",
     "TIKTOKEN_CACHE_DIR: each file is named after the SHA-1 of its address",
     "tiktoken 0.14.0, load.py and tiktoken_ext/openai_public.py"},
    {"wheel", "timm", "weights by the model's name where pretrained=True",
     "", HiddenDownload::k_any_model, k_add_model, k_hub_there,
     "timm 1.0.31, models/_builder.py"},
    {"wheel", "torchvision", "weights by the model's name where weights are asked for",
     "", "torch-hub .pth",
     "[file.torch-hub]\nsource = \"<folder hub/checkpoints of TORCH_HOME, after a first run>\"\ncategory = \"files\"",
     "TORCH_HOME",
     "torchvision 0.29.2, models/"},
    {"wheel", "transformers", "models by their names when they are first asked for",
     "", HiddenDownload::k_any_model, k_add_model, k_hub_there,
     "transformers' documentation of HF_HUB_OFFLINE"},
    {"wheel", "ultralytics", "weights by their names, and a font (Arial.ttf) when results are drawn",
     "", "yolo11 yolov8 yolo26 .pt",
     "[file.yolo]\nsource = \"<the .pt file>\"\n[file.font]\nsource = \"<Arial.ttf>\"",
     "give YOLO the file's path, YOLO_OFFLINE=true; the font lies in the folder of YOLO_CONFIG_DIR",
     "ultralytics 8.4.190, utils/__init__.py and utils/checks.py"},
    {"wheel", "unstructured-inference", "the layout model (yolox) when a document is first partitioned with it",
     "", "yolox",
     "[model.yolox]\nsource = \"hf:<organisation>/yolo_x_layout\"",
     k_hub_there,
     "unstructured-inference 1.6.14, models/yolox.py and utils.py"},
    {"wheel", "vllm", "models by their names, and the vocabulary of openai-harmony for models of that family",
     "", HiddenDownload::k_any_model, k_add_model,
     "give it the model's folder as an absolute path; HF_HUB_OFFLINE=1 alone does not keep it from asking",
     "vllm issues 1910, 8458, 22525"},
});
// clang-format on

template <typename Test>
bool any_word(std::string_view words, Test&& test) {
  const auto list = split(words, ' ');
  return std::any_of(list.begin(), list.end(), [&](std::string_view word) { return !word.empty() && test(word); });
}

/// An ending of a name of a file, or what is part of it.
bool stands_in(std::string_view name, std::string_view word) {
  return is_ending(word) ? name.ends_with(word) : name.find(word) != std::string_view::npos;
}

bool wants_any_model(const HiddenDownload& download) {
  return download.content == HiddenDownload::k_any_model;
}

bool brings(const Artifact& artifact, const HiddenDownload& download) {
  // The package that downloads is no proof of what it downloads, so wheels and other artifacts are judged apart.
  if (artifact.kind == "wheel") {
    return any_word(download.packages, [&](std::string_view word) { return artifact.name.starts_with(word); });
  }
  // What an image has with it, it has for itself, and no package of npm that is only called like it brings a browser.
  if (artifact.kind == "image" || artifact.kind == "npm" || wants_any_model(download)) return false;
  return any_word(download.content, [&](std::string_view word) {
    return (!is_ending(word) && artifact.id().find(word) != std::string::npos) ||
           std::any_of(artifact.files.begin(), artifact.files.end(), [&](const ArtifactFile& file) {
             return stands_in(file.path.text(), word) || stands_in(file.origin, word);
           });
  });
}

std::vector<std::string> models_of(const std::vector<Artifact>& artifacts) {
  std::vector<std::string> out;
  for (const auto& artifact : artifacts) {
    if (artifact.kind == "model") out.push_back(artifact.id());
  }
  return out;
}

/// Does the image have with it what the package in it would download?
bool brings(const HiddenMarks& marks, const HiddenDownload& download) {
  return any_word(download.content, [&](std::string_view word) { return marks.content.contains(std::string(word)); }) ||
         any_word(download.packages, [&](std::string_view word) {
           return std::any_of(marks.packages.begin(), marks.packages.end(),
                              [&](const std::string& name) { return name.starts_with(word); });
         });
}

}  // namespace

bool is_ending(std::string_view word) {
  return word.starts_with('.') || word.starts_with('/');
}

std::span<const HiddenDownload> hidden_downloads() {
  return k_downloads;
}

std::vector<HiddenNeed> hidden_needs(const std::vector<Artifact>& artifacts,
                                     const std::function<Json(const Artifact&)>& inspection) {
  std::vector<std::pair<const Artifact*, HiddenMarks>> images;
  for (const auto& artifact : artifacts) {
    if (artifact.kind != "image") continue;
    const auto facts = inspection(artifact);
    if (const auto marks = facts.find(k_hidden_marks); marks != facts.end())
      images.emplace_back(&artifact, HiddenMarks::parse(*marks));
  }
  const auto models = models_of(artifacts);
  std::vector<HiddenNeed> out;
  for (const auto& download : k_downloads) {
    const auto perhaps = wants_any_model(download) ? models : std::vector<std::string>();
    if (std::any_of(artifacts.begin(), artifacts.end(),
                    [&](const Artifact& artifact) { return brings(artifact, download); })) {
      continue;
    }
    const auto needs = std::find_if(artifacts.begin(), artifacts.end(), [&](const Artifact& artifact) {
      return artifact.kind == download.kind && artifact.name == download.name;
    });
    if (needs != artifacts.end()) out.push_back({&download, needs->id(), false, perhaps});
    if (download.kind != "wheel") continue;  // of images only their Python packages are known
    for (const auto& [image, marks] : images) {
      if (marks.packages.contains(std::string(download.name)) && !brings(marks, download))
        out.push_back({&download, image->id(), true, perhaps});
    }
  }
  return out;
}

std::string hidden_downloads_markdown() {
  std::string out = "| package | it downloads | on the other side | read in |\n|---|---|---|---|\n";
  for (const auto& one : k_downloads) {
    out += fmt::format("| {}{} | {} | {} | {} |\n", one.name, one.kind == "npm" ? " (npm)" : "", one.what, one.there,
                       one.source);
  }
  return out;
}

}  // namespace liftlock
