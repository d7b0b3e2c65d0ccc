"""Who is on call, worked out in another way, with the zones of Python's standard library.

Reads one JSON document per line, {"schedule": ..., "until": second, "instants": [second, ...]}, and answers each
with a line: for each instant, who is on call, and the second of the next hand-over within 40 days or null.

Where the program divides, this goes step by step: it writes down every hand-over, every opening and closing
from the layer's begin to "until" by arithmetic on dates, and then looks them up.
"""

import calendar
import json
import sys
from bisect import bisect_right
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

try:
    from dateutil import rrule
except ImportError:
    rrule = None

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
HORIZON = 40 * 86400


def second(moment):
    return (moment - EPOCH) // timedelta(seconds=1)


def reached(zone, local):
    """The first instant at which clocks show `local` or later: found by walking back from a later one."""
    at = local.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)
    if at.astimezone(zone).replace(tzinfo=None) == local:
        return second(at)
    minute = timedelta(minutes=1)
    while (at - minute).astimezone(zone).replace(tzinfo=None) >= local:
        at -= minute
    return second(at)


def months_later(local, months):
    month = local.month - 1 + months
    year, month = local.year + month // 12, month % 12 + 1
    return local.replace(year=year, month=month, day=min(local.day, calendar.monthrange(year, month)[1]))


def hand_overs(zone, layer, until):
    """The begin of every turn, in order, to one past `until`."""
    begin = datetime.fromisoformat(layer["from"])
    unit, length = layer["rotation"]["unit"], layer["rotation"]["length"]
    found = [reached(zone, begin)]
    local, count = begin, 0
    while found[-1] <= until:
        count += 1
        if unit == "hours":
            found.append(found[-1] + length * 3600)
            continue
        if unit == "months":
            local = months_later(begin, count * length)
        else:
            local += timedelta(days=length * (7 if unit == "weeks" else 1))
        found.append(reached(zone, local))
    if rrule and unit in ("days", "weeks"):
        rule = rrule.rrule(rrule.DAILY if unit == "days" else rrule.WEEKLY, begin, length, count=len(found))
        assert [reached(zone, local) for local in rule] == found, "dateutil sees other days"
    return found


class Layer:
    def __init__(self, zone, form, until):
        self.turns = form["turns"]
        self.starts = hand_overs(zone, form, until)
        self.end = reached(zone, datetime.fromisoformat(form["until"])) if "until" in form else None
        self.open = None
        if form.get("windows"):
            self.open = self.openings(zone, form, until)

    def openings(self, zone, form, until):
        """Every instant at which a window opens or closes, and how many are open from then on."""
        changes = {}
        day = datetime.fromisoformat(form["from"]).date() - timedelta(days=3)
        last = (EPOCH + timedelta(seconds=until)).date() + timedelta(days=3)
        windows = []
        for window in form["windows"]:
            opens, closes = (self.since_midnight(window[end]) for end in ("from", "until"))
            if closes <= opens:
                closes += timedelta(days=1)
            windows.append((window.get("days") or DAYS, opens, closes))
        while day <= last:
            midnight = datetime(day.year, day.month, day.day)
            for days, opens, closes in windows:
                if DAYS[day.weekday()] not in days:
                    continue
                opens, closes = reached(zone, midnight + opens), reached(zone, midnight + closes)
                changes[opens] = changes.get(opens, 0) + 1
                changes[closes] = changes.get(closes, 0) - 1
            day += timedelta(days=1)
        times, counts, count = sorted(changes), [], 0
        for time in times:
            count += changes[time]
            counts.append(count)
        return times, counts

    @staticmethod
    def since_midnight(text):
        hours, minutes = map(int, text.split(":"))
        return timedelta(hours=hours, minutes=minutes)

    def edges(self):
        yield from self.starts
        if self.end is not None:
            yield self.end
        if self.open:
            yield from self.open[0]

    def who(self, at):
        if at < self.starts[0] or (self.end is not None and self.end <= at):
            return None
        if self.open:
            place = bisect_right(self.open[0], at) - 1
            if place < 0 or self.open[1][place] == 0:
                return None
        return self.turns[(bisect_right(self.starts, at) - 1) % len(self.turns)]


class Schedule:
    def __init__(self, form, until):
        zone = ZoneInfo(form["zone"])
        self.layers = [Layer(zone, layer, until) for layer in form["layers"]]
        self.overrides = []
        for entry in form.get("overrides", []):
            ends = (second(datetime.fromisoformat(entry[end].replace("Z", "+00:00"))) for end in ("from", "until"))
            self.overrides.append((*ends, entry["who"], entry.get("instead_of")))
        edges = {edge for layer in self.layers for edge in layer.edges()}
        edges.update(edge for entry in self.overrides for edge in entry[:2])
        self.edges = sorted(edges)

    def who(self, at):
        people = []
        for layer in self.layers:
            people = layer.who(at) or people
        swaps = {}
        for begin, end, who, instead_of in self.overrides:
            if begin <= at < end:
                if instead_of is None:
                    return who
                swaps[instead_of] = who
        return list(dict.fromkeys(name for person in people for name in swaps.get(person, [person])))

    def next_hand_over(self, at):
        who = self.who(at)
        place = bisect_right(self.edges, at)
        while place < len(self.edges) and self.edges[place] <= at + HORIZON:
            if self.who(self.edges[place]) != who:
                return self.edges[place]
            place += 1
        return None


def main():
    for line in sys.stdin:
        case = json.loads(line)
        schedule = Schedule(case["schedule"], case["until"])
        answers = [[schedule.who(at), schedule.next_hand_over(at)] for at in case["instants"]]
        print(json.dumps(answers), flush=True)


main()
