"""All ways to break one SQL file of the dbt project by a small change of its text, Jinja included."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# quotes may hold what would end a Jinja block
_JINJA = r"(?:'[^']*'|\"[^\"]*\"|(?!{end}).)*"
_SQL_TOKEN = re.compile(
    rf"""
    (?P<gap>\s+|--[^\n]*|\{{\#.*?\#\}})
  | (?P<tag>\{{%{_JINJA.format(end="%}")}%\}})
  | (?P<jinja>\{{\{{{_JINJA.format(end="}}")}\}}\}})
  | (?P<string>'(?:\{{\{{{_JINJA.format(end="}}")}\}}\}}|''|[^'])*')
  | (?P<number>\d+(?:\.\d+)?(?:e\d+)?\b)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<mark><>|<=|>=|!=|\|\||->|=>|::|.)
    """,
    re.DOTALL | re.VERBOSE,
)
_JINJA_TOKEN = re.compile(
    r"""(?P<gap>\s+)|(?P<string>'[^']*'|"[^"]*")|(?P<number>\d+(?:\.\d+)?(?:e\d+)?\b)|(?P<word>[A-Za-z_]\w*)|(?P<mark>==|!=|.)""",
    re.DOTALL,
)
_NOT_RUN_HERE = re.compile(r"\{% macro spark_.*?\{%-? endmacro %\}", re.DOTALL)
# a string in Jinja that is SQL, rather than a name or a sentence
_IS_SQL = re.compile(r" (<|>|<=|>=|=|<>) | not in \(|order by|case when| is not null|extract\(")

COMPARED = {"<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<="), "=": ("<>",), "<>": ("=",)}
CALCULATED = {"+": "-", "-": "+", "*": "/", "/": "*"}
FUNCTIONS = {
    "min": ("max",),
    "max": ("min",),
    "sum": ("count", "max"),
    "count": ("sum",),
    "avg": ("max",),
    "greatest": ("least",),
    "least": ("greatest",),
    "floor": ("ceil",),
    "ceil": ("floor",),
    "lead": ("lag",),
    "lag": ("lead",),
    "stddev_pop": ("stddev_samp",),
    "hour": ("minute",),
}
UNWRAPPED = ("coalesce", "nullif", "round", "abs")
SHIFTED_PARTS = {"day": "week", "week": "month", "month": "year", "year": "month", "second": "minute", "hour": "minute"}
_WORDS = {
    "is": ("comparison", "is not"),
    "asc": ("order", "desc"),
    "desc": ("order", "asc"),
    "true": ("constant", "false"),
    "false": ("constant", "true"),
}
_TWO_WORDS = {
    ("is", "not"): ("comparison", "is"),
    ("nulls", "last"): ("order", "nulls first"),
    ("left", "join"): ("join", "inner join"),
    ("inner", "join"): ("join", "left join"),
    ("select", "distinct"): ("distinct", "select"),
} | {(part, "from"): ("constant", f"{other} from") for part, other in SHIFTED_PARTS.items()}
# what an operand of `and` and `or` ends before
_ENDS = {
    "and",
    "or",
    "then",
    "when",
    "else",
    "end",
    "group",
    "order",
    "having",
    "limit",
    "union",
    "as",
    "from",
    "where",
}
_ENDS |= {"left", "inner", "join", "cross", "on", "rows"}
# what stands before the first operand of a chain
_STARTS = {"where", "on", "when", "having", "select", "then", "else", "not", "(", ","}
_NO_OPERAND = _STARTS | {"distinct", "by", "from", "and", "or", "in", "as"}
# columns that can stand in each other's place
_KINDS = {
    "truth": {"retired", "purged", "complete", "hidden", "flagged", "manual", "trainer", "device_watts"},
    "text": {"name", "type", "sport_type", "reason", "noticed_by", "last_payload_hash", "sport_group", "effort"},
    "when": {"start_date", "start_date_local", "valid_from", "valid_to", "fetched_at", "date"},
    "number": {"activities", "kudos", "days", "fitness", "fatigue", "form", "trimp", "hr_tss", "tss", "load", "value"},
    "count": {"limit_value", "listed", "landed", "gone", "longest", "current"},
}
_ENDINGS = ("_m_s", "_m", "_s", "_km", "_date", "_at", "_bpm", "_watts", "heartrate", "_speed", "_time", "_rank")


@dataclass(frozen=True)
class Breaking:
    """A change of the text from `start` to `end` into `text`."""

    kind: str
    start: int
    end: int
    text: str

    def applied(self, source: str) -> str:
        """The broken text."""
        return source[: self.start] + self.text + source[self.end :]

    def lines(self, source: str) -> tuple[int, str, str]:
        """Number of the first line that changes, and the changed lines before and after, without indentation."""
        first = source.rfind("\n", 0, self.start) + 1
        end = source.find("\n", self.end)
        end = len(source) if end < 0 else end
        after = source[first : self.start] + self.text + source[self.end : end]
        return source.count("\n", 0, first) + 1, " ".join(source[first:end].split()), " ".join(after.split())


@dataclass(frozen=True)
class Equivalent:
    """A change of lines that makes no difference, and why."""

    files: tuple[str, ...]
    was: str
    becomes: str
    why: str

    def is_of(self, file: str, was: str, becomes: str) -> bool:
        """Whether it is what made these lines of that."""
        pieces = was.split(self.was)
        return file in self.files and becomes in (
            " ".join((self.was.join(pieces[:place]) + self.becomes + self.was.join(pieces[place:])).split())
            for place in range(1, len(pieces))
        )


def read_equivalents() -> list[Equivalent]:
    """What equivalent_models.toml names."""
    named = tomllib.loads(Path(__file__).with_name("equivalent_models.toml").read_text())["equivalent"]
    return [Equivalent(tuple(each["files"]), each["was"], each["becomes"], each["why"]) for each in named]


@dataclass(frozen=True)
class _Token:
    kind: str
    start: int
    end: int
    source: str

    @cached_property
    def text(self) -> str:
        return self.source[self.start : self.end]

    @property
    def is_operand(self) -> bool:
        return self.kind in ("number", "jinja", "string") or self.text == ")" or self.is_name

    @property
    def is_name(self) -> bool:
        return self.kind == "word" and self.text not in _NO_OPERAND


_Items = list[tuple[int, int]]


def all_breakings(source: str) -> list[Breaking]:
    """Every way this module knows, in the order of the text; some of them may be no valid SQL."""
    not_run = [match.span() for match in _NOT_RUN_HERE.finditer(source)]
    found = {
        breaking: None
        for breaking in _of_sql(source, 0, len(source))
        if not any(start <= breaking.start < end for start, end in not_run)
        and breaking.applied(source).split() != source.split()
    }
    return sorted(found, key=lambda breaking: (breaking.start, breaking.end, breaking.text))


def _tokens(pattern: re.Pattern[str], source: str, start: int, end: int) -> list[_Token]:
    return [
        _Token(str(match.lastgroup), *match.span(), source)
        for match in pattern.finditer(source, start, end)
        if match.lastgroup != "gap"
    ]


def _of_sql(source: str, start: int, end: int) -> Iterator[Breaking]:
    fragment = _Fragment(source, _tokens(_SQL_TOKEN, source, start, end))
    yield from fragment.breakings()
    for token in fragment.tokens:
        if token.kind in ("tag", "jinja"):
            yield from _of_jinja(source, token.start + 2, token.end - 2)


def _of_jinja(source: str, start: int, end: int) -> Iterator[Breaking]:
    tokens = [_Token("mark", start, start, source), *_tokens(_JINJA_TOKEN, source, start, end)]
    is_config = source[start:end].strip("- \n").startswith("config(")
    for number, token in enumerate(tokens[1:], 1):
        inside = token.text[1:-1]
        if token.kind == "string" and _IS_SQL.search(inside):
            yield from _of_sql(source, token.start + 1, token.end - 1)
        elif is_config:
            if [each.text for each in tokens[number - 2 : number]] == ["post_hook", "="]:
                yield Breaking("hook", token.start, token.end, "''")
        elif token.kind == "number":
            yield from _shifted(token)
        elif token.kind == "string" and number < len(tokens) - 1:
            yield from _of_string(tokens, number)
        elif token.text in ("==", "!="):
            yield Breaking("comparison", token.start, token.end, "!=" if token.text == "==" else "==")


def _of_string(tokens: Sequence[_Token], number: int) -> Iterator[Breaking]:
    """Another type, another part of a date, or one less in a list."""
    before, token, after = tokens[number - 1], tokens[number], tokens[number + 1]
    inside = token.text[1:-1]
    if before.text == ":" and inside == "double":
        yield Breaking("type", token.start + 1, token.end - 1, "bigint")
    elif before.text == ":" and inside == "bigint" and tokens[number - 2].text.endswith("id'"):
        yield Breaking("type", token.start + 1, token.end - 1, "integer")
    elif other := SHIFTED_PARTS.get(inside):
        yield Breaking("constant", token.start + 1, token.end - 1, other)
    elif _is_in_call(tokens, number):
        return
    elif before.text == "," and after.text in (",", ")", "]"):
        yield Breaking("list", before.start, token.end, "")
    elif before.text in ("(", "[") and after.text == ",":
        yield Breaking("list", token.start, after.end, "")


def _is_in_call(tokens: Sequence[_Token], number: int) -> bool:
    """Whether the token is an argument, of which none can be missed."""
    depth = 0
    for before in range(number - 1, 0, -1):
        depth += (tokens[before].text in ("(", "[", "{")) - (tokens[before].text in (")", "]", "}"))
        if depth > 0:
            called = tokens[before - 1]
            return tokens[before].text == "(" and called.kind == "word" and called.text != "in"
    return False


def _shifted(token: _Token) -> Iterator[Breaking]:
    digits, e, power = token.text.partition("e")
    whole, point, decimals = digits.partition(".")
    last = len(decimals)
    for by in (1, -1):
        value = int(whole + decimals) + by
        if value >= 0:
            text = f"{value:0{last + 1}d}"
            shifted = text[: len(text) - last] + point + text[len(text) - last :]
            yield Breaking("constant", token.start, token.end, shifted + e + power)
    if int(whole + decimals):
        tenfold = f"{whole}{decimals[:1]}{point}{decimals[1:] or '0'}" if point else f"{whole}0"
        yield Breaking("constant", token.start, token.end, tenfold + e + power)


class _Fragment:
    """A stretch of SQL in which Jinja's expressions are operands and Jinja's tags are walls."""

    def __init__(self, source: str, tokens: Sequence[_Token]) -> None:
        self.source = source
        # a last one, so that each has one after it
        self.tokens = [*tokens, _Token("tag", tokens[-1].end, tokens[-1].end, source)] if tokens else []

    def breakings(self) -> Iterator[Breaking]:
        for number, token in enumerate(self.tokens[:-1]):
            if token.kind == "number":
                yield from _shifted(token)
            elif token.kind == "mark":
                yield from self._of_mark(number, token)
            elif token.kind == "word":
                yield from self._of_word(number, token)
                yield from self._of_order(number, token)
                if self.tokens[number + 1].text == "(":
                    yield from self._of_function(number, token)
            yield from self._of_chain(number, token)

    def _at(self, number: int) -> str:
        return self.tokens[number].text if 0 <= number < len(self.tokens) else ""

    def _replace(self, kind: str, first: int, last: int, text: str) -> Breaking:
        return Breaking(kind, self.tokens[first].start, self.tokens[last].end, text)

    def _span(self, item: tuple[int, int]) -> str:
        return self.source[self.tokens[item[0]].start : self.tokens[item[1]].end]

    def _of_mark(self, number: int, token: _Token) -> Iterator[Breaking]:
        if token.text in COMPARED:
            for other in COMPARED[token.text]:
                # each with each other row would be many
                joins = token.text == "=" and self._is_in_join(number)
                yield self._replace("comparison", number, number, ">=" if joins else other)
        elif token.text in CALCULATED and number and self.tokens[number - 1].is_operand:
            following = self.tokens[number + 1]
            if following.is_operand or following.text == "(":
                yield self._replace("arithmetic", number, number, CALCULATED[token.text])

    def _is_in_join(self, number: int) -> bool:
        for before in range(number, -1, -1):
            if self._at(before) in ("on", "where", "select", "when", "("):
                return self._at(before) == "on"
        return False

    def _of_word(self, number: int, token: _Token) -> Iterator[Breaking]:
        before, word, following = self._at(number - 1), token.text, self._at(number + 1)
        if two := _TWO_WORDS.get((word, following)):
            yield self._replace(two[0], number, number + 1, two[1])
        elif one := _WORDS.get(word):
            yield self._replace(one[0], number, number, one[1])
        elif word in ("and", "or") and not self._is_between(number):
            yield self._replace("and/or", number, number, "or" if word == "and" else "and")
        elif word == "not" and before != "is":
            yield self._replace("comparison", number, number, "")
        elif word in ("in", "between", "like") and before != "not" and self.tokens[number - 1].is_operand:
            yield self._replace("comparison", number, number, f"not {word}")
        elif word == "else":
            yield self._replace("else", number + 1, self._operand_end(number + 1) - 1, "null")
        if word == "select":
            yield from self._of_columns(number + (2 if following == "distinct" else 1))

    def _of_function(self, number: int, token: _Token) -> Iterator[Breaking]:
        arguments = self._items(number + 2)
        if not arguments:
            return
        end = arguments[-1][1] + 1
        for other in FUNCTIONS.get(token.text, ()):
            text = f"{other}({self._span((arguments[0][0], arguments[-1][1]))})"
            if token.text == "count":
                text = "max(1)" if self._at(number + 2) == "*" else "count(*)"
            yield self._replace("function", number, end, text)
        if token.text in UNWRAPPED:
            yield self._replace(
                "coalesce" if token.text == "coalesce" else "unwrapped", number, end, self._span(arguments[0])
            )

    def _of_order(self, number: int, token: _Token) -> Iterator[Breaking]:
        if token.text != "by" or self._at(number - 1) not in ("order", "partition"):
            return
        kind = self._at(number - 1)
        items = self._items(number + 1)
        for _, last in items:
            if kind == "order" and not {self._at(last), self._at(last - 1)} & {"asc", "desc", "nulls", "'"}:
                yield self._replace("order", last, last, f"{self._at(last)} desc")
        if len(items) < 2:
            return
        for place, (first, last) in enumerate(items):
            if place:
                yield Breaking(kind, self.tokens[items[place - 1][1]].end, self.tokens[last].end, "")
            else:
                yield Breaking(kind, self.tokens[first].start, self.tokens[items[1][0]].start, "")
        if kind == "order":
            one, two = items[0], items[1]
            yield self._replace("order", one[0], two[1], f"{self._span(two)}, {self._span(one)}")

    def _of_columns(self, first: int) -> Iterator[Breaking]:
        """Two columns of the same kind, at most three apart, each under the other's name."""
        named = []
        for item in self._items(first):
            expression, name = self._named(item)
            named.append((item, expression, name, _kind_of(name)))
        for place, (item, expression, name, kind) in enumerate(named):
            for other, other_expression, other_name, other_kind in named[place + 1 : place + 4]:
                if kind and kind == other_kind:
                    between = self.source[self.tokens[item[1]].end : self.tokens[other[0]].start]
                    text = f"{other_expression} as {name}{between}{expression} as {other_name}"
                    yield self._replace("swap", item[0], other[1], text)
                    break

    def _named(self, item: tuple[int, int]) -> tuple[str, str]:
        first, last = item
        name = self._at(last) if self.tokens[last].kind == "word" else ""
        if self._at(last - 1) == "as":
            return self._span((first, last - 2)), name
        return self._span(item), name if all(
            self.tokens[n].kind == "word" or self._at(n) == "." for n in range(first, last)
        ) else ""

    def _of_chain(self, number: int, token: _Token) -> Iterator[Breaking]:
        """Without one condition of a chain, or without the only one."""
        if token.text in ("and", "or") and not self._is_between(number):
            end = self._operand_end(number + 1)
            if end > number + 1:
                yield self._replace("condition", number, end - 1, "")
        elif token.text in _STARTS or number == 0:
            first = number + (token.text in _STARTS)
            end = self._operand_end(first)
            if end > first and self._at(end) in ("and", "or"):
                yield Breaking("condition", self.tokens[first].start, self.tokens[end + 1].start, "")
            elif end > first and token.text in ("where", "when", "having"):
                yield self._replace("condition", first, end - 1, "true")

    def _is_between(self, number: int) -> bool:
        """Whether this `and` belongs to a `between`."""
        if self._at(number) != "and":
            return False
        depth = 0
        for before in range(number - 1, -1, -1):
            depth += (self._at(before) == ")") - (self._at(before) == "(")
            if depth < 0 or (depth == 0 and self._at(before) in ("and", "or", "where", "when", "on", ",")):
                return False
            if depth == 0 and self._at(before) == "between":
                return True
        return False

    def _operand_end(self, first: int) -> int:
        depth = cases = 0
        number = first
        while number < len(self.tokens) - 1:
            token = self.tokens[number]
            if token.kind == "tag":
                return number
            depth += (token.text in "([") - (token.text in ")]")
            if depth < 0:
                return number
            if depth == 0:
                if cases == 0 and number > first and token.text in ("and", "or") and self._is_between(number):
                    pass
                elif cases == 0 and (token.text == "," or (token.text in _ENDS and self._at(number - 1) != "distinct")):
                    return number
                cases += (token.text == "case") - (token.text == "end")
            number += 1
        return number

    def _items(self, first: int) -> _Items:
        """First and last token of each item of a list, as far as no tag of Jinja cuts it."""
        items: _Items = []
        depth = cases = 0
        begun = first
        for number in range(first, len(self.tokens)):
            token = self.tokens[number]
            depth += (token.text in "([" and token.text != "") - (token.text in ")]" and token.text != "")
            cases += (token.text == "case") - (token.text == "end")
            ends = depth < 0 or (
                depth == 0
                and cases == 0
                and (token.text in ("from", "rows", "order", "limit") or number == len(self.tokens) - 1)
            )
            if token.kind == "tag" and not ends:
                return items
            if ends or (depth == 0 and token.text == ","):
                if number > begun:
                    items.append((begun, number - 1))
                begun = number + 1
            if ends:
                return items
        return items


def _kind_of(name: str) -> str:
    """What a column must share with another to stand in its place; empty for none."""
    for kind, names in _KINDS.items():
        if name in names:
            return kind
    if name.startswith(("is_", "with_", "rank_", "favourite_")):
        return name.partition("_")[0]
    if name == "id" or name.endswith("_id"):
        return "id"
    return next((ending for ending in _ENDINGS if name.endswith(ending)), "")
