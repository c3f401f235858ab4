"""Names that public archives gave are told from everybody's own."""

import pytest

from lesionseg.data.names import archive_group, archive_image


@pytest.mark.parametrize(
    ("id_", "name"),
    [
        ("ISIC_0012345", "ISIC_0012345"),
        ("isic2017/ISIC_0012345", "ISIC_0012345"),
        ("outer/inner/ISIC_0012345", "ISIC_0012345"),
        ("isic_0012345", "ISIC_0012345"),
        ("ISIC_0012345_downsampled", "ISIC_0012345"),
        ("ph2/IMD002", "IMD002"),
    ],
)
def test_an_archives_image_is_one_whatever_the_source(id_: str, name: str) -> None:
    assert archive_image(id_) == name


@pytest.mark.parametrize(
    "id_",
    [
        "0012345",
        "a",
        "ISIC_12345",
        "ISIC_00123456",
        "my_ISIC_0012345",
        "ISIC_0012345_2",
        "IMD02",
        "IMD0021",
        "ISIC_0012345/a",
    ],
)
def test_other_names_are_nobodys(id_: str) -> None:
    assert archive_image(id_) is None


@pytest.mark.parametrize(
    ("group", "name"),
    [("HAM_0000118", "HAM_0000118"), ("IL_1234567", "IL_1234567"), ("ip_1234567", "IP_1234567"), ("patient 7", None)],
)
def test_an_archives_lesions_and_patients_are_told_from_others(group: str, name: str | None) -> None:
    assert archive_group(group) == name
