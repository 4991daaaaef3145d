"""Rows of every form become common rows, and come back as they were but for the losses that the form declares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from djfast.convert import FORMS
from djfast.convert.form import BadRow

EOC = "<|__dj__eoc|>"
IMAGES = [{"image_name": "b.png", "matched_text_index": 2, "raw_url": "u"}, {"image_name": "a.jpg", "matched_text_index": 0}]
META = {"num_captions_per_audio": 1, "id": "11", "caption": "A bird.", "tags": []}

# Form, options, row, common row. The common rows are those of Data-Juicer's tools.
CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        "llava",
        {},
        {
            "id": "1",
            "image": "a/1.jpg",
            "conversations": [
                {"from": "human", "value": "<image>\nWhat is it?"},
                {"from": "gpt", "value": "A cat."},
                {"from": "human", "value": "Colour?"},
                {"from": "gpt", "value": "Black. "},
            ],
        },
        {
            "id": "1",
            "text": f"[[human]]: <image>\nWhat is it?\n[[gpt]]: A cat.\n[[human]]: Colour?\n[[gpt]]: Black.  {EOC}",
            "images": ["a/1.jpg"],
        },
    ),
    (
        "llava",
        {"split_chunk": True, "image_broadcast": True, "image_broadcast_pos": "follow", "sent_separator": "|"},
        {
            "id": "1",
            "image": "1.jpg",
            "conversations": [
                {"from": "human", "value": "What?<image>"},
                {"from": "gpt", "value": "A cat."},
                {"from": "human", "value": "Why?"},
                {"from": "gpt", "value": "So."},
            ],
        },
        {
            "id": "1",
            "text": f"[[human]]: What?<image>|[[gpt]]: A cat. {EOC}|[[human]]: Why?|<image>|[[gpt]]: So. {EOC}",
            "images": ["1.jpg", "1.jpg"],
        },
    ),
    (
        "llava",
        {"str_id": False, "keep_other_fields": True, "add_eoc_at_last": False},
        {"id": 3, "conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi."}], "model": "m"},
        {"id": 3, "text": "[[human]]: Hello\n[[gpt]]: Hi.", "images": [], "model": "m"},
    ),
    (
        "mmc4",
        {},
        {
            "image_info": IMAGES,
            "similarity_matrix": [[0.1, 0.2, 0.3]],
            "text_list": ["First one.", "Second.", "Third."],
            "url": "http://x",
        },
        {
            "image_info": IMAGES,
            "similarity_matrix": [[0.1, 0.2, 0.3]],
            "text_list": ["First one.", "Second.", "Third."],
            "url": "http://x",
            "images": ["a.jpg", "b.png"],
            "text": f"<__dj__image> First one. {EOC} Second. {EOC} <__dj__image> Third. {EOC}",
        },
    ),
    (
        "mmc4",
        {"sent_separator": "|", "image_special_token_insert_pos": "after", "add_eoc_at_last": False, "keep_other_fields": False},
        {
            "image_info": [{"image_name": "b.png", "matched_text_index": 0}, {"image_name": "a.jpg", "matched_text_index": 0}],
            "text_list": ["First one.", "Second."],
        },
        {"images": ["b.png", "a.jpg"], "text": f"First one.|<__dj__image>|<__dj__image> {EOC}|Second."},
    ),
    (
        "video-chatgpt",
        {"sent_separator": "|", "video_special_token_insert_pos": "after"},
        {"video_id": "v_k_Z", "q": "What?", "a": "A man."},
        {"videos": ["k_Z"], "text": f"[[q]]:What? \n[[a]]:A man.|<__dj__video>|{EOC}", "youtube_id": "k_Z"},
    ),
    (
        "internvid",
        {},
        {"YoutubeID": "/v/x.mp4", "Start_timestamp": "00:01", "End_timestamp": "00:02", "Caption": "a man", "UMT_Score": 0.4},
        {
            "videos": ["/v/x.mp4"], "text": f"<__dj__video> a man {EOC}", "is_cut": False,
            "Start_timestamp": "00:01", "End_timestamp": "00:02", "UMT_Score": 0.4,
        },
    ),
    (
        "msrvtt",
        {},
        {"video_id": "video1", "caption": "a girl", "n": 3},
        {"videos": ["video1.mp4"], "text": f"<__dj__video> a girl {EOC}", "n": 3},
    ),
    *(
        (
            "youku",
            {},
            {video: "v/1.mp4", text: "标题", **rest},
            {video: "v/1.mp4", text: "标题", **rest, "videos": ["v/1.mp4"], "text": f"<__dj__video> 标题 {EOC}"},
        )
        for video, text, rest in (
            ("video_id:FILE", "title", {}),
            ("video_id:FILE", "title", {"label": "亲子"}),
            ("clip_name:FILE", "caption", {}),
            ("video_id:FILE", "golden_caption", {}),
        )
    ),
    (
        "alpaca",
        {},
        {"instruction": "Add.", "input": "1+1", "output": "2", "system": "S", "history": [["q1", "a1"]]},
        {"instruction": "Add.", "query": "1+1", "response": "2", "system": "S", "history": [["q1", "a1"]]},
    ),
    (
        "sharegpt",
        {},
        {
            "tools": "[]",
            "conversations": [
                {"from": "system", "value": "S"},
                {"from": "human", "value": "q1"},
                {"from": "gpt", "value": "a1"},
                {"from": "human", "value": "q2"},
                {"from": "gpt", "value": "a2"},
            ],
        },
        {"tools": "[]", "system": "S", "instruction": "", "query": "q2", "response": "a2", "history": [["q1", "a1"]]},
    ),
    (
        "messages",
        {},
        {"messages": [{"role": "user", "content": "only"}]},
        {"system": "", "instruction": "", "query": "only", "response": "", "history": []},
    ),
    (
        "swift",
        {},
        {"system": "S", "conversation": [{"human": "q1", "assistant": "a1"}, {"human": "q2", "assistant": "a2"}]},
        {"system": "S", "query": "q2", "response": "a2", "history": [["q1", "a1"]]},
    ),
]  # fmt: skip


def there(name: str, row: dict[str, Any], **options: Any) -> dict[str, Any]:
    return FORMS[name].to_dj(FORMS[name].checked(options))(row)


def back(name: str, row: dict[str, Any], **options: Any) -> dict[str, Any]:
    return FORMS[name].from_dj(FORMS[name].checked(options))(row)


@pytest.mark.parametrize(("name", "options", "row", "common"), CASES, ids=[f"{case[0]}-{i}" for i, case in enumerate(CASES)])
def test_a_row_there_and_back(name: str, options: dict[str, Any], row: dict[str, Any], common: dict[str, Any]) -> None:
    assert there(name, row, **options) == common
    assert back(name, common, **options) == row


def test_a_sound_there_and_back(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "11.flac").touch()
    row = {"id": "11", "caption": "A bird.", "tags": []}
    common = there("wavcaps", row, audio_path=str(tmp_path))
    path = str(tmp_path / "deep" / "11.flac")
    assert common == {"id": "11", "text": f"<__dj__audio>\nA bird.{EOC}", "audios": [path], "__dj__meta__": META}
    assert back("wavcaps", common) == row
    titles = {"target_field": "title", "add_target_field_token": True}
    titled = there("wavcaps", {"id": 11, "title": "T"}, audio_path=str(tmp_path), **titles)
    assert titled["text"] == f"<__dj__audio>\n[[title]]: T{EOC}"
    assert titled["id"] == "11"
    changed = {**titled, "text": titled["text"].replace("T<", "new<")}
    assert back("wavcaps", changed, **titles) == {"id": 11, "title": "new"}


def test_every_form_is_tested() -> None:
    assert {case[0] for case in CASES} | {"wavcaps"} == FORMS.keys()


# Properties: what comes back is what went there.

TEXT = st.text(max_size=20) | st.sampled_from(["", " ", "\n", " a ", "[[gpt]]:", "<image", "[[a]]:", "\n\n", "你好 🎉"])
SEPARATORS = st.sampled_from(["\n", " ", "|", "", "<sep>"])
POSITIONS = st.sampled_from(["before", "after", "random"])
patient = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


def round_trip(name: str, row: dict[str, Any], options: dict[str, Any]) -> None:
    try:
        common = there(name, row, **options)
    except BadRow:
        assume(False)
    assert json.loads(json.dumps(common)) == common
    assert back(name, common, **options) == row


@patient
@given(
    st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
    st.fixed_dictionaries(
        {
            "sent_separator": SEPARATORS,
            "split_chunk": st.booleans(),
            "add_eoc_at_last": st.booleans(),
            "image_broadcast": st.booleans(),
            "image_broadcast_pos": st.sampled_from(["before", "after", "random", "follow"]),
        }
    ),
)
def test_any_llava_row(rounds: list[tuple[str, str]], has_image: bool, is_first: bool, options: dict[str, Any]) -> None:
    turns = [text for each in rounds for text in each]
    if has_image:
        turns[0] = f"<image>\n{turns[0]}" if is_first else f"{turns[0]}\n<image>"
    told = [{"from": ("human", "gpt")[i % 2], "value": text} for i, text in enumerate(turns)]
    round_trip("llava", {"id": "x", **({"image": "a.jpg"} if has_image else {}), "conversations": told}, options)


@patient
@given(
    st.lists(TEXT, min_size=1, max_size=5),
    st.lists(st.integers(0, 4), max_size=4),
    st.fixed_dictionaries({"sent_separator": SEPARATORS, "image_special_token_insert_pos": POSITIONS}),
)
def test_any_mmc4_row(sentences: list[str], places: list[int], options: dict[str, Any]) -> None:
    infos = [{"image_name": f"{i}.png", "matched_text_index": place % len(sentences), "x": i} for i, place in enumerate(places)]
    round_trip("mmc4", {"image_info": infos, "text_list": sentences, "url": "u"}, {**options, "image_dir": "some/where"})


@patient
@given(TEXT, TEXT, st.booleans(), SEPARATORS, POSITIONS)
def test_any_video_row(question: str, answer: str, ends: bool, separator: str, position: str) -> None:
    options = {"sent_separator": separator, "video_special_token_insert_pos": position, "add_eoc_at_last": ends}
    round_trip("video-chatgpt", {"q": question, "a": answer, "video_id": "v_x.y", "n": 1}, {**options, "video_dir": "d"})
    round_trip("msrvtt", {"video_id": question, "caption": answer}, options)
    round_trip("youku", {"video_id:FILE": "v", "title": question, "label": answer}, options)
    round_trip("internvid", {"YoutubeID": "v", "Caption": question, "Start_timestamp": "0", "End_timestamp": answer}, options)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4), TEXT, TEXT)
def test_any_dialogue(rounds: list[tuple[str, str]], system: str, instruction: str) -> None:
    assume(rounds[-1][1])  # an empty last answer is no turn
    before = [(role, text) for role, text in (("system", system), ("instruction", instruction)) if text]
    for name, turns_key, role_key, text_key, roles in (
        ("sharegpt", "conversations", "from", "value", ("human", "gpt")),
        ("messages", "messages", "role", "content", ("user", "assistant")),
    ):
        turns = [*before, *((roles[i], text) for pair in rounds for i, text in enumerate(pair))]
        round_trip(name, {turns_key: [{role_key: role, text_key: text} for role, text in turns]}, {})
    round_trip("swift", {**dict(before), "conversation": [{"human": q, "assistant": a} for q, a in rounds]}, {})
    history = [list(pair) for pair in rounds]
    round_trip("alpaca", {"instruction": instruction, "input": system, "output": "", "history": history}, {})


# What does not fit is rejected with its reason.

def llava(*texts: str, **more: Any) -> dict[str, Any]:
    told = [{"from": ("human", "gpt")[i % 2], "value": text} for i, text in enumerate(texts)]
    return {"id": "1", "image": "1.jpg", "conversations": told, **more}


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("llava", {}, "conversations must be a list, got nothing"),
        ("llava", {"conversations": []}, "conversations must be pairs of turns, got 0 turns"),
        ("llava", llava("<image>q", "a", "q"), "conversations must be pairs of turns, got 3 turns"),
        (
            "llava",
            {"conversations": [{"from": "gpt", "value": "a"}]},
            "turn 1 of conversations must be a string from human, got 'gpt'",
        ),
        (
            "llava",
            {"conversations": [{"from": "human", "value": None}]},
            "turn 1 of conversations must be a string from human, got 'human'",
        ),
        ("llava", {"conversations": ["hello"]}, "turn 1 of conversations must be a string from human, got None"),
        ("llava", llava("q", "a"), "the turns must have '<image>' once"),
        ("llava", llava("q <image> q", "a"), "the first turn must start or end with '<image>'"),
        ("llava", llava("q", "<image>a"), "the first turn must start or end with '<image>'"),
        ("llava", llava("<image>q", "<image>a"), "the turns must have '<image>' once"),
        ("llava", llava("<image>q", "a", image=None), "the turns must have '<image>' never, since there is no image"),
        ("llava", llava("<image>q", "a", image=["1.jpg"]), "image must be one path, got list"),
        ("llava", llava("<image>q", f"a{EOC}"), f"the text holds '{EOC}', which has a special meaning"),
        ("llava", llava("<image>q", "[[human]]: a"), "the text holds '[[human]]: ', which has a special meaning"),
        ("mmc4", {"text_list": ["a", None], "image_info": []}, "text_list must be a list of strings"),
        ("mmc4", {"text_list": "a", "image_info": []}, "text_list must be a list, got string"),
        ("mmc4", {"text_list": ["a"], "image_info": None}, "image_info must be a list, got null"),
        ("mmc4", {"text_list": ["a"], "image_info": [{}]}, "image_info must be a list of mappings with image_name"),
        (
            "mmc4",
            {"text_list": ["a"], "image_info": [{"image_name": "x", "matched_text_index": 1}]},
            "matched_text_index must be that of one of 1 sentences, got 1",
        ),
        (
            "mmc4",
            {"text_list": ["a"], "image_info": [{"image_name": "x", "matched_text_index": True}]},
            "matched_text_index must be that of one of 1 sentences, got True",
        ),
        (
            "mmc4",
            {"text_list": ["<__dj__image>"], "image_info": []},
            "the text holds '<__dj__image>', which has a special meaning",
        ),
        ("wavcaps", {"id": "11", "caption": "a"}, "there is no 11.flac in None"),
        ("video-chatgpt", {"q": "a", "a": "b", "video_id": "abc"}, "video_id must start with v_, got 'abc'"),
        ("video-chatgpt", {"q": "a", "a": None, "video_id": "v_abc"}, "a must be a string, got null"),
        ("internvid", {"YoutubeID": "x"}, "Caption must be a string, got nothing"),
        ("msrvtt", {"video_id": 5, "caption": "a"}, "video_id must be a string, got integer"),
        ("youku", {"title": "a"}, "the columns fit no subset; name one with subset_type"),
        ("alpaca", {"input": 5}, "input must be a string, got integer"),
        ("alpaca", {"history": [["a"]]}, "history must be a list of pairs of strings"),
        ("sharegpt", {"conversations": []}, "there must be a turn that asks"),
        ("sharegpt", {"conversations": [{"from": "gpt", "value": "a"}]}, "turn 1 must have a role that asks, got 'gpt'"),
        (
            "sharegpt",
            {"conversations": [{"from": "human", "value": "a"}, {"from": "human", "value": "a"}]},
            "turn 2 must have a role that answers, got 'human'",
        ),
        (
            "sharegpt",
            {"conversations": [{"from": "system", "value": "a"}, {"from": "system", "value": "b"}]},
            "turn 2 must not be a second system, or one behind other turns",
        ),
        (
            "messages",
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "turn 1 must have texts in role and content",
        ),
        ("messages", {"messages": {"role": "user"}}, "messages must be a list, got mapping"),
        ("swift", {"conversation": [{"assistant": "a"}]}, "round 1 must have a text in human"),
        ("swift", {"conversation": []}, "there must be a round"),
    ],
)
def test_rows_that_do_not_fit(name: str, row: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRow) as raised:
        there(name, row)
    assert str(raised.value) == reason


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        (
            "llava",
            {"id": 1, "images": ["a", "b"], "text": "[[human]]: q\n[[gpt]]: a"},
            "images must be one image only, got 2 different ones",
        ),
        ("llava", {"text": "plain"}, "the text must start with '[[human]]: ', or the questions must come from a file: original"),
        ("llava", {"text": "x [[human]]: q\n[[gpt]]: a"}, "the text must start with '[[human]]: '"),
        ("llava", {"text": "[[human]]: q"}, "the text must be pairs of turns behind '[[human]]: ' and '[[gpt]]: ', got 1 turns"),
        (
            "llava",
            {"text": "[[human]]: q\n[[human]]: p\n[[gpt]]: a"},
            "the text must be pairs of turns behind '[[human]]: ' and '[[gpt]]: ', got 2 turns",
        ),
        ("mmc4", {"text": "a", "images": ["x"]}, "the text must have '<__dj__image>' once for each of 1 images, got 0"),
        ("mmc4", {"text": "a <__dj__image> b", "images": ["x"]}, "sentence 1 must have '<__dj__image>' before or after all else"),
        ("wavcaps", {"text": "a"}, "__dj__meta__ must hold the row that it was made of"),
        ("wavcaps", {"text": "a", "__dj__meta__": {}}, "the text must have '<__dj__audio>' once, before or after all else"),
        ("msrvtt", {"text": "a", "videos": ["x"]}, "the text must have '<__dj__video>' once, before or after all else"),
        ("msrvtt", {"text": "<__dj__video> a", "videos": []}, "videos must hold one path, got 0"),
        ("msrvtt", {"text": f"<__dj__video> a {EOC} b", "videos": ["x"]}, f"the text must have '{EOC}' only at its end"),
        (
            "video-chatgpt",
            {"text": "<__dj__video> a", "videos": ["x"]},
            "the text must be a question behind '[[q]]:' and an answer behind ' \\n[[a]]:'",
        ),
        ("alpaca", {"response": "a"}, "query must be a string, got nothing"),
        ("sharegpt", {"query": "a", "history": ["b"]}, "history must be a list of pairs of strings"),
        ("swift", {"query": "a", "system": 5}, "system must be a string, got integer"),
    ],
)  # fmt: skip
def test_common_rows_that_do_not_fit(name: str, row: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRow) as raised:
        back(name, row)
    assert str(raised.value) == reason


# Particular ways.


def test_other_roles_take_their_place_in_a_dialogue() -> None:
    told = [("human", "q"), ("function_call", "f"), ("observation", "o"), ("gpt", "a")]
    row = there("sharegpt", {"conversations": [{"from": role, "value": text} for role, text in told], "system": "S"})
    assert row == {"system": "S", "instruction": "", "query": "o", "response": "a", "history": [["q", "f"]]}


def test_system_and_instruction_turns_may_both_be_there() -> None:
    told = [("instruction", "I"), ("system", "S"), ("user", "q")]
    row = there("messages", {"messages": [{"role": role, "content": text} for role, text in told]})
    assert (row["system"], row["instruction"], row["query"]) == ("S", "I", "q")


def test_media_become_lists() -> None:
    row = {"instruction": "", "input": "q", "output": "a", "images": "1.jpg", "videos": ["1.mp4"], "audios": None}
    assert there("alpaca", row, multimodal_keys=["images", "videos", "audios"]) == {
        "instruction": "", "query": "q", "response": "a", "images": ["1.jpg"], "videos": ["1.mp4"], "audios": None,
    }  # fmt: skip


def test_names_of_fields_are_options() -> None:
    row = {"talk": [{"who": "me", "said": "q"}, {"who": "you", "said": "a"}]}
    names = {"conversations_key": "talk", "from_key": "who", "value_key": "said", "human_role": "me", "assistant_role": "you"}
    common = there("sharegpt", row, **names)
    assert (common["query"], common["response"]) == ("q", "a")
    assert back("sharegpt", common, **names) == row


def test_captions_get_their_questions_back(tmp_path: Path) -> None:
    rows = [llava(f"q{i}\n<image>", f"a{i}", id=i) for i in range(5)]
    (tmp_path / "llava.json").write_text(json.dumps([*rows[:2], {"id": "bad"}, 5, *rows[2:]]))
    kept = [there("llava", row, only_keep_caption=True) for row in (rows[1], rows[3])]
    assert kept[0] == {"id": "1", "text": f"<image>\na1 {EOC}", "images": ["1.jpg"]}
    convert = FORMS["llava"].from_dj(FORMS["llava"].checked({"original": str(tmp_path / "llava.json")}))
    assert [convert(row) for row in kept] == [rows[1], rows[3]]
    with pytest.raises(BadRow, match="has no row with this id after the row before, got '1'"):
        convert(kept[0])
    with pytest.raises(BadRow, match="only_keep_caption needs conversations of one question"):
        there("llava", llava("<image>q", "a", "q", "a"), only_keep_caption=True)


def test_images_that_an_op_removed_or_made_are_accounted_for() -> None:
    common = {
        "image_info": [
            {"image_name": "gone.png", "matched_text_index": 0},
            {"image_name": "b.png", "matched_text_index": 2, "x": 1},
        ],
        "text": f"<__dj__image> One. {EOC} <__dj__image> Two. {EOC}",
        "images": ["d/new.png", "d/b.png"],
        "text_list": ["stale"],
    }
    assert back("mmc4", common) == {
        "image_info": [
            {"image_name": "b.png", "matched_text_index": 1, "x": 1},
            {"image_name": "d/new.png", "matched_text_index": 0},
        ],
        "text_list": ["One.", "Two."],
    }


def test_random_places_are_the_same_in_every_run() -> None:
    row = {"video_id": "v", "caption": "a girl"}
    texts = {there("msrvtt", row, video_special_token_insert_pos="random")["text"] for _ in range(5)}
    assert len(texts) == 1
    many = [there("msrvtt", {**row, "caption": f"c{i}"}, video_special_token_insert_pos="random")["text"] for i in range(50)]
    assert 10 < sum(text.startswith("<__dj__video>") for text in many) < 40
