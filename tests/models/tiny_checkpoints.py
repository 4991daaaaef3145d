"""Models of transformers with a few thousand random weights, for tests of what reads them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what these libraries deprecate is their own affair
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.set_num_threads(1)  # tiny matrices gain nothing from more
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def save_tokenizer(folder: Path, *, bos: bool = False, ends: bool = False, limit: int | None = None) -> Any:
    """Save a tokenizer of bytes; with `ends` it puts marks around a text, as those of classifiers do."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<end>", "<begin>", "<pad>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["hello cats and dogs"], trainer)
    if ends:
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single="<begin> $A <end>", special_tokens=[("<begin>", 1), ("<end>", 0)]
        )
    options = {"bos_token": "<begin>"} if bos else {}
    options |= {} if limit is None else {"model_max_length": limit}
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>", **options
    )
    fast.save_pretrained(folder)
    return fast


def make_causal(folder: Path, *, bos: bool = False, context: int = 64) -> str:
    size = len(save_tokenizer(folder, bos=bos))
    torch.manual_seed(1)
    configuration = transformers.LlamaConfig(
        vocab_size=size, max_position_embeddings=context, initializer_range=0.5, eos_token_id=0, **SMALL
    )
    transformers.LlamaForCausalLM(configuration).save_pretrained(folder)
    return str(folder)


def make_classifier(folder: Path, *, labels: int = 3, problem: str | None = None, seed: int = 1) -> str:
    size = len(save_tokenizer(folder, ends=True, limit=32))
    torch.manual_seed(seed)
    configuration = transformers.BertConfig(
        vocab_size=size, max_position_embeddings=40, initializer_range=0.8, pad_token_id=2, num_labels=labels,
        problem_type=problem, id2label={number: f"class {number}" for number in range(labels)}, **SMALL,
    )  # fmt: skip
    transformers.BertForSequenceClassification(configuration).save_pretrained(folder)
    return str(folder)


def make_translator(folder: Path) -> str:
    size = len(save_tokenizer(folder, ends=True, limit=32))
    torch.manual_seed(2)
    configuration = transformers.BartConfig(
        vocab_size=size, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64, init_std=0.8, pad_token_id=2, bos_token_id=1,
        eos_token_id=0, decoder_start_token_id=1, forced_eos_token_id=0,
    )  # fmt: skip
    model = transformers.BartForConditionalGeneration(configuration)
    model.generation_config.max_new_tokens = 8
    model.save_pretrained(folder)
    return str(folder)


def make_encoder(folder: Path) -> str:
    size = len(save_tokenizer(folder))
    torch.manual_seed(3)
    configuration = transformers.LlamaConfig(vocab_size=size, max_position_embeddings=64, initializer_range=0.5, **SMALL)
    transformers.LlamaModel(configuration).save_pretrained(folder)
    return str(folder)


def make_clip(folder: Path) -> str:
    size = len(save_tokenizer(folder, ends=True))
    torch.manual_seed(4)
    text = {**SMALL, "vocab_size": size, "max_position_embeddings": 32, "eos_token_id": 0, "pad_token_id": 2, "bos_token_id": 1}
    vision = {**SMALL, "image_size": 16, "patch_size": 8}
    configuration = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    transformers.CLIPModel(configuration).save_pretrained(folder)
    return str(folder)
