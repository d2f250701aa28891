"""A kind of import contract that names its exceptions, so that a new module is covered by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from importlinter import Contract, ContractCheck, fields, output

if TYPE_CHECKING:
    from grimp import ImportGraph


class ExceptContract(Contract):
    """No module of some packages imports others, neither itself nor through what it imports, but for those named.

    Options:
        packages: whose modules are meant, with everything in them.
        forbidden_modules: what they must not import.
        exceptions: modules that may.
    """

    type_name = "except"
    packages = fields.SetField(subfield=fields.ModuleField())
    forbidden_modules = fields.SetField(subfield=fields.ModuleField())
    exceptions = fields.SetField(subfield=fields.ModuleField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - the signature is given
        """Look for a chain of imports from each module to each forbidden one."""
        exceptions = {module.name for module in self.exceptions}
        broken: list[tuple[str, ...]] = []
        needed: set[str] = set()
        for module in sorted(self._modules(graph)):
            chain = self._chain(graph, module)
            if chain is not None and module in exceptions:
                needed.add(module)
            elif chain is not None:
                broken.append(chain)
        needless = sorted(exceptions - needed)
        return ContractCheck(
            kept=not broken and not needless, metadata={"broken": broken, "needless": needless}
        )

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Show each chain, and each exception that nobody needs."""
        told: dict[str, Any] = check.metadata
        for chain in told["broken"]:
            output.print_error(" -> ".join(chain))
        for module in told["needless"]:
            output.print_error(f"{module} is an exception that is not needed")

    def _modules(self, graph: ImportGraph) -> set[str]:
        modules: set[str] = set()
        for package in self.packages:
            modules |= {package.name, *graph.find_descendants(package.name)}
        return modules

    def _chain(self, graph: ImportGraph, module: str) -> tuple[str, ...] | None:
        for forbidden in sorted(forbidden.name for forbidden in self.forbidden_modules):
            if forbidden in graph.modules:
                chain = graph.find_shortest_chain(importer=module, imported=forbidden)
                if chain is not None:
                    return tuple(chain)
        return None
