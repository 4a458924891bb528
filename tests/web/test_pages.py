"""How pages show instants and names."""

import pytest

from lockbridge.web.pages import slug, told, words


def test_an_instant_in_a_sentence_of_the_history_is_told_on_the_propertys_clock():
    why = "to be on the lock from Wed 10 Jun 2026 12:30 UTC"
    assert told(why, "Europe/Berlin") == "to be on the lock from Wed 10 Jun 2026, 14:30 CEST"
    assert told(why, None) == why


@pytest.mark.parametrize("why", ["the lock app refused", "since Xxx 99 Yyy 2026 12:30 UTC"])
def test_a_sentence_without_an_instant_stays_as_it_is(why):
    assert told(why, "Europe/Berlin") == why


def test_names_from_the_code_and_of_rules_are_shown_as_words():
    assert [words("lock_offline"), words("pin")] == ["lock offline", "PIN"]
    assert [slug("house-rules"), slug("access_code"), slug("<b>")] == ["House rules", "Access code", "&lt;b&gt;"]
