"""Work by name runs once at a time."""

import asyncio

from edi_gateway.daemon.turns import Turns


async def test_a_run_that_goes_on_is_not_joined_by_another_of_its_name() -> None:
    """A partner that hangs has one run hanging, however often it is due; other names are not concerned."""
    turns, begun, go_on = Turns(), [], asyncio.Event()

    async def work(name: str) -> None:
        begun.append(name)
        await go_on.wait()

    for name in ("poll a", "poll a", "poll b", "poll a"):
        turns.start(name, lambda name=name: work(name))  # type: ignore[misc]
        await asyncio.sleep(0)
    assert begun == ["poll a", "poll b"]
    go_on.set()
    await turns.after("poll a")
    turns.start("poll a", lambda: work("poll a"))
    await turns.after("poll a")
    assert begun == ["poll a", "poll b", "poll a"]


async def test_work_that_fails_makes_room_for_the_next_run() -> None:
    """A failure neither blocks its name nor reaches whoever waits for the name to be free."""
    turns, begun = Turns(), []

    async def work() -> None:
        begun.append(1)
        raise ValueError

    for _ in range(2):
        turns.start("poll a", work)
        task = next(iter(turns.running))
        await turns.after("poll a")
        assert isinstance(task.exception(), ValueError)
    assert begun == [1, 1]
