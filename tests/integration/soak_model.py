# SPDX-License-Identifier: LGPL-2.1-or-later
"""What may have become of a domain, given what was asked of it and what was answered.

Calls are answered in another order than they take effect, a killed service answers none of its
calls, and a QEMU may die while it is asked to stop. So the model does not follow one state but all
that are possible: each action is a small program (ACTIONS) of steps that may happen at any moment
between its call and its answer, and a Belief holds each combination of a state with the places at which
its pending actions may be. An answer rules out those that would not have given it. If none is left,
nothing that the service may do explains what it said.

Pure: knows neither bus nor processes."""
from collections import namedtuple

ABSENT, PERSISTENT, TRANSIENT = "absent", "persistent", "transient"
OFF, STARTING, RUNNING, PAUSED, SAVING = "off", "starting", "running", "paused", "saving"
# QEMU is about to be gone; the latter: and by on-crash another one is started.
ENDING, DYING = "ending", "dying"
QEMU_ANSWERS = (RUNNING, PAUSED, SAVING, ENDING, DYING)

OK = "ok"
# No answer, because the service ended before it gave one: each step of the action may have happened.
CUT = "cut"

State = namedtuple("State", "kind run name autostart revision saved devices",
                   defaults=(ABSENT, OFF, 0, False, 0, False, frozenset()))

# The place in an action's program at which it has an answer.
Answered = namedtuple("Answered", "outcome")
BEGIN = "begin"


class Violation(AssertionError):
    """The service did what it may not do."""


def ended(state):
    """What the end of a run makes of it."""
    if state.kind == TRANSIENT:
        return State(saved=state.saved)
    return state._replace(run=OFF, devices=frozenset())


def to_transient(state):
    return state._replace(kind=TRANSIENT, autostart=False, revision=0)


class Action:
    """One thing that is done to a domain. steps() yields each (state, place) that may follow at once.

    awaited   somebody waits for its answer; else it only has an effect, which it must have had when
              everything is quiet
    lenient   its effect may as well fail to come: the service was killed, the caller has left, or
              something else was under way that decides as well
    foggy     QEMU's monitor could not be reached for some of the time
    alone     nothing else was under way"""

    # Places in the program at which it may be forgotten if it is lenient.
    droppable = (BEGIN, "sent", "ending", "removing")

    def __init__(self, name, arguments=(), awaited=True):
        self.name = name
        self.arguments = arguments
        self.awaited = awaited
        self.lenient = False
        self.foggy = False
        self.alone = True
        self.program = PROGRAMS[name]

    def __repr__(self):
        text = ", ".join(map(str, self.arguments))
        flags = "".join(f" {flag}" for flag in ("lenient", "foggy") if getattr(self, flag))
        return f"{self.name}({text}){flags}"

    def steps(self, state, place):
        if isinstance(place, Answered):
            return
        yield from self.program(self, state, place)
        if self.lenient and not self.awaited and place in self.droppable:
            yield state, Answered(CUT)
        if not self.awaited and place == "starting" and state.run != STARTING:
            # Somebody else has brought it to its end.
            yield state, Answered(CUT)
        if self.foggy and place == BEGIN:
            yield state, Answered("WrongState")
        if self.foggy and place == "sent":
            # QEMU may have done it all the same.
            yield state, Answered("MonitorTimeout")
            for following, _ in [(state, place), *self.program(self, state, place)]:
                yield following, Answered("MonitorLost")


# ---- programs: (action, state, place) -> (state, place) ----

def refuse_unless(*runs):
    """The way in of what needs the domain to be in one of runs."""
    def decorate(program):
        def guarded(action, state, place):
            if place != BEGIN or (state.kind != ABSENT and state.run in runs):
                yield from program(action, state, place)
            elif state.kind == ABSENT:
                yield state, Answered("UnknownObject")
            else:
                yield state, Answered("WrongState")
        return guarded
    return decorate


def finish_start(action, state, paused):
    """The second half of each start."""
    if state.run == STARTING:
        yield (state._replace(run=PAUSED if paused else RUNNING, saved=False), Answered(OK))
        if action.foggy:
            # A QEMU that cannot be talked to is not worth to be waited for.
            yield ended(state), Answered("StartFailed")
            yield ended(state)._replace(saved=False), Answered("StartFailed")
    elif state.run == OFF:
        yield state, Answered("StartFailed")


@refuse_unless(OFF)
def start(action, state, place):
    paused, = action.arguments
    if place != BEGIN:
        yield from finish_start(action, state, paused)
        return
    yield state._replace(run=STARTING), "starting"
    if not action.alone:
        # It is being renamed, or has just been undefined.
        yield state, Answered("WrongState")


def create(action, state, place):
    paused, = action.arguments
    if place != BEGIN:
        yield from finish_start(action, state, paused)
    elif state.kind == ABSENT:
        yield State(TRANSIENT, STARTING, saved=state.saved), "starting"
    else:
        yield state, Answered("DomainExists")
    if place == BEGIN and not action.alone:
        yield state, Answered("DomainExists")


@refuse_unless(STARTING, *QEMU_ANSWERS)
def destroy(action, state, place):
    """Also what Shutdown() becomes when its time is up."""
    if place == BEGIN:
        yield state, "ending"
    elif state.run == OFF:
        yield state, Answered(OK)
    else:
        yield ended(state), Answered(OK)
        if state.run in (RUNNING, PAUSED):
            yield state._replace(run=ENDING), place


@refuse_unless(RUNNING)
def shutdown(action, state, place):
    yield from destroy(action, state, place)


def command(runs, effect):
    """What is one command for QEMU."""
    @refuse_unless(*runs, ENDING, DYING)
    def program(action, state, place):
        if place == BEGIN:
            yield state, "sent"
            if not action.alone or state.run in (ENDING, DYING):
                # A save or a reboot is under way, or QEMU has said that it ends.
                yield state, Answered("WrongState")
            return
        if state.run in QEMU_ANSWERS:
            yield from effect(action, state)
        if state.run not in (RUNNING, PAUSED, SAVING):
            yield state, Answered("MonitorLost")
    return program


def no_effect(action, state):
    yield state, Answered(OK)


def stop(action, state):
    yield state._replace(run=PAUSED) if state.run == RUNNING else state, Answered(OK)


def cont(action, state):
    yield state._replace(run=RUNNING) if state.run == PAUSED else state, Answered(OK)


def quit_qemu(action, state):
    yield state._replace(run=ENDING), Answered(OK)
    yield state._replace(run=ENDING), Answered("MonitorLost")


def attach(action, state):
    device, = action.arguments
    if device in state.devices:
        yield state, Answered("DeviceExists")
    else:
        yield state._replace(devices=state.devices | {device}), Answered(OK)


def detach(action, state):
    device, = action.arguments
    if device not in state.devices:
        yield state, Answered("NoSuchDevice")
    else:
        yield state._replace(devices=state.devices - {device}), Answered(OK)


@refuse_unless(RUNNING, PAUSED)
def save(action, state, place):
    if place == BEGIN:
        if state.kind == TRANSIENT or not action.alone:
            yield state, Answered("WrongState")
        if state.kind == PERSISTENT:
            yield state._replace(run=SAVING), "resumes" if state.run == RUNNING else "stays"
        return
    if state.run == SAVING:
        yield ended(state)._replace(saved=True), Answered(OK)
        if action.foggy:
            # It is given up, and the guest goes on if it ran before, unless QEMU cannot be told.
            yield state._replace(run=PAUSED), Answered("MonitorLost")
            if place == "resumes":
                yield state._replace(run=RUNNING), Answered("MonitorLost")
    elif state.run == OFF:
        yield state, Answered(OK if state.saved else "MonitorLost")


def drop_saved(action, state, place):
    if state.kind == ABSENT:
        yield state, Answered("UnknownObject")
    elif state.saved and state.run != STARTING:
        yield state._replace(saved=False), Answered(OK)
    else:
        yield state, Answered("WrongState")


def define(action, state, place):
    name, revision, autostart = action.arguments
    active = state.run != OFF
    if active and name != state.name:
        yield state, Answered("WrongState")
    else:
        yield state._replace(kind=PERSISTENT, name=name, revision=revision,
                             autostart=autostart), Answered(OK)
    if not action.alone:
        yield state, Answered("DomainExists")
        yield state, Answered("WrongState")


def undefine(action, state, place):
    if place == "removed":
        yield State(), Answered(OK)
    elif place != BEGIN:
        if state.run == OFF and state.saved:
            # The definition goes first. Killed in between, the service leaves the saved state.
            yield State(saved=True), "removed"
        # Started meanwhile: it goes when it stops.
        if state.run == OFF:
            yield State(), Answered(OK)
        else:
            yield to_transient(state)._replace(saved=False), Answered(OK)
    elif state.kind == ABSENT:
        yield state, Answered("UnknownObject")
        yield state, Answered("NoSuchDomain")
    elif state.run != OFF:
        yield state, Answered("WrongState")
    else:
        yield state, "removing"


def set_autostart(action, state, place):
    flag, = action.arguments
    if state.kind == ABSENT:
        yield state, Answered("UnknownObject")
        yield state, Answered("NoSuchDomain")
    elif state.kind == TRANSIENT:
        yield state, Answered("WrongState")
    else:
        yield state._replace(autostart=flag), Answered(OK)


# ---- and what nobody answers ----

def gone(state):
    return state, Answered(OK)


def died(action, state, place):
    """The process of QEMU was ended from outside. restarts: by on-crash."""
    restarts, = action.arguments
    if place == "starting":
        yield from finish_start(action, state, False)
    elif place == "dying" and state.run == DYING:
        yield state._replace(run=STARTING, devices=frozenset()), "starting"
    elif state.run == OFF or place == "dying":
        yield gone(state)
    elif state.run == STARTING:
        yield gone(ended(state))
        yield gone(ended(state)._replace(saved=False))
    elif state.run == SAVING:
        yield gone(state._replace(run=ENDING))
        yield gone(state._replace(run=ENDING, saved=True))
    else:
        if restarts:
            yield state._replace(run=DYING), "dying"
        if not restarts or action.lenient or not action.alone:
            yield gone(state._replace(run=ENDING))


def service_died(action, state, place):
    """What was half done is cleaned up or brought to its end."""
    if state.run == STARTING:
        yield gone(ended(state))
        yield gone(ended(state)._replace(saved=False))
        yield gone(state._replace(run=RUNNING, saved=False))
        yield gone(state._replace(run=PAUSED, saved=False))
    elif state.run == DYING:
        yield gone(ended(state))
    elif state.run == SAVING:
        yield gone(state._replace(run=RUNNING))
        yield gone(state._replace(run=PAUSED))
        yield gone(ended(state))
        yield gone(ended(state)._replace(saved=True))


def autostart(action, state, place):
    """By a reload."""
    if place == "starting":
        yield from finish_start(action, state, False)
    elif state.kind == PERSISTENT and state.autostart and state.run == OFF:
        yield state._replace(run=STARTING), "starting"
    else:
        yield gone(state)


def foreign(run_before, run_after):
    """By another client of QEMU's."""
    def program(action, state, place):
        yield gone(state._replace(run=run_after) if state.run == run_before else state)
    return program


def edited(action, state, place):
    """A file of a definition was written by hand, and a reload follows."""
    revision, = action.arguments
    yield gone(state._replace(kind=PERSISTENT, revision=revision, autostart=False))


def file_removed(action, state, place):
    if state.kind != PERSISTENT:
        yield gone(state)
    elif state.run == OFF:
        yield gone(State(saved=state.saved))
    else:
        yield gone(to_transient(state))


PROGRAMS = {
    "start": start,
    "create": create,
    "destroy": destroy,
    "shutdown": shutdown,
    "suspend": command((RUNNING,), stop),
    "resume": command((PAUSED,), cont),
    "reset": command((RUNNING, PAUSED), no_effect),
    "reboot": command((RUNNING,), no_effect),
    "query": command(QEMU_ANSWERS, no_effect),
    "stop": command(QEMU_ANSWERS, stop),
    "cont": command(QEMU_ANSWERS, cont),
    "quit": command(QEMU_ANSWERS, quit_qemu),
    "attach": command((RUNNING, PAUSED), attach),
    "detach": command((RUNNING, PAUSED), detach),
    "save": save,
    "drop-saved": drop_saved,
    "define": define,
    "undefine": undefine,
    "set-autostart": set_autostart,
    "died": died,
    "service-died": service_died,
    "autostart": autostart,
    "foreign-stop": foreign(RUNNING, PAUSED),
    "foreign-cont": foreign(PAUSED, RUNNING),
    "edited": edited,
    "file-removed": file_removed,
}


class Belief:
    """Everything that may be true of one domain."""

    def __init__(self, state=State()):
        self.actions = {}                # number -> Action
        self.standing = {}               # name -> Action: may come any number of times, or not at all
        self.last = 0
        self.configurations = {(state, frozenset())}
        self.closed = True               # and the steps that may have happened are among them

    def __repr__(self):
        states = "\n    ".join(sorted({repr(state) for state, _ in self.configurations}))
        return f"pending {[*self.actions.values(), *self.standing]}, and one of\n    {states}"

    @property
    def states(self):
        return {state for state, _ in self.configurations}

    def begin(self, name, *arguments, awaited=True, lenient=False, foggy=False):
        """Returns the number by which its answer is given."""
        action = Action(name, arguments, awaited)
        action.lenient = lenient
        action.foggy = foggy
        for other in (*self.actions.values(), *self.standing.values()):
            action.alone = False
            other.alone = False
        self.last += 1
        self.actions[self.last] = action
        self.configurations = {(state, places | {(self.last, BEGIN)})
                               for state, places in self.configurations}
        self.closed = False
        return self.last

    def expect(self, name):
        """From now on that may come at any time."""
        if name not in self.standing:
            self.standing[name] = Action(name, awaited=False)
        for action in self.actions.values():
            action.alone = False
        self.closed = False

    def mark(self, name=None, **flags):
        """Sets flags of everything that is pending (of that name): what is done now concerns it, too."""
        for action in (*self.actions.values(), *self.standing.values()):
            for flag, value in flags.items():
                if name in (None, action.name):
                    setattr(action, flag, value)
        self.closed = False

    def _close(self):
        """Adds each step that may have happened by now."""
        if self.closed:
            return
        known = self.configurations
        waiting = list(known)

        def add(configuration):
            if configuration not in known:
                known.add(configuration)
                waiting.append(configuration)

        while waiting:
            state, places = waiting.pop()
            if state.run == ENDING:
                add((ended(state), places))
            for action in self.standing.values():
                for place in (BEGIN, "starting"):
                    for following, _ in action.steps(state, place):
                        add((following, places))
            for number, place in places:
                action = self.actions[number]
                rest = places - {(number, place)}
                for following, next_place in action.steps(state, place):
                    # What nobody waits for is forgotten when it is done.
                    done = isinstance(next_place, Answered) and not action.awaited
                    add((following, rest if done else rest | {(number, next_place)}))
        self.closed = True

    def _take(self, configurations, what):
        if not configurations:
            raise Violation(f"{what} cannot be explained by {self}")
        self.configurations = configurations
        self.closed = False

    def answer(self, number, outcome):
        """The action of that number was answered so: OK, the last part of an error's name, or CUT."""
        action = self.actions[number]
        expected = (number, Answered(outcome))
        found = set()
        self._close()
        for state, places in self.configurations:
            if outcome == CUT:
                found.add((state, frozenset(p for p in places if p[0] != number)))
            elif expected in places:
                found.add((state, places - {expected}))
        self._take(found, f"{action}: {outcome}")
        self._forget(number)

    def _forget(self, number):
        """And what has been done in any case."""
        del self.actions[number]
        pending = {number for _, places in self.configurations for number, _ in places}
        self.actions = {number: action for number, action in self.actions.items()
                        if number in pending}

    def outcomes(self):
        """The states that may be the whole truth, with nothing under way any more."""
        self._close()
        return {state for state, places in self.configurations
                if not places and state.run in (OFF, RUNNING, PAUSED)}

    def settle(self, state):
        """That is the truth, and nothing is under way."""
        if state not in self.outcomes():
            raise Violation(f"{state} cannot be explained by {self}")
        self.actions = {}
        self.standing = {}
        self._take({(state, frozenset())}, state)
