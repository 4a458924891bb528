import base64
import os
import re
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.storage.vault import (
    HEADER_BYTES,
    NONCE_BYTES,
    SEALED_BYTES,
    BadKeyRing,
    KeyRing,
    MissingKey,
    UnsafeKeyFile,
    Vault,
    WrongKey,
    create_key_file,
    open_vault,
    read_key_file,
    replace_key_file,
)

BARE = base64.b64encode(bytes(range(32))).decode()
posix_only = pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")


@given(text=st.text(), context=st.text())
def test_a_sealed_text_opens_for_its_context(text, context):
    vault = Vault(KeyRing.parse(BARE, "test"))
    assert vault.open(vault.seal(text, context), context) == text


def test_bytes_can_be_sealed_too(vault):
    assert vault.open_bytes(vault.seal(b"\xff\x00", "body"), "body") == b"\xff\x00"


def test_texts_that_are_sealed_together_open_one_by_one_and_none_looks_like_another(vault):
    sealed = vault.seal_all([b"4711", b"4711", b""], "pin")
    assert [vault.open(each, "pin") for each in sealed] == ["4711", "4711", ""]
    assert len({each[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES] for each in sealed}) == 3
    assert vault.seal_all([], "pin") == []


def test_a_sealed_text_shows_nothing_of_the_text(vault):
    first, second = vault.seal("0165", "pin"), vault.seal("0165", "pin")
    assert first != second
    assert b"0165" not in first
    assert len(first) == SEALED_BYTES + 4


@pytest.mark.parametrize("position", [5, 16, 17, -1])
def test_an_altered_value_does_not_open(vault, position):
    blob = bytearray(vault.seal("0165", "pin"))
    blob[position] ^= 1
    with pytest.raises(WrongKey, match="restore the key ring"):
        vault.open(bytes(blob), "pin")


def test_a_value_moved_to_another_place_does_not_open(vault):
    with pytest.raises(WrongKey, match="phone"):
        vault.open(vault.seal("0165", "pin"), "phone")


@pytest.mark.parametrize("blob", [b"", b"\x01", b"\x01" * 20, b"\x02" + bytes(40)])
def test_what_was_never_sealed_does_not_open(vault, blob):
    with pytest.raises(WrongKey, match="damaged or newer"):
        vault.open(blob, "pin")


def test_a_value_sealed_with_an_unknown_key_names_the_missing_key(vault):
    other = Vault(KeyRing.fresh())
    with pytest.raises(MissingKey, match=f"sealed with the key {other.ring.ids[0]}.*it has {vault.ring.ids[0]}"):
        vault.open(other.seal("0165", "pin"), "pin")


def test_another_key_under_the_same_id_is_the_wrong_key(vault):
    impostor = Vault(KeyRing({vault.ring.primary: os.urandom(32)}, os.urandom(32)))
    with pytest.raises(WrongKey, match=vault.ring.ids[0]):
        impostor.open(vault.seal("0165", "pin"), "pin")


def test_after_a_rotation_old_values_open_and_are_known_as_old(vault):
    old = vault.seal("0165", "pin")
    rotated = Vault(vault.ring.rotated())
    assert rotated.open(old, "pin") == "0165"
    assert rotated.needs_rotation(old)
    fresh = rotated.reseal(old, "pin")
    assert not rotated.needs_rotation(fresh)
    assert Vault(rotated.ring.only_primary()).open(fresh, "pin") == "0165"


def test_a_rotation_leaves_the_index_as_it_was(vault):
    assert Vault(vault.ring.rotated()).index("0165", 7) == vault.index("0165", 7)


def test_the_index_tells_equal_digits_on_one_lock_and_nothing_else(vault):
    assert vault.index("0165", 7) == vault.index("0165", "7")
    other_key = Vault(KeyRing.fresh())
    others = [vault.index("165", 7), vault.index("0165", 8), vault.index("165", "70"), other_key.index("0165", 7)]
    assert vault.index("0165", 7) not in others
    assert len(vault.index("0165", 7)) == 16


def test_a_vault_and_its_ring_show_no_key(vault):
    secret = base64.b64encode(vault.ring.keys[vault.ring.primary]).decode()
    assert secret in vault.ring.text()
    shown = f"{vault!r} {vault.ring!r} {vault.ring}"
    assert secret not in shown
    assert repr(vault.ring.keys[vault.ring.primary]) not in shown


def test_many_threads_may_seal_and_open_at_once(vault):
    opened = []

    def work(n):
        opened.extend(vault.open(vault.seal(f"{n}", "x"), "x") == f"{n}" for _ in range(300))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [True] * 1200


def test_a_ring_survives_its_text():
    ring = KeyRing.fresh().rotated()
    assert KeyRing.parse(ring.text(), "test") == ring
    one_line = ", ".join(line.replace(" ", "") for line in ring.text().splitlines() if not line.startswith("#"))
    assert KeyRing.parse(one_line, "test") == ring


def test_a_bare_key_is_a_ring_and_can_be_rotated_into_a_full_one():
    bare = KeyRing.parse(BARE, "test")
    rotated = KeyRing.parse(bare.rotated().text(), "test")
    assert Vault(rotated).open(Vault(bare).seal("0165", "pin"), "pin") == "0165"
    assert Vault(rotated).index("0165", 7) == Vault(bare).index("0165", 7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no 'index:' entry"),
        (f"7f3a09c1:{BARE}", "no 'index:' entry"),
        (f"index:{BARE}", "no key"),
        (f"index:{BARE} 7f3a09c1:{BARE} 7f3a09c1:{BARE}", "twice"),
        (f"index:{BARE} seven:{BARE}", "8 hexadecimal digits"),
        (f"index:{BARE} 7f3a09c1:c2hvcnQ=", "base64 of 32 bytes"),
        (f"index:{BARE} 7f3a09c1", "without an id"),
        ("not a key", "without an id"),
        ("c2hvcnQ=", "base64 of 32 bytes"),
        (f"index:{BARE} 7f3a09c1:", "base64 of 32 bytes"),
    ],
)
def test_a_broken_ring_says_what_is_wrong_and_where(text, words):
    with pytest.raises(BadKeyRing, match=words) as error:
        KeyRing.parse(text, "keys.txt")
    assert BARE not in str(error.value)


@posix_only
def test_a_first_run_creates_a_key_file_for_its_owner_only(tmp_path):
    file = tmp_path / "data" / "lockbridge.key"
    before = os.umask(0)
    try:
        first = open_vault(file, create=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert open_vault(file, create=True).open(first.seal("0165", "pin"), "pin") == "0165"
    assert [path.name for path in file.parent.iterdir()] == ["lockbridge.key"]


def test_two_processes_that_start_together_agree_on_one_key_file(tmp_path):
    file = tmp_path / "lockbridge.key"
    assert create_key_file(file) == create_key_file(file)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
@posix_only
def test_a_key_file_that_others_may_use_is_refused(tmp_path, mode):
    file = tmp_path / "lockbridge.key"
    create_key_file(file)
    file.chmod(mode)
    with pytest.raises(UnsafeKeyFile, match=re.escape(f"mode {mode:o}): run 'chmod 600 {file}'")):
        open_vault(file)


def test_a_missing_key_file_is_not_replaced_by_a_new_one(tmp_path):
    file = tmp_path / "lockbridge.key"
    with pytest.raises(MissingKey, match="put the one back that this database was made with"):
        open_vault(file)
    assert not file.exists()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"nonsense"])
def test_a_key_file_that_holds_something_else_is_refused(tmp_path, content):
    file = tmp_path / "lockbridge.key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(BadKeyRing, match=re.escape(str(file))):
        read_key_file(file)


def test_a_folder_is_no_key_file(tmp_path):
    with pytest.raises(BadKeyRing, match="cannot be read"):
        read_key_file(tmp_path)


def test_a_rotated_ring_replaces_the_file_in_one_step(tmp_path):
    file = tmp_path / "lockbridge.key"
    ring = create_key_file(file)
    replace_key_file(file, ring.rotated())
    assert read_key_file(file).ids[1:] == ring.ids
    assert list(tmp_path.iterdir()) == [file]


def test_the_environment_wins_over_the_file(tmp_path):
    file = tmp_path / "lockbridge.key"
    create_key_file(file)
    assert open_vault(file, BARE).ring == KeyRing.parse(BARE, "test")
    with pytest.raises(BadKeyRing, match=r"secrets\.key"):
        open_vault(Path("unused"), "nonsense")
