"""What all platforms ask alike, and how their refusals read."""

import pytest

from lockbridge.contract import ProviderError
from lockbridge.outbound import ErrorTable
from lockbridge.platforms import asking
from lockbridge.platforms.contract import NoSuchReservation, NotOffered


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (NoSuchReservation, "Guesty has no such reservation"),
        (NotOffered, "Guesty does not offer this to this account"),
    ],
)
def test_a_person_reads_what_was_refused(refusal: type[ProviderError], words: str) -> None:
    meaning = ErrorTable(statuses={404: refusal}).meaning(404, None)
    assert meaning is refusal
    assert meaning.said.format(who="Guesty") == words


@pytest.mark.parametrize("ref", ["", "BK-4711", "-1", "4711/..", "٤٧١١", "9" * 200])
def test_what_is_no_number_names_no_reservation_where_they_are_numbers(ref: str) -> None:
    with pytest.raises(NoSuchReservation, match="Smoobu names its reservations by numbers"):
        asking.number_of(ref, "Smoobu")
    assert asking.number_of("4711", "Smoobu") == 4711


@pytest.mark.parametrize("value", ["", "pass\nword", "schlüssel", None, 4711])
def test_what_cannot_stand_in_a_header_is_no_credential(value: object) -> None:
    assert not asking.fits_header(value)
