import asyncio
import threading
from datetime import timedelta

import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, String, Table, insert, select, text
from sqlalchemy.exc import IntegrityError

from lockbridge.storage.commit import Commit, GroupCommit, InlineCommit
from lockbridge.storage.database import Database, StorageUnavailable


@pytest.fixture
def words(database, scratch):
    table = Table("words", scratch, Column("id", Integer, primary_key=True), Column("word", String, unique=True))
    with database.write() as connection:
        table.create(connection)
    return table


@pytest.fixture
async def open_commit():
    """Opens writers and closes them after the test."""
    opened = []

    def open_one(database, kind=GroupCommit, **options):
        opened.append(kind(database, **options))
        return opened[-1]

    yield open_one
    for commit in opened:
        await commit.close()


@pytest.fixture(params=[GroupCommit, InlineCommit])
def commit(request, database, open_commit) -> Commit:
    return open_commit(database, request.param)


class Adding:
    """A step that adds words and remembers which batches it was given."""

    def __init__(self, table):
        self.table, self.calls = table, []

    def __call__(self, connection, items):
        self.calls.append(list(items))
        connection.execute(insert(self.table), [{"word": item} for item in items])
        return [item.upper() for item in items]


class Gate:
    """A step that holds the writer until it is opened, so that others have to wait together."""

    def __init__(self):
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, connection, items):
        self.entered.set()
        assert self.opened.wait(30)
        return items


async def gathered(commit, writes):
    """The outcomes of writes that are waiting when the writer becomes free."""
    gate = Gate()
    held = asyncio.ensure_future(commit.write(gate, None))
    await asyncio.to_thread(gate.entered.wait, 30)
    waiting = [commit.write(step, item) for step, item in writes]
    gate.opened.set()
    await held
    return await asyncio.gather(*waiting, return_exceptions=True)


def stored(database, table):
    with database.read() as connection:
        return connection.scalars(select(table.c.word).order_by(table.c.id)).all()


async def test_a_write_returns_what_its_step_answered_and_is_stored(database, commit, words):
    assert await commit.write(Adding(words), "one") == "ONE"
    assert stored(database, words) == ["one"]


async def test_a_write_that_breaks_a_rule_fails_and_the_next_one_works(database, commit, words):
    step = Adding(words)
    await commit.write(step, "one")
    with pytest.raises(IntegrityError):
        await commit.write(step, "one")
    assert await commit.write(step, "two") == "TWO"
    assert stored(database, words) == ["one", "two"]


async def test_a_result_is_told_only_after_it_can_be_read_by_others(database, commit, words):
    step = Adding(words)
    for n in range(20):
        await commit.write(step, f"{n}")
        assert len(await database.ask(lambda connection: connection.execute(select(words)).all())) == n + 1


async def test_writes_that_wait_together_share_one_call_and_one_commit(database, open_commit, words):
    step, commits = Adding(words), []
    counted = commits.append
    sqlalchemy.event.listen(database._writer, "commit", counted)
    outcomes = await gathered(open_commit(database), [(step, f"{n}") for n in range(100)])
    sqlalchemy.event.remove(database._writer, "commit", counted)
    assert outcomes == [f"{n}" for n in range(100)]
    assert step.calls == [[f"{n}" for n in range(100)]]
    assert len(commits) == 2  # the gate's, and theirs


async def test_writes_of_one_turn_of_the_loop_share_one_call_also_when_the_writer_is_idle(database, open_commit, words):
    step, commit = Adding(words), open_commit(database)
    await asyncio.gather(*(commit.write(step, f"{n}") for n in range(10)))
    assert step.calls == [[f"{n}" for n in range(10)]]


async def test_who_comes_in_the_next_turns_of_the_loop_is_taken_along(database, open_commit, words):
    step, commit = Adding(words), open_commit(database)

    async def after(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        await commit.write(step, f"{turns}")

    await asyncio.gather(*(after(turns) for turns in range(10)))
    assert step.calls == [[f"{n}" for n in range(10)]]


async def test_a_batch_is_never_larger_than_asked(database, open_commit, words):
    step = Adding(words)
    await gathered(open_commit(database, max_batch=8), [(step, f"{n}") for n in range(20)])
    assert [len(call) for call in step.calls] == [8, 8, 4]


async def test_items_of_many_rows_share_a_transaction_with_few(database, open_commit):
    class Heavy:
        rows = 6

    items = [Heavy() for _ in range(5)]
    calls = []

    def step(_connection, items):
        calls.append(list(items))
        return items

    await gathered(open_commit(database, max_rows=10), [(step, item) for item in items])
    assert calls == [items[:2], items[2:4], items[4:]]


async def test_different_steps_follow_the_order_of_their_first_items(database, open_commit, words):
    first, second = Adding(words), Adding(words)
    await gathered(open_commit(database), [(first, "a"), (second, "b"), (first, "c"), (second, "d")])
    assert stored(database, words) == ["a", "c", "b", "d"]


async def test_one_poisonous_item_fails_alone(database, open_commit, words):
    step = Adding(words)
    outcomes = await gathered(open_commit(database), [(step, word) for word in ["a", "b", "a", "c", None]])
    assert [outcome if isinstance(outcome, str) else type(outcome).__name__ for outcome in outcomes] == [
        "A",
        "B",
        "IntegrityError",
        "C",
        "AttributeError",
    ]
    assert stored(database, words) == ["a", "b", "c"]


async def test_an_item_that_fails_one_step_does_not_touch_the_other_steps(database, open_commit, words):
    def broken(connection, items):
        connection.execute(insert(words), [{"word": "half done"}])
        raise LookupError

    outcomes = await gathered(open_commit(database), [(Adding(words), "a"), (broken, 1), (Adding(words), "b")])
    assert [type(outcome) for outcome in outcomes] == [str, LookupError, str]
    assert stored(database, words) == ["a", "b"]


@pytest.mark.parametrize("error", [StopIteration, asyncio.CancelledError, KeyboardInterrupt])
async def test_no_error_of_a_step_stops_the_writer(database, open_commit, words, error):
    def broken(connection, items):
        raise error

    commit = open_commit(database)
    failed = commit.write(broken, 1)
    await asyncio.wait([failed])
    assert failed.cancelled() or failed.exception() is not None
    assert await commit.write(Adding(words), "a") == "A"


async def test_a_step_that_forgets_a_result_is_a_mistake_and_stores_nothing(database, commit, words):
    def forgetful(connection, items):
        connection.execute(insert(words), [{"word": "x"}])
        return []

    with pytest.raises(RuntimeError, match="answered 0 times for 1 items"):
        await commit.write(forgetful, 1)
    assert stored(database, words) == []


async def test_to_stop_waiting_does_not_take_an_item_back(database, open_commit, words):
    commit, gate, step = open_commit(database), Gate(), Adding(words)
    held = asyncio.ensure_future(commit.write(gate, None))
    await asyncio.to_thread(gate.entered.wait, 30)
    impatient = commit.write(step, "a")
    impatient.cancel()
    gate.opened.set()
    await held
    assert await commit.write(step, "b") == "B"
    assert stored(database, words) == ["a", "b"]


async def test_too_many_waiting_writes_are_refused_at_once(database, open_commit, words):
    commit, gate, step = open_commit(database, max_waiting=3), Gate(), Adding(words)
    held = asyncio.ensure_future(commit.write(gate, None))
    await asyncio.to_thread(gate.entered.wait, 30)
    taken = [commit.write(step, f"{n}") for n in range(3)]
    assert commit.waiting == 3
    with pytest.raises(StorageUnavailable, match="3 writes wait already"):
        commit.write(step, "one too many")
    gate.opened.set()
    await asyncio.gather(held, *taken)
    assert len(stored(database, words)) == 3


async def test_closing_finishes_what_waits_and_refuses_the_rest(database, words):
    commit, gate, step = GroupCommit(database), Gate(), Adding(words)
    held = asyncio.ensure_future(commit.write(gate, None))
    await asyncio.to_thread(gate.entered.wait, 30)
    waiting = [commit.write(step, f"{n}") for n in range(5)]
    closing = asyncio.ensure_future(commit.close())
    gate.opened.set()
    await closing
    assert await asyncio.gather(held, *waiting) == [None, "0", "1", "2", "3", "4"]
    with pytest.raises(StorageUnavailable, match="is stopping"):
        commit.write(step, "late")
    await commit.close()


async def test_lingering_writes_gather_before_they_are_committed(database, open_commit, words):
    step = Adding(words)
    commit = open_commit(database, linger=timedelta(seconds=30), max_batch=4)
    assert await asyncio.gather(*(commit.write(step, f"{n}") for n in range(4))) == ["0", "1", "2", "3"]
    assert len(step.calls) == 1


async def test_several_writers_share_the_work_on_postgresql(postgres_database, open_commit, scratch):
    table = Table("words", scratch, Column("id", Integer, primary_key=True), Column("word", String, unique=True))
    with postgres_database.write() as connection:
        table.create(connection)
    commit, step = (
        open_commit(postgres_database, writers=3, max_batch=4, linger=timedelta(milliseconds=1)),
        Adding(table),
    )
    await asyncio.gather(*(commit.write(step, f"{n}") for n in range(200)))
    assert sorted(map(int, stored(postgres_database, table))) == list(range(200))


def test_callers_on_several_event_loops_each_get_their_answer(database, words):
    commit, answers = GroupCommit(database), []

    async def caller(n):
        answers.extend(await asyncio.gather(*(commit.write(Adding(words), f"{n}-{i}") for i in range(10))))

    threads = [threading.Thread(target=lambda n=n: asyncio.run(caller(n))) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(commit.close())
    assert sorted(answers) == sorted(f"{n}-{i}" for n in range(3) for i in range(10))


# ----------------------------------------------------------------------------------------------------------- outages


END_OTHER_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname = current_database()
"""


@pytest.mark.parametrize("kind", [GroupCommit, InlineCommit])
async def test_a_connection_lost_between_writes_is_replaced_unnoticed(postgres_database, open_commit, kind):
    def number(connection, items):
        return [connection.scalar(text("SELECT 42")) for _ in items]

    commit = open_commit(postgres_database, kind)
    await commit.write(number, None)
    with postgres_database.write() as other:
        other.execute(text(END_OTHER_SESSIONS))
    assert await commit.write(number, None) == 42


async def test_a_transaction_chosen_as_deadlock_victim_is_repeated(postgres_database, open_commit):
    tries = []

    def unlucky(connection, items):
        tries.append(items)
        if len(tries) == 1:
            connection.execute(text("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$"))
        return items

    assert await open_commit(postgres_database).write(unlucky, 7) == 7
    assert len(tries) == 2


async def test_an_outage_fails_the_whole_batch_at_once_with_an_error_for_each(postgres_database, open_commit):
    def unavailable(connection, items):
        connection.execute(text("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$"))

    outcomes = await gathered(open_commit(postgres_database), [(unavailable, n) for n in range(3)])
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 3
    assert len({id(outcome) for outcome in outcomes}) == 3


async def test_an_outage_while_items_are_tried_singly_fails_the_rest(postgres_database, open_commit):
    calls = []

    def failing(connection, items):
        calls.append(items)
        if len(items) > 1:
            raise LookupError
        if items == [1]:
            connection.execute(text("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$"))
        return items

    outcomes = await gathered(open_commit(postgres_database), [(failing, n) for n in range(4)])
    assert [type(outcome) for outcome in outcomes] == [int, *[StorageUnavailable] * 3]
    assert calls == [[0, 1, 2, 3], [0], [1]]


async def test_a_database_that_cannot_be_opened_is_an_outage(tmp_path, open_database, open_commit):
    commit = open_commit(open_database(f"sqlite:///{tmp_path}/missing/x.sqlite3"))
    with pytest.raises(StorageUnavailable, match="cannot be opened"):
        await commit.write(lambda _, items: items, 1)


# ------------------------------------------------------------------------------------------------------------ anything


@settings(max_examples=30, deadline=None)
@given(batch=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), max_size=25), size=st.integers(1, 7))
def test_whatever_comes_together_each_word_is_stored_once_and_each_caller_told_the_truth(tmp_path_factory, batch, size):
    """Each number is good once; the second time, and 0 always, it is poison."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('any')}/x.sqlite3", synchronous="OFF")
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE n (n INTEGER PRIMARY KEY CHECK (n > 0))")

    def adding(connection, items):
        for item in items:
            connection.exec_driver_sql("INSERT INTO n VALUES (?)", (item,))
        return items

    def adding_too(connection, items):
        return adding(connection, items)

    async def run():
        commit = GroupCommit(database, max_batch=size)
        outcomes = await gathered(commit, [((adding, adding_too)[which], number) for which, number in batch])
        await commit.close()
        return outcomes

    outcomes = asyncio.run(run())
    told = [outcome for outcome in outcomes if isinstance(outcome, int)]
    with database.read() as connection:
        assert sorted(connection.exec_driver_sql("SELECT n FROM n").scalars()) == sorted(told)
    assert set(told) == {number for _, number in batch} - {0}
    assert all(isinstance(outcome, int | IntegrityError) for outcome in outcomes)
    database.dispose()
