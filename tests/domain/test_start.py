"""The guided start: which step is next."""

from lockbridge.domain.start import Progress, StepName, next_step, steps

ALL = Progress(lock_apps=1, properties=2, matches=1, sources=1, messages_seen=True)


def name(step):
    return None if step is None else step.name


def test_a_host_who_begins_connects_a_lock_app_first():
    assert name(next_step(steps(Progress()))) is StepName.LOCK_APP


def test_steps_that_are_done_are_passed_over():
    assert name(next_step(steps(Progress(lock_apps=1, matches=1)))) is StepName.PROPERTIES


def test_a_step_that_was_put_off_is_passed_over_until_it_is_taken_up_again():
    assert name(next_step(steps(Progress(), {"lock_app"}))) is StepName.PROPERTIES
    assert name(next_step(steps(Progress(), ()))) is StepName.LOCK_APP


def test_a_step_that_was_put_off_and_done_all_the_same_is_done():
    first = steps(Progress(lock_apps=1), {"lock_app"})[0]
    assert (first.done, first.later) == (True, False)


def test_bookings_come_in_by_a_webhook_that_was_heard_or_by_an_account():
    def done(progress):
        return {step.name: step.done for step in steps(progress)}[StepName.BOOKINGS]

    assert [done(Progress()), done(Progress(heard=True)), done(Progress(sources=1))] == [False, True, True]


def test_nothing_is_next_when_all_is_done_or_put_off():
    assert next_step(steps(ALL)) is None
    assert next_step(steps(Progress(), {step.value for step in StepName})) is None


def test_who_goes_on_from_a_step_is_led_forward_and_then_to_what_was_skipped():
    nothing = steps(Progress())
    assert name(next_step(nothing, StepName.MATCH)) is StepName.BOOKINGS
    only_first = steps(Progress(properties=1, matches=1, heard=True, messages_seen=True))
    assert name(next_step(only_first, StepName.MESSAGES)) is StepName.LOCK_APP
    assert next_step(only_first, StepName.LOCK_APP) is None, "not to itself"
