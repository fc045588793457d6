"""What hub_online_test.sh lets the real huggingface_hub and transformers do: hub_clients.py mirror|offline WORK COMMIT"""
import filecmp
import os
import pathlib
import sys

import huggingface_hub
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

mode, work, commit = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]


def same(at, folder, without=frozenset()):
    expected = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - without
    found = {str(path.relative_to(at)) for path in pathlib.Path(at).rglob("*") if path.is_file()}
    assert found == expected, (found, expected)
    for name in expected:
        assert filecmp.cmp(folder / name, pathlib.Path(at) / name, shallow=False), name


def raises(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was expected")


snapshot = snapshot_download("org/tiny")
assert pathlib.Path(snapshot).name == commit, snapshot
same(snapshot, work / "hub/org/tiny")
same(snapshot_download("org/tiny", revision="v1"), work / "hub/org/tiny")
same(snapshot_download("org/tiny", revision=commit), work / "hub/org/tiny")

if mode == "mirror":
    api = HfApi()
    assert api.model_info("org/tiny").sha == commit
    assert {model.id for model in api.list_models(search="tiny")} == {"org/tiny", "org/tiny-GGUF"}
    assert api.list_repo_refs("org/tiny").branches[0].target_commit == commit
    assert "onnx/config.json" in api.list_repo_files("org/tiny")
    assert api.file_exists("org/tiny", "config.json") and not api.file_exists("org/tiny", "none.json")
    file = hf_hub_download("org/tiny-GGUF", "tiny-Q8_0.gguf")
    assert filecmp.cmp(file, work / "hub/org/tiny-GGUF/tiny-Q8_0.gguf", shallow=False)
    snapshot_download("local/demo", local_dir=work / "here")
    assert filecmp.cmp(work / "here/demo.gguf", work / "stack/own/demo.gguf", shallow=False)
    files = HfFileSystem()  # what hf:// paths and vLLM's listing go through
    assert "org/tiny/onnx" in files.ls("org/tiny", detail=False)
    assert files.info("org/tiny/onnx/config.json")["size"] == (work / "hub/org/tiny/onnx/config.json").stat().st_size
    assert files.open("org/tiny/onnx/config.json").read() == (work / "hub/org/tiny/onnx/config.json").read_bytes()
    raises(RepositoryNotFoundError, lambda: snapshot_download("org/none"))
    raises(RevisionNotFoundError, lambda: snapshot_download("org/tiny", revision="v9"))
    raises(EntryNotFoundError, lambda: hf_hub_download("org/tiny", "none.json"))

same(snapshot_download("org/tiny", repo_type="dataset"), work / "hub/datasets/org/tiny", without={"tiny.py"})
if mode == "mirror":
    api = HfApi()
    assert api.dataset_info("org/tiny").sha != commit
    assert [one.id for one in api.list_datasets(search="tiny")] == ["org/tiny"]
    assert api.list_repo_refs("org/tiny", repo_type="dataset").tags
    raises(RepositoryNotFoundError, lambda: snapshot_download("org/tiny-GGUF", repo_type="dataset"))

if os.environ.get("WITH_DATASETS"):
    from datasets import load_dataset

    # Without a mirror the folder of the snapshot is what to name.
    words = load_dataset("org/tiny" if mode == "mirror" else snapshot_download("org/tiny", repo_type="dataset"), split="train")
    assert words.column_names == ["word", "meaning"] and words["word"][:] == ["lock", "gate"], words
    if mode == "mirror":
        assert load_dataset("org/tiny", "more", split="test")[0]["word"] == "reach"
        numbers = load_dataset("org/tiny", data_files="data/numbers.parquet", split="train")
        assert sum(numbers["number"]) == 6, numbers

if os.environ.get("WITH_TRANSFORMERS"):
    from transformers import AutoConfig, AutoTokenizer

    assert AutoConfig.from_pretrained("org/tiny").model_type == "llama"
    assert AutoTokenizer.from_pretrained("org/tiny")("lock").input_ids == [1]
print(f"huggingface_hub {huggingface_hub.__version__}: {mode}")
