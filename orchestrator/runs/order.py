"""What is to be run, before anything is planned."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.config.models import Config
from orchestrator.fleet.target import Target
from orchestrator.worker.jobs import Verb

Needs = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Order:
    """A verb on targets, in this order."""

    verb: Verb
    targets: tuple[Target, ...]
    needs: Needs
    """What each target waits for."""
    revision: str
    selection: Mapping[str, Any] = field(default_factory=dict)
    """What was selected, as it is recorded."""
    purge: bool = False
    back_to: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where each target goes back to, where that is not the same for all."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its targets."""
        return tuple(target.name for target in self.targets)

    @property
    def is_upgrade_to_heads(self) -> bool:
        """Whether it brings targets to their destination: then one at head needs nothing."""
        return self.verb is Verb.UPGRADE and self.revision == "heads"

    def without(self, names: Collection[str]) -> "Order":
        """Return it without some targets."""
        without = set(names)
        left = tuple(target for target in self.targets if target.name not in without)
        return replace(self, targets=left)

    def picks_by_class(self, config: Config) -> bool:
        """Whether a wave takes some of each schema class: schemas are to be read for that."""
        environments = {target.environment for target in self.targets}
        rollouts = (config.environments[name].rollout for name in environments)
        return any(wave.pick for rollout in rollouts for wave in rollout.waves)
