"""``python -m tests.architecture``: print what the tests of this folder hold."""

from __future__ import annotations

from .any_share import MOST, any_share, percent
from .circles import PACKAGES, circles
from .imports import modules_of
from .layers import upward
from .name_lengths import CHARACTERS, long_names
from .private_names import private_uses, uses_across_folders
from .sizes import LONGER, long_files
from .tested_modules import REACHED_THROUGH, untested


def main() -> None:
    """Print the figures."""
    print(f"{sum(len(modules_of(package)) for package in PACKAGES)} modules")
    found = circles()
    print(f"\nCircles among imports: {len(found)}")
    for circle in found:
        print(f"  {len(circle)}: {' '.join(sorted(circle))}")
    wrong = list(upward())
    print(f"\nImports of a higher layer: {len(wrong)}")
    for each in wrong:
        print(f"  {each}")
    uses = private_uses()
    print(f"\nPrivate names of supervisors in slither_actors: {len(uses)}")
    for use in uses:
        print(f"  {use}")
    uses = [use for package in PACKAGES for use in uses_across_folders(package)]
    print(f"\nPrivate names of another folder: {len({(use.module, use.name) for use in uses})}, at {len(uses)} places")
    for use in uses:
        print(f"  {use}")
    long = long_files()
    print(f"\nFiles over 300 lines: {len(long)}")
    for name, lines in long.items():
        print(f"  {lines:4} {name}: {LONGER.get(name, 'NO REASON')}")
    missing = sorted(untested())
    print(f"\nModules that no test imports: {len(missing)}")
    for module in missing:
        print(f"  {module}: {REACHED_THROUGH.get(module, 'NO TEST')}")
    count = sum(map(len, long_names().values()))
    print(f"\nNames of tests of {CHARACTERS} characters and more: {count}")
    print("\nParameters annotated with Any, or not at all:")
    for package in MOST:
        bare, all_of_them = any_share(package)
        print(f"  {package}: {bare} of {all_of_them}, {percent(package):.1f} % (at most {MOST[package]} %)")


if __name__ == "__main__":
    main()
