"""What dbt and dlt work out again and again for each node and each setting, worked out once in a process of tests.

Builds and loads are most of the processor time of the suite. What they do, build and say stays the same: neither is
replaced, and commands that a test starts as a user does (`Athlete.start`) know nothing of it.
"""

import sys
from functools import cache
from threading import local
from typing import Any


@cache
def spare_dbt() -> None:
    """Spare dbt what it does for each node without effect: half of what Python does in a build."""
    _events_nobody_sees()
    _contexts_of_macros()
    _compiled_jinja()


def _events_nobody_sees() -> None:
    """An event of a debugging level is not written out where no log takes it."""
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager

    fire_event = EventManager.fire_event

    def fire_if_seen(self: EventManager, event: Any, level: Any = None, **more: Any) -> None:
        unseen = (level or event.level_tag()) in (EventLevel.DEBUG, EventLevel.TEST)
        if not unseen or any(logger.level == EventLevel.DEBUG for logger in self.loggers):
            fire_event(self, event, level, **more)

    EventManager.fire_event = fire_if_seen


def _contexts_of_macros() -> None:
    """A macro is looked up in one place, not in five, and the context of an adapter's macro is made once a thread."""
    from dbt.cli import requires
    from dbt.clients.jinja import MacroGenerator
    from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder

    class Flat(MacroNamespace):
        def _search_order(self) -> Any:
            return (self.found,)

    def build_flat(self: MacroNamespaceBuilder, packages: Any, context: Any) -> MacroNamespace:
        made = {
            package: {
                name: MacroGenerator(macro, context, self.node, self.thread_ctx) for name, macro in macros.items()
            }
            for package, macros in packages.items()
        }
        internal: dict[str, Any] = {}
        # the first of dbt's own packages wins
        for package in reversed(self.internal_package_names_order):
            internal |= made.get(package, {})
        others: dict[str, Any] = {name: made[name] for name in made if name not in self.internal_package_names}
        root, own = (others.get(package, {}) for package in (self.root_package, self.search_package))
        flat = Flat(root, own, internal, others)
        # what is nearest to the node wins
        flat.found = internal | {"dbt": internal} | others | root | own
        return flat

    make_context = requires.generate_runtime_macro_context
    contexts = local()

    def context_of(macro: Any, config: Any, manifest: Any, package: Any) -> Any:
        known = contexts.__dict__
        key = f"{macro.unique_id} {id(config)} {id(manifest)} {package}"
        if key not in known:
            # kept with what has these ids, so that nothing else gets them
            known[key] = make_context(macro, config, manifest, package), config, manifest
        return known[key][0]

    MacroNamespaceBuilder.build_namespace = build_flat
    requires.generate_runtime_macro_context = context_of


def _compiled_jinja() -> None:
    """A text is compiled once: by a launcher, for all that it forks."""
    from dbt_common.clients.jinja import MacroFuzzEnvironment, NativeSandboxEnvironment, get_environment
    from jinja2 import Environment

    compile_template = Environment.compile
    kinds = (MacroFuzzEnvironment, NativeSandboxEnvironment)

    @cache
    def code_of(kind: type[Environment], source: str) -> Any:
        return compile_template(get_environment(native=kind is NativeSandboxEnvironment), source)

    def compile_once(self: Environment, source: Any, *how: Any, **more: Any) -> Any:
        # dbt's environments of a kind differ in what they say is undefined, which is not in the code
        if how or more or not isinstance(source, str) or type(self) not in kinds:
            return compile_template(self, source, *how, **more)
        return code_of(type(self), source)

    Environment.compile = compile_once


@cache
def spare_dlt() -> None:
    """Spare dlt a third of a load: it works out the types of settings and schemas again wherever it meets them."""
    from dlt.common import validation
    from dlt.common.configuration import resolve
    from dlt.common.configuration.providers import environ
    from dlt.common.configuration.specs import base_configuration

    is_secret_hint = cache(base_configuration.is_secret_hint)
    for module in (base_configuration, environ, resolve):
        module.is_secret_hint = is_secret_hint

    get_type_hints = validation.get_type_hints

    @cache
    def hints_of(spec: type) -> dict[str, Any]:
        hints: dict[str, Any] = get_type_hints(spec, globalns=vars(sys.modules[spec.__module__]))
        return hints

    validation.get_type_hints = lambda spec, **_names: hints_of(spec)
