"""The rule that turns folder names and numbers into classes."""

import pytest

from volute.data.classes import by_folder, by_number
from volute.errors import UsageError


def names(*folders: str, each: int = 5) -> list[str]:
    return [f"{folder}/{i}.png".lstrip("/") for folder in folders for i in range(each)]


@pytest.mark.parametrize(
    ("folders", "classes"),
    [
        (["cat", "dog"], ["cat", "dog"]),
        (["all"], []),
        ([""], []),
        (["set/cat", "set/dog"], ["cat", "dog"]),
        (["cat/images", "dog/images"], ["cat", "dog"]),
        (["train/cat", "train/dog", "test/cat", "test/dog"], ["cat", "dog"]),
        (["train", "Test"], []),
        (["cat", "dog/a", "dog/b"], ["cat", "dog"]),
        (["猫", "кот", "قطة"], ["кот", "قطة", "猫"]),
    ],
)
def test_the_deepest_level_that_differs(folders, classes):
    labelling = by_folder(names(*folders))
    assert labelling.order == classes
    if classes:
        assert set(labelling.labels) == set(classes)


def test_train_and_test_of_one_class_are_merged():
    assert by_folder(names("train/cat", "test/cat", "train/dog")).labels == [
        *["cat"] * 10,
        *["dog"] * 5,
    ]


def test_few_pictures_beside_class_folders_have_no_class():
    labelling = by_folder([*names("a", "b"), "stray.png"])
    assert labelling.labels[-1] is None
    assert labelling.order == ["a", "b"]


def test_many_pictures_beside_folders_mean_no_classes():
    labelling = by_folder(["thumbs/1.png", "old/1.png", "x.png", "y.png"])
    assert labelling.order == []
    assert None not in labelling.labels
    assert "most pictures lie beside" in labelling.note


def test_a_folder_a_day_is_no_class():
    labelling = by_folder(names(*(f"2026-05-{day:02}" for day in range(1, 20)), each=2))
    assert labelling.order == []
    assert "too many to be classes" in labelling.note


def test_numbers_sort_as_numbers_and_take_names():
    assert by_number([10, 2, 2] * 4, ()).order == ["2", "10"]
    assert by_number([1, 0], ("shirt", "shoe", "hat")).labels == ["shoe", "shirt"]
    assert by_number([1, 0], ("shirt", "shoe", "hat")).order == ["shirt", "shoe"]
    assert by_number(["b", "a"] * 4, ()).order == ["a", "b"]


def test_numbers_that_name_each_picture_are_no_classes():
    labelling = by_number(list(range(30)), ())
    assert labelling.order == []
    assert "too many to be classes" in labelling.note


def test_names_that_do_not_fit_are_a_usage_error():
    with pytest.raises(UsageError, match="has 2 names, but the labels go from 0 to 2"):
        by_number([0, 1, 2], ("a", "b"))
    with pytest.raises(UsageError, match="from -1 to 1"):
        by_number([-1, 1], ("a", "b"))
    with pytest.raises(UsageError, match="names already"):
        by_number(["x"], ("a", "b"))
