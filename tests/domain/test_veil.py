"""A text with its secrets hidden."""

from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.veil import veiled


@given(st.text(max_size=200))
def test_no_digit_of_any_script_is_left(text):
    assert not any(char.isdecimal() for char in veiled(text))


@given(st.text(alphabet=st.characters(categories=["Ll", "Lu", "Zs"]), max_size=80))
def test_words_stay_as_they_are(text):
    assert veiled(text) == text


def test_links_and_addresses_are_said_to_be_there_and_not_shown():
    text = "Your code is 4071. All about it: https://lb.example/g/AbC-de_f, or write to ida@example.com – soon!"
    shown = veiled(text)
    assert shown == "Your code is ••••. All about it: (a link) or write to (an e-mail address) – soon!"
