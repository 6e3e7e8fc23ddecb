"""The queue: order, one writer per layer, fairness, fencing, orphans, limits. Sessions stand for workers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.jobs import queue
from geoservice.jobs.errors import JobEnded, TooManyJobs
from geoservice.jobs.model import Job, JobRequest, Progress
from ingest.job import LoadOptions
from ingest.outcome import JobLost, settle
from layers.errors import UnknownResource
from layers.system import job as table


@pytest.fixture
def engine(database: Database) -> sa.Engine:
    return database.sync_engine(Role.WRITER)


@pytest.fixture
def sessions(engine: sa.Engine) -> Iterator[list[sa.Connection]]:
    """Three workers."""
    with ExitStack() as stack:
        yield [stack.enter_context(engine.connect()) for _ in range(3)]


def put(engine: sa.Engine, layer: str, principal: str = "p", most: int | None = None, priority: int = 0) -> int:
    request = JobRequest(layer, principal, "api", "a.gpkg", {"path": "a.gpkg"}, priority=priority)
    with engine.begin() as connection:
        return queue.submit(connection, request, most).id


def take(session: sa.Connection) -> Job | None:
    with session.begin():
        return queue.claim(session)


def end(session: sa.Connection, job: Job, state: str = "done") -> None:
    with session.begin():
        assert queue.finish(session, job, state)  # type: ignore[arg-type]
        queue.release(session, job)


def look(engine: sa.Engine, number: int) -> Job:
    with engine.begin() as connection:
        return queue.get(connection, number)


def recovered(engine: sa.Engine) -> list[int]:
    with engine.begin() as connection:
        return queue.recover(connection)


def test_jobs_of_a_layer_run_one_by_one_in_order(engine: sa.Engine, sessions: list[sa.Connection]) -> None:
    a1, a2, b1 = put(engine, "a"), put(engine, "a", priority=50), put(engine, "b")
    first, second = take(sessions[0]), take(sessions[1])
    assert first is not None
    assert second is not None
    assert {first.id, second.id} == {a1, b1}, "a2 waits for a1, whatever its priority"
    assert take(sessions[2]) is None
    owner = sessions[0] if first.id == a1 else sessions[1]
    end(owner, first if first.id == a1 else second)
    third = take(sessions[2])
    assert third is not None
    assert third.id == a2


def test_the_database_itself_allows_one_running_job_per_layer(engine: sa.Engine) -> None:
    for _ in range(2):
        put(engine, "a")
    with engine.begin() as connection, pytest.raises(sa.exc.IntegrityError, match="job_running"):
        connection.execute(sa.update(table).values(state="running"))


def test_principals_take_turns(engine: sa.Engine, sessions: list[sa.Connection]) -> None:
    for n in range(4):
        put(engine, f"a{n}", "greedy")
    for n in range(2):
        put(engine, f"b{n}", "modest")
    order = []
    while (job := take(sessions[0])) is not None:
        order.append(job.principal)
        end(sessions[0], job)
    assert order == ["greedy", "modest", "greedy", "modest", "greedy", "greedy"]


def test_higher_priority_goes_first_among_layers(engine: sa.Engine, sessions: list[sa.Connection]) -> None:
    put(engine, "a")
    urgent = put(engine, "b", priority=5)
    job = take(sessions[0])
    assert job is not None
    assert job.id == urgent


def test_an_orphan_is_seen_at_once_and_given_up_after_three(engine: sa.Engine) -> None:
    number = put(engine, "a")
    for death in (1, 2, 3):
        with engine.connect() as session:
            with engine.begin() as connection:
                connection.execute(sa.update(table).values(not_before=None))
            job = take(session)
            assert job is not None
            assert recovered(engine) == [], "its worker lives"
        assert recovered(engine) == [number]
        assert look(engine, number).deaths == death
    final = look(engine, number)
    assert final.state == "failed"
    assert final.error is not None
    assert "3 times in a row" in final.error["detail"]


def test_a_worker_that_lost_its_job_cannot_end_it(engine: sa.Engine, sessions: list[sa.Connection]) -> None:
    number = put(engine, "a")
    with engine.connect() as lost:
        zombie = take(lost)
    assert zombie is not None
    assert recovered(engine) == [number]
    with engine.begin() as connection:
        connection.execute(sa.update(table).values(not_before=None))
    heir = take(sessions[0])
    assert heir is not None
    with sessions[1].begin():
        assert not queue.finish(sessions[1], zombie, "failed")
        assert not queue.beat(sessions[1], zombie, Progress())
        with pytest.raises(JobLost):
            settle(sessions[1], LoadOptions(job=number, attempt=zombie.attempts), 1, None)
    with sessions[1].begin():
        settle(sessions[1], LoadOptions(job=number, attempt=heir.attempts), 1, None)
    assert look(engine, number).state == "done"


def test_a_done_job_is_not_done_again(engine: sa.Engine) -> None:
    """Killed after the commit of the load, before the worker could say so."""
    number = put(engine, "a")
    with engine.connect() as session:
        job = take(session)
        assert job is not None
        with engine.begin() as load:
            settle(load, LoadOptions(job=number, attempt=job.attempts), 7, 3)
    assert recovered(engine) == []
    found = look(engine, number)
    assert (found.state, found.load, found.edition, found.deaths) == ("done", 7, 3, 0)


def test_cancelling(engine: sa.Engine, sessions: list[sa.Connection]) -> None:
    waiting, running = put(engine, "a"), put(engine, "b")
    with engine.begin() as connection:
        assert queue.cancel(connection, waiting).state == "cancelled"
    job = take(sessions[0])
    assert job is not None
    assert job.id == running
    with sessions[0].begin():
        assert queue.beat(sessions[0], job, Progress("reading", 5))
    with engine.begin() as connection:
        assert queue.cancel(connection, running).state == "running"
    with sessions[0].begin():
        assert not queue.beat(sessions[0], job, Progress("reading", 9))
    with engine.begin() as load, pytest.raises(JobLost):
        settle(load, LoadOptions(job=running, attempt=job.attempts), 1, 1)
    end(sessions[0], job, "cancelled")
    for number in (waiting, running):
        with engine.begin() as connection, pytest.raises(JobEnded):
            queue.cancel(connection, number)
    with engine.begin() as connection, pytest.raises(UnknownResource):
        queue.cancel(connection, 10**9)


def test_an_orphan_that_was_to_be_cancelled_is_cancelled(engine: sa.Engine) -> None:
    number = put(engine, "a")
    with engine.connect() as session:
        assert take(session) is not None
        with engine.begin() as connection:
            queue.cancel(connection, number)
    assert recovered(engine) == [number]
    assert look(engine, number).state == "cancelled"


def test_a_principal_has_so_many_waiting_jobs(engine: sa.Engine) -> None:
    for _ in range(3):
        put(engine, "a", most=3)
    with pytest.raises(TooManyJobs, match="3 jobs waiting"):
        put(engine, "a", most=3)
    put(engine, "a", "other", most=3)


def test_the_last_place_is_given_once(engine: sa.Engine) -> None:
    results: list[bool] = []

    def ask() -> None:
        try:
            put(engine, "a", most=5)
            results.append(True)
        except TooManyJobs:
            results.append(False)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(results) == {True: 5, False: 7}


def test_workers_race_and_no_job_is_taken_twice(engine: sa.Engine) -> None:
    numbers = [put(engine, f"layer{n % 7}", f"p{n % 3}") for n in range(50)]
    taken: list[tuple[str, int]] = []
    clashes: list[str] = []
    busy: set[str] = set()
    guard = threading.Lock()

    def work() -> None:
        with engine.connect() as session:
            idle = 0
            while idle < 20:
                job = take(session)
                if job is None:
                    idle += 1
                    continue
                idle = 0
                with guard:
                    clashes.extend([job.layer] if job.layer in busy else [])
                    busy.add(job.layer)
                    taken.append((job.layer, job.id))
                with guard:
                    busy.discard(job.layer)
                end(session, job)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(n for _, n in taken) == numbers
    assert not clashes
    for layer in {layer for layer, _ in taken}:
        mine = [n for name, n in taken if name == layer]
        assert mine == sorted(mine)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(-3, 3)), max_size=8))
def test_one_session_does_everything_in_some_order(engine: sa.Engine, asked: list[tuple[str, str, int]]) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(table))
    numbers = [put(engine, layer, who, priority=priority) for layer, who, priority in asked]
    done = []
    with engine.connect() as session:
        while (job := take(session)) is not None:
            done.append(job.id)
            end(session, job)
    assert sorted(done) == numbers
